//! What was asked, and when it may be asked again: in the database, so that whoever is stopped goes on where it was.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::{Statement, Value};

/// How many ids are looked up at once.
pub const CHUNK: u16 = 500;

/// How soon an id is asked for again; twice as late each time that Routee does not know the end.
const FIRST_PAUSE: Duration = Duration::from_hours(1);
const MOST_DOUBLINGS: u32 = 10;

/// How long an asking process may be silent before another one takes its place.
const SILENT_FOR: Duration = Duration::from_secs(15);

/// An id that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub tracking_id: String,
    /// How often in a row it was asked for and Routee did not know the end.
    pub times: i64,
}

/// What is known of an id since it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing more is to come of itself.
    Ended,
    Pending,
    Unknown,
    Unreadable,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What to ask for, in the order of the ids.
pub enum List<'a> {
    /// Messages that were overdue then.
    Overdue(i64),
    /// Ids that were asked for and of which there is no message yet, if their time had come then.
    Unknown(i64),
    /// Messages not seen yet that have changed since then, unless they were asked for since the run began.
    ChangedSince(i64, &'a Run),
}

impl List<'_> {
    /// The next ids that may be asked for.
    pub async fn after(&self, store: &dyn Store, id: &str, now: i64) -> Result<Vec<Due>, StoreError> {
        let (from, mut parameters) = self.from(id, now);
        parameters.push(i64::from(CHUNK).into());
        let id = if matches!(self, Self::Unknown(_)) { "asked.tracking_id" } else { "message.tracking_id" };
        let sql = format!("SELECT {id}, asked.times {from} ORDER BY {id} LIMIT ${}", parameters.len());
        due(store, &sql, parameters).await
    }

    /// How many there are.
    pub async fn count(&self, store: &dyn Store, now: i64) -> Result<u64, StoreError> {
        let (from, parameters) = self.from("", now);
        let count = store.query_one(&format!("SELECT count(*) {from}"), parameters).await?;
        Ok(count.get::<i64>(0)?.unsigned_abs())
    }

    /// Where they are found.
    fn from(&self, after: &str, now: i64) -> (&'static str, Vec<Value>) {
        let (from, numbers) = match self {
            Self::Overdue(at) => (
                "FROM message LEFT JOIN asked ON asked.tracking_id = message.tracking_id
                 WHERE message.tracking_id > $1 AND message.overdue_at <= $2 AND coalesce(asked.next_at, 0) <= $2",
                vec![*at],
            ),
            Self::Unknown(at) => (
                "FROM asked LEFT JOIN message ON message.tracking_id = asked.tracking_id
                 WHERE asked.tracking_id > $1 AND asked.next_at <= $2
                     AND asked.outcome IN ('unknown', 'unreadable') AND message.tracking_id IS NULL",
                vec![*at],
            ),
            Self::ChangedSince(at, run) => (
                "FROM message LEFT JOIN asked ON asked.tracking_id = message.tracking_id
                 WHERE message.tracking_id > $1 AND message.changed_at >= $2 AND message.status_name <> 'SEEN'
                     AND coalesce(asked.asked_at, -1) < $3 AND coalesce(asked.next_at, 0) <= $4",
                vec![*at, run.started_at, now],
            ),
        };
        let parameters = numbers.into_iter().map(Value::from);
        (from, [Value::from(after)].into_iter().chain(parameters).collect())
    }
}

/// Those of the ids that are not seen yet, unless they were asked for since the run began.
pub async fn of_these(store: &dyn Store, ids: &[String], run: &Run, now: i64) -> Result<Vec<Due>, StoreError> {
    let (values, mut parameters) = values(ids);
    let next = parameters.len() + 1;
    let sql = format!(
        "WITH wanted (tracking_id) AS (VALUES {values})
         SELECT DISTINCT wanted.tracking_id, asked.times
         FROM wanted LEFT JOIN asked ON asked.tracking_id = wanted.tracking_id
             LEFT JOIN message ON message.tracking_id = wanted.tracking_id
         WHERE coalesce(message.status_name, '') <> 'SEEN'
             AND coalesce(asked.asked_at, -1) < ${next} AND coalesce(asked.next_at, 0) <= ${}",
        next + 1
    );
    parameters.extend([run.started_at.into(), now.into()]);
    due(store, &sql, parameters).await
}

/// How often each of the ids was asked for in a row.
pub async fn times(store: &dyn Store, ids: &[String]) -> Result<HashMap<String, i64>, StoreError> {
    let mut times = HashMap::new();
    // A page may have more than it was asked for, and a statement takes only so many parameters.
    for ids in ids.chunks(CHUNK.into()) {
        let (values, parameters) = values(ids);
        let sql = format!("SELECT tracking_id, times FROM asked WHERE tracking_id IN (VALUES {values})");
        times.extend(due(store, &sql, parameters).await?.into_iter().map(|due| (due.tracking_id, due.times)));
    }
    Ok(times)
}

