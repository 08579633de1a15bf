//! `GET /changes?after=N`: what changed, for your other programs.
//!
//! Each commit numbers the states that it changed, without gaps and in the order of the commits, even if several
//! receivers share a database. So a consumer remembers one number: it asks for what comes after it, does its work, and
//! stores the number of the last line.

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use routee_viber::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::dates::rfc3339;
use crate::admin::state::Admin;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::Row;

/// How many rows are read first, and then as many as there are already: they may be long.
const CHUNK: i64 = 250;

/// An answer ends with the line that reaches this length; the rest comes with the next answer.
const LONGEST: usize = 1 << 20;

/// The changes after a number, which PostgreSQL is not to know when it plans: it would look for it among all that was purged.
const CHANGES: &str = "
    SELECT number, CASE WHEN kind IN ('flow', 'tracked_flow') THEN 'flow' WHEN kind = 'reply' THEN 'reply'
                        WHEN is_step THEN 'step' ELSE 'message' END, received_at, body
    FROM change WHERE number > (SELECT CAST($1 AS BIGINT)) ORDER BY number LIMIT $2";

#[derive(Deserialize)]
pub struct ChangesQuery {
    #[serde(default)]
    after: i64,
    #[serde(default = "default_limit")]
    limit: i64,
}

const fn default_limit() -> i64 {
    1000
}

pub async fn changes(
    State(admin): State<Admin>,
    Query(ChangesQuery { after, limit }): Query<ChangesQuery>,
) -> Result<Response, StoreError> {
    Ok(match self::after(&*admin.store, after, limit.clamp(1, 10_000)).await? {
        Changes::Lines(lines) => ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response(),
        Changes::Gone { oldest, newest } => {
            (StatusCode::GONE, Json(json!({ "oldest": oldest, "newest": newest }))).into_response()
        }
    })
}

/// What there is after a number.
#[derive(Debug, PartialEq, Eq)]
pub enum Changes {
    /// A line of JSON for each change; none if nothing has changed since.
    Lines(String),
    /// The next change is not there: a purge has removed it, or this database has never numbered it.
    Gone { oldest: i64, newest: i64 },
}

