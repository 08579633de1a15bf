//! What the retries did not bring: `receiver reconcile` asks Routee's tracking API, and so does `receiver serve --every`.
//!
//! The path of an answer: `routee` asks, `entry` reads it into rows like a callback, `isolation` and `store` commit them in
//! one step, and then `asked` remembers it. So whoever is stopped at any time has lost nothing but the answers that were
//! under way, and asks for them again.

mod asked;
mod campaign;
#[cfg(test)]
mod double;
mod ids;
mod pace;
mod patient;
mod routee;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use axum::body::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use routee_viber::{Stage, StatusName, TrackedMessage};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::{task, time};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cli::{RouteeApi, Which};
use crate::entry::{ANOTHER_TRACKED, Content, Entry, Kind, State};
use crate::isolation;
use crate::metrics::Metrics;
use crate::reconcile::asked::{CHUNK, Due, List, Outcome, Run};
use crate::reconcile::ids::Ids;
use crate::reconcile::patient::Patient;
use crate::reconcile::routee::{Answer, Credentials, Routee, Trouble};
use crate::store::Store;
use crate::store::batch::RowCounts;
use crate::store::error::Cause;
use crate::store::open::open_current;
use crate::store::value::Statement;

pub use crate::reconcile::state::{Reconciliation, watch};

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

/// The most answers of one commit.
const BATCH: usize = 100;

/// How often a commit is tried if somebody else has locked a message, and how long it waits in between.
const COMMITS: u32 = 5;
const COMMIT_AGAIN: Duration = Duration::from_secs(1);

/// How many ids in a row Routee may be too busy for, each of them tried for half a minute, before a run ends.
const MOST_BUSY: u32 = 10;

/// How often an asking process says that it is alive.
const KEEP_TURN: Duration = Duration::from_secs(5);

/// How often to look whether another process has come to its end.
const TRY_TURN: Duration = Duration::from_secs(1);

/// What came of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub asked: u64,
    /// Messages that were moved.
    pub recovered: u64,
    pub unchanged: u64,
    /// Messages from a recipient.
    pub inbound: u64,
    pub unknown: u64,
    pub unreadable: u64,
    /// Ids that need not be asked for, or not yet.
    pub skipped: u64,
    pub failed: u64,
    pub requests: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "asked: {}", self.asked)?;
        writeln!(f, "recovered: {}", self.recovered)?;
        writeln!(f, "unchanged: {}", self.unchanged)?;
        writeln!(f, "inbound: {}", self.inbound)?;
        writeln!(f, "unknown to Routee: {}", self.unknown)?;
        writeln!(f, "unreadable: {}", self.unreadable)?;
        writeln!(f, "skipped: {}", self.skipped)?;
        writeln!(f, "failed: {}", self.failed)?;
        write!(f, "requests: {}", self.requests)
    }
}

/// `receiver reconcile`: what came of it, and whether it came to its end with everything asked.
pub async fn reconcile(database_url: &str, which: Which, api: &RouteeApi) -> Result<(Tally, Result<()>)> {
    let routee = Routee::new(api, Credentials::from_env()?)?;
    let store = open_current(database_url, None, true).await?;
    let stop = CancellationToken::new();
    let stopping = task::spawn(stop_on_signal(stop.clone())?);
    let mut asking = Asking::new(store.clone(), routee, Arc::default(), stop);
    asking.bar = bar()?;
    let result = asking.in_turn(which).await;
    asking.bar.finish_and_clear();
    let tally = asking.tally;
    stopping.abort();
    store.close().await;
    let result = result.and_then(|()| match tally.failed {
        0 => Ok(()),
        failed => bail!("{failed} could not be asked for; the log says why"),
    });
    Ok((tally, result))
}

