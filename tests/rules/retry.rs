//! When a callback comes again.

use std::time::Duration;

use crate::common::config;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::sample::select;
use routee_viber::{Counting, LONGEST_RETRY_SPAN, RESPONSE_DEADLINE, RetryPlan, RetrySchedule};

/// The documented delays, in seconds.
const SECONDS: [u64; 12] = [30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400];

/// From the first attempt, where each delay counts from the attempt before.
const SUMS: [u64; 12] = [30, 90, 210, 510, 1_110, 2_010, 3_810, 7_410, 14_610, 29_010, 57_810, 144_210];

fn delays() -> [Duration; 12] {
    SECONDS.map(Duration::from_secs)
}

fn first() -> DateTime<Utc> {
    "2019-07-05T10:00:00Z".parse().unwrap()
}

fn plans() -> [(RetryPlan, [u64; 12]); 2] {
    let plan = RetryPlan::new(first());
    assert_eq!(plan, plan.counting(Counting::default()));
    [(plan, SECONDS), (plan.counting(Counting::FromPreviousAttempt), SUMS)]
}

#[test]
fn the_schedule_is_the_twelve_documented_delays() {
    assert_eq!(RetrySchedule::DELAYS, delays());
    assert_eq!(RetrySchedule::new().collect::<Vec<_>>(), delays());
    assert_eq!(RetrySchedule::default().collect::<Vec<_>>(), delays());
    assert_eq!(RESPONSE_DEADLINE, Duration::from_secs(2));
    assert_eq!(LONGEST_RETRY_SPAN, Duration::from_secs(40 * 3_600 + 3 * 60 + 30));
    assert_eq!(LONGEST_RETRY_SPAN, delays().iter().sum());
}

#[test]
fn the_schedule_is_exact_double_ended_and_fused() {
    let mut schedule = RetrySchedule::new();
    for left in (0..12).rev() {
        assert_eq!(schedule.next().map(|delay| delay.as_secs()), Some(SECONDS[11 - left]));
        assert_eq!((schedule.len(), schedule.size_hint()), (left, (left, Some(left))));
    }
    assert_eq!([schedule.next(), schedule.next_back(), schedule.next()], [None; 3]);

    let mut backwards = delays();
    backwards.reverse();
    assert_eq!(RetrySchedule::new().rev().collect::<Vec<_>>(), backwards);

    let mut schedule = RetrySchedule::new();
    schedule.next();
    let mut clone = schedule.clone();
    assert_eq!(clone.next_back(), Some(Duration::from_secs(86_400)));
    assert_eq!((schedule.len(), clone.len()), (11, 10));
}

#[test]
fn a_plan_has_the_times_of_both_readings() {
    for (plan, seconds) in plans() {
        let times = seconds.map(|seconds| first() + Duration::from_secs(seconds));
        assert_eq!(plan.times().collect::<Vec<_>>(), times);
        assert_eq!(plan.times().len(), 12);
        assert_eq!(plan.gives_up_at(), times[11]);
        assert_eq!(plan.attempt(0), Some(first()));
        for number in 1..=12 {
            assert_eq!(plan.attempt(number), Some(times[usize::from(number) - 1]));
        }
        assert_eq!([plan.attempt(13), plan.attempt(u8::MAX)], [None; 2]);
    }
}

#[test]
fn next_after_is_the_first_retry_that_is_later() {
    let nano = TimeDelta::nanoseconds(1);
    for (plan, _) in plans() {
        let next = |now| plan.next_after(now).map(|retry| (retry.number, retry.at));
        let all: Vec<_> = (1..).zip(plan.times()).collect();
        assert_eq!(next(DateTime::<Utc>::MIN_UTC), Some(all[0]));
        assert_eq!(next(first()), Some(all[0]));
        for window in all.windows(2) {
            assert_eq!(next(window[0].1 - nano), Some(window[0]));
            assert_eq!(next(window[0].1), Some(window[1]));
        }
        assert_eq!(next(plan.gives_up_at() - nano), Some(all[11]));
        assert_eq!(next(plan.gives_up_at()), None);
        assert_eq!(next(DateTime::<Utc>::MAX_UTC), None);
    }
}

#[test]
fn attempt_at_is_the_nearest_attempt_within_the_tolerance() {
    let plan = RetryPlan::new(first());
    let at = |milliseconds, tolerance| {
        plan.attempt_at(first() + TimeDelta::milliseconds(milliseconds), Duration::from_millis(tolerance))
    };
    for (milliseconds, tolerance, expected) in [
        (0, 0, Some(0)),
        (1, 0, None),
        (1, 1, Some(0)),
        (-1, 0, None),
        (-1, 1, Some(0)),
        (-5_001, 5_000, None),
        (29_000, 999, None),
        (29_000, 1_000, Some(1)),
        (31_000, 1_000, Some(1)),
        (31_001, 1_000, None),
        // Half-way between two attempts the earlier one is taken.
        (14_999, 60_000, Some(0)),
        (15_000, 60_000, Some(0)),
        (15_001, 60_000, Some(1)),
        (45_000, 60_000, Some(1)),
        (45_001, 60_000, Some(2)),
        (86_400_000, 0, Some(12)),
        (86_402_000, 2_000, Some(12)),
        (200_000_000, 1_000, None),
    ] {
        assert_eq!(at(milliseconds, tolerance), expected, "{milliseconds} ms, {tolerance} ms");
    }
    assert_eq!(plan.attempt_at(DateTime::<Utc>::MAX_UTC, Duration::MAX), Some(12));
    assert_eq!(plan.attempt_at(DateTime::<Utc>::MIN_UTC, Duration::MAX), Some(0));
}

