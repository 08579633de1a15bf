//! A callback is read wherever serde works.

mod common;

use std::collections::BTreeMap;
use std::fs;

use routee_viber::ViberCallback;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The bodies of the fixtures, with what `serde_json` reads of each.
fn bodies() -> Vec<(String, Value, ViberCallback)> {
    let mut bodies = Vec::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
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
        assert_eq!(
            sonic_rs::from_str::<ViberCallback>(&text).unwrap(),
            expected,
            "{text}"
        );
        assert_eq!(
            sonic_rs::from_slice::<ViberCallback>(text.as_bytes()).unwrap(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn simd_json() {
    for (text, _, expected) in bodies() {
        let callback: ViberCallback =
            simd_json::serde::from_slice(&mut text.clone().into_bytes()).unwrap();
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
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| Plain::Float(number.as_f64().unwrap()), Plain::Whole),
        Value::String(text) => Plain::Text(text.clone()),
        Value::Array(items) => Plain::List(items.iter().map(plain).collect()),
        Value::Object(object) => Plain::Object(
            object
                .iter()
                .map(|(key, value)| (key.clone(), plain(value)))
                .collect(),
        ),
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
        assert_eq!(
            from_cbor::<ViberCallback>(plain(&value)),
            expected,
            "{text}"
        );
        assert_eq!(
            from_message_pack::<ViberCallback>(plain(&value)),
            expected,
            "{text}"
        );
        if !has_arbitrary_precision() {
            assert_eq!(
                from_cbor::<ViberCallback>(&expected),
                expected,
                "written as CBOR: {text}"
            );
            assert_eq!(
                from_message_pack::<ViberCallback>(&expected),
                expected,
                "written as MessagePack: {text}"
            );
        }
    }
}

#[test]
fn whole_numbers_of_128_bits() {
    let big = u128::from(u64::MAX) + 1;
    let deserialize = |key: &'static str| {
        let status: BTreeMap<_, _> = [("name", "SEEN")].into();
        let text = serde_json::to_string(&status).unwrap();
        serde_json::from_str::<Value>(&format!(
            r#"{{"trackingId": "1", "status": {text}, "{key}": {big}}}"#
        ))
        .unwrap()
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
    let object = json!({"$serde_json::private::Number": [5]});
    let body = json!({"trackingId": "1", "status": "SEEN", "body": object}).to_string();
    let callback: ViberCallback = serde_json::from_str(&body).unwrap();
    assert_eq!(json!(callback.body.unwrap().extra), object);
}

#[test]
fn a_key_of_the_whole_body_that_looks_like_a_number() {
    let callback: ViberCallback = serde_json::from_str(
        r#"{"trackingId": "1", "status": "SEEN", "$serde_json::private::Number": "5"}"#,
    )
    .unwrap();
    assert_eq!(
        json!(callback.extra),
        json!({"$serde_json::private::Number": "5"})
    );
}
