//! What the handlers of the admin address share.

use std::sync::Arc;

use axum::body::Bytes;
use axum::response::Html;

use crate::admin::cached::Cached;
use crate::admin::overview::Overview;
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::store::error::StoreError;

#[derive(Clone)]
pub struct Admin {
    pub store: Arc<dyn Store>,
    pub intake: Intake,
    pub metrics: Arc<Metrics>,
    pub overview: Arc<Cached<Result<Arc<Overview>, StoreError>>>,
    /// The page of the overview.
    pub page: Arc<Cached<Result<Html<Bytes>, StoreError>>>,
    /// Whether a callback could be committed.
    pub readiness: Arc<Cached<Result<(), StoreError>>>,
}

impl Admin {
    pub fn new(store: Arc<dyn Store>, intake: Intake, metrics: Arc<Metrics>) -> Self {
        let (overview, page, readiness) = (Arc::default(), Arc::default(), Arc::default());
        Self { store, intake, metrics, overview, page, readiness }
    }
}
