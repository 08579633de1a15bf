//! A database that is tried again: somebody else may be writing just now, or PostgreSQL be on its way back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable as _};
use tokio_util::sync::CancellationToken;

use crate::entry::Entry;
use crate::store::Store;
use crate::store::batch::RowCounts;
use crate::store::error::{Cause, StoreError};
use crate::store::value::{Row, Statement, Value};

/// A callback has its two seconds; who asks has more time. Until it is stopped, that is.
pub struct Patient {
    pub store: Arc<dyn Store>,
    pub stop: CancellationToken,
}

impl Patient {
    /// For about half a minute.
    async fn again<T, F>(&self, work: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(5))
            .with_max_times(10);
        let is_for_now = |failure: &StoreError| failure.cause == Cause::Unavailable && !self.stop.is_cancelled();
        work.retry(waits).when(is_for_now).await
    }
}

#[async_trait]
impl Store for Patient {
    async fn commit(&self, entries: &[Arc<Entry>]) -> Result<RowCounts, StoreError> {
        self.again(|| self.store.commit(entries)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.store.check().await
    }

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.again(|| self.store.query(sql, parameters.clone())).await
    }

    async fn execute(&self, statements: Vec<Statement<'_>>) -> Result<u64, StoreError> {
        self.again(|| self.store.execute(statements.clone())).await
    }

    async fn has_tables(&self) -> Result<bool, StoreError> {
        self.store.has_tables().await
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        self.store.migrate().await
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

    /// Fails so often, for that cause.
    struct Failing(Mutex<u32>, Cause);

    impl Failing {
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
    impl Store for Failing {
        async fn commit(&self, _: &[Arc<Entry>]) -> Result<RowCounts, StoreError> {
            self.fail(RowCounts::default())
        }

        async fn check(&self) -> Result<(), StoreError> {
            unimplemented!()
        }

        async fn query(&self, _: &str, _: Vec<Value>) -> Result<Vec<Row>, StoreError> {
            self.fail(vec![])
        }

        async fn execute(&self, _: Vec<Statement<'_>>) -> Result<u64, StoreError> {
            self.fail(1)
        }

        async fn has_tables(&self) -> Result<bool, StoreError> {
            unimplemented!()
        }

        async fn migrate(&self) -> Result<(), StoreError> {
            unimplemented!()
        }

        async fn ended(&self) {}

        async fn close(&self) {}
    }

    fn patient(failures: u32, cause: Cause) -> Patient {
        Patient { store: Arc::new(Failing(Mutex::new(failures), cause)), stop: CancellationToken::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_is_waited_for() {
        let begin = Instant::now();
        assert_eq!(patient(10, Cause::Unavailable).execute(vec![]).await, Ok(1));
        assert_eq!(begin.elapsed().as_secs(), 26);
        assert!(patient(10, Cause::Unavailable).query("", vec![]).await.is_ok());
        assert!(patient(10, Cause::Unavailable).commit(&[]).await.is_ok());
        assert_eq!(patient(11, Cause::Unavailable).execute(vec![]).await, Err(StoreError::unavailable("not now")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_fail_again_is_not_waited_for() {
        for cause in [Cause::Data, Cause::Locked] {
            let failure = StoreError { cause, message: "not now".to_owned() };
            assert_eq!(patient(1, cause).execute(vec![]).await, Err(failure));
        }
        let stopped = patient(1, Cause::Unavailable);
        stopped.stop.cancel();
        assert_eq!(stopped.execute(vec![]).await, Err(StoreError::unavailable("not now")));
    }
}
