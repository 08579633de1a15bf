//! How it stands, for the page and for Prometheus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::time;
use tracing::debug;

use crate::metrics::Metrics;
use crate::store::{Failure, Store};

/// How often it is counted, and how many times as long as it takes is waited at the least.
const COUNT_EVERY: Duration = Duration::from_secs(15);
const SHARE: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconciliation {
    /// Messages that are overdue now.
    pub overdue: i64,
    /// Messages that were moved because Routee was asked.
    pub recovered: i64,
    /// When somebody last asked.
    pub ran_at: Option<i64>,
}

impl Reconciliation {
    pub async fn read(store: &dyn Store) -> Result<Self, Failure> {
        let now = Utc::now().timestamp_millis();
        let sql = "SELECT (SELECT count(*) FROM message WHERE overdue_at <= $1), recovered, ran_at FROM reconciliation";
        let rows = store.query(sql, vec![now.into()]).await?;
        let row = rows.first().ok_or_else(|| Failure::unavailable("the row of `reconciliation` is gone"))?;
        Ok(Self { overdue: row.integer(0), recovered: row.integer(1), ran_at: row.integer_or_null(2) })
    }
}

/// Tells Prometheus again and again. Whoever asks may be another process.
pub async fn watch(store: Arc<dyn Store>, metrics: Arc<Metrics>) {
    loop {
        let begin = Instant::now();
        match Reconciliation::read(&*store).await {
            Ok(state) => metrics.reconciliation(&state),
            Err(failure) => debug!("cannot count what is overdue: {failure}"),
        }
        time::sleep(COUNT_EVERY.max(begin.elapsed() * SHARE)).await;
    }
}
