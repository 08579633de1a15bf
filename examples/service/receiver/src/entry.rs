//! What a body becomes: rows for the database.
//!
//! What one of the databases would refuse is found here, so that both refuse the same: a NUL in what becomes a text,
//! and an id over 1 KiB. Such a body is stored like one that cannot be read.

use std::fmt;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use routee_viber::{
    Anomaly, AnomalyKind, BodyKind, CallbackError, Channel, Direction, FailoverCallback, FailoverStep, InboundMessage,
    Incoming, StatusName, TrackedMessage, Ttl, ViberCallback,
};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::counting;

/// The longest id, as it is written in a key, so that every key fits into an index.
pub const LONGEST_ID: usize = 1024;
const ID_TOO_LONG: &str = "the id is longer than 1 KiB";

/// What a tracked message is that came from a recipient.
pub const INBOUND_TRACKED: &str = "an inbound message, tracked";

/// Why a tracked message goes to `unreadable` although it can be read.
pub const ANOTHER_TRACKED: &str = "the tracking API answered with another message";

/// The same of a tracked flow.
pub const ANOTHER_FLOW_TRACKED: &str = "the tracking API answered with another flow";
const NO_FLOW_TRACKED: &str = "the tracking API answered with what is not a failover flow";

/// A longer key is replaced by its digest, since an index of PostgreSQL takes no more than 2700 bytes.
const LONGEST_KEY: usize = 2000;

/// The most characters of the name of an unrecognized kind, which lists the keys of the body.
const LONGEST_NAME: usize = 200;

/// How many anomalies are stored as sentences; a hostile body has thousands.
const MOST_ANOMALIES: usize = 20;

/// A body and what it becomes.
#[derive(Debug)]
pub struct Entry {
    /// In milliseconds of the epoch, as all times in the database.
    pub received_at: i64,
    pub body: Bytes,
    pub content: Content,
    pub anomalies: Vec<AnomalyKind>,
}

#[derive(Debug)]
pub enum Content {
    /// The delivery itself, then the Viber steps of a failover callback.
    Deliveries(Vec<Delivery>),
    /// A body that is not about Viber messages, and what it is.
    Other(String),
    /// Why the body could not be read or stored.
    Unreadable(String),
}

/// A row of `history`, and the state that it may bring.
#[derive(Debug)]
pub struct Delivery {
    pub key: String,
    pub kind: Kind,
    pub tracking_id: String,
    /// One sentence per line.
    pub anomalies: String,
    /// What [`Incoming::from_slice`] reads as this delivery.
    pub body: Bytes,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Status,
    Step,
    Flow,
    Reply,
    Other,
    Unreadable,
    /// A status that the tracking API answered.
    Tracked,
    /// A flow that the failover tracking API answered. Its steps are like those of a callback.
    TrackedFlow,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Status,
        Self::Step,
        Self::Flow,
        Self::Reply,
        Self::Other,
        Self::Unreadable,
        Self::Tracked,
        Self::TrackedFlow,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Step => "step",
            Self::Flow => "flow",
            Self::Reply => "reply",
            Self::Other => "other",
            Self::Unreadable => "unreadable",
            Self::Tracked => "tracked",
            Self::TrackedFlow => "tracked_flow",
        }
    }

    /// Whether another delivery of its key is kept as well if it has other bytes. An answer of the tracking API always has
    /// other bytes than the callback of the same status, and Routee was not told that it would be kept.
    pub const fn has_variants(self) -> bool {
        !matches!(self, Self::Tracked | Self::TrackedFlow)
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

#[derive(Debug)]
pub enum State {
    Message(Message),
    Flow(Flow),
    Reply(Reply),
}

impl State {
    /// What it is the state of, as a change names it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Flow(_) => "flow",
            Self::Reply(_) => "reply",
        }
    }
}

/// A row of `message`, its id aside.
#[derive(Debug)]
pub struct Message {
    pub rank: String,
    pub status_name: String,
    pub reason: Option<String>,
    /// When to ask Routee what became of it.
    pub overdue_at: Option<i64>,
    pub campaign: Option<String>,
    /// When it was created, in hours of the epoch.
    pub hour: i64,
    pub price: Option<String>,
    /// How long it took to be delivered, if that is what this says: the bound of a bucket, in seconds.
    pub delivered_within: Option<i64>,
    /// The same until it was seen.
    pub seen_within: Option<i64>,
}

/// A row of `flow`, its id aside.
#[derive(Debug)]
pub struct Flow {
    pub rank: String,
    pub status_name: String,
    pub termination_channel: Option<String>,
    /// When to ask Routee what became of it.
    pub overdue_at: Option<i64>,
    /// When it was created, in hours of the epoch.
    pub hour: i64,
}

/// A row of `reply`, its key and id aside.
#[derive(Debug)]
pub struct Reply {
    pub sender: String,
    pub recipient: Option<String>,
    pub message: Option<String>,
    pub media: Option<String>,
    pub sent_at: Option<i64>,
    pub campaign: Option<String>,
    /// When it was sent, in hours of the epoch.
    pub hour: i64,
}

