//! What 0.2 filled, on SQLite. The end-to-end tests do the same on PostgreSQL; `e2e/fixtures/README.md` says how it was
//! made.

use std::time::Duration;

use chrono::Utc;
use routee_viber::{FailoverCallback, FailoverStatus, Status, StatusName};
use rusqlite::Connection;
use tempfile::TempDir;

use super::ranks::{rank_of_flow, rank_of_message};
use super::*;
use crate::admin::changes;
use crate::purge::{Ages, purge};
use crate::store::batch::RowCounts;
use crate::store::error::StoreError;
use crate::store::open::{open, open_current};
use crate::store::{Store, sqlite};

const FILLED: &str = include_str!("../../../../e2e/fixtures/sqlite.sql");
const MIGRATED: &str = include_str!("../../../../e2e/fixtures/migrated.txt");
const CHANGES: &str = include_str!("../../../../e2e/fixtures/changes.jsonl");
const BODIES: &str = include_str!("../../../../e2e/fixtures/bodies.tsv");

/// What stays as it is.
const OTHERS: &str = "SELECT number FROM change_counter
SELECT * FROM asked ORDER BY 1
SELECT name, started_at, page, reading, unreadable FROM run ORDER BY 1
SELECT * FROM sender ORDER BY 1
SELECT owner, until, ran_at, recovered FROM reconciliation";

const VERSION: &str = "SELECT version FROM schema_version";

/// A database as 0.2 left it, with changes that a test makes to it.
struct Filled {
    directory: TempDir,
}

impl Filled {
    fn new(then: &str) -> Self {
        let filled = Self { directory: TempDir::new().unwrap() };
        filled.connection().execute_batch(FILLED).unwrap();
        filled.connection().execute_batch(then).unwrap();
        filled
    }

    fn connection(&self) -> Connection {
        Connection::open(self.directory.path().join("routee.db")).unwrap()
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.directory.path().join("routee.db").display())
    }

    async fn migrated(&self) -> Arc<dyn Store> {
        open_current(&self.url(), None, true).await.unwrap()
    }

    /// What it answers to the queries among these lines: each, and its rows, a line each.
    fn shown(&self, lines: &str) -> String {
        let connection = self.connection();
        let mut shown = String::new();
        for query in lines.lines().filter(|line| line.starts_with("SELECT ")) {
            shown += query;
            shown += "\n";
            // PostgreSQL keeps the rank of a message as a text.
            let query = query.replace(", rank, status_name, reason", ", lower(hex(rank)), status_name, reason");
            for Row(row) in sqlite::read(&connection, &query, &[]).unwrap() {
                let row: Vec<_> = row.into_iter().map(text).collect();
                shown += &(row.join(" | ").replace('\n', "\\n") + "\n");
            }
        }
        shown
    }

    fn integer(&self, sql: &str) -> i64 {
        self.connection().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn status_of(&self, table: &str, id: &str) -> String {
        let sql = format!("SELECT status_name FROM {table} WHERE tracking_id = ?");
        self.connection().query_row(&sql, [id], |row| row.get(0)).unwrap()
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(integer) => integer.to_string(),
        Value::Text(text) => text,
        Value::Bytes(bytes) => String::from_utf8(bytes).unwrap_or_else(|digest| format!("{:x?}", digest.as_bytes())),
    }
}

