//! Plans from any instant, asked at any other.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use chrono::{DateTime, TimeDelta, Utc};
use libfuzzer_sys::fuzz_target;
use routee_viber::{Counting, RetryPlan};

#[derive(Arbitrary, Debug)]
struct Asked {
    first: Instant,
    is_from_previous: bool,
    now: Instant,
    tolerance: Duration,
}

#[derive(Arbitrary, Debug)]
enum Instant {
    At(i64, u32),
    AfterTheFirst(u32),
    BeforeTheEnd(u32),
}

impl Instant {
    fn when(&self, first: DateTime<Utc>) -> DateTime<Utc> {
        let found = match self {
            Self::At(seconds, nanos) => DateTime::from_timestamp(*seconds, *nanos),
            Self::AfterTheFirst(seconds) => first.checked_add_signed(TimeDelta::milliseconds((*seconds).into())),
            Self::BeforeTheEnd(seconds) => Some(DateTime::<Utc>::MAX_UTC - TimeDelta::milliseconds((*seconds).into())),
        };
        found.unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

fuzz_target!(|asked: Asked| {
    let first = asked.first.when(DateTime::UNIX_EPOCH);
    let counting = match asked.is_from_previous {
        false => Counting::FromFirstAttempt,
        true => Counting::FromPreviousAttempt,
    };
    let plan = RetryPlan::new(first).counting(counting);
    let now = asked.now.when(first);

    let attempts: Vec<_> = (0..=u8::MAX).map_while(|number| plan.attempt(number)).collect();
    assert_eq!(attempts.len(), 13);
    assert!(attempts[1..].iter().copied().eq(plan.times()));
    assert_eq!(attempts.last(), Some(&plan.gives_up_at()));
    let is_saturated = plan.gives_up_at() >= DateTime::<Utc>::MAX_UTC;
    assert!(attempts.is_sorted() && (is_saturated || attempts.is_sorted_by(|one, other| one < other)));

    let left = plan.times().enumerate().find(|(_, at)| *at > now);
    let next = plan.next_after(now).map(|retry| (usize::from(retry.number) - 1, retry.at));
    assert_eq!(next, left);

    let apart = |at: &DateTime<Utc>| (now - at).abs().to_std().unwrap();
    let nearest = (0..13).min_by_key(|number| apart(&attempts[*number])).unwrap();
    let expected = (apart(&attempts[nearest]) <= asked.tolerance).then_some(nearest);
    assert_eq!(plan.attempt_at(now, asked.tolerance).map(usize::from), expected);
});
