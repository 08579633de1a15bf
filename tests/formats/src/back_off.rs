//! The schedule as a back-off of the usual crates.

use std::sync::mpsc;
use std::time::Duration;

use backon::{BlockingRetryable, Retryable as _};
use routee_viber::{Counting, LONGEST_RETRY_SPAN, RetrySchedule};
use tokio::time::Instant;
use tokio_retry::Retry;

/// The seconds at which an action that always fails is tried.
async fn tried_at(back_off: impl Iterator<Item = Duration>) -> Vec<u64> {
    let start = Instant::now();
    let mut times = Vec::new();
    let result: Result<(), &str> = Retry::start(back_off, || {
        times.push(start.elapsed().as_secs());
        async { Err("no") }
    })
    .await;
    assert_eq!(result, Err("no"));
    times
}

#[tokio::test(start_paused = true)]
async fn tokio_retry_follows_the_reading_that_it_is_given() {
    let from_first = [0, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400];
    let from_previous = [0, 30, 90, 210, 510, 1_110, 2_010, 3_810, 7_410, 14_610, 29_010, 57_810, 144_210];
    assert_eq!(tried_at(RetrySchedule::waits(Counting::FromFirstAttempt)).await, from_first);
    assert_eq!(tried_at(RetrySchedule::waits(Counting::FromPreviousAttempt)).await, from_previous);
    assert_eq!(tried_at(RetrySchedule::new()).await, from_previous);
}

#[tokio::test(start_paused = true)]
async fn backon_follows_the_reading_that_it_is_given() {
    for (counting, span) in [
        (Counting::FromFirstAttempt, Duration::from_secs(24 * 60 * 60)),
        (Counting::FromPreviousAttempt, LONGEST_RETRY_SPAN),
    ] {
        let start = Instant::now();
        let retry = (|| async { Err("no") }).retry(RetrySchedule::waits(counting));
        let result: Result<(), &str> = retry.sleep(tokio::time::sleep).await;
        assert_eq!(result, Err("no"));
        assert_eq!(start.elapsed().as_secs(), span.as_secs());
    }
}

#[test]
fn backon_sleeps_the_documented_delays() {
    let (sleeps, slept) = mpsc::channel();
    let mut attempts = 0;
    let result: Result<(), &str> = BlockingRetryable::retry(
        || {
            attempts += 1;
            Err("no")
        },
        RetrySchedule::new(),
    )
    .sleep(move |delay| sleeps.send(delay).unwrap())
    .call();
    assert_eq!((result, attempts), (Err("no"), 13));
    assert_eq!(slept.iter().collect::<Vec<_>>(), RetrySchedule::DELAYS);
}
