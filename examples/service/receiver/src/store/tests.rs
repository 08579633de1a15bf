//! The store as the rest of the receiver sees it, on a SQLite file. The end-to-end tests do the same on PostgreSQL.

use std::path::Path;

use chrono::DateTime;
use routee_viber::TrackedMessage;
use tempfile::TempDir;

use super::*;
use crate::admin::changes::{self, Changes};
use crate::admin::messages::{HistoryRow, MessageDetails};
use crate::entry::Kind;
use crate::isolation;
use crate::store::batch::{RowCount, canaries};
use crate::store::error::Cause;
use crate::store::fake::{entry, open_in, url_in};
use crate::store::open::{open, open_current};

fn status(id: &str, name: &str, second: u32) -> Arc<Entry> {
    entry(&format!(
        r#"{{"trackingId":"{id}","status":{{"name":"{name}","updatedDate":"2026-11-01T00:00:{second:02}Z"}}}}"#
    ))
}

async fn integer(store: &dyn Store, sql: &str) -> i64 {
    store.query(sql, vec![]).await.unwrap()[0].get::<i64>(0).unwrap()
}

#[tokio::test]
async fn of_one_batch_the_highest_rank_moves_the_message() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    let batch = [status("m", "SEEN", 1), status("m", "DELIVERED", 2), status("m", "QUEUED", 3), status("m", "SEEN", 1)];
    let mut counts = store.commit(&batch).await.unwrap();
    assert_eq!(*counts.of(Kind::Status), RowCount { given: 4, added: 3, advanced: 1, variants: 0 });
    let mut counts = store.commit(&[status("m", "FAILED", 9)]).await.unwrap();
    assert_eq!(*counts.of(Kind::Status), RowCount { given: 1, added: 1, advanced: 0, variants: 0 });
    let row = store.query("SELECT status_name, changed_at FROM message", vec![]).await.unwrap();
    assert_eq!((row[0].get::<&str>(0).unwrap(), row[0].get::<i64>(1).unwrap()), ("SEEN", 0));
    assert_eq!(integer(&*store, "SELECT number FROM change_counter").await, 1);
    store.close().await;
}

