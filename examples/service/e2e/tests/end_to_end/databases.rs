//! A database that is away, slow, full, locked, or not as it was.

use std::time::Duration;

use anyhow::{Result, ensure};
use chrono::Utc;
use e2e::proxy::Proxy;
use rusqlite::Connection;
use tokio::process::Command;
use tokio::time::timeout;

use crate::database::{Database, connect};
use crate::postgres::{Postgres, database};
use crate::processes::{PATIENCE, Receiver, Sender, binary, until};
use crate::setup::{Directory, serve_on_postgres, serve_on_sqlite};
use crate::stored::Stored;

const LOAD: [&str; 4] = ["--messages=4000", "--speed-up=3000", "--connections=64", "--malformed=0.01"];

/// What may still be answered 200 after something was done to the database: what was committed before.
const SLACK: Duration = Duration::from_millis(100);

#[tokio::test]
async fn callbacks_are_refused_while_postgresql_is_away() -> Result<()> {
    let (directory, postgres, receiver) = serve_on_postgres(&[]).await?;

    let sender = Sender::start(&directory, "sender", &[&receiver.url], &LOAD).await?;
    until("some are stored", async || Ok(postgres.database.count().await? >= 500)).await?;
    postgres.stop().await?;
    let stopped = Utc::now();
    until("many are refused", async || Ok(receiver.refused().await? >= 300)).await?;
    ensure!(receiver.ask("/readyz").await?.status() == 503);
    ensure!(receiver.ask("/healthz").await?.status() == 200);
    let starting = Utc::now();
    postgres.start_again().await?;

    let sent = sender.finish().await?;
    ensure!(sent.answered_200_between(stopped + SLACK, starting) == 0);
    ensure!(sent.unanswered() == 0, "some were not answered within 2 s");
    Stored::read(&postgres.database).await?.is_what_was(&sent)?;
    // The answer is remembered for a while.
    until("it is ready again", async || Ok(receiver.ask("/readyz").await?.status() == 200)).await?;
    receiver.terminate().await
}

