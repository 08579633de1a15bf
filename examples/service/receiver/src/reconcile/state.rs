//! How reconciling stands, for the page and for Prometheus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::time;
use tracing::debug;

use crate::metrics::Metrics;
use crate::store::Store;
use crate::store::error::StoreError;

/// How often it is counted, and how many times as long as it takes is waited at the least.
const COUNT_EVERY: Duration = Duration::from_secs(15);
const SHARE: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconciliation {
    /// Messages that were moved because Routee was asked.
    pub recovered: i64,
    /// When somebody last asked.
    pub ran_at: Option<i64>,
}

impl Reconciliation {
    pub async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let row = store.query_one("SELECT recovered, ran_at FROM reconciliation", vec![]).await?;
        Ok(Self { recovered: row.get(0)?, ran_at: row.get(1)? })
    }
}

/// How many messages are overdue now.
async fn overdue(store: &dyn Store) -> Result<i64, StoreError> {
    let now = Utc::now().timestamp_millis();
    let count = store.query_one("SELECT count(*) FROM message WHERE overdue_at <= $1", vec![now.into()]).await?;
    Ok(count.get(0)?)
}

/// Tells Prometheus again and again. Whoever asks may be another process.
pub async fn watch(store: Arc<dyn Store>, metrics: Arc<Metrics>) {
    loop {
        let begin = Instant::now();
        let counted = async { Ok((overdue(&*store).await?, Reconciliation::read(&*store).await?)) };
        match counted.await {
            Ok((overdue, state)) => metrics.reconciliation(overdue, state.recovered, state.ran_at),
            Err::<_, StoreError>(failure) => debug!("cannot count what is overdue: {failure}"),
        }
        time::sleep(COUNT_EVERY.max(begin.elapsed() * SHARE)).await;
    }
}
