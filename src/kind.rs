//! The kinds of bodies that may arrive at one URL, and the marks by which they are told apart.
//!
//! A rule is two documented marks, or a shape that no status callback has: a field that Routee adds tomorrow must not
//! turn callbacks away. Keys count in any ASCII case, and a mark is there if its value is neither null nor `""`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde_json::{Number, Value};

use crate::lenient::field::{Field, Seed};
use crate::lenient::open_enum::is_same_name;
use crate::lenient::path::Path;
use crate::lenient::scalar::Scalar as _;
use crate::lenient::value::{NUMBER_KEY, Tree, disguised_number, holding};

/// Which kind of body it is, judged by the marks that Routee's pages document; see [the crate docs](crate#which-kind).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum BodyKind {
    /// A status callback: [`ViberCallback`](crate::ViberCallback).
    Status,
    /// A reply: [`InboundMessage`](crate::InboundMessage).
    Inbound,
    /// A failover callback: [`FailoverCallback`](crate::FailoverCallback).
    Failover,
    /// What [docs/webhooks](https://docs.routee.net/docs/webhooks) describes: a failover flow of one-time passwords.
    FailoverOtp,
    /// What [docs/callback-url-webhook](https://docs.routee.net/docs/callback-url-webhook) describes.
    TwoStepVerification,
    /// The status of an SMS campaign.
    SmsCampaign,
    /// The status of an e-mail.
    Email,
    /// Any other, such as the status of an SMS or of a WhatsApp message.
    Other,
}

impl BodyKind {
    /// The kind in `snake_case`, for a metric's label or a column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Inbound => "inbound",
            Self::Failover => "failover",
            Self::FailoverOtp => "failover_otp",
            Self::TwoStepVerification => "two_step_verification",
            Self::SmsCampaign => "sms_campaign",
            Self::Email => "email",
            Self::Other => "other",
        }
    }
}

/// The kind in words, as errors name it.
impl fmt::Display for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Status => "a Viber status",
            Self::Inbound => "a reply",
            Self::Failover => "a failover callback",
            Self::FailoverOtp => "a failover OTP callback",
            Self::TwoStepVerification => "a two-step verification",
            Self::SmsCampaign => "an SMS campaign callback",
            Self::Email => "an e-mail status",
            Self::Other => "another kind of body",
        })
    }
}

/// A value of a body.
pub(crate) trait Node: Sized {
    /// Neither a list nor an object.
    fn leaf(&self) -> Option<&Value>;

    fn items(&self) -> Option<&[Self]>;

    /// In the order of their keys; of a key that stands twice, the last one.
    fn entries(&self) -> Option<BTreeMap<&str, &Self>>;

    fn is_object(&self) -> bool;
}

impl Node for Value {
    fn leaf(&self) -> Option<&Value> {
        Some(self).filter(|value| !value.is_array() && !value.is_object())
    }

    fn items(&self) -> Option<&[Self]> {
        self.as_array().map(Vec::as_slice)
    }

    fn entries(&self) -> Option<BTreeMap<&str, &Self>> {
        Some(self.as_object()?.iter().map(|(key, value)| (key.as_str(), value)).collect())
    }

    fn is_object(&self) -> bool {
        self.is_object()
    }
}

impl Node for Tree {
    fn leaf(&self) -> Option<&Value> {
        match self {
            Self::Leaf(leaf) => Some(leaf),
            Self::List(_) | Self::Object(_) => None,
        }
    }

    fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Leaf(_) | Self::Object(_) => None,
        }
    }

    fn entries(&self) -> Option<BTreeMap<&str, &Self>> {
        match self {
            Self::Object(entries) => Some(entries.iter().map(|(key, value)| (key.as_str(), value)).collect()),
            Self::Leaf(_) | Self::List(_) => None,
        }
    }

    fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

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

/// Whether a key that no callback has may tell that a body is of another kind. What the tracking API answers has a
/// `message` too.
pub(crate) fn is_mark(key: &str) -> bool {
    Mark::of(key).is_some() && !is(key, "message")
}

