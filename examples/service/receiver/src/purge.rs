//! Removes what is old: `receiver purge --older-than 30d`.
//!
//! It removes deliveries with their bodies, replies, other and unreadable bodies, and the changes; and it forgets ids that
//! Routee was asked for, if they could have been asked for again that long ago. The name of each message's and flow's
//! status stays, with its reason and time; it has neither a phone number nor a text. An idempotency key stays as long as
//! Routee may send its callback again.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use routee_viber::LONGEST_RETRY_SPAN;
use tokio::time;

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::{Row, Value};

/// How many rows one statement looks at, so that callbacks need not wait long for it.
const CHUNK: i64 = 2000;

/// The pause between two statements, in which callbacks are committed.
const PAUSE: Duration = Duration::from_millis(20);

/// The tables that both databases have, the key of each, and the column that says how old a row is.
const TABLES: [(&str, &str, &str); 5] = [
    ("reply", "idempotency_key", "received_at"),
    ("other", "digest", "received_at"),
    ("unreadable", "digest", "received_at"),
    // An id stays until its pause is over, or it would be asked for too soon.
    ("asked", "tracking_id", "next_at"),
    ("run", "name", "started_at"),
];

/// Removes what came more than `age` before `now`, and returns how many rows of each table that were.
pub async fn purge(store: &dyn Store, now: DateTime<Utc>, age: Duration) -> anyhow::Result<Vec<(&'static str, u64)>> {
    ensure!(
        age >= LONGEST_RETRY_SPAN,
        "--older-than must be at least {}: until then Routee may send a callback again",
        humantime::format_duration(LONGEST_RETRY_SPAN),
    );
    let before = TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age));
    let before = before.context("--older-than reaches before the first year")?.timestamp_millis();
    let mut removed = vec![("change", changes(store, before).await?)];
    for (table, key, first) in store.queries().purgeable {
        removed.push((table, rows(store, (table, key, "received_at"), first.clone(), before).await?));
    }
    for table in TABLES {
        removed.push((table.0, rows(store, table, "".into(), before).await?));
    }
    Ok(removed)
}

/// Removes the rows of one table, in the order of their keys; how many that were.
async fn rows(
    store: &dyn Store,
    (table, key, at): (&str, &str, &str),
    first: Value,
    before: i64,
) -> Result<u64, StoreError> {
    let next = format!("SELECT {key} FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT $2");
    let delete = format!("DELETE FROM {table} WHERE {key} > $1 AND {key} <= $2 AND {at} < $3");
    let (mut removed, mut last) = (0, first);
    loop {
        let keys = store.query(&next, vec![last.clone(), CHUNK.into()]).await?;
        let Some(Row(columns)) = keys.last() else { return Ok(removed) };
        let end = columns[0].clone();
        removed += store.execute(vec![(delete.as_str(), vec![last, end.clone(), before.into()])]).await?;
        last = end;
        time::sleep(PAUSE).await;
    }
}

