//! The callback: the whole body that Routee POSTs.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::body::Body;
use crate::kind::BodyKind;
use crate::lenient::field::Field as _;
use crate::lenient::model::model;
use crate::lenient::open_enum::open_enum;
use crate::lenient::payload::payload;
use crate::lenient::quoting::{logged_id, logged_name};
use crate::lenient::reading::Reading;
use crate::lenient::report;
use crate::lenient::scalar::Scalar as _;
use crate::lenient::value::Extra;
use crate::marks::{Mark, Marks, StatusIs, is_mark};
use crate::progress::Stage;
use crate::retry::LONGEST_RETRY_SPAN;
use crate::status::{Status, StatusName};
use crate::ttl::Ttl;

/// What Routee POSTs each time the status of a Viber message changes.
///
/// Source: [docs/viber-callback](https://docs.routee.net/docs/viber-callback). Everything but the tracking id and the
/// status name is optional here, although the page does not say which fields may be missing (inferred).
///
/// # serde
///
/// Deserialized leniently, see [the crate docs](crate#what-is-lenient). Serialized with the documented keys, absent
/// fields left out and `extra` written back, at every level; if a field and an entry of `extra` have the same name, the
/// field is written. A callback that was read, written and read again is equal to the first. So is one that you fill
/// in, except for values that JSON cannot represent or a body cannot hold: `Some` of an empty string, an empty tracking
/// id or status name, a number that is not finite (it is written as `null`), a date outside the years 0 to 9999, a leap
/// second at another time than 23:59:60, a readable value in `extra` under the name of a field (it is read into the
/// field), more than 1000 steps of a flow, an `extra` with the marks of another kind of body.
///
/// One element that cannot be read fails a whole `Vec<ViberCallback>`; read a `Vec<Value>` first to keep the others.
///
/// # Taking something out
///
/// To take a value out of a callback, such as a phone number before it is stored, clear the field *and* what `extra`
/// may hold of it: its other spellings, and a value that could not be read.
///
/// Fields that may hold personal data are `to`, `groups`, `body`, `label`, `inbound_url`, `status.reason`, and every
/// `extra`. The simplest safe way is to start from [`ViberCallback::new`] and copy what you keep. Compute
/// [`idempotency_key`](Self::idempotency_key), [`rank`](Status::rank) and [`expires_at`](Self::expires_at) first, since
/// they use what `extra` holds: a date that could not be read is part of a key and of a rank, as it came. In a reply,
/// `from`, `to`, `message`, `media`, `file_name`, `label`, `extra` and the idempotency key may hold personal data; in a
/// step of a failover flow, `to`, `label`, `inbound_url`, `body`, `status.reason` and every `extra`. A flow's key and rank
/// hold what could not be read of its ids, statuses and dates, and of `messages`.
///
/// ```
/// use routee_viber::ViberCallback;
///
/// let body = r#"{
///   "trackingId": "1",
///   "status": {"name": "SEEN"},
///   "to": "+306900000001",
///   "TO": "+306900000001"
/// }"#;
/// let mut callback: ViberCallback = body.parse()?;
/// callback.to = None;
/// callback.extra.retain(|key, _| !key.eq_ignore_ascii_case("to"));
/// let written = serde_json::to_string(&callback)?;
/// assert!(!written.contains("+306900000001"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Summing prices
///
/// `price` is an `f64`, because Routee's page says double. Sum in a decimal type, made of `price.to_string()`: that is the
/// number that was sent, without the zeros at its end (`0.00600000` gives `0.006`).
///
/// # In tests
///
/// The shortest way to any callback is JSON, which your handler takes as bytes:
///
/// ```
/// use routee_viber::{StatusName, ViberCallback};
///
/// let json = r#"{"trackingId": "1", "status": "SEEN"}"#;
/// assert_eq!(
///     ViberCallback::from_slice(json.as_bytes())?,
///     ViberCallback::new("1", StatusName::Seen),
/// );
/// # Ok::<(), routee_viber::CallbackError>(())
/// ```
///
/// If values come from variables, use `serde_json::from_value(json!({…}))`, or start from
/// [`new`](ViberCallback::new), fill in fields, and write the result with `serde_json::to_vec`:
///
/// ```
/// use routee_viber::{StatusName, ViberCallback};
///
/// let id = "0a047b46";
/// let mut callback = ViberCallback::new(id, StatusName::Seen);
/// callback.label = Some("spring".to_owned());
///
/// let body = serde_json::to_vec(&callback)?;
/// let read = ViberCallback::from_slice(&body)?;
/// assert_eq!(read, callback);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ViberCallback {
    /// `trackingId`, the tracking id of the Viber message. Never empty in a callback that was read.
    pub tracking_id: String,
    /// `campaignTrackingId`, the tracking id of the campaign; a message sent alone has none (inferred).
    pub campaign_tracking_id: Option<String>,
    /// `to`, the recipient's number: E.164 with `+`, though public samples also lack the `+`.
    pub to: Option<String>,
    /// `from`, the sender id.
    pub from: Option<String>,
    /// `groups`, all contact groups (tags) that the contact belongs to; empty if there are none.
    pub groups: Vec<String>,
    /// `country`, the recipient's (inferred); samples show both a code (`GR`) and a name (`Iraq`).
    pub country: Option<String>,
    /// `status`, what became of the message.
    pub status: Status,
    /// `body`, the content of the message.
    pub body: Option<Body>,
    /// `ttl`, the time to live of the message in seconds.
    pub ttl: Option<Ttl>,
    /// `label`, a free tag; at most 350 characters when sent.
    pub label: Option<String>,
    /// `inboundUrl`, where the recipient's replies are POSTed.
    pub inbound_url: Option<String>,
    /// `applicationName`, the name of the application.
    pub application_name: Option<String>,
    /// `price`, the cost of the message; the page names no currency.
    pub price: Option<f64>,
    /// `direction`, the direction of the message.
    pub direction: Option<Direction>,
    /// `originatingService`, the service that the message came from (inferred from the name).
    pub originating_service: Option<OriginatingService>,
    /// `createdAt`, when the message was created (inferred from the name).
    pub created_at: Option<DateTime<Utc>>,
    /// The unknown fields of the body, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    ViberCallback {
        fn other_kind(&self, reading: &Reading) -> Option<BodyKind> {
            // A reply gets the error that `trackingId` is missing, not that it is of another kind.
            self.kind_by_extras(reading).filter(|kind| *kind != BodyKind::Inbound)
        }

        fn may_be_of_other_kind(key: &str) -> bool {
            is_mark(key)
        }
    }
    "trackingId" => tracking_id required,
    "campaignTrackingId" => campaign_tracking_id,
    "to" => to,
    "from" => from,
    "groups" => groups,
    "country" => country,
    "status" => status required,
    "body" => body,
    "ttl" => ttl,
    "label" => label,
    "inboundUrl" => inbound_url,
    "applicationName" => application_name,
    "price" => price,
    "direction" => direction,
    "originatingService" => originating_service,
    "createdAt" => created_at,
}

