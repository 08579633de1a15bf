//! The database behind one small trait: SQLite or PostgreSQL.
//!
//! Writing is where the two differ. Reading is SQL that both take, and stands with who asks.

mod migration;
mod pool;
mod postgres;
mod sqlite;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
/// What stands in a column, and what a statement is given: rusqlite's, for PostgreSQL too.
pub use rusqlite::types::Value;

use crate::entry::{Content, Delivery, Entry, Flow, Kind, Message, Reply, State};

/// The version of the tables that this receiver works with.
pub const VERSION: i64 = 2;

/// The longest that a page may wait for the database.
const READ_WITHIN: Duration = Duration::from_secs(10);

#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// How to hand in batches. As a rule, one is made while another is committed.
    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// Commits all of them or none. When it returns `Ok`, the commit is known to have happened.
    async fn keep(&self, entries: &[Arc<Entry>]) -> Result<Kept, Failure>;

    /// Writes one entry of each kind and takes it back: whether the database takes what must always fit.
    async fn check(&self) -> Result<(), Failure>;

    /// Reads rows. In `sql`, `$1` first stands before `$2`.
    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, Failure>;

    /// Changes rows in a transaction of its own; how many the last statement changed.
    async fn execute(&self, statements: Vec<(&str, Vec<Value>)>) -> Result<u64, Failure>;

    /// Makes the tables, or brings them to [`VERSION`].
    async fn migrate(&self) -> Result<(), Failure>;

    /// Returns if the writer ends although nobody closed it.
    async fn ended(&self);

    /// Ends all connections; returns when the database is closed.
    async fn close(&self);
}

#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many batches may be under way.
    pub at_once: u32,
    /// How long the first callback of a batch waits for others.
    pub gather_for: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { at_once: 2, gather_for: Duration::ZERO }
    }
}

/// Opens the database that the URL names.
pub async fn open(url: &str, max_pages: Option<u32>) -> anyhow::Result<Arc<dyn Store>> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(Arc::new(postgres::Postgres::open(url).await?))
    } else if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        ensure!(!matches!(path, "" | ":memory:"), "the database URL must name a file, such as sqlite:routee.db");
        Ok(Arc::new(sqlite::Sqlite::open(path, max_pages)?))
    } else {
        anyhow::bail!("the database URL must begin with sqlite: or postgres:")
    }
}

/// Opens it with its tables, which are made if there are none and `may_migrate` says so.
pub async fn open_current(url: &str, max_pages: Option<u32>, may_migrate: bool) -> anyhow::Result<Arc<dyn Store>> {
    let store = open(url, max_pages).await.context("cannot open the database")?;
    if may_migrate {
        store.migrate().await.context("cannot make the tables")?;
    }
    let version = version(&*store).await?;
    let advice = if version > VERSION { "a newer receiver made them" } else { "run `receiver migrate`" };
    ensure!(version == VERSION, "the tables have version {version}, and this receiver works with {VERSION}: {advice}");
    Ok(store)
}

/// The version of the tables; 0 if there are none.
pub async fn version(store: &dyn Store) -> Result<i64, Failure> {
    let rows = store.query("SELECT max(version) FROM schema_version", vec![]).await;
    match rows {
        Ok(rows) => Ok(rows.first().map_or(0, |row| row.integer(0))),
        Err(failure) if failure.message.contains("schema_version") => Ok(0),
        Err(failure) => Err(failure),
    }
}

/// What became of the rows of a batch: how many are new, and how many moved the state of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept([Count; Kind::ALL.len()]);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub given: u64,
    pub added: u64,
    pub moved: u64,
}

impl Kept {
    pub fn of(&mut self, kind: Kind) -> &mut Count {
        &mut self.0[kind as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = (Kind, Count)> {
        Kind::ALL.into_iter().zip(self.0)
    }
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub cause: Cause,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The database refuses what a row says. Others may fit.
    Data,
    /// Somebody else has locked a row. Others may be free.
    Locked,
    /// The database works, but not now or not with these tables.
    Unavailable,
}

impl Failure {
    #[allow(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
    pub fn unavailable(message: impl ToString) -> Self {
        Self { cause: Cause::Unavailable, message: message.to_string() }
    }
}

/// What a query answers. Who asks knows the types; a NULL is 0 or empty.
#[derive(Debug, Clone)]
pub struct Row(Vec<Value>);

impl Row {
    pub fn integer(&self, column: usize) -> i64 {
        self.integer_or_null(column).unwrap_or_default()
    }

    pub fn integer_or_null(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Value::Integer(integer)) => Some(*integer),
            _ => None,
        }
    }

