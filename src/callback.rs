//! The callback: the whole body that Routee POSTs.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::lenient::{self, Object as _, object};
use crate::open_enum::open_enum;
use crate::{Anomaly, Body, CallbackError, Extra, Status, StatusName, Ttl};

/// What Routee POSTs each time the status of a Viber message changes.
///
/// Source: Routee's page `docs/viber-callback`. Everything but the tracking id and the status name is
/// optional here, although the page does not say which fields may be missing (inferred).
///
/// # serde
///
/// Deserialized leniently, see [the crate docs](crate#what-is-lenient). Serialized with the documented
/// keys, absent fields left out and `extra` written back, at every level; where a field and an entry of
/// `extra` have one name, the field is written. What was read reads back equal. What you fill in does too,
/// but for what no body can hold: `Some` of an empty string, an empty tracking id or status name, a number
/// that is not finite (JSON has `null` for it), a date outside the years 0 to 9999.
///
/// One element that cannot be read fails a whole `Vec<ViberCallback>`; read a `Vec<Value>` first where
/// the others are to be kept.
///
/// ```
/// use routee_viber::{StatusName, ViberCallback};
///
/// let mut callback = ViberCallback::new("0a047b46", StatusName::Seen);
/// callback.label = Some("spring".to_owned());
///
/// let json = serde_json::to_string(&callback)?;
/// assert_eq!(json, r#"{"trackingId":"0a047b46","status":{"name":"SEEN"},"label":"spring"}"#);
/// assert_eq!(json.parse::<ViberCallback>()?, callback);
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
    /// `groups`, all contact groups (tags) that the contact belongs to; empty where there are none.
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
    /// What came in the body and has no field here, or a value that its field cannot take.
    pub extra: Extra,
}

object! {
    ViberCallback at "" {
        fn blank() -> Self {
            Self::new("", StatusName::blank())
        }

        fn missing(&self) -> Option<&'static str> {
            if self.tracking_id.is_empty() { Some("trackingId") } else { self.status.missing() }
        }
    }
    "trackingId" => tracking_id,
    "campaignTrackingId" => campaign_tracking_id,
    "to" => to,
    "from" => from,
    "groups" => groups,
    "country" => country,
    "status" => status,
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

impl ViberCallback {
    /// A callback with that tracking id and status, and nothing else.
    #[must_use]
    pub fn new(tracking_id: impl Into<String>, status_name: StatusName) -> Self {
        Self {
            tracking_id: tracking_id.into(),
            campaign_tracking_id: None,
            to: None,
            from: None,
            groups: Vec::new(),
            country: None,
            status: Status::new(status_name),
            body: None,
            ttl: None,
            label: None,
            inbound_url: None,
            application_name: None,
            price: None,
            direction: None,
            originating_service: None,
            created_at: None,
            extra: Extra::new(),
        }
    }

