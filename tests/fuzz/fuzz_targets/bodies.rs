//! JSON bodies whose keys and values are mostly those of a callback.
#![no_main]

use std::fmt::Write;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use routee_viber_fuzz::check;
use routee_viber_fuzz::oracle::{CALLBACK, DETAILED_STATUSES, Fields, Kind, STATUS_NAMES};
use serde_json::Value;

#[derive(Arbitrary, Debug)]
enum Json {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    NumberText(f64),
    Name(u8),
    Date { seconds: u32, is_number: bool },
    List(Vec<Json>),
    Object(Vec<(Key, Json)>),
}

#[derive(Arbitrary, Debug)]
enum Key {
    Documented(u8),
    Upper(u8),
    Other(u8),
    Any(String),
}

fuzz_target!(|entries: Vec<(Key, Json)>| {
    let mut body = String::new();
    write(&Json::Object(entries), CALLBACK, &mut body);
    // What is required, first, since a body that lacks it says little.
    let required = r#"{"trackingId":"1","status":{"name":"SEEN"}"#;
    let rest = body.strip_prefix('{').unwrap();
    let separator = if rest == "}" { "" } else { "," };
    check(format!("{required}{separator}{rest}").as_bytes());
    check(body.as_bytes());
});

/// Writes a value by hand, since an object of `serde_json` cannot hold a key twice.
fn write(value: &Json, fields: Fields, json: &mut String) {
    match value {
        Json::List(items) => {
            json.push('[');
            for (at, item) in items.iter().enumerate() {
                json.push_str(if at == 0 { "" } else { "," });
                write(item, fields, json);
            }
            json.push(']');
        }
        Json::Object(entries) => {
            json.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                let (key, inner) = key.resolve(fields);
                let separator = if at == 0 { "" } else { "," };
                write!(json, "{separator}{}:", Value::from(key)).unwrap();
                write(value, inner, json);
            }
            json.push('}');
        }
        leaf => write!(json, "{}", leaf.leaf()).unwrap(),
    }
}

impl Json {
    fn leaf(&self) -> Value {
        let names = [
            &STATUS_NAMES[..],
            &DETAILED_STATUSES,
            &["viber", "IN-bound"],
        ]
        .concat();
        match self {
            Self::Bool(value) => Value::from(*value),
            Self::Signed(number) => Value::from(*number),
            Self::Unsigned(number) => Value::from(*number),
            Self::Float(number) => Value::from(*number),
            Self::Text(text) => Value::from(text.as_str()),
            Self::NumberText(number) => Value::from(number.to_string()),
            Self::Name(at) => Value::from(names[usize::from(*at) % names.len()]),
            Self::Date { seconds, is_number } if *is_number => Value::from(*seconds),
            Self::Date { seconds, .. } => {
                let date = chrono::DateTime::from_timestamp((*seconds).into(), 0).unwrap();
                serde_json::json!(date)
            }
            Self::Null | Self::List(_) | Self::Object(_) => Value::Null,
        }
    }
}

impl Key {
    /// The key, and the fields of an object under it.
    fn resolve(&self, fields: Fields) -> (String, Fields) {
        let field = |at: u8| &fields[usize::from(at) % fields.len()];
        let inner = |at| match field(at).2 {
            Kind::Object(fields, _) => fields,
            _ => fields,
        };
        match self {
            Self::Documented(at) => (field(*at).0.to_owned(), inner(*at)),
            Self::Upper(at) => (field(*at).0.to_uppercase(), inner(*at)),
            Self::Other(at) => {
                let (name, others, _) = field(*at);
                (others.first().unwrap_or(name).to_string(), inner(*at))
            }
            Self::Any(key) => (key.clone(), fields),
        }
    }
}
