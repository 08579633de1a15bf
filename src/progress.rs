//! Which status is newer, and which is the same again.
//!
//! Callbacks may come more than once, late and out of order. Routee documents no order of its statuses:
//! everything here is inferred.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::status::{Status, StatusName};

/// How far a message has come.
///
/// The order of the variants is that of [`Ord`]; for [`Status::progress_from`], `Failed` and `Delivered` are on one
/// level. Inferred from what the names mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// On its way: `QUEUED`.
    Pending,
    /// Not delivered: `UNDELIVERED`, `EXPIRED`, `FAILED`, `UNSENT`.
    ///
    /// Not the last word: a resent message may still be delivered.
    Failed,
    /// Delivered: `DELIVERED`.
    ///
    /// Not the last word: with the failover option `expireOnDelivery` a delivered message may expire.
    Delivered,
    /// Read by the recipient: `SEEN`. Nothing comes after it.
    Seen,
}

impl Stage {
    /// The stage in `snake_case`, for a metric's label or a column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Seen => "seen",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl StatusName {
    /// How far a message with this status has come; `None` for an unrecognized name.
    #[must_use]
    pub const fn stage(&self) -> Option<Stage> {
        match self {
            Self::Queued => Some(Stage::Pending),
            Self::Undelivered | Self::Expired | Self::Failed | Self::Unsent => Some(Stage::Failed),
            Self::Delivered => Some(Stage::Delivered),
            Self::Seen => Some(Stage::Seen),
            Self::Other(_) => None,
        }
    }

    /// Whether the message reached the recipient: delivered or seen.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.stage(), Some(Stage::Delivered | Stage::Seen))
    }

    /// Whether the message failed: undelivered, expired, failed or unsent.
    ///
    /// It may have been delivered all the same: with the failover option `expireOnDelivery` a message that was delivered
    /// and not seen in time is `EXPIRED`.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.stage(), Some(Stage::Failed))
    }
}

/// How an incoming status relates to the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Progress {
    /// It is newer: store it.
    Advance,
    /// It is the stored one again: answer 200 and do nothing.
    Duplicate,
    /// It is older: keep the stored one.
    Stale,
}

impl Progress {
    /// The outcome in `snake_case`, for a metric's label or a column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advance => "advance",
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Status {
    /// How this incoming status relates to the `stored` one of the same message.
    ///
    /// An equal name with an equal date, or with no date on either side, is a [`Duplicate`](Progress::Duplicate).
    /// Otherwise the two are compared part by part, and the greater one is newer:
    ///
    /// 1. the level, whatever the dates: the lowest is pending; failed, delivered and unrecognized names share the
    ///    next; the highest is seen. So a message that was seen stays seen when a late DELIVERED arrives;
    /// 2. the date: a missing or unreadable one is older than any other, and of two dates the later one is newer;
    /// 3. on the shared level, failed before unrecognized before delivered;
    /// 4. the name, then an unreadable date as it was sent, both compared as strings.
    ///
    /// This is a total order. So if you store a status only when it is an `Advance`, you end up with the same status,
    /// whatever the order of arrival and however often each callback comes. All of this is inferred.
    ///
    /// ```
    /// use routee_viber::{Progress, Status, StatusName};
    ///
    /// let delivered = Status::new(StatusName::Delivered);
    /// let seen = Status::new(StatusName::Seen);
    /// assert_eq!(seen.progress_from(&delivered), Progress::Advance);
    /// assert_eq!(delivered.progress_from(&seen), Progress::Stale);
    /// assert_eq!(seen.progress_from(&seen), Progress::Duplicate);
    /// ```
    #[must_use]
    pub fn progress_from(&self, stored: &Self) -> Progress {
        compare(&self.newness(), &stored.newness())
    }

    /// A string that is greater for a newer status. Strings compare as the statuses do, in every collation that leaves the
    /// order of digits and of `a` to `f` alone.
    ///
    /// It consists only of digits and the letters `a` to `f`, and follows the order of
    /// [`progress_from`](Self::progress_from). Its parts are:
    ///
    /// - the level, one digit, and an `a`;
    /// - the seconds of the date since 1970 plus 10¹³, 14 digits, and an `a`; all 0 without a date;
    /// - the nanoseconds, 10 digits, and an `a`;
    /// - the place among equal dates, one digit, and an `a`: from `EXPIRED`, `FAILED`, `UNDELIVERED` and `UNSENT` over
    ///   unrecognized names to `DELIVERED`;
    /// - the name, then the date that could not be read, in hex of their UTF-8, each ended by `00`.
    ///
    /// If a collation compares digits as numbers (`kn` of ICU) or two letters as one (Danish `aa`, Welsh `dd`), strings that
    /// differ in the last two parts alone may compare in another order: equal dates with two unrecognized names, or with
    /// two dates that cannot be read.
    ///
    /// Store it beside the status, and [one SQL statement](crate#store-it) keeps the newer one, without reading first.
    /// If the order or the format ever changes, the CHANGELOG will say so, because your stored ranks depend on it: make
    /// them anew from the stored bodies.
    ///
    /// ```
    /// use routee_viber::{Status, StatusName};
    ///
    /// let rank = |name| Status::new(name).rank();
    /// let queued = rank(StatusName::Queued);
    /// let delivered = rank(StatusName::Delivered);
    /// let seen = rank(StatusName::Seen);
    /// assert!(queued < delivered && delivered < seen);
    /// assert_eq!(seen, "2a00000000000000a0000000000a0a5345454e0000");
    /// ```
    #[must_use]
    pub fn rank(&self) -> String {
        self.newness().to_string()
    }

    pub(crate) fn newness(&self) -> Newness<'_> {
        let (level, tie) = match self.name {
            StatusName::Queued => (0, 0),
            StatusName::Expired => (1, 0),
            StatusName::Failed => (1, 1),
            StatusName::Undelivered => (1, 2),
            StatusName::Unsent => (1, 3),
            StatusName::Other(_) => (1, 4),
            StatusName::Delivered => (1, 5),
            StatusName::Seen => (2, 0),
        };
        let unread = match (self.updated_date, self.key_date()) {
            (Some(_), _) | (None, Value::Null) => String::new(),
            (None, unread) => unread.to_string(),
        };
        Newness { level, date: self.updated_date, tie, texts: [self.name.as_str().into(), unread.into()] }
    }
}