payload! {
    ViberCallback

    /// Reads the bytes of a request's body: the fastest way in, and the most forgiving one.
    ///
    /// It reads what `Deserialize` reads. It also skips a byte-order mark, and takes bytes that are not UTF-8 and lone
    /// surrogate escapes (what is left of an emoji cut in half) as U+FFFD.
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let bytes = b"\xef\xbb\xbf{
    ///   \"trackingId\": \"1\",
    ///   \"status\": \"SEEN\",
    ///   \"label\": \"caf\xe9 \\ud83d\"
    /// }";
    /// let callback = ViberCallback::from_slice(bytes)?;
    /// let label = Some("caf\u{fffd} \u{fffd}");
    /// assert_eq!(callback.label.as_deref(), label);
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    from_slice

    /// What was not understood in this callback: each unknown field, unreadable value and unrecognized name, at every
    /// level, sorted by path. A body of the documented shape has none.
    ///
    /// Count them in production, and assert in a test of captured bodies that there are none, to notice when Routee
    /// changes something:
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let body = r#"{
    ///   "trackingId": "1",
    ///   "status": {"name": "Sent"},
    ///   "ttl": 10,
    ///   "carrier": "A"
    /// }"#;
    /// let callback: ViberCallback = body.parse()?;
    /// let anomalies = callback.anomalies();
    ///
    /// // In production, have one counter per kind. Log
    /// // the path, but do not label a metric with it:
    /// // it ends in a key of the body.
    /// let first = &anomalies[0];
    /// assert_eq!(first.kind.as_str(), "unknown_field");
    /// assert_eq!(first.path, "carrier");
    ///
    /// // In a test, `assert_eq!(callback.anomalies(), [])`
    /// // would fail here and show these.
    /// let all: Vec<_> =
    ///     anomalies.iter().map(|it| it.to_string()).collect();
    /// assert_eq!(all, [
    ///     "`carrier` is not a known field",
    ///     "`status.name` has an unrecognized name",
    ///     "`ttl` has a value that could not be read",
    /// ]);
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    anomalies

    /// Everything that is in an `extra`, at every level, with its path as in [`Anomaly::path`](crate::Anomaly::path).
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let body = r#"{
    ///   "trackingId": "1",
    ///   "status": {"name": "SEEN", "hop": 3}
    /// }"#;
    /// let callback: ViberCallback = body.parse()?;
    /// let mut extras = callback.extras();
    /// let (path, value) = extras.next().unwrap();
    /// assert_eq!(path, "status.hop");
    /// assert_eq!(value, 3);
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    extras
}

