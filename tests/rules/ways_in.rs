//! A body is read wherever serde works.

use std::collections::BTreeMap;

use crate::common::{self, Payload, callbacks, fixtures, has_arbitrary_precision, read};
use routee_viber::{
    FailoverCallback, InboundMessage, Incoming, StatusName, TrackedMessage, TrackingPage, ViberCallback,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serde_test::{Token, assert_de_tokens};

/// A value as a sender of another format would write it.
#[derive(Serialize)]
#[serde(untagged)]
enum Plain {
    Null(()),
    Bool(bool),
    Whole(i64),
    Float(f64),
    Text(String),
    List(Vec<Plain>),
    Object(BTreeMap<String, Plain>),
}

fn plain(value: &Value) -> Plain {
    match value {
        Value::Null => Plain::Null(()),
        Value::Bool(value) => Plain::Bool(*value),
        Value::Number(number) => number.as_i64().map_or_else(|| Plain::Float(number.as_f64().unwrap()), Plain::Whole),
        Value::String(text) => Plain::Text(text.clone()),
        Value::Array(items) => Plain::List(items.iter().map(plain).collect()),
        Value::Object(object) => Plain::Object(object.iter().map(|(key, value)| (key.clone(), plain(value))).collect()),
    }
}

fn from_cbor<T: DeserializeOwned>(value: impl Serialize) -> T {
    let mut bytes = Vec::new();
    ciborium::into_writer(&value, &mut bytes).unwrap();
    ciborium::from_reader(&*bytes).unwrap()
}

/// The least program that holds a body among other things.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flattened<T> {
    #[serde(flatten)]
    body: T,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Internally<T> {
    Body(T),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacently<T> {
    Body(T),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged<T> {
    Never { never: u8 },
    Body(T),
}

/// Reads a value back from what it was written as inside something else.
fn check_inside<W>(wrapped: &W)
where
    W: std::fmt::Debug + PartialEq + Serialize + DeserializeOwned,
{
    let text = serde_json::to_string(wrapped).unwrap();
    assert_eq!(&serde_json::from_str::<W>(&text).unwrap(), wrapped, "{text}");
    assert_eq!(&serde_json::from_slice::<W>(text.as_bytes()).unwrap(), wrapped, "{text}");
    assert_eq!(&serde_json::from_value::<W>(serde_json::from_str(&text).unwrap()).unwrap(), wrapped, "{text}");
}

fn check<P: Payload>(text: &str) {
    let body: Value = serde_json::from_str(text).unwrap();
    let payload = read::<P>(&body);
    assert_eq!(from_cbor::<P>(plain(&body)), payload, "{text}");
    assert_eq!(from_cbor::<P>(&payload), payload, "written as CBOR: {text}");

    let by_path: P = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap();
    assert_eq!(by_path, payload);
    check_inside(&vec![read::<P>(&body), read::<P>(&body)]);
    check_inside(&Some(read::<P>(&body)));
    check_inside(&Flattened { body: read::<P>(&body) });
    check_inside(&Adjacently::Body(read::<P>(&body)));
    check_inside(&Untagged::Body(read::<P>(&body)));
    check_inside(&Internally::Body(payload));
}

#[test]
fn every_fixture_by_every_way() {
    for (name, text) in fixtures() {
        match common::root_of(&name).map(|root| root.model.name) {
            Some("ViberCallback") => check::<ViberCallback>(&text),
            Some("InboundMessage") => check::<InboundMessage>(&text),
            Some("FailoverCallback") => check::<FailoverCallback>(&text),
            Some("TrackedMessage") => check::<TrackedMessage>(&text),
            Some("TrackingPage") => check::<TrackingPage>(&text),
            _ => {}
        }
        let body: Value = serde_json::from_str(&text).unwrap();
        // As another format has the numbers: `arbitrary_precision` keeps the zeros at the end of one.
        let incoming: Incoming = serde_json::to_string(&plain(&body)).unwrap().parse().unwrap();
        assert_eq!(from_cbor::<Incoming>(plain(&body)), incoming, "{name}");
        assert_eq!(from_cbor::<Flattened<Incoming>>(plain(&body)).body, incoming, "{name}");
        check_inside(&Flattened { body: incoming });
    }
    assert!(callbacks().len() > 30);
}

#[test]
fn an_error_inside_something_else_says_what_it_is() {
    let error = serde_json::from_str::<Vec<ViberCallback>>(r#"[{"trackingId": "1"}]"#).unwrap_err();
    assert_eq!(common::what(&error), "no readable `status.name`");
    let error = serde_json::from_str::<Flattened<ViberCallback>>(r#"{"trackingId": "1"}"#).unwrap_err();
    assert_eq!(common::what(&error), "no readable `status.name`");
    let text = r#"{"callbacks": [{"trackingId": "1", "to": 1, "to": 2}]}"#;
    let found = serde_path_to_error::deserialize::<_, BTreeMap<String, Vec<ViberCallback>>>(
        &mut serde_json::Deserializer::from_str(text),
    );
    let error = found.unwrap_err();
    assert!(error.path().to_string().starts_with("callbacks[0]"), "{}", error.path());
    assert_eq!(common::what(error.inner()), "`to` is given twice");
}

/// The body in CBOR, with one more entry.
fn cbor_with(key: &str, value: ciborium::Value) -> Result<ViberCallback, String> {
    let text = |text: &str| ciborium::Value::from(text);
    let body =
        ciborium::Value::Map(vec![(text("trackingId"), text("1")), (text("status"), text("SEEN")), (text(key), value)]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&body, &mut bytes).unwrap();
    ciborium::from_reader(&*bytes).map_err(|error| error.to_string())
}

#[test]
fn whole_numbers_of_128_bits_in_another_format() {
    let below = ciborium::value::Integer::try_from(-i128::from(u64::MAX) - 1).unwrap();
    assert_eq!(cbor_with("price", below.into()).unwrap().price, Some(-18_446_744_073_709_551_616.0));
    let above = ciborium::Value::Tag(2, Box::new(vec![1, 0, 0, 0, 0, 0, 0, 0, 0].into()));
    assert_eq!(cbor_with("price", above).unwrap().price, Some(18_446_744_073_709_551_616.0));
}

#[test]
fn what_json_does_not_have_is_an_error() {
    let error = cbor_with("to", vec![1_u8].into()).unwrap_err();
    assert!(error.contains("invalid type: byte array, expected any JSON value"), "{error}");
}

#[test]
fn values_of_a_format_that_has_options() {
    let mut callback = ViberCallback::new("1", StatusName::Seen);
    callback.to = Some("a".to_owned());
    assert_de_tokens(
        &callback,
        &[
            Token::Map { len: Some(5) },
            Token::Str("trackingId"),
            Token::Some,
            Token::String("1"),
            Token::Str("status"),
            Token::BorrowedStr("SEEN"),
            Token::Str("to"),
            Token::Some,
            Token::Str("a"),
            Token::Str("from"),
            Token::None,
            Token::Str("label"),
            Token::Unit,
            Token::MapEnd,
        ],
    );
}

/// Under `arbitrary_precision` too, what another format gets is a plain number.
#[test]
fn numbers_in_extra_are_numbers_in_every_format() {
    let body = json!({"trackingId": "1", "status": "SEEN", "x": [1, -2, 1.5, u64::MAX, 1e300], "ttl": 10});
    let callback = read::<ViberCallback>(&body);
    let cbor: ciborium::Value = from_cbor(&callback);
    let entry = |key: &str| {
        cbor.as_map().unwrap().iter().find(|(found, _)| found.as_text() == Some(key)).map(|(_, value)| value.clone())
    };
    let numbers = [1.into(), (-2).into(), 1.5.into(), u64::MAX.into(), 1e300.into()];
    assert_eq!(entry("x"), Some(ciborium::Value::Array(numbers.to_vec())));
    assert_eq!(entry("ttl"), Some(10.into()));
    assert_eq!(from_cbor::<ViberCallback>(&callback), callback, "{}", has_arbitrary_precision());
}

/// Why the docs say to nest a callback.
#[test]
fn a_flattened_callback_takes_the_keys_that_are_left_over() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Meta {
        at: u8,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Last {
        #[serde(flatten)]
        meta: Meta,
        #[serde(flatten)]
        callback: ViberCallback,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct First {
        #[serde(flatten)]
        callback: ViberCallback,
        #[serde(flatten)]
        meta: Meta,
    }
    let json = r#"{"at":1,"trackingId":"1","status":{"name":"SEEN"},"new":2}"#;
    let last: Last = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&last).unwrap(), json);
    let first: First = serde_json::from_str(json).unwrap();
    assert_eq!((&first.callback.extra["at"], first.meta.at), (&serde_json::json!(1), 1));
    let written = serde_json::to_string(&first).unwrap();
    assert_eq!(common::what(&serde_json::from_str::<First>(&written).unwrap_err()), "`at` is given twice");

    let body = r#"{"trackingId":"1","status":{"name":"SEEN"},"at":"tomorrow"}"#;
    let with_new_field = Last { meta: Meta { at: 1 }, callback: body.parse().unwrap() };
    let written = serde_json::to_string(&with_new_field).unwrap();
    assert_eq!(common::what(&serde_json::from_str::<Last>(&written).unwrap_err()), "duplicate field `at`");
}
