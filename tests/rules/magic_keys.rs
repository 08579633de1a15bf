//! The keys that `serde_json` uses inside itself are keys like any other.

use std::thread;

use crate::common::{self, Payload, has_arbitrary_precision, places, read};
use routee_viber::{FailoverCallback, Incoming, ViberCallback};
use serde_json::{Value, json};

const KEYS: [&str; 2] = ["$serde_json::private::RawValue", "$serde_json::private::Number"];

/// `serde_json` would make something else of these objects, so that the bodies are texts.
fn read_text(body: &str) -> ViberCallback {
    let callback = common::try_read::<ViberCallback>(body).unwrap();
    let written = serde_json::to_string(&callback).unwrap();
    assert_eq!(ViberCallback::from_slice(written.as_bytes()).as_ref(), Ok(&callback), "{written}");
    callback
}

#[test]
fn an_object_with_such_a_key_is_an_object() {
    for key in KEYS {
        for object in [
            format!(r#"{{"{key}":[5]}}"#),
            format!(r#"{{"{key}":"abc"}}"#),
            format!(r#"{{"{key}":"{{}} x"}}"#),
            format!(r#"{{"{key}":null}}"#),
            format!(r#"{{"{key}":"5","x":1}}"#),
            format!(r#"{{"a":1,"{key}":"abc"}}"#),
            format!(r#"{{"a":1,"{key}":"5"}}"#),
            format!(r#"{{"{key}":{{"{key}":{{}}}}}}"#),
            format!(r#"[{{"{key}":"abc"}}]"#),
        ] {
            for field in ["x", "to", "ttl", "groups", "createdAt", "body", "status.reason"] {
                let body = match field.strip_prefix("status.") {
                    Some(field) => format!(r#"{{"trackingId":"1","status":{{"name":"SEEN","{field}":{object}}}}}"#),
                    None => format!(r#"{{"trackingId":"1","status":{{"name":"SEEN"}},"{field}":{object}}}"#),
                };
                let callback = read_text(&body);
                let written = serde_json::to_string(&callback).unwrap();
                assert_eq!(written.len(), body.len(), "{written} for {body}");
                assert!(callback.extras().count() > 0, "{body}");
            }
        }
    }
}

/// The one exception is the number key alone, with the text of a number, under `arbitrary_precision`.
#[test]
fn the_text_of_a_number_under_the_number_key() {
    let [raw, number] = KEYS;
    let body = format!(r#"{{"trackingId":"1","status":"SEEN","x":{{"{number}":"5"}},"to":{{"{raw}":"5"}}}}"#);
    let callback = read_text(&body);
    assert_eq!(callback.to, None);
    assert!(callback.extra["to"].is_object());
    if !has_arbitrary_precision() {
        assert!(callback.extra["x"].is_object());
    }
}

/// A key without a value is the same as none, and of a key that stands twice the last value stays.
#[test]
fn what_counts_as_the_number_key_alone() {
    let [_, number] = KEYS;
    for (fields, is_alone) in [
        (r#""body":{"NUMBER":"1","text":null}"#, true),
        (r#""body":{"text":"","NUMBER":"1"}"#, true),
        (r#""body":{"NUMBER":"1","TEXT":null}"#, true),
        (r#""x":{"NUMBER":"a","NUMBER":"1"}"#, true),
        (r#""BODY":[{"NUMBER":"a","NUMBER":"1"}]"#, true),
        (r#""BODY":{"x":{"NUMBER":"1","NUMBER":"a"}}"#, false),
        (r#""body":{},"BODY":{"x":{"NUMBER":"a","NUMBER":"1"}}"#, true),
    ] {
        let body = format!(r#"{{"trackingId":"1","status":"SEEN",{fields}}}"#).replace("NUMBER", number);
        let callback = read_text(&body);
        assert!(callback.extras().count() > 0, "{body}");
        let is_number = !serde_json::to_string(&callback).unwrap().contains(number);
        assert_eq!(is_number, is_alone && has_arbitrary_precision(), "{body}");
    }
    let body = format!(r#"{{"x":{{"{number}":"a","{number}":"1"}}}}"#);
    let incoming: Incoming = body.parse().unwrap();
    let Incoming::Other(other) = &incoming else { panic!("{incoming:?}") };
    assert_eq!(other["x"].is_number(), has_arbitrary_precision());
    assert_eq!(serde_json::to_string(&incoming).unwrap().parse(), Ok(incoming));
}

#[test]
fn such_a_key_of_a_modelled_object_is_an_unknown_field() {
    for place in places() {
        for key in KEYS {
            let value = common::sample(place.field);
            for entries in
                [[(key, &json!("5")), (place.field.key, &value)], [(place.field.key, &value), (key, &json!("5"))]]
            {
                let body = place.text_with(&entries);
                let read = place.root.read_text(&body).unwrap();
                assert_eq!(read.kept, json!({place.path_of(key): "5"}), "{body}");
            }
        }
    }
}

#[test]
fn such_a_key_twice_is_a_duplicate() {
    for key in KEYS {
        let body = format!(r#"{{"trackingId":"1","status":"SEEN","{key}":1,"{key}":2}}"#);
        let error = common::try_read::<ViberCallback>(&body).unwrap_err();
        assert_eq!(common::what(&error), format!("`{key}` is given twice"));
    }
}

#[test]
fn nested_objects_with_such_a_key_meet_the_limit_on_a_small_stack() {
    let check = || {
        for key in KEYS {
            let escaped = (0..).scan("0".to_owned(), |inner, _| {
                let next = json!({key: inner.as_str()}).to_string();
                Some(std::mem::replace(inner, next))
            });
            let by_text = escaped.take_while(|text| text.len() < 11_000).last().unwrap();
            let nested = format!(r#"{{"{key}":"#).repeat(300) + "0" + &"}".repeat(300);
            let shallow = format!(r#"{{"{key}":"#).repeat(100) + "0" + &"}".repeat(100);
            for (value, is_read) in [(by_text, true), (nested, false), (shallow, true)] {
                for entry in ["x", "to", "body", "messages"] {
                    let body = format!(r#"{{"trackingId":"1","from":"2","status":"Failed","{entry}":{value}}}"#);
                    let read = ViberCallback::from_slice(body.as_bytes());
                    // An object in `messages` makes it a flow.
                    let is_flow = entry == "messages" && read.as_ref().is_err_and(|error| error.body_kind().is_some());
                    assert_eq!(read.is_ok() || is_flow, is_read, "{read:?}");
                    if let Ok(callback) = &read {
                        let written = serde_json::to_vec(callback).unwrap();
                        assert_eq!(ViberCallback::from_slice(&written).as_ref(), Ok(callback));
                    }
                    assert_eq!(FailoverCallback::from_slice(body.as_bytes()).is_ok(), is_read);
                    assert_eq!(Incoming::from_slice(body.as_bytes()).is_ok(), is_read);
                    assert_eq!(serde_json::from_str::<ViberCallback>(&body).is_ok(), read.is_ok());
                    assert_eq!(serde_json::from_str::<Incoming>(&body).is_ok(), is_read);
                }
            }
        }
    };
    thread::Builder::new().stack_size(2 << 20).spawn(check).unwrap().join().unwrap();
}

#[test]
fn the_raw_value_key_round_trips_as_it_came() {
    let body = r#"{"trackingId":"1","status":{"name":"SEEN"},"x":{"a":1,"$serde_json::private::RawValue":"abc"}}"#;
    let written = serde_json::to_string(&read_text(body)).unwrap();
    let has_both = written.contains(r#""a":1"#) && written.contains(r#""$serde_json::private::RawValue":"abc""#);
    assert!(has_both && written.len() == body.len(), "{written}");
}

#[test]
fn incoming_keeps_such_a_key() {
    for key in KEYS {
        let body = format!(r#"{{"shortUrl":{{"{key}":"abc"}},"{key}":"5"}}"#);
        let Ok(Incoming::Other(other)) = body.parse() else { panic!("{body}") };
        assert_eq!((other.len(), other[key].as_str()), (2, Some("5")));
        assert_eq!(serde_json::from_str::<Incoming>(&body).unwrap(), Incoming::Other(other.clone()));
        let written = serde_json::to_string(&Incoming::Other(other)).unwrap();
        assert_eq!(written.len(), body.len(), "{written}");
    }
}

#[test]
fn numbers_are_read_as_without_any_feature() {
    let with = |key: &str, number: &str| format!(r#"{{"trackingId":"1","status":"SEEN","{key}":{number}}}"#);
    for (number, to, price) in [
        ("5", Some("5"), Some(5.0)),
        ("-7", Some("-7"), Some(-7.0)),
        ("5.0", None, Some(5.0)),
        ("-0", None, Some(-0.0)),
        ("18446744073709551615", Some("18446744073709551615"), None),
        ("18446744073709551616", None, Some(18_446_744_073_709_551_616.0)),
        ("0.1000000000000000055511151231257827", None, Some(0.1)),
        ("1e-400", None, Some(0.0)),
    ] {
        let callback = read_text(&with("to", number));
        assert_eq!(callback.to.as_deref(), to, "{number}");
        assert_eq!(callback.extra.get("to").is_some(), to.is_none(), "{number}");
        assert_eq!(read_text(&with("price", number)).price, price, "{number}");
        let step = format!(r#"{{"trackingId":"1","status":"Failed","messages":[{{"order":{number}}}]}}"#);
        let step = common::try_read::<FailoverCallback>(&step).unwrap().messages.remove(0);
        let order = match number {
            "5" | "5.0" => Some(5),
            "-0" | "1e-400" => Some(0),
            _ => None,
        };
        assert_eq!((step.order, step.extra.is_empty()), (order, order.is_some()), "{number}");
    }
    for key in ["to", "ttl", "price", "createdAt", "body", "unknown"] {
        let body = with(key, "1e400");
        let callback = serde_json::from_str::<ViberCallback>(&body);
        if has_arbitrary_precision() {
            let number: Value = serde_json::from_str("1e400").unwrap();
            assert_eq!(callback.unwrap().extra[key], number);
        } else {
            let column = body.len() - 1;
            assert_eq!(callback.unwrap_err().to_string(), format!("number out of range at line 1 column {column}"));
        }
    }
    let body = json!({"trackingId": "1", "status": "SEEN", "x": 1.5, "y": [u64::MAX]});
    assert_eq!(read::<ViberCallback>(&body).kept(), json!({"x": 1.5, "y": [u64::MAX]}));
}
