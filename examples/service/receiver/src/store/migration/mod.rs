//! Brings tables of version 1 over, which a receiver with the library's 0.2 has filled.
//!
//! What differs is what the library makes of a body, its kind, its key and its rank, and the tables of each database. So
//! every body that is still there is read again, in the order of arrival, and kept as if it had just come. Of a body that
//! was purged, only the state is there; its rank is made anew from what its row says. The numbers in `change` stay, and
//! point to what their deliveries have become. What 0.3 reads in another way gets no number of its own.
//!
//! This is done in chunks, each in a transaction of its own that notes in the table `migration` how far it is. A process
//! that is killed leaves what it has committed, and whoever comes next goes on there; several that do it at once take turns.
//! The first chunk renames the old tables to `old_…` and makes those of now; the last removes what is left of the old ones.
//! In between, the version is one that no receiver works with.

mod bodies;
mod progress;
mod ranks;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::sync::Arc;

use tracing::info;

use crate::entry::Entry;
use crate::store::VERSION;
use crate::store::error::Cause;
use crate::store::value::{Row, Value, WrongType};

pub use crate::store::migration::progress::{Progress, Report};

/// The version that it brings over to [`VERSION`].
const FROM: i64 = 1;

/// The version until it has come to its end, which every older receiver takes for that of a newer one.
pub const UNDER_WAY: i64 = 1000 + VERSION;

/// How many bodies a chunk has. They may be large, and are all in memory.
pub const CHUNK: i64 = 500;

/// How many rows of other steps take no longer than a body.
const ROWS_PER_BODY: i64 = 10;

/// A transaction of either database, during which no other one can write. The SQL is understood by both databases, but for
/// these constants.
pub trait Transaction {
    type Error: Display + From<WrongType>;

    /// Renames the old tables of deliveries to `old_…`, makes those of now, and brings the others to what they are now.
    const SET_ASIDE: &'static [&'static str];

    /// One statement for each index or the like that the other steps need.
    const PREPARE: &'static [&'static str];

    /// Adds the old messages that `{ranked}`, rows of an id and a rank, has.
    const ADD_MESSAGES: &'static str;

    /// The same of flows.
    const ADD_FLOWS: &'static str;

    /// Adds the replies with a key from `$1` (which was added if `{after}` is `>`) to `$2` whose history was purged.
    const ADD_REPLIES: &'static str;

    /// Says which change was the last, and which the last that a purge has removed, as `old_change_counter` does.
    const COUNT: &'static str;

    async fn run(&self, statements: &str) -> Result<(), Self::Error>;

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, Self::Error>;

    async fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<(), Self::Error>;

    /// Writes them as [`Store::commit`](crate::store::Store::commit) does, within this transaction, but gives no change a
    /// new number. It may give some of them those that they had.
    async fn write(&self, entries: &[Arc<Entry>]) -> Result<(), Self::Error>;

    /// Gives those of the old changes after `after`, up to `last`, that have no delivery yet the one that they have become,
    /// which the table `renamed` says if it has another key now. Of some, nothing is left.
    async fn number(&self, after: i64, last: i64) -> Result<(), Self::Error>;

    /// Puts the next `chunk` messages, flows and replies with numbers after this one into the tallies: the number of the
    /// last, and how many they are; `None` if there are no more, and all else is counted.
    async fn count(&self, after: i64, chunk: i64) -> Result<Option<(i64, i64)>, Self::Error>;

    fn cause(error: &Self::Error) -> Cause;
}

/// What is done to all rows of some tables before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Prepare,
    Messages,
    Flows,
    Replies,
    Bodies,
    Numbers,
    Overdue,
    Tallies,
    Remove,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Prepare,
        Self::Messages,
        Self::Flows,
        Self::Replies,
        Self::Bodies,
        Self::Numbers,
        Self::Overdue,
        Self::Tallies,
        Self::Remove,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "indexes",
            Self::Messages => "purged messages",
            Self::Flows => "purged flows",
            Self::Replies => "replies",
            Self::Bodies => "bodies",
            Self::Numbers => "changes",
            Self::Overdue => "overdue messages",
            Self::Tallies => "tallies",
            Self::Remove => "removing the old tables",
        }
    }

    fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    /// How many rows it goes through.
    fn total<T: Transaction>(self) -> String {
        match self {
            Self::Prepare => format!("SELECT CAST({} AS BIGINT)", T::PREPARE.len()),
            Self::Messages | Self::Overdue => "SELECT count(*) FROM old_message".to_owned(),
            Self::Flows => "SELECT count(*) FROM old_flow".to_owned(),
            Self::Replies => "SELECT count(*) FROM old_reply".to_owned(),
            Self::Bodies => "SELECT (SELECT count(*) FROM old_history) + (SELECT count(*) FROM old_other)
                                 + (SELECT count(*) FROM old_unreadable)"
                .to_owned(),
            Self::Numbers => "SELECT count(*) FROM old_change".to_owned(),
            Self::Tallies => "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM flow)
                                  + (SELECT count(*) FROM reply)"
                .to_owned(),
            Self::Remove => format!("SELECT CAST({} AS BIGINT)", OLD.len()),
        }
    }
}

