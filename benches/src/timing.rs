//! Times of variants that take turns, so that what disturbs one round disturbs all of them alike.

use std::time::{Duration, Instant};

use crate::Variant;

/// How many rounds to run: one where the benchmarks are only checked, as by `cargo test --benches`.
pub fn rounds(measured: usize) -> usize {
    if std::env::args().any(|argument| argument == "--bench") { measured } else { 1 }
}

/// The nanoseconds per run of each variant in each round, where it runs again and again for `batch`.
pub fn measure(variants: &[Variant], rounds: usize, batch: Duration) -> Vec<Vec<f64>> {
    let counts: Vec<_> = variants.iter().map(|variant| runs_in(batch, variant)).collect();
    let mut times = vec![Vec::with_capacity(rounds); variants.len()];
    for round in 0..rounds {
        for turn in 0..variants.len() {
            let at = (round + turn) % variants.len();
            times[at].push(time(&variants[at], counts[at]));
        }
    }
    times
}

fn runs_in(batch: Duration, variant: &Variant) -> u32 {
    let warm = time(variant, 1).min(time(variant, 1));
    (batch.as_secs_f64() * 1e9 / warm).ceil() as u32
}

fn time(variant: &Variant, runs: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..runs {
        (variant.run)();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(runs)
}

/// The time of each round of variants that run one after the other.
pub fn together(variants: &[&Vec<f64>]) -> Vec<f64> {
    let rounds = variants.first().map_or(0, |times| times.len());
    (0..rounds).map(|round| variants.iter().map(|times| times[round]).sum()).collect()
}

/// The median of the ratios of two variants within each round.
pub fn ratio(times: &[f64], base: &[f64]) -> f64 {
    median(times.iter().zip(base).map(|(time, base)| time / base).collect())
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
