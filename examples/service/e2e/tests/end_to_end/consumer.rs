//! The consumer of `/changes` in the README, run as it stands there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::database::Database;
use crate::processes::{PATIENCE, Receiver, binary, until};

const README: &str = include_str!("../../../README.md");

struct Consumer {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    place: PathBuf,
}

impl Consumer {
    /// Runs the code in that directory, with the receiver's address in place of the usual one.
    fn start(directory: &Path, receiver: &Receiver) -> Result<Self> {
        let code = README.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
        let code = code.context("there is no Python in the README")?;
        ensure!(code.matches("http://127.0.0.1:8081/").count() == 1);
        let code = code.replace("http://127.0.0.1:8081/", &format!("{}/", receiver.admin));
        let python = Command::new("python3")
            .args(["-c", &code])
            .current_dir(directory)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut process = python.context("this test needs Python: apt-get install python3")?;
        let output = BufReader::new(process.stdout.take().context("no output")?).lines();
        Ok(Self { process, output, place: directory.join("consumer.place") })
    }

    async fn line(&mut self) -> Result<Option<String>> {
        Ok(timeout(PATIENCE, self.output.next_line()).await??)
    }

    /// Waits until it has dealt with the change of that number and all before.
    async fn is_at(&self, number: u32) -> Result<()> {
        let so_far = async || Ok(fs::read_to_string(&self.place).is_ok_and(|place| place == number.to_string()));
        until(&format!("the consumer is at {number}"), so_far).await
    }

    /// Kills it; it is to have printed nothing more.
    async fn kill(mut self) -> Result<()> {
        self.process.kill().await?;
        let more = self.line().await?;
        ensure!(more.is_none(), "it printed {more:?} too");
        Ok(())
    }
}

fn failed(id: &str, reason: &str) -> String {
    format!(
        r#"{{"trackingId":"{id}","to":"+3069{id}","body":{{"text":"Hi {id}"}},"status":{{"name":"FAILED","reason":{reason}}}}}"#
    )
}

const NOT_VIBER: &str = r#"{"detailedStatus":"NOT VIBER USER"}"#;

#[tokio::test]
async fn the_consumer_of_the_readme_survives_restarts_and_a_purge() -> Result<()> {
    let directory = TempDir::new()?;
    let database = Database::sqlite(&directory);
    let mut receiver = Receiver::start(&directory, &database, &[]).await?;
    let bodies = [
        failed("1", NOT_VIBER),
        // Of no interest, or not of the usual shape.
        failed("2", r#"{"detailedStatus":"Opted Out"}"#),
        failed("3", "5"),
        r#"{"trackingId":"4","status":{"name":"FAILED","reason":{"detailedStatus":"Not Viber User"}}}"#.to_owned(),
        r#"{"from":"+306900000001","to":"shop","message":"yes","sentDate":"2026-11-23T10:00:00Z"}"#.to_owned(),
        r#"{"trackingId":"5","status":"Failed","messages":[{"type":"Sms","body":"Hi"}]}"#.to_owned(),
        failed("6", NOT_VIBER),
    ];
    for body in bodies {
        ensure!(receiver.post(body).await? == 200);
    }
    let mut consumer = Consumer::start(directory.path(), &receiver)?;
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30691: Hi 1"));
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30696: Hi 6"));
    consumer.is_at(7).await?;

    receiver = receiver.kill_and_restart().await?;
    ensure!(receiver.post(failed("8", NOT_VIBER)).await? == 200);
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30698: Hi 8"));
    consumer.is_at(8).await?;
    consumer.kill().await?;

    ensure!(receiver.post(failed("9", NOT_VIBER)).await? == 200);
    let mut consumer = Consumer::start(directory.path(), &receiver)?;
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30699: Hi 9"));
    consumer.is_at(9).await?;
    consumer.kill().await?;

    // Purged before it could read it.
    ensure!(receiver.post(failed("10", NOT_VIBER)).await? == 200);
    database.run("UPDATE history SET received_at = received_at - 3 * 86400000").await?;
    ensure!(receiver.post(failed("11", NOT_VIBER)).await? == 200);
    let mut purge = Command::new(binary("receiver").await?);
    ensure!(purge.args(["purge", "--older-than=2d", "--database-url", &database.url()]).status().await?.success());
    let mut consumer = Consumer::start(directory.path(), &receiver)?;
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +306911: Hi 11"));
    consumer.is_at(11).await?;
    consumer.kill().await?;
    receiver.terminate().await
}
