//! The marks by which the kinds of bodies are told apart.
//!
//! A rule is two documented marks, or a shape that no status callback has: a field that Routee adds tomorrow must not
//! turn callbacks away. Keys count in any ASCII case, and a mark is there if its value is neither null nor `""`.

mod look;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::kind::BodyKind;
use crate::lenient::field::{Seed, is_text};
use crate::lenient::reading::At;
use crate::lenient::scalar::{Leaf, Scalar as _};
use crate::marks::look::{Look, Looking, Node, Sketch, is, is_present};

/// Something that may tell the kind of a body: a key that has a value, but for the last four.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    ApplicationId,
    Body,
    CampaignStatus,
    Direction,
    Event,
    FlowId,
    FlowKind,
    From,
    Media,
    Message,
    MessageId,
    MessageStatuses,
    Messages,
    OriginatingService,
    Recipient,
    ReferenceTrackingId,
    SentDate,
    StatusCode,
    Steps,
    TerminationChannel,
    To,
    TotalPrice,
    TrackingId,
    UpdatedAt,
    /// The direction is Inbound.
    IsInbound,
    /// The originating service is Failover.
    IsOfFailover,
    /// There is an object in `messages`.
    HasSteps,
    /// The status has a `dateTime`, with `final` or `delivered`.
    IsEmail,
}

const MARKS: [(&str, Mark); 24] = [
    ("applicationId", Mark::ApplicationId),
    ("body", Mark::Body),
    ("campaignStatus", Mark::CampaignStatus),
    ("direction", Mark::Direction),
    ("event", Mark::Event),
    ("flowId", Mark::FlowId),
    ("flowKind", Mark::FlowKind),
    ("from", Mark::From),
    ("media", Mark::Media),
    ("message", Mark::Message),
    ("messageId", Mark::MessageId),
    ("messageStatuses", Mark::MessageStatuses),
    ("messages", Mark::Messages),
    ("originatingService", Mark::OriginatingService),
    ("recipient", Mark::Recipient),
    ("referenceTrackingId", Mark::ReferenceTrackingId),
    ("sentDate", Mark::SentDate),
    ("statusCode", Mark::StatusCode),
    ("steps", Mark::Steps),
    ("terminationChannel", Mark::TerminationChannel),
    ("to", Mark::To),
    ("totalPrice", Mark::TotalPrice),
    ("trackingId", Mark::TrackingId),
    ("updatedAt", Mark::UpdatedAt),
];

impl Mark {
    fn of(key: &str) -> Option<Self> {
        MARKS.iter().find(|(name, _)| is(key, name)).map(|(_, mark)| *mark)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

// The last one has a bit, too.
const _: () = assert!((Mark::IsEmail as u32) < u32::BITS);

/// Whether a key that no callback has may tell that a body is of another kind. Not `message`, which a tracked message has,
/// too, and a status with it is nearly always one.
pub(crate) fn is_mark(key: &str) -> bool {
    Mark::of(key).is_some() && !is(key, "message")
}

/// What the `status` of a body is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusIs {
    Absent,
    /// A text, or a whole number or boolean, which becomes one in a flow.
    Text,
    /// An object with a readable name.
    Named,
    Unnamed,
}

/// What tells the kind of a body.
pub(crate) struct Marks {
    bits: u32,
    status: StatusIs,
}

impl Marks {
    pub(crate) const fn none() -> Self {
        Self { bits: 0, status: StatusIs::Absent }
    }

    /// The marks in some entries of a body.
    pub(crate) fn of<'a, N: Node + 'a>(entries: impl IntoIterator<Item = (&'a String, &'a N)>) -> Self {
        let mut marks = Self::none();
        let mut statuses = BTreeMap::new();
        for (key, value) in entries {
            match Mark::of(key) {
                Some(mark) => marks.add(mark, Look::at(value)),
                None if is(key, "status") => drop(statuses.insert(key.as_str(), value)),
                None => {}
            }
        }
        marks.choose_status(&statuses);
        marks
    }

    /// The marks in a body that is not held.
    pub(crate) fn read<'de, D: Deserializer<'de>>(body: D, at: &At) -> Result<Self, D::Error> {
        body.deserialize_map(MarksVisitor(at))
    }

    fn set(&mut self, mark: Mark, is_set: bool) {
        self.bits |= if is_set { mark.bit() } else { 0 };
    }

    fn add(&mut self, mark: Mark, look: Look) {
        self.set(mark, look.is_there);
        match mark {
            Mark::Messages => self.set(Mark::HasSteps, look.has_object),
            Mark::OriginatingService => self.set(Mark::IsOfFailover, look.is_failover),
            Mark::Direction => self.set(Mark::IsInbound, look.is_inbound),
            _ => {}
        }
    }

    /// Adds a field that a model has read.
    pub(crate) fn add_field(&mut self, mark: Mark, is_there: bool) {
        self.add(mark, if is_there { Look::THERE } else { Look::default() });
    }

    /// Adds a name that a model has read.
    pub(crate) fn add_name(&mut self, mark: Mark, name: Option<&str>) {
        self.add(mark, name.map_or_else(Look::default, Look::at_text));
    }

    /// Of several, the status of a body is the one that is read: the documented spelling, or else the first readable one in
    /// the order of bytes, or else the first.
    fn choose_status<N: Node>(&mut self, statuses: &BTreeMap<&str, &N>) {
        let there = || statuses.values().copied().filter(|value| is_present(*value));
        let documented = statuses.get("status").copied().filter(|value| is_present(*value));
        let is_read = |value: &&N| value.leaf().is_some_and(Value::is_string) || status_is(*value) == StatusIs::Named;
        if let Some(status) = documented.or_else(|| there().find(is_read)).or_else(|| there().next()) {
            self.set_status(status_is(status), status.entries().unwrap_or_default());
        }
    }

