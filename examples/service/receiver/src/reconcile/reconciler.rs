//! What every way of reconciling does: asks for ids, commits what Routee answers, and remembers what was asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::body::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt as _};
use indicatif::ProgressBar;
use routee_viber::{FailoverStatus, Stage, StatusName, TrackedMessage};
use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::entry::{ANOTHER_FLOW_TRACKED, ANOTHER_TRACKED, Content, Entry, Kind, State};
use crate::isolation;
use crate::metrics::Metrics;
use crate::reconcile::due::{self, Due, LookupResult};
use crate::reconcile::lease::Lease;
use crate::reconcile::reconciliation::Reconciliation;
use crate::reconcile::routee::{Answer, ApiError, Routee};
use crate::reconcile::run::Run;
use crate::reconcile::subject::Subject;
use crate::reconcile::tally::Tally;
use crate::store::Store;
use crate::store::batch::RowCounts;
use crate::store::error::Cause;
use crate::store::retrying::RetryingStore;
use crate::store::value::Statement;

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

/// The most answers of one commit.
const BATCH: usize = 100;

/// How often a commit is tried if somebody else has locked a message, and how long it waits in between.
const COMMITS: u32 = 5;
const COMMIT_AGAIN: Duration = Duration::from_secs(1);

/// How many ids in a row Routee may be too busy for, each of them tried for half a minute, before a run ends.
const MOST_BUSY: u32 = 10;

/// One process's reconciling.
pub struct Reconciler {
    pub store: Arc<dyn Store>,
    pub routee: Arc<Routee>,
    pub metrics: Arc<Metrics>,
    pub stop: CancellationToken,
    pub bar: ProgressBar,
    pub lease: Lease,
    pub tally: Tally,
    pub busy_in_a_row: u32,
}

impl Reconciler {
    pub fn new(store: Arc<dyn Store>, routee: Routee, metrics: Arc<Metrics>, stop: CancellationToken) -> Self {
        let store = Arc::new(RetryingStore { store, stop: stop.clone() });
        let lease = Lease::new(store.clone());
        let (bar, tally) = (ProgressBar::hidden(), Tally::default());
        Self { store, routee: Arc::new(routee), metrics, stop, bar, lease, tally, busy_in_a_row: 0 }
    }

    /// Begins a run, or goes on with the one of this name that was stopped.
    pub async fn begin(&self, name: &str) -> Result<Run> {
        let begin = Utc::now();
        let run = Run::begin(&*self.store, name, begin).await?;
        if run.started_at < begin.timestamp_millis() {
            let started_at = DateTime::from_timestamp_millis(run.started_at).unwrap_or_default();
            info!("going on with the run that began at {}", started_at.format("%Y-%m-%d %H:%M:%S"));
        }
        Ok(run)
    }

    /// Ends a run, so that the next one of this name starts over, unless it was stopped or something could not be asked
    /// for. `faults` counts what never can be.
    pub async fn end(&self, run: &Run, faults: u64) -> Result<()> {
        if !self.stop.is_cancelled() && self.tally.failed == faults {
            run.end(&*self.store).await?;
        }
        Ok(())
    }