/// Asks for overdue messages again and again until it is told to stop.
pub fn every(
    pause: Duration,
    store: Arc<dyn Store>,
    api: &RouteeApi,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> Result<impl Future<Output = ()> + Send + use<>> {
    let mut asking = Asking::new(store, Routee::new(api, Credentials::from_env()?)?, metrics, stop);
    Ok(async move {
        while !asking.stop.is_cancelled() {
            match asking.if_its_turn(Which::default()).await {
                _ if asking.stop.is_cancelled() => {}
                Ok(()) if asking.tally.asked + asking.tally.failed == 0 => {}
                Ok(()) => {
                    info!("asked Routee for overdue messages: {}", asking.tally.to_string().replace('\n', ", "));
                }
                Err(error) => warn!("cannot ask Routee for overdue messages: {error:#}"),
            }
            tokio::select! {
                () = time::sleep(pause) => {}
                () = asking.stop.cancelled() => {}
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

/// A process that asks.
struct Asking {
    store: Arc<dyn Store>,
    routee: Arc<Routee>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    bar: ProgressBar,
    /// Its name among others that share the database.
    owner: String,
    tally: Tally,
    busy_in_a_row: u32,
}

impl Asking {
    fn new(store: Arc<dyn Store>, routee: Routee, metrics: Arc<Metrics>, stop: CancellationToken) -> Self {
        let owner = format!("{} {}", process::id(), Utc::now().timestamp_nanos_opt().unwrap_or_default());
        let (bar, tally) = (ProgressBar::hidden(), Tally::default());
        let store = Arc::new(Patient { store, stop: stop.clone() });
        Self { store, routee: Arc::new(routee), metrics, stop, bar, owner, tally, busy_in_a_row: 0 }
    }

    /// Waits until nobody else asks.
    async fn in_turn(&mut self, which: Which) -> Result<()> {
        let mut is_told = false;
        while !asked::take_turn(&*self.store, &self.owner, now()).await? {
            if !is_told {
                info!("another process is asking Routee; waiting for it");
                is_told = true;
            }
            tokio::select! {
                () = time::sleep(TRY_TURN) => {}
                () = self.stop.cancelled() => bail!("stopped"),
            }
        }
        self.with_turn(which).await
    }

    /// Does nothing if somebody else asks.
    async fn if_its_turn(&mut self, which: Which) -> Result<()> {
        self.tally = Tally::default();
        if asked::take_turn(&*self.store, &self.owner, now()).await? { self.with_turn(which).await } else { Ok(()) }
    }

    async fn with_turn(&mut self, which: Which) -> Result<()> {
        self.busy_in_a_row = 0;
        self.routee.begin().await;
        let (store, owner) = (self.store.clone(), self.owner.clone());
        let result = tokio::select! {
            result = self.run(which) => result,
            () = keep_turn(&*store, &owner) => bail!("another process has begun to ask Routee, as if this one were gone"),
        };
        self.tally.requests = self.routee.requests();
        let ended = asked::end_turn(&*store, &owner, now()).await;
        result.and_then(|()| Ok(ended?))
    }

    async fn run(&mut self, which: Which) -> Result<()> {
        match which {
            Which { ids: Some(path), .. } => self.ids(&path).await,
            Which { campaign: Some(id), .. } => self.campaign(&id).await,
            Which { since: Some(date), .. } => self.since(date).await,
            Which { .. } => self.overdue().await,
        }?;
        if self.stop.is_cancelled() {
            bail!("stopped before the end; start it again to go on");
        }
        Ok(())
    }

    /// Messages that are overdue, and ids that Routee did not know.
    async fn overdue(&mut self) -> Result<()> {
        let now = now();
        self.all(List::Overdue(now)).await?;
        self.all(List::Unknown(now)).await
    }

    async fn since(&mut self, date: DateTime<Utc>) -> Result<()> {
        let run = self.begin(&format!("since {date:?}")).await?;
        self.all(List::ChangedSince(date.timestamp_millis(), &run)).await?;
        self.end(&run, 0).await
    }

    async fn all(&mut self, list: List<'_>) -> Result<()> {
        self.bar.inc_length(list.count(&*self.store, now()).await?);
        let mut after = String::new();
        while !self.stop.is_cancelled() {
            let due = list.after(&*self.store, &after, now()).await?;
            let Some(Due { tracking_id, .. }) = due.last() else { break };
            after.clone_from(tracking_id);
            let count = due.len() as u64;
            self.ask(due).await?;
            self.bar.inc(count);
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
            if !piece.ids.is_empty() {
                let due = asked::of_these(&*self.store, &piece.ids, &run, now()).await?;
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

    async fn begin(&self, name: &str) -> Result<Run> {
        let begin = Utc::now();
        let run = Run::begin(&*self.store, name, begin).await?;
        if run.started_at < begin.timestamp_millis() {
            let started_at = DateTime::from_timestamp_millis(run.started_at).unwrap_or_default();
            info!("going on with the run that began at {}", started_at.format("%Y-%m-%d %H:%M:%S"));
        }
        Ok(run)
    }

    /// If it is through and everything was asked that ever can be: the next run of this name begins anew.
    async fn end(&self, run: &Run, faults: u64) -> Result<()> {
        if !self.stop.is_cancelled() && self.tally.failed == faults {
            run.end(&*self.store).await?;
        }
        Ok(())
    }

    /// Asks for each of these ids, several at once, and keeps the answers as they come.
    async fn ask(&mut self, due: Vec<Due>) -> Result<()> {
        let (routee, stop) = (self.routee.clone(), self.stop.clone());
        let (given, mut answers) = mpsc::channel(BATCH);
        let asking = async move {
            let (routee, stop, given) = (&*routee, &stop, &given);
            let ask = |due: Due| async move {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    // Nobody takes the answer if the run ends with an error.
                    answer = routee.message(&due.tracking_id) => drop(given.send((due, answer)).await),
                }
            };
            stream::iter(due).for_each_concurrent(AT_ONCE, ask).await;
            Ok(())
        };
        let keeping = async {
            let mut batch = Vec::new();
            while answers.recv_many(&mut batch, BATCH).await > 0 {
                self.answered(std::mem::take(&mut batch)).await?;
            }
            Ok(())
        };
        tokio::try_join!(asking, keeping).map(drop)
    }

    async fn answered(&mut self, answers: Vec<(Due, Result<Answer, Trouble>)>) -> Result<()> {
        let (mut found, mut statements, mut end) = (Vec::new(), Vec::new(), None);
        for (due, answer) in answers {
            let id = &due.tracking_id;
            self.busy_in_a_row = if answer.is_ok() { 0 } else { self.busy_in_a_row };
            match answer {
                Ok(Answer::Found(body)) => found.push(Found { entry: entry(id, body), due: Some(due) }),
                Ok(Answer::Unknown) => {
                    self.tally.asked += 1;
                    self.tally.unknown += 1;
                    statements.push(asked::answered(&due, Outcome::Unknown, None, now()));
                }
                Err(trouble) => {
                    self.tally.failed += 1;
                    end = self.after(trouble, &format!("{id:?}")).err().or(end);
                }
            }
        }
        self.keep(found, None, statements).await?;
        end.map_or(Ok(()), Err)
    }

    /// Whether the run can go on after that.
    fn after(&mut self, trouble: Trouble, what: &str) -> Result<()> {
        warn!("cannot ask for {what}: {trouble}");
        match trouble {
            Trouble::Refused(_) => self.busy_in_a_row = 0,
            Trouble::SetUp(_) => return Err(trouble.into()),
            Trouble::Busy { .. } => {
                self.busy_in_a_row += 1;
                if self.busy_in_a_row >= MOST_BUSY {
                    return Err(trouble).context(format!("{MOST_BUSY} in a row could not be asked for"));
                }
            }
        }
        Ok(())
    }

    /// Commits what was found, then that it was asked for: whoever is killed in between asks once more.
    async fn keep(
        &mut self,
        mut found: Vec<Found>,
        run: Option<&Run>,
        mut statements: Vec<Statement<'_>>,
    ) -> Result<()> {
        let mut recovered = 0;
        for attempt in 1.. {
            if found.is_empty() {
                break;
            }
            let begin = Instant::now();
            let entries: Vec<_> = found.iter().map(|found| found.entry.clone()).collect();
            let result = isolation::commit(&*self.store, &entries).await;
            self.metrics.batch(entries.len(), begin.elapsed(), &result.causes, &result.counts);
            let (mut tracked, mut moved) = (0, 0);
            for (_, count) in result.counts.iter().flat_map(RowCounts::iter).filter(|(kind, _)| *kind == Kind::Tracked)
            {
                tracked += count.given;
                moved += count.advanced;
            }
            recovered += moved;
            self.tally.recovered += moved;
            self.tally.unchanged += tracked - moved;
            let mut is_committed = result.is_committed.iter();
            let (kept, refused) = found.into_iter().partition::<Vec<_>, _>(|_| is_committed.next() == Some(&true));
            found = refused;
            let inbound = kept.iter().filter(|found| matches!(found.entry.content, Content::Other(_))).count() as u64;
            self.tally.asked += kept.len() as u64;
            self.tally.inbound += inbound;
            // Those aside that the database refused are among them.
            self.tally.unreadable += kept.len() as u64 - inbound - tracked;
            let run = run.map(|run| run.name.as_str());
            let answered = kept.iter().filter_map(|found| Some((found.due.as_ref()?, outcome_of(&found.entry))));
            statements.extend(answered.map(|(due, outcome)| asked::answered(due, outcome, run, now())));
            match result.error {
                None => {}
                Some(failure) if failure.cause == Cause::Unavailable => {
                    return Err(failure).context("cannot write to the database");
                }
                Some(_) if attempt < COMMITS => time::sleep(COMMIT_AGAIN).await,
                Some(failure) => {
                    warn!("{} answers are not kept: {failure}", found.len());
                    self.tally.failed += found.len() as u64;
                    break;
                }
            }
        }
        if recovered > 0 {
            statements.push(asked::recovered(recovered));
        }
        self.bar.set_message(format!("{} asked, {} recovered", self.tally.asked, self.tally.recovered));
        if !statements.is_empty() {
            let saved = self.store.execute(statements).await;
            saved.context("cannot write to the database")?;
        }
        Ok(())
    }
}

/// What Routee showed, and the id if there is one that can be asked for.
struct Found {
    entry: Arc<Entry>,
    due: Option<Due>,
}

/// The answer for that id. An answer about another message is not one that we understand.
fn entry(tracking_id: &str, body: Bytes) -> Arc<Entry> {
    let tracked = TrackedMessage::from_slice(&body);
    let is_other = tracked.as_ref().is_ok_and(|tracked| tracked.tracking_id != tracking_id);
    let entry = Entry::tracked(tracked, body, Utc::now());
    Arc::new(if is_other { entry.aside(ANOTHER_TRACKED) } else { entry })
}

fn outcome_of(entry: &Entry) -> Outcome {
    match &entry.content {
        Content::Unreadable(_) => Outcome::Unreadable,
        Content::Other(_) => Outcome::Ended,
        Content::Deliveries(deliveries) => {
            let is_pending = deliveries.iter().any(|delivery| match &delivery.state {
                State::Message(message) => {
                    StatusName::from(message.status_name.as_str()).stage() == Some(Stage::Pending)
                }
                _ => false,
            });
            if is_pending { Outcome::Pending } else { Outcome::Ended }
        }
    }
}

async fn keep_turn(store: &dyn Store, owner: &str) {
    loop {
        time::sleep(KEEP_TURN).await;
        match asked::take_turn(store, owner, now()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(failure) => warn!("cannot keep the turn to ask Routee: {failure}"),
        }
    }
}

fn now() -> i64 {
    Utc::now().timestamp_millis()
}
