//! What is run beside the receiver, or by it: `migrate` and `purge`.

use std::fs;
use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::database::Database;
use crate::postgres::Postgres;
use crate::processes::{Receiver, Sender, binary, until};
use crate::sent::Sent;
use crate::setup::Directory;
use crate::stored::{Stored, same};

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

/// Counting goes on while a purge does. A receiver whose clock is behind commits what looks old to the purge at once.
#[tokio::test]
async fn what_is_not_counted_is_not_removed() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let database = &postgres.database;
    let receiver = Receiver::start(&directory, database, &[]).await?;
    for body in [
        r#"{"trackingId":"counted","status":"SEEN"}"#,
        r#"{"trackingId":"uncounted","status":"SEEN"}"#,
        r#"{"from":"1","message":"uncounted","sentDate":"2026-11-01T00:00:00Z"}"#,
    ] {
        ensure!(receiver.post(body).await? == 200);
    }
    receiver.terminate().await?;
    database.make_older_by_days(3).await?;
    let leave_uncounted = "
        UPDATE counted SET number = 1;
        CREATE FUNCTION leave() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER leave BEFORE UPDATE ON counted FOR EACH ROW EXECUTE FUNCTION leave()";
    for (prepare, removed) in [
        (leave_uncounted, ["change: 1 removed\n", "reply: 0 removed\n"]),
        ("DROP TRIGGER leave ON counted", ["change: 2 removed\n", "reply: 1 removed\n"]),
    ] {
        database.run(prepare).await?;
        let purged = String::from_utf8(run(database, &["purge", "--older-than=2d"]).await?.stdout)?;
        ensure!(removed.iter().all(|line| purged.contains(line)), "{purged}");
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

/// That many messages of one callback each, received three days ago, with bodies of 60 KB.
async fn store_long_old_messages(directory: &Directory, database: &Database, messages: u32) -> Result<Sent> {
    let receiver = Receiver::start(directory, database, &[]).await?;
    let arguments = [&format!("--messages={messages}"), "--status=SEEN", "--connections=16", "--seed=1"];
    let sent = Sender::start(directory, "old", &[&receiver.url], &arguments).await?.finish().await?;
    receiver.terminate().await?;
    database.make_older_by_days(3).await?;
    let lengthen = match database {
        Database::Sqlite(_) => "UPDATE change SET body = CAST(CAST(body AS TEXT) || printf('%60000s', '') AS BLOB)",
        Database::Postgres(_) => "UPDATE change SET body = body || convert_to(repeat(' ', 60000), 'UTF8')",
    };
    database.run(lengthen).await?;
    Ok(sent)
}

#[tokio::test]
async fn a_receiver_that_purges_by_itself_answers_every_callback() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for database in [&Database::sqlite(&directory), &postgres.database] {
        let old = store_long_old_messages(&directory, database, 2000).await?;
        let receiver = Receiver::start(&directory, database, &["--keep=2d"]).await?;
        let arguments = ["--messages=2000", "--connections=16", "--speed-up=100000", "--duplicates=0.1", "--seed=2"];
        let sent = Sender::start(&directory, "new", &[&receiver.url], &arguments).await?.finish().await?;
        ensure!(sent.all_answered_200());
        until("it has purged", async || Ok(receiver.metric("routee_purges_total").await? == 1)).await?;
        ensure!(receiver.metric("routee_purge_failures_total").await? == 0);
        receiver.terminate().await?;

        let stored = Stored::read(database).await?;
        same("keys", stored.keys.iter(), sent.keys.iter())?;
        same("messages", stored.messages.iter(), old.and(sent).messages.iter())?;
        ensure!(database.number("SELECT number FROM purged").await? == 2000);
    }
    Ok(())
}

