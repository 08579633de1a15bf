//! A failover callback: one flow of several steps, such as Viber first and then SMS.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::body::Body;
use crate::callback::OriginatingService;
use crate::key;
use crate::lenient::field::{Field as _, Required};
use crate::lenient::model::model;
use crate::lenient::open_enum::open_enum;
use crate::lenient::payload::payload;
use crate::lenient::quoting::{logged_id, logged_name};
use crate::lenient::report;
use crate::lenient::value::Extra;
use crate::progress::{FlowNewness, Progress, compare};
use crate::retry::LONGEST_RETRY_SPAN;
use crate::status::{Status, StatusName};

/// What Routee POSTs about a failover flow: after each step, or at its end, as the customer chose. The failover tracking
/// API answers with the same.
///
/// Sources: [docs/failover-callbacks](https://docs.routee.net/docs/failover-callbacks) in its older and its newer
/// version, [docs/failover-statuses](https://docs.routee.net/docs/failover-statuses), and
/// [reference/retrieve-failover-trackings](https://docs.routee.net/reference/retrieve-failover-trackings), whose older
/// version has another shape, which is not read. Only `trackingId` and `status` are required here (inferred).
///
/// ```
/// use routee_viber::{Channel, FailoverCallback, FailoverStatus, samples};
///
/// let flow: FailoverCallback = samples::FAILOVER.parse()?;
/// assert_eq!(flow.status, FailoverStatus::Succeeded);
/// assert_eq!(flow.messages.len(), 2);
/// let step = flow.delivered_step().unwrap();
/// assert_eq!(step.channel, Some(Channel::Sms));
/// assert_eq!(step.price, Some(0.036));
/// # Ok::<(), routee_viber::CallbackError>(())
/// ```
///
/// # serde
///
/// As for [`ViberCallback`](crate::ViberCallback#serde). It fails only without a readable `trackingId` or `status`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FailoverCallback {
    /// `trackingId`, the tracking id of the flow. Never empty in a callback that was read.
    pub tracking_id: String,
    /// `status`, what became of the flow: a string, unlike that of a message.
    pub status: FailoverStatus,
    /// `messages`, the steps. One item that is not an object, or more than 1000 of them, leaves the whole list in `extra`.
    pub messages: Vec<FailoverStep>,
    /// `terminationChannel`, the channel that the flow ended on (inferred from the name).
    pub termination_channel: Option<Channel>,
    /// `statusCode`, why the flow failed: `0` server error, `1` insufficient balance, `2` no next step, `3` failover
    /// not triggered. One page has it as a string, another as a number.
    pub status_code: Option<String>,
    /// `applicationId`, the id of the application.
    pub application_id: Option<String>,
    /// `flowKind`: `transactional` for flows made with the transactional call.
    pub flow_kind: Option<String>,
    /// `totalPrice`, the cost of all steps.
    pub total_price: Option<f64>,
    /// `originatingService`: [`OriginatingService::Failover`].
    pub originating_service: Option<OriginatingService>,
    /// `createdAt`, when the flow was created.
    pub created_at: Option<DateTime<Utc>>,
    /// `updatedAt`, when the flow last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// The unknown fields of the body, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    FailoverCallback
    "trackingId" => tracking_id required,
    "status" => status required,
    "messages" => messages,
    "terminationChannel" => termination_channel,
    "statusCode" => status_code,
    "applicationId" => application_id,
    "flowKind" => flow_kind,
    "totalPrice" => total_price,
    "originatingService" => originating_service,
    "createdAt" => created_at,
    "updatedAt" => updated_at,
}

impl Required for FailoverStatus {}

