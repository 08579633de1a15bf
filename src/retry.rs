//! When a callback that was not answered comes again.

use std::array;
use std::iter::FusedIterator;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How long Routee waits for the answer: HTTP 200 must arrive within 2 seconds.
///
/// Source: Routee's pages `docs/viber-callback` and `docs/callback-url-webhook`.
pub const RESPONSE_DEADLINE: Duration = Duration::from_secs(2);

/// From the first attempt to the last retry in the longer of the two readings: 40 h 3 min 30 s.
///
/// Anything sized for safety, such as how long to remember an
/// [idempotency key](crate::ViberCallback::idempotency_key), must cover it.
pub const LONGEST_RETRY_SPAN: Duration = Duration::from_secs(144_210);

/// The documented delays of the retries, as an iterator.
///
/// Source: Routee's pages `docs/viber-callback` and `docs/callback-url-webhook`. They name the delays and
/// do not say what a delay counts from, see [`Counting`].
///
/// It knows no clock and does not sleep, so it is a back-off for any crate that takes an
/// `Iterator<Item = Duration>`.
///
/// ```
/// use std::time::Duration;
/// use routee_viber::RetrySchedule;
///
/// let schedule = RetrySchedule::new();
/// assert_eq!(schedule.len(), 12);
/// assert_eq!(schedule.clone().next(), Some(Duration::from_secs(30)));
/// assert_eq!(schedule.last(), Some(Duration::from_secs(24 * 60 * 60)));
/// ```
#[derive(Debug, Clone)]
pub struct RetrySchedule(array::IntoIter<Duration, 12>);

impl RetrySchedule {
    /// The documented delays: 30 s, 1 min, 2 min, 5 min, 10 min, 15 min, 30 min, 1 h, 2 h, 4 h, 8 h, 24 h.
    pub const DELAYS: [Duration; 12] = [
        Duration::from_secs(30),
        Duration::from_secs(60),
        Duration::from_secs(2 * 60),
        Duration::from_secs(5 * 60),
        Duration::from_secs(10 * 60),
        Duration::from_secs(15 * 60),
        Duration::from_secs(30 * 60),
        Duration::from_secs(60 * 60),
        Duration::from_secs(2 * 60 * 60),
        Duration::from_secs(4 * 60 * 60),
        Duration::from_secs(8 * 60 * 60),
        Duration::from_secs(24 * 60 * 60),
    ];

    /// The schedule from its first delay on.
    #[must_use]
    pub fn new() -> Self {
        Self(Self::DELAYS.into_iter())
    }
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self::new()
    }
}

impl Iterator for RetrySchedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for RetrySchedule {
    fn next_back(&mut self) -> Option<Duration> {
        self.0.next_back()
    }
}

impl ExactSizeIterator for RetrySchedule {}

impl FusedIterator for RetrySchedule {}

/// What the documented delays count from: Routee's pages can be read in two ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Counting {
    /// Each delay counts from the first attempt; the last retry comes 24 hours after it. The default
    /// (inferred), since the pages say "24 hours max … after the initial callback attempt".
    #[default]
    FromFirstAttempt,
    /// Each delay counts from the attempt before; the last retry comes [`LONGEST_RETRY_SPAN`] after the
    /// first attempt.
    FromPreviousAttempt,
}

