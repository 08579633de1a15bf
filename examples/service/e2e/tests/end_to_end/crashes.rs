//! What becomes of callbacks if the receiver is killed, or cannot write its log.

use std::process::Stdio;

use anyhow::{Result, ensure};
use tokio::process::Command;

use crate::database::Database;
use crate::postgres::Postgres;
use crate::processes::{Receiver, Sender, binary, until};
use crate::setup::Directory;
use crate::stored::Stored;

#[tokio::test]
async fn a_receiver_that_is_killed_loses_no_committed_callback() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for database in [&Database::sqlite(&directory), &postgres.database] {
        let mut receiver = Receiver::start(&directory, database, &[]).await?;
        // No callback that was answered 200 is sent again, so what is there in the end was there then.
        let arguments = ["--messages=5000", "--reorder=0.1", "--speed-up=5000", "--connections=32", "--malformed=0.01"];
        let mut sender = Sender::start(&directory, "sender", &[&receiver.url], &arguments).await?;
        let mut kills = 0;
        let mut at_least = 500;
        loop {
            let has_more =
                until("more is stored", async || Ok(sender.is_finished()? || database.count().await? >= at_least));
            has_more.await?;
            if sender.is_finished()? {
                break;
            }
            receiver = receiver.kill_and_restart().await?;
            kills += 1;
            at_least = database.count().await? + 500;
        }
        ensure!(kills >= 5, "it was killed {kills} times only");

        let sent = sender.finish().await?;
        ensure!(sent.unanswered() > 0, "no kill was noticed");
        Stored::read(database).await?.is_what_was(&sent)?;
    }
    Ok(())
}

/// Two senders tell of the same messages at once, so that all receivers move and count the same ones.
#[tokio::test]
async fn the_tallies_equal_a_count_although_a_receiver_is_killed() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let start = || Receiver::start(&directory, &postgres.database, &[]);
    let (one, two, mut three) = tokio::try_join!(start(), start(), start())?;
    let arguments = [
        "--messages=3000",
        "--duplicates=0.2",
        "--reorder=0.3",
        "--failover=0.1",
        "--replies=0.1",
        "--foreign=0.02",
        "--speed-up=5000",
        "--connections=32",
        "--seed=26",
    ];
    let mut both = Sender::start(&directory, "both", &[&one.url, &two.url], &arguments).await?;
    let killed = Sender::start(&directory, "killed", &[&three.url], &arguments).await?;
    let mut kills = 0;
    while !both.is_finished()? {
        three = three.kill_and_restart().await?;
        let answered = three.answered().await?;
        until("it goes on", async || Ok(both.is_finished()? || three.answered().await? > answered + 200)).await?;
        kills += 1;
    }
    ensure!(kills >= 3, "it was killed {kills} times only");
    let sent = both.finish().await?.and(killed.finish().await?);
    Stored::read(&postgres.database).await?.is_what_was(&sent)
}

#[tokio::test]
async fn a_log_that_nobody_reads_hurts_nothing() -> Result<()> {
    let directory = Directory::new().await?;
    let database = Database::sqlite(&directory);
    let mut command = Command::new(binary("receiver").await?);
    command.args(["serve", "--listen=127.0.0.1:0", "--log=debug"]).stderr(Stdio::piped());
    let mut receiver = Receiver::spawn(command, directory.path(), &database).await?;
    drop(receiver.process.stderr.take());

    let arguments = ["--messages=1000", "--malformed=0.1", "--foreign=0.1", "--connections=8"];
    let sent = Sender::start(&directory, "sender", &[&receiver.url], &arguments).await?.finish().await?;
    ensure!(sent.all_answered_200());
    Stored::read(&database).await?.is_what_was(&sent)?;
    receiver.terminate().await
}
