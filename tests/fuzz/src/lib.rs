//! What holds for whatever comes: the promises of the crate, with the table of fields and the oracle of its tests.

#[path = "../../rules/common/mod.rs"]
pub mod common;

use std::fmt::{Debug, Display};

use common::fields::{self, Model};
use common::oracle;
use common::{Payload, what};
use routee_viber::{
    BodyKind, CallbackError, CallbackErrorKind, FailoverCallback, InboundMessage, Incoming, Progress, Status, TrackedMessage,
    TrackingPage, ViberCallback,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads bytes as every kind of body, by every way, and holds what comes of them to the promises.
pub fn check(bytes: &[u8]) {
    check_status(bytes);
    check_kinds(bytes);
}

/// Reads bytes as a Viber status.
pub fn check_status(bytes: &[u8]) {
    if let Some(callback) = check_model::<ViberCallback>(bytes, &fields::CALLBACK) {
        check_line(&callback);
        check_key(&callback.idempotency_key());
        check_order(&callback.status);
        let _ = (callback.expires_at(), callback.overdue_at());
    }
}

/// Reads bytes as every other kind of body, and as whichever they are.
pub fn check_kinds(bytes: &[u8]) {
    if let Some(reply) = check_model::<InboundMessage>(bytes, &fields::INBOUND) {
        check_line(&reply);
        check_key(&reply.idempotency_key());
    }
    if let Some(flow) = check_model::<FailoverCallback>(bytes, &fields::FAILOVER) {
        check_line(&flow);
        check_key(&flow.idempotency_key());
        assert_eq!(flow.progress_from(&flow), Progress::Duplicate);
        let _ = (flow.rank(), flow.delivered_step());
    }
    if let Some(tracked) = check_model::<TrackedMessage>(bytes, &fields::TRACKED) {
        let callback = ViberCallback::from(tracked.clone());
        assert_eq!(callback.status.progress_from(&tracked.status), Progress::Duplicate);
        // Not the callback itself: what a callback has a field for is read once it is written, even if it was in `extra`.
        let again = ViberCallback::from_slice(serde_json::to_string(&callback).unwrap().as_bytes());
        assert_eq!(again.map(|again| again.idempotency_key()), Ok(callback.idempotency_key()));
    }
    if let Some(page) = check_model::<TrackingPage>(bytes, &fields::PAGE) {
        assert_eq!([page.messages().count(), page.flows().count()], [page.content.len(); 2]);
        let _ = page.next_page();
    }
    check_incoming(bytes);
}

/// Reads bytes as a kind of body, and returns it if they are one.
fn check_model<P: Payload>(bytes: &[u8], model: &Model) -> Option<P> {
    let read = P::from_bytes(bytes);
    if let Ok(read) = &read {
        check_written(read, P::from_bytes);
        let _ = (read.kept(), read.reported());
    }
    if let Some(sent) = sent(bytes, &read) {
        match &read {
            Ok(read) => {
                assert_eq!(oracle::missing(model, &sent), None);
                oracle::assert_kept(model, &sent, &serde_json::to_value(read).unwrap());
            }
            Err(error) => check_error(error, || oracle::missing(model, &sent), || oracle::foreign_kind(&sent)),
        }
    }
    read.ok()
}

/// Reads bytes as whichever kind they are, which must come to what that kind's own model says.
fn check_incoming(bytes: &[u8]) {
    let read = Incoming::from_slice(bytes);
    if let Ok(read) = &read {
        check_written(read, Incoming::from_slice);
        check_line(read);
        let key = read.idempotency_key();
        assert_eq!(key.is_none(), matches!(read, Incoming::Other(_)));
        key.iter().for_each(|key| check_key(key));
        let _ = read.anomalies();
    }
    let Some(sent) = sent(bytes, &read) else {
        return;
    };
    match read {
        Ok(read) => {
            let kind = oracle::read_kind(&sent);
            match &read {
                Incoming::Status(callback) => {
                    assert_eq!(kind, BodyKind::Status);
                    assert_eq!(ViberCallback::from_slice(bytes).as_ref(), Ok(callback));
                }
                Incoming::Inbound(reply) => {
                    assert_eq!(kind, BodyKind::Inbound);
                    assert_eq!(InboundMessage::from_slice(bytes).as_ref(), Ok(reply));
                }
                Incoming::Failover(flow) => {
                    assert_eq!(kind, BodyKind::Failover);
                    assert_eq!(FailoverCallback::from_slice(bytes).as_ref(), Ok(flow));
                }
                Incoming::Other(extra) => {
                    assert_eq!(kind, BodyKind::Other);
                    assert_eq!(read.kind(), oracle::marked_kind(&sent).unwrap_or(BodyKind::Other));
                    assert_eq!(extra, &sent);
                }
                other => panic!("another kind: {other:?}"),
            }
        }
        // Its errors are about the text alone.
        Err(error) => {
            assert_eq!(error.kind(), CallbackErrorKind::DuplicateKey);
            check_error(&error, || None, || None);
        }
    }
}

/// The object that was sent, if the bytes are one. What is read of them by serde must be what `from_slice` reads.
fn sent<T: DeserializeOwned + PartialEq + Debug>(
    bytes: &[u8],
    read: &Result<T, CallbackError>,
) -> Option<Map<String, Value>> {
    // Anything else is broken text, which `from_slice` alone mends, or no JSON.
    let sent = serde_json::from_slice::<Value>(bytes).ok()?;
    let by_serde = serde_json::from_slice::<T>(bytes);
    assert_eq!(by_serde.as_ref().map_err(what), read.as_ref().map_err(what), "the ways in differ");
    match sent {
        Value::Object(sent) => Some(sent),
        _ => {
            assert_eq!(read.as_ref().map_err(CallbackError::kind), Err(CallbackErrorKind::NotAnObject));
            None
        }
    }
}

/// An object is refused for what it lacks, for what it is instead, or for a key that it has twice, of which `Value` knows
/// nothing.
fn check_error(
    error: &CallbackError,
    missing: impl Fn() -> Option<String>,
    foreign_kind: impl Fn() -> Option<BodyKind>,
) {
    match error.kind() {
        CallbackErrorKind::MissingField => assert_eq!(error.path(), missing().as_deref()),
        CallbackErrorKind::OtherKind => {
            assert_eq!(error.body_kind(), foreign_kind());
            assert_eq!(Some(error.to_string()), foreign_kind().map(|kind| format!("{kind}, not a Viber status")));
        }
        CallbackErrorKind::DuplicateKey => assert!(error.path().is_some()),
        kind => panic!("{kind}: {error}"),
    }
}

/// What is written reads back.
fn check_written<T: Serialize + PartialEq + Debug>(value: &T, read: impl Fn(&[u8]) -> Result<T, CallbackError>) {
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(read(json.as_bytes()).as_ref(), Ok(value), "written and read again: {json}");
}

fn check_line(value: &impl Display) {
    let line = value.to_string();
    assert!(!line.chars().any(char::is_control), "{line}");
}

fn check_key(key: &str) {
    let parts = serde_json::from_str::<Vec<Value>>(key).unwrap();
    assert!(parts.len() >= 3, "{key}");
}

fn check_order(status: &Status) {
    assert_eq!(status.progress_from(status), Progress::Duplicate);
    let rank = status.rank();
    assert!(rank.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{rank}");
}
