//! A body of whichever kind, as it arrives at one URL.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, DeserializeSeed as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::map::Entry;

use crate::anomaly::Anomaly;
use crate::callback::ViberCallback;
use crate::error::{CallbackError, CallbackErrorKind};
use crate::failover::FailoverCallback;
use crate::inbound::InboundMessage;
use crate::kind::BodyKind;
use crate::lenient::field::Field as _;
use crate::lenient::model::Model;
use crate::lenient::object;
use crate::lenient::quoting::is_plain_word;
use crate::lenient::reading::{At, Mode, Reading};
use crate::lenient::text;
use crate::lenient::value::{Extra, Tree, holding, write_object};
use crate::marks::Marks;

/// A body that arrived at a URL that serves several kinds.
///
/// One URL may receive several: "you might use the same callback url for many applications", says
/// [docs/callback-url-webhook](https://docs.routee.net/docs/callback-url-webhook). They are told apart by what their
/// pages document, never by trial and error; see [the crate docs](crate#which-kind).
///
/// ```
/// use routee_viber::{Incoming, samples};
///
/// fn decide(body: &str) -> String {
///     match Incoming::from_slice(body.as_bytes()) {
///         Ok(Incoming::Status(callback)) => callback.status.name.to_string(),
///         Ok(Incoming::Inbound(reply)) => {
///             format!("reply from {}", reply.from)
///         }
///         Ok(Incoming::Failover(flow)) => {
///             format!("flow {}", flow.status)
///         }
///         Ok(other) => format!("keep it: {other}"),
///         Err(error) => format!("unreadable: {error}"),
///     }
/// }
///
/// assert_eq!(decide(samples::STATUS), "UNDELIVERED");
/// let flow = samples::FAILOVER;
/// assert_eq!(decide(flow), "flow Succeeded");
/// assert_eq!(
///     decide(r#"{"shortUrl": "x"}"#),
///     "keep it: other kind of body: shortUrl",
/// );
/// assert_eq!(decide("[]"), "unreadable: not a JSON object");
/// ```
///
/// # serde
///
/// Serialized as the body alone. `Deserialize` buffers the body before it reads it;
/// [`from_slice`](Incoming::from_slice) is the fast way.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "the large one is what nearly every body is")]
pub enum Incoming {
    /// A Viber status.
    Status(ViberCallback),
    /// A reply from the recipient.
    Inbound(InboundMessage),
    /// A failover flow.
    Failover(FailoverCallback),
    /// Any other object, whole; also a status whose `trackingId` or `status.name` cannot be read. Keep it and count it:
    /// [`ViberCallback::from_slice`] on the same bytes says why it is not a status.
    Other(Extra),
}

impl Incoming {
    /// Reads the bytes of a request's body, as [`ViberCallback::from_slice`] does.
    ///
    /// A status callback is read as fast as by that; any other kind is read a second time.
    ///
    /// # Errors
    ///
    /// If the body is not a JSON object, or has a key twice, at its top or in an object that has a model here. Whatever
    /// lacks what its kind requires is [`Other`](Self::Other).
    pub fn from_slice(bytes: &[u8]) -> Result<Self, CallbackError> {
        // Nearly every body is a status. If this one is none, what the model did not understand tells the kind, unless the
        // reading stopped before the end.
        let kind = Cell::new(None);
        let status = text::parse(bytes, Mode::DirectUnlessOtherKind, ViberCallback::blank, |callback, json, at| {
            object::read(callback, json, at).inspect_err(|_| {
                // None again if a text that was mended is read once more, and stops.
                let has_ended = at.reading.stop().is_none();
                kind.set(has_ended.then(|| callback.kind_by_extras(at.reading).unwrap_or(BodyKind::Other)));
            })
        });
        let error = match status {
            Ok(callback) => return Ok(Self::Status(callback)),
            Err(error) => error,
        };
        let kind = match (kind.get(), error.kind()) {
            (Some(_), CallbackErrorKind::Syntax | CallbackErrorKind::Truncated | CallbackErrorKind::NotAnObject) => {
                return Err(error);
            }
            (Some(kind), CallbackErrorKind::MissingField | CallbackErrorKind::OtherKind) => kind,
            // The reading ended before all marks were seen, so they are looked for in the bytes.
            (None, _) | (_, CallbackErrorKind::DuplicateKey) => kind_by_marks(bytes)?,
        };
        let read = match kind {
            BodyKind::Status => ViberCallback::from_slice(bytes).map(Self::Status),
            BodyKind::Failover => FailoverCallback::from_slice(bytes).map(Self::Failover),
            BodyKind::Inbound => InboundMessage::from_slice(bytes).map(Self::Inbound),
            BodyKind::FailoverOtp
            | BodyKind::TwoStepVerification
            | BodyKind::SmsCampaign
            | BodyKind::Email
            | BodyKind::Other => return other(bytes),
        };
        match read {
            Err(error) if error.kind() == CallbackErrorKind::MissingField => other(bytes),
            read => read,
        }
    }

