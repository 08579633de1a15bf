//! What Prometheus is told.

use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Counters with one label.
type By = Family<[(&'static str, String); 1], Counter>;

/// What this receiver has done since it was started.
pub struct Metrics {
    answers: By,
    answer_seconds: Histogram,
    processed: By,
    anomalies: By,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            answers: By::default(),
            answer_seconds: Histogram::new([
                0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0,
            ]),
            processed: By::default(),
            anomalies: By::default(),
        }
    }
}

impl Metrics {
    pub fn answered(&self, code: u16, after: Duration) {
        self.answers
            .get_or_create(&[("code", code.to_string())])
            .inc();
        self.answer_seconds.observe(after.as_secs_f64());
    }

    pub fn processed(&self, verdict: &str) {
        self.processed
            .get_or_create(&[("verdict", verdict.to_owned())])
            .inc();
    }

    /// Counts by what is wrong and not by where: what can be made up outside must not make new series.
    pub fn anomaly(&self, kind: &str) {
        self.anomalies
            .get_or_create(&[("kind", kind.to_owned())])
            .inc();
    }

    /// In the text format. `waiting` is how many stored bodies were not read yet.
    pub fn render(&self, waiting: i64) -> String {
        let mut registry = Registry::with_prefix("routee");
        registry.register("answers", "Callbacks answered", self.answers.clone());
        registry.register(
            "answer_seconds",
            "Time to answer a callback",
            self.answer_seconds.clone(),
        );
        registry.register(
            "processed",
            "Stored bodies processed",
            self.processed.clone(),
        );
        registry.register(
            "anomalies",
            "What was not understood in callbacks",
            self.anomalies.clone(),
        );
        registry.register(
            "waiting",
            "Stored bodies not processed yet",
            ConstGauge::new(waiting),
        );
        let mut page = String::new();
        text::encode(&mut page, &registry).expect("writing to a string does not fail");
        page
    }
}
