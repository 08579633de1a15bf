//! The serving process: what runs in it, and how it ends.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures_util::{FutureExt as _, future};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{self, Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin;
use crate::admin::state::Admin;
use crate::callbacks::{self, Callbacks};
use crate::cli;
use crate::connections::Server;
use crate::intake::{Intake, Limits};
use crate::metrics::Metrics;
use crate::proxies::TrustedProxies;
use crate::purge::{self, Ages};
use crate::readiness::Readiness;
use crate::reconcile;
use crate::refusals::Refusals;
use crate::senders::{self, Allowed};
use crate::store::Store;
use crate::store::open::open_current;

/// How many connections the private address takes.
const ADMIN_CONNECTIONS: usize = 64;

/// How often what has changed is counted, if nobody reads the tallies.
const SETTLE_EVERY: Duration = Duration::from_secs(5);

/// How many files the process needs besides the connections, for the database and the log.
const OTHER_FILES: u64 = 64;

pub async fn serve(database_url: &str, options: cli::Serve) -> anyhow::Result<()> {
    let ages = options.keep.map(|keep| Ages::new(keep, options.forget)).transpose()?;
    let store = open_current(database_url, options.max_pages, !options.no_migrate).await?;
    // An empty batch makes the store connect now, so that the first callbacks need not wait for that.
    if let Err(error) = store.commit(&[]).await {
        warn!("the database cannot be written yet: {error}");
    }
    let metrics = Arc::new(Metrics::default());
    let refusals = Refusals::new(metrics.clone());
    let (stopping, stop) = (CancellationToken::new(), CancellationToken::new());
    let readiness = Readiness::new(store.clone(), stopping.clone());
    let asking = match options.every {
        Some(pause) => Some(reconcile::every(pause, store.clone(), &options.api, metrics.clone(), stop.clone())?),
        None => None,
    };
    let intake = Intake::new(Limits { callbacks: options.queue.get(), bytes: options.queue_bytes.get() });
    let (senders, senders_task) = senders::watch(allowed(options.allow_routee, options.allow_from), store.clone());
    let trusted: TrustedProxies = options.trust_proxy.into_iter().collect();
    let public = Server {
        listener: bind(options.listen).await?,
        name: "callbacks",
        router: callbacks::router(Callbacks {
            intake: intake.clone(),
            senders,
            trusted: trusted.clone(),
            metrics: metrics.clone(),
            refusals: refusals.clone(),
            readiness: readiness.clone(),
        }),
        connections: within_file_limit(options.connections.get()),
        idle: options.idle,
        trusted,
        stopping: stopping.clone(),
        metrics: metrics.clone(),
        refusals: refusals.clone(),
    };
    let private = Server {
        listener: bind(options.admin_listen).await?,
        name: "admin",
        router: admin::router(Admin::new(store.clone(), intake.clone(), metrics.clone(), readiness)),
        connections: ADMIN_CONNECTIONS,
        idle: options.idle,
        trusted: TrustedProxies::default(),
        stopping: stopping.clone(),
        metrics: metrics.clone(),
        refusals: refusals.clone(),
    };
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    // If standard output is closed, serving goes on without these lines.
    let _ = writeln!(io::stdout(), "listening on http://{}", public.listener.local_addr()?);
    let _ = writeln!(io::stdout(), "admin on http://{}", private.listener.local_addr()?);

    let mut tasks = JoinSet::new();
    tasks.spawn(public.run(stop.clone()));
    tasks.spawn(private.run(stop.clone()));
    if let Some(asking) = asking {
        tasks.spawn(asking);
    }
    let mut writing = JoinSet::new();
    writing.spawn(intake.clone().run(store.clone(), metrics.clone()));
    let mut background = JoinSet::new();
    background.spawn(reconcile::watch(store.clone(), metrics.clone()));
    background.spawn(keep_settling(store.clone()));
    background.spawn(refusals.clone().run());
    if let Some(task) = senders_task {
        background.spawn(task);
    }
    if let Some(ages) = ages {
        let purging = purge::keep_purging(ages, store.clone(), metrics.clone(), stopping.clone());
        // A background task must not end before all others have.
        background.spawn(purging.then(|()| future::pending()));
    }
    tell_systemd(NotifyState::Ready);
    {
        let failed = async {
            tokio::select! {
                Some(ended) = tasks.join_next() => anyhow!("a server, or the task that asks Routee, has ended: {ended:?}"),
                Some(ended) = writing.join_next() => anyhow!("the intake has ended: {ended:?}"),
                Some(ended) = background.join_next() => anyhow!("a background task has ended: {ended:?}"),
                () = store.ended() => anyhow!("the writer of the database has ended"),
            }
        };
        tokio::select! {
            () = drained(terminate, interrupt, options.drain, &stopping) => {}
            error = failed => return Err(error),
        }
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    intake.close();
    while writing.join_next().await.is_some() {}
    background.shutdown().await;
    refusals.finish();
    // So that the next start has nothing to count. If the database hangs, it has.
    let _ = time::timeout(SETTLE_EVERY, settle(&*store)).await;
    store.close().await;
    Ok(())
}

/// Returns once it is to end, and has gone on for as long as it is to drain.
async fn drained(mut terminate: Signal, mut interrupt: Signal, drain: Duration, stopping: &CancellationToken) {
    let drain = tokio::select! {
        _ = terminate.recv() => drain,
        // Somebody waits at the terminal.
        _ = interrupt.recv() => Duration::ZERO,
    };
    info!(?drain, "stopping");
    tell_systemd(NotifyState::Stopping);
    stopping.cancel();
    tokio::select! {
        () = time::sleep(drain) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Counts again and again what has changed.
async fn keep_settling(store: Arc<dyn Store>) {
    let mut times = time::interval_at(Instant::now() + SETTLE_EVERY, SETTLE_EVERY);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        settle(&*store).await;
    }
}

async fn settle(store: &dyn Store) {
    if let Err(error) = store.settle().await {
        warn!("the tallies are behind: {error}");
    }
}

/// Does nothing unless systemd, or whoever has set `NOTIFY_SOCKET`, wants to know.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!("cannot tell systemd: {error}");
    }
}

fn allowed(routee: bool, addresses: Vec<IpAddr>) -> Allowed {
    match addresses {
        _ if routee => Allowed::Routee,
        addresses if addresses.is_empty() => Allowed::Anybody,
        addresses => Allowed::These(addresses),
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))
}

/// The number of connections that there are file descriptors for. Without a descriptor a connection could not even be
/// refused, and its client would wait.
fn within_file_limit(connections: usize) -> usize {
    let limit = rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap_or(1024);
    let most =
        usize::try_from(limit.saturating_sub(OTHER_FILES + ADMIN_CONNECTIONS as u64)).unwrap_or(usize::MAX).max(1);
    if connections > most {
        warn!("--connections is {most}: the limit of open files allows no more");
    }
    connections.min(most)
}
