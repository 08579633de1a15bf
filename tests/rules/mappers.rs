//! Bodies that real JSON mappers of the JVM wrote, each value held against what Java held: a typed value is what was sent,
//! as far as the form shows it that was written, and everything else is in an `extra`.
//!
//! `fixtures/mappers` has a body a line; fixtures/README.md says how they came to be.

use std::collections::BTreeSet;
use std::fs;

use crate::common::fields::{CALLBACK, FAILOVER, INBOUND, Model, TRACKED};
use crate::common::{Payload, oracle};
use chrono::{DateTime, Utc};
use routee_viber::{
    BodyKind, CallbackErrorKind, FailoverCallback, InboundMessage, Incoming, TrackedMessage, TrackingPage,
    ViberCallback,
};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Written {
    writer: String,
    config: String,
    kind: String,
    body: Option<String>,
    hex: Option<String>,
    values: Map<String, Value>,
}

impl Written {
    fn bytes(&self) -> Vec<u8> {
        match (&self.body, &self.hex) {
            (Some(body), _) => body.clone().into_bytes(),
            (None, Some(hex)) => {
                (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..][..2], 16).unwrap()).collect()
            }
            (None, None) => panic!("no body"),
        }
    }
}

/// What Java held.
#[derive(Debug, Deserialize)]
struct Held {
    is: String,
    value: String,
    java: String,
}

fn bodies() -> Vec<Written> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mappers");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let lines = paths.iter().flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Written>>()
    });
    lines.collect()
}

/// What was read of a body: its values as they are written, and the paths of those that are in an `extra`.
struct Read {
    written: Value,
    kept: Map<String, Value>,
}

fn read<P: Payload>(bytes: &[u8]) -> Read {
    let read = P::from_bytes(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)));
    let Value::Object(kept) = read.kept() else { unreachable!() };
    Read { written: serde_json::to_value(&read).unwrap(), kept }
}

/// The body as it came, mended where its text is broken.
fn sent(bytes: &[u8]) -> Map<String, Value> {
    let page = [b"{\"content\":[", bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), b"]}"].concat();
    match TrackingPage::from_slice(&page).unwrap().content.remove(0) {
        Value::Object(sent) => sent,
        other => panic!("{other}"),
    }
}

type IsSoOfBody = fn(&Written, &Map<String, Value>) -> bool;
type IsSoOfValue = fn(&Written, &Held, &Value) -> bool;

/// What is legitimately not read as the kind of its bean, and why.
const OTHER_BODIES: [(&str, IsSoOfBody); 2] = [
    ("a required text that Gson has made a float, which has no one text", |written, sent| {
        written.writer.starts_with("Gson") && sent.get("trackingId").is_some_and(Value::is_f64)
    }),
    ("a reply without text and media says nothing", |written, sent| {
        let is_empty = |key: &str| {
            sent.iter().all(|(name, value)| !name.eq_ignore_ascii_case(key) || value.is_null() || value == "")
        };
        written.kind == "inbound" && is_empty("message") && is_empty("media")
    }),
];

/// What a typed value is legitimately not, and why.
const OTHER_VALUES: [(&str, IsSoOfValue); 3] = [
    ("Java's encoder writes `?` for half of a surrogate pair", |_, held, sent| {
        held.is == "lone" && *sent == held.value.replace('\u{fffd}', "?")
    }),
    ("the pattern `ss.A` writes the millisecond of the day as if it were a fraction", |_, held, _| {
        held.java.contains("ss.A")
    }),
    ("before 1582 Java's old calendar is Julian, and its patterns leave the era out", |_, held, _| {
        held.java.starts_with("pattern") && held.value.parse::<i128>().unwrap() < -12_219_292_800_000_000_000
    }),
];

#[test]
fn every_value_that_a_mapper_wrote_is_true_or_kept() {
    let bodies = bodies();
    assert!(bodies.len() >= 1_000);
    let (mut typed, mut kept) = (0, 0);
    let mut reasons = BTreeSet::new();
    for written in &bodies {
        let bytes = written.bytes();
        let context = format!("{} ({}): {}", written.writer, written.config, String::from_utf8_lossy(&bytes));
        let incoming = match Incoming::from_slice(&bytes) {
            Ok(incoming) => incoming,
            // Gson writes a NaN as one if it is told to.
            Err(error) => {
                assert!(written.config.contains("special") && error.kind() == CallbackErrorKind::Syntax, "{context}");
                continue;
            }
        };
        let sent = sent(&bytes);
        if let Some((reason, _)) = OTHER_BODIES.iter().find(|(_, is_so)| is_so(written, &sent)) {
            assert_eq!(incoming, Incoming::Other(sent), "{reason}: {context}");
            reasons.insert(*reason);
            continue;
        }
        let (kind, model, read) = match written.kind.as_str() {
            "status" => (BodyKind::Status, &CALLBACK, read::<ViberCallback>(&bytes)),
            "inbound" => (BodyKind::Inbound, &INBOUND, read::<InboundMessage>(&bytes)),
            "flow" => (BodyKind::Failover, &FAILOVER, read::<FailoverCallback>(&bytes)),
            // A message of the tracking API has all that a status has.
            "tracked" => (BodyKind::Status, &TRACKED, read::<TrackedMessage>(&bytes)),
            other => panic!("{other}"),
        };
        assert_eq!(incoming.kind(), kind, "{context}");
        oracle::assert_kept(model, &sent, &read.written);
        for (path, held) in &written.values {
            let held = Held::deserialize(held).unwrap();
            let Some((source, value)) = value_at(model, &sent, &read, path) else {
                kept += 1;
                continue;
            };
            typed += 1;
            if let Some((reason, _)) = OTHER_VALUES.iter().find(|(_, is_so)| is_so(written, &held, &source)) {
                reasons.insert(*reason);
                continue;
            }
            assert!(is_true(&held, &source, &value), "{path} = {value}, sent as {source}, was {held:?}\n{context}");
        }
    }
    assert!(typed > 17_000 && kept > 3_000, "{typed} {kept}");
    assert_eq!(reasons.len(), OTHER_BODIES.len() + OTHER_VALUES.len(), "{reasons:?}");
}

