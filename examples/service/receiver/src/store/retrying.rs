//! A store that tries again what fails: another process may be writing just now, or PostgreSQL may be starting again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable as _};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::entry::Entry;
use crate::store::batch::RowCounts;
use crate::store::error::{Cause, StoreError};
use crate::store::value::{Row, Statement, Value};
use crate::store::{Executed, Queries, Store};

/// Tries again for about half a minute, until it is stopped. A callback must be answered in two seconds, but an answer
/// of Routee's can wait, and so can a purge.
pub struct RetryingStore {
    pub store: Arc<dyn Store>,
    pub stop: CancellationToken,
}

/// What may pass. Rows that are locked are not waited for in a commit, which is tried without them.
const BUSY: [Cause; 2] = [Cause::Unavailable, Cause::Locked];

impl RetryingStore {
    async fn retry<T, F>(&self, causes: &[Cause], work: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(5))
            .with_max_times(10);
        let may_pass = |error: &StoreError| causes.contains(&error.cause) && !self.stop.is_cancelled();
        work.retry(waits)
            .when(may_pass)
            .notify(|error, wait| debug!("the database is asked again in {} ms: {error}", wait.as_millis()))
            .await
    }
}

#[async_trait]
impl Store for RetryingStore {
    async fn commit(&self, entries: &[Arc<Entry>]) -> Result<RowCounts, StoreError> {
        self.retry(&[Cause::Unavailable], || self.store.commit(entries)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.store.check().await
    }

    fn queries(&self) -> &'static Queries {
        self.store.queries()
    }

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.retry(&BUSY, || self.store.query(sql, parameters.clone())).await
    }

    async fn scan(&self, sql: &str) -> Result<Vec<Row>, StoreError> {
        self.store.scan(sql).await
    }

    async fn execute_timed(&self, statements: Vec<Statement<'_>>) -> Result<Executed, StoreError> {
        self.retry(&BUSY, || self.store.execute_timed(statements.clone())).await
    }

    async fn has_tables(&self) -> Result<bool, StoreError> {
        self.store.has_tables().await
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        self.store.migrate().await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.retry(&BUSY, || self.store.settle()).await
    }

    async fn free_pages(&self) -> anyhow::Result<i64> {
        self.store.free_pages().await
    }

    async fn shrink(&self, pages: i64) -> Result<Executed, StoreError> {
        self.retry(&BUSY, || self.store.shrink(pages)).await
    }

    async fn ended(&self) {
        self.store.ended().await;
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;

    /// Fails as often as the number says, for that cause.
    struct FailingStore(Mutex<u32>, Cause);

    impl FailingStore {
        fn fail<T>(&self, otherwise: T) -> Result<T, StoreError> {
            let mut left = self.0.lock().unwrap();
            if *left == 0 {
                return Ok(otherwise);
            }
            *left -= 1;
            Err(StoreError { cause: self.1, message: "not now".to_owned() })
        }
    }

    #[async_trait]
    impl Store for FailingStore {
        async fn commit(&self, _: &[Arc<Entry>]) -> Result<RowCounts, StoreError> {
            self.fail(RowCounts::default())
        }

        async fn check(&self) -> Result<(), StoreError> {
            unimplemented!()
        }

        fn queries(&self) -> &'static Queries {
            unimplemented!()
        }

        async fn query(&self, _: &str, _: Vec<Value>) -> Result<Vec<Row>, StoreError> {
            self.fail(vec![])
        }

        async fn scan(&self, _: &str) -> Result<Vec<Row>, StoreError> {
            unimplemented!()
        }

        async fn execute_timed(&self, _: Vec<Statement<'_>>) -> Result<Executed, StoreError> {
            self.fail(Executed { rows: vec![1], took: Duration::ZERO })
        }

        async fn has_tables(&self) -> Result<bool, StoreError> {
            unimplemented!()
        }

        async fn migrate(&self) -> Result<(), StoreError> {
            unimplemented!()
        }

        async fn settle(&self) -> Result<(), StoreError> {
            self.fail(())
        }

        async fn ended(&self) {}

        async fn close(&self) {}
    }

    fn retrying(failures: u32, cause: Cause) -> RetryingStore {
        RetryingStore { store: Arc::new(FailingStore(Mutex::new(failures), cause)), stop: CancellationToken::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_tried_again_for_half_a_minute() {
        let begin = Instant::now();
        assert_eq!(retrying(10, Cause::Unavailable).execute(vec![]).await, Ok(1));
        assert_eq!(begin.elapsed().as_secs(), 26);
        assert!(retrying(10, Cause::Unavailable).query("", vec![]).await.is_ok());
        assert!(retrying(10, Cause::Unavailable).commit(&[]).await.is_ok());
        assert_eq!(retrying(11, Cause::Unavailable).execute(vec![]).await, Err(StoreError::unavailable("not now")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_fail_again_is_not_tried_again() {
        let error = |cause| StoreError { cause, message: "not now".to_owned() };
        assert_eq!(retrying(1, Cause::Data).execute(vec![]).await, Err(error(Cause::Data)));
        assert_eq!(retrying(1, Cause::Data).commit(&[]).await.unwrap_err(), error(Cause::Data));
        assert_eq!(retrying(1, Cause::Locked).commit(&[]).await.unwrap_err(), error(Cause::Locked));
        assert_eq!(retrying(1, Cause::Locked).execute(vec![]).await, Ok(1));
        assert_eq!(retrying(1, Cause::Locked).settle().await, Ok(()));
        let stopped = retrying(1, Cause::Unavailable);
        stopped.stop.cancel();
        assert_eq!(stopped.execute(vec![]).await, Err(StoreError::unavailable("not now")));
    }
}