impl Entry {
    fn new(body: Bytes, received_at: DateTime<Utc>, content: Content, anomalies: Vec<Anomaly>) -> Self {
        let anomalies = anomalies.into_iter().map(|anomaly| anomaly.kind).collect();
        Self { received_at: received_at.timestamp_millis(), body, content, anomalies }
    }

    pub fn read(body: Bytes, received_at: DateTime<Utc>) -> Self {
        let incoming = Incoming::from_slice(&body);
        let anomalies = incoming.as_ref().map(Incoming::anomalies).unwrap_or_default();
        let content = match &incoming {
            Ok(Incoming::Status(callback)) => deliveries(vec![status(callback, &anomalies, body.clone(), received_at)]),
            Ok(Incoming::Failover(callback)) => deliveries(flow(callback, &anomalies, &body, received_at)),
            Ok(Incoming::Inbound(message)) => deliveries(vec![reply(message, &anomalies, body.clone(), received_at)]),
            Ok(other) => Content::Other(name_of(other)),
            Err(error) => Content::Unreadable(error.to_string()),
        };
        Self::new(body, received_at, content, anomalies)
    }

    /// A message as the tracking API shows it, and its JSON.
    pub fn tracked(tracked: Result<TrackedMessage, CallbackError>, body: Bytes, received_at: DateTime<Utc>) -> Self {
        let anomalies = tracked.as_ref().map(TrackedMessage::anomalies).unwrap_or_default();
        let content = match tracked {
            Ok(message) if message.direction == Some(Direction::Inbound) => Content::Other(INBOUND_TRACKED.to_owned()),
            Ok(message) => deliveries(vec![self::tracked(&message.into(), &anomalies, received_at)]),
            Err(error) => Content::Unreadable(error.to_string()),
        };
        Self::new(body, received_at, content, anomalies)
    }

    /// A flow as the failover tracking API shows it, which is how a callback shows it.
    pub fn tracked_flow(body: Bytes, received_at: DateTime<Utc>) -> Self {
        let mut entry = Self::read(body, received_at);
        match &mut entry.content {
            Content::Deliveries(deliveries) if deliveries[0].kind == Kind::Flow => {
                deliveries[0].kind = Kind::TrackedFlow;
                entry
            }
            Content::Unreadable(_) => entry,
            Content::Deliveries(_) | Content::Other(_) => entry.aside(NO_FLOW_TRACKED),
        }
    }

    /// A step of a flow or a tracked message, from its row of `history`. The body is what the library wrote. The key of
    /// a step names its flow. The anomalies are those of the original body, which is gone.
    pub fn from_history(kind: Kind, key: &str, anomalies: &str, body: Bytes, received_at: DateTime<Utc>) -> Self {
        let content = match ViberCallback::from_slice(&body) {
            Ok(callback) => {
                let delivery = status(&callback, &[], body.clone(), received_at);
                let key = match (kind, flow_in(key)) {
                    (Kind::Step, Some(flow)) => key_of_step(&flow, &callback),
                    (Kind::Step, None) => key.to_owned(),
                    _ => delivery.key,
                };
                deliveries(vec![Delivery { kind, key, anomalies: anomalies.to_owned(), ..delivery }])
            }
            Err(error) => Content::Unreadable(error.to_string()),
        };
        Self::new(body, received_at, content, Vec::new())
    }

    /// A body that goes to `unreadable` for this reason.
    pub fn unreadable(body: Bytes, received_at: DateTime<Utc>, reason: &str) -> Self {
        Self::new(body, received_at, Content::Unreadable(reason.to_owned()), Vec::new())
    }

    /// The same body, to go to `unreadable` for this reason.
    pub fn aside(&self, reason: &str) -> Self {
        let reason = reason.replace('\0', "\u{fffd}");
        let content = Content::Unreadable(reason);
        Self { received_at: self.received_at, body: self.body.clone(), content, anomalies: Vec::new() }
    }

    pub fn deliveries(&self) -> &[Delivery] {
        match &self.content {
            Content::Deliveries(deliveries) => deliveries,
            Content::Other(_) | Content::Unreadable(_) => &[],
        }
    }

    /// The key of the body in `other` and `unreadable`.
    pub fn digest(&self) -> String {
        digest(&self.body)
    }

    pub fn arrived(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.received_at).unwrap_or_default()
    }

    /// About how many bytes of memory it takes until it is committed, the copies for the database included.
    pub fn weight(&self) -> usize {
        let deliveries: usize = self.deliveries().iter().map(Delivery::weight).sum();
        512 + 2 * self.body.len() + 2 * deliveries
    }
}

