//! Which status is newer, and which is the same again.
//!
//! Callbacks may come more than once, late and out of order. Routee documents no order of its statuses:
//! everything here is inferred.

use crate::lenient;
use crate::{Status, StatusName};
use serde_json::Value;

/// How far a message has come.
///
/// The order of the variants is that of [`Ord`]; for [`Status::progress_from`], `Failed` and `Delivered`
/// are on one level. Inferred from what the names mean.
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
    /// The level on which statuses are compared; within one, the date decides.
    const fn level(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Failed | Self::Delivered => 1,
            Self::Seen => 2,
        }
    }
}

impl StatusName {
    /// How far a message with this status has come; `None` for a name that is not known.
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

    /// Whether the message did not reach the recipient: undelivered, expired, failed or unsent.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.stage(), Some(Stage::Failed))
    }
}

/// What an incoming status is to the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Progress {
    /// It is newer: store it.
    Advance,
    /// It is the stored one again: answer 200 and do nothing.
    Duplicate,
    /// It is older, or nothing says that it is newer: keep the stored one.
    Stale,
}

impl Status {
    /// What this incoming status is to the `stored` one of the same message.
    ///
    /// - Equal name and equal date, or equal name and both without a date: [`Progress::Duplicate`]. A
    ///   date that could not be read is compared as it came.
    /// - A higher level is an [`Advance`](Progress::Advance), a lower one [`Stale`](Progress::Stale),
    ///   whatever the dates, so a message that was seen stays seen when a late DELIVERED arrives. The
    ///   levels are pending, then failed and delivered together, then seen.
    /// - On one level the later date wins; without two dates to compare the stored status stays.
    /// - A name that is not known has no level: its date alone counts, and it advances where there is no
    ///   date to say otherwise.
    ///
    /// All of this is inferred.
    ///
    /// ```
    /// use routee_viber::{Progress, Status, StatusName};
    ///
    /// let seen = Status::new(StatusName::Seen);
    /// let delivered = Status::new(StatusName::Delivered);
    /// assert_eq!(seen.progress_from(&delivered), Progress::Advance);
    /// assert_eq!(delivered.progress_from(&seen), Progress::Stale);
    /// assert_eq!(seen.progress_from(&seen), Progress::Duplicate);
    /// ```
    #[must_use]
    pub fn progress_from(&self, stored: &Self) -> Progress {
        let has_equal_date = self.updated_date == stored.updated_date && self.unread_date() == stored.unread_date();
        if self.name == stored.name && has_equal_date {
            return Progress::Duplicate;
        }
        let dates = self.updated_date.zip(stored.updated_date);
        let is_advance = match (self.name.stage(), stored.name.stage()) {
            (Some(stage), Some(stored)) if stage.level() != stored.level() => stage.level() > stored.level(),
            (Some(_), Some(_)) => dates.is_some_and(|(date, stored)| date > stored),
            _ => dates.is_none_or(|(date, stored)| date >= stored),
        };
        if is_advance { Progress::Advance } else { Progress::Stale }
    }

    /// The update date as it came, where it could not be read.
    pub(crate) fn unread_date(&self) -> Option<&Value> {
        lenient::unread(self, "updatedDate")
    }
}
