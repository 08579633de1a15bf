//! Criterion's run over every variant, then one table of medians and of ratios paired within the run.
//!
//! `cargo bench --bench speed` does both, `cargo bench --bench speed -- --table` the table alone.
#![allow(clippy::print_stdout, reason = "the table")]

mod common;

use std::time::{Duration, Instant};

use common::{FLAT, Group, STRICT, Variant, groups};
use criterion::Criterion;

/// How long a variant runs in each round: long against the clock's grain, short against the machine's moods.
const BATCH: Duration = Duration::from_micros(200);

fn main() {
    let groups = groups();
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    if !std::env::args().any(|argument| argument == "--table") {
        run_criterion(&groups);
    }
    print_table(&groups, if is_measured { 1_000 } else { 1 });
}

fn run_criterion(groups: &[Group]) {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for group in groups {
        let mut benches = criterion.benchmark_group(group.name);
        for variant in &group.variants {
            benches.bench_function(variant.name, |bencher| bencher.iter(&variant.run));
        }
        benches.finish();
    }
    criterion.final_summary();
}

fn print_table(groups: &[Group], rounds: usize) {
    println!("\nmedians of {rounds} rounds; each ratio is the median of the ratios within a round");
    for group in groups {
        let times = measure(&group.variants, rounds);
        let of = |name| {
            group
                .variants
                .iter()
                .position(|variant| variant.name == name)
                .map(|at| &times[at])
        };
        println!(
            "\n{:<24}{:>10}{:>16}{:>16}",
            group.name, "ns", "/ strict twin", "/ flatten"
        );
        for (variant, times) in group.variants.iter().zip(&times) {
            println!(
                "{:<24}{:>10.0}{:>16}{:>16}",
                variant.name,
                median(times.clone()),
                ratio(times, of(STRICT)),
                ratio(times, of(FLAT)),
            );
        }
    }
}

/// The nanoseconds that each variant took in each round, the variants in turn within a round.
fn measure(variants: &[Variant], rounds: usize) -> Vec<Vec<f64>> {
    let counts: Vec<_> = variants
        .iter()
        .map(|variant| runs_in(BATCH, variant))
        .collect();
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
    let trial = 100;
    time(variant, trial);
    (batch.as_secs_f64() * 1e9 / time(variant, trial)).ceil() as u32
}

fn time(variant: &Variant, runs: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..runs {
        (variant.run)();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(runs)
}

fn ratio(times: &[f64], base: Option<&Vec<f64>>) -> String {
    match base {
        Some(base) => format!(
            "{:.2}",
            median(
                times
                    .iter()
                    .zip(base)
                    .map(|(time, base)| time / base)
                    .collect()
            )
        ),
        None => "-".to_owned(),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