fn assert_same_lines(found: &str, expected: &str) {
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

async fn commit(store: &dyn Store, body: &str) -> RowCounts {
    store.commit(&[Arc::new(Entry::read(body.to_owned().into(), Utc::now()))]).await.unwrap()
}

/// How many rows were added, and how many states were moved.
fn sums(counts: &RowCounts) -> (u64, u64) {
    counts.iter().fold((0, 0), |(added, advanced), (_, count)| (added + count.added, advanced + count.advanced))
}

#[tokio::test]
async fn every_table_becomes_what_0_3_would_have_made() {
    let filled = Filled::new("");
    let others = filled.shown(OTHERS);
    for _ in 0..2 {
        filled.migrated().await.close().await;
        assert_same_lines(&filled.shown(MIGRATED), MIGRATED);
        assert_same_lines(&filled.shown(OTHERS), &others);
        assert_same_lines(&filled.shown(VERSION), &format!("{VERSION}\n2"));
        // What 0.2 took for two deliveries and 0.3 takes for one is kept all the same.
        let variants = "SELECT tracking_id, kind, received_at FROM history WHERE is_variant = 1 ORDER BY 1";
        let expected = "ordered | reply | 1795600076000\nspelled | status | 1795600037000";
        assert_same_lines(&filled.shown(variants), &format!("{variants}\n{expected}"));
    }
}

/// Does the next chunk with a connection of its own, as a process does that is killed before it commits or after.
fn advance_once(filled: &Filled, chunk: i64, end: &str) -> Option<Progress> {
    let connection = filled.connection();
    connection.execute_batch("PRAGMA synchronous = OFF; BEGIN IMMEDIATE").unwrap();
    let progress = sqlite::migrate::advance(&connection, chunk).unwrap();
    connection.execute_batch(end).unwrap();
    progress
}

/// Every row of every table.
fn everything(filled: &Filled) -> String {
    let tables = filled.shown("SELECT 'SELECT * FROM ' || name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    filled.shown("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name") + &filled.shown(&tables)
}

#[tokio::test]
async fn a_migration_that_is_killed_at_each_border_ends_as_one_that_is_not() {
    for chunk in [1, 2, 3, 7, CHUNK] {
        let (killed, at_once) = (Filled::new(""), Filled::new(""));
        let others = killed.shown(OTHERS);
        let mut chunks = 0;
        loop {
            advance_once(&killed, chunk, "ROLLBACK");
            chunks += 1;
            if advance_once(&killed, chunk, "COMMIT").is_none() {
                break;
            }
        }
        let connection = at_once.connection();
        for _ in 0..chunks {
            connection.execute_batch("PRAGMA synchronous = OFF; BEGIN IMMEDIATE").unwrap();
            sqlite::migrate::advance(&connection, chunk).unwrap();
            connection.execute_batch("COMMIT").unwrap();
        }
        assert_same_lines(&everything(&killed), &everything(&at_once));
        assert_same_lines(&killed.shown(MIGRATED), MIGRATED);
        assert_same_lines(&killed.shown(OTHERS), &others);
        assert_same_lines(&killed.shown(VERSION), &format!("{VERSION}\n2"));
        let store = killed.migrated().await;
        assert_same_lines(&changes::after(&*store, 18, 10_000).await.unwrap().into_lines(), CHANGES);
        // The tallies among them.
        for (name, scan) in store.queries().invariants {
            let exceptions = store.scan(scan).await.unwrap();
            assert!(exceptions.is_empty(), "{name}: {exceptions:?}");
        }
        let messages =
            store.query_one("SELECT sum(count) FROM tally WHERE unit = 'ever' AND what = 'status'", vec![]).await;
        assert_eq!(messages.unwrap().get::<i64>(0).unwrap(), killed.integer("SELECT count(*) FROM message"));
        store.close().await;
    }
}

#[tokio::test]
async fn tables_that_are_being_brought_over_are_refused_without_the_right_to_change_them() {
    let filled = Filled::new("");
    let mut chunks = 0;
    while advance_once(&filled, CHUNK, "COMMIT").is_some() {
        chunks += 1;
        // What a receiver of 0.2 compares with 1.
        assert_eq!(filled.integer("SELECT max(version) FROM schema_version"), 1002);
        let error = open_current(&filled.url(), None, false).await.err().unwrap();
        let expected = "a migration of the tables has not come to its end: run `receiver migrate`";
        assert_eq!(error.to_string(), expected);
    }
    assert!(chunks > Step::ALL.len(), "{chunks}");
    open_current(&filled.url(), None, false).await.unwrap().close().await;
}

#[tokio::test]
async fn a_migration_that_the_disk_has_no_room_for_goes_on_once_it_has() {
    let filled = Filled::new("");
    while advance_once(&filled, CHUNK, "COMMIT").is_some_and(|progress| progress.step != Step::Bodies) {}
    let pages = u32::try_from(filled.integer("PRAGMA page_count")).unwrap();
    let store = open(&filled.url(), Some(pages)).await.unwrap();
    assert_eq!(store.migrate().await, Err(StoreError::unavailable("database or disk is full")));
    store.close().await;
    filled.migrated().await.close().await;
    assert_same_lines(&filled.shown(MIGRATED), MIGRATED);
}

#[tokio::test]
async fn tables_of_version_1_are_refused_without_the_right_to_change_them() {
    let filled = Filled::new("");
    let error = open_current(&filled.url(), None, false).await.err().unwrap();
    assert_eq!(error.to_string(), "the tables have version 1, and this receiver works with 2: run `receiver migrate`");
    assert_eq!(filled.integer("SELECT version FROM schema_version"), 1);
}

#[tokio::test]
async fn a_retry_of_what_is_there_moves_nothing() {
    let filled = Filled::new("");
    let store = filled.migrated().await;
    let (mut added, mut moved) = (Vec::new(), Vec::new());
    for line in BODIES.lines() {
        let [stage, what, body] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let kept = sums(&commit(&*store, body).await);
        if kept.0 > 0 && stage == "new" {
            added.push(what);
        }
        if kept.1 > 0 {
            moved.push(what);
        }
    }
    assert_eq!(added, ["a flow whose purge was stopped before its step", "one second, one key in 0.2: lost"]);
    assert_eq!(
        moved,
        ["a reply, purged", "another kind, purged", "unreadable, purged", "one second, one key in 0.2: lost"]
    );
    store.close().await;
}

#[tokio::test]
async fn fresh_callbacks_move_what_they_are_newer_than() {
    let filled = Filled::new("");
    let store = filled.migrated().await;
    let status = |id, name, second| {
        let date = format!("2026-11-02T00:00:{second:02}Z");
        format!(r#"{{"trackingId":"{id}","status":{{"name":"{name}","updatedDate":"{date}"}}}}"#)
    };
    let flow = |id, name, second| {
        let date = format!("2026-11-02T00:00:{second:02}Z");
        format!(r#"{{"trackingId":"{id}","status":"{name}","originatingService":"Failover","updatedAt":"{date}"}}"#)
    };
    for (body, moved) in [
        (status("ordered", "QUEUED", 1), 0),
        (status("ordered", "DELIVERED", 1), 0),
        (status("digits-alone", "DELIVERED", 1), 1),
        (status("half-purged", "DELIVERED", 1), 0),
        (status("purged-seen", "QUEUED", 1), 0),
        (status("purged-queued", "DELIVERED", 1), 1),
        (status("purged-date", "FAILED", 1), 1),
        // What was sent is not known, only how 0.2 read it.
        (status("purged-misread", "DELIVERED", 1), 0),
        (status("purged-misread", "SEEN", 1), 1),
        (flow("flow-purged", "InProgress", 1), 1),
        (flow("flow-purged-undated", "Queued", 1), 1),
        (flow("flow-purged-raw", "InProgress", 1), 0),
        (flow("flow-half-purged", "InProgress", 1), 0),
        (flow("flow-early", "Queued", 1), 0),
        (flow("flow-failed", "Succeeded", 1), 1),
    ] {
        assert_eq!(sums(&commit(&*store, &body).await), (1, moved), "{body}");
    }
    assert_eq!(filled.status_of("message", "ordered"), "SEEN");
    assert_eq!(filled.status_of("message", "digits-alone"), "DELIVERED");
    assert_eq!(filled.status_of("flow", "flow-failed"), "Succeeded");
    store.close().await;
}

#[tokio::test]
async fn consumers_go_on_where_they_were() {
    let filled = Filled::new("");
    let store = filled.migrated().await;
    assert_same_lines(&changes::after(&*store, 18, 10_000).await.unwrap().into_lines(), CHANGES);
    commit(&*store, r#"{"trackingId":"next","status":"SEEN"}"#).await;
    let next = changes::after(&*store, 72, 10).await.unwrap().into_lines();
    assert!(next.starts_with(r#"{"change":73,"kind":"message","trackingId":"next","#), "{next}");
    store.close().await;
}

#[tokio::test]
async fn a_reply_whose_history_is_purged_stays() {
    let filled = Filled::new(r#"DELETE FROM history WHERE idempotency_key LIKE '["7",%'"#);
    filled.migrated().await.close().await;
    let found = filled.shown("SELECT idempotency_key, message FROM reply WHERE reference_tracking_id = '7'");
    let expected = "[\"7\",\"+306900000001\",\"2026-11-01T10:00:05Z\"] | a\tb";
    assert_eq!(found.lines().skip(1).collect::<Vec<_>>(), [expected]);
}

#[tokio::test]
async fn a_migration_that_fails_changes_nothing() {
    let filled = Filled::new("");
    // Without what is new.
    let all = [MIGRATED, OTHERS, VERSION]
        .join("\n")
        .replace(", overdue_at FROM flow", " FROM flow")
        .replace("SELECT number FROM purged", "SELECT purged FROM change_counter");
    let before = filled.shown(&all);
    let pages = u32::try_from(filled.integer("PRAGMA page_count")).unwrap() + 1;
    let store = open(&filled.url(), Some(pages)).await.unwrap();
    assert_eq!(store.migrate().await, Err(StoreError::unavailable("database or disk is full")));
    store.close().await;
    assert_same_lines(&filled.shown(&all), &before);
}

#[tokio::test]
async fn a_purge_afterwards_removes_no_change_that_is_not_old() {
    let filled = Filled::new("");
    let store = filled.migrated().await;
    // Of two of the changes nothing else is left. All were received on 2026-11-25.
    let now = "2026-11-26T00:00:00Z".parse().unwrap();
    let removed = purge(&*store, now, Ages::new(Duration::from_hours(48), None).unwrap()).await.unwrap();
    assert_eq!(removed[0], ("change", 0));
    assert_same_lines(&changes::after(&*store, 18, 10_000).await.unwrap().into_lines(), CHANGES);
    store.close().await;
}

#[tokio::test]
async fn more_rows_than_one_chunk_are_brought_over() {
    // Each message has its own row of history, but half of them; each of those has a rank of 0.2.
    let filled = Filled::new(
        r#"WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 2400)
           INSERT INTO message
           SELECT 'many ' || n, '210001793527201000000000015345454e0000', 'SEEN', NULL,
                  '{"name":"SEEN","updatedDate":"2026-11-01T10:00:01Z"}', n, NULL FROM many;
           INSERT INTO history (idempotency_key, kind, tracking_id, received_at, anomalies, body)
           SELECT '["' || tracking_id || '","SEEN","2026-11-01T10:00:01Z"]', 'status', tracking_id, changed_at, '',
                  CAST('{"trackingId":"' || tracking_id || '","status":' || status || '}' AS BLOB)
           FROM message WHERE tracking_id LIKE 'many %' AND changed_at <= 1200;"#,
    );
    filled.migrated().await.close().await;
    let ranks = "SELECT count(*) FROM message
                 WHERE tracking_id LIKE 'many %' AND lower(hex(rank)) = '2a10001793527201a0000000000a0a5345454e0000'";
    assert_eq!(filled.integer(ranks), 2400);
    assert_eq!(filled.integer("SELECT count(*) FROM history WHERE tracking_id LIKE 'many %'"), 1200);
    let found = filled.shown(MIGRATED);
    let found: Vec<_> = found.lines().filter(|line| !line.contains("many ")).collect();
    assert_same_lines(&found.join("\n"), MIGRATED);
}

#[test]
fn the_rank_of_a_flow_is_made_of_that_of_0_2() {
    let body = r#"{"trackingId":"f","status":"Succeeded","updatedAt":"2026-11-01T10:00:05Z","messages":[
        {"type":"Viber","trackingId":"m","status":{"name":"SEEN","updatedDate":"2026-11-01T10:00:03Z"}}]}"#;
    let rank = "110001793527205000000000005b2266222c22537563636565646564222c22323032362d31312d30315431303a30303a30355a22\
                2c5b226d222c6e756c6c2c6e756c6c2c225345454e222c22323032362d31312d30315431303a30303a30335a225d5d0000";
    let flow = FailoverCallback::from_slice(body.as_bytes()).unwrap();
    assert_eq!(rank_of_flow("f", "Succeeded", rank), flow.rank());
    // A rank of another form.
    let flow = FailoverCallback::new("f", FailoverStatus::Succeeded);
    for rank in ["", "x", &rank[..26], &rank[..50], "110001793527205000000000005b5d0000"] {
        assert_eq!(rank_of_flow("f", "Succeeded", rank), flow.rank(), "{rank}");
    }
}

#[test]
fn a_status_that_cannot_be_read_is_its_name() {
    assert_eq!(rank_of_message("m", "SEEN", "x"), Status::new(StatusName::Seen).rank());
}