    /// Which kind of body it is; of [`Other`](Self::Other), what its marks say, which is never
    /// [`Status`](BodyKind::Status): that is told by what it requires.
    ///
    /// ```
    /// use routee_viber::{BodyKind, Incoming};
    ///
    /// let body = r#"{"flowId": "1", "steps": []}"#;
    /// let incoming: Incoming = body.parse()?;
    /// assert!(matches!(incoming, Incoming::Other(_)));
    /// assert_eq!(incoming.kind(), BodyKind::FailoverOtp);
    /// # Ok::<(), routee_viber::CallbackError>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> BodyKind {
        match self {
            Self::Status(_) => BodyKind::Status,
            Self::Inbound(_) => BodyKind::Inbound,
            Self::Failover(_) => BodyKind::Failover,
            Self::Other(body) => Marks::of(body).kind().unwrap_or(BodyKind::Other),
        }
    }

    /// The idempotency key of the status, reply or flow, equal for every delivery of the same body; `None` for
    /// [`Other`](Self::Other).
    #[must_use]
    pub fn idempotency_key(&self) -> Option<String> {
        match self {
            Self::Status(callback) => Some(callback.idempotency_key()),
            Self::Inbound(reply) => Some(reply.idempotency_key()),
            Self::Failover(flow) => Some(flow.idempotency_key()),
            Self::Other(_) => None,
        }
    }

    /// Everything that is in an `extra`, at every level, as [`ViberCallback::extras`]; nothing for [`Other`](Self::Other),
    /// which has no model.
    pub fn extras(&self) -> impl Iterator<Item = (String, &Value)> {
        let extras: Vec<_> = match self {
            Self::Status(callback) => callback.extras().collect(),
            Self::Inbound(reply) => reply.extras().collect(),
            Self::Failover(flow) => flow.extras().collect(),
            Self::Other(_) => Vec::new(),
        };
        extras.into_iter()
    }

    /// What was not understood in the body, as [`ViberCallback::anomalies`]; nothing for [`Other`](Self::Other), which
    /// has no model.
    #[must_use]
    pub fn anomalies(&self) -> Vec<Anomaly> {
        match self {
            Self::Status(callback) => callback.anomalies(),
            Self::Inbound(reply) => reply.anomalies(),
            Self::Failover(flow) => flow.anomalies(),
            Self::Other(_) => Vec::new(),
        }
    }
}

/// Which kind a body is by its marks alone.
fn kind_by_marks(bytes: &[u8]) -> Result<BodyKind, CallbackError> {
    let marks = text::parse(bytes, Mode::Direct, Marks::none, |marks, json, at| {
        *marks = Marks::read(json, at)?;
        Ok(())
    })?;
    Ok(marks.kind_to_read())
}

fn other(bytes: &[u8]) -> Result<Incoming, CallbackError> {
    let entries = text::parse(bytes, Mode::Direct, Extra::new, |entries, json, at| read_entries(entries, json, at))?;
    Ok(Incoming::Other(entries))
}

/// Reads a body that is held.
fn read<E: de::Error>(tree: &Tree, at: &At) -> Result<Incoming, E> {
    let Tree::Object(entries) = tree else {
        return Err(at.not_an_object());
    };
    let read = match Marks::of(entries.iter().map(|(key, value)| (key, value))).kind_to_read() {
        BodyKind::Failover => read_model(tree, at)?.map(Incoming::Failover),
        BodyKind::Inbound => read_model(tree, at)?.map(Incoming::Inbound),
        BodyKind::Status => read_model(tree, at)?.map(Incoming::Status),
        BodyKind::FailoverOtp
        | BodyKind::TwoStepVerification
        | BodyKind::SmsCampaign
        | BodyKind::Email
        | BodyKind::Other => None,
    };
    if let Some(incoming) = read {
        return Ok(incoming);
    }
    let mut body = Extra::new();
    read_entries(&mut body, tree.again(), at)?;
    Ok(Incoming::Other(body))
}

/// Reads all entries of an object.
fn read_entries<'de, D: Deserializer<'de>>(entries: &mut Extra, deserializer: D, at: &At) -> Result<(), D::Error> {
    deserializer.deserialize_map(Entries { entries, at })
}

struct Entries<'a> {
    entries: &'a mut Extra,
    at: &'a At<'a>,
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key()? {
            match self.entries.entry::<String>(key) {
                Entry::Occupied(entry) => return Err(self.at.given_twice(entry.key())),
                Entry::Vacant(entry) => drop(entry.insert(entries.next_value_seed(holding())?)),
            }
        }
        Ok(())
    }
}

/// Nothing if the body lacks what the model requires.
fn read_model<T: Model, E: de::Error>(tree: &Tree, at: &At) -> Result<Option<T>, E> {
    let mut model = T::blank();
    match object::read(&mut model, tree.again::<E>(), at) {
        Ok(()) => Ok(Some(model)),
        Err(_) if at.reading.refused_kind() == Some(CallbackErrorKind::MissingField) => {
            at.reading.take_refusal();
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads the text of a body, as [`Incoming::from_slice`] does.
impl FromStr for Incoming {
    type Err = CallbackError;

    fn from_str(text: &str) -> Result<Self, CallbackError> {
        Self::from_slice(text.as_bytes())
    }
}

impl Serialize for Incoming {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Status(callback) => callback.serialize(serializer),
            Self::Inbound(reply) => reply.serialize(serializer),
            Self::Failover(flow) => flow.serialize(serializer),
            Self::Other(body) => write_object(body, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(&holding().deserialize(deserializer)?, &At::root(&Reading::default()))
    }
}

/// One line for logs with no personal data: that of the kind's own model; for `Other`, up to 20 of its keys.
impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Status(callback) => callback.fmt(f),
            Self::Inbound(reply) => reply.fmt(f),
            Self::Failover(flow) => flow.fmt(f),
            Self::Other(body) => {
                f.write_str("other kind of body:")?;
                for (place, key) in body.keys().take(MOST_KEYS).enumerate() {
                    let key = if is_plain_word(key, b"_-.") { key } else { "?" };
                    write!(f, "{}{key}", if place == 0 { " " } else { ", " })?;
                }
                f.write_str(if body.len() > MOST_KEYS { ", …" } else { "" })
            }
        }
    }
}

/// A line of a log names this many keys of a body that no model knows.
const MOST_KEYS: usize = 20;