/// What the `status` of a body is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusIs {
    Absent,
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
    pub(crate) fn read<'de, D: Deserializer<'de>>(body: D, at: &Path) -> Result<Self, D::Error> {
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
        let is_read = |value: &&N| matches!(status_is(*value), StatusIs::Text | StatusIs::Named);
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

    /// Whether what a status requires may be there.
    pub(crate) fn may_be_status(&self) -> bool {
        self.has(Mark::TrackingId) && matches!(self.status, StatusIs::Text | StatusIs::Named)
    }

    /// Which kind it is, if that is not to be decided by what a status requires.
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
        // A flow has these in its steps alone.
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

/// As much of a value as may tell the kind of its body.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is looked at for another rule")]
struct Look {
    /// It is neither null nor `""`.
    is_there: bool,
    /// It is an object or a list of some, which may be one level deeper, as mappers with type ids nest lists.
    has_object: bool,
    is_failover: bool,
    is_inbound: bool,
}

impl Look {
    const THERE: Self = Self { is_there: true, has_object: false, is_failover: false, is_inbound: false };
    const OBJECT: Self = Self { has_object: true, ..Self::THERE };

    fn at<N: Node>(value: &N) -> Self {
        let items = |value: &N| value.items().unwrap_or_default().iter().any(N::is_object);
        match value.leaf() {
            Some(Value::Null) => Self::default(),
            Some(Value::String(text)) => Self::at_text(text),
            Some(_) => Self::THERE,
            None if value.is_object() => Self::OBJECT,
            None => {
                let has_object = items(value) || value.items().unwrap_or_default().iter().any(items);
                Self { has_object, ..Self::THERE }
            }
        }
    }

    fn at_text(text: &str) -> Self {
        Self {
            is_there: !text.is_empty(),
            is_failover: is_same_name(text, "Failover"),
            is_inbound: is_same_name(text, "Inbound"),
            ..Self::default()
        }
    }
}
/// Looks at a value that is read and not held.
struct Looking {
    look: Look,
    /// In how many lists it stands.
    depth: u32,
}

/// The lists in which an object counts as one of a list.
const DEEPEST: u32 = 2;

impl Field for Looking {
    fn is_absent(&self) -> bool {
        !self.look.is_there
    }

    fn read_text(&mut self, text: &str) -> bool {
        self.look = Look::at_text(text);
        true
    }

    fn read_number(&mut self, _: &Number) -> bool {
        self.look = Look::THERE;
        true
    }

    fn read_bool(&mut self, _: bool) -> bool {
        self.look = Look::THERE;
        true
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, at: &Path) -> Result<Option<Value>, A::Error> {
        self.look = Look::THERE;
        if self.depth == DEEPEST {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        }
        loop {
            let mut item = Self { look: Look::default(), depth: self.depth + 1 };
            let seed = Seed { field: &mut item, parent: at, key: "", extra: None, text: None };
            if items.next_element_seed(seed)?.is_none() {
                return Ok(None);
            }
            self.look.has_object |= item.look.has_object;
        }
    }

    fn read_object<'de, A: MapAccess<'de>>(&mut self, mut entries: A, _: &Path) -> Result<Option<Value>, A::Error> {
        self.look = Look::OBJECT;
        let mut is_first = true;
        while let Some(key) = entries.next_key::<String>()? {
            if is_first && key == NUMBER_KEY {
                let text: Value = entries.next_value_seed(holding())?;
                self.look = disguised_number(&text).map_or(Look::OBJECT, |_| Look::THERE);
            } else {
                entries.next_value::<IgnoredAny>()?;
                self.look = Look::OBJECT;
            }
            is_first = false;
        }
        Ok(None)
    }

    fn write<M: SerializeMap>(&self, _: &'static str, _: &mut M) -> Result<(), M::Error> {
        Ok(())
    }
}

struct MarksVisitor<'a>(&'a Path<'a>);

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
                    let mut status = Sketch(Tree::Leaf(Value::Null));
                    let seed = Seed { field: &mut status, parent: self.0, key: "", extra: None, text: None };
                    entries.next_value_seed(seed)?;
                    statuses.insert(spelling, status.0);
                }
                Key::Mark(mark) => {
                    let mut value = Looking { look: Look::default(), depth: 0 };
                    let seed = Seed { field: &mut value, parent: self.0, key: "", extra: None, text: None };
                    entries.next_value_seed(seed)?;
                    marks.add(mark, value.look);
                }
                Key::Other => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        marks.choose_status(&statuses.iter().map(|(spelling, value)| (spelling.as_str(), value)).collect());
        Ok(marks)
    }
}

/// A status with no more in it than tells something.
struct Sketch(Tree);

impl Field for Sketch {
    fn is_absent(&self) -> bool {
        matches!(self.0, Tree::Leaf(Value::Null))
    }

    fn read_text(&mut self, text: &str) -> bool {
        self.0 = Tree::Leaf(text.into());
        true
    }

    fn read_number(&mut self, _: &Number) -> bool {
        self.0 = Tree::List(Vec::new());
        true
    }

    fn read_bool(&mut self, _: bool) -> bool {
        self.0 = Tree::List(Vec::new());
        true
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, _: &Path) -> Result<Option<Value>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        self.0 = Tree::List(Vec::new());
        Ok(None)
    }

    fn read_object<'de, A: MapAccess<'de>>(&mut self, mut entries: A, _: &Path) -> Result<Option<Value>, A::Error> {
        let mut kept = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            if ["name", "status", "dateTime", "final", "delivered"].iter().any(|name| is(&key, name)) {
                kept.push((key, entries.next_value_seed(holding())?));
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        self.0 = Tree::Object(kept);
        Ok(None)
    }

    fn write<M: SerializeMap>(&self, _: &'static str, _: &mut M) -> Result<(), M::Error> {
        Ok(())
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

fn status_is<N: Node>(value: &N) -> StatusIs {
    match (value.leaf(), value.entries()) {
        (Some(leaf), _) if leaf.is_string() => StatusIs::Text,
        (_, Some(entries)) if has_name(&entries) => StatusIs::Named,
        _ => StatusIs::Unnamed,
    }
}

/// Whether a status has a readable name, in whatever spelling.
fn has_name<N: Node>(entries: &BTreeMap<&str, &N>) -> bool {
    let is_readable = |value: &N| value.leaf().is_some_and(|leaf| String::from_value(leaf).is_some());
    let spelled = |name| entries.iter().filter(move |(key, value)| is(key, name) && is_present(**value));
    match entries.get("name").filter(|name| is_present(**name)) {
        Some(name) => is_readable(name),
        None if spelled("name").next().is_some() => spelled("name").any(|(_, name)| is_readable(name)),
        None => spelled("status").any(|(_, name)| is_readable(name)),
    }
}

fn is(key: &str, name: &str) -> bool {
    key.eq_ignore_ascii_case(name)
}

fn is_present<N: Node>(value: &N) -> bool {
    value.leaf().is_none_or(|leaf| !leaf.is_null() && leaf != "")
}
