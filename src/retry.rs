//! When a callback that was not answered is sent again.

use std::iter::FusedIterator;
use std::mem;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How long Routee waits for the answer: HTTP 200 must arrive within 2 seconds.
///
/// Sources: [docs/viber-callback](https://docs.routee.net/docs/viber-callback) and
/// [docs/callback-url-webhook](https://docs.routee.net/docs/callback-url-webhook).
pub const RESPONSE_DEADLINE: Duration = Duration::from_secs(2);

/// From the first attempt to the last retry in the longer of the two readings: 40 h 3 min 30 s.
///
/// Keep an [idempotency key](crate::ViberCallback::idempotency_key), and whatever else has to outlast the retries, for
/// longer than this.
pub const LONGEST_RETRY_SPAN: Duration = Duration::from_secs(144_210);

/// The documented delays of the retries, as an iterator.
///
/// Sources: [docs/viber-callback](https://docs.routee.net/docs/viber-callback) and
/// [docs/callback-url-webhook](https://docs.routee.net/docs/callback-url-webhook). They name the delays but not
/// what a delay counts from; see [`Counting`].
///
/// The iterator reads no clock and does not sleep.
///
/// ```
/// use std::time::Duration;
/// use routee_viber::RetrySchedule;
///
/// let mut schedule = RetrySchedule::new();
/// assert_eq!(schedule.len(), 12);
/// let first = Duration::from_secs(30);
/// assert_eq!(schedule.next(), Some(first));
/// let last = Duration::from_secs(24 * 60 * 60);
/// assert_eq!(schedule.last(), Some(last));
/// ```
#[derive(Debug, Clone)]
pub struct RetrySchedule(&'static [Duration]);

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

    /// The documented delays, from the first one on.
    ///
    /// A back-off that sleeps them one after the other follows the longer reading,
    /// [`Counting::FromPreviousAttempt`], and ends after [`LONGEST_RETRY_SPAN`]. Use
    /// [`waits`](RetrySchedule::waits) to say which reading you mean.
    #[must_use]
    pub const fn new() -> Self {
        Self(&Self::DELAYS)
    }

    /// The 12 pauses between one attempt and the next, under that reading of the delays.
    ///
    /// This is what a retry loop sleeps, and it fits every crate that takes an `Iterator<Item = Duration>` as a
    /// back-off.
    ///
    /// ```
    /// use routee_viber::{Counting, RetrySchedule};
    ///
    /// fn seconds(counting: Counting) -> Vec<u64> {
    ///     RetrySchedule::waits(counting).map(|wait| wait.as_secs()).collect()
    /// }
    ///
    /// let waits = seconds(Counting::FromFirstAttempt);
    /// assert_eq!(waits[..4], [30, 30, 60, 180]);
    /// assert_eq!(waits.iter().sum::<u64>(), 86_400);
    ///
    /// let waits = seconds(Counting::FromPreviousAttempt);
    /// assert_eq!(waits[..4], [30, 60, 120, 300]);
    /// assert_eq!(waits.iter().sum::<u64>(), 144_210);
    /// ```
    #[must_use]
    pub fn waits(
        counting: Counting,
    ) -> impl ExactSizeIterator<Item = Duration> + Clone + DoubleEndedIterator + FusedIterator {
        let mut previous = Duration::ZERO;
        let waits = match counting {
            Counting::FromFirstAttempt => {
                Self::DELAYS.map(|delay| delay.saturating_sub(mem::replace(&mut previous, delay)))
            }
            Counting::FromPreviousAttempt => Self::DELAYS,
        };
        waits.into_iter()
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
        let (next, left) = self.0.split_first()?;
        self.0 = left;
        Some(*next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl DoubleEndedIterator for RetrySchedule {
    fn next_back(&mut self) -> Option<Duration> {
        let (next, left) = self.0.split_last()?;
        self.0 = left;
        Some(*next)
    }
}

impl ExactSizeIterator for RetrySchedule {}

impl FusedIterator for RetrySchedule {}

/// What the documented delays count from. Routee's pages can be read in two ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Counting {
    /// Each delay counts from the first attempt, so the last retry is sent 24 hours after it. This is the default
    /// (inferred), because the pages say "24 hours max … after the initial callback attempt".
    #[default]
    FromFirstAttempt,
    /// Each delay counts from the previous attempt, so the last retry is sent [`LONGEST_RETRY_SPAN`] after the first
    /// attempt.
    FromPreviousAttempt,
}

/// When each attempt to deliver one callback is expected.
///
/// The first POST is attempt 0, the retries are 1 to 12. A time past the end of chrono's range becomes that end.
///
/// Assert expected retry times in a test:
///
/// ```
/// use routee_viber::{Counting, RetryPlan};
///
/// let first = "2019-07-05T10:00:00Z".parse()?;
/// let plan = RetryPlan::new(first);
/// assert_eq!(plan.attempt(3), Some("2019-07-05T10:02:00Z".parse()?));
///
/// let plan = plan.counting(Counting::FromPreviousAttempt);
/// assert_eq!(plan.attempt(3), Some("2019-07-05T10:03:30Z".parse()?));
/// # Ok::<(), chrono::ParseError>(())
/// ```
///
/// After an outage, find out which callbacks will be sent again and when, and which are lost:
///
/// ```
/// use chrono::{DateTime, Utc};
/// use routee_viber::RetryPlan;
///
/// let back_up: DateTime<Utc> = "2019-07-06T12:00:00Z".parse()?;
///
/// // First sent two hours before your server was
/// // back: the next retry comes four hours after
/// // that first attempt.
/// let first = "2019-07-06T10:00:00Z".parse()?;
/// let missed = RetryPlan::new(first);
/// let next = missed.next_after(back_up).unwrap();
/// assert_eq!(next.number, 10);
/// let at = "2019-07-06T14:00:00Z";
/// assert_eq!(next.at, at.parse::<DateTime<Utc>>()?);
///
/// // First sent more than a day before: no retry is
/// // left, so ask Routee's tracking API.
/// let first = "2019-07-05T10:00:00Z".parse()?;
/// let lost = RetryPlan::new(first);
/// assert!(lost.gives_up_at() < back_up);
/// assert_eq!(lost.next_after(back_up), None);
/// # Ok::<(), chrono::ParseError>(())
/// ```
///
/// Decide how long to keep idempotency keys: for longer than the longest span, plus the time that you may need to
/// notice that a callback was sent again:
///
/// ```
/// use chrono::{DateTime, TimeDelta, Utc};
/// use routee_viber::{Counting, LONGEST_RETRY_SPAN, RetryPlan};
///
/// let received: DateTime<Utc> = "2019-07-05T10:00:00Z".parse()?;
/// let spare = TimeDelta::hours(8);
/// let forget_at = received + LONGEST_RETRY_SPAN + spare;
/// let plan = RetryPlan::new(received).counting(Counting::FromPreviousAttempt);
/// assert!(plan.gives_up_at() < forget_at);
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

    /// The plan of a callback that was first sent at that time, with [`Counting::FromFirstAttempt`].
    #[must_use]
    pub const fn new(first_attempt: DateTime<Utc>) -> Self {
        Self { first_attempt, counting: Counting::FromFirstAttempt }
    }

    /// The same plan under that reading of the delays.
    #[must_use]
    pub const fn counting(self, counting: Counting) -> Self {
        Self { counting, ..self }
    }

    /// When the 12 retries are expected.
    #[must_use]
    pub fn times(self) -> impl ExactSizeIterator<Item = DateTime<Utc>> + Clone + DoubleEndedIterator + FusedIterator {
        (1..=Self::LAST).map(move |number| self.after(number))
    }

    /// When that attempt is expected: 0 is the first POST, 1 to 12 are the retries; `None` for anything else.
    #[must_use]
    pub fn attempt(self, number: u8) -> Option<DateTime<Utc>> {
        (number <= Self::LAST).then(|| self.after(number))
    }

    /// When the attempt after that many retries is expected.
    fn after(self, retries: u8) -> DateTime<Utc> {
        let delay: Duration = RetrySchedule::waits(self.counting).take(retries.into()).sum();
        let delay = TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX);
        // A leap second may be past chrono's last instant.
        self.first_attempt.checked_add_signed(delay).unwrap_or(self.first_attempt.max(DateTime::<Utc>::MAX_UTC))
    }

    /// The first retry that is expected after `now`; `None` if there is none left.
    #[must_use]
    pub fn next_after(self, now: DateTime<Utc>) -> Option<Retry> {
        (1..).zip(self.times()).map(|(number, at)| Retry { number, at }).find(|retry| retry.at > now)
    }

    /// When the last retry is expected. A callback that has not been answered by then is lost.
    #[must_use]
    pub fn gives_up_at(self) -> DateTime<Utc> {
        self.after(Self::LAST)
    }

    /// Which attempt a callback received at that time probably is: the one expected nearest to it, within `tolerance`
    /// either way. Of two equally near it is the earlier one; `None` if none is near enough.
    ///
    /// Routee documents no attempt number, so this is a guess by the clock (inferred).
    #[must_use]
    pub fn attempt_at(self, received: DateTime<Utc>, tolerance: Duration) -> Option<u8> {
        (0..=Self::LAST)
            .filter_map(|number| {
                let apart = received.signed_duration_since(self.after(number)).abs().to_std().ok()?;
                (apart <= tolerance).then_some((apart, number))
            })
            .min()
            .map(|(_, number)| number)
    }
}
