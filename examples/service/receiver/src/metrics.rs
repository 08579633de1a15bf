//! What Prometheus is told.
//!
//! Every series is there from the start, at 0: `increase()` cannot see the first event of a series that begins with it.

use std::fmt;
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
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
    overdue: Gauge,
    flows_overdue: Gauge,
    recovered: Gauge,
    flows_recovered: Gauge,
    reconciled: Gauge<f64, std::sync::atomic::AtomicU64>,
    log: Gauge,
    reconcile_failures: Counter,
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
            overdue: Gauge::default(),
            flows_overdue: Gauge::default(),
            recovered: Gauge::default(),
            flows_recovered: Gauge::default(),
            reconciled: Gauge::default(),
            log: Gauge::default(),
            reconcile_failures: Counter::default(),
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
        registry.register("overdue", "Messages whose end should be known and is not", metrics.overdue.clone());
        let help = "Failover flows whose end should be known and is not";
        registry.register("flows_overdue", help, metrics.flows_overdue.clone());
        let help = "Messages whose status changed because Routee was asked, by any process, since the tables were made";
        registry.register("recovered", help, metrics.recovered.clone());
        let help = "Failover flows that changed because Routee was asked, by any process, since the tables were made";
        registry.register("flows_recovered", help, metrics.flows_recovered.clone());
        let help = "When somebody last asked Routee, in epoch seconds; 0 if nobody has";
        registry.register_with_unit("reconciled_timestamp", help, Unit::Seconds, metrics.reconciled.clone());
        let help = "How long SQLite's log is, which grows while somebody reads the database";
        registry.register_with_unit("sqlite_log", help, Unit::Bytes, metrics.log.clone());
        let help = "Times that `serve --every` could not ask Routee for everything that was due";
        registry.register("reconcile_failures", help, metrics.reconcile_failures.clone());
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

    /// How many messages are overdue and were recovered, and how many flows.
    pub fn reconciliation(&self, [overdue, recovered]: [i64; 2], [flows_overdue, flows_recovered]: [i64; 2]) {
        self.overdue.set(overdue);
        self.recovered.set(recovered);
        self.flows_overdue.set(flows_overdue);
        self.flows_recovered.set(flows_recovered);
    }

    /// When somebody last asked Routee, in milliseconds.
    pub fn reconciled(&self, ran_at: Option<i64>) {
        #[allow(clippy::cast_precision_loss, reason = "it is exact for longer than anybody will care")]
        self.reconciled.set(ran_at.unwrap_or_default() as f64 / 1000.0);
    }

    pub fn log(&self, bytes: u64) {
        self.log.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub fn reconcile_failed(&self) {
        self.reconcile_failures.inc();
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
