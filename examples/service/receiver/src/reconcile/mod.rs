//! Asks Routee's tracking APIs for what the retries did not bring: `receiver reconcile`, `receiver serve --every`.
//!
//! The path of an answer: `routee` asks, `entry` reads it into rows like a callback, `isolation` and `store` commit
//! them in one step, and then `due` remembers that it was asked for. A process that is stopped at any time loses only
//! the answers that were under way, and asks for them again.

mod campaign;
mod due;
#[cfg(test)]
mod fake;
mod flows;
mod ids;
mod lease;
mod pages;
mod rate_limiter;
mod reconciler;
mod reconciliation;
mod routee;
mod run;
mod subject;
mod tally;
#[cfg(test)]
mod tests;
mod window;

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::{task, time};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cli::{RouteeApi, Selection};
use crate::metrics::Metrics;
use crate::reconcile::due::{CHUNK, DueList, Place};
use crate::reconcile::ids::Ids;
use crate::reconcile::reconciler::{Reconciler, now};
use crate::reconcile::routee::{Credentials, Routee};
use crate::reconcile::tally::Tally;
use crate::store::Store;
use crate::store::open::open_current;

pub use crate::reconcile::reconciliation::{Reconciliation, overdue, watch};
pub use crate::reconcile::subject::Subject;

/// How often to look whether another process has released the lease.
const ACQUIRE_EVERY: Duration = Duration::from_secs(1);

/// `receiver reconcile`: prints what came of it; an error if something could not be asked for.
pub async fn reconcile(database_url: &str, selection: Selection, api: &RouteeApi) -> Result<()> {
    if selection.until < selection.flows_since && selection.until.is_some() {
        bail!("--until is before --flows-since");
    }
    let routee = Routee::new(api, Credentials::from_env()?)?;
    let store = open_current(database_url, None, false).await?;
    let stop = CancellationToken::new();
    let stopping = task::spawn(stop_on_signal(stop.clone())?);
    let mut reconciler = Reconciler::new(store.clone(), routee, Arc::default(), stop);
    reconciler.bar = bar()?;
    let result = reconciler.run_when_free(selection).await;
    reconciler.bar.finish_and_clear();
    stopping.abort();
    store.close().await;
    // If nobody reads it, the exit code still tells whether everything could be asked for.
    let _ = writeln!(io::stdout(), "{}", reconciler.tally);
    result?;
    match reconciler.tally.failed {
        0 => Ok(()),
        failed => bail!("{failed} could not be asked for; the log says why"),
    }
}

/// Asks for overdue messages and flows again and again until it is told to stop.
pub fn every(
    pause: Duration,
    store: Arc<dyn Store>,
    api: &RouteeApi,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> Result<impl Future<Output = ()> + Send + use<>> {
    let mut reconciler = Reconciler::new(store, Routee::new(api, Credentials::from_env()?)?, metrics, stop);
    Ok(async move {
        while !reconciler.stop.is_cancelled() {
            let result = reconciler.run_if_free(Selection::default()).await;
            if (result.is_err() || reconciler.tally.failed > 0) && !reconciler.stop.is_cancelled() {
                reconciler.metrics.reconcile_failed();
            }
            match result {
                _ if reconciler.stop.is_cancelled() => {}
                Ok(()) if reconciler.tally.asked + reconciler.tally.failed == 0 => {}
                Ok(()) => {
                    info!("asked Routee for what is overdue: {}", reconciler.tally.to_string().replace('\n', ", "));
                }
                Err(error) => warn!("cannot ask Routee for what is overdue: {error:#}"),
            }
            tokio::select! {
                () = time::sleep(pause) => {}
                () = reconciler.stop.cancelled() => {}
            }
        }
    })
}

fn stop_on_signal(stop: CancellationToken) -> Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    })
}

/// Shows on a terminal how far it is.
fn bar() -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{wide_bar} {percent} %, {msg}, {elapsed}")?;
    let bar = ProgressBar::new(0).with_style(style).with_message("0 asked, 0 recovered");
    bar.enable_steady_tick(Duration::from_millis(100));
    Ok(bar)
}

