//! The status of a message: its name, and why.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::key;
use crate::lenient::field::{Field as _, Required};
use crate::lenient::model::model;
use crate::lenient::open_enum::open_enum;
use crate::lenient::value::Extra;

/// The status of a message, as a callback reports it.
///
/// On the wire it is the object `status` of [docs/viber-callback](https://docs.routee.net/docs/viber-callback). If a
/// body has a bare string in its place, that is read as the name (inferred).
///
/// # serde
///
/// Deserialized leniently, see [the crate docs](crate#what-is-lenient): it fails only without a readable
/// `name`. Serialized with the documented keys, absent fields left out and `extra` written back.
///
/// ```
/// use routee_viber::{DetailedStatus, Reason, Status, StatusName};
///
/// let mut reason = Reason::default();
/// reason.detailed_status =
///     Some(DetailedStatus::OptedOut);
/// let mut status = Status::new(StatusName::Failed);
/// status.reason = Some(reason);
///
/// let json = serde_json::json!({
///     "name": "FAILED",
///     "reason": {"detailedStatus": "Opted Out"},
/// });
/// assert_eq!(serde_json::to_value(&status)?, json);
/// let read: Status = serde_json::from_value(json)?;
/// assert_eq!(read, status);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// `name`, the name of the status; also read from `status`. The one required field.
    pub name: StatusName,
    /// `reason`, why the message has this status; also read from a bare string, as its detailed status (inferred).
    pub reason: Option<Reason>,
    /// `updatedDate`, when the status last changed; also read from `date`.
    pub updated_date: Option<DateTime<Utc>>,
    /// The unknown fields of `status`, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    Status {
        fn of_text(text: &str) -> Option<Self> {
            Some(Self::new(StatusName::from(text)))
        }
    }
    "name" | "status" => name required,
    "reason" => reason,
    "updatedDate" | "date" => updated_date,
}

impl Status {
    /// A status with that name and nothing else.
    #[must_use]
    pub fn new(name: StatusName) -> Self {
        Self { name, ..Self::blank() }
    }

    /// The detailed status of the reason, if there is one.
    ///
    /// ```
    /// use routee_viber::{DetailedStatus, ViberCallback};
    ///
    /// let body = routee_viber::samples::STATUS;
    /// let callback: ViberCallback = body.parse()?;
    /// assert_eq!(
    ///     callback.status.detailed_status(),
    ///     Some(&DetailedStatus::NotViberUser),
    /// );
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    #[must_use]
    pub fn detailed_status(&self) -> Option<&DetailedStatus> {
        self.reason.as_ref()?.detailed_status.as_ref()
    }

    /// The update date as a part of a key, and what came for it if it could not be read.
    pub(crate) fn key_date(&self) -> Value {
        key::date(self, self.updated_date, "updatedDate")
    }
}

open_enum! {
    /// The name of a status.
    ///
    /// Source: [docs/viber-messaging-statuses](https://docs.routee.net/docs/viber-messaging-statuses).
    pub enum StatusName {
        /// `QUEUED`: could not be delivered; being resent.
        Queued = "QUEUED",
        /// `DELIVERED`: delivered.
        Delivered = "DELIVERED",
        /// `SEEN`: delivered and read by the recipient.
        Seen = "SEEN",
        /// `UNDELIVERED`: cannot be delivered.
        Undelivered = "UNDELIVERED",
        /// `EXPIRED`: could not be delivered within its time span.
        ///
        /// A message sent with the failover option `expireOnDelivery` also becomes expired when it was
        /// delivered and its TTL passes before it is seen
        /// ([docs/failover-callbacks](https://docs.routee.net/docs/failover-callbacks)).
        Expired = "EXPIRED",
        /// `FAILED`: not accepted by the platform.
        Failed = "FAILED",
        /// `UNSENT`: not sent, insufficient balance.
        Unsent = "UNSENT",
    }
}

impl Required for StatusName {}

/// Why a message has its status.
///
/// On the wire it is the object `status.reason` of [docs/viber-callback](https://docs.routee.net/docs/viber-callback).
/// If a status has a bare string in its place, that is read as the detailed status (inferred).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reason {
    /// `detailedStatus`, the reason as one of a list of names.
    pub detailed_status: Option<DetailedStatus>,
    /// `description`, the reason in a sentence.
    pub description: Option<String>,
    /// The unknown fields of `reason`, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    Reason {
        fn of_text(text: &str) -> Option<Self> {
            Some(Self { detailed_status: Some(DetailedStatus::from(text)), ..Self::default() })
        }
    }
    "detailedStatus" => detailed_status,
    "description" => description,
}

open_enum! {
    /// The reason for a status, as one of a list of names.
    ///
    /// Source: [docs/viber-messaging-statuses](https://docs.routee.net/docs/viber-messaging-statuses), which lists the
    /// names and what they mean.
    pub enum DetailedStatus {
        /// `Not Viber User`: the recipient is not a Viber user.
        NotViberUser = "Not Viber User",
        /// `Opted Out`: the recipient has opted out.
        OptedOut = "Opted Out",
        /// `System Failure`: destination network error, generic failure.
        SystemFailure = "System Failure",
        /// `Message Rejected`: Viber rejected the message because of incorrect parameters.
        MessageRejected = "Message Rejected",
        /// `Timed Out`: a network node on the way, or inside the destination operator, did not respond in time.
        TimedOut = "Timed Out",
        /// `Unsupported Equipment`: the handset cannot receive Viber messages.
        UnsupportedEquipment = "Unsupported Equipment",
        /// `TTL Expired`: the TTL expired; the message could not be delivered.
        TtlExpired = "TTL Expired",
        /// `Delivered`: on no list, but in the example of
        /// [docs/failover-callbacks](https://docs.routee.net/docs/failover-callbacks).
        Delivered = "Delivered",
    }
}