impl ViberCallback {
    /// A callback with that tracking id and status, and nothing else.
    #[must_use]
    pub fn new(tracking_id: impl Into<String>, status_name: StatusName) -> Self {
        Self { tracking_id: tracking_id.into(), status: Status::new(status_name), ..Self::blank() }
    }

    /// When the message expires: `created_at` plus `ttl`, or plus 14 days if no TTL was sent.
    ///
    /// `None` if `createdAt` is missing, or if it or the TTL could not be read. That the TTL counts from `createdAt` is
    /// inferred.
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let body = r#"{
    ///   "trackingId": "1",
    ///   "status": {"name": "QUEUED"},
    ///   "ttl": 3600,
    ///   "createdAt": "2019-07-05T10:28:49Z"
    /// }"#;
    /// let callback: ViberCallback = body.parse()?;
    /// assert_eq!(callback.expires_at(), Some("2019-07-05T11:28:49Z".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        if report::unread(self, "ttl").is_some() {
            return None;
        }
        let ttl = self.ttl.unwrap_or_default();
        self.created_at?.checked_add_signed(TimeDelta::seconds(ttl.as_secs().into()))
    }

    /// When a message that is still pending is overdue: `expires_at` plus [`LONGEST_RETRY_SPAN`].
    ///
    /// If it is pending even then, you have missed a callback. Ask the tracking API for the message, and read the
    /// answer as a [`TrackedMessage`](crate::TrackedMessage). `None` if the status is not pending, or if
    /// [`expires_at`](Self::expires_at) is `None`. Inferred.
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let body = r#"{
    ///   "trackingId": "1",
    ///   "status": {"name": "QUEUED"},
    ///   "ttl": 3600,
    ///   "createdAt": "2019-07-05T10:28:49Z"
    /// }"#;
    /// let callback: ViberCallback = body.parse()?;
    /// assert_eq!(callback.overdue_at(), Some("2019-07-07T03:32:19Z".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn overdue_at(&self) -> Option<DateTime<Utc>> {
        let is_pending = self.status.name.stage() == Some(Stage::Pending);
        let expires_at = self.expires_at().filter(|_| is_pending)?;
        expires_at.checked_add_signed(TimeDelta::from_std(LONGEST_RETRY_SPAN).ok()?)
    }

    /// A key that is equal for every delivery of one status change, and different for every other.
    ///
    /// The format is part of the public contract: a JSON array of the tracking id, the name of the status, and
    /// `updatedDate` in RFC 3339 (as it came if it could not be read, `null` if there was none). It is unambiguous
    /// whatever the id holds.
    ///
    /// It is as long as these are: about 80 bytes, but an id, a name or an unreadable date may have any length. Store a
    /// digest (such as SHA-256) where an index takes less.
    ///
    /// Routee documents no delivery id; that these three identify a status change is inferred. It has two limits.
    /// Without `updatedDate`, two equal statuses of one message cannot be told apart. And two deliveries that differ
    /// only in the reason have the same key: a reason that comes later, with the same name and date, is taken for a
    /// retry, unless you also compare the bodies. Keep keys for longer than [`LONGEST_RETRY_SPAN`].
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let body = r#"{
    ///   "trackingId": "1",
    ///   "status": {
    ///     "name": "SEEN",
    ///     "updatedDate": "2019-07-05T10:28:44.996Z"
    ///   }
    /// }"#;
    /// let callback: ViberCallback = body.parse()?;
    /// assert_eq!(
    ///     callback.idempotency_key(),
    ///     r#"["1","SEEN","2019-07-05T10:28:44.996Z"]"#,
    /// );
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let id = Value::from(self.tracking_id.as_str());
        let name = Value::from(self.status.name.as_str());
        Value::from(vec![id, name, self.status.key_date()]).to_string()
    }
}

