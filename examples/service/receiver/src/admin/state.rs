//! What the handlers of the admin address share.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::response::Html;

use crate::admin::overview::Overview;
use crate::cached::Cached;
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::store::Store;
use crate::store::error::StoreError;

#[derive(Clone)]
pub struct Admin {
    pub store: Arc<dyn Store>,
    pub intake: Intake,
    pub metrics: Arc<Metrics>,
    pub overview: Arc<Cached<Arc<Overview>>>,
    /// The page of the overview.
    pub page: Arc<Cached<Html<Bytes>>>,
    pub readiness: Arc<Readiness>,
    settled: Arc<Cached<Result<(), StoreError>>>,
}

/// How far the counters may be behind.
const SETTLED_FOR: Duration = Duration::from_secs(1);

impl Admin {
    pub fn new(store: Arc<dyn Store>, intake: Intake, metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> Self {
        let (overview, page, settled) = Default::default();
        Self { store, intake, metrics, overview, page, readiness, settled }
    }

    /// Counts what has changed, once a second at most, however many ask.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.settled.get(async || (self.store.settle().await, SETTLED_FOR)).await
    }
}
