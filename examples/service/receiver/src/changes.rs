//! `GET /changes?after=N`: what changed, for the programs behind.
//!
//! Each commit numbers the states that it moved, without gaps and in the order of the commits, also if several receivers
//! share a database. So a consumer remembers one number: it asks for what comes after it, does its work, and stores the
//! number of the last line.

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use routee_viber::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::{Admin, date};
use crate::store::{Failure, Row, Store};

/// How many rows are read at once.
const CHUNK: i64 = 250;

/// An answer ends with the chunk that reaches this; the rest comes with the next one.
const LONGEST: usize = 4 << 20;

#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    after: i64,
    #[serde(default = "usual")]
    limit: i64,
}

const fn usual() -> i64 {
    1000
}

pub async fn changes(State(admin): State<Admin>, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    match after(&*admin.store, asked.after, asked.limit.clamp(1, 10_000)).await? {
        Ok(lines) => Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response()),
        Err(Gone { oldest, newest }) => {
            Ok((StatusCode::GONE, Json(json!({ "oldest": oldest, "newest": newest }))).into_response())
        }
    }
}

/// What comes next is not there: removed by a purge, or never numbered in this database.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone {
    pub oldest: i64,
    pub newest: i64,
}

/// The changes after that one as lines of JSON.
pub async fn after(store: &dyn Store, after: i64, limit: i64) -> Result<Result<String, Gone>, Failure> {
    let mut lines = String::new();
    let mut last = after;
    loop {
        let chunk = CHUNK.min(limit - (last - after));
        let rows = store
            .query(
                "SELECT change.number, change.kind, change.idempotency_key, history.tracking_id, history.received_at,
                        history.body
                 FROM change LEFT JOIN history ON history.idempotency_key = change.idempotency_key
                 WHERE change.number > $1 ORDER BY change.number LIMIT $2",
                vec![last.into(), chunk.into()],
            )
            .await?;
        if last == after {
            // Asked after the rows, so that a purge in between is seen.
            let counter = store.query("SELECT number, purged FROM change_counter", vec![]).await?;
            let (newest, purged) = counter.first().map_or((0, 0), |row| (row.integer(0), row.integer(1)));
            if after < purged || after > newest {
                return Ok(Err(Gone { oldest: purged + 1, newest }));
            }
        }
        for row in &rows {
            // A purge between two chunks leaves a gap: the next answer is the 410.
            if row.integer(0) != last + 1 {
                return Ok(Ok(lines));
            }
            last += 1;
            lines += &line(row);
        }
        let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < chunk || last - after >= limit;
        if is_last || lines.len() >= LONGEST {
            return Ok(Ok(lines));
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
    /// As the library writes it; `None` if somebody removed the row of history.
    callback: Option<Incoming>,
}

fn line(row: &Row) -> String {
    let line = Line {
        change: row.integer(0),
        kind: row.text(1),
        tracking_id: Some(row.text(3)).filter(|id| !id.is_empty()),
        received_at: date(row.integer(4)),
        callback: Incoming::from_slice(row.bytes(5)).ok(),
    };
    serde_json::to_string(&line).expect("a callback can be written") + "\n"
}
