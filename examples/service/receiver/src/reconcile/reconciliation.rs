//! What reconciling has done so far, for the page and for Prometheus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::time;
use tracing::debug;

use crate::metrics::Metrics;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::Statement;

/// How often overdue messages are counted at most.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// After a count, this many times as long as it took is waited, so that counting takes a twentieth of the time.
const SHARE: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconciliation {
    /// How many messages have changed their status because Routee was asked.
    pub recovered: i64,
    /// When a process last asked.
    pub ran_at: Option<i64>,
}

impl Reconciliation {
    pub async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let row = store.query_one("SELECT recovered, ran_at FROM reconciliation", vec![]).await?;
        Ok(Self { recovered: row.get(0)?, ran_at: row.get(1)? })
    }

    /// The statement that counts more recovered messages.
    pub fn add_recovered(more: u64) -> Statement<'static> {
        let more = i64::try_from(more).unwrap_or(i64::MAX);
        ("UPDATE reconciliation SET recovered = recovered + $1", vec![more.into()])
    }
}

/// How many messages are overdue now.
async fn overdue(store: &dyn Store) -> Result<i64, StoreError> {
    let now = Utc::now().timestamp_millis();
    let count = store.query_one("SELECT count(*) FROM message WHERE overdue_at <= $1", vec![now.into()]).await?;
    Ok(count.get(0)?)
}

/// Counts again and again and sets the metrics, since another process may be the one that asks Routee.
pub async fn watch(store: Arc<dyn Store>, metrics: Arc<Metrics>) {
    loop {
        let begin = Instant::now();
        let counted = async { Ok((overdue(&*store).await?, Reconciliation::read(&*store).await?)) };
        match counted.await {
            Ok((overdue, state)) => metrics.reconciliation(overdue, state.recovered, state.ran_at),
            Err::<_, StoreError>(error) => debug!("cannot count what is overdue: {error}"),
        }
        time::sleep(COUNT_EVERY.max(begin.elapsed() * SHARE)).await;
    }
}
