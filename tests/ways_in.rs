//! A callback is read wherever serde works.

mod common;

use std::collections::BTreeMap;
use std::fs;

use routee_viber::{StatusName, ViberCallback};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_test::{Token, assert_de_tokens};

/// The bodies of the fixtures, with what `serde_json` reads of each.
fn bodies() -> Vec<(String, Value, ViberCallback)> {
    let mut bodies = Vec::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).unwrap();
            let callback = serde_json::from_str(&text).unwrap();
            bodies.push((text.clone(), serde_json::from_str(&text).unwrap(), callback));
        }
    }
    assert!(bodies.len() > 30);
    bodies
}

/// Whether `serde_json` numbers are its own texts here, which no other format knows.
fn has_arbitrary_precision() -> bool {
    let number: Value = serde_json::from_str("1.00").unwrap();
    format!("{number}") == "1.00"
}

#[test]
fn sonic_rs() {
    for (text, _, expected) in bodies() {
        assert_eq!(sonic_rs::from_str::<ViberCallback>(&text).unwrap(), expected, "{text}");
        assert_eq!(sonic_rs::from_slice::<ViberCallback>(text.as_bytes()).unwrap(), expected, "{text}");
    }
}

#[test]
fn simd_json() {
    for (text, _, expected) in bodies() {
        let callback: ViberCallback = simd_json::serde::from_slice(&mut text.clone().into_bytes()).unwrap();
        assert_eq!(callback, expected, "{text}");
        let callback: ViberCallback = simd_json::serde::from_reader(text.as_bytes()).unwrap();
        assert_eq!(callback, expected, "{text}");
    }
}

/// The body in another format, as a sender of that format would write it.
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

#[derive(serde::Serialize)]
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

fn from_cbor<T: DeserializeOwned>(value: impl serde::Serialize) -> T {
    let mut bytes = Vec::new();
    ciborium::into_writer(&value, &mut bytes).unwrap();
    ciborium::from_reader(&*bytes).unwrap()
}

fn from_message_pack<T: DeserializeOwned>(value: impl serde::Serialize) -> T {
    rmp_serde::from_slice(&rmp_serde::to_vec_named(&value).unwrap()).unwrap()
}

#[test]
fn cbor_and_message_pack() {
    for (text, value, expected) in bodies() {
        assert_eq!(from_cbor::<ViberCallback>(plain(&value)), expected, "{text}");
        assert_eq!(from_message_pack::<ViberCallback>(plain(&value)), expected, "{text}");
        if !has_arbitrary_precision() {
            assert_eq!(from_cbor::<ViberCallback>(&expected), expected, "written as CBOR: {text}");
            assert_eq!(from_message_pack::<ViberCallback>(&expected), expected, "written as MessagePack: {text}");
        }
    }
}

#[test]
fn whole_numbers_of_128_bits() {
    let big = u128::from(u64::MAX) + 1;
    let deserialize = |key: &'static str| {
        let status: BTreeMap<_, _> = [("name", "SEEN")].into();
        let text = serde_json::to_string(&status).unwrap();
        serde_json::from_str::<Value>(&format!(r#"{{"trackingId": "1", "status": {text}, "{key}": {big}}}"#)).unwrap()
    };
    let callback: ViberCallback = serde_json::from_value(deserialize("to")).unwrap();
    if has_arbitrary_precision() {
        assert_eq!(callback.to.as_deref(), Some("18446744073709551616"));
    } else {
        assert_eq!(callback.extra["to"], json!(18_446_744_073_709_551_616.0));
    }
    let callback: ViberCallback = serde_json::from_value(deserialize("price")).unwrap();
    assert_eq!(callback.price, Some(18_446_744_073_709_551_616.0));
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
    let callback = cbor_with("price", below.into()).unwrap();
    assert_eq!(callback.price, Some(-18_446_744_073_709_551_616.0));
    let above = ciborium::Value::Tag(2, Box::new(vec![1, 0, 0, 0, 0, 0, 0, 0, 0].into()));
    let callback = cbor_with("price", above).unwrap();
    assert_eq!(callback.price, Some(18_446_744_073_709_551_616.0));
}

#[test]
fn what_json_does_not_have_is_an_error() {
    let error = cbor_with("to", vec![1_u8].into()).unwrap_err();
    assert!(error.contains("invalid type: byte array, expected any JSON value"), "{error}");
    // A map with the number 5 for a key, in MessagePack.
    let error = rmp_serde::from_slice::<ViberCallback>(&[0x81, 0x05, 0x05]).unwrap_err();
    assert_eq!(error.to_string(), "invalid type: integer `5`, expected a key");
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

#[test]
fn a_number_that_f64_cannot_hold() {
    for key in ["to", "ttl", "price", "createdAt", "body", "unknown"] {
        let body = format!(r#"{{"trackingId": "1", "status": "SEEN", "{key}": 1e400}}"#);
        let callback = serde_json::from_str::<ViberCallback>(&body);
        if has_arbitrary_precision() {
            let number: Value = serde_json::from_str("1e400").unwrap();
            assert_eq!(callback.unwrap().extra[key], number);
        } else {
            assert_eq!(
                callback.unwrap_err().to_string(),
                format!("number out of range at line 1 column {}", body.len() - 1)
            );
        }
    }
}

#[test]
fn an_object_that_looks_like_a_number() {
    for object in [
        r#"{"$serde_json::private::Number":[5]}"#,
        r#"{"$serde_json::private::Number":"5","x":1}"#,
        r#"{"$serde_json::private::Number":"5","text":"a"}"#,
    ] {
        let body = format!(r#"{{"trackingId": "1", "status": "SEEN", "body": {object}}}"#);
        let callback: ViberCallback = serde_json::from_str(&body).unwrap();
        assert_eq!(serde_json::to_string(&callback.body).unwrap().len(), object.len());
    }
}

#[test]
fn a_key_of_the_whole_body_that_looks_like_a_number() {
    let callback: ViberCallback =
        serde_json::from_str(r#"{"trackingId": "1", "status": "SEEN", "$serde_json::private::Number": "5"}"#).unwrap();
    assert_eq!(json!(callback.extra), json!({"$serde_json::private::Number": "5"}));
}
