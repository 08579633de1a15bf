//! A body of whichever kind, as it arrives at one URL.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, DeserializeSeed as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kind::{self, Kind};
use crate::lenient::model::{self, Model};
use crate::lenient::path::{Path, Refusal, shortened, step};
use crate::lenient::text;
use crate::lenient::value::{Tree, holding, write_object};
use crate::{Anomaly, CallbackError, CallbackErrorKind, Extra, FailoverCallback, InboundMessage, ViberCallback};

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
///         Ok(Incoming::Status(callback)) => {
///             callback.status.name.to_string()
///         }
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
/// assert_eq!(
///     decide("[]"),
///     "unreadable: not a JSON object",
/// );
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
    /// If the body is not a JSON object, has a key twice (at its top, or in an object that has a model here), is a reply
    /// without a readable `from`, or is a failover callback without a readable `trackingId` or `status`.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, CallbackError> {
        let is_flow = Cell::new(false);
        let status = text::read(bytes, ViberCallback::blank, |callback, deserializer, at| {
            model::read(callback, deserializer, at)
                .inspect_err(|_| is_flow.set(callback.other_kind() == Some(kind::FAILOVER)))
        });
        let error = match status {
            Ok(callback) => return Ok(Self::Status(callback)),
            Err(error) => error,
        };
        match error.kind() {
            CallbackErrorKind::Syntax | CallbackErrorKind::Truncated | CallbackErrorKind::NotAnObject => Err(error),
            CallbackErrorKind::OtherKind if is_flow.get() => FailoverCallback::from_slice(bytes).map(Self::Failover),
            kind => {
                let held = text::read(
                    bytes,
                    || None,
                    |place, deserializer, at| {
                        let tree = holding().deserialize(deserializer)?;
                        *place = Some(read(tree, at, kind == CallbackErrorKind::DuplicateKey)?);
                        Ok(())
                    },
                );
                match held {
                    // The first reading knows the line and the column.
                    Err(again) if again.path() != error.path() => Err(again),
                    Err(_) | Ok(None) => Err(error),
                    Ok(Some(incoming)) => Ok(incoming),
                }
            }
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

/// Reads a body that is held; as a status only if it may be one.
fn read<E: de::Error>(tree: Tree, at: &Path, may_be_status: bool) -> Result<Incoming, E> {
    let Tree::Object(entries) = &tree else {
        return Err(at.not_an_object());
    };
    match kind::of_body(entries) {
        Kind::Failover => read_model(&tree, at).map(Incoming::Failover),
        Kind::Inbound => read_model(&tree, at).map(Incoming::Inbound),
        Kind::Status if may_be_status => match read_model(&tree, at) {
            Ok(callback) => Ok(Incoming::Status(callback)),
            Err(error) if at.refusal().kind() == Some(CallbackErrorKind::DuplicateKey) => Err(error),
            Err(_) => {
                at.refusal().take();
                other(tree, at)
            }
        },
        Kind::Foreign | Kind::Status => other(tree, at),
    }
}

fn read_model<T: Model, E: de::Error>(tree: &Tree, at: &Path) -> Result<T, E> {
    let mut model = T::blank();
    model::read(&mut model, tree.again(), at)?;
    Ok(model)
}

fn other<E: de::Error>(tree: Tree, at: &Path) -> Result<Incoming, E> {
    let mut body = Extra::new();
    if let Tree::Object(entries) = tree {
        for (key, value) in entries {
            if body.contains_key(&key) {
                return Err(at.given_twice(&key));
            }
            body.insert(key, value.into());
        }
    }
    Ok(Incoming::Other(body))
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
        read(holding().deserialize(deserializer)?, &Path::Root(&Refusal::default()), true)
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
                    write!(f, "{}{}", if place == 0 { " " } else { ", " }, step(&shortened(key)))?;
                }
                f.write_str(if body.len() > MOST_KEYS { ", …" } else { "" })
            }
        }
    }
}

/// A line of a log names this many keys of a body that no model knows.
const MOST_KEYS: usize = 20;
