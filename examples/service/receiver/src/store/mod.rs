//! The database behind one small trait: SQLite or PostgreSQL.
//!
//! The two differ in how they write, and in the tables of what was delivered. Of these, each has its own [`Queries`]; for
//! everything else, callers bring SQL that both understand.

pub mod batch;
pub mod error;
#[cfg(test)]
pub mod fake;
mod migration;
pub mod open;
mod pool;
mod postgres;
pub mod retrying;
mod sqlite;
#[cfg(test)]
mod tests;
pub mod value;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::entry::Entry;
use crate::store::batch::RowCounts;
use crate::store::error::StoreError;
use crate::store::value::{Row, Statement, Value};

/// The version of the tables that this receiver works with.
pub const VERSION: i64 = 2;

/// The longest that a page may wait for the database.
pub const READ_WITHIN: Duration = Duration::from_secs(10);

#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// How to submit batches. As a rule, one is gathered while another is committed.
    fn batching(&self) -> Batching {
        Batching::default()
    }

    /// Commits all of them or none. When it returns `Ok`, the commit is known to have happened.
    async fn commit(&self, entries: &[Arc<Entry>]) -> Result<RowCounts, StoreError>;

    /// Writes one entry of each kind and rolls back; an error if the database does not take what it must always take.
    async fn check(&self) -> Result<(), StoreError>;

    /// What to read from the tables that the two databases do not have in common.
    fn queries(&self) -> &'static Queries;

    /// Reads rows. In `sql`, `$1` first stands before `$2`.
    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, StoreError>;

    /// Reads the one row that a query has.
    async fn query_one(&self, sql: &str, parameters: Vec<Value>) -> Result<Row, StoreError> {
        let row = self.query(sql, parameters).await?.into_iter().next();
        row.ok_or_else(|| StoreError::unavailable("a row that is always there is gone"))
    }

    /// Reads rows, however long that takes.
    async fn scan(&self, sql: &str) -> Result<Vec<Row>, StoreError>;

    /// Changes rows in a transaction of its own, and returns how many the last statement changed.
    async fn execute(&self, statements: Vec<Statement<'_>>) -> Result<u64, StoreError>;

    async fn has_tables(&self) -> Result<bool, StoreError>;

    /// The version of the tables; 0 if there are none.
    async fn version(&self) -> Result<i64, StoreError> {
        if !self.has_tables().await? {
            return Ok(0);
        }
        let version = self.query_one("SELECT max(version) FROM schema_version", vec![]).await?;
        Ok(version.get::<Option<_>>(0)?.unwrap_or_default())
    }

    /// Makes the tables, or brings them to [`VERSION`].
    async fn migrate(&self) -> Result<(), StoreError>;

    /// Counts what has changed, so that the tallies say what became of every message. They are a little behind otherwise.
    async fn settle(&self) -> Result<(), StoreError>;

    /// How long the log is that a reader can keep from beginning anew; 0 if there is none.
    fn log_bytes(&self) -> u64 {
        0
    }

    /// Returns if the writer ends without being closed.
    async fn ended(&self);

    /// Ends all connections; returns when the database is closed.
    async fn close(&self);
}

/// What is read of deliveries, each in the SQL of one database.
pub struct Queries {
    /// The deliveries of a message, the oldest first, at most so many: when each was received, its kind, its anomalies if
    /// it has any, its body, and whether it is a variant.
    pub history: fn(&str, i64) -> Statement<'static>,
    /// The changes after `$1`, at most `$2`: the number of each, whether of a `message`, `flow` or `reply`, when it was
    /// received, and its body; the last two are NULL if nothing else is left of it.
    pub changes: &'static str,
    /// The latest 20 messages that have changed: when, its id, and the name of its status.
    pub latest_messages: &'static str,
    /// The latest 20 deliveries with anomalies: when, its id, and the anomalies.
    pub latest_anomalies: &'static str,
    /// The last of the oldest changes after `$1`, of which `$2` are looked at, that was received before `$3`; NULL if none
    /// was. One of which nothing else is left has no age, and goes with those after it.
    pub last_old_change: &'static str,
    /// Sets the number of the last change that is purged to `$1`.
    pub set_purged: &'static str,
    /// The tables of deliveries from which a purge removes each row by its age: the key, and what comes before all keys.
    pub purgeable: &'static [(&'static str, &'static str, Value)],
    /// What always holds, and a scan for what is otherwise, in a row with one text for each.
    pub invariants: &'static [(&'static str, &'static str)],
}

/// How many batches a store takes at once, and how full they should be.
#[derive(Debug, Clone, Copy)]
pub struct Batching {
    /// How many batches may be under way.
    pub max_in_flight: u32,
    /// How long the first callback of a batch waits for others.
    pub linger: Duration,
}

impl Default for Batching {
    fn default() -> Self {
        Self { max_in_flight: 2, linger: Duration::ZERO }
    }
}