/// For the log: ids, names and reasons, and nothing else of a body.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Deliveries(deliveries) => {
                for delivery in deliveries {
                    let separator = if delivery.kind == Kind::Step { "; " } else { "" };
                    write!(f, "{separator}{} {:?}", delivery.kind.as_str(), delivery.tracking_id)?;
                    if let State::Message(Message { status_name, .. }) | State::Flow(Flow { status_name, .. }) =
                        &delivery.state
                    {
                        write!(f, " {status_name:?}")?;
                    }
                }
                Ok(())
            }
            Content::Other(what) => f.write_str(what),
            Content::Unreadable(reason) => write!(f, "unreadable: {reason}"),
        }
    }
}

impl Delivery {
    /// The half of a digest of the key, which tells the deliveries of one message apart.
    pub fn key_digest(&self) -> [u8; 16] {
        half_digest(self.key.as_bytes())
    }

    /// The same of the body, for variants.
    pub fn body_digest(&self) -> [u8; 16] {
        half_digest(&self.body)
    }

    /// `None` if there are none.
    pub fn anomalies(&self) -> Option<&str> {
        (!self.anomalies.is_empty()).then_some(&*self.anomalies)
    }

    fn weight(&self) -> usize {
        let state = match &self.state {
            State::Message(message) => message.rank.len() + message.status_name.len(),
            State::Flow(flow) => flow.rank.len() + flow.status_name.len(),
            State::Reply(reply) => reply.message.as_ref().map_or(0, String::len),
        };
        256 + self.key.len() + self.tracking_id.len() + self.anomalies.len() + self.body.len() + state
    }

    /// Why a database would refuse it.
    fn fault(&self) -> Option<String> {
        if let Some(fault) = fault_of_id(&self.tracking_id) {
            return Some(fault.to_owned());
        }
        let mut texts = vec![];
        match &self.state {
            State::Message(message) => {
                texts
                    .extend([("the status name", Some(&message.status_name)), ("the reason", message.reason.as_ref())]);
            }
            State::Flow(flow) => texts.extend([
                ("the status", Some(&flow.status_name)),
                ("the termination channel", flow.termination_channel.as_ref()),
            ]),
            State::Reply(reply) => texts.extend([
                ("the sender", Some(&reply.sender)),
                ("the recipient", reply.recipient.as_ref()),
                ("the message", reply.message.as_ref()),
                ("the media", reply.media.as_ref()),
            ]),
        }
        let (name, _) = texts.into_iter().find(|(_, text)| text.is_some_and(|text| text.contains('\0')))?;
        Some(format!("{name} contains a NUL"))
    }
}

/// The deliveries, unless a database would refuse one of them.
fn deliveries(deliveries: Vec<Delivery>) -> Content {
    match deliveries.iter().find_map(Delivery::fault) {
        Some(fault) => Content::Unreadable(fault),
        None => Content::Deliveries(deliveries),
    }
}

/// Why a database would refuse an id.
pub fn fault_of_id(tracking_id: &str) -> Option<&'static str> {
    // A byte is at most six of JSON.
    if tracking_id.len() > LONGEST_ID / 6 && json_len(tracking_id) > LONGEST_ID {
        Some(ID_TOO_LONG)
    } else {
        tracking_id.contains('\0').then_some("the id contains a NUL")
    }
}

fn status(callback: &ViberCallback, anomalies: &[Anomaly], body: Bytes, received_at: DateTime<Utc>) -> Delivery {
    let reason = callback.status.detailed_status();
    let within = |name| {
        let is_that = callback.status.name == name;
        is_that.then(|| counting::within(callback.created_at, callback.status.updated_date)).flatten()
    };
    Delivery {
        key: shortened(callback.idempotency_key(), &callback.tracking_id),
        kind: Kind::Status,
        tracking_id: callback.tracking_id.clone(),
        anomalies: sentences(anomalies),
        body,
        state: State::Message(Message {
            rank: callback.status.rank(),
            status_name: callback.status.name.as_str().to_owned(),
            reason: reason.map(|reason| reason.as_str().to_owned()),
            overdue_at: overdue_at(callback, received_at).map(|at| at.timestamp_millis()),
            campaign: counting::campaign(callback.campaign_tracking_id.as_ref()),
            hour: counting::hour(callback.created_at.or(callback.status.updated_date), received_at),
            price: callback.price.and_then(counting::price),
            delivered_within: within(StatusName::Delivered),
            seen_within: within(StatusName::Seen),
        }),
    }
}

/// Without a creation date, it is overdue no later than if it had been created when its status changed, or now.
fn overdue_at(callback: &ViberCallback, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if callback.created_at.is_some() {
        return callback.overdue_at();
    }
    let mut callback = callback.clone();
    callback.created_at = callback.status.updated_date.or(Some(received_at));
    callback.overdue_at()
}

/// Like the callback of the same status.
fn tracked(callback: &ViberCallback, anomalies: &[Anomaly], received_at: DateTime<Utc>) -> Delivery {
    let body = Bytes::from(written(callback));
    Delivery { kind: Kind::Tracked, ..status(callback, anomalies, body, received_at) }
}

