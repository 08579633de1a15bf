//! Thousands of messages and all that Routee's users meet, on either database.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::changes::Follower;
use crate::postgres::Postgres;
use crate::processes::{Receiver, Sender, signal, until};
use crate::sent::Sent;
use crate::setup::{Directory, serve_on_sqlite};
use crate::stored::{Stored, same};

/// Callbacks that come twice, late, out of order, and broken, and bodies of all kinds.
const FAULTS: [&str; 12] = [
    "--duplicates=0.1",
    "--reorder=0.1",
    "--late=0.05",
    "--malformed=0.01",
    "--truncated=0.01",
    "--failover=0.1",
    "--replies=0.1",
    "--foreign=0.02",
    "--speed-up=20000",
    "--connections=64",
    "--messages=10000",
    "--seed=1",
];

#[tokio::test]
async fn ten_thousand_messages_end_in_their_last_status() -> Result<()> {
    let (directory, database, receiver) = serve_on_sqlite(&[]).await?;
    let changes = Follower::start(&receiver);

    let sent = Sender::start(&directory, "sender", &[&receiver.url], &FAULTS).await?.finish().await?;
    let stored = Stored::read(&database).await?;
    stored.is_what_was(&sent)?;
    ensure!(stored.messages.len() == 10_000);
    ensure!(receiver.refused().await? == 0 && sent.unanswered() == 0);
    changed_in_order(changes, &sent).await?;

    let (id, status) = stored.messages.first_key_value().expect("there are messages");
    let message: Value = serde_json::from_str(&receiver.get(&format!("/messages/{id}")).await?)?;
    ensure!(message["trackingId"] == **id && message["status"]["name"] == **status, "{message}");
    ensure!(message["history"].as_array().is_some_and(|history| !history.is_empty()), "{message}");
    ensure!(receiver.ask("/messages/nobody").await?.status() == 404);
    receiver.terminate().await?;
    ensure!(!directory.path().join("routee.db-wal").exists(), "the database was not closed");
    Ok(())
}

/// Two senders tell of the same messages at once, so that all receivers want the same rows.
#[tokio::test]
async fn receivers_go_on_while_another_is_stopped() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let start = || Receiver::start(&directory, &postgres.database, &[]);
    let (one, two, three) = tokio::try_join!(start(), start(), start())?;
    let changes = Follower::start(&one);

    let mut others = Sender::start(&directory, "others", &[&one.url, &two.url], &FAULTS).await?;
    let stopped = Sender::start(&directory, "stopped", &[&three.url], &FAULTS).await?;
    let mut stops = 0;
    while !others.is_finished()? {
        let answered = one.answered().await? + two.answered().await?;
        signal(&three.process, "-STOP").await?;
        until("the others have gone on", async || {
            Ok(others.is_finished()? || one.answered().await? + two.answered().await? >= answered + 1000)
        })
        .await?;
        signal(&three.process, "-CONT").await?;
        let answered = three.answered().await?;
        until("it goes on, too", async || Ok(others.is_finished()? || three.answered().await? > answered)).await?;
        stops += 1;
    }
    ensure!(stops >= 5, "it was stopped {stops} times only");

    let others = others.finish().await?;
    ensure!(others.all_answered_200(), "the others were held up: {}", one.log());
    let sent = others.and(stopped.finish().await?);
    let stored = Stored::read(&postgres.database).await?;
    stored.is_what_was(&sent)?;
    ensure!(stored.messages.len() == 10_000);
    changed_in_order(changes, &sent).await?;
    for receiver in [one, two, three] {
        ensure!(receiver.answered().await? > 0, "a receiver answered nothing");
        receiver.terminate().await?;
    }
    Ok(())
}

/// It does not take its turn, since most of the time it waits, and a minute is long.
#[tokio::test]
async fn receivers_go_on_while_another_is_stopped_for_a_minute() -> Result<()> {
    let directory = TempDir::new()?;
    let postgres = Postgres::start(&directory).await?;
    let start = || Receiver::start(&directory, &postgres.database, &[]);
    let (one, two, three) = tokio::try_join!(start(), start(), start())?;
    let changes = Follower::start(&one);

    // The same messages from both, so that all receivers want the same rows. The last retry comes after 86 s.
    let load = ["--messages=3000", "--speed-up=1000", "--rate=100", "--seed=1"];
    let others = Sender::start(&directory, "others", &[&one.url, &two.url], &load).await?;
    let stopped = Sender::start(&directory, "stopped", &[&three.url], &load).await?;
    until("all are under load", async || {
        Ok(one.answered().await? > 100 && two.answered().await? > 100 && three.answered().await? > 100)
    })
    .await?;
    let answered = one.answered().await? + two.answered().await?;
    signal(&three.process, "-STOP").await?;
    sleep(Duration::from_mins(1)).await;
    let gone_on = one.answered().await? + two.answered().await? - answered;
    signal(&three.process, "-CONT").await?;
    ensure!(gone_on > 1000, "the others have answered {gone_on} callbacks only");

    let others = others.finish().await?;
    ensure!(others.all_answered_200(), "the others were held up: {}", one.log());
    let sent = others.and(stopped.finish().await?);
    Stored::read(&postgres.database).await?.is_what_was(&sent)?;
    changed_in_order(changes, &sent).await?;
    for receiver in [one, two, three] {
        receiver.terminate().await?;
    }
    Ok(())
}

/// Whoever followed the changes knows how everything has ended.
async fn changed_in_order(changes: Follower, sent: &Sent) -> Result<()> {
    let changes = changes.finish().await?;
    same("messages", changes.messages().iter(), sent.messages.iter())?;
    same("flows", changes.flows().iter(), sent.flows.iter())?;
    let replies = sent.keys.iter().filter_map(|key| {
        let key: Vec<Value> = serde_json::from_str(key).ok()?;
        key.get(1)?.as_str()?.starts_with('+').then(|| Some(key[0].as_str()?.to_owned()))?
    });
    same("replies", changes.replied.into_iter(), replies)
}