/// What makes one status newer than another. Its fields are compared in the order in which they stand.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Newness<'a> {
    level: u8,
    date: Option<DateTime<Utc>>,
    tie: u8,
    texts: [Cow<'a, str>; 2],
}

/// What makes one update of a flow newer than another. Its fields are compared in the order in which they stand.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowNewness<'a> {
    pub(crate) level: u8,
    pub(crate) date: Option<DateTime<Utc>>,
    pub(crate) tie: u8,
    pub(crate) steps: usize,
    pub(crate) statuses: Vec<Option<Newness<'a>>>,
    pub(crate) key: String,
}

pub(crate) fn compare<T: Ord>(incoming: &T, stored: &T) -> Progress {
    match incoming.cmp(stored) {
        Ordering::Greater => Progress::Advance,
        Ordering::Equal => Progress::Duplicate,
        Ordering::Less => Progress::Stale,
    }
}

/// As a text that compares as this does. A letter ends each run of digits, since a collation may compare such runs as
/// numbers.
impl fmt::Display for Newness<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}a", self.level)?;
        write_date(f, self.date)?;
        write!(f, "{}a", self.tie)?;
        self.texts.iter().try_for_each(|text| write_hex(f, text))
    }
}

/// As [`Newness`].
impl fmt::Display for FlowNewness<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}a", self.level)?;
        write_date(f, self.date)?;
        write!(f, "{}a{:020}a", self.tie, self.steps)?;
        for status in &self.statuses {
            match status {
                None => f.write_str("0a")?,
                Some(status) => write!(f, "1a{status}a")?,
            }
        }
        write_hex(f, &self.key)
    }
}

/// So that every date has 14 digits of seconds, and one before 1970 comes before one after it.
const SECONDS_BEFORE_ALL_DATES: i64 = 10_000_000_000_000;

fn write_date(f: &mut fmt::Formatter, date: Option<DateTime<Utc>>) -> fmt::Result {
    let (seconds, nanos) =
        date.map_or((0, 0), |date| (date.timestamp() + SECONDS_BEFORE_ALL_DATES, date.timestamp_subsec_nanos()));
    write!(f, "{seconds:014}a{nanos:010}a")
}

/// Writes the bytes of a text, and its end as 00.
fn write_hex(f: &mut fmt::Formatter, text: &str) -> fmt::Result {
    let mut hex = String::with_capacity(2 * text.len() + 2);
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' - 10 + value });
    for byte in text.bytes() {
        hex.extend([digit(byte >> 4), digit(byte & 15)]);
        // A byte 0 is written as 00ff, since 00 alone ends the text, and UTF-8 has no byte ff.
        hex.push_str(if byte == 0 { "ff" } else { "" });
    }
    hex.push_str("00");
    f.write_str(&hex)
}
