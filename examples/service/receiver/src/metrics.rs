//! What Prometheus is told.
//!
//! Every counter is there from the start, at 0: `increase()` cannot see the first event of a series that begins with it.
//! What has to be counted in the database is there as long as it could be.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use routee_viber::AnomalyKind;

use crate::entry::Kind;
use crate::store::batch::RowCounts;
use crate::store::error::Cause;

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The codes that a callback can be answered with.
const CODES: [u16; 9] = [200, 400, 403, 404, 405, 408, 413, 415, 503];

/// Why a callback or a connection is not served.
const REASONS: [&str; 18] = [
    "body_broken",
    "body_slow",
    "body_too_large",
    "connections",
    "database",
    "displaced",
    "encoding",
    "file_descriptors",
    "head_slow",
    "locked",
    "method",
    "not_found",
    "not_http",
    "proxy_header",
    "queue_bytes",
    "queue_full",
    "sender",
    "too_slow",
];

const ANOMALIES: [AnomalyKind; 5] = [
    AnomalyKind::UnknownField,
    AnomalyKind::OtherSpelling,
    AnomalyKind::UnreadableValue,
    AnomalyKind::UnrecognizedName,
    AnomalyKind::BrokenText,
];

const LISTENERS: [&str; 2] = ["admin", "callbacks"];

/// What a commit did with a row.
const VERDICTS: [&str; 4] = ["advance", "stale", "variant", "duplicate"];

/// What a look into the database has found.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub overdue: i64,
    pub recovered: i64,
    pub flows_overdue: i64,
    pub flows_recovered: i64,
    /// When somebody last asked Routee, in milliseconds.
    pub reconciled_at: Option<i64>,
}

/// The last of these. A series that nobody can know is absent, since 0 would be wrong.
#[derive(Debug, Default)]
struct Counted(Mutex<Option<Counts>>);

impl Counted {
    fn set(&self, counts: Option<Counts>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }
}

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(counts) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) else { return Ok(()) };
        for (name, help, count) in [
            ("overdue", "Messages whose end should be known and is not", counts.overdue),
            (
                "recovered",
                "Messages whose status changed because Routee was asked, by any process, since the tables were made",
                counts.recovered,
            ),
            ("flows_overdue", "Failover flows whose end should be known and is not", counts.flows_overdue),
            (
                "flows_recovered",
                "Failover flows that changed because Routee was asked, by any process, since the tables were made",
                counts.flows_recovered,
            ),
        ] {
            ConstGauge::new(count).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        let help = "When somebody last asked Routee, in epoch seconds; 0 if nobody has";
        let (name, unit) = ("reconciled_timestamp", Some(&Unit::Seconds));
        #[allow(clippy::cast_precision_loss, reason = "it is exact for longer than anybody will care")]
        let seconds = counts.reconciled_at.unwrap_or_default() as f64 / 1000.0;
        ConstGauge::new(seconds).encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
    }
}

