//! The database behind one small trait: SQLite or PostgreSQL.
//!
//! The two differ in how they write, and in the tables of what was delivered. Of these, each has its own [`Queries`]; for
//! everything else, callers bring SQL that both understand.

pub mod batch;
pub mod error;
#[cfg(test)]
pub mod fake;
pub mod invariants;
mod migration;
pub mod open;
mod pool;
mod postgres;
pub mod purgeable;
pub mod retrying;
mod sqlite;
#[cfg(test)]
mod tests;
pub mod value;

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use async_trait::async_trait;

use crate::entry::Entry;
use crate::store::batch::RowCounts;
use crate::store::error::StoreError;
use crate::store::purgeable::Purgeable;
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

    /// Changes rows in a transaction of its own. If PostgreSQL crashes within a second after that, it may not have been.
    async fn execute_timed(&self, statements: Vec<Statement<'_>>) -> Result<Executed, StoreError>;

    /// Changes rows in a transaction of its own, and returns how many the last statement changed.
    async fn execute(&self, statements: Vec<Statement<'_>>) -> Result<u64, StoreError> {
        Ok(self.execute_timed(statements).await?.rows.last().copied().unwrap_or_default())
    }

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

    /// How many pages of SQLite's file are free; an error says how else to give space back to the disk.
    async fn free_pages(&self) -> anyhow::Result<i64> {
        bail!(
            "--vacuum is for SQLite; PostgreSQL uses the space again by itself (autovacuum), and VACUUM FULL or pg_repack \
             gives it back to the disk"
        )
    }

    /// Gives at most so many free pages back to the disk; says how many.
    async fn shrink(&self, _pages: i64) -> Result<Executed, StoreError> {
        Err(StoreError::unavailable("only SQLite's file has pages"))
    }

    /// How long the WAL is that a reader can keep from beginning anew; 0 if there is none.
    fn wal_bytes(&self) -> u64 {
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
    /// What a message is now: its rank, the name of its status, its reason, when it last changed, and when it is overdue.
    pub message: &'static str,
    /// The latest 20 messages that have changed: when, its id, and the name of its status.
    pub latest_messages: &'static str,
    /// The latest 20 deliveries with anomalies: when, its id, and the anomalies.
    pub latest_anomalies: &'static str,
    /// The changes after `$1` that are counted, at most `$2`: the number of each, when it was received, and how many bytes its
    /// body has; the last two are NULL if nothing else is left of it. What is not counted looks old to a clock that is
    /// ahead, and would be lost to the tallies.
    pub oldest_changes: &'static str,
    /// The tables from which a purge removes each row by its age.
    pub purgeable: &'static [Purgeable],
    /// Messages and flows, which it removes only if they are to be forgotten, by when they last changed. Their tallies stay.
    pub forgettable: &'static [Purgeable],
    /// What always holds, and a scan for what is otherwise, in a row with one text for each.
    pub invariants: &'static [(&'static str, &'static str)],
}

/// What a transaction has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// How many rows each statement changed.
    pub rows: Vec<u64>,
    /// How long it was under way, but for the wait for whoever else writes to a SQLite file.
    pub took: Duration,
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