/// One step of a flow: a message on one channel.
///
/// `templateParams` of a transactional flow stays in `extra`: it may hold a PIN.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct FailoverStep {
    /// `type`, the channel.
    pub channel: Option<Channel>,
    /// `order`, the place of the step in the flow.
    pub order: Option<u32>,
    /// `part`, which part of an SMS this is.
    pub part: Option<u32>,
    /// `parts`, how many parts the SMS has.
    pub parts: Option<u32>,
    /// `seq`, in a transactional flow (the pages do not say what it counts).
    pub seq: Option<u32>,
    /// `trackingId`, the tracking id of a Viber message.
    pub tracking_id: Option<String>,
    /// `messageId`, the id of an SMS.
    pub message_id: Option<String>,
    /// `smsId`, another id of an SMS.
    pub sms_id: Option<String>,
    /// `to`, the recipient's number.
    pub to: Option<String>,
    /// `from`, the sender id.
    pub from: Option<String>,
    /// `country`, the recipient's (inferred).
    pub country: Option<String>,
    /// `operator`, the recipient's mobile operator (inferred from the name).
    pub operator: Option<String>,
    /// `label`, a free tag.
    pub label: Option<String>,
    /// `inboundUrl`, where the recipient's replies are POSTed.
    pub inbound_url: Option<String>,
    /// `templateId`, the template of a transactional message.
    pub template_id: Option<String>,
    /// `templateLang`, the language of the template.
    pub template_lang: Option<String>,
    /// `deliveryScope`: `PRIMARY_DEVICE` or `ALL_DEVICES`.
    pub delivery_scope: Option<String>,
    /// `ttl`, in **minutes**: 0.5 to 1440.0 for Viber steps, whole numbers from 1 to 1440 for SMS steps. Any finite
    /// number is read.
    pub ttl_minutes: Option<f64>,
    /// `status`, what became of the message; the same object as in a [`ViberCallback`](crate::ViberCallback).
    pub status: Option<Status>,
    /// `body`, the content; the text of an SMS is a bare string there, or the key `message`.
    pub body: Option<Body>,
    /// `failoverOnStatuses`, the statuses that start the next step.
    pub failover_on_statuses: Vec<StatusName>,
    /// `expireOnDelivery`: if true, a delivered message becomes expired once its TTL passes without it being seen.
    pub expire_on_delivery: Option<bool>,
    /// `expiredOnDeliveryAt`, when that happened (inferred from the name).
    pub expired_on_delivery_at: Option<DateTime<Utc>>,
    /// `createdAt`, when the message was created.
    pub created_at: Option<DateTime<Utc>>,
    /// `price`, the cost of the message.
    pub price: Option<f64>,
    /// `latency`, of an SMS; the pages name no unit.
    pub latency: Option<f64>,
    /// The unknown fields of the step, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    FailoverStep
    "type" => channel,
    "order" => order,
    "part" => part,
    "parts" => parts,
    "seq" => seq,
    "trackingId" => tracking_id,
    "messageId" => message_id,
    "smsId" => sms_id,
    "to" => to,
    "from" => from,
    "country" => country,
    "operator" => operator,
    "label" => label,
    "inboundUrl" => inbound_url,
    "templateId" => template_id,
    "templateLang" => template_lang,
    "deliveryScope" => delivery_scope,
    "ttl" => ttl_minutes,
    "status" => status,
    "body" | "message" => body (text: Body::from_text),
    "failoverOnStatuses" => failover_on_statuses,
    "expireOnDelivery" => expire_on_delivery,
    "expiredOnDeliveryAt" => expired_on_delivery_at,
    "createdAt" => created_at,
    "price" => price,
    "latency" => latency,
}

payload! {
    FailoverCallback

    /// Reads the bytes of a request's body, as [`ViberCallback::from_slice`](crate::ViberCallback::from_slice) does.
    from_slice

    /// What was not understood in this callback, as
    /// [`ViberCallback::anomalies`](crate::ViberCallback::anomalies).
    anomalies

    /// Everything that is in an `extra`, at every level, with its path, such as `messages[0].templateParams`.
    extras
}

impl FailoverCallback {
    /// A callback with that tracking id and status, no steps, and `originatingService` set to
    /// [`OriginatingService::Failover`], so that what it writes is read as a flow.
    #[must_use]
    pub fn new(tracking_id: impl Into<String>, status: FailoverStatus) -> Self {
        let originating_service = Some(OriginatingService::Failover);
        Self { tracking_id: tracking_id.into(), status, originating_service, ..Self::blank() }
    }

