//! Whether a load balancer should send callbacks here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::cached::Cached;
use crate::store::Store;
use crate::store::error::StoreError;

/// How long an answer counts, and how long the check may take.
const READY_FOR: Duration = Duration::from_secs(1);
const READY_WITHIN: Duration = Duration::from_secs(2);

pub struct Readiness {
    store: Arc<dyn Store>,
    checked: Cached<Result<(), StoreError>>,
    /// Cancelled once the process was told to end.
    stopping: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    #[error("stopping")]
    Stopping,
    #[error("cannot write to the database: {0}")]
    Database(#[from] StoreError),
}

impl Readiness {
    pub fn new(store: Arc<dyn Store>, stopping: CancellationToken) -> Arc<Self> {
        Arc::new(Self { store, checked: Cached::default(), stopping })
    }

    /// Whether a callback could be committed, and will be taken. However many ask, the database is tried at most once
    /// a second.
    ///
    /// # Errors
    ///
    /// If it could not, or the process ends soon.
    pub async fn check(&self) -> Result<(), NotReady> {
        if self.stopping.is_cancelled() {
            return Err(NotReady::Stopping);
        }
        let check = async || {
            let checked = time::timeout(READY_WITHIN, self.store.check()).await;
            (checked.unwrap_or_else(|_| Err(StoreError::unavailable("that takes too long"))), READY_FOR)
        };
        Ok(self.checked.get(check).await?)
    }
}
