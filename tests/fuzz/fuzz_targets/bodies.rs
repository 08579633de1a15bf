//! JSON bodies whose keys and values are mostly those of one kind.
#![no_main]

use std::fmt::Write;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use routee_viber_fuzz::check;
use routee_viber_fuzz::common::fields::{DETAILED_STATUSES, FAILOVER_STATUSES, Model, STATUS_NAMES};
use routee_viber_fuzz::common::{ROOTS, sample};
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

fuzz_target!(|body: (u8, Vec<(Key, Json)>)| {
    let (kind, entries) = body;
    let model = ROOTS[usize::from(kind) % ROOTS.len()].model;
    let mut body = String::new();
    write(&Json::Object(entries), model, &mut body);
    check(body.as_bytes());
    // What is required, first, since a body that lacks it says little.
    let required = model.fields.iter().filter(|field| field.required);
    let required: Vec<_> = required.map(|field| format!("{:?}:{}", field.key, sample(field))).collect();
    let rest = body.strip_prefix('{').unwrap();
    let separator = if rest == "}" || required.is_empty() { "" } else { "," };
    check(format!("{{{}{separator}{rest}", required.join(",")).as_bytes());
});

/// Writes a value by hand, since an object of `serde_json` cannot hold a key twice.
fn write(value: &Json, model: &'static Model, json: &mut String) {
    match value {
        Json::List(items) => {
            json.push('[');
            for (at, item) in items.iter().enumerate() {
                json.push_str(if at == 0 { "" } else { "," });
                write(item, model, json);
            }
            json.push(']');
        }
        Json::Object(entries) => {
            json.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                let (key, inner) = key.resolve(model);
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
        let names = [STATUS_NAMES, DETAILED_STATUSES, FAILOVER_STATUSES, &["viber", "IN-bound"]].concat();
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
    /// The key, and the model of an object under it.
    fn resolve(&self, model: &'static Model) -> (String, &'static Model) {
        let field = |at: &u8| &model.fields[usize::from(*at) % model.fields.len()];
        let inner = |at| field(at).model().unwrap_or(model);
        match self {
            Self::Documented(at) => (field(at).key.to_owned(), inner(at)),
            Self::Upper(at) => (field(at).key.to_uppercase(), inner(at)),
            Self::Other(at) => (field(at).others.first().unwrap_or(&field(at).key).to_string(), inner(at)),
            Self::Any(key) => (key.clone(), model),
        }
    }
}
