//! Typed models of the status callbacks that Routee POSTs for Viber messages.
//!
//! Routee, a messaging provider, POSTs a JSON body to its customer's server each time the status of a
//! Viber message changes. The server must answer HTTP 200 within [2 seconds](RESPONSE_DEADLINE), or the
//! same body comes again, up to [12 times](RetrySchedule). This crate reads those bodies in any
//! framework, loses nothing of them, and answers what a receiver asks next: is it newer than what I have
//! stored, have I seen it before, when would it come again, does it come from Routee?
//!
//! # A whole body
//!
//! ```
//! use routee_viber::{DetailedStatus, Direction, StatusName, Ttl, ViberCallback};
//!
//! let body = br#"{
//!     "trackingId": "0a047b46-a4dd-4ca8-b817-a6a134dd1234",
//!     "campaignTrackingId": "62d4a3cc-6f32-4ba2-b99a-b661fb27fdd5",
//!     "to": "+306912345678",
//!     "from": "Routeetest",
//!     "groups": ["vip", "athens"],
//!     "country": "GR",
//!     "status": {
//!         "name": "UNDELIVERED",
//!         "reason": {"detailedStatus": "Not Viber User", "description": "The recipient is not a Viber user."},
//!         "updatedDate": "2019-07-05T10:28:44.996Z"
//!     },
//!     "body": {
//!         "text": "Spring offers are here: 20% off until Sunday!",
//!         "imageURL": "https://example.com/image.png",
//!         "viberAction": {"caption": "Shop now", "targetUrl": "https://example.com/spring"}
//!     },
//!     "ttl": 3600,
//!     "label": "label of campaign",
//!     "price": 0.035,
//!     "direction": "Outbound",
//!     "originatingService": "Viber",
//!     "createdAt": "2019-07-05T10:28:44.566Z"
//! }"#;
//!
//! let callback = ViberCallback::from_slice(body)?;
//! assert_eq!(callback.status.name, StatusName::Undelivered);
//! let reason = callback.status.reason.as_ref().unwrap();
//! assert_eq!(reason.detailed_status, Some(DetailedStatus::NotViberUser));
//! assert_eq!(callback.ttl, Some(Ttl::from_secs(3600)?));
//! assert_eq!(callback.direction, Some(Direction::Outbound));
//! assert_eq!(callback.expires_at(), Some("2019-07-05T11:28:44.566Z".parse()?));
//! assert!(callback.extra.is_empty() && callback.anomalies().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A handler
//!
//! `ViberCallback` implements `Deserialize`, so the JSON extractor of every framework reads it. Better is
//! to take the bytes and call [`ViberCallback::from_slice`]: it is faster, reads broken text too, and
//! leaves you the bytes to keep where they cannot be read.
//!
//! ```
//! use std::collections::{HashMap, HashSet};
//! use routee_viber::{Progress, Status, ViberCallback};
//!
//! #[derive(Default)]
//! struct Store {
//!     seen: HashSet<String>,
//!     statuses: HashMap<String, Status>,
//!     unreadable: Vec<(Vec<u8>, String)>,
//! }
//!
//! /// Takes the body of a POST; answer 200 when it returns.
//! fn receive(store: &mut Store, body: &[u8]) {
//!     let callback = match ViberCallback::from_slice(body) {
//!         Ok(callback) => callback,
//!         // A refusal would only bring the same body again.
//!         Err(error) => return store.unreadable.push((body.to_vec(), error.to_string())),
//!     };
//!     if !store.seen.insert(callback.idempotency_key()) {
//!         return;
//!     }
//!     let stored = store.statuses.get(&callback.tracking_id);
//!     if stored.is_none_or(|stored| callback.status.progress_from(stored) == Progress::Advance) {
//!         store.statuses.insert(callback.tracking_id, callback.status);
//!     }
//! }
//!
//! let mut store = Store::default();
//! for body in [r#"{"trackingId": "1", "status": "SEEN"}"#, r#"{"trackingId": "1", "status": "DELIVERED"}"#, "{"] {
//!     receive(&mut store, body.as_bytes());
//! }
//! assert_eq!(store.statuses["1"].name.as_str(), "SEEN");
//! assert_eq!(store.unreadable, [(b"{".to_vec(), "EOF while parsing an object at line 1 column 1".to_owned())]);
//! ```
//!
//! # What is lenient
//!
//! A callback is refused for four things alone: it is not one JSON object (or one that `serde_json`
//! itself cannot hold: nested past its limit, a number past `f64`), it has no readable `trackingId`, it
//! has no readable `status.name`, or the very same key stands twice in an object that has a model here.
//! Everything else is read:
//!
//! | what | is read from | otherwise |
//! |---|---|---|
//! | any optional field | `null` and `""` are the same as absent | |
//! | text | a string; a boolean or a whole number of up to 64 bits becomes its text | `extra` |
//! | [`Ttl`] | a whole number, one with a zero fraction, or either in a string, within its range | `extra` |
//! | `price`, `file_size`, `duration` | a finite number, or one in a string, as the nearest `f64`; a whole number only where that is exact | `extra` |
//! | date | RFC 3339, in the years 0 to 9999 with up to nine fraction digits; the same with `+0000`, with a space for the `T`, or with no offset (UTC); epoch seconds from 10⁹ to below 10¹¹; epoch milliseconds from 10¹² to below 10¹⁴, as numbers. Fractions of numbers are rounded to the microsecond, and the offset is not kept | `extra` |
//! | name of an open enum | the known names whatever their case, spaces, `_` and `-`; any other text is `Other`, as sent | `extra` |
//! | `groups` | a list of texts, each read as above; one text is a list of one | `extra`, the whole list, also where one item is `null` |
//! | nested object | an object; a bare string for `status` is its name, for `reason` its detailed status | `extra` |
//! | key | the documented spelling in any ASCII case; also `action` for `viberAction`, and inside `status` `status` for `name` and `date` for `updatedDate` | `extra` |
//!
//! Where one field came in two spellings, the documented one owns it wherever it stands; another is read
//! only where the documented one is absent, `null` or empty (`""`, no groups, a status with nothing in it),
//! and else stays in `extra`. Inside a value that
//! no model knows, and inside an object that came in another spelling, `serde_json`'s own rule holds for a
//! key that stands twice: the last one stays. Numbers are what `serde_json` reads them as: whole ones up to
//! 64 bits, others as the nearest `f64`.
//!
//! Nothing is lost: what has no field, or a value that its field cannot take, stays in the [`Extra`] map
//! of its object under the key it came with, and is written back there. Nothing is guessed, clamped or
//! truncated: a `Some` is what was sent. [`ViberCallback::anomalies`] lists what was not understood.
//!
//! Other self-describing formats are read as well, and so are bodies under `serde_json`'s features
//! `arbitrary_precision` and `preserve_order`. No feature of this crate changes what is read: it has none.
//!
//! # What Routee documents, and what is inferred
//!
//! The facts come from Routee's public pages, which the docs of the items name. No live capture of a
//! callback is public. Where no page says something and this crate had to choose, the docs say
//! "inferred": that a field may be missing, that retry delays count from the first attempt, which of two
//! statuses is newer, what makes two deliveries one, and the forms of values beyond the pages' samples.
//!
//! # Scope
//!
//! This crate reads status callbacks of Viber messages. It does not send messages, read Routee's inbound
//! or failover callbacks, or answer HTTP. [`SenderAllowlist`] aside it does no I/O; it reads no clock and
//! writes no logs. There is no check of freshness: a genuine retry may be 40 hours old.
//!
//! `Debug` prints what came, with phone numbers and texts. `Display` and errors print ids, names and keys
//! alone, escaped and as long as they came.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(clippy::pedantic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::doc_markdown, reason = "it takes the word POSTed for code")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod anomaly;
mod body;
mod callback;
mod error;
mod failover;
mod inbound;
mod incoming;
mod kind;
mod lenient;
mod progress;
mod retry;
pub mod samples;
mod sender;
mod status;
mod tracking;
mod ttl;

pub use anomaly::{Anomaly, AnomalyKind};
pub use body::{Body, ViberAction, ViberFile, ViberVideo};
pub use callback::{Direction, OriginatingService, ViberCallback};
pub use error::{CallbackError, CallbackErrorKind};
pub use failover::{Channel, FailoverCallback, FailoverStatus, FailoverStep};
pub use inbound::InboundMessage;
pub use incoming::Incoming;
pub use lenient::open_enum::Unrecognized;
pub use progress::{Progress, Stage};
pub use retry::{Counting, LONGEST_RETRY_SPAN, RESPONSE_DEADLINE, Retry, RetryPlan, RetrySchedule};
pub use sender::{CALLBACK_HOST, SenderAllowlist};
pub use status::{DetailedStatus, Reason, Status, StatusName};
pub use tracking::{TrackedMessage, TrackingPage};
pub use ttl::{Ttl, TtlError};

/// What came in an object of a body and has no field, or a value that its field cannot take, under the
/// key that it came with.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// The code blocks of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