/// The value that was sent for the field at that path, and the one that it has; `None` if it has none.
fn value_at(model: &'static Model, sent: &Map<String, Value>, read: &Read, path: &str) -> Option<(Value, Value)> {
    let (mut model, mut source, mut value) = (model, Value::from(sent.clone()), &read.written);
    for step in path.split('.') {
        let (key, place) = step.strip_suffix(']').map_or((step, None), |step| {
            let (key, place) = step.split_once('[').unwrap();
            (key, Some(place.parse::<usize>().unwrap()))
        });
        value = &value[key];
        source = match &source {
            Value::Object(object) => oracle::given(model, object, key)?.clone(),
            // A bare text in the place of an object.
            text if value.is_string() => text.clone(),
            _ => return None,
        };
        if let Some(place) = place {
            (value, source) = (&value[place], source[place].clone());
        }
        if let Some(inner) = model.field(key).unwrap().model() {
            model = inner;
        }
    }
    assert!(!read.kept.contains_key(path) && !value.is_null(), "{path}: {source}");
    Some((source, value.clone()))
}

/// Whether a typed value is what Java held, as far as the form shows it that was sent.
fn is_true(held: &Held, sent: &Value, value: &Value) -> bool {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let number = || value.as_f64() == Some(held.value.parse::<f64>().unwrap());
    match held.is.as_str() {
        "text" | "lone" | "numtext" | "bigtext" | "u32" | "bool" => text == held.value,
        // Of 1E+1 what Jackson writes in plain digits.
        "bdtext" => text.parse::<f64>() == held.value.parse::<f64>(),
        // An enum by its name or by its ordinal.
        "name" => held.value.split('|').any(|name| plain(&text) == name),
        "num" | "ttl" => number(),
        "list" | "oddlist" => {
            let items = value.as_array().unwrap().iter().map(|item| plain(item.as_str().unwrap()));
            items.eq(held.value.split('\u{1}').map(plain))
        }
        // A day alone has no form that is read; one of `java.sql` may be written with its time.
        "date" | "dayonly" => is_date(held, sent, &text),
        // Nothing typed is true.
        "absent" | "boolnum" | "nan" => false,
        other => panic!("{other}"),
    }
}

fn plain(name: &str) -> String {
    name.replace([' ', '_', '-'], "").to_lowercase()
}

/// Whether a date is the instant that Java held: with the digits that were written, in UTC if no zone was.
fn is_date(held: &Held, sent: &Value, date: &str) -> bool {
    let date: DateTime<Utc> = date.parse().unwrap();
    let nanos = i128::from(date.timestamp()) * 1_000_000_000 + i128::from(date.timestamp_subsec_nanos());
    let apart = held.value.parse::<i128>().unwrap() - nanos;
    let (unit, has_zone) = match sent {
        // The fraction of a float is rounded to the microsecond.
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            let unit = if number < 4.1e9 { 1_000_000_000 } else { 1_000_000 };
            (if number.fract() == 0.0 { unit } else { 1_000 }, true)
        }
        Value::Array(items) => match items.get(6) {
            // Of nanoseconds or of milliseconds.
            Some(last) if last == 0 => (1_000_000, false),
            Some(_) => (1, false),
            None => (1_000_000_000, false),
        },
        Value::String(text) if !text.contains(':') => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let unit = if whole.len() == 10 { 1_000_000_000 } else { 1_000_000 };
            ((unit / 10_i128.pow(fraction.len() as u32)).max(1), true)
        }
        Value::String(text) => {
            let (_, time) = text.split_at("2019-07-05T10".len());
            let offset = time.trim_start_matches(|c: char| c.is_ascii_digit() || ":.".contains(c));
            let time = &time[..time.len() - offset.len()];
            let unit = match (time.matches(':').count(), time.split_once('.')) {
                (1, _) => 60_000_000_000,
                (_, None) => 1_000_000_000,
                (_, Some((_, digits))) => 10_i128.pow(9 - digits.len() as u32),
            };
            (unit, !offset.is_empty())
        }
        other => panic!("{other}"),
    };
    let quarter = 900_000_000_000;
    let apart = if has_zone || apart.abs() > 64 * quarter { apart } else { (apart + 64 * quarter) % quarter };
    apart.abs() < unit
}