    /// Asks for each of these ids, several at once, and commits the answers as they come.
    pub async fn ask(&mut self, due: Vec<Due>) -> Result<()> {
        let (routee, stop) = (self.routee.clone(), self.stop.clone());
        let (sender, mut answers) = mpsc::channel(BATCH);
        let asking = async move {
            let (routee, stop, sender) = (&*routee, &stop, &sender);
            let ask = |due: Due| async move {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    // If the run ends with an error, the answer is dropped.
                    (subject, answer) = look_up(routee, &due) => drop(sender.send((due, subject, answer)).await),
                }
            };
            stream::iter(due).for_each_concurrent(AT_ONCE, ask).await;
            Ok(())
        };
        let committing = async {
            let mut batch = Vec::new();
            while answers.recv_many(&mut batch, BATCH).await > 0 {
                self.process(std::mem::take(&mut batch)).await?;
            }
            Ok(())
        };
        tokio::try_join!(asking, committing).map(drop)
    }

    async fn process(&mut self, answers: Vec<(Due, Subject, Result<Answer, ApiError>)>) -> Result<()> {
        let (mut found, mut statements, mut end) = (Vec::new(), Vec::new(), None);
        for (due, subject, answer) in answers {
            let id = &due.tracking_id;
            self.busy_in_a_row = if answer.is_ok() { 0 } else { self.busy_in_a_row };
            match answer {
                Ok(Answer::Found(body)) => {
                    debug!("{id:?} is a {}", subject.table());
                    found.push(Found { entry: entry(subject, id, body), due: Some(due), is_first: true });
                }
                Ok(Answer::Unknown) => {
                    debug!("{id:?} is unknown to Routee");
                    self.tally.asked += 1;
                    self.tally.unknown += 1;
                    statements.push(due::remember(&due, LookupResult::Unknown, None, now()));
                }
                Err(error) => {
                    self.tally.failed += 1;
                    end = self.go_on_after(error, &format!("{id:?}")).err().or(end);
                }
            }
        }
        self.commit(found, None, statements).await?;
        end.map_or(Ok(()), Err)
    }

    /// Logs why something could not be asked for; an error if the run cannot go on after it.
    pub fn go_on_after(&mut self, error: ApiError, what: &str) -> Result<()> {
        warn!("cannot ask for {what}: {error}");
        match error {
            ApiError::Refused(_) => self.busy_in_a_row = 0,
            ApiError::SetUp(_) => return Err(error.into()),
            ApiError::Busy { .. } => {
                self.busy_in_a_row += 1;
                if self.busy_in_a_row >= MOST_BUSY {
                    return Err(error).context(format!("{MOST_BUSY} in a row could not be asked for"));
                }
            }
        }
        Ok(())
    }

    /// Commits what was found, and after that the statements and that it was asked for: a process that is killed in
    /// between asks once more.
    pub async fn commit(
        &mut self,
        mut found: Vec<Found>,
        run: Option<&Run>,
        mut statements: Vec<Statement<'_>>,
    ) -> Result<()> {
        // Messages and flows.
        let mut recovered = [0; 2];
        for attempt in 1.. {
            if found.is_empty() {
                break;
            }
            let begin = Instant::now();
            let entries: Vec<_> = found.iter().map(|found| found.entry.clone()).collect();
            let result = isolation::commit(&*self.store, &entries).await;
            self.metrics.batch(entries.len(), begin.elapsed(), &result.causes, &result.counts);
            let mut counts = RowCounts::default();
            result.counts.iter().for_each(|more| counts.add(more));
            let [messages, flows, steps] = [Kind::Tracked, Kind::TrackedFlow, Kind::Step].map(|kind| *counts.of(kind));
            recovered[0] += messages.advanced + steps.advanced;
            recovered[1] += flows.advanced;
            let mut is_committed = result.is_committed.iter();
            let (committed, refused) = found.into_iter().partition::<Vec<_>, _>(|_| is_committed.next() == Some(&true));
            found = refused;
            // What stood on another page before is not counted again.
            let again = |kind| committed.iter().filter(|found| !found.is_first && found.kind() == kind).count() as u64;
            let inbound = committed.iter().filter(|found| found.kind() == Kind::Other).count() as u64;
            // Answers that the database refused and that went to `unreadable` are among them.
            let unreadable = committed.len() as u64 - inbound - messages.given - flows.given;
            let tally = &mut self.tally;
            tally.asked += committed.iter().filter(|found| found.is_first).count() as u64;
            tally.recovered += messages.advanced + steps.advanced;
            tally.unchanged += messages.given.saturating_sub(messages.advanced + again(Kind::Tracked));
            tally.flows_recovered += flows.advanced;
            tally.flows_unchanged += flows.given.saturating_sub(flows.advanced + again(Kind::TrackedFlow));
            tally.inbound += inbound - again(Kind::Other);
            tally.unreadable += unreadable - again(Kind::Unreadable);
            let run = run.map(|run| run.name.as_str());
            let asked = committed.iter().filter_map(|found| Some((found.due.as_ref()?, result_of(&found.entry))));
            statements.extend(asked.map(|(due, result)| due::remember(due, result, run, now())));
            match result.error {
                None => {}
                Some(error) if error.cause == Cause::Unavailable => {
                    return Err(error).context("cannot write to the database");
                }
                Some(_) if attempt < COMMITS => time::sleep(COMMIT_AGAIN).await,
                Some(error) => {
                    warn!("{} answers are not kept: {error}", found.len());
                    self.tally.failed += found.len() as u64;
                    break;
                }
            }
        }
        if recovered != [0; 2] {
            statements.push(Reconciliation::add_recovered(recovered));
        }
        let recovered = self.tally.recovered + self.tally.flows_recovered;
        self.bar.set_message(format!("{} asked, {recovered} recovered", self.tally.asked));
        if !statements.is_empty() {
            let saved = self.store.execute(statements).await;
            saved.context("cannot write to the database")?;
        }
        Ok(())
    }
}