    /// Reads the bytes of a request's body: the fastest way in, and the most forgiving one.
    ///
    /// It reads what `Deserialize` reads, and besides it skips a byte-order mark, and takes bytes that
    /// are not UTF-8 and lone surrogate escapes (what is left of an emoji cut in half) as U+FFFD.
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let bytes = b"\xef\xbb\xbf{\"trackingId\": \"1\", \"status\": \"SEEN\", \"label\": \"caf\xe9 \\ud83d\"}";
    /// let callback = ViberCallback::from_slice(bytes)?;
    /// assert_eq!(callback.label.as_deref(), Some("caf\u{fffd} \u{fffd}"));
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`CallbackError`]. Line and column are those of the text without the mark, each U+FFFD that
    /// stands for broken bytes counted as the three bytes that it has.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, CallbackError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        };
        let mut callback = Self::blank();
        let Err(error) = lenient::read_json(&mut callback, &text) else {
            return Ok(callback);
        };
        match without_lone_surrogates(&text) {
            Some(text) => serde_json::from_str(&text),
            None => Err(error),
        }
        .map_err(CallbackError::new)
    }

    /// When the message expires: `created_at` plus `ttl`, or plus 14 days where no TTL was sent.
    ///
    /// None where `createdAt` is missing, or where it or the TTL could not be read. That the TTL counts
    /// from `createdAt` is inferred.
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let body = r#"{"trackingId": "1", "status": "QUEUED", "ttl": 3600, "createdAt": "2019-07-05T10:28:49Z"}"#;
    /// let callback: ViberCallback = body.parse()?;
    /// assert_eq!(callback.expires_at(), Some("2019-07-05T11:28:49Z".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        if lenient::unread(self, "ttl").is_some() {
            return None;
        }
        let ttl = self.ttl.unwrap_or_default();
        self.created_at?.checked_add_signed(TimeDelta::seconds(ttl.as_secs().into()))
    }

    /// A key that is equal for every delivery of one status change, and different for every other.
    ///
    /// The format is part of the public contract: a JSON array of the tracking id, the name of the
    /// status, and `updatedDate` in RFC 3339 (as it came where it could not be read, `null` where there
    /// was none). It is unambiguous whatever the id holds, and fits a unique column.
    ///
    /// Routee documents no delivery id; that these three make one status change is inferred. Without
    /// `updatedDate` two equal statuses of one message cannot be told apart. Keep keys for longer than
    /// [`LONGEST_RETRY_SPAN`](crate::LONGEST_RETRY_SPAN).
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let body = r#"{"trackingId": "0a047b46", "status": {"name": "SEEN", "updatedDate": "2019-07-05T10:28:44.996Z"}}"#;
    /// let callback: ViberCallback = body.parse()?;
    /// assert_eq!(callback.idempotency_key(), r#"["0a047b46","SEEN","2019-07-05T10:28:44.996Z"]"#);
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let date = match self.status.updated_date {
            Some(date) => Value::from(format!("{date:?}")),
            None => self.status.unread_date().cloned().unwrap_or_default(),
        };
        Value::from(vec![Value::from(self.tracking_id.as_str()), Value::from(self.status.name.as_str()), date])
            .to_string()
    }

    /// What in this callback is not understood: each undocumented field, unreadable value and
    /// unrecognized name, at every level, sorted by path. A body of the documented shape has none.
    ///
    /// Count them in production, and assert in a test of captured bodies that there are none, to notice
    /// when Routee changes something:
    ///
    /// ```
    /// use routee_viber::ViberCallback;
    ///
    /// let body = r#"{"trackingId": "1", "status": {"name": "Sent"}, "ttl": 10, "carrier": "A"}"#;
    /// let callback: ViberCallback = body.parse()?;
    ///
    /// // In production: one counter per path and kind.
    /// for anomaly in callback.anomalies() {
    ///     println!("{anomaly}");
    /// }
    ///
    /// // In a drift test: `assert_eq!(callback.anomalies(), [])`, which here would fail with these.
    /// let sentences: Vec<_> = callback.anomalies().iter().map(ToString::to_string).collect();
    /// assert_eq!(sentences, [
    ///     "`carrier` is not documented",
    ///     "`status.name` has a name that is not known",
    ///     "`ttl` has a value that could not be read",
    /// ]);
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    #[must_use]
    pub fn anomalies(&self) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        lenient::report(self, &mut anomalies);
        anomalies.sort_unstable();
        anomalies
    }
}

/// Reads the text of a body, as [`ViberCallback::from_slice`] does.
impl FromStr for ViberCallback {
    type Err = CallbackError;

    fn from_str(text: &str) -> Result<Self, CallbackError> {
        Self::from_slice(text.as_bytes())
    }
}

/// One line for logs: tracking id, status, detailed status and date. It has nothing of the fields with
/// phone numbers, texts, labels or URLs, and what came from outside is escaped, so that it cannot forge a
/// second line.
///
/// ```
/// use routee_viber::ViberCallback;
///
/// let body = include_str!("../tests/fixtures/documented-shape.json");
/// let callback: ViberCallback = body.parse()?;
/// assert_eq!(
///     callback.to_string(),
///     "0a047b46-a4dd-4ca8-b817-a6a134dd1234 UNDELIVERED (Not Viber User) at 2019-07-05T10:28:44.996Z",
/// );
/// # Ok::<(), routee_viber::CallbackError>(())
/// ```
impl fmt::Display for ViberCallback {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Status { name, reason, updated_date, .. } = &self.status;
        write!(f, "{} {}", self.tracking_id.escape_debug(), name.as_str().escape_debug())?;
        if let Some(detailed) = reason.as_ref().and_then(|reason| reason.detailed_status.as_ref()) {
            write!(f, " ({})", detailed.as_str().escape_debug())?;
        }
        if let Some(date) = updated_date {
            write!(f, " at {date:?}")?;
        }
        Ok(())
    }
}

open_enum! {
    /// The direction of a message.
    ///
    /// Source: Routee's page `docs/viber-callback`.
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
    /// Routee's page `docs/viber-callback` shows `Viber` alone; the other names are inferred.
    pub enum OriginatingService {
        /// `Viber`.
        Viber = "Viber",
        /// `Sms` (inferred).
        Sms = "Sms",
        /// `Failover` (inferred).
        Failover = "Failover",
    }
}

/// Replaces `\u` escapes of half a surrogate pair; `None` where there are none.
fn without_lone_surrogates(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        at += match (escaped_unit(text, at), escaped_unit(text, at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str(text.get(copied..at)?);
                mended.push_str("\\ufffd");
                copied = at + 6;
                6
            }
            _ => 2,
        };
    }
    mended.push_str(text.get(copied..)?);
    (copied > 0).then_some(mended)
}

/// The UTF-16 unit that is written as `\uXXXX` at that place.
fn escaped_unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at.checked_add(6)?)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}