    /// The step that reached the recipient: the last one by `order` whose status is a success.
    #[must_use]
    pub fn delivered_step(&self) -> Option<&FailoverStep> {
        let is_success = |step: &&FailoverStep| step.status.as_ref().is_some_and(|status| status.name.is_success());
        self.messages.iter().filter(is_success).max_by_key(|step| step.order)
    }

    /// When a flow that is still queued or in progress is overdue: `created_at` plus the TTLs of its steps plus
    /// [`LONGEST_RETRY_SPAN`].
    ///
    /// If it has not ended even then, you have missed a callback. Ask the failover tracking API for the flow, and read
    /// the answer as a `FailoverCallback`.
    ///
    /// A step begins at the latest once the one before it has expired, so that all of them take no longer than the sum of
    /// their TTLs. A step without one has the documented default: 10 minutes for Viber, 1200 minutes for an SMS. Another
    /// channel has no documented default and counts 1440 minutes, the longest that may be set. A step that has not begun
    /// may not be in the list yet: then the answer says that the flow is still in progress, with the new step.
    ///
    /// `None` if the flow has ended, if `createdAt` is missing, if that, `messages` or a TTL could not be read, if a TTL is
    /// negative, or if the sum is out of range. Inferred.
    ///
    /// ```
    /// use routee_viber::FailoverCallback;
    ///
    /// let body = r#"{
    ///   "trackingId": "1",
    ///   "status": "InProgress",
    ///   "messages": [{"type": "Viber", "ttl": 30}, {"type": "Sms"}],
    ///   "createdAt": "2019-07-05T10:28:49Z"
    /// }"#;
    /// let flow: FailoverCallback = body.parse()?;
    /// assert_eq!(flow.overdue_at(), Some("2019-07-07T23:02:19Z".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn overdue_at(&self) -> Option<DateTime<Utc>> {
        let is_pending = matches!(self.status, FailoverStatus::Queued | FailoverStatus::InProgress);
        if !is_pending || report::unread(self, "messages").is_some() {
            return None;
        }
        let longest = self.messages.iter().try_fold(LONGEST_RETRY_SPAN, |sum, step| sum.checked_add(step.ttl()?))?;
        self.created_at?.checked_add_signed(TimeDelta::from_std(longest).ok()?)
    }

    /// A key that is equal for every delivery of one update of a flow, and different for every other.
    ///
    /// A JSON array of the tracking id, the status and `updatedAt`, and of an array for each step: its `trackingId`,
    /// `messageId`, `smsId`, status name and update date. What could not be read is there as it came, `messages` in an
    /// array of its own; what is absent is `null`. Inferred, with the limits of
    /// [`ViberCallback::idempotency_key`](crate::ViberCallback::idempotency_key). Some 100 bytes, and as many for each
    /// step; store a digest (such as SHA-256) where an index takes less.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let (id, status) = (Value::from(self.tracking_id.as_str()), Value::from(self.status.as_str()));
        let mut key = vec![id, status, key::date(self, self.updated_at, "updatedAt")];
        key.extend(self.messages.iter().map(FailoverStep::key));
        // In a list of its own, which no step is.
        key.extend(key::unread(self, "messages").map(|messages| Value::from(vec![messages])));
        Value::from(key).to_string()
    }

    /// How this incoming update relates to the `stored` one of the same flow.
    ///
    /// Equal keys are a [`Duplicate`](Progress::Duplicate). Otherwise the two are compared part by part, and the greater
    /// one is newer:
    ///
    /// 1. whether the flow has ended (a flow with an unrecognized status counts as ended);
    /// 2. `updatedAt`: a missing or unreadable one is older than any other, and of two dates the later one is newer;
    /// 3. `Queued` before `InProgress`;
    /// 4. how many steps there are, none if `messages` could not be read;
    /// 5. the statuses of the steps in the order of the list, each as [`Status::progress_from`] compares them, a step
    ///    without a status before one with any;
    /// 6. the key, as a string, so that the order of arrival does not matter.
    ///
    /// All of this is inferred.
    #[must_use]
    pub fn progress_from(&self, stored: &Self) -> Progress {
        compare(&self.newness(), &stored.newness())
    }

    /// A text that is greater for a newer update, in every collation, as [`Status::rank`]. It has twice the bytes of the
    /// key, and some 60 for each step.
    ///
    /// If a collation compares digits as numbers or two letters as one, texts that differ in the key alone may compare in
    /// another order, too.
    #[must_use]
    pub fn rank(&self) -> String {
        self.newness().to_string()
    }

    fn newness(&self) -> FlowNewness<'_> {
        let (level, tie) = match self.status {
            FailoverStatus::Queued => (0, 0),
            FailoverStatus::InProgress => (0, 1),
            FailoverStatus::Succeeded | FailoverStatus::Failed | FailoverStatus::Other(_) => (1, 0),
        };
        FlowNewness {
            level,
            date: self.updated_at,
            tie,
            steps: self.messages.len(),
            statuses: self.messages.iter().map(|step| step.status.as_ref().map(Status::newness)).collect(),
            key: self.idempotency_key(),
        }
    }
}

