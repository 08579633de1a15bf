//! Clients that are slow, or many.

use std::fs::File;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::database::Database;
use crate::processes::{PATIENCE, Receiver, Sender, binary, until};
use crate::setup::{Directory, serve_on_sqlite};
use crate::stored::Stored;

const HEAD: &str = "POST /callbacks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 40\r\n\r\n";

#[tokio::test]
async fn slow_clients_are_disconnected_and_delay_nobody() -> Result<()> {
    let (directory, database, receiver) = serve_on_sqlite(&["--connections=256", "--idle=2m"]).await?;

    let mut dribbling_headers = connect(&receiver).await?;
    let mut dribbling_headers_again = answered_connection(&receiver).await?;
    let mut without_body = connect(&receiver).await?;
    let mut dribbling_body = connect(&receiver).await?;
    without_body.write_all(HEAD.as_bytes()).await?;
    let arguments = ["--messages=1000", "--connections=100", "--rate=500"];
    let sender = Sender::start(&directory, "sender", &[&receiver.url], &arguments).await?;
    let slow_head = "POST /callbacks HTTP/1.1\r\nhost: localhost\r\nx-slow: ";
    let (header, again, nothing, body, sent) = tokio::try_join!(
        dribble(&mut dribbling_headers, slow_head),
        dribble(&mut dribbling_headers_again, slow_head),
        ended(&mut without_body, Duration::ZERO),
        dribble(&mut dribbling_body, HEAD),
        sender.finish(),
    )?;
    ensure!(sent.all_answered_200());
    Stored::read(&database).await?.is_what_was(&sent)?;

    // Far less than the two minutes that an idle connection has.
    let deadline = Duration::from_secs(30);
    for (what, (answer, took)) in [("header", header), ("header of a second request", again)] {
        ensure!(took < deadline && answer.is_empty(), "{what}: {took:?}, {answer}");
    }
    for (what, (answer, took)) in [("no body", nothing), ("body", body)] {
        ensure!(took < Duration::from_secs(2) && answer.starts_with("HTTP/1.1 408 "), "{what}: {took:?}, {answer}");
    }
    ensure!(receiver.metric("routee_refused_total{reason=\"body_slow\"}").await? == 2);
    ensure!(receiver.metric("routee_refused_total{reason=\"head_slow\"}").await? == 2);
    receiver.terminate().await
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_its_limit() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&["--idle=1s"]).await?;
    let mut silent = connect(&receiver).await?;
    let mut answered = answered_connection(&receiver).await?;
    for client in [&mut silent, &mut answered] {
        let mut rest = Vec::new();
        timeout(PATIENCE, client.read_to_end(&mut rest)).await.context("it is still open")??;
        ensure!(rest.is_empty(), "{rest:?}");
    }
    until("they are closed", async || Ok(open(&receiver).await? == 0)).await?;
    // That is no refusal.
    ensure!(receiver.metric("routee_refused_total").await? == 0);
    receiver.terminate().await
}

#[tokio::test]
async fn a_client_that_reads_no_answers_is_disconnected() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&["--connections=1"]).await?;
    let mut deaf = connect(&receiver).await?;
    let writing = async {
        while deaf.write_all(b"GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n").await.is_ok() {}
        anyhow::Ok(())
    };
    // Its answers fill what the system holds for both, and then nothing more is written.
    timeout(PATIENCE, writing).await.context("it may write for ever")??;
    until("there is room again", async || Ok(receiver.post("{}").await.is_ok_and(|code| code == 200))).await?;
    receiver.terminate().await
}

#[tokio::test]
async fn a_new_connection_displaces_the_one_that_is_idle_for_longest() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&["--connections=4"]).await?;
    let mut idle = Vec::new();
    for number in 1..=4 {
        idle.push(connect(&receiver).await?);
        until("it is open", async || Ok(open(&receiver).await? == number)).await?;
    }
    // The one that came first has a request, so that it is the last in turn.
    let [first, second, third, fourth] = &mut idle[..] else { anyhow::bail!("not four") };
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await?;
    ensure!(&answer == b"HTTP/1.1 200");

    let mut new = Vec::new();
    for displaced in [second, third, fourth, first] {
        new.push(connect(&receiver).await?);
        timeout(PATIENCE, displaced.read_to_end(&mut Vec::new())).await.context("another one was displaced")??;
    }
    ensure!(open(&receiver).await? == 4);
    ensure!(receiver.metric("routee_refused_total{reason=\"displaced\"}").await? == 4);
    receiver.terminate().await
}

