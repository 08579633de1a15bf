//! The sender against the receiver, as real processes on loopback, while things go wrong.

mod postgres;
mod processes;
mod schedule;
mod sent;
mod stored;

use std::time::Duration;

use anyhow::{Result, ensure};
use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::processes::{Receiver, Sender, one_at_a_time, until};
use crate::stored::Stored;

/// What Routee's users meet: callbacks that come twice, late, out of order, and broken.
const FAULTS: [&str; 10] = [
    "--duplicates=0.1",
    "--reorder=0.1",
    "--late=0.05",
    "--malformed=0.01",
    "--truncated=0.01",
    "--speed-up=20000",
    "--connections=64",
    "--messages=10000",
    "--seed=1",
    "--counting=first-attempt",
];

#[tokio::test]
async fn ten_thousand_lives_with_duplicates_and_reordering() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let database = sqlite(&directory);
    let receiver = Receiver::start(&directory, &database, &[]).await?;

    let sent = Sender::start(&directory, &[&receiver.url], &FAULTS).await?.finish().await?;
    let stored = Stored::when_processed(&database).await?;
    stored.is_what_was(&sent)?;
    ensure!(stored.messages.len() == 10_000);

    let (id, status) = stored.messages.first_key_value().expect("there are messages");
    let message = receiver.get(&format!("/messages/{id}")).await?;
    ensure!(message.contains(status.as_str()) && message.contains("\"history\":[{"), "{message}");
    ensure!(receiver.get("/").await?.contains("<td>SEEN</td>"));
    ensure!(receiver.refused().await? == 0);
    receiver.terminate().await
}

#[tokio::test]
async fn killed_again_and_again() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let database = sqlite(&directory);
    let mut receiver = Receiver::start(&directory, &database, &[]).await?;

    // No callback that was answered 200 is sent again, so what is there in the end was there then.
    let arguments = ["--messages=4000", "--reorder=0.1", "--speed-up=5000", "--connections=32"];
    let mut sender = Sender::start(&directory, &[&receiver.url], &arguments).await?;
    let mut kills = 0;
    let mut at_least = 300;
    loop {
        let has_more =
            until("more is stored", async || Ok(sender.is_finished()? || Stored::count(&database).await? >= at_least));
        has_more.await?;
        if sender.is_finished()? {
            break;
        }
        receiver = receiver.kill_and_restart().await?;
        kills += 1;
        at_least = Stored::count(&database).await? + 300;
    }
    ensure!(kills >= 5, "it was killed {kills} times only");

    let sent = sender.finish().await?;
    ensure!(sent.unanswered() > 0, "no kill was noticed");
    Stored::when_processed(&database).await?.is_what_was(&sent)
}

#[tokio::test]
async fn two_receivers_on_one_postgresql() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let postgres = Postgres::start(&directory).await?;
    let (one, other) = tokio::try_join!(
        Receiver::start(&directory, &postgres.url, &[]),
        Receiver::start(&directory, &postgres.url, &[]),
    )?;

    let sent = Sender::start(&directory, &[&one.url, &other.url], &FAULTS).await?.finish().await?;
    let stored = Stored::when_processed(&postgres.url).await?;
    stored.is_what_was(&sent)?;
    ensure!(stored.messages.len() == 10_000);
    for receiver in [one, other] {
        ensure!(receiver.counter("verdict=\"Advance\"").await? > 0, "a receiver processed nothing");
        receiver.terminate().await?;
    }
    Ok(())
}

#[tokio::test]
async fn database_unreachable_for_a_while() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let postgres = Postgres::start(&directory).await?;
    let receiver = Receiver::start(&directory, &postgres.url, &[]).await?;

    let arguments = ["--messages=4000", "--speed-up=3000", "--connections=64"];
    let sender = Sender::start(&directory, &[&receiver.url], &arguments).await?;
    until("some are stored", async || Ok(Stored::count(&postgres.url).await? >= 500)).await?;
    postgres.stop().await?;
    let stopped = chrono::Utc::now();
    until("many are refused", async || Ok(receiver.refused().await? >= 300)).await?;
    let starting = chrono::Utc::now();
    postgres.start_again().await?;

    let sent = sender.finish().await?;
    let slack = Duration::from_millis(100);
    ensure!(sent.answered_200_between(stopped + slack, starting) == 0);
    ensure!(sent.unanswered() == 0, "some were not answered within 2 s");
    Stored::when_processed(&postgres.url).await?.is_what_was(&sent)
}

#[tokio::test]
async fn slow_disk_and_full_queue() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let database = sqlite(&directory);
    let receiver = Receiver::start(&directory, &database, &["--queue=32"]).await?;

    let arguments = ["--messages=4000", "--speed-up=3000", "--connections=64"];
    let sender = Sender::start(&directory, &[&receiver.url], &arguments).await?;
    until("some are stored", async || Ok(Stored::count(&database).await? >= 500)).await?;
    let mut disk = sqlx::AnyConnection::connect(&database).await?;
    disk.execute("BEGIN EXCLUSIVE").await?;
    let locked = chrono::Utc::now();
    let long_enough = locked + Duration::from_secs(4);
    until("many are refused", async || Ok(receiver.refused().await? >= 300 && chrono::Utc::now() > long_enough))
        .await?;
    let unlocking = chrono::Utc::now();
    disk.execute("ROLLBACK").await?;

    let sent = sender.finish().await?;
    let slack = Duration::from_millis(100);
    ensure!(sent.answered_200_between(locked + slack, unlocking) == 0);
    ensure!(sent.unanswered() == 0, "some were not answered within 2 s");
    Stored::when_processed(&database).await?.is_what_was(&sent)
}

#[tokio::test]
async fn strange_bodies_and_senders() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let database = sqlite(&directory);
    let strange = r#"{"trackingId":"<b>1","status":"<i>?","carrier<u>":"A","ttl":10}"#;

    let receiver = Receiver::start(&directory, &database, &[]).await?;
    let key_too_long = format!(r#"{{"trackingId":"{}","status":"SEEN"}}"#, "1".repeat(3000));
    let bodies = [strange, strange, "", r#"{"trackingId":"\u0000","status":"SEEN"}"#, &key_too_long];
    for body in bodies {
        ensure!(receiver.post(body).await? == 200);
    }
    ensure!(receiver.post(&" ".repeat(1 << 20)).await? == 413);
    let stored = Stored::when_processed(&database).await?;
    ensure!((stored.messages.len(), stored.unreadable) == (1, 3));

    let page = receiver.get("/").await?;
    ensure!(page.contains("&lt;i&gt;?") && page.contains("carrier&lt;u&gt;"), "{page}");
    ensure!(!page.contains("<b>") && !page.contains("<i>") && !page.contains("<u>"), "{page}");
    ensure!(receiver.counter("verdict=\"Duplicate\"").await? == 1);
    receiver.terminate().await?;

    let receiver = Receiver::start(&directory, &database, &["--allow-from=192.0.2.1"]).await?;
    ensure!(receiver.post(strange).await? == 403);
    receiver.terminate().await?;
    let receiver = Receiver::start(&directory, &database, &["--allow-from=127.0.0.1"]).await?;
    ensure!(receiver.post(strange).await? == 200);
    receiver.terminate().await
}

fn sqlite(directory: &TempDir) -> String {
    format!("sqlite://{}/routee.db?mode=rwc", directory.path().display())
}