#[tokio::test]
async fn a_purge_that_is_killed_goes_on_when_it_is_started_again() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for database in [&Database::sqlite(&directory), &postgres.database] {
        let old = store_long_old_messages(&directory, database, 1000).await?;
        let purge = ["purge", "--older-than=2d", "--database-url", &database.url()];
        let mut killed = Command::new(binary("receiver").await?);
        let mut killed = killed.args(purge).stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        let purged = async || database.number("SELECT number FROM purged").await;
        until("it has begun", async || Ok(purged().await? > 0)).await?;
        ensure!(killed.try_wait()?.is_none(), "it was too fast to be killed");
        killed.kill().await?;
        let (purged, left) = (purged().await?, database.number("SELECT count(*) FROM change").await?);
        ensure!(purged < 1000 && left == 1000 - purged, "{purged} are purged, {left} are left");

        let went_on = run(database, &["purge", "--older-than=2d"]).await?;
        ensure!(
            went_on.status.success()
                && String::from_utf8(went_on.stdout)?.contains(&format!("change: {left} removed\n"))
        );
        ensure!(database.count().await? == 0);
        same("messages", Stored::read(database).await?.messages.iter(), old.messages.iter())?;
    }
    Ok(())
}

#[tokio::test]
async fn messages_are_forgotten_and_stay_counted() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for database in [&Database::sqlite(&directory), &postgres.database] {
        let receiver = Receiver::start(&directory, database, &[]).await?;
        ensure!(receiver.post(r#"{"trackingId":"old","status":"SEEN"}"#).await? == 200);
        receiver.terminate().await?;
        database.make_older_by_days(5).await?;
        database.run("UPDATE message SET changed_at = changed_at - 5 * 86400000").await?;
        let refused = run(database, &["serve", "--keep=3d", "--forget=2d"]).await?;
        let said = String::from_utf8_lossy(&refused.stderr);
        ensure!(said.contains("--forget must be at least 3days: so long the deliveries are kept"), "{said}");

        let receiver = Receiver::start(&directory, database, &["--keep=2d", "--forget=4d"]).await?;
        ensure!(receiver.post(r#"{"trackingId":"new","status":"SEEN"}"#).await? == 200);
        until("it has purged", async || Ok(receiver.metric("routee_purges_total").await? == 1)).await?;
        ensure!(receiver.ask("/messages/old").await?.status() == 404);
        ensure!(receiver.ask("/messages/new").await?.status() == 200);
        receiver.terminate().await?;
        if let Database::Sqlite(_) = database {
            let counted =
                "SELECT count, forgotten FROM tally WHERE unit = 'ever' AND what = 'status' AND value = 'SEEN'";
            ensure!(database.rows(counted).await? == [["2", "1"]]);
            ensure!(run(database, &["check"]).await?.status.success());
        }
    }
    Ok(())
}

#[tokio::test]
async fn only_a_file_of_sqlite_is_made_smaller() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let database = Database::sqlite(&directory);
    store_long_old_messages(&directory, &database, 200).await?;
    let refused = run(&database, &["purge", "--older-than=2d", "--vacuum"]).await?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(!refused.status.success() && said.contains("'PRAGMA auto_vacuum = INCREMENTAL; VACUUM'"), "{said}");
    database.run("PRAGMA auto_vacuum = INCREMENTAL; VACUUM").await?;
    let size = || Ok::<_, anyhow::Error>(fs::metadata(directory.path().join("routee.db"))?.len());
    ensure!(size()? > 10_000_000, "{}", size()?);
    let receiver = Receiver::start(&directory, &database, &[]).await?;
    let purged = run(&database, &["purge", "--older-than=2d", "--vacuum"]).await?;
    ensure!(purged.status.success() && String::from_utf8(purged.stdout)?.contains("pages given back\n"));
    ensure!(receiver.post(r#"{"trackingId":"new","status":"SEEN"}"#).await? == 200);
    receiver.terminate().await?;
    ensure!(size()? < 1_000_000, "{}", size()?);

    ensure!(run(&postgres.database, &["migrate"]).await?.status.success());
    let refused = run(&postgres.database, &["purge", "--older-than=2d", "--vacuum"]).await?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        !refused.status.success() && said.contains("--vacuum is for SQLite; PostgreSQL uses the space again"),
        "{said}"
    );
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