/// Removes the oldest changes, so that the numbers of those that are left have no gaps, and says first which were removed.
/// What arrived before something old goes with it, even if its clock was ahead.
async fn changes(store: &dyn Store, before: i64) -> Result<u64, StoreError> {
    let queries = store.queries();
    let mut removed = 0;
    loop {
        let purged: i64 = store.query_one("SELECT purged FROM change_counter", vec![]).await?.get(0)?;
        let last = store.query_one(queries.last_old_change, vec![purged.into(), CHUNK.into(), before.into()]).await?;
        let Some(last) = last.get::<Option<i64>>(0)? else { return Ok(removed) };
        let both =
            vec![(queries.set_purged, vec![last.into()]), ("DELETE FROM change WHERE number <= $1", vec![last.into()])];
        removed += store.execute(both).await?;
        time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::*;
    use crate::admin::changes::{self, Changes};
    use crate::entry::{Entry, Kind};
    use crate::store::batch::RowCount;
    use crate::store::fake::open_in;

    const DAY: Duration = Duration::from_hours(24);

    fn entry(body: &str, received_at: &str) -> Arc<Entry> {
        Arc::new(Entry::read(body.to_owned().into(), received_at.parse().unwrap()))
    }

    async fn count(store: &dyn Store, table: &str) -> i64 {
        store.query_one(&format!("SELECT count(*) FROM {table}"), vec![]).await.unwrap().get(0).unwrap()
    }

    #[tokio::test]
    async fn a_purge_removes_old_rows_and_no_status() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let bodies = [
            r#"{"trackingId":"ID","status":"SEEN"}"#,
            r#"{"trackingId":"fID","status":"Failed","messages":[{}]}"#,
            r#"{"from":"1","message":"ID","sentDate":"2026-11-01T00:00:00Z","referenceTrackingId":"ID"}"#,
            r#"{"ID":1}"#,
            "ID",
        ];
        // `old` is a millisecond too old, and `new` is just not. Their numbers are not in the order of their arrival.
        for (id, received_at) in
            [("new", "2026-11-21T00:00:00Z"), ("old", "2026-11-20T23:59:59.999Z"), ("newer", "2026-11-22T00:00:00Z")]
        {
            let entries: Vec<_> = bodies.iter().map(|body| entry(&body.replace("ID", id), received_at)).collect();
            store.commit(&entries).await.unwrap();
        }
        // It moves nothing, since it is older than the status that is there.
        store.commit(&[entry(r#"{"trackingId":"old","status":"QUEUED"}"#, "2026-11-20T23:59:59.999Z")]).await.unwrap();
        for (id, next_at) in [("old", "2026-11-20T23:59:59.999Z"), ("new", "2026-11-21T00:00:00Z")] {
            let next_at = next_at.parse::<DateTime<Utc>>().unwrap().timestamp_millis();
            let insert =
                "INSERT INTO asked (tracking_id, asked_at, times, next_at, outcome) VALUES ($1, 0, 1, $2, 'x')";
            store.execute(vec![(insert, vec![id.into(), next_at.into()])]).await.unwrap();
        }
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        let removed = purge(&*store, now, 2 * DAY).await.unwrap();
        assert_eq!(
            removed,
            [
                ("change", 6),
                ("no_change", 1),
                ("later", 1),
                ("reply", 1),
                ("other", 1),
                ("unreadable", 1),
                ("asked", 1),
                ("run", 0)
            ]
        );
        assert_eq!((count(&*store, "message").await, count(&*store, "flow").await), (3, 3));
        assert_eq!(changes::after(&*store, 5, 10).await, Ok(Changes::Gone { oldest: 7, newest: 9 }));
        let left = changes::after(&*store, 6, 10).await.unwrap().into_lines();
        assert_eq!(left.lines().filter(|line| line.contains("\"callback\":{")).count(), 3);

        // A retry of a purged callback is kept again, and moves nothing. A second purge finds nothing.
        for body in [r#"{"trackingId":"old","status":"SEEN"}"#, r#"{"trackingId":"old","status":"QUEUED"}"#] {
            for added in [1, 0] {
                let mut counts = store.commit(&[entry(body, "2026-11-23T00:00:00Z")]).await.unwrap();
                assert_eq!(*counts.of(Kind::Status), RowCount { given: 1, added, advanced: 0, variants: 0 }, "{body}");
            }
        }
        assert_eq!(changes::after(&*store, 9, 10).await, Ok(Changes::Lines(String::new())));
        let removed = purge(&*store, now, 2 * DAY).await.unwrap();
        assert!(removed.iter().all(|(_, rows)| *rows == 0), "{removed:?}");
        store.close().await;
    }

    #[tokio::test]
    async fn a_purge_removes_no_key_before_the_last_retry() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        let error = purge(&*store, now, LONGEST_RETRY_SPAN.saturating_sub(Duration::from_secs(1))).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "--older-than must be at least 1day 16h 3m 30s: until then Routee may send a callback again"
        );
        purge(&*store, now, LONGEST_RETRY_SPAN).await.unwrap();
        let error = purge(&*store, now, Duration::MAX).await.unwrap_err();
        assert_eq!(error.to_string(), "--older-than reaches before the first year");
        store.close().await;
    }
}