/// When each attempt of one callback is expected.
///
/// The first POST is attempt 0, the retries are 1 to 12. Times past the end of chrono's range saturate.
///
/// Assert expected retry times in a test:
///
/// ```
/// use chrono::{DateTime, Utc};
/// use routee_viber::{Counting, RetryPlan};
///
/// let first: DateTime<Utc> = "2019-07-05T10:00:00Z".parse()?;
/// let plan = RetryPlan::new(first);
/// let third: DateTime<Utc> = "2019-07-05T10:02:00Z".parse()?;
/// assert_eq!(plan.attempt(3), Some(third));
///
/// let plan = plan.counting(Counting::FromPreviousAttempt);
/// let third: DateTime<Utc> = "2019-07-05T10:03:30Z".parse()?;
/// assert_eq!(plan.attempt(3), Some(third));
/// # Ok::<(), chrono::ParseError>(())
/// ```
///
/// My endpoint was down from A to B: which callbacks come again and when, and which are lost?
///
/// ```
/// use chrono::{DateTime, Utc};
/// use routee_viber::RetryPlan;
///
/// let back_up: DateTime<Utc> = "2019-07-06T12:00:00Z".parse()?;
///
/// // First POSTed two hours before the endpoint was back: comes again four hours after its first POST.
/// let missed = RetryPlan::new("2019-07-06T10:00:00Z".parse()?);
/// let next = missed.next_after(back_up).unwrap();
/// assert_eq!((next.number, next.at), (10, "2019-07-06T14:00:00Z".parse()?));
///
/// // First POSTed more than a day before: its last retry is over, so ask Routee's tracking for it.
/// let lost = RetryPlan::new("2019-07-05T10:00:00Z".parse()?);
/// assert!(lost.gives_up_at() < back_up);
/// assert_eq!(lost.next_after(back_up), None);
/// # Ok::<(), chrono::ParseError>(())
/// ```
///
/// How long must I keep idempotency keys? Longer than the longest span, and as long as it takes you to
/// notice that a callback came again:
///
/// ```
/// use chrono::{DateTime, TimeDelta, Utc};
/// use routee_viber::{Counting, LONGEST_RETRY_SPAN, RetryPlan};
///
/// let received: DateTime<Utc> = "2019-07-05T10:00:00Z".parse()?;
/// let forget_at = received + LONGEST_RETRY_SPAN + TimeDelta::hours(8);
/// assert!(RetryPlan::new(received).counting(Counting::FromPreviousAttempt).gives_up_at() < forget_at);
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryPlan {
    first_attempt: DateTime<Utc>,
    counting: Counting,
}

/// A retry and when it is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Retry {
    /// Which retry it is, 1 to 12.
    pub number: u8,
    /// When it is expected.
    pub at: DateTime<Utc>,
}

impl RetryPlan {
    /// The number of the last retry.
    const LAST: u8 = 12;

    /// The plan of a callback that was first POSTed at that time, with [`Counting::FromFirstAttempt`].
    #[must_use]
    pub const fn new(first_attempt: DateTime<Utc>) -> Self {
        Self { first_attempt, counting: Counting::FromFirstAttempt }
    }

    /// The same plan with that reading of the delays.
    #[must_use]
    pub const fn counting(self, counting: Counting) -> Self {
        Self { counting, ..self }
    }

    /// When the 12 retries are expected.
    #[must_use]
    pub fn times(self) -> impl ExactSizeIterator<Item = DateTime<Utc>> + DoubleEndedIterator + FusedIterator + Clone {
        // Each number is in range, so the first attempt stands in for nothing.
        (0..usize::from(Self::LAST)).map(move |index| self.after(index.saturating_add(1)).unwrap_or(self.first_attempt))
    }

    /// When that attempt is expected: 0 is the first POST, 1 to 12 are the retries, more there are not.
    #[must_use]
    pub fn attempt(self, number: u8) -> Option<DateTime<Utc>> {
        self.after(number.into())
    }

    fn after(self, retries: usize) -> Option<DateTime<Utc>> {
        let delays = RetrySchedule::DELAYS.get(..retries)?;
        let delay = match self.counting {
            Counting::FromFirstAttempt => delays.last().copied().unwrap_or_default(),
            Counting::FromPreviousAttempt => delays.iter().sum(),
        };
        let delay = TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX);
        Some(self.first_attempt.checked_add_signed(delay).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }

    /// The first retry that is expected after `now`; `None` where there is none left.
    #[must_use]
    pub fn next_after(self, now: DateTime<Utc>) -> Option<Retry> {
        let retries = (1..=Self::LAST).filter_map(|number| self.attempt(number).map(|at| Retry { number, at }));
        retries.into_iter().find(|retry| retry.at > now)
    }

    /// When the last retry is expected. A callback that is not answered by then is lost.
    #[must_use]
    pub fn gives_up_at(self) -> DateTime<Utc> {
        self.times().next_back().unwrap_or(self.first_attempt)
    }

    /// Which attempt a callback received at that time is: the nearest one within `tolerance` either way,
    /// of two equally near the earlier; `None` where there is none.
    ///
    /// Routee documents no attempt number, so this is a guess by the clock (inferred).
    #[must_use]
    pub fn attempt_at(self, received: DateTime<Utc>, tolerance: Duration) -> Option<u8> {
        (0..=Self::LAST)
            .filter_map(|number| {
                let apart = received.signed_duration_since(self.attempt(number)?).abs().to_std().ok()?;
                (apart <= tolerance).then_some((apart, number))
            })
            .min()
            .map(|(_, number)| number)
    }
}