fn flow(callback: &FailoverCallback, anomalies: &[Anomaly], body: &Bytes, received_at: DateTime<Utc>) -> Vec<Delivery> {
    let itself = Delivery {
        key: shortened(callback.idempotency_key(), &callback.tracking_id),
        kind: Kind::Flow,
        tracking_id: callback.tracking_id.clone(),
        anomalies: sentences(anomalies),
        body: body.clone(),
        state: State::Flow(Flow {
            rank: callback.rank(),
            status_name: callback.status.as_str().to_owned(),
            termination_channel: callback.termination_channel.as_ref().map(|channel| channel.as_str().to_owned()),
            overdue_at: flow_overdue_at(callback, received_at).map(|at| at.timestamp_millis()),
            hour: counting::hour(callback.created_at.or(callback.updated_at), received_at),
        }),
    };
    let steps = callback
        .messages
        .iter()
        .filter_map(|step| Some(step_of(&callback.tracking_id, &as_callback(step)?, received_at)));
    [itself].into_iter().chain(steps).collect()
}

/// As [`overdue_at`]; of every callback anew, since each may name more steps.
fn flow_overdue_at(callback: &FailoverCallback, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if callback.created_at.is_some() {
        return callback.overdue_at();
    }
    let mut callback = callback.clone();
    callback.created_at = callback.updated_at.or(Some(received_at));
    callback.overdue_at()
}

/// The anomalies are those of the flow.
fn step_of(flow: &str, callback: &ViberCallback, received_at: DateTime<Utc>) -> Delivery {
    Delivery {
        key: key_of_step(flow, callback),
        kind: Kind::Step,
        ..status(callback, &[], Bytes::from(written(callback)), received_at)
    }
}

/// A step has another key than a status callback of the same change, so that both are stored. It begins like every key
/// of its message, so that it belongs to the history of that message.
fn key_of_step(flow: &str, callback: &ViberCallback) -> String {
    let own = callback.idempotency_key();
    let key = format!("{},{}]", own.strip_suffix(']').unwrap_or(&own), Value::from(flow));
    shortened(key, &callback.tracking_id)
}

/// The flow in the key of a step, unless that is a digest.
fn flow_in(key: &str) -> Option<String> {
    let [.., flow]: [Value; 4] = serde_json::from_str(key).ok()?;
    flow.as_str().map(ToOwned::to_owned)
}

/// A Viber step with an id and a status is a message like any other.
fn as_callback(step: &FailoverStep) -> Option<ViberCallback> {
    if step.channel != Some(Channel::Viber) {
        return None;
    }
    let status = step.status.clone()?;
    let mut callback = ViberCallback::new(step.tracking_id.clone()?, status.name.clone());
    callback.status = status;
    callback.to.clone_from(&step.to);
    callback.from.clone_from(&step.from);
    callback.country.clone_from(&step.country);
    callback.label.clone_from(&step.label);
    callback.inbound_url.clone_from(&step.inbound_url);
    callback.body.clone_from(&step.body);
    callback.price = step.price;
    callback.created_at = step.created_at;
    callback.ttl = step.ttl_minutes.and_then(seconds);
    Some(callback)
}

/// Minutes with one decimal place, as failover steps count.
fn seconds(minutes: f64) -> Option<Ttl> {
    let seconds = (minutes * 60.0).round();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (0.0..=f64::from(u32::MAX)).contains(&seconds).then(|| Ttl::from_secs(seconds as u32).ok())?
}

fn reply(message: &InboundMessage, anomalies: &[Anomaly], body: Bytes, received_at: DateTime<Utc>) -> Delivery {
    let tracking_id = message.reference_tracking_id.clone().unwrap_or_default();
    Delivery {
        key: shortened(message.idempotency_key(), &tracking_id),
        kind: Kind::Reply,
        tracking_id,
        anomalies: sentences(anomalies),
        body,
        state: State::Reply(Reply {
            sender: message.from.clone(),
            recipient: message.to.clone(),
            message: message.message.clone(),
            media: message.media.clone(),
            sent_at: message.sent_date.map(|at| at.timestamp_millis()),
            campaign: counting::campaign(message.campaign_tracking_id.as_ref()),
            hour: counting::hour(message.sent_date, received_at),
        }),
    }
}

/// What kind of body it is, or its keys.
fn name_of(other: &Incoming) -> String {
    match other.kind() {
        BodyKind::Other => other.to_string().chars().take(LONGEST_NAME).collect(),
        // A body with all required fields would have been read as a failover callback or a reply.
        kind @ (BodyKind::Failover | BodyKind::Inbound) => format!("{kind} that lacks a required field"),
        kind => kind.to_string(),
    }
}

fn sentences(anomalies: &[Anomaly]) -> String {
    let mut sentences: Vec<_> = anomalies.iter().take(MOST_ANOMALIES).map(ToString::to_string).collect();
    if anomalies.len() > MOST_ANOMALIES {
        sentences.push(format!("and {} more", anomalies.len() - MOST_ANOMALIES));
    }
    sentences.join("\n").replace('\0', "\u{fffd}")
}