impl ViberCallback {
    /// Which kind of body this is, if its marks say so, judged by what is not understood in it.
    pub(crate) fn kind_by_extras(&self, reading: &Reading) -> Option<BodyKind> {
        let is_text = reading.has_bare_text();
        if self.extra.is_empty() && self.status.extra.is_empty() && !is_text {
            return None;
        }
        let mut marks = Marks::of(&self.extra);
        marks.add_field(Mark::TrackingId, !self.tracking_id.is_absent());
        marks.add_field(Mark::From, self.from.is_some());
        marks.add_field(Mark::To, self.to.is_some());
        marks.add_field(Mark::Body, self.body.is_some());
        marks.add_name(Mark::OriginatingService, self.originating_service.as_ref().map(OriginatingService::as_str));
        marks.add_name(Mark::Direction, self.direction.as_ref().map(Direction::as_str));
        let inner = self.status.extra.iter().map(|(key, value)| (key.as_str(), value));
        if self.status.is_absent() {
            // What is left of an object without a name, which is kept as an empty one.
            if self.extra.get("status").is_some_and(Value::is_object) {
                marks.set_status(StatusIs::Unnamed, inner);
            }
        } else {
            marks.set_status(if is_text { StatusIs::Text } else { StatusIs::Named }, inner);
        }
        marks.kind()
    }
}

/// One line for logs: tracking id, status, detailed status and date.
///
/// It leaves out every field that may hold a phone number, a text, a label or a URL, and a detailed status that is
/// unrecognized. An unrecognized name is shown only if it is at most 32 ASCII letters, spaces, `_` and `-`, and as `?`
/// otherwise. An id of more than 64 characters is cut, and one with a space, a quote, a comma, a bracket or a character
/// that does not print is quoted and escaped, so that nothing can forge a line or a status.
///
/// ```
/// use routee_viber::ViberCallback;
///
/// let body = routee_viber::samples::STATUS;
/// let callback: ViberCallback = body.parse()?;
/// assert_eq!(
///     callback.to_string(),
///     "0a047b46-a4dd-4ca8-b817-a6a134dd1234 \
///      UNDELIVERED (Not Viber User) \
///      at 2019-07-05T10:28:44.996Z",
/// );
/// # Ok::<(), routee_viber::CallbackError>(())
/// ```
impl fmt::Display for ViberCallback {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", logged_id(&self.tracking_id), logged_name(&self.status.name))?;
        if let Some(detailed) = self.status.detailed_status().filter(|name| !name.is_unrecognized()) {
            write!(f, " ({detailed})")?;
        }
        self.status.updated_date.map_or(Ok(()), |date| write!(f, " at {date:?}"))
    }
}

open_enum! {
    /// The direction of a message.
    ///
    /// Source: [docs/viber-callback](https://docs.routee.net/docs/viber-callback).
    pub enum Direction {
        /// `Outbound`: from the sender to the recipient (inferred from the word).
        Outbound = "Outbound",
        /// `Inbound`: from the recipient (inferred from the word).
        Inbound = "Inbound",
    }
}

open_enum! {
    /// The service that a message came from (inferred from the name).
    ///
    /// Sources: [docs/viber-callback](https://docs.routee.net/docs/viber-callback) for `Viber`,
    /// [docs/failover-callbacks](https://docs.routee.net/docs/failover-callbacks) for `Failover`; Routee's SMS
    /// callbacks for `Sms`.
    pub enum OriginatingService {
        /// `Viber`.
        Viber = "Viber",
        /// `Sms`.
        Sms = "Sms",
        /// `Failover`; another page writes `failover`.
        Failover = "Failover",
    }
}
