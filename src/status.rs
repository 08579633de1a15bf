//! The status of a message: its name, and why.

use chrono::{DateTime, Utc};

use crate::Extra;
use crate::lenient::{Object as _, object, slot};
use crate::open_enum::{Unrecognized, open_enum};

/// The status of a message, as a callback tells it.
///
/// On the wire it is the object `status` of `docs/viber-callback`. A bare string there is read as the name
/// (inferred).
///
/// # serde
///
/// Deserialized leniently, see [the crate docs](crate#what-is-lenient): it fails only without a readable
/// `name`. Serialized with the documented keys, absent fields left out and `extra` written back.
///
/// ```
/// use routee_viber::{DetailedStatus, Reason, Status, StatusName};
///
/// let mut status = Status::new(StatusName::Undelivered);
/// let mut reason = Reason::default();
/// reason.detailed_status = Some(DetailedStatus::NotViberUser);
/// status.reason = Some(reason);
///
/// let json = r#"{"name":"UNDELIVERED","reason":{"detailedStatus":"Not Viber User"}}"#;
/// assert_eq!(serde_json::to_string(&status)?, json);
/// assert_eq!(serde_json::from_str::<Status>(json)?, status);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// `name`, the name of the status; also read from `status`. The one required field.
    pub name: StatusName,
    /// `reason`, why the message has this status.
    pub reason: Option<Reason>,
    /// `updatedDate`, when the status last changed; also read from `date`.
    pub updated_date: Option<DateTime<Utc>>,
    /// What came in `status` and has no field here, or a value that its field cannot take.
    pub extra: Extra,
}

object! {
    Status at "status" {
        fn blank() -> Self {
            Self::new(StatusName::blank())
        }

        fn from_bare_text(text: &str) -> Option<Self> {
            Some(Self::new(StatusName::from(text)))
        }

        fn missing(&self) -> Option<&'static str> {
            self.name.as_str().is_empty().then_some("status.name")
        }
    }
    "name" | "status" => name,
    "reason" => reason,
    "updatedDate" | "date" => updated_date,
}

slot!(Status, Status::blank());
slot!(StatusName, StatusName::blank());

impl Status {
    /// A status with that name and nothing else.
    #[must_use]
    pub fn new(name: StatusName) -> Self {
        Self { name, reason: None, updated_date: None, extra: Extra::new() }
    }
}

open_enum! {
    /// The name of a status.
    ///
    /// Source: Routee's page `docs/viber-messaging-statuses`.
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
        /// delivered and its TTL passes before it is seen (`docs/failover-callbacks`).
        Expired = "EXPIRED",
        /// `FAILED`: not accepted by the platform.
        Failed = "FAILED",
        /// `UNSENT`: not sent, insufficient balance.
        Unsent = "UNSENT",
    }
}

impl StatusName {
    /// The name that no callback has.
    pub(crate) fn blank() -> Self {
        Self::Other(Unrecognized::new(""))
    }
}

/// Why a message has its status.
///
/// On the wire it is the object `status.reason` of `docs/viber-callback`. A bare string there is read as
/// the detailed status (inferred).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reason {
    /// `detailedStatus`, the reason as one of a list of names.
    pub detailed_status: Option<DetailedStatus>,
    /// `description`, the reason in a sentence.
    pub description: Option<String>,
    /// What came in `reason` and has no field here, or a value that its field cannot take.
    pub extra: Extra,
}

object! {
    Reason at "status.reason" {
        fn blank() -> Self {
            Self::default()
        }

        fn from_bare_text(text: &str) -> Option<Self> {
            Some(Self { detailed_status: Some(DetailedStatus::from(text)), ..Self::default() })
        }
    }
    "detailedStatus" => detailed_status,
    "description" => description,
}

open_enum! {
    /// The reason for a status, as one of a list of names.
    ///
    /// Source: Routee's page `docs/viber-messaging-statuses`, which lists the names and does not explain
    /// them; what they mean here is inferred from the words.
    pub enum DetailedStatus {
        /// `Not Viber User`: the recipient does not use Viber.
        NotViberUser = "Not Viber User",
        /// `Opted Out`: the recipient does not want messages from this sender.
        OptedOut = "Opted Out",
        /// `System Failure`: something failed on the way.
        SystemFailure = "System Failure",
        /// `Message Rejected`: the message was refused.
        MessageRejected = "Message Rejected",
        /// `Timed Out`: no outcome was known in time.
        TimedOut = "Timed Out",
        /// `Unsupported Equipment`: the recipient's device cannot show the message.
        UnsupportedEquipment = "Unsupported Equipment",
        /// `TTL Expired`: the time to live ran out before the message was delivered.
        TtlExpired = "TTL Expired",
        /// `Delivered`: in the example of `docs/failover-callbacks` only.
        Delivered = "Delivered",
    }
}