pub struct Metrics {
    registry: Registry,
    answers: Family<[(&'static str, u16); 1], Counter>,
    answer_seconds: Histogram,
    refused: Family<Labels<1>, Counter>,
    kept: Family<Labels<2>, Counter>,
    anomalies: Family<Labels<1>, Counter>,
    batch_size: Histogram,
    batch_seconds: Histogram,
    failures: Family<Labels<1>, Counter>,
    connections: Family<Labels<1>, Gauge>,
    waiting: Gauge,
    waiting_bytes: Gauge,
    oldest_waiting: Gauge<f64, std::sync::atomic::AtomicU64>,
    counted: Arc<Counted>,
    count_failures: Counter,
    wal: Gauge,
    reconcile_failures: Counter,
    purges: Counter,
    purge_failures: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0]);
        let mut metrics = Self {
            registry: Registry::with_prefix("routee"),
            answers: Family::default(),
            answer_seconds: seconds(),
            refused: Family::default(),
            kept: Family::default(),
            anomalies: Family::default(),
            batch_size: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            batch_seconds: seconds(),
            failures: Family::default(),
            connections: Family::default(),
            waiting: Gauge::default(),
            waiting_bytes: Gauge::default(),
            oldest_waiting: Gauge::default(),
            counted: Arc::default(),
            count_failures: Counter::default(),
            wal: Gauge::default(),
            reconcile_failures: Counter::default(),
            purges: Counter::default(),
            purge_failures: Counter::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("answers", "Answers to callbacks by code", metrics.answers.clone());
        let help = "From the head of a callback to its answer";
        registry.register_with_unit("answer", help, Unit::Seconds, metrics.answer_seconds.clone());
        registry.register(
            "refused",
            "Callbacks and connections that were not served, by reason",
            metrics.refused.clone(),
        );
        let help = "Rows that were committed: advance changed the state of something or is new, stale is older than it, \
                    variant has the key of another one and other bytes, duplicate was there before";
        registry.register("kept", help, metrics.kept.clone());
        registry.register(
            "anomalies",
            "Things in callbacks that were not understood, by kind",
            metrics.anomalies.clone(),
        );
        registry.register("batch_size", "Callbacks of one commit", metrics.batch_size.clone());
        let help = "How long a batch took, parts that were sent again included";
        registry.register_with_unit("batch", help, Unit::Seconds, metrics.batch_seconds.clone());
        registry.register("database_failures", "Statements that failed, by cause", metrics.failures.clone());
        registry.register("connections", "Connections that are open, by listener", metrics.connections.clone());
        registry.register("waiting", "Callbacks that wait for their commit", metrics.waiting.clone());
        let help = "About how many bytes of memory they take";
        registry.register_with_unit("waiting", help, Unit::Bytes, metrics.waiting_bytes.clone());
        let help = "How long the oldest waiting callback has been waiting";
        registry.register_with_unit("oldest_waiting", help, Unit::Seconds, metrics.oldest_waiting.clone());
        registry.register_collector(Box::new(metrics.counted.clone()));
        let help = "Times that the database could not be asked what is overdue and what was recovered";
        registry.register("count_failures", help, metrics.count_failures.clone());
        let help = "How long SQLite's WAL is, which grows while somebody reads the database";
        registry.register_with_unit("sqlite_wal", help, Unit::Bytes, metrics.wal.clone());
        let help = "Times that `serve --every` could not ask Routee for everything that was due";
        registry.register("reconcile_failures", help, metrics.reconcile_failures.clone());
        let help = "Times that `serve --keep` has removed what was too old";
        registry.register("purges", help, metrics.purges.clone());
        let help = "Times that `serve --keep` could not remove all of it";
        registry.register("purge_failures", help, metrics.purge_failures.clone());
        metrics.make_series();
        metrics
    }
}

impl Metrics {
    /// Makes every series of every family.
    fn make_series(&self) {
        for code in CODES {
            drop(self.answers.get_or_create(&[("code", code)]));
        }
        for reason in REASONS {
            drop(self.refused.get_or_create(&[("reason", reason)]));
        }
        for kind in Kind::ALL {
            for verdict in VERDICTS {
                let can_be = match verdict {
                    // These have no state that could be newer.
                    "stale" => !matches!(kind, Kind::Reply | Kind::Other | Kind::Unreadable),
                    "variant" => kind.has_variants() && !matches!(kind, Kind::Other | Kind::Unreadable),
                    _ => true,
                };
                if can_be {
                    drop(self.kept.get_or_create(&[("kind", kind.as_str()), ("verdict", verdict)]));
                }
            }
        }
        for kind in ANOMALIES {
            drop(self.anomalies.get_or_create(&[("kind", kind.as_str())]));
        }
        for cause in Cause::ALL {
            drop(self.failures.get_or_create(&[("cause", cause.as_str())]));
        }
        for listener in LISTENERS {
            self.connections(listener);
        }
    }

    /// What the database has of these now.
    pub fn counted(&self, counts: Counts) {
        self.counted.set(Some(counts));
    }

    /// What the database has is not known any more.
    pub fn count_failed(&self) {
        self.counted.set(None);
        self.count_failures.inc();
    }

