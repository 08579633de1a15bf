//! The consumer of `/changes` in the README, run as it stands there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task;
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
    /// Runs the code in that directory, with this address in place of the receiver's usual one.
    fn start(directory: &Path, admin: &str) -> Result<Self> {
        let code = README.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
        let code = code.context("there is no Python in the README")?;
        ensure!(code.matches("http://127.0.0.1:8081/").count() == 1);
        let code = code.replace("http://127.0.0.1:8081/", &format!("{admin}/"));
        let python = Command::new("python3")
            .args(["-c", &code])
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(File::create(directory.join("consumer.log"))?)
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
        // A flow with a step, whose next channel is none of ours.
        format!(
            r#"{{"trackingId":"5","status":"Failed","messages":[{{"type":"Sms","body":"Hi"}},{{"type":"Viber",{}]}}"#,
            failed("50", NOT_VIBER).trim_start_matches('{')
        ),
        failed("6", NOT_VIBER),
    ];
    for body in bodies {
        ensure!(receiver.post(body).await? == 200);
    }
    let mut consumer = Consumer::start(directory.path(), &receiver.admin)?;
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30691: Hi 1"));
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30696: Hi 6"));
    consumer.is_at(8).await?;

    receiver = receiver.kill_and_restart().await?;
    ensure!(receiver.post(failed("8", NOT_VIBER)).await? == 200);
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30698: Hi 8"));
    consumer.is_at(9).await?;
    consumer.kill().await?;

    ensure!(receiver.post(failed("9", NOT_VIBER)).await? == 200);
    let mut consumer = Consumer::start(directory.path(), &receiver.admin)?;
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30699: Hi 9"));
    consumer.is_at(10).await?;
    consumer.kill().await?;

    // Purged before it could read it.
    ensure!(receiver.post(failed("10", NOT_VIBER)).await? == 200);
    database.make_older_by_days(3).await?;
    ensure!(receiver.post(failed("11", NOT_VIBER)).await? == 200);
    let mut purge = Command::new(binary("receiver").await?);
    ensure!(purge.args(["purge", "--older-than=2d", "--database-url", &database.url()]).status().await?.success());
    let mut consumer = Consumer::start(directory.path(), &receiver.admin)?;
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +306911: Hi 11"));
    consumer.is_at(12).await?;
    consumer.kill().await?;
    receiver.terminate().await
}

/// Answers connection after connection with these bytes and closes it, or with `None` says nothing and keeps it open.
/// Later connections go to the receiver. Returns its own address.
async fn faults_before(receiver: &Receiver, answers: Vec<Option<String>>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let receiver = receiver.admin.trim_start_matches("http://").to_owned();
    task::spawn(async move {
        let mut silent = Vec::new();
        for answer in answers {
            let mut stream = BufReader::new(listener.accept().await?.0);
            let mut head = String::new();
            while stream.read_line(&mut head).await? > 2 {}
            match answer {
                Some(answer) => {
                    stream.write_all(answer.as_bytes()).await?;
                    stream.shutdown().await?;
                }
                None => silent.push(stream),
            }
        }
        while let Ok((mut client, _)) = listener.accept().await {
            let mut receiver = TcpStream::connect(&receiver).await?;
            copy_bidirectional(&mut client, &mut receiver).await?;
        }
        anyhow::Ok(())
    });
    Ok(address)
}

#[tokio::test]
async fn the_consumer_of_the_readme_asks_again_after_every_answer_that_is_not_whole() -> Result<()> {
    let directory = TempDir::new()?;
    let receiver = Receiver::start(&directory, &Database::sqlite(&directory), &[]).await?;
    for id in ["1", "2"] {
        ensure!(receiver.post(failed(id, NOT_VIBER)).await? == 200);
    }
    let changes = receiver.get("/changes").await?;
    let (length, first) = (changes.len(), changes.find('\n').context("no line")? + 1);
    let chunk = format!("{length:x}\r\n{changes}");
    let ok = "HTTP/1.1 200 OK\r\n";
    let page = "<html><body><h1>502 Bad Gateway</h1></body></html>\n";
    let answers = [
        // A line that is cut in the middle, after a whole one; with its length, in chunks, and without either.
        format!("{ok}content-length: {length}\r\n\r\n{}", &changes[..length - 20]),
        format!("{ok}transfer-encoding: chunked\r\n\r\n{}", &chunk[..chunk.len() - 20]),
        format!("{ok}\r\n{}", &changes[..length - 20]),
        // Error pages: of a proxy, of one that answers 200 for it, in JSON, and instead of a 410 of the receiver.
        format!("HTTP/1.1 502 Bad Gateway\r\n\r\n{page}"),
        format!("{ok}\r\n{page}"),
        format!("{ok}\r\n{{\"error\":\"bad gateway\"}}"),
        format!("{ok}\r\n502"),
        format!("HTTP/1.1 410 Gone\r\n\r\n{page}"),
        // What is not HTTP, and nothing at all.
        "no such backend".to_owned(),
        String::new(),
    ];
    let faults = answers.len() + 1;
    let answers = answers.into_iter().map(Some).chain([
        None,
        // A cut between two lines leaves a whole answer, whose rest comes with the next one.
        Some(format!("{ok}content-length: {length}\r\n\r\n{}", &changes[..first])),
    ]);
    let address = faults_before(&receiver, answers.collect()).await?;
    let mut consumer = Consumer::start(directory.path(), &address)?;
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30691: Hi 1"));
    ensure!(consumer.line().await?.as_deref() == Some("SMS to +30692: Hi 2"));
    consumer.is_at(2).await?;
    consumer.kill().await?;
    let log = fs::read_to_string(directory.path().join("consumer.log"))?;
    let complaints = log.lines().filter(|line| line.starts_with("cannot read the changes: ")).count();
    ensure!((complaints, log.lines().count()) == (faults, faults), "{log}");
    ensure!(!log.contains("3069"), "a phone number: {log}");
    receiver.terminate().await
}
