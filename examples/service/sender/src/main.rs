//! POSTs status callbacks for Viber messages to your receiver, the way Routee is documented to.

mod plan;
mod routee;
mod tally;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{SubsecRound as _, Utc};
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Url;
use routee_viber::StatusName;
use tokio::task::JoinSet;

use crate::plan::Faults;
use crate::routee::Routee;

/// POSTs status callbacks for Viber messages the way Routee is documented to: 2 seconds
/// for the answer 200, twelve retries.
///
/// It ends with an error where a callback was given up.
#[derive(Parser)]
struct Options {
    /// Where to POST; given more than once, in turn, as a load balancer would
    #[arg(long, default_value = "http://127.0.0.1:8080/callbacks")]
    url: Vec<Url>,
    /// How many messages
    #[arg(long, default_value_t = 1)]
    messages: usize,
    /// The status, or the statuses of a whole life: QUEUED,DELIVERED,SEEN. Without it
    /// each message has a life of its own
    #[arg(long, value_delimiter = ',')]
    status: Vec<StatusName>,
    /// What the delays of the retries count from; Routee's pages do not say
    #[arg(long, default_value = "first-attempt")]
    counting: Counting,
    /// How much faster than the real ones the retries come; the 2 seconds stay
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    speed_up: f64,
    /// How many callbacks may be under way at once
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Of the same seed come the same ids, lives and faults [default: a random one]
    #[arg(long)]
    seed: Option<u64>,
    /// A file for each attempt and its answer, as lines of JSON
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Faults")]
    faults: Faults,
}

#[derive(Clone, Copy, ValueEnum)]
enum Counting {
    FirstAttempt,
    PreviousAttempt,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    anyhow::ensure!(options.speed_up > 0.0 && options.speed_up.is_finite(), "--speed-up must be more than 0");
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("seed {seed}");
    let messages = plan::plan(seed, options.messages, &options.status, &options.faults, Utc::now().trunc_subsecs(3));

    let callbacks = messages.iter().map(|posts| posts.len() as u64).sum();
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} callbacks, {per_sec}, {elapsed}")?;
    let progress = ProgressBar::new(callbacks).with_style(style);
    let record = match &options.record {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Some(Box::new(BufWriter::new(file)) as Box<dyn Write + Send>)
        }
        None => None,
    };
    let counting = match options.counting {
        Counting::FirstAttempt => routee_viber::Counting::FromFirstAttempt,
        Counting::PreviousAttempt => routee_viber::Counting::FromPreviousAttempt,
    };
    let routee =
        Arc::new(Routee::new(options.url, counting, options.speed_up, options.connections, progress.clone(), record)?);
    let playing: JoinSet<()> = messages.into_iter().map(|message| routee.clone().play(message)).collect();
    playing.join_all().await;
    progress.finish_and_clear();

    let tally = routee.tally.lock().unwrap();
    println!("{tally}");
    Ok(if tally.total_given_up() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