impl Reconciler {
    /// Waits until no other process asks, and then asks.
    async fn run_when_free(&mut self, selection: Selection) -> Result<()> {
        let mut is_told = false;
        while !self.lease.acquire(now()).await? {
            if !is_told {
                info!("another process is asking Routee; waiting for it");
                is_told = true;
            }
            tokio::select! {
                () = time::sleep(ACQUIRE_EVERY) => {}
                () = self.stop.cancelled() => bail!("stopped"),
            }
        }
        self.run_with_lease(selection).await
    }

    /// Asks unless another process does.
    async fn run_if_free(&mut self, selection: Selection) -> Result<()> {
        self.tally = Tally::default();
        if self.lease.acquire(now()).await? { self.run_with_lease(selection).await } else { Ok(()) }
    }

    async fn run_with_lease(&mut self, selection: Selection) -> Result<()> {
        self.busy_in_a_row = 0;
        self.routee.begin().await;
        let lease = self.lease.clone();
        let result = tokio::select! {
            result = self.run(selection) => result,
            () = lease.renew_until_lost() => bail!("another process has begun to ask Routee, as if this one were gone"),
        };
        self.tally.requests = self.routee.requests();
        let released = lease.release(now()).await;
        result.and_then(|()| Ok(released?))
    }

    async fn run(&mut self, selection: Selection) -> Result<()> {
        match selection {
            Selection { ids: Some(path), .. } => self.ids(&path).await,
            Selection { campaign: Some(id), .. } => self.campaign(&id).await,
            Selection { since: Some(date), .. } => self.since(date).await,
            Selection { flows_since: Some(date), until, .. } => self.flows(date, until).await,
            Selection { .. } => self.overdue().await,
        }?;
        if self.stop.is_cancelled() {
            bail!("stopped before the end; start it again to go on");
        }
        Ok(())
    }

    /// What is overdue, and ids that Routee did not know. Flows come first, since their steps are messages.
    async fn overdue(&mut self) -> Result<()> {
        let now = now();
        self.all(DueList::Overdue(Subject::Flow, now)).await?;
        self.all(DueList::Overdue(Subject::Message, now)).await?;
        self.all(DueList::Unknown(now)).await
    }

    async fn since(&mut self, date: DateTime<Utc>) -> Result<()> {
        let run = self.begin(&format!("since {date:?}")).await?;
        let mut after = String::new();
        while !self.stop.is_cancelled() {
            let changed = due::changed_since(&*self.store, date.timestamp_millis(), &run, &after, now()).await?;
            let Some((due, last)) = changed else { break };
            after = last;
            let count = due.len() as u64;
            self.bar.inc_length(count);
            self.ask(due).await?;
            self.bar.inc(count);
        }
        self.end(&run, 0).await
    }

    /// Asks for every id of the list.
    async fn all(&mut self, list: DueList) -> Result<()> {
        self.bar.inc_length(list.count(&*self.store).await?);
        let (failed, mut place) = (self.tally.failed, Place::BEGIN);
        while !self.stop.is_cancelled() {
            match list.after(&*self.store, &place).await? {
                Some((ids, end)) => {
                    place = end;
                    let count = ids.len() as u64;
                    self.ask(ids).await?;
                    self.bar.inc(count);
                }
                // What could not be asked for is still in the list, for the next run.
                None if place == Place::BEGIN || self.tally.failed > failed => break,
                None => place = Place::BEGIN,
            }
        }
        Ok(())
    }

    async fn ids(&mut self, path: &Path) -> Result<()> {
        let mut ids = Ids::open(path)?;
        let run = self.begin(&format!("ids {}", ids.identity(path)?)).await?;
        self.bar.set_length(ids.size()?);
        let mut faults = 0;
        loop {
            let (file, piece) = task::spawn_blocking(move || {
                let piece = ids.next(CHUNK.into());
                (ids, piece)
            })
            .await?;
            ids = file;
            let piece = piece.with_context(|| format!("cannot read {}", path.display()))?;
            let Some(piece) = piece else { break };
            faults += piece.faults;
            self.tally.failed += piece.faults;
            self.tally.trimmed += piece.trimmed;
            if !piece.ids.is_empty() {
                let due = due::among(&*self.store, &piece.ids, &run, now()).await?;
                self.tally.skipped += (piece.ids.len() - due.len()) as u64;
                self.ask(due).await?;
            }
            self.bar.set_position(ids.place);
            if self.stop.is_cancelled() {
                return Ok(());
            }
        }
        self.end(&run, faults).await
    }
}
