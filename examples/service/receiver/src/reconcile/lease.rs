//! The lease on asking Routee: one process asks at a time, so that none asks for what another one does, and all of them
//! together keep to the limit of requests.

use std::process;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::time;
use tracing::warn;

use crate::store::Store;
use crate::store::error::StoreError;

/// How long a lease lasts if it is not renewed.
const LASTS_FOR: TimeDelta = TimeDelta::seconds(15);

const RENEW_EVERY: Duration = Duration::from_secs(5);

/// One process's claim to the lease, which it may hold or not.
#[derive(Clone)]
pub struct Lease {
    store: Arc<dyn Store>,
    /// Tells this process from others that share the database.
    owner: String,
}

impl Lease {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let owner = format!("{} {}", process::id(), Utc::now().timestamp_nanos_opt().unwrap_or_default());
        Self { store, owner }
    }

    #[cfg(test)]
    pub fn of(store: Arc<dyn Store>, owner: &str) -> Self {
        Self { store, owner: owner.to_owned() }
    }

    /// Acquires the lease, or renews it if this process holds it; false if another process holds it.
    pub async fn acquire(&self, now: i64) -> Result<bool, StoreError> {
        let acquire = "UPDATE reconciliation SET owner = $1, until = $2 WHERE owner = $1 OR until < $3";
        let until = now + LASTS_FOR.num_milliseconds();
        let parameters = vec![self.owner.as_str().into(), until.into(), now.into()];
        Ok(self.store.execute(vec![(acquire, parameters)]).await? == 1)
    }

    /// Renews the lease again and again; returns if another process has acquired it.
    pub async fn renew_until_lost(&self) {
        loop {
            time::sleep(RENEW_EVERY).await;
            match self.acquire(Utc::now().timestamp_millis()).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => warn!("cannot renew the lease on asking Routee: {error}"),
            }
        }
    }

    /// Lets another process acquire the lease; nothing if this one does not hold it.
    pub async fn release(&self, now: i64) -> Result<(), StoreError> {
        let release = "UPDATE reconciliation SET until = 0, ran_at = $1 WHERE owner = $2";
        self.store.execute(vec![(release, vec![now.into(), self.owner.as_str().into()])]).await.map(drop)
    }
}