#[tokio::test]
async fn connections_above_the_limit_are_refused() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&["--connections=4"]).await?;
    until("one more is refused", async || {
        let mut busy = Vec::new();
        for _ in 0..4 {
            busy.push(busy_connection(&receiver).await?);
        }
        Ok(receiver.post("{}").await.is_ok_and(|code| code == 503))
    })
    .await?;
    ensure!(receiver.metric("routee_refused_total{reason=\"connections\"}").await? > 0);
    until("there is room again", async || Ok(receiver.post("{}").await.is_ok_and(|code| code == 200))).await?;
    receiver.terminate().await
}

#[tokio::test]
async fn a_limit_of_open_files_limits_connections() -> Result<()> {
    let directory = Directory::new().await?;
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""]).arg(binary("receiver").await?);
    command.args(["serve", "--listen=127.0.0.1:0", "--log=warn"]);
    command.stderr(File::create(directory.path().join("receiver.log"))?);
    let receiver = Receiver::spawn(command, directory.path(), &Database::sqlite(&directory)).await?;
    until("the log says so", async || Ok(receiver.log().contains("the limit of open files allows no more"))).await?;

    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(connect(&receiver).await?);
    }
    ensure!(receiver.post("{}").await? == 200);
    ensure!(receiver.metric("routee_refused_total{reason=\"displaced\"}").await? > 0);
    drop(idle);
    until("there is room again", async || Ok(receiver.post("{}").await.is_ok_and(|code| code == 200))).await?;

    // Fewer than it was started with.
    let id = receiver.process.id().context("it has ended")?.to_string();
    let limit = async |files| {
        let prlimit = Command::new("prlimit").args(["--pid", &id, files]).status().await?;
        ensure!(prlimit.success(), "the limit cannot be set");
        Ok(())
    };
    limit("--nofile=8:256").await?;
    let waiting = connect(&receiver).await?;
    until("the log says so", async || Ok(receiver.log().contains("Too many open files"))).await?;
    drop(waiting);
    limit("--nofile=256:256").await?;
    until("there is room again", async || Ok(receiver.post("{}").await.is_ok_and(|code| code == 200))).await?;
    ensure!(receiver.metric("routee_refused_total{reason=\"file_descriptors\"}").await? > 0);
    receiver.terminate().await
}

async fn connect(receiver: &Receiver) -> Result<TcpStream> {
    let address = receiver.url.strip_prefix("http://").context("no address")?;
    Ok(TcpStream::connect(address).await?)
}

/// A connection that is idle after an answer.
async fn answered_connection(receiver: &Receiver) -> Result<TcpStream> {
    let mut client = connect(receiver).await?;
    client.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(client.read_u8().await?);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    Ok(client)
}

/// How many connections its public address has.
async fn open(receiver: &Receiver) -> Result<u64> {
    receiver.metric("routee_connections{listener=\"callbacks\"}").await
}

/// A connection whose body the receiver waits for.
async fn busy_connection(receiver: &Receiver) -> Result<TcpStream> {
    let mut client = connect(receiver).await?;
    client.write_all(HEAD.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n").as_bytes()).await?;
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await?;
    ensure!(&answer == b"HTTP/1.1 100", "{}", String::from_utf8_lossy(&answer));
    Ok(client)
}

/// Sends this and then a byte now and then; what was answered until the connection was closed, and when.
async fn dribble(client: &mut TcpStream, begin: &str) -> Result<(String, Duration)> {
    client.write_all(begin.as_bytes()).await?;
    ended(client, Duration::from_millis(200)).await
}

/// Reads to the end of the connection, and meanwhile sends a byte each time that the pause is over, unless it is zero.
async fn ended(client: &mut TcpStream, pause: Duration) -> Result<(String, Duration)> {
    let begin = Instant::now();
    let (mut from, mut to) = client.split();
    let mut answer = Vec::new();
    let reading = from.read_to_end(&mut answer);
    let dribbling = async {
        while !pause.is_zero() && to.write_all(b"a").await.is_ok() {
            sleep(pause).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // A connection that was reset has ended, too.
        _ = timeout(PATIENCE, reading) => {}
        () = dribbling => {}
    }
    Ok((String::from_utf8_lossy(&answer).into_owned(), begin.elapsed()))
}
