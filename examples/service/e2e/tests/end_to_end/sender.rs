//! The sender against servers that do not answer as they should.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::Listener;
use chrono::TimeDelta;
use rcgen::CertifiedKey;
use routee_viber::{Counting, RESPONSE_DEADLINE, RetryPlan};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::{task, time};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::processes::{Sender, binary};
use crate::setup::{Directory, one_at_a_time};

#[tokio::test]
async fn another_success_is_retried_by_the_schedule_and_given_up() -> Result<()> {
    let directory = Directory::new().await?;
    let url = serve(Router::new().route("/callbacks", post(StatusCode::CREATED))).await?;
    for (name, counting) in
        [("first-attempt", Counting::FromFirstAttempt), ("previous-attempt", Counting::FromPreviousAttempt)]
    {
        let counting_by = format!("--counting={name}");
        let arguments = ["--status=DELIVERED", "--speed-up=30000", &counting_by];
        let sender = Sender::start(&directory, "sender", &[&url], &arguments).await?;
        let (sent, has_given_up) = sender.finish_or_give_up().await?;
        ensure!(has_given_up);
        let numbers: Vec<_> = sent.attempts.iter().map(|attempt| attempt.number).collect();
        ensure!(numbers == (0..=12).collect::<Vec<_>>(), "{numbers:?}");

        let first = sent.attempts[0].begin;
        let plan = RetryPlan::new(first).counting(counting);
        for (attempt, at) in sent.attempts[1..].iter().zip(plan.times()) {
            let late = (attempt.begin - first) - (at - first) / 30_000;
            let (rounding, slack) = (TimeDelta::milliseconds(-2), TimeDelta::milliseconds(500));
            ensure!((rounding..slack).contains(&late), "{name}: {} is {late} late", attempt.number);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_late_200_is_no_answer() -> Result<()> {
    static WAS_LATE: AtomicBool = AtomicBool::new(false);
    let directory = Directory::new().await?;
    let answer = async || {
        if !WAS_LATE.swap(true, Ordering::SeqCst) {
            time::sleep(RESPONSE_DEADLINE + Duration::from_millis(200)).await;
        }
    };
    let url = serve(Router::new().route("/callbacks", post(answer))).await?;
    let arguments = ["--status=SEEN", "--speed-up=30000"];
    let sent = Sender::start(&directory, "sender", &[&url], &arguments).await?.finish().await?;
    let codes: Vec<_> = sent.attempts.iter().map(|attempt| attempt.code).collect();
    ensure!(codes == [None, Some(200)], "{codes:?}");
    Ok(())
}

#[tokio::test]
async fn one_seed_makes_one_plan() -> Result<()> {
    let directory = Directory::new().await?;
    let url = serve(Router::new().route("/callbacks", post(StatusCode::OK))).await?;
    let mut plans = Vec::new();
    for seed in ["--seed=7", "--seed=7", "--seed=8"] {
        let arguments =
            [seed, "--messages=50", "--duplicates=0.5", "--truncated=0.5", "--failover=0.5", "--replies=0.5"];
        let sent = Sender::start(&directory, "sender", &[&url], &arguments).await?.finish().await?;
        plans.push((sent.messages, sent.flows, sent.keys.len(), sent.attempts.len(), sent.bodies.len()));
    }
    ensure!(plans[0] == plans[1] && plans[0] != plans[2], "{plans:?}");
    Ok(())
}

#[tokio::test]
async fn a_rate_is_kept_and_latencies_count_from_the_intended_start() -> Result<()> {
    static IS_FIRST: AtomicBool = AtomicBool::new(true);
    let directory = Directory::new().await?;
    let answer = async || {
        if IS_FIRST.swap(false, Ordering::SeqCst) {
            time::sleep(Duration::from_secs(1)).await;
        }
    };
    let url = serve(Router::new().route("/callbacks", post(answer))).await?;
    let arguments = ["--messages=200", "--status=SEEN", "--rate=100", "--connections=1"];
    let sender = Sender::start(&directory, "sender", &[&url], &arguments).await?;
    let (sent, output) = sender.finish_and_say().await?;
    let begins = sent.attempts.iter().map(|attempt| attempt.begin);
    let span = begins.clone().max().context("nothing")? - begins.min().context("nothing")?;
    // The last of 200 is due after 1.99 s; the first second's backlog is made up for until then.
    ensure!((TimeDelta::milliseconds(1980)..TimeDelta::milliseconds(2500)).contains(&span), "{span}");
    // A hundred were due while the first was under way, so half of all waited for half a second and more on average.
    let latencies = output.lines().last().context("nothing")?;
    let p50 = latencies.split("p50 ").nth(1).and_then(|p50| p50.split(' ').next()).context("no p50")?;
    ensure!(latencies.starts_with("latencies, from when each was to begin: ") && p50.parse::<f64>()? > 1.0, "{output}");
    let p90 = latencies.split("p90 ").nth(1).and_then(|p90| p90.split(' ').next()).context("no p90")?;
    ensure!(p90.parse::<f64>()? > 500.0, "{output}");
    Ok(())
}

#[tokio::test]
async fn the_record_says_why_there_was_no_answer() -> Result<()> {
    let directory = Directory::new().await?;
    let plain = serve(Router::new().route("/callbacks", post(StatusCode::OK))).await?;
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let silent_url = format!("http://{}", silent.local_addr()?);
    let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let (secure, certificate) = serve_tls(&directory).await?;
    let trusting = format!("--ca={}", certificate.display());
    let cases = [
        (plain.replace("http:", "https:"), None, Some("TLS: received corrupt message of type InvalidContentType")),
        (format!("http://{closed}"), None, Some("Connection refused (os error 111)")),
        (silent_url, None, Some("timed out")),
        (secure.clone(), None, Some("TLS: invalid peer certificate: UnknownIssuer")),
        (secure, Some(trusting.as_str()), None),
    ];
    for (url, argument, expected) in cases {
        let arguments: Vec<_> = ["--status=SEEN", "--speed-up=1e9"].into_iter().chain(argument).collect();
        let (sent, _) = Sender::start(&directory, "sender", &[&url], &arguments).await?.finish_or_give_up().await?;
        let error = sent.attempts[0].error.as_deref();
        ensure!(error == expected, "{url}: {error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_output_that_nobody_reads_and_no_connections() -> Result<()> {
    let _turn = one_at_a_time().await;
    let url = serve(Router::new().route("/callbacks", post(StatusCode::OK))).await?;
    let url = format!("--url={url}/callbacks");
    let mut sender = Command::new(binary("sender").await?);
    let mut running = sender.args([&url, "--messages=1000"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    drop(running.stdout.take());
    let ended = running.wait_with_output().await?;
    ensure!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");

    let mut sender = Command::new(binary("sender").await?);
    let ended = sender.args([&url, "--connections=0"]).output().await?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.code() == Some(2) && said.contains("invalid value '0' for '--connections"), "{said}");
    Ok(())
}

async fn serve(answers: Router) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    task::spawn(axum::serve(listener, answers).into_future());
    Ok(url)
}

/// A server with a certificate of its own, and the file that holds it.
async fn serve_tls(directory: &TempDir) -> Result<(String, PathBuf)> {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let path = directory.path().join("certificate.pem");
    fs::write(&path, cert.pem())?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key)?;
    let listener = TlsListener(TcpListener::bind("127.0.0.1:0").await?, TlsAcceptor::from(Arc::new(config)));
    let url = format!("https://{}", listener.0.local_addr()?);
    let answers = Router::new().route("/callbacks", post(StatusCode::OK));
    task::spawn(axum::serve(listener, answers).into_future());
    Ok((url, path))
}

struct TlsListener(TcpListener, TlsAcceptor);

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, address)) = self.0.accept().await
                && let Ok(stream) = self.1.accept(stream).await
            {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}
