//! Stores for the tests of other modules: a SQLite file, and a fake that fails on request.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::DateTime;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::entry::{Content, Entry};
use crate::store::batch::RowCounts;
use crate::store::error::{Cause, StoreError};
use crate::store::open::open_current;
use crate::store::value::{Row, Statement, Value};
use crate::store::{Batching, Executed, Queries, Store};

/// A body as it is read.
pub fn entry(body: &str) -> Arc<Entry> {
    Arc::new(Entry::read(body.to_owned().into(), DateTime::UNIX_EPOCH))
}

/// The URL of a SQLite file in that directory.
pub fn url_in(directory: &TempDir) -> String {
    format!("sqlite:{}", directory.path().join("routee.db").display())
}

/// A SQLite file with tables in that directory.
pub async fn open_in(directory: &TempDir) -> Arc<dyn Store> {
    open_current(&url_in(directory), None, true).await.unwrap()
}

/// Refuses the messages whose id is `data`, `locked` or `gone`, each for that cause, and remembers the rest.
pub struct FakeStore {
    pub batching: Batching,
    /// Each batch takes one away.
    pub permits: Semaphore,
    pub takes_canaries: bool,
    pub takes_unreadable: bool,
    pub committed: Mutex<Vec<String>>,
    pub sizes: Mutex<Vec<usize>>,
}

impl FakeStore {
    pub fn new() -> Self {
        Self {
            batching: Batching::default(),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
            takes_canaries: true,
            takes_unreadable: true,
            committed: Mutex::default(),
            sizes: Mutex::default(),
        }
    }
}

#[async_trait]
impl Store for FakeStore {
    fn batching(&self) -> Batching {
        self.batching
    }

    async fn commit(&self, entries: &[Arc<Entry>]) -> Result<RowCounts, StoreError> {
        self.permits.acquire().await.unwrap().forget();
        self.sizes.lock().unwrap().push(entries.len());
        for entry in entries {
            let cause = match entry.to_string().as_str() {
                r#"status "data" "SEEN""# => Cause::Data,
                r#"status "locked" "SEEN""# => Cause::Locked,
                r#"status "gone" "SEEN""# => Cause::Unavailable,
                _ if matches!(entry.content, Content::Unreadable(_)) && !self.takes_unreadable => Cause::Data,
                _ => continue,
            };
            return Err(StoreError { cause, message: format!("refused: {cause:?}") });
        }
        self.committed.lock().unwrap().extend(entries.iter().map(ToString::to_string));
        Ok(RowCounts::default())
    }

    async fn check(&self) -> Result<(), StoreError> {
        if self.takes_canaries { Ok(()) } else { Err(StoreError::unavailable("a column has changed")) }
    }

    fn queries(&self) -> &'static Queries {
        unimplemented!()
    }

    async fn query(&self, _: &str, _: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        unimplemented!()
    }

    async fn scan(&self, _: &str) -> Result<Vec<Row>, StoreError> {
        unimplemented!()
    }

    async fn execute_timed(&self, _: Vec<Statement<'_>>) -> Result<Executed, StoreError> {
        unimplemented!()
    }

    async fn has_tables(&self) -> Result<bool, StoreError> {
        unimplemented!()
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        unimplemented!()
    }

    async fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ended(&self) {}

    async fn close(&self) {}
}