impl FailoverStep {
    /// How long the step may take; `None` if its TTL could not be read or is no span of time.
    fn ttl(&self) -> Option<Duration> {
        if report::unread(self, "ttl").is_some() {
            return None;
        }
        let default = match self.channel {
            Some(Channel::Viber) => 10.0,
            Some(Channel::Sms) => 1200.0,
            Some(Channel::Voice | Channel::Other(_)) | None => 1440.0,
        };
        Duration::try_from_secs_f64(self.ttl_minutes.unwrap_or(default) * 60.0).ok()
    }

    /// The part of an idempotency key that this step is.
    fn key(&self) -> Value {
        let (name, date) = match &self.status {
            Some(status) => (Value::from(status.name.as_str()), status.key_date()),
            None => (key::unread(self, "status").unwrap_or_default(), Value::Null),
        };
        Value::from(vec![
            key::text(self, self.tracking_id.as_ref(), "trackingId"),
            key::text(self, self.message_id.as_ref(), "messageId"),
            key::text(self, self.sms_id.as_ref(), "smsId"),
            name,
            date,
        ])
    }
}

/// One line for logs with no personal data: the flow, its status, the channel and status of each step, and the date.
///
/// ```
/// use routee_viber::{FailoverCallback, samples};
///
/// let flow: FailoverCallback = samples::FAILOVER.parse()?;
/// assert_eq!(
///     flow.to_string(),
///     "30830fad-21ed-49b0-89d0-bbada2fd5640 \
///      Succeeded [Viber DELIVERED, Sms DELIVERED] \
///      at 2019-07-05T10:28:49.634Z",
/// );
/// # Ok::<(), routee_viber::CallbackError>(())
/// ```
impl fmt::Display for FailoverCallback {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", logged_id(&self.tracking_id), logged_name(&self.status))?;
        for (place, step) in self.messages.iter().enumerate() {
            let before = if place == 0 { " [" } else { ", " };
            let channel = step.channel.as_ref().map_or("?", Channel::as_str);
            let status = step.status.as_ref().map_or("?", |status| status.name.as_str());
            write!(f, "{before}{} {}", logged_name(channel), logged_name(status))?;
        }
        f.write_str(if self.messages.is_empty() { "" } else { "]" })?;
        self.updated_at.map_or(Ok(()), |date| write!(f, " at {date:?}"))
    }
}

open_enum! {
    /// The status of a failover flow.
    ///
    /// Source: [docs/failover-statuses](https://docs.routee.net/docs/failover-statuses). What the names mean is
    /// inferred from the words.
    pub enum FailoverStatus {
        /// `Queued`: the flow has not begun. On newer pages only.
        Queued = "Queued",
        /// `InProgress`: the flow is under way.
        InProgress = "InProgress",
        /// `Succeeded`: a step reached the recipient.
        Succeeded = "Succeeded",
        /// `Failed`: no step reached the recipient; see `statusCode`.
        Failed = "Failed",
    }
}

open_enum! {
    /// The channel of a step.
    ///
    /// Source: [docs/failover-callbacks](https://docs.routee.net/docs/failover-callbacks).
    pub enum Channel {
        /// `Viber`.
        Viber = "Viber",
        /// `Sms`.
        Sms = "Sms",
        /// `Voice`.
        Voice = "Voice",
    }
}
