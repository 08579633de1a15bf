//! A receiver of Routee's status callbacks for Viber messages, to start your own from.
//!
//! The way of a callback: `http` takes it, `intake` makes its raw body durable, only then is it
//! answered 200, and `process` reads the body and moves its message. `store` is the database.

mod http;
mod intake;
mod process;
mod store;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use routee_viber::{CALLBACK_HOST, SenderAllowlist};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::{task, time};
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;
use tracing::{info, warn};

use crate::store::Store;

/// Receives Routee's status callbacks for Viber messages at POST /callbacks.
#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is printed
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// `sqlite://FILE?mode=rwc` for one receiver, `postgres://…` for one or several
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    #[arg(default_value = "sqlite://routee.db?mode=rwc")]
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
    tracing_subscriber::fmt().with_max_level(options.log).with_writer(io::stderr).init();
    let seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0];
    let metrics = PrometheusBuilder::new().set_buckets(&seconds)?.install_recorder()?;
    let histograms = metrics.clone();
    task::spawn(async move {
        loop {
            time::sleep(Duration::from_secs(5)).await;
            histograms.run_upkeep();
        }
    });
    let senders = senders(&options).await?;
    let store = Store::open(&options.database_url).await.context("cannot open the database")?;

    let stop = CancellationToken::new();
    let stored = Arc::new(Notify::new());
    let intake = intake::start(store.clone(), options.queue, stored.clone());
    let processor = task::spawn(process::run(store.clone(), stored, stop.clone()));
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(options.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = http::App { store, intake, senders, metrics };
    let service =
        axum::serve(listener, http::service(app)).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future();
    let service = task::spawn(service);

    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    info!("stopping");
    stop.cancel();
    if let Ok(served) = time::timeout(Duration::from_secs(5), service).await {
        served??;
    } else {
        warn!("some requests were still under way");
    }
    Ok(processor.await?)
}

/// Who may send callbacks: `None` is anybody.
async fn senders(options: &Options) -> anyhow::Result<watch::Receiver<Option<SenderAllowlist>>> {
    let resolve = || async { task::spawn_blocking(SenderAllowlist::resolve).await? };
    let allowed = if options.allow_routee {
        let addresses = resolve().await;
        Some(addresses.with_context(|| format!("cannot resolve {CALLBACK_HOST}"))?)
    } else if options.allow_from.is_empty() {
        warn!("callbacks are taken from anybody: see --allow-routee and --allow-from");
        None
    } else {
        Some(options.allow_from.iter().copied().collect())
    };
    let (update, senders) = watch::channel(allowed);
    if options.allow_routee {
        task::spawn(async move {
            loop {
                time::sleep(Duration::from_mins(10)).await;
                match resolve().await {
                    Ok(addresses) => drop(update.send_replace(Some(addresses))),
                    Err(error) => warn!(%error, "cannot resolve {CALLBACK_HOST} again"),
                }
            }
        });
    }
    Ok(senders)
}