    pub fn text(&self, column: usize) -> &str {
        match self.0.get(column) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    pub fn bytes(&self, column: usize) -> &[u8] {
        match self.0.get(column) {
            Some(Value::Blob(bytes)) => bytes,
            _ => &[],
        }
    }
}

/// The rows of a batch, those of each table in one order, which is the order in which every receiver locks them.
/// Of several states of one message only the highest is left, since a statement can change a row once.
struct Batch<'a> {
    deliveries: Vec<(&'a Entry, &'a Delivery)>,
    messages: Vec<(&'a Entry, &'a Delivery, &'a Message)>,
    flows: Vec<(&'a Entry, &'a Delivery, &'a Flow)>,
    replies: Vec<(&'a Entry, &'a Delivery, &'a Reply)>,
    /// Digest, what it is, entry.
    others: Vec<(String, &'a str, &'a Entry)>,
    /// Digest, reason, entry.
    unreadable: Vec<(String, &'a str, &'a Entry)>,
}

impl<'a> Batch<'a> {
    fn of(entries: &'a [Arc<Entry>]) -> Self {
        let mut deliveries: Vec<_> = entries
            .iter()
            .flat_map(|entry| entry.deliveries().iter().map(move |delivery| (&**entry, delivery)))
            .collect();
        deliveries.sort_by(|(_, one), (_, other)| (&one.tracking_id, &one.key).cmp(&(&other.tracking_id, &other.key)));
        let (mut messages, mut flows, mut replies) = (Vec::new(), Vec::new(), Vec::new());
        for &(entry, delivery) in &deliveries {
            match &delivery.state {
                State::Message(message) => highest(&mut messages, (entry, delivery, message), |state| &state.rank),
                State::Flow(flow) => highest(&mut flows, (entry, delivery, flow), |state| &state.rank),
                State::Reply(reply) => replies.push((entry, delivery, reply)),
            }
        }
        replies.sort_by(|(_, one, _), (_, other, _)| one.key.cmp(&other.key));
        replies.dedup_by(|(_, one, _), (_, other, _)| one.key == other.key);
        let (mut others, mut unreadable) = (HashMap::new(), HashMap::new());
        for entry in entries {
            match &entry.content {
                Content::Deliveries(_) => {}
                Content::Other(what) => drop(others.insert(entry.digest(), (what.as_str(), &**entry))),
                Content::Unreadable(reason) => drop(unreadable.insert(entry.digest(), (reason.as_str(), &**entry))),
            }
        }
        Self { deliveries, messages, flows, replies, others: sorted(others), unreadable: sorted(unreadable) }
    }

    fn kept(&self) -> Kept {
        let mut kept = Kept::default();
        for (_, delivery) in &self.deliveries {
            kept.of(delivery.kind).given += 1;
        }
        kept.of(Kind::Other).given = self.others.len() as u64;
        kept.of(Kind::Unreadable).given = self.unreadable.len() as u64;
        kept
    }
}

/// Adds a state, or puts it in place of the last one if that is of the same id and lower.
fn highest<'a, S>(
    states: &mut Vec<(&'a Entry, &'a Delivery, &'a S)>,
    state: (&'a Entry, &'a Delivery, &'a S),
    rank: impl Fn(&S) -> &str,
) {
    match states.last_mut() {
        Some(last) if last.1.tracking_id == state.1.tracking_id => {
            if rank(state.2) > rank(last.2) {
                *last = state;
            }
        }
        _ => states.push(state),
    }
}

fn sorted<'a>(rows: HashMap<String, (&'a str, &'a Entry)>) -> Vec<(String, &'a str, &'a Entry)> {
    let mut rows: Vec<_> = rows.into_iter().map(|(digest, (what, entry))| (digest, what, entry)).collect();
    rows.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    rows
}

/// One entry of each kind, which every database with our tables takes. Nobody else uses their ids, or they might be
/// there already and prove nothing.
fn canaries() -> Vec<Arc<Entry>> {
    const STATUS: &str = r#"{"trackingId":"receiver canary","status":"SEEN"}"#;
    const FLOW: &str = r#"{"trackingId":"receiver canary","status":"Succeeded","messages":[
        {"type":"Viber","trackingId":"receiver canary","status":"SEEN"}]}"#;
    const REPLY: &str = r#"{"from":"1","message":"receiver canary","sentDate":"1970-01-01T00:00:00Z"}"#;
    const OTHER: &str = r#"{"receiver":"canary"}"#;
    [STATUS, FLOW, REPLY, OTHER, "receiver canary"]
        .map(|body| Arc::new(Entry::read(body.into(), chrono::DateTime::UNIX_EPOCH)))
        .into()
}
