//! Who else reads SQLite's file: somebody who does not end, and a backup, from which the receiver goes on.

use std::fs;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use anyhow::{Context as _, Result, ensure};
use rusqlite::Connection;
use serde_json::json;
use tokio::task::JoinSet;

use crate::database::Database;
use crate::operations::run;
use crate::postgres::Postgres;
use crate::processes::{Receiver, until};
use crate::setup::{Directory, serve_on_sqlite};
use crate::stored::Stored;

/// From how many bytes on the WAL is emptied.
const LARGE: u64 = 64 << 20;

#[tokio::test]
async fn beside_a_reader_that_does_not_end_the_wal_grows_and_a_warning_says_so() -> Result<()> {
    let (directory, _database, receiver) = serve_on_sqlite(&[]).await?;
    let wal = directory.path().join("routee.db-wal");
    let length = || anyhow::Ok(fs::metadata(&wal)?.len());
    let body = |number: u32| {
        json!({ "trackingId": number.to_string(), "status": "SEEN", "label": "x".repeat(60_000) }).to_string()
    };
    ensure!(receiver.post(body(0)).await? == 200);
    let reader = Connection::open(directory.path().join("routee.db"))?;
    reader.execute_batch("BEGIN")?;
    let count = || reader.query_row("SELECT count(*) FROM history", [], |row| row.get::<_, i64>(0));
    ensure!(count()? == 1);

    let mut number = 0;
    while length()? <= LARGE {
        let mut posting = JoinSet::new();
        for _ in 0..32 {
            number += 1;
            let request = receiver.client.post(format!("{}/callbacks", receiver.url)).body(body(number));
            posting.spawn(async move { request.send().await.map(|answer| answer.status().as_u16()) });
        }
        while let Some(code) = posting.join_next().await {
            ensure!(code?? == 200);
        }
    }
    let said = "MB and goes on growing, because somebody reads the database since ";
    until("it warns", async || Ok(receiver.log().contains(said))).await?;
    ensure!(count()? == 1 && length()? > LARGE);
    ensure!(receiver.metric("routee_sqlite_wal_bytes").await? == length()?);

    reader.execute_batch("COMMIT")?;
    until("the WAL is empty", async || Ok(length()? == 0)).await?;
    until("the metric says so", async || Ok(receiver.metric("routee_sqlite_wal_bytes").await? == 0)).await?;
    ensure!(receiver.log().matches(said).count() == 1, "{}", receiver.log());
    ensure!(receiver.post(body(number + 1)).await? == 200);
    ensure!(count()? == i64::from(number) + 2);
    receiver.terminate().await
}

#[tokio::test]
async fn a_backup_has_what_was_answered_200_and_the_receiver_goes_on_from_it() -> Result<()> {
    let (directory, database, receiver) = serve_on_sqlite(&[]).await?;
    let file = directory.path().join("copy.db");
    let backup = ["backup", file.to_str().context("no text")?];

    let answered = AtomicI64::new(0);
    let post = async || {
        let next = answered.load(Relaxed);
        ensure!(
            receiver.post(json!({ "trackingId": format!("{next:06}"), "status": "SEEN" }).to_string()).await? == 200
        );
        answered.store(next + 1, Relaxed);
        Ok(())
    };
    for _ in 0..200 {
        post().await?;
    }
    let before = answered.load(Relaxed);
    let copying = run(&database, &backup);
    tokio::pin!(copying);
    let copied = loop {
        tokio::select! {
            copied = &mut copying => break copied?,
            posted = post() => posted?,
        }
    };
    ensure!(copied.status.success() && copied.stdout.is_empty() && copied.stderr.is_empty(), "{copied:?}");
    let copy = Database::Sqlite(file.clone());
    ensure!(copy.rows("PRAGMA integrity_check").await? == [["ok"]]);
    let messages = Stored::read(&copy).await?.messages;
    let last = messages.last_key_value().context("no messages")?.0.parse::<i64>()?;
    ensure!(
        i64::try_from(messages.len())? == last + 1 && last + 1 >= before,
        "{} messages, {before} before",
        messages.len()
    );
    ensure!(!directory.path().join("copy.db-wal").exists() && !directory.path().join("copy.db-journal").exists());

    let again = run(&database, &backup).await?;
    let said = String::from_utf8_lossy(&again.stderr);
    let expected = format!("Error: cannot create {}\n\nCaused by:\n    File exists (os error 17)\n", file.display());
    ensure!(!again.status.success() && said == expected, "{said}");
    ensure!(Stored::read(&copy).await?.messages.len() == messages.len());

    // As the README says. Whatever was committed since is gone, and so are its numbers.
    post().await?;
    let newest = receiver.get("/changes?after=0&limit=10000").await?.lines().count();
    receiver.terminate().await?;
    for old in ["routee.db-wal", "routee.db-shm"] {
        ensure!(!directory.path().join(old).exists());
    }
    fs::copy(&file, directory.path().join("routee.db"))?;
    let receiver = Receiver::start(&directory, &database, &[]).await?;
    ensure!(receiver.ask(&format!("/changes?after={newest}")).await?.status() == 410);
    ensure!(receiver.get("/changes?after=0&limit=10000").await?.lines().count() == messages.len());
    ensure!(receiver.post(r#"{"trackingId":"next","status":"SEEN"}"#).await? == 200);
    ensure!(Stored::read(&database).await?.messages.len() == messages.len() + 1);
    receiver.terminate().await
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_with_a_reason() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let database = Database::sqlite(&directory);
    let path = directory.path().join("routee.db").display().to_string();
    let copy = directory.path().join("copy.db");
    let copy = copy.to_str().context("no text")?;
    let refused = async |database: &Database, copy: &str| {
        let refused = run(database, &["backup", copy]).await?;
        ensure!(!refused.status.success());
        anyhow::Ok(String::from_utf8(refused.stderr)?)
    };

    let said = refused(&postgres.database, copy).await?;
    ensure!(said == "Error: this copies a SQLite database; for PostgreSQL, use pg_dump\n", "{said}");
    let said = refused(&database, copy).await?;
    let expected = format!("Error: cannot read {path}\n\nCaused by:\n    0: unable to open database file: {path}\n");
    ensure!(said.starts_with(&expected), "{said}");
    database.run("CREATE TABLE another (id)").await?;
    let said = refused(&database, copy).await?;
    ensure!(said == format!("Error: {path} has no tables of the receiver\n"), "{said}");
    ensure!(run(&database, &["migrate"]).await?.status.success());
    let said = refused(&database, &format!("{copy}/none/copy.db")).await?;
    let expected =
        format!("Error: cannot create {copy}/none/copy.db\n\nCaused by:\n    No such file or directory (os error 2)\n");
    ensure!(said == expected, "{said}");
    ensure!(!directory.path().join("copy.db").exists());
    Ok(())
}