#[test]
fn the_waits_are_the_pauses_between_attempts() {
    for (plan, seconds) in plans() {
        let counting = if seconds == SECONDS { Counting::FromFirstAttempt } else { Counting::FromPreviousAttempt };
        let waits = RetrySchedule::waits(counting);
        let slept = waits.clone().scan(first(), |at, wait| {
            *at += wait;
            Some(*at)
        });
        assert_eq!(slept.collect::<Vec<_>>(), plan.times().collect::<Vec<_>>());
        let mut backwards: Vec<_> = waits.clone().rev().collect();
        backwards.reverse();
        assert_eq!((waits.len(), waits.collect::<Vec<_>>()), (12, backwards));
    }
}

#[test]
fn times_past_the_end_of_the_range_are_its_end() {
    for counting in [Counting::FromFirstAttempt, Counting::FromPreviousAttempt] {
        let plan = RetryPlan::new(DateTime::<Utc>::MAX_UTC).counting(counting);
        assert_eq!(plan.times().collect::<Vec<_>>(), [DateTime::<Utc>::MAX_UTC; 12]);
        assert_eq!(plan.next_after(DateTime::<Utc>::MAX_UTC), None);
        assert_eq!(plan.attempt_at(DateTime::<Utc>::MAX_UTC, Duration::ZERO), Some(0));
        // A leap second may be past chrono's last instant.
        let leap = DateTime::from_timestamp(DateTime::<Utc>::MAX_UTC.timestamp(), 1_999_999_999).unwrap();
        assert_eq!(RetryPlan::new(leap).counting(counting).times().collect::<Vec<_>>(), [leap; 12]);
        let plan = RetryPlan::new(DateTime::<Utc>::MIN_UTC).counting(counting);
        assert_eq!(plan.attempt(1), Some(DateTime::<Utc>::MIN_UTC + Duration::from_secs(30)));
        assert_eq!(plan.attempt_at(DateTime::<Utc>::MIN_UTC, Duration::ZERO), Some(0));
    }
}

fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    let near = (any::<bool>(), 0_i64..200_000).prop_map(move |(is_last, seconds)| {
        if is_last { last - TimeDelta::seconds(seconds) } else { first + TimeDelta::seconds(seconds) }
    });
    let any = (first.timestamp()..=last.timestamp(), 0_u32..1_000_000_000)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap());
    prop_oneof![any, near]
}

fn any_duration() -> impl Strategy<Value = Duration> {
    let any = (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
    prop_oneof![any, (0_u64..200_000).prop_map(Duration::from_secs), Just(Duration::ZERO)]
}

fn plan() -> impl Strategy<Value = RetryPlan> {
    let counting = select(vec![Counting::FromFirstAttempt, Counting::FromPreviousAttempt]);
    (any_instant(), counting).prop_map(|(first, counting)| RetryPlan::new(first).counting(counting))
}

fn attempts(plan: RetryPlan) -> Vec<DateTime<Utc>> {
    plan.attempt(0).into_iter().chain(plan.times()).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn retries_come_one_after_another(plan in plan(), beyond in 13_u8..) {
        let attempts = attempts(plan);
        prop_assert_eq!(attempts.len(), 13);
        let numbered: Vec<_> = (0..13).filter_map(|number| plan.attempt(number)).collect();
        prop_assert_eq!(&numbered, &attempts);
        prop_assert_eq!(plan.attempt(beyond), None);
        prop_assert_eq!(plan.gives_up_at(), attempts[12]);
        let is_saturated = attempts[12] == DateTime::<Utc>::MAX_UTC;
        prop_assert!(attempts.is_sorted());
        prop_assert!(is_saturated || attempts.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn the_next_retry_is_the_first_of_the_times_that_are_left(
        plan in plan(),
        now in any_instant(),
        since in 0_i64..150_000,
    ) {
        for now in [now, plan.attempt(0).unwrap().checked_add_signed(TimeDelta::seconds(since)).unwrap_or(now)] {
            let next = plan.next_after(now).map(|retry| (usize::from(retry.number), retry.at));
            let expected = plan.times().enumerate().find(|(_, at)| *at > now);
            prop_assert_eq!(next, expected.map(|(index, at)| (index + 1, at)));
        }
    }

    #[test]
    fn an_attempt_is_recognized_by_its_time(plan in plan(), number in 0_u8..=12, tolerance in any_duration()) {
        let at = plan.attempt(number).unwrap();
        let expected = attempts(plan).iter().position(|attempt| *attempt == at).unwrap();
        let found = plan.attempt_at(at, tolerance).map(usize::from);
        prop_assert_eq!(found, Some(expected));
        prop_assert!(expected == usize::from(number) || at == DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn the_attempt_of_any_time_is_the_nearest_within_the_tolerance(
        plan in plan(),
        received in any_instant(),
        since in -200_000_i64..200_000,
        tolerance in any_duration(),
    ) {
        let near = plan.attempt(0).unwrap().checked_add_signed(TimeDelta::seconds(since));
        for received in [Some(received), near].into_iter().flatten() {
            let apart = |at: &DateTime<Utc>| (received - at).abs().to_std().unwrap();
            let attempts = attempts(plan);
            let nearest = attempts.iter().enumerate().min_by_key(|(number, at)| (apart(at), *number)).unwrap();
            let expected = (apart(nearest.1) <= tolerance).then_some(nearest.0);
            prop_assert_eq!(plan.attempt_at(received, tolerance).map(usize::from), expected);
        }
    }
}