async fn due(store: &dyn Store, sql: &str, parameters: Vec<Value>) -> Result<Vec<Due>, StoreError> {
    let rows = store.query(sql, parameters).await?;
    rows.iter()
        .map(|row| {
            let times = row.get::<Option<_>>(1)?.unwrap_or_default();
            Ok(Due { tracking_id: row.get::<&str>(0)?.to_owned(), times })
        })
        .collect()
}

fn values(ids: &[String]) -> (String, Vec<Value>) {
    let places: Vec<_> = (1..=ids.len()).map(|place| format!("(${place})")).collect();
    (places.join(", "), ids.iter().cloned().map(Value::Text).collect())
}

/// That Routee has answered for an id.
pub fn answered(due: &Due, outcome: Outcome, run: Option<&str>, now: i64) -> Statement<'static> {
    let times = if outcome == Outcome::Ended { 0 } else { due.times + 1 };
    (
        "INSERT INTO asked (tracking_id, asked_at, times, next_at, outcome, run) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tracking_id) DO UPDATE SET asked_at = excluded.asked_at, times = excluded.times,
             next_at = excluded.next_at, outcome = excluded.outcome, run = excluded.run",
        vec![
            due.tracking_id.as_str().into(),
            now.into(),
            times.into(),
            (now + pause(times)).into(),
            outcome.as_str().into(),
            run.into(),
        ],
    )
}

/// For what was asked that many times in vain.
fn pause(times: i64) -> i64 {
    let doublings = u32::try_from(times - 1).unwrap_or_default().min(MOST_DOUBLINGS);
    millis(FIRST_PAUSE * 2_u32.pow(doublings))
}

/// A run over a file, a campaign or a time, which goes on if it was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub name: String,
    pub started_at: i64,
    /// Of a campaign: the page to read next, in which reading, and what of this reading has no id that can be read.
    pub page: u32,
    pub reading: u32,
    pub unreadable: u32,
}

impl Run {
    /// The unfinished run of this name, or a new one.
    pub async fn begin(store: &dyn Store, name: &str, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let begin = "INSERT INTO run (name, started_at, page, reading, unreadable) VALUES ($1, $2, 0, 0, 0)
                     ON CONFLICT (name) DO NOTHING";
        store.execute(vec![(begin, vec![name.into(), now.timestamp_millis().into()])]).await?;
        let read = "SELECT started_at, page, reading, unreadable FROM run WHERE name = $1";
        let row = store.query_one(read, vec![name.into()]).await?;
        Ok(Self {
            name: name.to_owned(),
            started_at: row.get(0)?,
            page: count(row.get(1)?),
            reading: count(row.get(2)?),
            unreadable: count(row.get(3)?),
        })
    }

    /// Where it is now.
    pub fn saved(&self) -> Statement<'static> {
        (
            "UPDATE run SET page = $1, reading = $2, unreadable = $3 WHERE name = $4",
            vec![self.page.into(), self.reading.into(), self.unreadable.into(), self.name.as_str().into()],
        )
    }

    pub async fn end(&self, store: &dyn Store) -> Result<(), StoreError> {
        store.execute(vec![("DELETE FROM run WHERE name = $1", vec![self.name.as_str().into()])]).await.map(drop)
    }

    /// How many messages it has found.
    pub async fn found(&self, store: &dyn Store) -> Result<u64, StoreError> {
        let count = "SELECT count(*) FROM asked WHERE run = $1 AND asked_at >= $2";
        let count = store.query_one(count, vec![self.name.as_str().into(), self.started_at.into()]).await?;
        Ok(count.get::<i64>(0)?.unsigned_abs())
    }
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

/// Takes or keeps the turn: one process asks at a time, so that none asks for what another one does, and all of them
/// together keep to the limit. Whether it is ours.
pub async fn take_turn(store: &dyn Store, owner: &str, now: i64) -> Result<bool, StoreError> {
    let take = "UPDATE reconciliation SET owner = $1, until = $2 WHERE owner = $1 OR until < $3";
    let parameters = vec![owner.into(), (now + millis(SILENT_FOR)).into(), now.into()];
    Ok(store.execute(vec![(take, parameters)]).await? == 1)
}

pub async fn end_turn(store: &dyn Store, owner: &str, now: i64) -> Result<(), StoreError> {
    let end = "UPDATE reconciliation SET until = 0, ran_at = $1 WHERE owner = $2";
    store.execute(vec![(end, vec![now.into(), owner.into()])]).await.map(drop)
}

pub fn recovered(more: u64) -> Statement<'static> {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    ("UPDATE reconciliation SET recovered = recovered + $1", vec![more.into()])
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
