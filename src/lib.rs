//! Typed models of what Routee POSTs about Viber messages.
//!
//! [Routee](https://www.routee.net/), a messaging provider, POSTs a JSON body to its customer's server each time the
//! status of a Viber message changes. The server must answer HTTP 200 within [2 seconds](RESPONSE_DEADLINE), or the
//! same body comes again, up to [12 times](RetrySchedule). This crate reads those bodies in any framework without
//! losing anything, and answers the questions that come next: is this status newer, did it come before, who sent it?
//!
//! | you want to | look at |
//! |---|---|
//! | read a status callback | [`ViberCallback::from_slice`] |
//! | answer Routee | [A handler](#a-handler) |
//! | receive several kinds of body at one URL | [`Incoming`], [Which kind](#which-kind) |
//! | know whether a status is newer | [`Status::progress_from`], [Is it newer?](#is-it-newer) |
//! | store it with one SQL statement | [`Status::rank`], [Store it](#store-it) |
//! | put it into a struct of your own | [Nest it](#nest-it) |
//! | hold it in an enum of your own | [Box it](#box-it) |
//! | recognize a callback that came again | [`ViberCallback::idempotency_key`] |
//! | know when a callback comes again | [`RetryPlan`], [Retries](#retries) |
//! | know what was not understood | [`ViberCallback::anomalies`], [`ViberCallback::extras`] |
//! | know which values are read, and how they are written | [What is lenient](#what-is-lenient), [Dates](#dates), [What is written in another form](#what-is-written-in-another-form) |
//! | count errors | [`CallbackError::kind`] |
//! | check who sent it | [`SenderAllowlist`] |
//! | keep the list of senders across a restart | [Across a restart](SenderAllowlist#across-a-restart) |
//! | take personal data out | [Taking something out](ViberCallback#taking-something-out) |
//! | fetch a status that you missed | [`TrackedMessage`], [`ViberCallback::overdue_at`] |
//! | fetch a flow that you missed | [`FailoverCallback::overdue_at`], [`TrackingPage::flows`] |
//! | test your receiver | [`samples`], [In tests](ViberCallback#in-tests) |
//!
//! # A whole body
//!
//! ```
//! use routee_viber::{DetailedStatus, StatusName, Ttl, ViberCallback};
//!
//! let body = br#"{
//!   "trackingId": "0a047b46",
//!   "campaignTrackingId": "62d4a3cc",
//!   "to": "+306912345678",
//!   "from": "Routeetest",
//!   "groups": ["vip", "athens"],
//!   "country": "GR",
//!   "status": {
//!     "name": "UNDELIVERED",
//!     "reason": {
//!       "detailedStatus": "Not Viber User",
//!       "description": "Not a Viber user."
//!     },
//!     "updatedDate": "2019-07-05T10:28:44.996Z"
//!   },
//!   "body": {
//!     "text": "Spring offers are here",
//!     "imageURL": "https://example.com/i.png",
//!     "viberAction": {
//!       "caption": "Shop now",
//!       "targetUrl": "https://example.com/shop"
//!     }
//!   },
//!   "ttl": 3600,
//!   "label": "spring",
//!   "price": 0.035,
//!   "direction": "Outbound",
//!   "originatingService": "Viber",
//!   "createdAt": "2019-07-05T10:28:44.566Z"
//! }"#;
//!
//! let callback = ViberCallback::from_slice(body)?;
//! let status = &callback.status;
//! assert_eq!(status.name, StatusName::Undelivered);
//! assert_eq!(status.detailed_status(), Some(&DetailedStatus::NotViberUser));
//! let ttl = Ttl::from_secs(3600)?;
//! assert_eq!(callback.ttl, Some(ttl));
//! assert_eq!(
//!     callback.expires_at(),
//!     Some("2019-07-05T11:28:44.566Z".parse()?),
//! );
//! assert_eq!(callback.anomalies(), []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A handler
//!
//! Answer **200** within 2 seconds; [docs/viber-callback][callback] names no other code. Answer 200 even if you cannot
//! parse the body, and store its bytes: any other answer only brings the same body again. If you could not store it,
//! answer 500, and Routee sends it again.
//!
//! Every model implements `Deserialize`, so the JSON extractor of every framework reads it. It is better to take the
//! bytes and call `from_slice`: that is faster, reads broken text too, and leaves you the bytes if it fails.
//!
//! ```
//! use std::collections::HashMap;
//!
//! use routee_viber::{CallbackError, Progress, Status, ViberCallback};
//!
//! #[derive(Default)]
//! struct Store {
//!     statuses: HashMap<String, Status>,
//!     unreadable: Vec<(Vec<u8>, CallbackError)>,
//! }
//!
//! /// Takes the body of a POST. Then answer 200.
//! fn receive(store: &mut Store, body: &[u8]) {
//!     let read = ViberCallback::from_slice(body);
//!     let callback = match read {
//!         Ok(callback) => callback,
//!         Err(error) => {
//!             let bytes = body.to_vec();
//!             store.unreadable.push((bytes, error));
//!             return;
//!         }
//!     };
//!     let id = callback.tracking_id;
//!     let new = callback.status;
//!     let is_newer = |old| new.progress_from(old) == Progress::Advance;
//!     let old = store.statuses.get(&id);
//!     if old.is_none_or(is_newer) {
//!         store.statuses.insert(id, new);
//!     }
//! }
//!
//! let mut store = Store::default();
//! let seen = r#"{"trackingId": "1", "status": "SEEN"}"#;
//! let older = seen.replace("SEEN", "DELIVERED");
//! for body in [seen, &older, "[]"] {
//!     receive(&mut store, body.as_bytes());
//! }
//! assert_eq!(store.statuses["1"].name, "SEEN");
//! let (bytes, error) = &store.unreadable[0];
//! assert_eq!(bytes, b"[]");
//! let error = error.to_string();
//! assert_eq!(error, "not a JSON object");
//! ```
//!
//! # Is it newer?
//!
//! Callbacks may arrive more than once, late or out of order. [`Status::progress_from`] compares two statuses of one
//! message by a total order. So if you store a status only when it is an [`Advance`](Progress::Advance), you end up
//! with the same status whatever the order of arrival. These are the steps in the life of a message:
//!
//! | from | to | because |
//! |---|---|---|
//! | nothing | `QUEUED` | it could not be delivered yet |
//! | nothing, `QUEUED` | `DELIVERED`, `UNDELIVERED`, `EXPIRED` | |
//! | nothing | `FAILED`, `UNSENT` | it was not accepted, or the balance was insufficient |
//! | `UNDELIVERED` | `DELIVERED` | it was sent again (inferred) |
//! | `DELIVERED` | `EXPIRED` | `expireOnDelivery`, and the TTL passed without `SEEN` |
//! | `DELIVERED` | `SEEN` | nothing comes after it |
//!
//! The names and what they mean are documented on [docs/viber-messaging-statuses][statuses]; the order is inferred.
//!
//! # Store it
//!
//! [`Status::rank`] is the same order as a string. With it, one SQL statement stores a status only if it is newer,
//! without reading first:
//!
//! ```sql
//! CREATE TABLE message (
//!     tracking_id TEXT PRIMARY KEY,
//!     status TEXT NOT NULL,
//!     rank TEXT NOT NULL
//! );
//!
//! INSERT INTO message (tracking_id, status, rank)
//! VALUES ($1, $2, $3)
//! ON CONFLICT (tracking_id) DO UPDATE
//! SET status = excluded.status, rank = excluded.rank
//! WHERE excluded.rank > message.rank;
//! ```
//!
//! Bind `callback.tracking_id`, `callback.status.name.as_str()` and `callback.status.rank()`. The SQL works unchanged
//! in SQLite and PostgreSQL; it changes one row if the status was stored, and none if it was not newer.
//!
//! A rank decides which state of a message or flow stays; a key recognizes a delivery that came before, where you keep all
//! of them:
//!
//! | what | under | which one stays |
//! |---|---|---|
//! | the status of a message | `tracking_id` | [`Status::rank`] |
//! | a Viber step of a flow, which is a message too | its own `tracking_id` | `rank` of its `status` |
//! | a flow | `tracking_id` | [`FailoverCallback::rank`] |
//! | a reply | [`InboundMessage::idempotency_key`] | the first; replies have no order |
//! | every delivery, as a history | its `idempotency_key` | the first |
//!
//! Keep the bodies as well, as bytes: ranks and keys may change with a version of this crate, and are then made anew from
//! them. For the same reason keep as bytes what a column does not take, and answer 200. PostgreSQL takes no NUL in a text,
//! and no more than 2700 bytes in an index. A tracking id, an unreadable date and the text of a reply may be longer, and
//! are part of keys and ranks. Without these, a key has about a hundred bytes and a rank fewer; of a flow, a key has a
//! hundred and as many for each step, and a rank 250 and as many for each step. Index a digest (such as SHA-256) of a key
//! that is longer than your index takes.
//!
//! # Box it
//!
//! A callback takes hundreds of bytes. In an enum of your own, box it, so that the enum stays as small as a pointer:
//!
//! ```
//! use routee_viber::ViberCallback;
//!
//! enum Event {
//!     Callback(Box<ViberCallback>),
//!     Tick,
//! }
//!
//! assert!(size_of::<Event>() <= size_of::<usize>());
//! ```
//!
//! # Nest it
//!
//! In a struct of your own, give the callback a field of its own:
//!
//! ```
//! use routee_viber::ViberCallback;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, Serialize)]
//! struct Envelope {
//!     received_at: String,
//!     callback: ViberCallback,
//! }
//! # let json = r#"{"received_at": "now", "callback": {"trackingId": "1", "status": "SEEN"}}"#;
//! # assert_eq!(serde_json::from_str::<Envelope>(json).unwrap().callback.tracking_id, "1");
//! ```
//!
//! `#[serde(flatten)]` has three traps. A callback keeps every key that no field before it took, so it must be the last
//! flattened field; otherwise the keys of the others are written twice. If Routee adds a field with the name of one of
//! yours, that key is written twice as well. What has a key twice cannot be read back. And a flattened `Option` is `None`
//! if the callback cannot be read, without an error.
//!
//! # Retries
//!
//! A callback that is not answered with 200 in time comes again. [docs/viber-callback][callback] and
//! [docs/callback-url-webhook][webhooks] name 12 delays and can be read in two ways; [`RetryPlan`] computes both.
//!
//! | retry | delay | [`FromFirstAttempt`](Counting::FromFirstAttempt) | [`FromPreviousAttempt`](Counting::FromPreviousAttempt) |
//! |---|---|---|---|
//! | 1 | 30 s | 30 s | 30 s |
//! | 2 | 1 min | 1 min | 1 min 30 s |
//! | 3 | 2 min | 2 min | 3 min 30 s |
//! | 4 | 5 min | 5 min | 8 min 30 s |
//! | 5 | 10 min | 10 min | 18 min 30 s |
//! | 6 | 15 min | 15 min | 33 min 30 s |
//! | 7 | 30 min | 30 min | 1 h 3 min 30 s |
//! | 8 | 1 h | 1 h | 2 h 3 min 30 s |
//! | 9 | 2 h | 2 h | 4 h 3 min 30 s |
//! | 10 | 4 h | 4 h | 8 h 3 min 30 s |
//! | 11 | 8 h | 8 h | 16 h 3 min 30 s |
//! | 12 | 24 h | 24 h | 40 h 3 min 30 s ([`LONGEST_RETRY_SPAN`]) |
//!
//! The first reading is the default (inferred), because the pages say "24 hours max". To be on the safe side, for
//! example when you decide how long to keep keys, use the second one.
//!
//! # Which kind
//!
//! One URL may receive several kinds of body, as [docs/callback-url-webhook][webhooks] says, and several of them have a
//! `trackingId` and a `status`. [`Incoming`] tells them apart by what their pages document, never by trial and error.
//! The first rule that holds decides:
//!
//! | a body with | is |
//! |---|---|
//! | an object in `messages` (one of a list, one alone, or one of a list in it), and a `status` that is not an object with a readable name | [`Incoming::Failover`] |
//! | `from`, one of `message` and `media`, one of `referenceTrackingId`, `sentDate` and a `direction` that is `Inbound`, and no `trackingId`, `messageId`, `status` or `event` | [`Incoming::Inbound`] |
//! | `recipient` with `applicationId` (two-step verification), `steps` with `flowId` (failover OTP), `campaignStatus` with `messageStatuses` (SMS campaign), in `status` a `dateTime` with `final` or `delivered` (e-mail), or a text as `status` with `recipient` (two-step verification), `messageId` or `event` (WhatsApp) | [`Incoming::Other`], whole |
//! | two marks of a flow, none of `to`, `from` and `body`, and a `status` that is not an object with a readable name | [`Incoming::Failover`], before its first step or without any |
//! | a readable `trackingId` and `status.name` | [`Incoming::Status`] |
//! | anything else, and whatever lacks what its kind requires | [`Incoming::Other`], whole |
//!
//! The marks of a flow are a text as `status`, an `originatingService` that is `Failover`, `terminationChannel`,
//! `totalPrice`, `flowKind`, `statusCode`, `applicationId` and `updatedAt`. Keys match in any ASCII case, `null` and `""`
//! count as absent, and a whole number or a boolean as the text that it becomes.
//!
//! [`Incoming::kind`] says what the marks say, as a [`BodyKind`]. Reading a failover callback or one of the other kinds
//! as a [`ViberCallback`] fails with [`CallbackErrorKind::OtherKind`], and [`CallbackError::body_kind`] says which it is.
//! The fields of each kind are documented; that these marks are enough to tell the kinds apart is inferred.
//!
//! # What is lenient
//!
//! Only these are errors:
//!
//! - The body is not one JSON object, or `serde_json` cannot represent it: it is nested too deeply, or a number is out
//!   of the range of `f64`.
//! - A required field is absent or cannot be read: `trackingId` and `status.name` of a callback; the docs of the other
//!   models name theirs.
//! - A key is given twice, in exactly the same spelling, in an object that this crate has a model for, or at the top
//!   level of a body that [`Incoming`] reads.
//! - You asked for a [`ViberCallback`], but the body is plainly of [another kind](#which-kind).
//!
//! Everything else is read:
//!
//! | what | is read from | otherwise |
//! |---|---|---|
//! | any optional field | `null` and `""` are the same as absent | |
//! | text | a string; a boolean or a whole number of up to 64 bits becomes its text | `extra` |
//! | [`Ttl`] | a whole number, one with a zero fraction, or either in a string, within its range | `extra` |
//! | `f64` | a finite number, or one in a string | `extra` |
//! | `bool` | `true`, `false`, or either word in a string in any case | `extra` |
//! | `u32`, `u64` | a whole number in range, also as `1.0` or `1E+1` below 2⁵³, or either in a string | `extra` |
//! | date | see [Dates](#dates) | `extra` |
//! | name of an open enum | the recognized names whatever their case, spaces, `_` and `-`; any other text is `Other`, as sent | `extra` |
//! | list of texts or names | a list of them; one text is a list of one | `extra`, the whole list |
//! | list of objects | a list of at most 1000 objects | `extra`, the whole list |
//! | nested object | an object that has what it requires; a bare string for `status` is its name, for `reason` its detailed status, for the `body` of a failover step its text; the same for a [`Status`] or a [`Reason`] in a struct of your own, where anything else, also `""`, is an error | `extra` |
//! | key | the documented spelling in any ASCII case, and the other spellings that the docs of the fields name | `extra` |
//!
//! A number in a string must be written as JSON writes numbers (no `+`, no spaces, no leading zeros), and is read
//! exactly: a whole number must fit its type, the fraction digits of a TTL must all be 0, and an `f64` must print as
//! the same number again. A JSON number has the value that `serde_json` gives it; a whole number becomes an `f64` only
//! if the `f64` is exact.
//!
//! If a field comes in two spellings, the documented one is read, whichever comes first; in another case than the
//! documented one, too. The other spelling is read only if the documented one is absent, `null` or empty; otherwise it
//! stays in `extra`. In a value that has no model here, the last of two equal keys is kept.
//!
//! Nothing is lost: unknown fields, and values that their field cannot take, are kept in the [`Extra`] map of their
//! object under the key they came with, and are written back there. Nothing is guessed, clamped or truncated: a `Some`
//! is what was sent.
//!
//! ## Dates
//!
//! Routee's examples are RFC 3339 in UTC. The forms that JSON mappers on the JVM emit are read as well (inferred):
//!
//! - RFC 3339 in the years 0 to 9999 with up to nine fraction digits; the same with a space for the `T`, or without
//!   seconds; with `+0000` or `+03` as the offset, with a space before it, with ` UTC` or ` GMT` for it, or without one
//!   (UTC); and with a zone id in brackets after the offset;
//! - epoch seconds from 10⁹ to below 4.1·10⁹ and epoch milliseconds from 10¹² to below 4.1·10¹² (both 2001 to 2099), as a
//!   number or in a string; a fraction is rounded to the microsecond, in a string to the nanosecond;
//! - a list of year, month, day, hour, minute, and maybe second and nanosecond, in UTC. A seventh number from 1 to 999
//!   is not read, because it may count milliseconds.
//!
//! ## What is written in another form
//!
//! What is written after reading is the same information, but not always the same text:
//!
//! - Keys are written in the documented spelling, recognized names as documented, and fields in the order of the model,
//!   followed by `extra`. `null`, `""` and empty lists of typed fields are left out.
//! - A bare string in the place of an object becomes an object, and one text in the place of a list becomes a list.
//! - A date becomes RFC 3339 in UTC: its instant is kept, its offset and zone id are not. Its fraction has no, three, six
//!   or nine digits.
//! - A number loses the zeros at its end and its exponent: `0.00600000` becomes `0.006`, `1E+1` becomes `10.0`, and `-0`
//!   becomes `-0.0`. A whole number in an `f64` gains `.0`. In a typed field, a number or boolean in a string becomes a
//!   number or boolean; a number or boolean in the place of a text becomes a text.
//! - A whole number past 64 bits, which only an `extra` can hold, is the nearest `f64`. To keep its digits, switch on
//!   `serde_json/arbitrary_precision` in your own manifest; it also keeps the digits of a number past the range of `f64`,
//!   which is an error otherwise.
//! - Broken text (bytes that are not UTF-8, half surrogate pairs) becomes U+FFFD, and [`AnomalyKind::BrokenText`] says so.
//!   Two texts that differed there alone are the same then: two ids are one id, and two keys one that is given twice.
//!
//! # Formats and features
//!
//! Every model reads back what it wrote in these formats, apart from what the format changes by itself:
//!
//! | format | what it changes by itself |
//! |---|---|
//! | JSON (serde_json, simd-json, sonic-rs) | |
//! | JSON5 | `1.0` is written as `1`; a number out of the range of `f64` is read as null |
//! | YAML (serde-saphyr, serde_yaml_ng) | nothing, if one crate writes and reads it; see below |
//! | TOML | has no null: writing one is an error |
//! | RON | |
//! | property lists (plist) | null is written as `""` |
//! | BSON | has no whole number past `i64` and no NUL in a key: writing one is an error; for a `Document` see below |
//! | CBOR (ciborium, cbor4ii, minicbor-serde) | nothing, if one crate writes and reads it; see below |
//! | MessagePack (rmp-serde), with or without field names | |
//! | Smile (serde-smile) | |
//! | AMQP (serde_amqp) | |
//! | FlexBuffers | panics if it writes a key that it cannot hold |
//! | pickle (serde-pickle) | a whole number past `i64` is written, and is an error when it is read |
//!
//! - **YAML between crates.** serde_yaml_ng writes the texts `NO` and `1_000` without quotes. serde-saphyr reads them
//!   as `false` and 1000, so a `country` becomes `"false"`, unless you set its options `strict_booleans` and
//!   `underscored_numbers_as_strings`. The other way round, nothing changes.
//! - **CBOR between crates.** ciborium writes 0.5 in 16 bits. cbor4ii reads that only with its feature `half-f16`, and
//!   minicbor-serde only with `half`. A null that `serde_json::Value`, not this crate, writes with one of these two is
//!   an empty list.
//! - **BSON as a `Document`.** An object in `extra` that is extended JSON becomes what it means: `{"$numberLong": "5"}`
//!   is read as 5, and `{"$numberDecimal": "5"}` is an error. As bytes, both stay as they are.
//! - **Depth.** serde_json reads 126 lists or objects within each other in an `extra`. RON and serde-saphyr read back 63
//!   of them, TOML 80, and all others at least as many as serde_json.
//!
//! These formats cannot work:
//!
//! | format | because |
//! |---|---|
//! | XML (quick-xml, serde-xml-rs) | it has neither numbers nor lists, and a text is read as an object |
//! | bencode | a text is read as bytes, and there are no fractions |
//! | PHP | a text is read as a list of numbers |
//! | S-expressions (serde-lexpr) | an object is read as a list of pairs |
//! | D-Bus (zvariant) | a value whose type may vary is read as a list of its type and itself |
//! | Avro (apache-avro) | it needs a schema that names every key, and a whole number in an `extra`, unless negative, is written as bytes |
//! | postcard, bincode | what is written does not say what it is |
//!
//! Every model also reads back inside `#[serde(flatten)]`, tagged and untagged enums, `Vec` and `Option`, and through
//! `serde_path_to_error`.
//!
//! Binary values, keys that are not strings (such as symbols of AMQP), extension types of MessagePack, and CBOR tags
//! other than large whole numbers are errors. A NaN or an infinity, which JSON does not have, becomes null if the format
//! passes it on. TOML and BSON dates that are not strings are kept in `extra`.
//!
//! What is read does not change if another crate of the build enables `arbitrary_precision`, `preserve_order` or
//! `raw_value` of `serde_json`. There are two exceptions, both with `arbitrary_precision`: the object
//! `{"$serde_json::private::Number": "1"}` is read as a number; and a number that neither 64 bits nor an `f64` hold
//! exactly keeps its digits in `extra` (and in a key or rank made of it), even if it is out of the range of `f64`, which
//! is an error without the feature. This crate has no features of its own.
//!
//! # What Routee documents, and what is inferred
//!
//! The facts come from Routee's public pages, which the docs of the items link to. No capture of a real Viber callback
//! has been published. If the pages do not settle something and this crate had to choose, the docs say "inferred": that
//! a field may be missing, what the retry delays count from, which of two statuses is newer, when two deliveries count
//! as the same, and the forms of values that the pages do not show.
//!
//! # Scope
//!
//! This crate reads what Routee sends about Viber messages. It does not send messages and does not answer HTTP. It does
//! no I/O except one optional DNS lookup ([`SenderAllowlist::resolve`]), reads no clock and writes no logs. It does not
//! check how old a callback is, because a genuine retry may be 40 hours old.
//!
//! `Debug` prints everything, including phone numbers and texts. `Display` and errors print only ids, names, dates and
//! keys, escaped.
//!
//! [callback]: https://docs.routee.net/docs/viber-callback
//! [statuses]: https://docs.routee.net/docs/viber-messaging-statuses
//! [webhooks]: https://docs.routee.net/docs/callback-url-webhook
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "to panic is how a test fails"))]

mod anomaly;
mod body;
mod callback;
mod error;
mod failover;
mod inbound;
mod incoming;
mod key;
mod kind;
mod lenient;
mod marks;
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
pub use kind::BodyKind;
pub use lenient::open_enum::Unrecognized;
pub use lenient::value::Extra;
pub use progress::{Progress, Stage};
pub use retry::{Counting, LONGEST_RETRY_SPAN, RESPONSE_DEADLINE, Retry, RetryPlan, RetrySchedule};
pub use sender::{CALLBACK_HOST, SenderAllowlist};
pub use status::{DetailedStatus, Reason, Status, StatusName};
pub use tracking::{TrackedMessage, TrackingPage};
pub use ttl::{Ttl, TtlError};

/// The code blocks of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
