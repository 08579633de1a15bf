//! Removes what is old: `receiver purge --older-than 30d`, `receiver serve --keep 30d`.
//!
//! It removes deliveries with their bodies, replies, other and unreadable bodies, and the changes; and it forgets ids that
//! Routee was asked for, if they could have been asked for again that long ago. The name of each message's and flow's
//! status stays, with its reason and time; it has neither a phone number nor a text. An idempotency key stays as long as
//! Routee may send its callback again.
//!
//! It goes from the oldest on, in steps that each keep callbacks waiting for a moment only. What there is to remove is
//! read beside the writer. A purge that is stopped has removed what its steps have, and the next one goes on.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use chrono::{DateTime, Utc};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::cli;
use crate::metrics::Metrics;
use crate::store::error::StoreError;
use crate::store::open::open_current;
use crate::store::purgeable::Purgeable;
use crate::store::retrying::RetryingStore;
use crate::store::{Executed, Store};

/// How long a step should take.
const AIM: Duration = Duration::from_millis(10);

/// How many rows a step looks at: the first one, and any. Where the machine is so busy that a step of a few rows takes as
/// long, shorter steps would only delay the end. Looking at ten times as many keeps a processor, which callbacks wait for.
const FEWEST_ROWS: i64 = 200;
const MOST_ROWS: i64 = 1000;

/// After how many bytes of bodies a step ends. Few rows can have many.
const MOST_BYTES: i64 = 256 << 10;

/// How many times as long as a step the pause after it is: what is written keeps the disk busy for longer than the database.
const PAUSES: u32 = 16;
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How often `serve --keep` looks for what has become too old. An hour more or less does not matter to what is kept for
/// days, and an hour's rows are few.
const PURGE_EVERY: Duration = Duration::from_hours(1);

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    keep: Duration,
    /// How long messages and flows are kept after their last change, if not for ever.
    forget: Option<Duration>,
}

impl Ages {
    pub fn new(keep: Duration, forget: Option<Duration>) -> anyhow::Result<Self> {
        ensure!(
            forget.is_none_or(|forget| forget >= keep),
            "--forget must be at least {}: so long the deliveries are kept",
            humantime::format_duration(keep)
        );
        Ok(Self { keep, forget })
    }
}

