//! A database that is tried again: somebody else may be writing just now, or PostgreSQL be on its way back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable as _};
use tokio_util::sync::CancellationToken;

use crate::entry::Entry;
use crate::store::{Cause, Failure, Kept, Row, Store, Value};

/// A callback has its two seconds; who asks has more time. Until it is stopped, that is.
pub struct Patient {
    pub store: Arc<dyn Store>,
    pub stop: CancellationToken,
}

impl Patient {
    /// For about half a minute.
    async fn again<T, F>(&self, work: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(5))
            .with_max_times(10);
        let is_for_now = |failure: &Failure| failure.cause == Cause::Unavailable && !self.stop.is_cancelled();
        work.retry(waits).when(is_for_now).await
    }
}

#[async_trait]
impl Store for Patient {
    async fn keep(&self, entries: &[Arc<Entry>]) -> Result<Kept, Failure> {
        self.again(|| self.store.keep(entries)).await
    }

    async fn check(&self) -> Result<(), Failure> {
        self.store.check().await
    }

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, Failure> {
        self.again(|| self.store.query(sql, parameters.clone())).await
    }

    async fn execute(&self, statements: Vec<(&str, Vec<Value>)>) -> Result<u64, Failure> {
        self.again(|| self.store.execute(statements.clone())).await
    }

    async fn migrate(&self) -> Result<(), Failure> {
        self.store.migrate().await
    }

    async fn ended(&self) {
        self.store.ended().await;
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