/// The same change of the same message, and why.
fn because(reason: &str) -> Arc<Entry> {
    let status = format!(r#"{{"name":"FAILED","updatedDate":"2026-11-01T00:00:00Z","reason":"{reason}"}}"#);
    entry(&format!(r#"{{"trackingId":"m","status":{status}}}"#))
}

/// What `history` has of one message, as the page shows it: the reason of each status, and whether it is a variant.
async fn shown(store: &dyn Store) -> Vec<(String, bool)> {
    let history = MessageDetails::find(store, "m").await.unwrap().unwrap().history;
    let reason = |row: &HistoryRow| row.status["reason"]["detailedStatus"].as_str().unwrap_or("").to_owned();
    history.iter().map(|row| (reason(row), row.is_variant)).collect()
}

#[tokio::test]
async fn a_variant_is_kept_once_and_moves_nothing() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    let [first, variant, duplicate] = [(1, 0, 1), (0, 1, 0), (0, 0, 0)];
    for (reason, (added, variants, advanced)) in
        [("a", first), ("a", duplicate), ("b", variant), ("b", duplicate), ("a", duplicate), ("c", variant)]
    {
        let mut counts = store.commit(&[because(reason)]).await.unwrap();
        assert_eq!(*counts.of(Kind::Status), RowCount { given: 1, added, advanced, variants }, "{reason}");
    }
    let mut found = shown(&*store).await;
    found[1..].sort();
    assert_eq!(found, [("a".to_owned(), false), ("b".to_owned(), true), ("c".to_owned(), true)]);
    let row = store.query("SELECT status_name, reason FROM message", vec![]).await.unwrap();
    assert_eq!((row[0].get::<&str>(0).unwrap(), row[0].get::<&str>(1).unwrap()), ("FAILED", "a"));
    let Changes::Lines(changes) = changes::after(&*store, 0, 10).await.unwrap() else { panic!("no lines") };
    assert!(changes.lines().count() == 1 && changes.contains(r#""detailedStatus":"a""#), "{changes}");
    store.close().await;
}

#[tokio::test]
async fn the_status_of_a_message_is_that_of_the_delivery_that_moved_it() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    store.commit(&[entry(r#"{"trackingId":"m","status":"FAILED"}"#)]).await.unwrap();
    // The same status with a reason, which has a key of its own, as a step of a flow.
    let step = r#"{"type":"Viber","trackingId":"m","status":{"name":"FAILED","reason":"Opted Out"}}"#;
    store.commit(&[entry(&format!(r#"{{"trackingId":"f","status":"Failed","messages":[{step}]}}"#))]).await.unwrap();
    let found = MessageDetails::find(&*store, "m").await.unwrap().unwrap();
    assert_eq!((found.status, found.history.len()), (serde_json::json!({ "name": "FAILED" }), 2));
    store.close().await;
}

#[tokio::test]
async fn variants_of_one_batch_are_kept_once() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    let batch = ["a", "b", "a", "c", "b"].map(because);
    let mut counts = store.commit(&batch).await.unwrap();
    assert_eq!(*counts.of(Kind::Status), RowCount { given: 5, added: 1, advanced: 1, variants: 2 });
    let mut counts = store.commit(&["c", "d", "a", "d"].map(because)).await.unwrap();
    assert_eq!(*counts.of(Kind::Status), RowCount { given: 4, added: 0, advanced: 0, variants: 1 });
    let mut found = shown(&*store).await;
    assert_eq!(found[0], ("a".to_owned(), false));
    found.sort();
    assert_eq!(found[1..], ["b", "c", "d"].map(|reason| (reason.to_owned(), true)));
    let Changes::Lines(changes) = changes::after(&*store, 0, 10).await.unwrap() else { panic!("no lines") };
    assert!(changes.lines().count() == 1 && changes.contains(r#""detailedStatus":"a""#), "{changes}");
    store.close().await;
}

#[tokio::test]
async fn replies_and_flows_have_variants() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    let reply = |more| format!(r#"{{"from":"1","message":"x","sentDate":"2026-11-01T00:00:00Z"{more}}}"#);
    let flow = |more| {
        let step = format!(r#"{{"type":"Viber","trackingId":"m","status":"FAILED"{more}}}"#);
        format!(r#"{{"trackingId":"f","status":"Failed","messages":[{step}]}}"#)
    };
    for more in ["", r#","label":"later""#, ""] {
        store.commit(&[entry(&reply(more)), entry(&flow(more))]).await.unwrap();
    }
    let rows = store.query("SELECT kind, is_variant FROM history ORDER BY kind, is_variant", vec![]).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect();
    assert_eq!(rows, [("flow", 0), ("flow", 1), ("reply", 0), ("reply", 1), ("step", 0), ("step", 1)]);
    assert_eq!(integer(&*store, "SELECT count(*) FROM reply").await, 1);
    assert_eq!(integer(&*store, "SELECT number FROM change_counter").await, 3);
    store.close().await;
}

#[tokio::test]
async fn an_answer_of_the_api_is_no_variant_but_a_callback_after_it_is() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    let tracked = |id| {
        let body = format!(r#"{{"trackingId":"{id}","status":{{"status":"SEEN","date":"2026-11-01T00:00:01Z"}}}}"#);
        let message = TrackedMessage::from_slice(body.as_bytes());
        Arc::new(Entry::tracked(message, body.into(), DateTime::UNIX_EPOCH))
    };
    let callback = |id| {
        let status = r#"{"name":"SEEN","updatedDate":"2026-11-01T00:00:01Z"}"#;
        entry(&format!(r#"{{"trackingId":"{id}","to":"1","status":{status}}}"#))
    };
    for entries in
        [[callback("callback first"), tracked("callback first")], [tracked("answer first"), callback("answer first")]]
    {
        for entry in entries {
            store.commit(&[entry]).await.unwrap();
        }
    }
    let rows =
        store.query("SELECT tracking_id, kind, is_variant FROM history ORDER BY 1 DESC, 3", vec![]).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap())).collect();
    let expected = [("callback first", "status", 0), ("answer first", "tracked", 0), ("answer first", "status", 1)];
    assert_eq!(rows, expected);
    store.close().await;
}

#[tokio::test]
async fn every_kind_has_its_table() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    for _ in 0..2 {
        store.commit(&canaries()).await.unwrap();
    }
    for (table, rows) in
        [("history", 4), ("message", 1), ("flow", 1), ("reply", 1), ("other", 1), ("unreadable", 1), ("change", 3)]
    {
        assert_eq!(integer(&*store, &format!("SELECT count(*) FROM {table}")).await, rows, "{table}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_check_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    store.check().await.unwrap();
    for table in ["history", "message", "flow", "reply", "other", "unreadable", "change"] {
        assert_eq!(integer(&*store, &format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(integer(&*store, "SELECT number FROM change_counter").await, 0);
    store.close().await;
}

#[tokio::test]
async fn closing_leaves_the_file_alone() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    store.commit(&[status("m", "SEEN", 1)]).await.unwrap();
    assert_eq!(integer(&*store, "SELECT count(*) FROM history").await, 1);
    store.close().await;
    let files: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, ["routee.db"]);
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_space_again() {
    let directory = TempDir::new().unwrap();
    let store = open_current(&url_in(&directory), Some(60), true).await.unwrap();
    let mut committed = 0;
    let error = loop {
        let batch: Vec<_> = (0..20).map(|place| status(&format!("{committed}-{place}"), "SEEN", 1)).collect();
        match store.commit(&batch).await {
            Ok(_) => committed += 20,
            Err(error) => break error,
        }
    };
    assert_eq!(error, StoreError::unavailable("database or disk is full"));
    // From now on a commit may fail or not, but what is committed is there as a whole.
    for attempt in 0..50 {
        if store.commit(&[status(&format!("small-{attempt}"), "SEEN", 1)]).await.is_ok() {
            committed += 1;
        }
    }
    assert_eq!(integer(&*store, "SELECT count(*) FROM history").await, committed);
    assert_eq!(integer(&*store, "SELECT count(*) FROM message").await, committed);
    assert_eq!(integer(&*store, "SELECT number FROM change_counter").await, committed);
    store.close().await;

    let store = open_in(&directory).await;
    store.commit(&[status("last", "SEEN", 1)]).await.unwrap();
    assert_eq!(integer(&*store, "SELECT count(*) FROM history").await, committed + 1);
    store.close().await;
}

/// Makes a table refuse something, behind the back of the receiver.
fn alter(directory: &Path, sql: &str) {
    rusqlite::Connection::open(directory.join("routee.db")).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_body_that_the_database_refuses_goes_aside_alone() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    alter(
        directory.path(),
        "CREATE TRIGGER choosy BEFORE INSERT ON message WHEN NEW.tracking_id = 'bad'
         BEGIN SELECT raise(ABORT, 'not this one'); END",
    );
    let batch: Vec<_> = (0..40).map(|place| status(if place == 20 { "bad" } else { "good" }, "SEEN", place)).collect();
    let result = isolation::commit(&*store, &batch).await;
    assert_eq!(result.is_committed, [true; 40]);
    assert_eq!(integer(&*store, "SELECT count(*) FROM history").await, 39);
    let aside = store.query("SELECT reason, body FROM unreadable", vec![]).await.unwrap();
    assert_eq!(
        (aside[0].get::<&str>(0).unwrap(), aside[0].get::<&[u8]>(1).unwrap()),
        ("not this one", &*batch[20].body)
    );
    store.close().await;
}

#[tokio::test]
async fn a_changed_column_refuses_and_puts_nothing_aside() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    alter(
        directory.path(),
        "ALTER TABLE reply RENAME TO old; CREATE TABLE reply (number INTEGER, idempotency_key INTEGER PRIMARY KEY, key TEXT,
             reference_tracking_id TEXT, sender TEXT, recipient TEXT, message TEXT, media TEXT, sent_at INTEGER,
             received_at INTEGER, campaign INTEGER, hour INTEGER) STRICT",
    );
    let reply = entry(r#"{"from":"1","message":"x","sentDate":"2026-11-01T00:00:00Z"}"#);
    let result = isolation::commit(&*store, &[status("m", "SEEN", 1), reply]).await;
    assert_eq!(result.is_committed, [true, false]);
    assert_eq!(result.causes, [Cause::Data; 2]);
    assert_eq!(integer(&*store, "SELECT count(*) FROM unreadable").await, 0);
    store.close().await;
}

#[tokio::test]
async fn tables_of_another_version_are_known() {
    let directory = TempDir::new().unwrap();
    let url = url_in(&directory);
    let store = open(&url, None).await.unwrap();
    assert_eq!(store.version().await, Ok(0));
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(store.version().await, Ok(VERSION));
    store.close().await;

    alter(directory.path(), "UPDATE schema_version SET version = 3");
    for may_migrate in [true, false] {
        let error = open_current(&url, None, may_migrate).await.err().unwrap();
        let expected = "the tables have version 3, and this receiver works with 2: a newer receiver made them";
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_made_only_with_its_tables() {
    let directory = TempDir::new().unwrap();
    let url = url_in(&directory);
    let error = open_current(&url, None, false).await.err().unwrap();
    let path = directory.path().join("routee.db");
    let expected = format!("there is no database {}: `receiver migrate` would make one", path.display());
    assert_eq!(error.to_string(), expected);
    assert!(!path.exists());
    open_current(&url, None, true).await.unwrap().close().await;
    open_current(&url, None, false).await.unwrap().close().await;
}

#[tokio::test]
async fn a_url_names_its_database() {
    let error = open("mysql://localhost", None).await.err().unwrap();
    assert_eq!(error.to_string(), "the database URL must begin with sqlite: or postgres:");
}
