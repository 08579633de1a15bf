//! What is run beside the receiver: `migrate` and `purge`.

use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::database::Database;
use crate::postgres::Postgres;
use crate::processes::{Receiver, binary};
use crate::setup::Directory;

/// Runs it to its end.
pub async fn run(database: &Database, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary("receiver").await?);
    command.env("RUST_BACKTRACE", "0");
    Ok(command.args(arguments).args(["--log=warn", "--database-url", &database.url()]).output().await?)
}

#[tokio::test]
async fn a_purge_removes_old_rows_and_no_status() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for database in [&Database::sqlite(&directory), &postgres.database] {
        let receiver = Receiver::start(&directory, database, &[]).await?;
        for number in 1..=3 {
            let body = json!({ "trackingId": format!("old {number}"), "status": "DELIVERED" });
            ensure!(receiver.post(body.to_string()).await? == 200);
        }
        ensure!(receiver.post("broken").await? == 200);
        database.make_older_by_days(3).await?;
        ensure!(receiver.post(r#"{"trackingId":"new","status":"SEEN"}"#).await? == 200);

        let refused = run(database, &["purge", "--older-than=40h"]).await?;
        let said = String::from_utf8_lossy(&refused.stderr);
        ensure!(!refused.status.success() && said.contains("at least 1day 16h 3m 30s"), "{said}");
        ensure!(run(database, &["purge", "--older-than=2d"]).await?.status.success());

        let gone = receiver.ask("/changes?after=0").await?;
        ensure!(gone.status() == 410);
        let gone: Value = serde_json::from_str(&gone.text().await?)?;
        ensure!(gone["oldest"] == 4, "{gone}");
        let change: Value = serde_json::from_str(receiver.get("/changes?after=3").await?.trim_end())?;
        ensure!(change["change"] == 4 && change["trackingId"] == "new", "{change}");
        let message: Value = serde_json::from_str(&receiver.get("/messages/old%201").await?)?;
        ensure!(message["status"]["name"] == "DELIVERED" && message["history"] == json!([]), "{message}");
        ensure!(database.number("SELECT count(*) FROM history").await? == 1);
        ensure!(database.number("SELECT count(*) FROM unreadable").await? == 0);
        receiver.terminate().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_purge_waits_for_whoever_writes() -> Result<()> {
    let directory = Directory::new().await?;
    let database = Database::sqlite(&directory);
    ensure!(run(&database, &["migrate"]).await?.status.success());
    let writer = Connection::open(directory.path().join("routee.db"))?;
    writer.execute_batch("INSERT INTO other VALUES ('digest', 'old', 0, x'00'); BEGIN IMMEDIATE")?;

    let mut purge = Command::new(binary("receiver").await?);
    purge.args(["purge", "--older-than=2d", "--log=debug", "--database-url", &database.url()]);
    let mut purge = purge.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut log = BufReader::new(purge.stderr.take().context("no log")?).lines();
    // It has waited as long as a callback could.
    while !log.next_line().await?.context("it gave up")?.contains("is asked again in 100 ms: database is locked") {}
    writer.execute_batch("COMMIT")?;
    let purged = purge.wait_with_output().await?;
    ensure!(purged.status.success() && String::from_utf8(purged.stdout)?.contains("other: 1 removed\n"));
    Ok(())
}

#[tokio::test]
async fn serving_needs_no_right_to_make_tables() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let owner = &postgres.database;
    owner.run("CREATE ROLE server LOGIN").await?;
    let server = Database::Postgres(owner.url().replace("routee@", "server@"));

    let serve = ["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--no-migrate"];
    let ended = run(&server, &serve).await?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(!ended.status.success() && said.contains("receiver migrate"), "{said}");

    // Twice, since it is run before every start.
    for _ in 0..2 {
        let migrated = run(owner, &["migrate"]).await?;
        ensure!(migrated.status.success(), "{migrated:?}");
    }
    owner.run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO server").await?;
    let receiver = Receiver::start(&directory, &server, &["--no-migrate"]).await?;
    ensure!(receiver.post(r#"{"trackingId":"1","status":"SEEN"}"#).await? == 200);
    ensure!(receiver.get("/messages/1").await?.contains("SEEN"));
    receiver.terminate().await
}
