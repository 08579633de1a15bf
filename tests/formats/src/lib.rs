//! The crate beside others that the root package need not compile: each format reads back what the crate wrote in it,
//! `limits` has what a format changes by itself or cannot do, and `back_off` retries.

#![cfg(test)]

mod back_off;
#[allow(dead_code, reason = "the root tests use the rest")]
#[path = "../../rules/common/mod.rs"]
mod common;
mod formats;
mod limits;

use std::fmt::Debug;
use std::fs;

use common::fields::{self, Model};
use common::{Payload, filled};
use routee_viber::{FailoverCallback, InboundMessage, Incoming, TrackedMessage, TrackingPage, ViberCallback, samples};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use formats::Format;

/// Every kind of body with every field, alone and with something in every `extra`; and every sample and fixture.
fn reads_back_what_it_wrote<F: Format>() {
    full_bodies_read_back::<F, ViberCallback>(&fields::CALLBACK);
    full_bodies_read_back::<F, InboundMessage>(&fields::INBOUND);
    full_bodies_read_back::<F, FailoverCallback>(&fields::FAILOVER);
    full_bodies_read_back::<F, TrackedMessage>(&fields::TRACKED);
    full_bodies_read_back::<F, TrackingPage>(&fields::PAGE);
    for body in bodies() {
        reads_back::<F, Incoming>(&body);
    }
}

fn full_bodies_read_back<F: Format, P: Payload>(model: &Model) {
    let full = filled(model);
    assert_eq!(reads_back::<F, P>(&full).kept(), json!({}), "{}", model.name);
    let with_extras = reads_back::<F, P>(&with_extras(full));
    assert_ne!(with_extras.kept(), json!({}), "{}", model.name);
}

/// Reads a body from JSON, and from the format as somebody else would write it there; writes it in the format, and reads
/// it back.
fn reads_back<F: Format, T: Serialize + DeserializeOwned + PartialEq + Debug>(body: &Value) -> T {
    let body = fit::<F>(body.clone());
    let expected: T = serde_json::from_value(body.clone()).unwrap_or_else(|error| panic!("{error}: {body}"));
    let read = |written: Vec<u8>| {
        let text = String::from_utf8_lossy(&written);
        F::read::<T>(&written).unwrap_or_else(|error| panic!("{error}: {text}\n{body}"))
    };
    let by_others = if F::UNIT_IS_NULL { F::write(&body) } else { F::write(&WithNone(&body)) };
    assert_eq!(read(by_others.unwrap()), expected, "{body}");
    assert_eq!(read(F::write(&expected).unwrap()), expected, "{body}");
    expected
}

/// JSON whose nulls are written as the `None` of an `Option` is, not as a unit.
struct WithNone<'a>(&'a Value);

impl Serialize for WithNone<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_none(),
            Value::Array(items) => serializer.collect_seq(items.iter().map(WithNone)),
            Value::Object(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, WithNone(value)))),
            leaf => leaf.serialize(serializer),
        }
    }
}

/// The samples, and the fixtures that `Incoming` reads, which are all but a list.
fn bodies() -> Vec<Value> {
    let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures")).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    assert!(paths.len() > 40);
    let fixtures = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    let texts = fixtures.chain(samples::ALL.iter().map(|(_, sample)| (*sample).to_owned()));
    texts.map(|text| serde_json::from_str(&text).unwrap()).filter(Value::is_object).collect()
}

/// The value with an entry of each kind added to each of its objects, which no model knows.
fn with_extras(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(with_extras).collect(),
        Value::Object(entries) => {
            let unknown = json!({
                "an unknown.key": {"": [true, -1, u64::MAX, 0.1, 1e300, "text", "", [], {}, null]},
                "TTL": "soon",
                "$serde_json::private::RawValue": "[1",
                "nothing": null,
                "a key longer than any buffer".repeat(200): 1,
            });
            let entries = entries.into_iter().map(|(key, value)| (key, with_extras(value)));
            entries.chain(unknown.as_object().unwrap().clone()).collect()
        }
        leaf => leaf,
    }
}

/// The value without what the format does not have.
fn fit<F: Format>(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().filter(|item| F::HAS_NULL || !item.is_null()).map(fit::<F>).collect(),
        Value::Object(entries) => {
            let entries = entries.into_iter().filter(|(_, value)| F::HAS_NULL || !value.is_null());
            entries.map(|(key, value)| (key, fit::<F>(value))).collect()
        }
        Value::Number(number) if !F::HAS_U64 && number.as_i64().is_none() && number.is_u64() => json!(i64::MAX),
        leaf => leaf,
    }
}
