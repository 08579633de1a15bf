//! Removes what is old: `receiver purge --older-than 30d`.
//!
//! What goes is history with its bodies, replies, other and unreadable bodies, and the changes that point to them. What
//! stays is the status of each message and flow, which has neither a number nor a text. A key goes no sooner than Routee
//! could send its callback again.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use routee_viber::LONGEST_RETRY_SPAN;
use tokio::time;

use crate::store::{Failure, Store, Value};

/// How many rows go at once, so that callbacks need not wait long in between.
const CHUNK: i64 = 2000;

/// How long others may write before the next rows go.
const PAUSE: Duration = Duration::from_millis(20);

/// The tables whose rows go one by one, and their keys.
const TABLES: [(&str, &str, &str); 4] = [
    (
        "history",
        "SELECT idempotency_key FROM history WHERE idempotency_key > $1 ORDER BY idempotency_key LIMIT $2",
        "DELETE FROM history WHERE idempotency_key > $1 AND idempotency_key <= $2 AND received_at < $3",
    ),
    (
        "reply",
        "SELECT idempotency_key FROM reply WHERE idempotency_key > $1 ORDER BY idempotency_key LIMIT $2",
        "DELETE FROM reply WHERE idempotency_key > $1 AND idempotency_key <= $2 AND received_at < $3",
    ),
    (
        "other",
        "SELECT digest FROM other WHERE digest > $1 ORDER BY digest LIMIT $2",
        "DELETE FROM other WHERE digest > $1 AND digest <= $2 AND received_at < $3",
    ),
    (
        "unreadable",
        "SELECT digest FROM unreadable WHERE digest > $1 ORDER BY digest LIMIT $2",
        "DELETE FROM unreadable WHERE digest > $1 AND digest <= $2 AND received_at < $3",
    ),
];

/// Removes what came more than `age` before `now`; for each table how many rows.
pub async fn purge(store: &dyn Store, now: DateTime<Utc>, age: Duration) -> anyhow::Result<Vec<(&'static str, u64)>> {
    ensure!(
        age >= LONGEST_RETRY_SPAN,
        "--older-than must be at least {}: until then Routee may send a callback again",
        humantime::format_duration(LONGEST_RETRY_SPAN),
    );
    let before = TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age));
    let before = before.context("--older-than reaches before the first year")?.timestamp_millis();
    let mut removed = vec![("change", changes(store, before).await?)];
    for (table, next, delete) in TABLES {
        let mut rows = 0;
        let mut last = String::new();
        loop {
            let keys = store.query(next, vec![last.clone().into(), CHUNK.into()]).await?;
            let Some(end) = keys.last().map(|row| row.text(0).to_owned()) else { break };
            rows += store.execute(vec![(delete, vec![last.into(), end.clone().into(), before.into()])]).await?;
            last = end;
            time::sleep(PAUSE).await;
        }
        removed.push((table, rows));
    }
    Ok(removed)
}

/// First, and up to the last one that points to old history, so that whatever is left points to history that stays.
async fn changes(store: &dyn Store, before: i64) -> Result<u64, Failure> {
    let last = store
        .query(
            "SELECT coalesce(max(change.number), 0) FROM change
             JOIN history ON history.idempotency_key = change.idempotency_key WHERE history.received_at < $1",
            vec![before.into()],
        )
        .await?;
    let last = last.first().map_or(0, |row| row.integer(0));
    let mut removed = 0;
    loop {
        let first = store.query("SELECT purged FROM change_counter", vec![]).await?;
        let purged = first.first().map_or(0, |row| row.integer(0));
        let end = last.min(purged + CHUNK);
        if end <= purged {
            return Ok(removed);
        }
        let both = vec![
            ("UPDATE change_counter SET purged = $1", vec![Value::from(end)]),
            ("DELETE FROM change WHERE number <= $1", vec![Value::from(end)]),
        ];
        removed += store.execute(both).await?;
        time::sleep(PAUSE).await;
    }
}