/// The key; if it is too long for an index, the id and a digest, since all keys of a message begin with its id.
fn shortened(key: String, tracking_id: &str) -> String {
    if key.len() <= LONGEST_KEY {
        return key;
    }
    json!([tracking_id, format!("sha256:{}", digest(key.as_bytes()))]).to_string()
}

fn written(model: &impl Serialize) -> String {
    serde_json::to_string(model).expect("a model without numbers that are not finite can be written")
}

fn json_len(text: &str) -> usize {
    Value::from(text).to_string().len() - 2
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(bytes)))
}

pub fn half_digest(bytes: &[u8]) -> [u8; 16] {
    *Sha256::digest(bytes).first_chunk().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use routee_viber::samples;

    use super::*;

    fn entry(body: &str) -> Entry {
        Entry::read(body.to_owned().into(), DateTime::UNIX_EPOCH)
    }

    fn message(delivery: &Delivery) -> &Message {
        match &delivery.state {
            State::Message(message) => message,
            state => panic!("{state:?} is no message"),
        }
    }

    #[test]
    fn a_status_is_one_delivery() {
        let body = r#"{"trackingId":"m","to":"+306900000001","createdAt":"2026-11-01T00:00:00Z","ttl":3600,"carrier":"A",
            "status":{"name":"QUEUED","updatedDate":"2026-11-01T00:00:01Z","reason":{"detailedStatus":"Timed Out"}}}"#;
        let entry = entry(body);
        let [delivery] = entry.deliveries() else { panic!("{entry:?}") };
        assert_eq!(delivery.key, r#"["m","QUEUED","2026-11-01T00:00:01Z"]"#);
        assert_eq!((delivery.kind, delivery.tracking_id.as_str()), (Kind::Status, "m"));
        assert_eq!(delivery.anomalies, "`carrier` is not a known field");
        assert_eq!(delivery.body, body);
        let message = message(delivery);
        assert_eq!((message.status_name.as_str(), message.reason.as_deref()), ("QUEUED", Some("Timed Out")));
        // One hour to live, and 40 h 3 min 30 s of retries.
        let overdue_at: DateTime<Utc> = "2026-11-02T17:03:30Z".parse().unwrap();
        assert_eq!(message.overdue_at, Some(overdue_at.timestamp_millis()));
        assert_eq!(entry.anomalies, [AnomalyKind::UnknownField]);
        assert_eq!(entry.to_string(), r#"status "m" "QUEUED""#);
    }

    #[test]
    fn a_flow_is_a_delivery_and_so_is_each_viber_step() {
        let entry = entry(
            r#"{"trackingId":"f","status":"InProgress","messages":[
                {"type":"Viber","trackingId":"m","to":"+306900000001","ttl":10,"createdAt":"2026-11-01T00:00:00Z",
                 "status":{"name":"QUEUED"}},
                {"type":"Sms","messageId":"s","status":{"name":"Queued"}},
                {"type":"Viber","status":{"name":"QUEUED"}},
                {"type":"Viber","trackingId":"n"}]}"#,
        );
        let [flow, step] = entry.deliveries() else { panic!("{entry:?}") };
        assert_eq!((flow.kind, flow.tracking_id.as_str()), (Kind::Flow, "f"));
        assert_eq!((step.kind, step.tracking_id.as_str()), (Kind::Step, "m"));
        assert_eq!(step.key, r#"["m","QUEUED",null,"f"]"#);
        assert_eq!(
            step.body,
            r#"{"trackingId":"m","to":"+306900000001","status":{"name":"QUEUED"},"ttl":600,"createdAt":"2026-11-01T00:00:00Z"}"#
        );
        let overdue_at: DateTime<Utc> = "2026-11-02T16:13:30Z".parse().unwrap();
        assert_eq!(message(step).overdue_at, Some(overdue_at.timestamp_millis()));
        assert_eq!(entry.to_string(), r#"flow "f" "InProgress"; step "m" "QUEUED""#);
    }

    #[test]
    fn a_tracked_flow_is_a_delivery_like_its_callback_with_the_same_steps() {
        let read = |body: &str| Entry::tracked_flow(body.to_owned().into(), DateTime::UNIX_EPOCH);
        let tracked = read(samples::TRACKED_FLOW);
        let callback = entry(samples::FAILOVER);
        let ([flow, step], [same, same_step]) = (tracked.deliveries(), callback.deliveries()) else {
            panic!("{tracked:?}")
        };
        let rank = |delivery: &Delivery| match &delivery.state {
            State::Flow(flow) => flow.rank.clone(),
            state => panic!("{state:?}"),
        };
        assert_eq!((flow.kind, same.kind), (Kind::TrackedFlow, Kind::Flow));
        assert_eq!((&flow.key, rank(flow)), (&same.key, rank(same)));
        assert_eq!((step.kind, &step.key, &step.body), (Kind::Step, &same_step.key, &same_step.body));
        // It is read again for `/changes`.
        assert_eq!(entry(str::from_utf8(&flow.body).unwrap()).deliveries()[0].key, flow.key);
        for (other, reason) in [
            (samples::STATUS, NO_FLOW_TRACKED),
            (r#"{"messageId":"1","status":{"name":"Delivered"}}"#, NO_FLOW_TRACKED),
            ("[]", "not a JSON object"),
        ] {
            let Content::Unreadable(found) = read(other).content else { panic!("{other}") };
            assert!(found.contains(reason), "{found}");
        }
    }

    #[test]
    fn a_flow_is_overdue_after_all_of_its_steps_unless_it_has_ended() {
        let sms = r#"{"type":"Sms","ttl":1}"#;
        for (status, created_at, updated_at, messages, overdue_at) in [
            ("InProgress", "2026-11-01T00:00:00Z", "", sms.to_owned(), "2026-11-02T16:04:30Z"),
            ("Queued", "2026-11-01T00:00:00Z", "", format!("{sms},{sms}"), "2026-11-02T16:05:30Z"),
            ("InProgress", "", "2026-11-01T00:00:00Z", sms.to_owned(), "2026-11-02T16:04:30Z"),
            ("InProgress", "", "", sms.to_owned(), "1970-01-02T16:04:30Z"),
            ("Succeeded", "2026-11-01T00:00:00Z", "", sms.to_owned(), ""),
            ("Failed", "", "", sms.to_owned(), ""),
        ] {
            let body = format!(
                r#"{{"trackingId":"f","status":"{status}","createdAt":"{created_at}","updatedAt":"{updated_at}",
                     "messages":[{messages}]}}"#
            );
            let entry = entry(&body);
            let State::Flow(flow) = &entry.deliveries()[0].state else { panic!("{entry:?}") };
            let expected = overdue_at.parse::<DateTime<Utc>>().ok().map(|at| at.timestamp_millis());
            assert_eq!(flow.overdue_at, expected, "{body}");
        }
    }

    #[test]
    fn a_reply_is_one_delivery() {
        let entry = entry(
            r#"{"from":"+306900000001","to":"shop","message":"yes","referenceTrackingId":"m",
                "sentDate":"1970-01-01T00:00:01Z"}"#,
        );
        let [delivery] = entry.deliveries() else { panic!("{entry:?}") };
        let State::Reply(reply) = &delivery.state else { panic!("{delivery:?}") };
        assert_eq!((delivery.kind, delivery.tracking_id.as_str()), (Kind::Reply, "m"));
        assert_eq!((reply.sender.as_str(), reply.recipient.as_deref()), ("+306900000001", Some("shop")));
        assert_eq!((reply.message.as_deref(), reply.media.as_deref(), reply.sent_at), (Some("yes"), None, Some(1000)));
        assert_eq!(entry.to_string(), r#"reply "m""#);
    }

    fn read_tracked(body: &str, received_at: &str) -> Entry {
        let body = Bytes::from(body.to_owned());
        Entry::tracked(TrackedMessage::from_slice(&body), body, received_at.parse().unwrap())
    }

    #[test]
    fn a_tracked_message_is_a_delivery_like_its_callback() {
        let tracked = read_tracked(
            r#"{"trackingId":"m","to":"+306900000001","ttl":"3600","message":"hi","carrier":"A",
                "status":{"status":"DELIVERED","date":"2026-11-01T00:00:01Z"},"direction":"Outbound"}"#,
            "2026-11-23T00:00:00Z",
        );
        let callback =
            entry(r#"{"trackingId":"m","status":{"name":"DELIVERED","updatedDate":"2026-11-01T00:00:01Z"}}"#);
        let ([delivery], [same]) = (tracked.deliveries(), callback.deliveries()) else { panic!("{tracked:?}") };
        assert_eq!((&delivery.key, &message(delivery).rank), (&same.key, &message(same).rank));
        assert_eq!((delivery.kind, message(delivery).overdue_at), (Kind::Tracked, None));
        assert_eq!(delivery.anomalies, "`carrier` is not a known field");
        // What a callback has no field for stays in the history as well, and reads back as this delivery.
        let again = entry(std::str::from_utf8(&delivery.body).unwrap());
        assert_eq!(again.deliveries()[0].key, delivery.key);
        assert_eq!(tracked.to_string(), r#"tracked "m" "DELIVERED""#);
    }

    #[test]
    fn what_the_library_wrote_is_the_same_delivery_again() {
        let flow = entry(
            r#"{"trackingId":"f","status":"InProgress","messages":[
                {"type":"Viber","trackingId":"m","status":{"name":"SEEN","updatedDate":"2026-11-01T00:00:00Z"}}]}"#,
        );
        let tracked = read_tracked(
            r#"{"trackingId":"m","status":{"status":"SEEN","date":"2026-11-01T00:00:00Z"},"carrier":"A"}"#,
            "1970-01-01T00:00:00Z",
        );
        for delivery in [&flow.deliveries()[1], &tracked.deliveries()[0]] {
            let (body, at) = (delivery.body.clone(), DateTime::UNIX_EPOCH);
            let again = Entry::from_history(delivery.kind, &delivery.key, &delivery.anomalies, body, at);
            assert_eq!(format!("{:?}", again.deliveries()), format!("{:?}", [delivery]));
        }
        // The flow cannot be found in a digest, so that the key stays as it is.
        let step = &flow.deliveries()[1];
        let key = r#"["m","sha256:0"]"#;
        let again = Entry::from_history(step.kind, key, "", step.body.clone(), DateTime::UNIX_EPOCH);
        assert_eq!((again.deliveries()[0].kind, &*again.deliveries()[0].key), (Kind::Step, key));
        let again = Entry::from_history(Kind::Step, key, "", Bytes::from("{}"), DateTime::UNIX_EPOCH);
        assert!(matches!(again.content, Content::Unreadable(_)), "{again:?}");
    }

    #[test]
    fn a_message_is_overdue_no_later_than_if_it_had_just_been_created() {
        let received_at = "2026-11-23T00:00:00Z";
        // One hour to live, and 40 h 3 min 30 s of retries: from when it was created, changed or received.
        for (created_at, status, overdue_at) in [
            (
                r#""createdAt":"2026-11-01T00:00:00Z","#,
                r#"{"status":"QUEUED","date":"2026-11-02T00:00:00Z"}"#,
                "2026-11-02T17:03:30Z",
            ),
            ("", r#"{"status":"QUEUED","date":"2026-11-02T00:00:00Z"}"#, "2026-11-03T17:03:30Z"),
            ("", r#"{"status":"QUEUED"}"#, "2026-11-24T17:03:30Z"),
        ] {
            let overdue_at: DateTime<Utc> = overdue_at.parse().unwrap();
            let fields = format!(r#"{created_at}"trackingId":"m","status":{status}"#);
            let callback = format!(r#"{{{fields},"ttl":3600}}"#);
            let step = format!(r#"{{"type":"Viber",{fields},"ttl":60}}"#);
            let flow = format!(r#"{{"trackingId":"f","status":"Queued","messages":[{step}]}}"#);
            let now = received_at.parse().unwrap();
            for entry in
                [read_tracked(&callback, received_at), Entry::read(callback.into(), now), Entry::read(flow.into(), now)]
            {
                let message = message(entry.deliveries().last().unwrap());
                assert_eq!(message.overdue_at, Some(overdue_at.timestamp_millis()), "{entry:?}");
            }
        }
    }

    #[test]
    fn a_tracked_inbound_message_moves_nothing() {
        let entry = read_tracked(r#"{"trackingId":"m","status":"SEEN","direction":"inbound"}"#, "2026-11-23T00:00:00Z");
        assert!(matches!(&entry.content, Content::Other(what) if what == "an inbound message, tracked"), "{entry:?}");
        let entry = read_tracked(r#"{"trackingId":"m"}"#, "2026-11-23T00:00:00Z");
        assert!(matches!(entry.content, Content::Unreadable(_)), "{entry:?}");
    }

    #[test]
    fn a_body_that_a_database_would_refuse_is_unreadable() {
        let long = "i".repeat(LONGEST_ID + 1);
        let too_long = "the id is longer than 1 KiB";
        for (body, reason) in [
            (r#"{"trackingId":"\u0000","status":"SEEN"}"#.to_owned(), "the id contains a NUL"),
            (r#"{"trackingId":"1","status":"\u0000"}"#.to_owned(), "the status name contains a NUL"),
            (
                r#"{"trackingId":"1","status":{"name":"SEEN","reason":"\u0000"}}"#.to_owned(),
                "the reason contains a NUL",
            ),
            (r#"{"trackingId":"1","status":"\u0000","messages":[{}]}"#.to_owned(), "the status contains a NUL"),
            (
                r#"{"trackingId":"1","status":"Failed","terminationChannel":"\u0000","messages":[{}]}"#.to_owned(),
                "the termination channel contains a NUL",
            ),
            (
                r#"{"trackingId":"1","status":"Failed",
                    "messages":[{"type":"Viber","trackingId":"\u0000","status":"SEEN"}]}"#
                    .to_owned(),
                "the id contains a NUL",
            ),
            (r#"{"from":"\u0000","message":"x","sentDate":"2026"}"#.to_owned(), "the sender contains a NUL"),
            (
                r#"{"from":"1","to":"\u0000","message":"x","sentDate":"2026"}"#.to_owned(),
                "the recipient contains a NUL",
            ),
            (r#"{"from":"1","message":"\u0000","sentDate":"2026"}"#.to_owned(), "the message contains a NUL"),
            (r#"{"from":"1","media":"\u0000","sentDate":"2026"}"#.to_owned(), "the media contains a NUL"),
            (format!(r#"{{"trackingId":"{long}","status":"SEEN"}}"#), too_long),
            (format!(r#"{{"from":"1","message":"x","referenceTrackingId":"{long}"}}"#), too_long),
            ("[]".to_owned(), "not a JSON object"),
        ] {
            match entry(&body).content {
                Content::Unreadable(found) => assert_eq!(found, reason, "{body}"),
                content => panic!("{body} is {content:?}"),
            }
        }
    }

    #[test]
    fn a_nul_elsewhere_is_no_fault() {
        let entry = entry(r#"{"trackingId":"1","\u0000":"\u0000","status":{"name":"SEEN","\u0000":"\u0000"}}"#);
        let [delivery] = entry.deliveries() else { panic!("{entry:?}") };
        assert!(!delivery.anomalies.contains('\0'), "{delivery:?}");
    }

    #[test]
    fn of_many_anomalies_the_first_are_kept() {
        let fields: Vec<_> = (10..32).map(|field| format!(r#""x{field}":1"#)).collect();
        let entry = entry(&format!(r#"{{"trackingId":"1","status":"SEEN",{}}}"#, fields.join(",")));
        let [delivery] = entry.deliveries() else { panic!("{entry:?}") };
        let mut expected: Vec<_> = (10..30).map(|field| format!("`x{field}` is not a known field")).collect();
        expected.push("and 2 more".to_owned());
        assert_eq!(delivery.anomalies.lines().collect::<Vec<_>>(), expected);
        assert_eq!(entry.anomalies.len(), 22);
    }

    #[test]
    fn a_key_that_is_too_long_is_its_digest_behind_the_id() {
        let id = "i".repeat(LONGEST_ID);
        let name = "n".repeat(LONGEST_KEY);
        let entry = entry(&format!(r#"{{"trackingId":"{id}","status":"{name}"}}"#));
        let [delivery] = entry.deliveries() else { panic!("{entry:?}") };
        let digest = digest(format!(r#"["{id}","{name}",null]"#).as_bytes());
        assert_eq!(delivery.key, format!(r#"["{id}","sha256:{digest}"]"#));
    }

    #[test]
    fn broken_text_counts_as_an_anomaly() {
        let entry = entry(r#"{"trackingId":"m","label":"\ud83d","status":"SEEN"}"#);
        let [delivery] = entry.deliveries() else { panic!("{entry:?}") };
        assert_eq!(delivery.anomalies, "`label` has broken text");
        assert_eq!(entry.anomalies, [AnomalyKind::BrokenText]);
    }

    #[test]
    fn other_kinds_are_named() {
        for (body, name) in [
            (
                r#"{"trackingId":"1","recipient":"2","applicationId":"3","status":"Verified"}"#,
                "a two-step verification",
            ),
            (r#"{"flowId":"1","steps":[{}]}"#, "a failover OTP callback"),
            (r#"{"campaignStatus":"Finished","messageStatuses":{}}"#, "an SMS campaign callback"),
            (r#"{"trackingId":"1","status":{"name":"sent","dateTime":1,"final":true}}"#, "an e-mail status"),
            (
                r#"{"status":"Queued","originatingService":"Failover"}"#,
                "a failover callback that lacks a required field",
            ),
            (r#"{"from":{},"message":"x","sentDate":"2026"}"#, "a reply that lacks a required field"),
            (
                r#"{"trackingId":"1","messageId":"2","status":"sent"}"#,
                "other kind of body: messageId, status, trackingId",
            ),
            (r#"{"shortUrl":"x"}"#, "other kind of body: shortUrl"),
            (r#"{"\u0000":"x"}"#, "other kind of body: ?"),
        ] {
            match entry(body).content {
                Content::Other(found) => assert_eq!(found, name, "{body}"),
                content => panic!("{body} is {content:?}"),
            }
        }
    }

    #[test]
    fn of_a_long_name_the_beginning_is_kept() {
        let keys: Vec<_> = ('a'..='g').map(|letter| letter.to_string().repeat(32)).collect();
        let fields: Vec<_> = keys.iter().map(|key| format!(r#""{key}":0"#)).collect();
        match entry(&format!("{{{}}}", fields.join(","))).content {
            Content::Other(found) => assert_eq!(found, format!("other kind of body: {}", keys.join(", "))[..200]),
            content => panic!("{content:?}"),
        }
    }

    #[test]
    fn minutes_become_seconds_in_range() {
        for (minutes, seconds) in [(0.5, 30), (10.0, 600), (0.7, 42), (1440.0, 86_400)] {
            assert_eq!(super::seconds(minutes), Some(Ttl::from_secs(seconds).unwrap()));
        }
        for minutes in [0.4, 1440.1, -1.0, f64::MAX] {
            assert_eq!(seconds(minutes), None);
        }
    }
}