/// The changes with a higher number, at most `limit` of them.
pub async fn after(store: &dyn Store, after: i64, limit: i64) -> Result<Changes, StoreError> {
    let mut lines = String::new();
    let mut last = after;
    loop {
        let chunk = CHUNK.max(last - after).min(limit - (last - after));
        let rows = store.query(CHANGES, vec![last.into(), chunk.into()]).await?;
        if last == after {
            // Only now, so that a purge while the rows were read is noticed.
            let counter = store
                .query_one("SELECT change_counter.number, purged.number FROM change_counter, purged", vec![])
                .await?;
            let (newest, purged) = (counter.get(0)?, counter.get(1)?);
            if after < purged || after > newest {
                return Ok(Changes::Gone { oldest: purged + 1, newest });
            }
        }
        for row in &rows {
            // A purge between two chunks leaves a gap. This answer ends there, and the next one is 410.
            if row.get::<i64>(0)? != last + 1 {
                return Ok(Changes::Lines(lines));
            }
            last += 1;
            lines += &line(row)?;
            if lines.len() >= LONGEST {
                return Ok(Changes::Lines(lines));
            }
        }
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) < chunk || last - after >= limit {
            return Ok(Changes::Lines(lines));
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    change: i64,
    kind: &'a str,
    tracking_id: Option<&'a str>,
    received_at: String,
    /// As the library writes it; `None` if nothing else is left of the change.
    callback: Option<&'a Incoming>,
}

fn line(row: &Row) -> Result<String, StoreError> {
    let callback = row.get::<Option<&[u8]>>(3)?.and_then(|body| Incoming::from_slice(body).ok());
    let line = Line {
        change: row.get(0)?,
        kind: row.get(1)?,
        tracking_id: match &callback {
            Some(Incoming::Status(callback)) => Some(&callback.tracking_id),
            Some(Incoming::Failover(callback)) => Some(&callback.tracking_id),
            Some(Incoming::Inbound(message)) => message.reference_tracking_id.as_deref(),
            _ => None,
        },
        received_at: rfc3339(row.get::<Option<_>>(2)?.unwrap_or_default()),
        callback: callback.as_ref(),
    };
    Ok(serde_json::to_string(&line).expect("a callback can be written") + "\n")
}

#[cfg(test)]
impl Changes {
    /// The lines, for tests in which nothing is gone.
    pub fn into_lines(self) -> String {
        match self {
            Self::Lines(lines) => lines,
            gone @ Self::Gone { .. } => panic!("{gone:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;
    use tempfile::TempDir;

    use super::*;
    use crate::purge::{Ages, purge};
    use crate::store::fake::{entry, open_in};

    async fn commit(store: &dyn Store, body: &str) {
        store.commit(&[entry(body)]).await.unwrap();
    }

    #[tokio::test]
    async fn each_change_is_a_line_with_the_state_of_its_commit() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        assert_eq!(after(&*store, 0, 10).await, Ok(Changes::Lines(String::new())));
        commit(&*store, r#"{"trackingId":"m","status":"QUEUED"}"#).await;
        commit(&*store, r#"{"trackingId":"m","status":"SEEN"}"#).await;
        commit(&*store, r#"{"trackingId":"m","status":"DELIVERED"}"#).await;
        commit(&*store, r#"{"from":"1","message":"yes","sentDate":"2026-11-01T00:00:00Z"}"#).await;
        commit(&*store, r#"{"trackingId":"f","status":"Failed","messages":[{}]}"#).await;
        let step = r#"{"type":"Viber","trackingId":"s","status":{"name":"QUEUED"}}"#;
        commit(&*store, &format!(r#"{{"trackingId":"g","status":"InProgress","messages":[{step}]}}"#)).await;
        commit(&*store, r#"{"trackingId":"s","status":"SEEN"}"#).await;
        let lines = [
            r#"{"change":1,"kind":"message","trackingId":"m","receivedAt":"1970-01-01T00:00:00.000Z","callback":{"trackingId":"m","status":{"name":"QUEUED"}}}"#,
            r#"{"change":2,"kind":"message","trackingId":"m","receivedAt":"1970-01-01T00:00:00.000Z","callback":{"trackingId":"m","status":{"name":"SEEN"}}}"#,
            r#"{"change":3,"kind":"reply","trackingId":null,"receivedAt":"1970-01-01T00:00:00.000Z","callback":{"from":"1","message":"yes","sentDate":"2026-11-01T00:00:00Z"}}"#,
            r#"{"change":4,"kind":"flow","trackingId":"f","receivedAt":"1970-01-01T00:00:00.000Z","callback":{"trackingId":"f","status":"Failed","messages":[{}]}}"#,
            r#"{"change":5,"kind":"flow","trackingId":"g","receivedAt":"1970-01-01T00:00:00.000Z","callback":{"trackingId":"g","status":"InProgress","messages":[{"type":"Viber","trackingId":"s","status":{"name":"QUEUED"}}]}}"#,
            r#"{"change":6,"kind":"step","trackingId":"s","receivedAt":"1970-01-01T00:00:00.000Z","callback":{"trackingId":"s","status":{"name":"QUEUED"}}}"#,
            r#"{"change":7,"kind":"step","trackingId":"s","receivedAt":"1970-01-01T00:00:00.000Z","callback":{"trackingId":"s","status":{"name":"SEEN"}}}"#,
        ];
        let found = after(&*store, 0, 10).await.unwrap().into_lines();
        assert_eq!(found.lines().collect::<Vec<_>>(), lines);
        let found = after(&*store, 1, 2).await.unwrap().into_lines();
        assert_eq!(found.lines().collect::<Vec<_>>(), lines[1..3]);
        assert_eq!(after(&*store, 7, 10).await, Ok(Changes::Lines(String::new())));
        assert_eq!(after(&*store, 8, 10).await, Ok(Changes::Gone { oldest: 1, newest: 7 }));
        store.close().await;
    }

    /// The number and the kind of each change.
    async fn kinds(store: &dyn Store, after: i64) -> Vec<String> {
        let lines = self::after(store, after, 100).await.unwrap().into_lines();
        let kind = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            format!("{} {}", line["change"], line["kind"].as_str().unwrap())
        };
        lines.lines().map(kind).collect()
    }

    #[tokio::test]
    async fn a_message_is_a_step_from_the_first_delivery_that_says_so() {
        let own = |name| format!(r#"{{"trackingId":"m","status":"{name}"}}"#);
        let step = |name| {
            let step = format!(r#"{{"type":"Viber","trackingId":"m","status":"{name}"}}"#);
            format!(r#"{{"trackingId":"f","status":"InProgress","messages":[{step}]}}"#)
        };
        let (queued, delivered, seen) = (own("QUEUED"), own("DELIVERED"), own("SEEN"));
        for (batches, expected) in [
            (vec![vec![&queued], vec![&delivered], vec![&seen]], "1 message, 2 message, 3 message"),
            (vec![vec![&step("QUEUED")], vec![&delivered], vec![&seen]], "1 flow, 2 step, 3 step, 4 step"),
            // It moves the message.
            (vec![vec![&queued], vec![&step("DELIVERED")], vec![&seen]], "1 message, 2 flow, 3 step, 4 step"),
            // It moves nothing.
            (vec![vec![&delivered], vec![&step("QUEUED")], vec![&seen]], "1 message, 2 flow, 3 step"),
            (vec![vec![&delivered], vec![&step("DELIVERED")], vec![&seen]], "1 message, 2 flow, 3 step"),
            // In the same batch.
            (vec![vec![&delivered, &step("QUEUED")], vec![&seen]], "1 flow, 2 step, 3 step"),
            (vec![vec![&queued], vec![&step("QUEUED"), &seen]], "1 message, 2 flow, 3 step"),
        ] {
            let directory = TempDir::new().unwrap();
            let store = open_in(&directory).await;
            for batch in &batches {
                store.commit(&batch.iter().map(|body| entry(body)).collect::<Vec<_>>()).await.unwrap();
            }
            let found = kinds(&*store, 0).await.join(", ");
            assert_eq!(found, expected, "{batches:?}");
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_step_stays_one_when_what_said_so_is_purged() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let step = r#"{"type":"Viber","trackingId":"s","status":"QUEUED"}"#;
        commit(&*store, &format!(r#"{{"trackingId":"f","status":"InProgress","messages":[{step}]}}"#)).await;
        let later = "1970-01-04T00:00:00Z".parse().unwrap();
        purge(&*store, later, Ages::new(Duration::from_hours(48), None).unwrap()).await.unwrap();
        commit(&*store, r#"{"trackingId":"s","status":"EXPIRED"}"#).await;
        assert_eq!(kinds(&*store, 2).await, ["3 step"]);
        store.close().await;
    }

    #[tokio::test]
    async fn an_answer_goes_on_over_several_chunks() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let status = |place| entry(&format!(r#"{{"trackingId":"{place}","status":"SEEN"}}"#));
        let entries: Vec<_> = (0..600).map(status).collect();
        store.commit(&entries).await.unwrap();
        for (limit, most) in [(600, 600), (599, 599), (500, 500), (10_000, 600)] {
            let lines = after(&*store, 0, limit).await.unwrap().into_lines();
            let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()["change"].as_i64().unwrap();
            assert!(lines.lines().map(number).eq(1..=most), "{limit}");
        }
        store.close().await;
    }
}
