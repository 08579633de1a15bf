//! The bodies, and the ways to read and to write them that the benchmarks compare.

pub mod kinds;
pub mod timing;
pub mod twins;

use std::cell::RefCell;
use std::hint::black_box;

use kinds::{Failover, Inbound, Sms, Tracked};
use routee_viber::{FailoverCallback, InboundMessage, Incoming, TrackedMessage, ViberCallback, samples};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use twins::{Callback, Text, flat};

/// A body of the documented shape, with everything in it that the page for callbacks has.
const FULL: &[u8] = include_bytes!("../../tests/fixtures/documented-shape.json");
/// The least that one would act on.
const SMALL: &[u8] = include_bytes!("../bodies/small.json");
/// Numbers as strings, nulls, other spellings, unknown fields, unreadable values.
const MESSY: &[u8] = include_bytes!("../bodies/messy.json");
const REPLY: &[u8] = samples::INBOUND.as_bytes();
const FLOW: &[u8] = samples::FAILOVER.as_bytes();
const TRACKED: &[u8] = samples::TRACKED.as_bytes();
/// A kind that has no model.
const SMS: &[u8] = include_bytes!("../../tests/fixtures/other-sms-status.json");

pub const OURS: &str = "ours";
pub const FROM_SLICE: &str = "ours, from_slice";
pub const INCOMING: &str = "Incoming::from_slice";
pub const STRICT: &str = "strict twin";
pub const FLAT: &str = "flatten + serde_with";
pub const VALUE: &str = "serde_json::Value";

/// One way to do it.
pub struct Variant {
    pub name: &'static str,
    pub run: Box<dyn Fn()>,
}

/// All ways to do one thing.
pub struct Group {
    pub name: &'static str,
    pub variants: Vec<Variant>,
}

pub fn groups() -> Vec<Group> {
    let full = [strict_readers(FULL), readers(FULL)];
    let small = [strict_readers(SMALL), readers(SMALL)];
    [
        ("full body", full.into_iter().flatten().collect()),
        ("small body", small.into_iter().flatten().collect()),
        ("messy body", readers(MESSY)),
        ("writing the full body", writers(FULL)),
        ("a reply", kind_readers::<Inbound>(REPLY, [reader(FROM_SLICE, REPLY, InboundMessage::from_slice)])),
        (
            "a failover callback",
            kind_readers::<Failover>(FLOW, [reader(FROM_SLICE, FLOW, FailoverCallback::from_slice)]),
        ),
        ("the status of an SMS", kind_readers::<Sms>(SMS, [])),
        (
            "a tracked message",
            kind_readers::<Tracked>(TRACKED, [reader(FROM_SLICE, TRACKED, TrackedMessage::from_slice)]),
        ),
    ]
    .map(|(name, variants)| Group { name, variants })
    .into()
}

/// The readers that take any body.
fn readers(body: &'static [u8]) -> Vec<Variant> {
    vec![
        reader(OURS, body, serde_json::from_slice::<ViberCallback>),
        reader(FROM_SLICE, body, ViberCallback::from_slice),
        reader(INCOMING, body, Incoming::from_slice),
        reader(FLAT, body, serde_json::from_slice::<flat::Callback>),
        reader(VALUE, body, serde_json::from_slice::<Value>),
        reader("ours, sonic-rs", body, sonic_rs::from_slice::<ViberCallback>),
        simd_reader::<ViberCallback>("ours, simd-json", body),
    ]
}

/// The readers that take nothing but the documented shape.
fn strict_readers(body: &'static [u8]) -> Vec<Variant> {
    vec![
        reader(STRICT, body, serde_json::from_slice::<Callback<String>>),
        reader("borrowed twin", body, serde_json::from_slice::<Callback<Text>>),
        reader("strict twin, sonic-rs", body, sonic_rs::from_slice::<Callback<String>>),
        simd_reader::<Callback<String>>("strict twin, simd-json", body),
    ]
}

/// The readers of another kind of body: its strict twin, its own model if it has one, and those that take any kind.
fn kind_readers<Twin: DeserializeOwned + 'static>(
    body: &'static [u8],
    own: impl IntoIterator<Item = Variant>,
) -> Vec<Variant> {
    let mut readers = vec![reader(STRICT, body, serde_json::from_slice::<Twin>)];
    readers.extend(own);
    readers.push(reader(INCOMING, body, Incoming::from_slice));
    readers.push(reader(VALUE, body, serde_json::from_slice::<Value>));
    readers
}

pub fn reader<T, E>(
    name: &'static str,
    body: &'static [u8],
    read: impl Fn(&'static [u8]) -> Result<T, E> + 'static,
) -> Variant {
    let run = move || assert!(black_box(&read(black_box(body))).is_ok(), "{name} fails");
    Variant { name, run: Box::new(run) }
}

/// `simd-json` changes the bytes that it reads, so it reads a copy, made in a buffer that is kept.
fn simd_reader<T: DeserializeOwned + 'static>(name: &'static str, body: &'static [u8]) -> Variant {
    let buffer = RefCell::new(Vec::new());
    reader(name, body, move |body| {
        let mut buffer = buffer.borrow_mut();
        body.clone_into(&mut buffer);
        simd_json::serde::from_slice::<T>(&mut buffer)
    })
}

/// Both write the same bytes.
fn writers(body: &'static [u8]) -> Vec<Variant> {
    let ours: ViberCallback = serde_json::from_slice(body).expect("ours");
    let twin: Callback<String> = serde_json::from_slice(body).expect("strict twin");
    assert_eq!(serde_json::to_string(&ours).expect("ours"), serde_json::to_string(&twin).expect("strict twin"));
    vec![writer(STRICT, twin), writer(OURS, ours)]
}

fn writer(name: &'static str, value: impl Serialize + 'static) -> Variant {
    let run = move || assert!(black_box(&serde_json::to_vec(black_box(&value))).is_ok());
    Variant { name, run: Box::new(run) }
}