/// What is removed in the end, a table at a time.
const OLD: [&str; 8] = [
    "old_history",
    "old_message",
    "old_flow",
    "old_reply",
    "old_other",
    "old_unreadable",
    "old_change",
    "old_change_counter",
];

/// The last row that a step has done: whichever of these tell its rows apart.
#[derive(Debug, Clone)]
struct Place {
    /// A time of arrival, or the number of a change, an index or a table.
    number: i64,
    kind: String,
    key: String,
    /// How many rows come up to it.
    done: i64,
}

impl Place {
    fn beginning() -> Self {
        Self { number: i64::MIN, kind: String::new(), key: String::new(), done: 0 }
    }

    /// How rows that are still to be done compare with its key. The first one may have an empty one.
    const fn after(&self) -> &'static str {
        if self.done == 0 { ">=" } else { ">" }
    }
}

/// Does what comes next, and says how far that is; `None` if nothing is left to do.
pub async fn advance<T: Transaction>(on: &T, chunk: i64) -> Result<Option<Progress>, T::Error> {
    let version = on.query("SELECT max(version) FROM schema_version", vec![]).await?;
    match version.first().map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten() {
        Some(FROM) => {
            info!("the tables have version {FROM}: every body is read again");
            for statements in T::SET_ASIDE {
                on.run(statements).await?;
            }
            on.run(include_str!("begin.sql")).await?;
            on.execute("UPDATE schema_version SET version = $1", vec![UNDER_WAY.into()]).await?;
            enter(on, Step::Prepare).await.map(Some)
        }
        Some(UNDER_WAY) => go_on(on, chunk).await,
        _ => Ok(None),
    }
}

async fn enter<T: Transaction>(on: &T, step: Step) -> Result<Progress, T::Error> {
    let total = on.query(&step.total::<T>(), vec![]).await?;
    let total: i64 = total.first().map_or(Ok(0), |row| row.get(0))?;
    let Place { number, kind, key, done } = Place::beginning();
    on.run("DELETE FROM migration").await?;
    on.execute(
        "INSERT INTO migration (step, total, number, kind, key, done) VALUES ($1, $2, $3, $4, $5, $6)",
        vec![(step as u32).into(), total.into(), number.into(), kind.into(), key.into(), done.into()],
    )
    .await?;
    Ok(Progress { step, done, total })
}

