//! Criterion's run over every variant, then one table of medians and of ratios paired within the run.
//!
//! `cargo bench --bench speed` does both, `cargo bench --bench speed -- --table` the table alone.

use std::time::Duration;

use criterion::Criterion;
use routee_viber_benches::timing::{self, measure, median};
use routee_viber_benches::{FLAT, FROM_SLICE, Group, INCOMING, OURS, STRICT, VALUE, groups};

/// How long a variant runs in a round: long for the clock, short for what else the machine does.
const BATCH: Duration = Duration::from_micros(200);

/// A variant of a group, and what it may take of the time of others of the group together. A figure to look at: nothing
/// fails by it.
const TARGETS: [(&str, &str, &[&str], f64); 12] = [
    ("full body", OURS, &[STRICT], 0.92),
    ("full body", FROM_SLICE, &[STRICT], 0.72),
    ("full body", FROM_SLICE, &[FLAT], 0.46),
    ("full body", INCOMING, &[FROM_SLICE], 1.05),
    ("small body", OURS, &[STRICT], 0.72),
    ("small body", FROM_SLICE, &[STRICT], 0.55),
    ("small body", INCOMING, &[FROM_SLICE], 1.10),
    ("messy body", OURS, &[FLAT], 0.65),
    ("writing the full body", OURS, &[STRICT], 1.00),
    ("a reply", INCOMING, &[STRICT, VALUE], 1.15),
    ("a failover callback", INCOMING, &[STRICT, VALUE], 1.10),
    ("the status of an SMS", INCOMING, &[STRICT, VALUE], 1.15),
];

fn main() {
    let groups = groups();
    if !std::env::args().any(|argument| argument == "--table") {
        run_criterion(&groups);
    }
    print_table(&groups);
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

fn print_table(groups: &[Group]) {
    let rounds = timing::rounds(1_000);
    println!("\nmedians of {rounds} rounds; a ratio is the median of the ratios within each round");
    for group in groups {
        let times = measure(&group.variants, rounds, BATCH);
        let of = |name: &str| group.variants.iter().position(|it| it.name == name).map(|at| &times[at]);
        let ratio = |one: &str, base: &[&str]| {
            let base: Option<Vec<_>> = base.iter().map(|name| of(name)).collect();
            Some(timing::ratio(of(one)?, &timing::together(&base?)))
        };
        println!("\n{:<24}{:>8}{:>16}{:>24}", group.name, "ns", "/ strict twin", "/ flatten + serde_with");
        for (variant, times) in group.variants.iter().zip(&times) {
            let cell = |base| match ratio(variant.name, &[base]) {
                Some(ratio) => format!("{ratio:.2}"),
                None => "-".to_owned(),
            };
            let (strict, flat) = (cell(STRICT), cell(FLAT));
            let nanoseconds = median(times.clone());
            println!("{:<24}{nanoseconds:>8.0}{strict:>16}{flat:>24}", variant.name);
        }
        for (_, one, base, target) in TARGETS.iter().filter(|target| target.0 == group.name) {
            if let Some(ratio) = ratio(one, base) {
                let base = base.join(" + ");
                println!("target: {one} / ({base}) at most {target:.2}, here {ratio:.2}");
            }
        }
    }
}
