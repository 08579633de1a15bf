//! SQLite's part of a migration.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rusqlite::{Connection, OptionalExtension as _, Result, params, params_from_iter};
use serde_json::Value as Json;

use crate::entry::{Entry, half_digest};
use crate::store::batch::BatchRows;
use crate::store::error::Cause;
use crate::store::migration::{self, Progress, Transaction};
use crate::store::sqlite::commit::write_with_old_numbers;
use crate::store::sqlite::{DELIVERIES, cause, look_again, read, tallies};
use crate::store::value::{Row, Value};

/// How long a chunk waits for others that write, which may migrate as well.
const LOCK_WITHIN: Duration = Duration::from_mins(1);

/// Makes the connection wait long for others that write.
pub fn wait_long(connection: &mut Connection) -> Result<()> {
    connection.busy_handler(Some(|looks| look_again(looks, LOCK_WITHIN)))
}

/// Makes the tables, or does the next chunk of bringing them over, within a transaction; `None` if nothing is left to do.
pub fn advance(connection: &Connection, chunk: i64) -> Result<Option<Progress>> {
    if connection.table_exists(None, "schema_version")? {
        let advanced = migration::advance(&SqliteTransaction(connection), chunk).now_or_never();
        return advanced.expect("SQLite lets nobody wait");
    }
    connection.execute_batch(DELIVERIES)?;
    connection.execute_batch(include_str!("tables.sql"))?;
    Ok(None)
}

struct SqliteTransaction<'a>(&'a Connection);

impl Transaction for SqliteTransaction<'_> {
    type Error = rusqlite::Error;

    const SET_ASIDE: &'static [&'static str] = &[include_str!("set_aside.sql"), DELIVERIES];

    const PREPARE: &'static [&'static str] = &[
        "CREATE INDEX old_history_arrival ON old_history (received_at, kind, idempotency_key)",
        "CREATE INDEX old_other_arrival ON old_other (received_at, digest)",
        "CREATE INDEX old_unreadable_arrival ON old_unreadable (received_at, digest)",
        "CREATE INDEX old_history_state ON old_history (tracking_id, received_at, kind)",
        "CREATE INDEX old_change_key ON old_change (idempotency_key)",
    ];

    const ADD_MESSAGES: &'static str = include_str!("add_messages.sql");

    const ADD_FLOWS: &'static str = include_str!("add_flows.sql");

    const ADD_REPLIES: &'static str = include_str!("add_replies.sql");

    const COUNT: &'static str = "UPDATE purged SET number = (SELECT purged FROM old_change_counter)";

    async fn run(&self, statements: &str) -> Result<()> {
        self.0.execute_batch(statements)
    }

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>> {
        read(self.0, sql, &parameters)
    }

    async fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<()> {
        self.0.execute(sql, params_from_iter(parameters)).map(drop)
    }

    async fn write(&self, entries: &[Arc<Entry>]) -> Result<()> {
        write_with_old_numbers(self.0, &BatchRows::of(entries))
    }

    /// Most of them have been numbered as they were written.
    async fn number(&self, after: i64, last: i64) -> Result<()> {
        let mut left = self.0.prepare_cached(
            "SELECT number, kind, idempotency_key FROM old_change
             WHERE number > ? AND number <= ?
               AND NOT EXISTS (SELECT 1 FROM change WHERE change.number = old_change.number) ORDER BY number",
        )?;
        let left = left.query_map([after, last], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for (number, kind, key) in left.collect::<Result<Vec<(i64, String, String)>>>()? {
            self.number_one(number, kind, key)?;
        }
        Ok(())
    }

    async fn count(&self, after: i64, chunk: i64) -> Result<Option<(i64, i64)>> {
        let next = "SELECT max(number), count(*) FROM (
                        SELECT * FROM (SELECT number FROM message WHERE number > ?1 ORDER BY number LIMIT ?2)
                        UNION ALL SELECT * FROM (SELECT number FROM flow WHERE number > ?1 ORDER BY number LIMIT ?2)
                        UNION ALL SELECT * FROM (SELECT number FROM reply WHERE number > ?1 ORDER BY number LIMIT ?2)
                        ORDER BY number LIMIT ?2)";
        let next = self.0.prepare_cached(next)?.query_row([after, chunk], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(last), rows) = next else {
            tallies::count_others(self.0)?;
            return Ok(None);
        };
        tallies::count_some(self.0, after, last)?;
        Ok(Some((last, rows)))
    }

    fn cause(error: &rusqlite::Error) -> Cause {
        cause(error)
    }
}

