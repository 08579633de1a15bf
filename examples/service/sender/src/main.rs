//! POSTs callbacks about Viber messages to your receiver, the way Routee is documented to.
//!
//! `plan` says what is POSTed, `bodies` makes it, `queue` says what comes next, `routee` POSTs it and `tally` counts.
//! `campaign` knows how far each message has come, and `api` tells whoever asks. `record` keeps what was done.

mod api;
mod bodies;
mod campaign;
mod plan;
mod queue;
mod record;
mod routee;
mod tally;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, SubsecRound as _, Utc};
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use routee_viber::{RESPONSE_DEADLINE, RetrySchedule, StatusName};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::{task, time};

use crate::api::{Api, ApiOptions};
use crate::campaign::Campaign;
use crate::plan::{Plan, Shares};
use crate::queue::Queue;
use crate::record::Record;
use crate::routee::Routee;

/// POSTs callbacks about Viber messages the way Routee is documented to: 2 seconds for the answer 200, twelve retries.
///
/// It ends with an error if it gave up on a callback.
#[derive(Parser)]
struct Options {
    /// Where to POST; if given more than once, to each in turn, as a load balancer would
    #[arg(long, default_value = "http://127.0.0.1:8080/callbacks")]
    url: Vec<Url>,
    /// The certificates of an authority to trust for https, in addition to those of the system, as PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How many messages
    #[arg(long, default_value_t = 1)]
    messages: u32,
    /// The status of every message, or all its statuses in order, such as QUEUED,DELIVERED,SEEN.
    /// Without it each message has a life of its own
    #[arg(long, value_delimiter = ',')]
    status: Vec<StatusName>,
    /// What the delays of the retries count from; Routee's pages do not say
    #[arg(long, default_value = "first-attempt")]
    counting: Counting,
    /// By which factor to shorten the delays of the retries; the 2 seconds for the answer stay
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = positive)]
    speed_up: f64,
    /// How many callbacks may be under way at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// How many callbacks to begin per second, retries aside. Latencies then count from when
    /// each was due, so that a receiver that stalls cannot hide it [default: as many as it takes]
    #[arg(long, value_name = "PER_SECOND", value_parser = positive)]
    rate: Option<f64>,
    /// The same seed gives the same ids, lives and faults [default: a random one]
    #[arg(long)]
    seed: Option<u64>,
    /// When the messages were sent, as in 2026-11-02T17:00:00Z; all dates count from it [default: now]
    #[arg(long, value_name = "DATE")]
    start: Option<DateTime<Utc>>,
    /// How many seconds after the one before each message was sent
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=3600))]
    apart: u32,
    /// A file that gets a line of JSON for each attempt, each lost callback and each call of the API
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    shares: Shares,
    #[command(flatten)]
    api: ApiOptions,
}

#[derive(Clone, Copy, ValueEnum)]
enum Counting {
    FirstAttempt,
    PreviousAttempt,
}

fn positive(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(number) if f64::is_finite(number) && number > 0.0 => Ok(number),
        _ => Err("not a number above 0"),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(rand::random);
    say(&format!("seed {seed}"))?;

    let counting = match options.counting {
        Counting::FirstAttempt => routee_viber::Counting::FromFirstAttempt,
        Counting::PreviousAttempt => routee_viber::Counting::FromPreviousAttempt,
    };
    let record = Record::create(options.record.as_deref()).context("cannot write the record")?;
    let record = Arc::new(record);
    let start = options.start.unwrap_or_else(Utc::now).trunc_subsecs(3);
    let plan = Plan::new(seed, options.status, options.shares, start, options.apart);
    let campaign = Arc::new(Campaign::new(plan, options.api.newcomers));
    if let Some(address) = options.api.address {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
        say(&format!("API on http://{}", listener.local_addr()?))?;
        say(&format!("campaign {}", campaign.plan.campaign_id))?;
        let api = Api::new(seed, options.api, campaign.clone(), record.clone());
        task::spawn(axum::serve(listener, api.router()).into_future());
    }
    let routee = Routee::new(
        client(options.ca.as_deref())?,
        options.url,
        campaign,
        Queue::new(options.messages, options.rate),
        RetrySchedule::waits(counting).map(|wait| wait.div_f64(options.speed_up)).collect(),
        record,
    );
    let showing = task::spawn(show(routee.clone(), options.messages)?);
    let tally = match routee.run(options.connections).await {
        // Whoever read the record has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::FAILURE),
        result => result.context("cannot write the record")?,
    };
    showing.abort();
    say(&tally.to_string())?;
    if options.api.address.is_some() {
        stopped().await?;
    }
    Ok(if tally.total_given_up() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends when it is to end: on SIGINT or SIGTERM.
async fn stopped() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn client(ca: Option<&Path>) -> anyhow::Result<Client> {
    let certificates = match ca {
        Some(path) => {
            let pem = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let none = || format!("no certificate in {}", path.display());
            let certificates = Certificate::from_pem_bundle(&pem).with_context(none)?;
            ensure!(!certificates.is_empty(), none());
            certificates
        }
        None => Vec::new(),
    };
    // Anything but 200 is a refusal to Routee, a redirect included.
    let client = Client::builder().redirect(Policy::none()).timeout(RESPONSE_DEADLINE);
    Ok(client.tls_certs_merge(certificates).build()?)
}

/// Prints a line. Nobody has to read it: the output may have been closed.
fn say(line: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Shows on a terminal how far it is.
fn show(routee: Arc<Routee>, messages: u32) -> anyhow::Result<impl Future<Output = ()>> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} messages, {msg} retries waiting, {elapsed}")?;
    let bar = ProgressBar::new(messages.into()).with_style(style);
    Ok(async move {
        let mut ticks = time::interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            let (begun, retries) = routee.queue.progress();
            bar.set_message(retries.to_string());
            bar.set_position(begun.into());
        }
    })
}
