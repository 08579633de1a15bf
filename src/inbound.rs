//! A reply: what Routee POSTs when the recipient of a Viber message answers it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::callback::Direction;
use crate::key;
use crate::lenient::field::Field as _;
use crate::lenient::model::model;
use crate::lenient::payload::payload;
use crate::lenient::quoting::logged_id;
use crate::lenient::value::Extra;

/// A reply from the recipient, POSTed to the `inboundUrl` of the message.
///
/// Source: [docs/viber-inbound-messages](https://docs.routee.net/docs/viber-inbound-messages). It has no id of its own
/// and no status. Only `from` is required here (inferred).
///
/// ```
/// use routee_viber::{InboundMessage, samples};
///
/// let body = samples::INBOUND;
/// let reply: InboundMessage = body.parse()?;
/// assert_eq!(reply.from, "+306900000001");
/// assert_eq!(
///     reply.message.as_deref(),
///     Some("This is the body of the inbound message")
/// );
/// assert_eq!(
///     reply.reference_tracking_id.as_deref(),
///     Some("dcfa62e1-13af-459a-a6ca-f15727a0b830"),
/// );
/// # Ok::<(), routee_viber::CallbackError>(())
/// ```
///
/// # serde
///
/// As for [`ViberCallback`](crate::ViberCallback#serde). It fails only without a readable `from`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InboundMessage {
    /// `from`, the number of the person who replies. It is the `to` of the message that it replies to, but either may come
    /// with or without a `+` (inferred). Never empty in a reply that was read.
    pub from: String,
    /// `to`, your sender id.
    pub to: Option<String>,
    /// `message`, the text of the reply.
    pub message: Option<String>,
    /// `campaignName`, the name of the campaign.
    pub campaign_name: Option<String>,
    /// `campaignTrackingId`, the tracking id of the campaign.
    pub campaign_tracking_id: Option<String>,
    /// `referenceTrackingId`, the tracking id of the message that it replies to.
    pub reference_tracking_id: Option<String>,
    /// `media`, the address of a picture or file.
    pub media: Option<String>,
    /// `filename`, the name of the file; the page's table writes `fileName`.
    pub file_name: Option<String>,
    /// `label`, the label of the campaign.
    pub label: Option<String>,
    /// `sentDate`, when the reply was sent.
    pub sent_date: Option<DateTime<Utc>>,
    /// `direction`: [`Direction::Inbound`].
    pub direction: Option<Direction>,
    /// The unknown fields of the body, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    InboundMessage
    "from" => from required,
    "to" => to,
    "message" => message,
    "campaignName" => campaign_name,
    "campaignTrackingId" => campaign_tracking_id,
    "referenceTrackingId" => reference_tracking_id,
    "media" => media,
    "filename" => file_name,
    "label" => label,
    "sentDate" => sent_date,
    "direction" => direction,
}

payload! {
    InboundMessage

    /// Reads the bytes of a request's body, as [`ViberCallback::from_slice`](crate::ViberCallback::from_slice) does.
    from_slice

    /// What was not understood in this reply, as
    /// [`ViberCallback::anomalies`](crate::ViberCallback::anomalies).
    anomalies

    /// Everything that is in `extra`, with its path.
    extras
}

impl InboundMessage {
    /// A reply from that number, and nothing else. Only one with a `message` or `media`, and with the `direction`
    /// `Inbound`, a `sent_date` or a `reference_tracking_id`, is one to [`Incoming`](crate::Incoming).
    #[must_use]
    pub fn new(from: impl Into<String>) -> Self {
        Self { from: from.into(), ..Self::blank() }
    }

    /// A key that is equal for every delivery of one reply.
    ///
    /// A reply has no id, so the key is a JSON array of all that makes it another one: `referenceTrackingId`, `from`, `to`,
    /// `sentDate`, `message` and `media`, each as it came if it could not be read, `null` if it is absent. So "no" and
    /// "STOP" of one second are two replies, and so are three pictures of one album. Only two replies of one second with
    /// the same text cannot be told apart, and texts whose bytes were no UTF-8 may have become the same. Inferred.
    ///
    /// **It holds a phone number and the text**: treat it as you treat those. It is as long as they are, so store a digest
    /// (such as SHA-256) where an index takes less.
    ///
    /// ```
    /// use routee_viber::{InboundMessage, samples};
    ///
    /// let body = samples::INBOUND;
    /// let reply: InboundMessage = body.parse()?;
    /// assert_eq!(
    ///     reply.idempotency_key(),
    ///     [
    ///         r#"["dcfa62e1-13af-459a-a6ca-f15727a0b830""#,
    ///         r#""+306900000001""#,
    ///         r#""your_sender_id""#,
    ///         r#""2017-08-11T12:36:45.393Z""#,
    ///         r#""This is the body of the inbound message""#,
    ///         r#""https://example.com/reply.jpg"]"#,
    ///     ]
    ///     .join(","),
    /// );
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        Value::from(vec![
            key::text(self, self.reference_tracking_id.as_ref(), "referenceTrackingId"),
            Value::from(self.from.as_str()),
            key::text(self, self.to.as_ref(), "to"),
            key::date(self, self.sent_date, "sentDate"),
            key::text(self, self.message.as_ref(), "message"),
            key::text(self, self.media.as_ref(), "media"),
        ])
        .to_string()
    }
}

/// One line for logs with no personal data: the id of the message that it replies to, and the date.
///
/// ```
/// use routee_viber::{InboundMessage, samples};
///
/// let body = samples::INBOUND;
/// let reply: InboundMessage = body.parse()?;
/// assert_eq!(
///     reply.to_string(),
///     "reply to dcfa62e1-13af-459a-a6ca-f15727a0b830 \
///      at 2017-08-11T12:36:45.393Z",
/// );
/// # Ok::<(), routee_viber::CallbackError>(())
/// ```
impl fmt::Display for InboundMessage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("reply")?;
        if let Some(id) = &self.reference_tracking_id {
            write!(f, " to {}", logged_id(id))?;
        }
        self.sent_date.map_or(Ok(()), |date| write!(f, " at {date:?}"))
    }
}
