//! A receiver of Routee's status callbacks for Viber messages, to start your own from.
//!
//! The way of a callback: `http` takes it, `intake` makes its raw body durable, only then is it answered
//! 200, and `process` reads the stored body and moves the status of its message. `store` is the database.

mod http;
mod intake;
mod metrics;
mod process;
mod store;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use routee_viber::{CALLBACK_HOST, SenderAllowlist};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::{task, time};
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;
use tracing::{info, warn};

use crate::metrics::Metrics;
use crate::store::Store;

/// How often the addresses of Routee's callback host are looked up again.
const REFRESH_SENDERS: Duration = Duration::from_secs(600);

/// How long requests that are under way at SIGTERM may still take.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Receives Routee's status callbacks for Viber messages at POST /callbacks.
#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is printed
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// sqlite://FILE?mode=rwc for one receiver, postgres://… for one or several
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite://routee.db?mode=rwc"
    )]
    database_url: String,
    /// How many callbacks may wait to be stored; any more are answered 503
    #[arg(long, default_value_t = 1024)]
    queue: usize,
    /// Take callbacks from this address alone; may be given more than once
    #[arg(long, value_name = "IP", conflicts_with = "allow_routee")]
    allow_from: Vec<IpAddr>,
    /// Take callbacks from the addresses of Routee's callback host alone
    #[arg(long)]
    allow_routee: bool,
    /// off, error, warn, info or debug
    #[arg(long, env = "LOG", default_value = "info")]
    log: LevelFilter,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_max_level(options.log)
        .with_writer(io::stderr)
        .init();

    let senders = senders(&options).await?;
    let store = Store::open(&options.database_url)
        .await
        .context("cannot open the database")?;
    let metrics = Arc::new(Metrics::default());
    let stored = Arc::new(Notify::new());
    let stop = CancellationToken::new();

    let intake = intake::start(store.clone(), options.queue, stored.clone());
    let processor = task::spawn(process::run(
        store.clone(),
        metrics.clone(),
        stored,
        stop.clone(),
    ));

    let listener = TcpListener::bind(options.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = http::App {
        store,
        intake,
        metrics,
        senders,
    };
    let server = axum::serve(listener, http::service(app))
        .with_graceful_shutdown(stop.clone().cancelled_owned());

    task::spawn(stop_on_signal(stop.clone())?);
    tokio::select! {
        served = server => served?,
        () = async { stop.cancelled().await; time::sleep(LAST_ANSWERS).await } => warn!("some requests are cut off"),
    }
    processor.await?;
    Ok(())
}

/// Completes the token at SIGTERM and at Ctrl-C.
fn stop_on_signal(stop: CancellationToken) -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping");
        stop.cancel();
    })
}

/// Who may send callbacks: `None` is anybody. With `--allow-routee` it follows the host's addresses.
async fn senders(options: &Options) -> anyhow::Result<watch::Receiver<Option<SenderAllowlist>>> {
    let given =
        (!options.allow_from.is_empty()).then(|| options.allow_from.iter().copied().collect());
    let (update, senders) = watch::channel(given);
    if options.allow_routee {
        let resolve = || async { task::spawn_blocking(SenderAllowlist::resolve).await? };
        update.send_replace(Some(
            resolve()
                .await
                .with_context(|| format!("cannot resolve {CALLBACK_HOST}"))?,
        ));
        task::spawn(async move {
            loop {
                time::sleep(REFRESH_SENDERS).await;
                match resolve().await {
                    Ok(addresses) => drop(update.send_replace(Some(addresses))),
                    Err(error) => {
                        warn!(%error, "cannot resolve {CALLBACK_HOST}; the addresses known so far stay")
                    }
                }
            }
        });
    } else if options.allow_from.is_empty() {
        warn!("callbacks are taken from anybody: see --allow-routee and --allow-from");
    }
    Ok(senders)
}
