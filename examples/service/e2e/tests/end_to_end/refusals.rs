//! What is not taken, and how one learns of it.

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, RequestBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::processes::{PATIENCE, Receiver, signal, until};
use crate::setup::serve_on_sqlite;

/// What of the public address answers a request.
async fn code(request: RequestBuilder) -> Result<u16> {
    Ok(request.send().await?.status().as_u16())
}

async fn refused(receiver: &Receiver, reason: &str) -> Result<u64> {
    receiver.metric(&format!("routee_refused_total{{reason=\"{reason}\"}}")).await
}

#[tokio::test]
async fn a_wrong_url_or_method_is_counted_and_logged() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&[]).await?;
    let post = |path: &str| receiver.client.post(format!("{}{path}", receiver.url)).body("{}");
    ensure!(code(post("/callbacks/")).await? == 200);
    for path in ["//callbacks", "/", "/callback%22s?to=306900000001"] {
        ensure!(code(post(path)).await? == 404, "{path}");
    }
    let get = receiver.client.get(format!("{}/callbacks", receiver.url)).send().await?;
    ensure!(get.status() == 405 && get.headers()["allow"] == "POST", "{get:?}");
    ensure!(
        code(receiver.client.request(Method::from_bytes(b"PROPFIND")?, format!("{}/callbacks/", receiver.url))).await?
            == 405
    );
    ensure!((refused(&receiver, "not_found").await?, refused(&receiver, "method").await?) == (3, 2));
    ensure!(receiver.metric("routee_answers_total{code=\"404\"}").await? == 3);
    ensure!(receiver.metric("routee_answers_total{code=\"405\"}").await? == 2);

    let line =
        |reason: &str, count: u64, last: &str| format!("refused reason=\"{reason}\" count={count} last={last}\n");
    let first =
        [line("not_found", 1, "POST //callbacks from 127.0.0.1"), line("method", 1, "GET /callbacks from 127.0.0.1")];
    until("the log says so", async || Ok(first.iter().all(|line| receiver.log().contains(line)))).await?;
    signal(&receiver.process, "-TERM").await?;
    // What came within the same minute is logged at the end at the latest.
    let last = [
        line("not_found", 2, "POST /callback%22s from 127.0.0.1"),
        line("method", 1, "PROPFIND /callbacks/ from 127.0.0.1"),
    ];
    until("the log says so", async || Ok(last.iter().all(|line| receiver.log().contains(line)))).await?;
    ensure!(receiver.log().matches("refused reason").count() == 4, "{}", receiver.log());
    Ok(())
}

#[tokio::test]
async fn the_log_names_the_address_that_is_not_on_the_list() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&["--allow-from=192.0.2.1"]).await?;
    ensure!(receiver.post("{}").await? == 403);
    let line = "refused reason=\"sender\" count=1 last=POST /callbacks from 127.0.0.1\n";
    until("the log says so", async || Ok(receiver.log().contains(line))).await?;
    receiver.terminate().await
}

#[tokio::test]
async fn what_is_not_http_is_counted_and_logged() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&[]).await?;
    let mut client = TcpStream::connect(receiver.url.replace("http://", "")).await?;
    // The begin of TLS.
    client.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await?;
    let mut answer = Vec::new();
    timeout(PATIENCE, client.read_to_end(&mut answer)).await??;
    ensure!(answer.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&answer));
    until("it is counted", async || Ok(refused(&receiver, "not_http").await? == 1)).await?;
    let line = "refused reason=\"not_http\" count=1 last=a connection from 127.0.0.1\n";
    until("the log says so", async || Ok(receiver.log().contains(line))).await?;
    receiver.terminate().await
}

#[tokio::test]
async fn health_is_public_and_says_no_more_than_the_code() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&["--allow-from=192.0.2.1", "--drain=1h"]).await?;
    let get = async |path: &str| {
        let answer = receiver.client.get(format!("{}{path}", receiver.url)).send().await?;
        anyhow::Ok((answer.status().as_u16(), answer.text().await?))
    };
    for path in ["/healthz", "/readyz"] {
        ensure!(get(path).await? == (200, String::new()), "{path}");
    }
    ensure!(receiver.get("/readyz").await? == "ready");

    signal(&receiver.process, "-TERM").await?;
    until("it is not ready", async || Ok(get("/readyz").await? == (503, String::new()))).await?;
    ensure!(get("/healthz").await? == (200, String::new()));
    let ready = receiver.ask("/readyz").await?;
    ensure!((ready.status().as_u16(), ready.text().await?) == (503, "stopping".to_owned()));
    // A second signal ends it without waiting for the hour.
    receiver.terminate().await
}

#[tokio::test]
async fn a_receiver_that_drains_takes_callbacks_and_keeps_no_connection() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&["--drain=1h"]).await?;
    let mut client = TcpStream::connect(receiver.url.replace("http://", "")).await?;
    let request = b"POST /callbacks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}";
    client.write_all(request).await?;
    let mut answer = vec![0; 12];
    client.read_exact(&mut answer).await?;
    ensure!(answer == b"HTTP/1.1 200");
    signal(&receiver.process, "-TERM").await?;
    until("it is not ready", async || Ok(receiver.ask("/readyz").await?.status() == 503)).await?;

    client.write_all(request).await?;
    answer.clear();
    timeout(PATIENCE, client.read_to_end(&mut answer)).await.context("the connection is kept")??;
    let answer = String::from_utf8(answer)?;
    ensure!(answer.contains("HTTP/1.1 200 ") && answer.contains("connection: close\r\n"), "{answer}");
    receiver.terminate().await
}