    pub fn wal(&self, bytes: u64) {
        self.wal.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub fn reconcile_failed(&self) {
        self.reconcile_failures.inc();
    }

    pub fn purged(&self) {
        self.purges.inc();
    }

    pub fn purge_failed(&self) {
        self.purge_failures.inc();
    }

    pub fn answered(&self, code: u16, begin: Instant) {
        debug_assert!(CODES.contains(&code), "{code} has no series from the start");
        self.answers.get_or_create(&[("code", code)]).inc();
        self.answer_seconds.observe(begin.elapsed().as_secs_f64());
    }

    pub fn refused(&self, reason: &'static str) {
        debug_assert!(REASONS.contains(&reason), "{reason} has no series from the start");
        self.refused.get_or_create(&[("reason", reason)]).inc();
    }

    pub fn anomaly(&self, kind: AnomalyKind) {
        debug_assert!(ANOMALIES.contains(&kind), "{kind} has no series from the start");
        self.anomalies.get_or_create(&[("kind", kind.as_str())]).inc();
    }

    pub fn connections(&self, listener: &'static str) -> Gauge {
        debug_assert!(LISTENERS.contains(&listener), "{listener} has no series from the start");
        self.connections.get_or_create(&[("listener", listener)]).clone()
    }

    /// A batch of that many callbacks: why commits failed, and what the others did.
    pub fn batch(&self, size: usize, took: Duration, causes: &[Cause], counts: &[RowCounts]) {
        self.batch_size.observe(f64::from(u32::try_from(size).unwrap_or(u32::MAX)));
        self.batch_seconds.observe(took.as_secs_f64());
        for cause in causes {
            self.failures.get_or_create(&[("cause", cause.as_str())]).inc();
        }
        for (kind, count) in counts.iter().flat_map(RowCounts::iter) {
            let stale = count.added.saturating_sub(count.advanced);
            let duplicate = count.given.saturating_sub(count.advanced + stale + count.variants);
            let rows = VERDICTS.into_iter().zip([count.advanced, stale, count.variants, duplicate]);
            for (verdict, rows) in rows.filter(|(_, rows)| *rows > 0) {
                self.kept.get_or_create(&[("kind", kind.as_str()), ("verdict", verdict)]).inc_by(rows);
            }
        }
    }

    /// How many answers there were by code, since the start.
    pub fn answers(&self) -> Vec<(u16, u64)> {
        let count = |code| (code, self.answers.get(&[("code", code)]).map_or(0, |counter| counter.get()));
        CODES.map(count).into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// All of it as text, with what is waiting at the moment: how many callbacks, in how many bytes, and for how long.
    pub fn render(&self, callbacks: usize, bytes: usize, oldest: Duration) -> Result<String, fmt::Error> {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.waiting.set(number(callbacks));
        self.waiting_bytes.set(number(bytes));
        self.oldest_waiting.set(oldest.as_secs_f64());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_counted_is_absent() {
        let metrics = Metrics::default();
        let series = || {
            let text = metrics.render(0, 0, Duration::ZERO).unwrap();
            let is_of_database = |line: &&str| {
                ["overdue", "recovered", "reconciled", "count_failures"].iter().any(|name| line.contains(name))
            };
            text.lines().filter(|line| !line.starts_with('#')).filter(is_of_database).map(ToOwned::to_owned).collect()
        };
        let found: Vec<_> = series();
        assert_eq!(found, ["routee_count_failures_total 0"]);
        let counts =
            Counts { overdue: 1, recovered: 2, flows_overdue: 3, flows_recovered: 4, reconciled_at: Some(5500) };
        metrics.counted(counts);
        let found: Vec<_> = series();
        assert_eq!(
            found,
            [
                "routee_count_failures_total 0",
                "routee_overdue 1",
                "routee_recovered 2",
                "routee_flows_overdue 3",
                "routee_flows_recovered 4",
                "routee_reconciled_timestamp_seconds 5.5",
            ]
        );
        metrics.count_failed();
        let found: Vec<_> = series();
        assert_eq!(found, ["routee_count_failures_total 1"]);
    }
}