#[tokio::test]
async fn what_was_answered_200_survives_a_crash_of_a_postgresql_that_does_not_wait_for_its_disk() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for setting in ["synchronous_commit = off", "wal_writer_delay = 10000"] {
        postgres.database.run(&format!("ALTER SYSTEM SET {setting}")).await?;
    }
    postgres.database.run("SELECT pg_reload_conf()").await?;
    let receiver = Receiver::start(&directory, &postgres.database, &[]).await?;
    for id in 0..20 {
        ensure!(receiver.post(format!(r#"{{"trackingId":"{id}","status":"SEEN"}}"#)).await? == 200);
    }
    postgres.stop().await?;
    postgres.start_again().await?;
    ensure!(postgres.database.count().await? == 20);
    receiver.terminate().await
}

#[tokio::test]
async fn callbacks_are_refused_while_a_far_database_is_silent() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let proxy = Proxy::start(0, postgres.port, Duration::from_millis(25)).await?;
    let receiver = Receiver::start(&directory, &database("postgres", proxy.port), &[]).await?;

    let far = Sender::start(&directory, "far", &[&receiver.url], &["--messages=4000", "--connections=256"]).await?;
    let sent = far.finish().await?;
    Stored::read(&postgres.database).await?.is_what_was(&sent)?;

    let sender = Sender::start(&directory, "silent", &[&receiver.url], &LOAD).await?;
    let count = postgres.database.count().await?;
    until("more are stored", async || Ok(postgres.database.count().await? >= count + 500)).await?;
    proxy.freeze();
    let frozen = Utc::now();
    let refused = receiver.refused().await?;
    until("many are refused", async || Ok(receiver.refused().await? >= refused + 300)).await?;
    let thawing = Utc::now();
    proxy.thaw();

    let more = sender.finish().await?;
    ensure!(more.answered_200_between(frozen + SLACK, thawing) == 0);
    ensure!(more.unanswered() == 0, "some were not answered within 2 s");
    Stored::read(&postgres.database).await?.is_what_was(&sent.and(more))?;
    receiver.terminate().await
}

#[tokio::test]
async fn callbacks_are_refused_while_a_disk_hangs() -> Result<()> {
    let (directory, database, receiver) = serve_on_sqlite(&["--queue=32"]).await?;

    // At a rate, since whoever is refused at once could be refused twelve times in a moment.
    let arguments = ["--messages=2000", "--speed-up=3000", "--connections=64", "--rate=400"];
    let sender = Sender::start(&directory, "sender", &[&receiver.url], &arguments).await?;
    until("some are stored", async || Ok(database.count().await? >= 500)).await?;
    let disk = Connection::open(directory.path().join("routee.db"))?;
    disk.busy_timeout(PATIENCE)?;
    disk.execute_batch("BEGIN IMMEDIATE")?;
    let locked = Utc::now();
    let long_enough = locked + Duration::from_secs(3);
    until("many are refused", async || Ok(receiver.refused().await? >= 300 && Utc::now() > long_enough)).await?;
    ensure!(receiver.metric("routee_refused_total{reason=\"queue_full\"}").await? > 0);
    let unlocking = Utc::now();
    disk.execute_batch("ROLLBACK")?;

    let sent = sender.finish().await?;
    ensure!(sent.answered_200_between(locked + SLACK, unlocking) == 0);
    ensure!(sent.unanswered() == 0, "some were not answered within 2 s");
    Stored::read(&database).await?.is_what_was(&sent)?;
    receiver.terminate().await
}

#[tokio::test]
async fn callbacks_are_refused_while_a_disk_is_full() -> Result<()> {
    let directory = Directory::new().await?;
    let database = Database::sqlite(&directory);
    let migrate = Command::new(binary("receiver").await?).args(["migrate", "--database-url", &database.url()]).status();
    ensure!(migrate.await?.success());
    database.run("CREATE TABLE ballast AS SELECT zeroblob(40000000) AS bytes").await?;
    let pages = database.number("PRAGMA page_count").await? + 100;
    let receiver = Receiver::start(&directory, &database, &[&format!("--max-pages={pages}")]).await?;

    let sender = Sender::start(&directory, "sender", &[&receiver.url], &LOAD).await?;
    until("many are refused", async || Ok(receiver.refused().await? >= 300)).await?;
    ensure!(database.count().await? > 0, "there was no room at all");
    let is_ready = async || Ok(receiver.ask("/readyz").await?.status() == 200);
    // What is too little for a batch may be enough for one callback, and for those with which readiness is tried.
    let mut alone = 0;
    let is_full = async || {
        alone += 1;
        receiver.post(format!(r#"{{"trackingId":"alone {alone}","status":"SEEN"}}"#)).await?;
        Ok(!is_ready().await?)
    };
    until("it says that it is not ready", is_full).await?;
    database.run("DROP TABLE ballast").await?;
    until("it says that it is ready", is_ready).await?;

    let sent = sender.finish().await?;
    ensure!(sent.unanswered() == 0, "some were not answered within 2 s");
    let without_those_alone = async || {
        let mut stored = Stored::read(&database).await?;
        stored.messages.retain(|id, _| !id.starts_with("alone"));
        stored.keys.retain(|key| !key.contains("alone"));
        anyhow::Ok(stored)
    };
    without_those_alone().await?.is_what_was(&sent)?;
    let more = Sender::start(&directory, "more", &[&receiver.url], &["--messages=500"]).await?.finish().await?;
    ensure!(more.all_answered_200(), "it has not recovered");
    without_those_alone().await?.is_what_was(&sent.and(more))?;
    receiver.terminate().await
}

#[tokio::test]
async fn one_locked_message_does_not_hold_up_the_rest() -> Result<()> {
    let (directory, postgres, receiver) = serve_on_postgres(&[]).await?;
    let locked = r#"{"trackingId":"locked","status":"QUEUED"}"#;
    ensure!(receiver.post(locked).await? == 200);

    let holder = connect(&postgres.database.url()).await?;
    holder.batch_execute("BEGIN; SELECT * FROM message WHERE tracking_id = 'locked' FOR UPDATE").await?;
    let sender = Sender::start(&directory, "sender", &[&receiver.url], &["--messages=300", "--speed-up=3000"]).await?;
    let newer = r#"{"trackingId":"locked","status":{"name":"SEEN","updatedDate":"2026-11-23T10:00:00Z"}}"#;
    ensure!(receiver.post(newer).await? == 503);
    let sent = sender.finish().await?;
    ensure!(sent.unanswered() == 0, "some were not answered within 2 s");

    holder.batch_execute("ROLLBACK").await?;
    until("it is taken", async || Ok(receiver.post(newer).await? == 200)).await?;
    let mut stored = Stored::read(&postgres.database).await?;
    ensure!(stored.messages.remove("locked").as_deref() == Some("SEEN"));
    ensure!(stored.messages == sent.messages);
    receiver.terminate().await
}

/// A changed column refuses every row as if the row were at fault.
#[tokio::test]
async fn a_changed_column_refuses_callbacks_and_sets_nothing_aside() -> Result<()> {
    let (_directory, postgres, receiver) = serve_on_postgres(&[]).await?;
    let body = |number| format!(r#"{{"trackingId":"{number}","status":"QUEUED"}}"#);
    ensure!(receiver.post(body(0)).await? == 200);

    let database = &postgres.database;
    database.run("ALTER TABLE message ALTER COLUMN status_name TYPE varchar(6)").await?;
    database.run("ALTER TABLE message ADD CONSTRAINT nothing CHECK (false) NOT VALID").await?;
    for number in 1..4 {
        ensure!(receiver.post(body(number)).await? == 503);
    }
    database.run("ALTER TABLE message DROP CONSTRAINT nothing").await?;
    until("it goes on", async || Ok(receiver.post(body(1)).await? == 200)).await?;
    database.run("ALTER TABLE message ALTER COLUMN status_name TYPE text").await?;
    until("it goes on", async || Ok(receiver.post(body(2)).await? == 200)).await?;
    let stored = Stored::read(database).await?;
    ensure!(stored.messages.into_keys().eq(["0", "1", "2"]) && stored.unreadable.is_empty());
    receiver.terminate().await
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let create = "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    postgres.database.run(create).await?;
    let mut command = Command::new(binary("receiver").await?);
    let latin = database("latin", postgres.port).url();
    command.args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--database-url", &latin]);
    let ended = timeout(PATIENCE, command.kill_on_drop(true).output()).await??;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(!ended.status.success() && said.contains("LATIN1") && said.contains("UTF8"), "{said}");
    Ok(())
}