/// How many rows of each table were removed.
type Removed = Vec<(&'static str, u64)>;

/// `receiver purge`: prints how much was removed.
pub async fn purge_once(database_url: &str, options: &cli::Purge) -> anyhow::Result<()> {
    let ages = Ages::new(options.older_than, options.forget)?;
    let store = open_current(database_url, None, false).await?;
    if options.vacuum {
        // Says at once if it cannot be done.
        store.free_pages().await?;
    }
    let patient = RetryingStore { store: store.clone(), stop: CancellationToken::new() };
    for (table, rows) in purge(&patient, Utc::now(), ages).await? {
        writeln!(io::stdout(), "{table}: {rows} removed")?;
    }
    if options.vacuum {
        writeln!(io::stdout(), "{} pages given back", vacuum(&patient).await?)?;
    }
    store.close().await;
    Ok(())
}

/// Purges now and then again and again, until it is to stop. Several receivers may do that at once, since each step
/// removes what is old, whoever has removed a part of that.
pub async fn keep_purging(ages: Ages, store: Arc<dyn Store>, metrics: Arc<Metrics>, stop: CancellationToken) {
    let patient = RetryingStore { store, stop: stop.clone() };
    let purging = async {
        loop {
            match purge(&patient, Utc::now(), ages).await {
                Ok(removed) => {
                    metrics.purged();
                    if removed.iter().any(|(_, rows)| *rows > 0) {
                        let removed: Vec<_> = removed.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
                        info!("removed what was old: {}", removed.join(", "));
                    }
                }
                Err(error) => {
                    metrics.purge_failed();
                    warn!("cannot remove what is old: {error}");
                }
            }
            time::sleep(PURGE_EVERY).await;
        }
    };
    tokio::select! {
        () = purging => {}
        () = stop.cancelled() => {}
    }
}

/// Removes what is older than these ages.
pub async fn purge(store: &dyn Store, now: DateTime<Utc>, ages: Ages) -> Result<Removed, StoreError> {
    // What is removed has to be counted.
    store.settle().await?;
    let keep_from = before(now, ages.keep);
    let mut removed = vec![("change", changes(store, keep_from).await?)];
    for purgeable in store.queries().purgeable {
        removed.push((purgeable.table, rows(store, purgeable, keep_from).await?));
    }
    if let Some(age) = ages.forget {
        for forgettable in store.queries().forgettable {
            removed.push((forgettable.table, rows(store, forgettable, before(now, age)).await?));
        }
    }
    Ok(removed)
}

/// Gives the free pages of SQLite's file back to the disk; how many.
async fn vacuum(store: &dyn Store) -> anyhow::Result<u64> {
    let (mut pace, mut given_back) = (Pace::new(), 0);
    while store.free_pages().await? > 0 {
        let step = store.shrink(pace.rows).await?;
        given_back += step.rows.iter().sum::<u64>();
        pace.pause(&step).await;
    }
    Ok(given_back)
}

/// The time that was so long ago, in milliseconds.
fn before(now: DateTime<Utc>, age: Duration) -> i64 {
    now.timestamp_millis().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// How many rows a step looks at, so that it takes about as long as it should.
struct Pace {
    rows: i64,
}

impl Pace {
    const fn new() -> Self {
        Self { rows: FEWEST_ROWS }
    }

    /// Adapts itself to a step that took so long, and pauses for what waits.
    async fn pause(&mut self, Executed { took, .. }: &Executed) {
        debug!("a step over {} rows took {} ms", self.rows, took.as_millis());
        self.adapt(*took);
        time::sleep((*took * PAUSES).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
    }

    fn adapt(&mut self, took: Duration) {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let fitting = self.rows.saturating_mul(micros(AIM)) / micros(took).max(1);
        self.rows = fitting.clamp(self.rows / 4, self.rows * 2).clamp(FEWEST_ROWS, MOST_ROWS);
    }
}

/// Removes the old rows of one table; how many that were.
async fn rows(store: &dyn Store, purgeable: &Purgeable, before: i64) -> Result<u64, StoreError> {
    let (mut pace, mut removed, mut last) = (Pace::new(), 0, purgeable.first.clone());
    loop {
        let rows = store.query(purgeable.next, vec![last.clone(), pace.rows.into()]).await?;
        let (mut bytes, mut has_old, mut end) = (0, false, None);
        for row in &rows {
            end = row.0.first().cloned();
            has_old |= row.get::<i64>(1)? < before;
            bytes += row.get::<i64>(2)?;
            if bytes >= MOST_BYTES {
                break;
            }
        }
        let Some(end) = end else { return Ok(removed) };
        if has_old {
            let mut delete = vec![(purgeable.remove, vec![last, end.clone(), before.into()])];
            delete.extend(purgeable.then.iter().map(|sql| (*sql, vec![])));
            let step = store.execute_timed(delete).await?;
            removed += step.rows.last().copied().unwrap_or_default();
            pace.pause(&step).await;
        } else if purgeable.is_in_order && bytes < MOST_BYTES {
            return Ok(removed);
        }
        last = end;
    }
}

/// Without the first number, PostgreSQL would look at all that was removed before; and if it knew the numbers when it plans,
/// it would look there for how many rows that may be.
const DELETE_CHANGES: &str =
    "DELETE FROM change WHERE number BETWEEN (SELECT CAST($1 AS BIGINT)) AND (SELECT CAST($2 AS BIGINT))";

/// Another purge may have removed more.
const SET_PURGED: &str = "UPDATE purged SET number = $1 WHERE number < $1";

/// Removes the oldest changes, so that the numbers of those that are left have no gaps, and says which were removed. What
/// arrived before something old goes with it, even if its clock was ahead; so does what has no age.
async fn changes(store: &dyn Store, before: i64) -> Result<u64, StoreError> {
    let queries = store.queries();
    let (mut pace, mut removed) = (Pace::new(), 0);
    let mut purged: i64 = store.query_one("SELECT number FROM purged", vec![]).await?.get(0)?;
    let mut looked_at = purged;
    loop {
        let rows = store.query(queries.oldest_changes, vec![looked_at.into(), pace.rows.into()]).await?;
        let Some(end) = rows.last() else { return Ok(removed) };
        let ages: Vec<Option<i64>> = rows.iter().map(|row| row.get(1)).collect::<Result<_, _>>()?;
        let Some(last_old) = ages.iter().rposition(|at| at.is_some_and(|at| at < before)) else {
            if ages.iter().any(Option::is_some) {
                return Ok(removed);
            }
            looked_at = end.get(0)?;
            continue;
        };
        let mut bytes = 0;
        for (place, row) in rows.iter().enumerate().take(last_old + 1) {
            bytes += row.get::<Option<i64>>(2)?.unwrap_or_default();
            if bytes < MOST_BYTES && place < last_old {
                continue;
            }
            bytes = 0;
            let last = row.get(0)?;
            while purged < last {
                let first = purged + 1;
                purged = last.min(purged + pace.rows);
                let both = vec![(DELETE_CHANGES, vec![first.into(), purged.into()]), (SET_PURGED, vec![purged.into()])];
                let step = store.execute_timed(both).await?;
                removed += step.rows.first().copied().unwrap_or_default();
                pace.pause(&step).await;
            }
        }
        looked_at = purged;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use chrono::TimeDelta;
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::admin::changes::{self, Changes};
    use crate::check::tests::checked;
    use crate::entry::{Entry, Kind};
    use crate::store::Queries;
    use crate::store::batch::{RowCount, RowCounts};
    use crate::store::error::Cause;
    use crate::store::fake::{open_in, url_in};
    use crate::store::value::{Row, Statement, Value};

    /// Lets a file be made smaller.
    const PREPARE: &str = "PRAGMA auto_vacuum = INCREMENTAL; VACUUM";
    const DAY: Duration = Duration::from_hours(24);
    const KEEP: Ages = Ages { keep: Duration::from_hours(48), forget: None };

    fn entry(body: &str, received_at: &str) -> Arc<Entry> {
        Arc::new(Entry::read(body.to_owned().into(), received_at.parse().unwrap()))
    }

    async fn count(store: &dyn Store, table: &str) -> i64 {
        store.query_one(&format!("SELECT count(*) FROM {table}"), vec![]).await.unwrap().get(0).unwrap()
    }

    fn time(date: &str) -> DateTime<Utc> {
        date.parse().unwrap()
    }

    /// The number of rows that a purge has removed.
    fn sum(removed: &[(&str, u64)]) -> u64 {
        removed.iter().map(|(_, rows)| rows).sum()
    }

    /// A store that counts what it is asked and how many rows each step removes, fails from some step on, and can leave
    /// uncounted what is not counted yet.
    struct WatchedStore {
        store: Arc<dyn Store>,
        queries: Mutex<Vec<String>>,
        steps: Mutex<Vec<u64>>,
        fails_after: usize,
        settles: bool,
    }

    impl WatchedStore {
        fn of(store: &Arc<dyn Store>) -> Self {
            Self {
                store: store.clone(),
                queries: Mutex::default(),
                steps: Mutex::default(),
                fails_after: usize::MAX,
                settles: true,
            }
        }

        fn queries_of(&self, table: &str) -> usize {
            let from = format!("FROM {table} ");
            self.queries.lock().unwrap().iter().filter(|sql| sql.contains(&from)).count()
        }
    }

    /// An error that is not tried again.
    fn killed_error() -> StoreError {
        StoreError { cause: Cause::Data, message: "killed".to_owned() }
    }

    #[async_trait]
    impl Store for WatchedStore {
        async fn commit(&self, _: &[Arc<Entry>]) -> Result<RowCounts, StoreError> {
            unimplemented!()
        }

        async fn check(&self) -> Result<(), StoreError> {
            unimplemented!()
        }

        fn queries(&self) -> &'static Queries {
            self.store.queries()
        }

        async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, StoreError> {
            self.queries.lock().unwrap().push(sql.split_whitespace().collect::<Vec<_>>().join(" "));
            self.store.query(sql, parameters).await
        }

        async fn scan(&self, _: &str) -> Result<Vec<Row>, StoreError> {
            unimplemented!()
        }

        async fn settle(&self) -> Result<(), StoreError> {
            if self.settles { self.store.settle().await } else { Ok(()) }
        }

        async fn execute_timed(&self, statements: Vec<Statement<'_>>) -> Result<Executed, StoreError> {
            if self.steps.lock().unwrap().len() == self.fails_after {
                return Err(killed_error());
            }
            let executed = self.store.execute_timed(statements).await?;
            self.steps.lock().unwrap().push(executed.rows[0]);
            // As if the machine were neither fast nor slow.
            Ok(Executed { took: AIM, ..executed })
        }

        async fn has_tables(&self) -> Result<bool, StoreError> {
            unimplemented!()
        }

        async fn migrate(&self) -> Result<(), StoreError> {
            unimplemented!()
        }

        async fn ended(&self) {}

        async fn close(&self) {}
    }

    #[test]
    fn a_step_becomes_as_long_as_it_should_be() {
        let mut pace = Pace::new();
        let mut after = |millis| {
            pace.adapt(Duration::from_millis(millis));
            pace.rows
        };
        assert_eq!([10, 5, 20, 0].map(&mut after), [200, 400, 200, 400]);
        // One slow step says little, and neither does one fast step.
        assert_eq!([5, 8, 1000, 1000].map(&mut after), [800, 1000, 250, 200]);
        assert_eq!([0; 4].map(&mut after), [400, 800, 1000, 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_sixteen_times_as_long_as_the_step() {
        let mut pace = Pace::new();
        for (took, pause) in [(0, 5), (1, 16), (10, 160), (62, 992), (63, 1000), (60_000, 1000)] {
            let begin = time::Instant::now();
            pace.pause(&Executed { rows: vec![1], took: Duration::from_millis(took) }).await;
            assert_eq!(begin.elapsed(), Duration::from_millis(pause), "{took}");
        }
    }

    #[tokio::test]
    async fn a_purge_removes_old_rows_and_no_status() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let bodies = [
            r#"{"trackingId":"ID","status":"SEEN"}"#,
            r#"{"trackingId":"fID","status":"Failed","messages":[{}]}"#,
            r#"{"from":"1","message":"ID","sentDate":"2026-11-01T00:00:00Z","referenceTrackingId":"ID"}"#,
            r#"{"ID":1}"#,
            "ID",
        ];
        // `old` is a millisecond too old, and `new` is just not. Their numbers are not in the order of their arrival.
        for (id, received_at) in
            [("new", "2026-11-21T00:00:00Z"), ("old", "2026-11-20T23:59:59.999Z"), ("newer", "2026-11-22T00:00:00Z")]
        {
            let entries: Vec<_> = bodies.iter().map(|body| entry(&body.replace("ID", id), received_at)).collect();
            store.commit(&entries).await.unwrap();
        }
        // It moves nothing, since it is older than the status that is there.
        store.commit(&[entry(r#"{"trackingId":"old","status":"QUEUED"}"#, "2026-11-20T23:59:59.999Z")]).await.unwrap();
        for (id, next_at) in [("old", "2026-11-20T23:59:59.999Z"), ("new", "2026-11-21T00:00:00Z")] {
            let next_at = next_at.parse::<DateTime<Utc>>().unwrap().timestamp_millis();
            let insert =
                "INSERT INTO asked (tracking_id, asked_at, times, next_at, outcome) VALUES ($1, 0, 1, $2, 'x')";
            store.execute(vec![(insert, vec![id.into(), next_at.into()])]).await.unwrap();
        }
        let now = time("2026-11-23T00:00:00Z");
        let removed = purge(&*store, now, KEEP).await.unwrap();
        assert_eq!(
            removed,
            [
                ("change", 6),
                ("no_change", 1),
                ("later", 1),
                ("reply", 1),
                ("other", 1),
                ("unreadable", 1),
                ("asked", 1),
                ("run", 0)
            ]
        );
        assert_eq!((count(&*store, "message").await, count(&*store, "flow").await), (3, 3));
        assert_eq!(changes::after(&*store, 5, 10).await, Ok(Changes::Gone { oldest: 7, newest: 9 }));
        let left = changes::after(&*store, 6, 10).await.unwrap().into_lines();
        assert_eq!(left.lines().filter(|line| line.contains("\"callback\":{")).count(), 3);

        // A retry of a purged callback is kept again, and moves nothing. A second purge finds nothing.
        for body in [r#"{"trackingId":"old","status":"SEEN"}"#, r#"{"trackingId":"old","status":"QUEUED"}"#] {
            for added in [1, 0] {
                let mut counts = store.commit(&[entry(body, "2026-11-23T00:00:00Z")]).await.unwrap();
                assert_eq!(*counts.of(Kind::Status), RowCount { given: 1, added, advanced: 0, variants: 0 }, "{body}");
            }
        }
        assert_eq!(changes::after(&*store, 9, 10).await, Ok(Changes::Lines(String::new())));
        let removed = purge(&*store, now, KEEP).await.unwrap();
        assert!(removed.iter().all(|(_, rows)| *rows == 0), "{removed:?}");
        store.close().await;
    }

    /// That many statuses of messages of their own, of which each is received a second after the one before.
    async fn commit_statuses(store: &dyn Store, first: &str, count: i64, text: &str) {
        let status = |number: i64| {
            let body = format!(r#"{{"trackingId":"{first} {number}","status":"SEEN","label":"{text}"}}"#);
            let received_at = time(first) + TimeDelta::seconds(number);
            Arc::new(Entry::read(body.into(), received_at))
        };
        for chunk in (0..count).collect::<Vec<_>>().chunks(500) {
            store.commit(&chunk.iter().map(|number| status(*number)).collect::<Vec<_>>()).await.unwrap();
        }
    }

    /// As if it were committed while the purge is under way, whose clock is ahead of the receiver's.
    #[tokio::test]
    async fn what_is_not_counted_is_not_old() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let watched = WatchedStore { settles: false, ..WatchedStore::of(&store) };
        let (now, ages) = (time("2026-11-23T00:00:00Z"), Ages { forget: Some(KEEP.keep), ..KEEP });
        let commit = async |body: &str| store.commit(&[entry(body, "2026-11-01T00:00:00Z")]).await.unwrap();
        commit(r#"{"trackingId":"m","status":"QUEUED"}"#).await;
        commit(r#"{"from":"1","message":"r","sentDate":"2026-11-01T00:00:00Z"}"#).await;
        assert_eq!(sum(&purge(&watched, now, ages).await.unwrap()), 0);
        store.settle().await.unwrap();
        commit(r#"{"trackingId":"m","status":"SEEN"}"#).await;
        commit(r#"{"from":"1","message":"s","sentDate":"2026-11-01T00:00:00Z"}"#).await;
        let removed = purge(&watched, now, ages).await.unwrap();
        assert_eq!((removed[0], sum(&removed)), (("change", 2), 3));
        assert_eq!((count(&*store, "message").await, count(&*store, "reply").await), (1, 1));
        assert_eq!(checked(&*store).await.1, None);
        // Once it is counted, it is.
        let removed = purge(&*store, now, ages).await.unwrap();
        assert_eq!((removed[0], sum(&removed)), (("change", 2), 5));
        assert_eq!((count(&*store, "message").await, count(&*store, "reply").await), (0, 0));
        assert_eq!(checked(&*store).await.1, None);
        store.close().await;
    }

    #[tokio::test]
    async fn a_purge_goes_in_steps_and_ends_at_the_first_that_has_nothing_old() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        commit_statuses(&*store, "2026-11-01T00:00:00Z", 1001, "").await;
        commit_statuses(&*store, "2026-11-22T00:00:00Z", 1000, "").await;
        let watched = WatchedStore::of(&store);
        let removed = purge(&watched, time("2026-11-23T00:00:00Z"), KEEP).await.unwrap();
        assert_eq!(removed[0], ("change", 1001));
        // Of the last 200 that it looks at, one is old. Of the next 200, none is.
        assert_eq!(*watched.steps.lock().unwrap(), [200, 200, 200, 200, 200, 1]);
        assert_eq!((watched.queries_of("change"), watched.queries_of("no_change")), (7, 1));
        store.close().await;
    }

    #[tokio::test]
    async fn a_step_has_few_rows_if_they_are_long() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        commit_statuses(&*store, "2026-11-01T00:00:00Z", 12, &"x".repeat(60_000)).await;
        let watched = WatchedStore::of(&store);
        let removed = purge(&watched, time("2026-11-23T00:00:00Z"), KEEP).await.unwrap();
        assert_eq!(removed[0], ("change", 12));
        // 5 of them have more than 256 KiB.
        assert_eq!(*watched.steps.lock().unwrap(), [5, 5, 2]);
        store.close().await;
    }

    #[tokio::test]
    async fn what_has_no_age_goes_with_what_is_old_behind_it() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let ageless = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500)
                       INSERT INTO change (number, kind, received_at) SELECT n, 'status', 0 FROM n";
        store.execute(vec![(ageless, vec![])]).await.unwrap();
        let now = time("2026-11-23T00:00:00Z");
        assert_eq!(sum(&purge(&*store, now, KEEP).await.unwrap()), 0);
        commit_statuses(&*store, "2026-11-01T00:00:00Z", 1, "").await;
        let watched = WatchedStore::of(&store);
        assert_eq!(purge(&watched, now, KEEP).await.unwrap()[0], ("change", 501));
        assert_eq!(*watched.steps.lock().unwrap(), [200, 200, 101]);
        store.close().await;
    }

    #[tokio::test]
    async fn a_purge_that_is_killed_is_gone_on_with() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        commit_statuses(&*store, "2026-11-01T00:00:00Z", 1000, "").await;
        let now = time("2026-11-23T00:00:00Z");
        let killed = WatchedStore { fails_after: 2, ..WatchedStore::of(&store) };
        assert_eq!(purge(&killed, now, KEEP).await, Err(killed_error()));
        let gone = changes::after(&*store, 0, 10).await;
        assert_eq!(gone, Ok(Changes::Gone { oldest: 401, newest: 1000 }));
        assert_eq!(sum(&purge(&*store, now, KEEP).await.unwrap()), 600);
        store.close().await;
    }

    #[tokio::test]
    async fn a_purge_that_fails_is_counted_and_the_next_one_follows() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        commit_statuses(&*store, "2026-11-01T00:00:00Z", 1000, "").await;
        for (fails_after, counts) in [(2, [0, 1]), (usize::MAX, [1, 0])] {
            let (metrics, stop) = (Arc::new(Metrics::default()), CancellationToken::new());
            let watched = Arc::new(WatchedStore { fails_after, ..WatchedStore::of(&store) });
            let purging = tokio::spawn(keep_purging(KEEP, watched, metrics.clone(), stop.clone()));
            let expected = format!(
                "\nroutee_purges_total {}\n# HELP routee_purge_failures Times that `serve --keep` could not remove all of \
                 it.\n# TYPE routee_purge_failures counter\nroutee_purge_failures_total {}\n",
                counts[0], counts[1]
            );
            let is_counted = async {
                while !metrics.render(0, 0, Duration::ZERO).unwrap().contains(&expected) {
                    time::sleep(Duration::from_millis(5)).await;
                }
            };
            time::timeout(Duration::from_secs(30), is_counted).await.unwrap();
            assert!(!purging.is_finished());
            stop.cancel();
            purging.await.unwrap();
        }
        assert_eq!(count(&*store, "change").await, 0);
        store.close().await;
    }

    #[tokio::test]
    async fn two_purges_at_once_remove_each_row_once() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        commit_statuses(&*store, "2026-11-01T00:00:00Z", 2000, "").await;
        commit_statuses(&*store, "2026-11-22T00:00:00Z", 10, "").await;
        let now = time("2026-11-23T00:00:00Z");
        let (one, other) = tokio::join!(purge(&*store, now, KEEP), purge(&*store, now, KEEP));
        assert_eq!(sum(&one.unwrap()) + sum(&other.unwrap()), 2000);
        assert_eq!(changes::after(&*store, 0, 10).await, Ok(Changes::Gone { oldest: 2001, newest: 2010 }));
        assert_eq!(count(&*store, "change").await, 10);
        // One that has fallen behind does not bring back the numbers that another one has removed.
        store.execute(vec![(SET_PURGED, vec![1_i64.into()])]).await.unwrap();
        assert_eq!(changes::after(&*store, 0, 10).await, Ok(Changes::Gone { oldest: 2001, newest: 2010 }));
        store.close().await;
    }

    #[test]
    fn messages_are_kept_for_as_long_as_deliveries_at_least() {
        assert!(Ages::new(30 * DAY, Some(30 * DAY)).is_ok());
        let error = Ages::new(30 * DAY, Some((30 * DAY).saturating_sub(Duration::from_millis(1)))).unwrap_err();
        assert_eq!(error.to_string(), "--forget must be at least 30days: so long the deliveries are kept");
    }

    #[tokio::test]
    async fn what_is_forgotten_stays_counted() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let status = |id: &str, name: &str| {
            format!(
                r#"{{"trackingId":"{id}","campaignTrackingId":"c","price":0.1,"createdAt":"2026-10-01T00:00:00Z",
                    "status":{{"name":"{name}","updatedDate":"2026-10-01T00:00:09Z","reason":"r"}}}}"#
            )
        };
        let flow = r#"{"trackingId":"flow","status":"Failed","messages":[{}]}"#;
        let reply = r#"{"from":"1","message":"x","campaignTrackingId":"c","sentDate":"2026-10-01T00:00:00Z"}"#;
        let deliveries = [
            (status("old", "UNDELIVERED"), "2026-11-12T23:59:59.999Z"),
            (status("late", "DELIVERED"), "2026-11-12T00:00:00Z"),
            (flow.to_owned(), "2026-11-12T00:00:00Z"),
            (reply.to_owned(), "2026-11-12T00:00:00Z"),
            (r#"{"a":1}"#.to_owned(), "2026-11-12T00:00:00Z"),
            (status("new", "DELIVERED"), "2026-11-13T00:00:00Z"),
            // It moves nothing.
            (status("late", "QUEUED"), "2026-11-22T00:00:00Z"),
        ];
        for (body, received_at) in &deliveries {
            store.commit(&[entry(body, received_at)]).await.unwrap();
        }
        for id in ["old", "late", "unknown"] {
            let insert =
                "INSERT INTO asked (tracking_id, asked_at, times, next_at, outcome) VALUES ($1, 0, 1, $2, 'unknown')";
            let next_at = time("2026-12-01T00:00:00Z").timestamp_millis();
            store.execute(vec![(insert, vec![id.into(), next_at.into()])]).await.unwrap();
        }
        let texts = async |sql: &str| {
            let rows = store.query(sql, vec![]).await.unwrap();
            rows.iter().map(|row| row.get::<&str>(0).unwrap().to_owned()).collect::<Vec<_>>()
        };
        let tallies = "SELECT what || ' ' || value || ': ' || count || ' ' || forgotten FROM tally WHERE unit = 'ever' ORDER BY 1";
        let (now, ages) = (time("2026-11-23T00:00:00Z"), Ages { forget: Some(10 * DAY), ..KEEP });
        let removed = purge(&*store, now, ages).await.unwrap();
        assert_eq!(removed[removed.len() - 2..], [("message", 1), ("flow", 1)]);
        assert_eq!(texts("SELECT tracking_id FROM message ORDER BY 1").await, ["late", "new"]);
        assert_eq!(texts("SELECT tracking_id FROM asked ORDER BY 1").await, ["late", "unknown"]);
        let counted = [
            "delivered 10: 2 0",
            "flow Failed: 1 1",
            "other other kind of body: a: 1 1",
            "price 0.1: 3 1",
            "reason r: 1 1",
            "reply : 1 1",
            "status DELIVERED: 2 0",
            "status UNDELIVERED: 1 1",
        ];
        assert_eq!(texts(tallies).await, counted);
        let campaign = "SELECT what || ' ' || value || ': ' || count || ' ' || forgotten FROM campaign_tally
                        WHERE unit = 'ever' AND campaign = 'c' AND forgotten > 0 ORDER BY 1";
        let of_campaign = ["price 0.1: 3 1", "reason r: 1 1", "reply : 1 1", "status UNDELIVERED: 1 1"];
        assert_eq!(texts(campaign).await, of_campaign);
        assert_eq!(checked(&*store).await.1, None);

        // A callback of what was forgotten begins anew. What had a newer delivery goes when that is old, too.
        store.commit(&[entry(&status("old", "QUEUED"), "2026-11-23T00:00:00Z")]).await.unwrap();
        let removed = purge(&*store, time("2026-11-25T00:00:00Z"), ages).await.unwrap();
        assert_eq!(removed[removed.len() - 2..], [("message", 2), ("flow", 0)]);
        assert_eq!(texts("SELECT tracking_id FROM message").await, ["old"]);
        let counted = ["status DELIVERED: 2 2", "status QUEUED: 1 0", "status UNDELIVERED: 1 1"];
        let statuses = texts(tallies).await.into_iter().filter(|line| line.starts_with("status"));
        assert_eq!(statuses.collect::<Vec<_>>(), counted);
        assert_eq!(checked(&*store).await.1, None);
        store.close().await;
    }

    #[tokio::test]
    async fn a_file_becomes_smaller_beside_whoever_uses_it() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("routee.db");
        let size = || fs::metadata(&file).unwrap().len();
        Connection::open(&file).unwrap().execute_batch(PREPARE).unwrap();
        let store = open_in(&directory).await;
        commit_statuses(&*store, "2026-11-01T00:00:00Z", 100, &"x".repeat(10_000)).await;
        store.close().await;
        assert!(size() > 1_000_000, "{}", size());
        let store = open_in(&directory).await;
        let purged = purge(&*store, time("2026-11-23T00:00:00Z"), KEEP).await.unwrap();
        assert_eq!(purged[0], ("change", 100));
        let free = store.free_pages().await.unwrap();
        assert!(free >= 250, "{free}");
        // Another process that has the file open.
        let other = open_in(&directory).await;
        assert_eq!(vacuum(&*other).await.unwrap(), free.unsigned_abs());
        assert!(size() < 500_000, "{}", size());
        assert_eq!(store.free_pages().await.unwrap(), 0);
        other.close().await;
        assert_eq!(count(&*store, "message").await, 100);
        assert_eq!(checked(&*store).await.1, None);
        store.close().await;
    }

    #[tokio::test]
    async fn a_file_that_cannot_become_smaller_says_how_it_can() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("routee.db");
        open_in(&directory).await.close().await;
        let options = cli::Purge { older_than: 2 * DAY, forget: None, vacuum: true };
        let error = purge_once(&url_in(&directory), &options).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "this file cannot be made smaller beside a running receiver. Once, stop the receiver and run: \
                 sqlite3 {} 'PRAGMA auto_vacuum = INCREMENTAL; VACUUM'",
                file.display()
            )
        );
        Connection::open(&file).unwrap().execute_batch(PREPARE).unwrap();
        purge_once(&url_in(&directory), &options).await.unwrap();
    }
}