/// What Routee has answered, and the id if there is one that can be asked for.
pub struct Found {
    pub entry: Arc<Entry>,
    pub due: Option<Due>,
    /// Whether this run has not found it before.
    pub is_first: bool,
}

impl Found {
    fn kind(&self) -> Kind {
        match &self.entry.content {
            // A flow comes before its steps.
            Content::Deliveries(deliveries) => deliveries[0].kind,
            Content::Other(_) => Kind::Other,
            Content::Unreadable(_) => Kind::Unreadable,
        }
    }
}

/// What the id belongs to, as far as that is known, and the answer. An id that the database does not know may be that of
/// a message or of a flow.
async fn look_up(routee: &Routee, due: &Due) -> (Subject, Result<Answer, ApiError>) {
    let first = due.subject.unwrap_or(Subject::Message);
    match routee.one(first, &due.tracking_id).await {
        Ok(Answer::Unknown) if due.subject.is_none() => match routee.one(Subject::Flow, &due.tracking_id).await {
            Err(ApiError::Refused(reason)) => {
                warn!("cannot ask whether {:?} is a flow: {reason}", due.tracking_id);
                (Subject::Message, Ok(Answer::Unknown))
            }
            answer => (Subject::Flow, answer),
        },
        answer => (first, answer),
    }
}

/// The answer for that id. An answer about another message or flow goes to `unreadable`.
fn entry(subject: Subject, tracking_id: &str, body: Bytes) -> Arc<Entry> {
    let (entry, id, reason) = match subject {
        Subject::Message => {
            let tracked = TrackedMessage::from_slice(&body);
            let id = tracked.as_ref().ok().map(|tracked| tracked.tracking_id.clone());
            (Entry::tracked(tracked, body, Utc::now()), id, ANOTHER_TRACKED)
        }
        Subject::Flow => {
            let entry = Entry::tracked_flow(body, Utc::now());
            let id = entry.deliveries().first().map(|flow| flow.tracking_id.clone());
            (entry, id, ANOTHER_FLOW_TRACKED)
        }
    };
    let is_other = id.is_some_and(|id| id != tracking_id);
    Arc::new(if is_other { entry.aside(reason) } else { entry })
}

fn result_of(entry: &Entry) -> LookupResult {
    match &entry.content {
        Content::Unreadable(_) => LookupResult::Unreadable,
        Content::Other(_) => LookupResult::Ended,
        Content::Deliveries(deliveries) => {
            let is_pending = match &deliveries[0].state {
                State::Message(message) => {
                    StatusName::from(message.status_name.as_str()).stage() == Some(Stage::Pending)
                }
                State::Flow(flow) => matches!(
                    FailoverStatus::from(flow.status_name.as_str()),
                    FailoverStatus::Queued | FailoverStatus::InProgress
                ),
                State::Reply(_) => false,
            };
            if is_pending { LookupResult::Pending } else { LookupResult::Ended }
        }
    }
}

/// In milliseconds of the epoch.
pub fn now() -> i64 {
    Utc::now().timestamp_millis()
}
