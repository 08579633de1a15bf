//! The store as the rest of the receiver sees it, on a SQLite file. The end-to-end tests do the same on PostgreSQL.

use std::path::Path;

use tempfile::TempDir;

use super::*;
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
    assert_eq!(*counts.of(Kind::Status), RowCount { given: 4, added: 3, advanced: 1 });
    let mut counts = store.commit(&[status("m", "FAILED", 9)]).await.unwrap();
    assert_eq!(*counts.of(Kind::Status), RowCount { given: 1, added: 1, advanced: 0 });
    let row = store.query("SELECT status_name, changed_at FROM message", vec![]).await.unwrap();
    assert_eq!((row[0].get::<&str>(0).unwrap(), row[0].get::<i64>(1).unwrap()), ("SEEN", 0));
    assert_eq!(integer(&*store, "SELECT number FROM change_counter").await, 1);
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
        "CREATE TRIGGER choosy BEFORE INSERT ON history WHEN NEW.tracking_id = 'bad'
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
        "ALTER TABLE reply RENAME TO old; CREATE TABLE reply (idempotency_key INTEGER PRIMARY KEY,
             reference_tracking_id TEXT, sender TEXT, recipient TEXT, message TEXT, media TEXT, sent_at INTEGER,
             received_at INTEGER) STRICT",
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
async fn a_url_names_its_database() {
    let error = open("mysql://localhost", None).await.err().unwrap();
    assert_eq!(error.to_string(), "the database URL must begin with sqlite: or postgres:");
}
