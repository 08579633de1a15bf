//! What the handlers of the admin address share.

use std::sync::Arc;

use axum::body::Bytes;
use axum::response::Html;

use crate::admin::overview::Overview;
use crate::cached::Cached;
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::store::Store;

#[derive(Clone)]
pub struct Admin {
    pub store: Arc<dyn Store>,
    pub intake: Intake,
    pub metrics: Arc<Metrics>,
    pub overview: Arc<Cached<Arc<Overview>>>,
    /// The page of the overview.
    pub page: Arc<Cached<Html<Bytes>>>,
    pub readiness: Arc<Readiness>,
}

impl Admin {
    pub fn new(store: Arc<dyn Store>, intake: Intake, metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> Self {
        let (overview, page) = (Arc::default(), Arc::default());
        Self { store, intake, metrics, overview, page, readiness }
    }
}