async fn go_on<T: Transaction>(on: &T, chunk: i64) -> Result<Option<Progress>, T::Error> {
    let rows = on.query("SELECT step, total, number, kind, key, done FROM migration", vec![]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let step = usize::try_from(row.get::<i64>(0)?).ok().and_then(|step| Step::ALL.get(step));
    let Some(step) = step.copied() else { return Ok(None) };
    let total = row.get(1)?;
    let place = Place {
        number: row.get(2)?,
        kind: row.get::<&str>(3)?.to_owned(),
        key: row.get::<&str>(4)?.to_owned(),
        done: row.get(5)?,
    };
    let rows = chunk * ROWS_PER_BODY;
    let reached = match step {
        Step::Prepare => prepare(on, &place).await?,
        Step::Messages => ranks::messages(on, &place, rows).await?,
        Step::Flows => ranks::flows(on, &place, rows).await?,
        Step::Replies => replies(on, &place, rows).await?,
        Step::Bodies => bodies::read_again(on, &place, chunk).await?,
        Step::Numbers => numbers(on, &place, rows).await?,
        Step::Overdue => overdue(on, &place, rows).await?,
        Step::Tallies => tallies(on, &place, rows).await?,
        Step::Remove => remove(on, &place).await?,
    };
    let Some(Place { number, kind, key, done }) = reached else {
        return match step.next() {
            Some(next) => enter(on, next).await.map(Some),
            None => end(on).await.map(|()| None),
        };
    };
    on.execute(
        "UPDATE migration SET number = $1, kind = $2, key = $3, done = $4",
        vec![number.into(), kind.into(), key.into(), done.into()],
    )
    .await?;
    Ok(Some(Progress { step, done, total }))
}

async fn prepare<T: Transaction>(on: &T, place: &Place) -> Result<Option<Place>, T::Error> {
    let Some(statement) = usize::try_from(place.done).ok().and_then(|done| T::PREPARE.get(done)) else {
        return Ok(None);
    };
    on.run(statement).await?;
    Ok(Some(Place { done: place.done + 1, ..place.clone() }))
}

/// Where the next chunk of a table with this key ends; `None` if there is no more.
async fn chunk_of<T: Transaction>(
    on: &T,
    (table, key): (&str, &str),
    place: &Place,
    chunk: i64,
) -> Result<Option<Place>, T::Error> {
    let end = format!(
        "SELECT max({key}), count(*) FROM
             (SELECT {key} FROM {table} WHERE {key} {} $1 ORDER BY {key} LIMIT $2) AS next",
        place.after()
    );
    let rows = on.query(&end, vec![place.key.as_str().into(), chunk.into()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Some(key) = row.get::<Option<&str>>(0)? else { return Ok(None) };
    Ok(Some(Place { key: key.to_owned(), done: place.done + row.get::<i64>(1)?, ..place.clone() }))
}

/// Of a purge that was stopped, replies are left that Routee can no longer send again. They keep their keys.
async fn replies<T: Transaction>(on: &T, place: &Place, chunk: i64) -> Result<Option<Place>, T::Error> {
    let Some(end) = chunk_of(on, ("old_reply", "idempotency_key"), place, chunk).await? else { return Ok(None) };
    let add = T::ADD_REPLIES.replace("{after}", place.after());
    on.execute(&add, vec![place.key.as_str().into(), end.key.as_str().into()]).await?;
    Ok(Some(end))
}

async fn numbers<T: Transaction>(on: &T, place: &Place, chunk: i64) -> Result<Option<Place>, T::Error> {
    let end = "SELECT max(number), count(*) FROM
                   (SELECT number FROM old_change WHERE number > $1 ORDER BY number LIMIT $2) AS next";
    let rows = on.query(end, vec![place.number.into(), chunk.into()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Some(last) = row.get::<Option<i64>>(0)? else { return Ok(None) };
    on.number(place.number, last).await?;
    Ok(Some(Place { number: last, done: place.done + row.get::<i64>(1)?, ..place.clone() }))
}

/// Overdue no later than before: statuses of one message that are kept together leave no more than that of the last.
async fn overdue<T: Transaction>(on: &T, place: &Place, chunk: i64) -> Result<Option<Place>, T::Error> {
    let Some(end) = chunk_of(on, ("old_message", "tracking_id"), place, chunk).await? else { return Ok(None) };
    // Both tables are bounded, or PostgreSQL may read the whole of one for each chunk.
    let update = "UPDATE message SET overdue_at = old_message.overdue_at FROM old_message
                  WHERE old_message.tracking_id {after} $1 AND old_message.tracking_id <= $2
                    AND message.tracking_id {after} $1 AND message.tracking_id <= $2
                    AND message.tracking_id = old_message.tracking_id
                    AND old_message.overdue_at < message.overdue_at";
    let update = update.replace("{after}", place.after());
    on.execute(&update, vec![place.key.as_str().into(), end.key.as_str().into()]).await?;
    Ok(Some(end))
}

async fn tallies<T: Transaction>(on: &T, place: &Place, chunk: i64) -> Result<Option<Place>, T::Error> {
    let counted = on.count(place.number, chunk).await?;
    Ok(counted.map(|(number, rows)| Place { number, done: place.done + rows, ..place.clone() }))
}

async fn remove<T: Transaction>(on: &T, place: &Place) -> Result<Option<Place>, T::Error> {
    let Some(table) = usize::try_from(place.done).ok().and_then(|done| OLD.get(done)) else { return Ok(None) };
    if *table == "old_change_counter" {
        on.run(T::COUNT).await?;
    }
    on.run(&format!("DROP TABLE {table}")).await?;
    Ok(Some(Place { done: place.done + 1, ..place.clone() }))
}

async fn end<T: Transaction>(on: &T) -> Result<(), T::Error> {
    on.run("DROP TABLE renamed; DROP TABLE migration").await?;
    on.execute("UPDATE schema_version SET version = $1", vec![VERSION.into()]).await?;
    info!("the tables have version {VERSION}");
    Ok(())
}

/// The places of parameters in that many rows.
fn places(rows: usize, columns: usize) -> String {
    let row = |row| {
        let places: Vec<_> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