impl SqliteTransaction<'_> {
    fn number_one(&self, number: i64, kind: String, key: String) -> Result<()> {
        let renamed = "SELECT kind, key FROM renamed WHERE was = ? ORDER BY key DESC LIMIT 1";
        let renamed = self.one(renamed, &key)?;
        let (kind, key) = renamed.unwrap_or((kind, key));
        if let Some((about, first)) = self.subject(&kind, &key)?
            && self.number_delivery(number, about, &first, &half_digest(key.as_bytes()))?
        {
            return Ok(());
        }
        let nothing = "INSERT INTO change (number, kind, received_at)
                       VALUES (?1, CASE ?2 WHEN 'message' THEN 'status' ELSE ?2 END, 0)";
        self.0.prepare_cached(nothing)?.execute(params![number, kind]).map(drop)
    }

    /// The number of the message, flow or reply that a key of this kind is about, and the digest of its first key.
    fn subject(&self, kind: &str, key: &str) -> Result<Option<(i64, Vec<u8>)>> {
        let (sql, id) = match kind {
            "message" => ("SELECT number, key FROM message WHERE tracking_id = ?", id_in(key)),
            "flow" => ("SELECT number, key FROM flow WHERE tracking_id = ?", id_in(key)),
            _ => ("SELECT number, key FROM reply WHERE idempotency_key = ?", Some(key.to_owned())),
        };
        let Some(id) = id else { return Ok(None) };
        self.0.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    /// Makes the delivery with a key the change of this number, beside those that it is already; whether it is there.
    fn number_delivery(&self, number: i64, about: i64, first: &[u8], key: &[u8]) -> Result<bool> {
        let again = "INSERT INTO change (number, about, kind, is_step, received_at, anomalies, body)
                     SELECT ?1, ?2, kind, is_step, received_at, anomalies, body FROM change WHERE number = ?3";
        if first == key && self.0.prepare_cached(again)?.execute(params![number, about, about])? > 0 {
            return Ok(true);
        }
        let mut later = self.0.prepare_cached("SELECT body, change FROM later WHERE about = ? AND key = ?")?;
        let later = later.query_map(params![about, key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let later: Vec<(Vec<u8>, Option<i64>)> = later.collect::<Result<_>>()?;
        let renumber = "UPDATE later SET change = ? WHERE about = ? AND key = ? AND body = ?";
        if let Some((body, Some(change))) = later.iter().find(|(_, change)| change.is_some()) {
            self.0.prepare_cached(again)?.execute(params![number, about, change])?;
            self.0.prepare_cached(renumber)?.execute(params![number.max(*change), about, key, body])?;
            return Ok(true);
        }
        let bodies: HashSet<_> = later.into_iter().map(|(body, _)| body).collect();
        let unmoved = "SELECT id, body FROM no_change WHERE about = ? AND is_variant = 0 ORDER BY id";
        let mut unmoved = self.0.prepare_cached(unmoved)?;
        let mut unmoved = unmoved.query([about])?;
        while let Some(row) = unmoved.next()? {
            let (id, body): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let body = half_digest(&body);
            if bodies.contains(&body[..]) {
                let moved = "INSERT INTO change (number, about, kind, is_step, received_at, anomalies, body)
                             SELECT ?, about, kind, coalesce((SELECT is_step FROM message WHERE number = about), FALSE),
                                    received_at, anomalies, body FROM no_change WHERE id = ?";
                self.0.prepare_cached(moved)?.execute([number, id])?;
                self.0.prepare_cached("DELETE FROM no_change WHERE id = ?")?.execute([id])?;
                self.0.prepare_cached(renumber)?.execute(params![number, about, key, body])?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn one(&self, sql: &str, key: &str) -> Result<Option<(String, String)>> {
        self.0.prepare_cached(sql)?.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }
}

/// The id that a key of a message or flow begins with.
fn id_in(key: &str) -> Option<String> {
    let key: Vec<Json> = serde_json::from_str(key).ok()?;
    key.first()?.as_str().map(ToOwned::to_owned)
}