    pub(crate) fn set_status<'a, N: Node + 'a>(
        &mut self,
        status: StatusIs,
        entries: impl IntoIterator<Item = (&'a str, &'a N)>,
    ) {
        let (mut has_date, mut has_end) = (false, false);
        for (key, _) in entries.into_iter().filter(|(_, value)| is_present(*value)) {
            has_date |= is(key, "dateTime");
            has_end |= is(key, "final") || is(key, "delivered");
        }
        self.status = status;
        self.bits &= !Mark::IsEmail.bit();
        self.set(Mark::IsEmail, has_date && has_end);
    }

    fn has(&self, mark: Mark) -> bool {
        self.bits & mark.bit() != 0
    }

    fn has_any(&self, marks: &[Mark]) -> bool {
        marks.iter().any(|mark| self.has(*mark))
    }

    /// Which kind to read it as: the one that the marks tell, or else a status if it has the keys that this requires.
    pub(crate) fn kind_to_read(&self) -> BodyKind {
        let may_be_status = self.has(Mark::TrackingId) && matches!(self.status, StatusIs::Text | StatusIs::Named);
        self.kind().unwrap_or(if may_be_status { BodyKind::Status } else { BodyKind::Other })
    }

    /// Which kind it is by its marks alone. The first rule that holds decides.
    pub(crate) fn kind(&self) -> Option<BodyKind> {
        use Mark::{
            ApplicationId, Body, CampaignStatus, Event, FlowId, FlowKind, From, HasSteps, IsEmail, IsInbound,
            IsOfFailover, Media, Message, MessageId, MessageStatuses, Recipient, ReferenceTrackingId, SentDate,
            StatusCode, Steps, TerminationChannel, To, TotalPrice, TrackingId, UpdatedAt,
        };
        let has = |mark| self.has(mark);
        let has_status = self.status != StatusIs::Absent;
        let is_named = self.status == StatusIs::Named;
        let is_text = self.status == StatusIs::Text;

        let is_flow_with_steps = has(HasSteps) && has_status && !is_named;
        let is_reply = !has_status
            && !self.has_any(&[TrackingId, MessageId, Event])
            && has(From)
            && self.has_any(&[Message, Media])
            && self.has_any(&[ReferenceTrackingId, SentDate, IsInbound]);
        let of_a_flow = [IsOfFailover, TerminationChannel, TotalPrice, FlowKind, StatusCode, ApplicationId, UpdatedAt];
        let marks_of_a_flow = of_a_flow.into_iter().filter(|mark| has(*mark)).count() + usize::from(is_text);
        // A flow has a recipient, a sender and a body in its steps alone.
        let is_flow = marks_of_a_flow >= 2 && !self.has_any(&[To, From, Body]) && !is_named;
        [
            (is_flow_with_steps, BodyKind::Failover),
            (is_reply, BodyKind::Inbound),
            (has(Recipient) && has(ApplicationId), BodyKind::TwoStepVerification),
            (has(Steps) && has(FlowId), BodyKind::FailoverOtp),
            (has(CampaignStatus) && has(MessageStatuses), BodyKind::SmsCampaign),
            (has(IsEmail), BodyKind::Email),
            (is_text && has(Recipient), BodyKind::TwoStepVerification),
            (is_text && self.has_any(&[MessageId, Event]), BodyKind::Other),
            (is_flow, BodyKind::Failover),
        ]
        .into_iter()
        .find_map(|(is_it, kind)| is_it.then_some(kind))
    }
}

fn status_is<N: Node>(value: &N) -> StatusIs {
    match (value.leaf(), value.entries()) {
        (Some(leaf), _) if is_text(leaf) => StatusIs::Text,
        (_, Some(entries)) if has_name(&entries) => StatusIs::Named,
        _ => StatusIs::Unnamed,
    }
}

/// Whether a status has a readable name, in whatever spelling.
fn has_name<N: Node>(entries: &BTreeMap<&str, &N>) -> bool {
    let is_readable = |value: &N| value.leaf().and_then(Leaf::of).and_then(String::from_leaf).is_some();
    let spelled = |name| entries.iter().filter(move |(key, value)| is(key, name) && is_present(**value));
    match entries.get("name").filter(|name| is_present(**name)) {
        Some(name) => is_readable(name),
        None if spelled("name").next().is_some() => spelled("name").any(|(_, name)| is_readable(name)),
        None => spelled("status").any(|(_, name)| is_readable(name)),
    }
}

/// Reads the marks of a body.
struct MarksVisitor<'a>(&'a At<'a>);

impl<'de> Visitor<'de> for MarksVisitor<'_> {
    type Value = Marks;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Marks, A::Error> {
        let mut marks = Marks::none();
        let mut statuses = BTreeMap::new();
        while let Some(key) = entries.next_key_seed(KeySeed)? {
            match key {
                Key::Status(spelling) => {
                    let mut status = Sketch::new();
                    entries.next_value_seed(Seed::alone(&mut status, self.0))?;
                    statuses.insert(spelling, status.0);
                }
                Key::Mark(mark) => {
                    let mut value = Looking::new();
                    entries.next_value_seed(Seed::alone(&mut value, self.0))?;
                    marks.add(mark, value.look);
                }
                Key::Other => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        marks.choose_status(&statuses.iter().map(|(spelling, value)| (spelling.as_str(), value)).collect());
        Ok(marks)
    }
}

enum Key {
    Status(String),
    Mark(Mark),
    Other,
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_string(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match Mark::of(key) {
            Some(mark) => Key::Mark(mark),
            None if is(key, "status") => Key::Status(key.to_owned()),
            None => Key::Other,
        })
    }
}
