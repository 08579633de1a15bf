//! Stores for the tests of the rest: a SQLite file, and one that does what it is told.

use std::sync::Mutex;

use chrono::DateTime;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::*;

/// A body as it is read.
pub fn entry(body: &str) -> Arc<Entry> {
    Arc::new(Entry::read(body.to_owned().into(), DateTime::UNIX_EPOCH))
}

/// A SQLite file with tables in that directory.
pub async fn open_in(directory: &TempDir, max_pages: Option<u32>) -> Arc<dyn Store> {
    let url = format!("sqlite:{}", directory.path().join("routee.db").display());
    let store = open(&url, max_pages).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// Refuses the messages whose id is `data`, `locked` or `gone`, each for that cause, and remembers the rest.
pub struct Choosy {
    pub pace: Pace,
    /// Each batch takes one away.
    pub permits: Semaphore,
    pub takes_canaries: bool,
    pub takes_aside: bool,
    pub kept: Mutex<Vec<String>>,
    pub sizes: Mutex<Vec<usize>>,
}

impl Choosy {
    pub fn new() -> Self {
        Self {
            pace: Pace::default(),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
            takes_canaries: true,
            takes_aside: true,
            kept: Mutex::new(vec![]),
            sizes: Mutex::new(vec![]),
        }
    }
}

#[async_trait]
impl Store for Choosy {
    fn pace(&self) -> Pace {
        self.pace
    }

    async fn keep(&self, entries: &[Arc<Entry>]) -> Result<Kept, Failure> {
        self.permits.acquire().await.unwrap().forget();
        self.sizes.lock().unwrap().push(entries.len());
        for entry in entries {
            let cause = match entry.to_string().as_str() {
                r#"status "data" "SEEN""# => Cause::Data,
                r#"status "locked" "SEEN""# => Cause::Locked,
                r#"status "gone" "SEEN""# => Cause::Unavailable,
                _ if matches!(entry.content, Content::Unreadable(_)) && !self.takes_aside => Cause::Data,
                _ => continue,
            };
            return Err(Failure { cause, message: format!("refused: {cause:?}") });
        }
        self.kept.lock().unwrap().extend(entries.iter().map(ToString::to_string));
        Ok(Kept::default())
    }

    async fn check(&self) -> Result<(), Failure> {
        if self.takes_canaries { Ok(()) } else { Err(Failure::unavailable("a column has changed")) }
    }

    async fn query(&self, _: &str, _: Vec<Value>) -> Result<Vec<Row>, Failure> {
        unimplemented!()
    }

    async fn execute(&self, _: Vec<(&str, Vec<Value>)>) -> Result<u64, Failure> {
        unimplemented!()
    }

    async fn migrate(&self) -> Result<(), Failure> {
        unimplemented!()
    }

    async fn ended(&self) {}

    async fn close(&self) {}
}
