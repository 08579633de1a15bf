//! The kinds of bodies that may arrive at one URL, and the marks by which they are told apart.
//!
//! A rule is two documented marks, or a shape that no status callback has: a field that Routee adds tomorrow must not
//! turn callbacks away. Keys count in any ASCII case, and a mark is there if its value is neither null nor `""`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::lenient::open_enum::is_same_name;
use crate::lenient::scalar::Scalar as _;
use crate::lenient::value::Tree;

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

/// The keys of a body whose presence tells something.
const TOP: [&str; 22] = [
    "trackingId",
    "messageId",
    "event",
    "from",
    "to",
    "body",
    "message",
    "media",
    "referenceTrackingId",
    "sentDate",
    "recipient",
    "applicationId",
    "steps",
    "flowId",
    "campaignStatus",
    "messageStatuses",
    "terminationChannel",
    "totalPrice",
    "flowKind",
    "statusCode",
    "updatedAt",
    "messages",
];

/// The same in its `status`.
const IN_STATUS: [&str; 3] = ["dateTime", "final", "delivered"];

/// Some of a list of keys.
#[derive(Clone, Copy)]
struct Keys {
    of: &'static [&'static str],
    bits: u32,
}

impl Keys {
    const fn none_of(of: &'static [&'static str]) -> Self {
        Self { of, bits: 0 }
    }

    fn bit(self, key: &str) -> u32 {
        self.of.iter().position(|name| is(key, name)).map_or(0, |at| 1 << at)
    }

    fn insert(&mut self, key: &str) {
        self.bits |= self.bit(key);
    }

    fn has(self, key: &str) -> bool {
        self.bits & self.bit(key) != 0
    }

    fn count(self, keys: &[&str]) -> usize {
        keys.iter().filter(|key| self.has(key)).count()
    }
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
    top: Keys,
    in_status: Keys,
    status: StatusIs,
    has_steps: bool,
    is_of_failover: bool,
    is_inbound: bool,
}

impl Marks {
    /// The marks in some entries of a body. Its status is the one that is read: the documented spelling, or else the first
    /// readable one in the order of bytes, or else the first.
    pub(crate) fn of<'a, N: Node + 'a>(entries: impl IntoIterator<Item = (&'a String, &'a N)>) -> Self {
        let mut marks = Self {
            top: Keys::none_of(&TOP),
            in_status: Keys::none_of(&IN_STATUS),
            status: StatusIs::Absent,
            has_steps: false,
            is_of_failover: false,
            is_inbound: false,
        };
        let mut statuses = BTreeMap::new();
        for (key, value) in entries {
            if !is_present(value) {
                continue;
            }
            match key {
                _ if is(key, "status") => drop(statuses.insert(key.as_str(), value)),
                _ if is(key, "originatingService") => marks.is_of_failover |= is_name(value, "Failover"),
                _ if is(key, "direction") => marks.is_inbound |= is_name(value, "Inbound"),
                _ => {
                    marks.has_steps |= is(key, "messages") && has_object(value);
                    marks.top.insert(key);
                }
            }
        }
        let is_read = |value: &&&N| matches!(status_is(**value), StatusIs::Text | StatusIs::Named);
        let documented = statuses.get("status");
        if let Some(status) = documented.or(statuses.values().find(is_read)).or(statuses.values().next()) {
            marks.set_status(status_is(*status), status.entries().unwrap_or_default());
        }
        marks
    }

    /// Adds a field of a model that took its value.
    pub(crate) fn add(&mut self, key: &str, is_there: bool) {
        if is_there {
            self.top.insert(key);
        }
    }

    pub(crate) fn add_names(&mut self, is_of_failover: bool, is_inbound: bool) {
        self.is_of_failover |= is_of_failover;
        self.is_inbound |= is_inbound;
    }

    pub(crate) fn set_status<'a, N: Node + 'a>(
        &mut self,
        status: StatusIs,
        entries: impl IntoIterator<Item = (&'a str, &'a N)>,
    ) {
        self.status = status;
        self.in_status = Keys::none_of(&IN_STATUS);
        for (key, value) in entries {
            if is_present(value) {
                self.in_status.insert(key);
            }
        }
    }

    /// Which kind it is, if that is not to be decided by what a status requires.
    pub(crate) fn kind(&self) -> Option<BodyKind> {
        let has = |key| self.top.has(key);
        let has_status = self.status != StatusIs::Absent;
        let is_named = self.status == StatusIs::Named;
        let is_text = self.status == StatusIs::Text;
        if self.has_steps && has_status && !is_named {
            return Some(BodyKind::Failover);
        }
        let is_reply = !has_status
            && self.top.count(&["trackingId", "messageId", "event"]) == 0
            && has("from")
            && (has("message") || has("media"))
            && (has("referenceTrackingId") || has("sentDate") || self.is_inbound);
        if is_reply {
            return Some(BodyKind::Inbound);
        }
        let is_email = self.in_status.has("dateTime") && self.in_status.count(&["final", "delivered"]) > 0;
        for (is_it, kind) in [
            (has("recipient") && has("applicationId"), BodyKind::TwoStepVerification),
            (has("steps") && has("flowId"), BodyKind::FailoverOtp),
            (has("campaignStatus") && has("messageStatuses"), BodyKind::SmsCampaign),
            (is_email, BodyKind::Email),
            (is_text && has("recipient"), BodyKind::TwoStepVerification),
            (is_text && (has("messageId") || has("event")), BodyKind::Other),
        ] {
            if is_it {
                return Some(kind);
            }
        }
        let marks_of_a_flow = usize::from(is_text)
            + usize::from(self.is_of_failover)
            + self.top.count(&[
                "terminationChannel",
                "totalPrice",
                "flowKind",
                "statusCode",
                "applicationId",
                "updatedAt",
            ]);
        let is_flow = marks_of_a_flow >= 2 && self.top.count(&["to", "from", "body"]) == 0 && !is_named;
        is_flow.then_some(BodyKind::Failover)
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

/// Whether it is an object or a list of some, which may be one level deeper, as mappers with type ids nest lists.
fn has_object<N: Node>(value: &N) -> bool {
    let items = |value: &N| value.items().unwrap_or_default().iter().any(N::is_object);
    value.is_object() || items(value) || value.items().unwrap_or_default().iter().any(items)
}

fn is_name<N: Node>(value: &N, name: &str) -> bool {
    value.leaf().and_then(Value::as_str).is_some_and(|text| is_same_name(text, name))
}

fn is(key: &str, name: &str) -> bool {
    key.eq_ignore_ascii_case(name)
}

fn is_present<N: Node>(value: &N) -> bool {
    value.leaf().is_none_or(|leaf| !leaf.is_null() && leaf != "")
}
