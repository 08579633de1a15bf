//! What reconciling has done so far, for the page and for Prometheus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::time;
use tracing::warn;

use crate::metrics::{Counts, Metrics};
use crate::reconcile::subject::Subject;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::{Statement, Value};

/// How often overdue messages and flows are counted at most.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// After a count, this many times as long as it took is waited, so that counting takes a twentieth of the time.
const SHARE: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconciliation {
    /// How many messages have changed their status because Routee was asked.
    pub recovered: i64,
    /// The same of flows.
    pub recovered_flows: i64,
    /// When a process last asked.
    pub ran_at: Option<i64>,
}

impl Reconciliation {
    pub async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let row = store.query_one("SELECT recovered, recovered_flows, ran_at FROM reconciliation", vec![]).await?;
        Ok(Self { recovered: row.get(0)?, recovered_flows: row.get(1)?, ran_at: row.get(2)? })
    }

    /// The statement that counts more recovered messages and flows.
    pub fn add_recovered(messages_and_flows: [u64; 2]) -> Statement<'static> {
        let more = messages_and_flows.map(|more| Value::from(i64::try_from(more).unwrap_or(i64::MAX)));
        ("UPDATE reconciliation SET recovered = recovered + $1, recovered_flows = recovered_flows + $2", more.into())
    }
}

/// How many of them are overdue now.
pub async fn overdue(store: &dyn Store, subject: Subject) -> Result<i64, StoreError> {
    let now = Utc::now().timestamp_millis();
    let count = format!("SELECT count(*) FROM {} WHERE overdue_at <= $1", subject.table());
    Ok(store.query_one(&count, vec![now.into()]).await?.get(0)?)
}

/// Counts again and again and sets the metrics, since another process may be the one that asks Routee.
pub async fn watch(store: Arc<dyn Store>, metrics: Arc<Metrics>) {
    loop {
        let begin = Instant::now();
        match counts(&*store).await {
            Ok(counts) => metrics.counted(counts),
            Err(error) => {
                warn!("cannot count what is overdue: {error}");
                metrics.count_failed();
            }
        }
        time::sleep(COUNT_EVERY.max(begin.elapsed() * SHARE)).await;
    }
}

async fn counts(store: &dyn Store) -> Result<Counts, StoreError> {
    let Reconciliation { recovered, recovered_flows, ran_at } = Reconciliation::read(store).await?;
    Ok(Counts {
        overdue: overdue(store, Subject::Message).await?,
        recovered,
        flows_overdue: overdue(store, Subject::Flow).await?,
        flows_recovered: recovered_flows,
        reconciled_at: ran_at,
    })
}
