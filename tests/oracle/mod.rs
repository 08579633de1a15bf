//! What reading and writing a body must come to, worked out from the documented rules alone: it shares
//! no code with the crate, and looks at nothing but the JSON that was sent and the JSON that was written.

#![allow(dead_code, reason = "each user takes a part")]

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde_json::{Map, Value, json};

/// The documented key of each field, the other spellings beyond its case, and what the field takes.
pub type Fields = &'static [(&'static str, &'static [&'static str], Kind)];

pub enum Kind {
    Text,
    Name(&'static [&'static str]),
    Groups,
    Ttl,
    Number,
    Date,
    /// An object; a bare text there is the field `bare` of it.
    Object(Fields, Option<&'static str>),
}
use Kind::{Date, Groups, Name, Number, Object, Text};

pub const CALLBACK: Fields = &[
    ("trackingId", &[], Text),
    ("campaignTrackingId", &[], Text),
    ("to", &[], Text),
    ("from", &[], Text),
    ("groups", &[], Groups),
    ("country", &[], Text),
    ("status", &[], Object(STATUS, Some("name"))),
    ("body", &[], Object(BODY, None)),
    ("ttl", &[], Kind::Ttl),
    ("label", &[], Text),
    ("inboundUrl", &[], Text),
    ("applicationName", &[], Text),
    ("price", &[], Number),
    ("direction", &[], Name(&["Outbound", "Inbound"])),
    ("originatingService", &[], Name(&["Viber", "Sms", "Failover"])),
    ("createdAt", &[], Date),
];

const STATUS: Fields = &[
    ("name", &["status"], Name(&STATUS_NAMES)),
    ("reason", &[], Object(REASON, Some("detailedStatus"))),
    ("updatedDate", &["date"], Date),
];

pub const STATUS_NAMES: [&str; 7] = ["QUEUED", "DELIVERED", "SEEN", "UNDELIVERED", "EXPIRED", "FAILED", "UNSENT"];

const REASON: Fields = &[("detailedStatus", &[], Name(&DETAILED_STATUSES)), ("description", &[], Text)];

pub const DETAILED_STATUSES: [&str; 8] = [
    "Not Viber User",
    "Opted Out",
    "System Failure",
    "Message Rejected",
    "Timed Out",
    "Unsupported Equipment",
    "TTL Expired",
    "Delivered",
];

const BODY: Fields = &[
    ("text", &[], Text),
    ("iosFallbackText", &[], Text),
    ("imageURL", &[], Text),
    ("viberAction", &["action"], Object(&[("caption", &[], Text), ("targetUrl", &[], Text)], None)),
    ("viberFile", &[], Object(&[("fileName", &[], Text), ("fileType", &[], Text), ("fileUrl", &[], Text)], None)),
    (
        "viberVideo",
        &[],
        Object(
            &[
                ("videoURL", &[], Text),
                ("videoThumbnail", &[], Text),
                ("fileSize", &[], Number),
                ("duration", &[], Number),
            ],
            None,
        ),
    ),
];

/// The path of a required part that a body lacks.
pub fn missing(body: &Map<String, Value>) -> Option<&'static str> {
    if given(CALLBACK, body, "trackingId").is_none() {
        return Some("trackingId");
    }
    let has_name = match given(CALLBACK, body, "status") {
        Some(Value::Object(status)) => given(STATUS, status, "name").is_some(),
        bare => bare.is_some(),
    };
    (!has_name).then_some("status.name")
}

/// The value that a field is read from: that of the documented key, wherever there is one.
fn given<'a>(fields: Fields, object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let (_, _, kind) = fields.iter().find(|(name, ..)| *name == key)?;
    if let Some(value) = object.get(key).filter(|value| !is_nothing(kind, value)) {
        return can_take(kind, value).then_some(value);
    }
    let mut others: Vec<_> =
        object.iter().filter(|(name, value)| documented(fields, name) == Some(key) && can_take(kind, value)).collect();
    others.sort_by_key(|(name, _)| *name);
    others.first().map(|(_, value)| *value)
}

/// Fails unless `written` holds everything that was sent, and nothing that was not.
pub fn assert_kept(sent: &Map<String, Value>, written: &Value) {
    let is_kept = written.as_object().is_some_and(|written| is_object_kept(CALLBACK, sent, written));
    assert!(is_kept, "sent    {}\nwritten {written}", Value::from(sent.clone()));
}

fn is_object_kept(fields: Fields, sent: &Map<String, Value>, written: &Map<String, Value>) -> bool {
    let is_kept = |(key, value): (&String, &Value)| match field(fields, key) {
        None => written.get(key) == Some(value),
        Some((_, kind)) if is_nothing(kind, value) => true,
        Some((name, kind)) if name == key => {
            written.get(key).is_some_and(|written| is_value_kept(kind, value, written))
        }
        Some((name, kind)) => {
            let as_field = written.get(name);
            written.get(key) == Some(value) || as_field.is_some_and(|written| is_value_kept(kind, value, written))
        }
    };
    let is_sent = |(key, value): (&String, &Value)| {
        sent.iter().any(|(other, sent)| {
            (key == other && sent == value)
                || field(fields, other).is_some_and(|(name, kind)| name == key && is_value_kept(kind, sent, value))
        })
    };
    sent.iter().all(is_kept) && written.iter().all(is_sent)
}

/// Whether a value is written in the normal form of its field, or as it came where there is none.
fn is_value_kept(kind: &Kind, sent: &Value, written: &Value) -> bool {
    match (kind, sent) {
        (Object(fields, _), Value::Object(sent)) => {
            written.as_object().is_some_and(|written| is_object_kept(fields, sent, written))
        }
        _ => normal(kind, sent).as_ref().unwrap_or(sent) == written,
    }
}

/// What is the same as an absent field; so is a status with nothing in it.
fn is_nothing(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) => true,
        (_, Value::String(text)) => text.is_empty(),
        (Groups, Value::Array(items)) => items.is_empty(),
        (Object(fields, Some("name")), Value::Object(status)) => {
            status.iter().all(|(key, value)| field(fields, key).is_some_and(|(_, kind)| is_nothing(kind, value)))
        }
        _ => false,
    }
}

fn can_take(kind: &Kind, value: &Value) -> bool {
    !is_nothing(kind, value)
        && match kind {
            Object(..) if value.is_object() => true,
            _ => normal(kind, value).is_some(),
        }
}

fn field(fields: Fields, key: &str) -> Option<(&'static str, &'static Kind)> {
    fields
        .iter()
        .find(|(name, others, _)| {
            key.eq_ignore_ascii_case(name) || others.iter().any(|other| key.eq_ignore_ascii_case(other))
        })
        .map(|(name, _, kind)| (*name, kind))
}

fn documented(fields: Fields, key: &str) -> Option<&'static str> {
    field(fields, key).map(|(name, _)| name)
}

/// How a value is written that a field can take.
fn normal(kind: &Kind, sent: &Value) -> Option<Value> {
    match kind {
        Text => text(sent).map(Value::from),
        Name(names) => text(sent).map(|text| Value::from(spelled(names, &text))),
        Groups => match sent {
            Value::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>().map(Value::from),
            one => text(one).map(|text| json!([text])),
        },
        Kind::Ttl => number(sent)
            .filter(|seconds| seconds.fract() == 0.0)
            .filter(|seconds| (30.0..=86_400.0).contains(seconds) || *seconds == 1_209_600.0)
            .map(|seconds| Value::from(seconds as u32)),
        Number => number(sent).filter(|value| whole(sent).is_none_or(|whole| *value as i128 == whole)).map(Value::from),
        Date => date(sent).map(|date| json!(date)),
        Object(fields, bare) => {
            let (_, kind) = field(fields, (*bare)?)?;
            let value = normal(kind, sent).filter(|_| sent.is_string())?;
            Some(json!({(*bare)?: value}))
        }
    }
}

fn text(sent: &Value) -> Option<String> {
    match sent {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => {
            let text = number.to_string();
            (!text.contains(['.', 'e', 'E'])).then_some(text)
        }
        _ => None,
    }
}

/// The documented spelling of a name, or the name as it came.
fn spelled<'a>(names: &[&'a str], sent: &'a str) -> &'a str {
    let plain = |name: &str| name.replace([' ', '_', '-'], "").to_ascii_lowercase();
    let known = names.iter().find(|name| plain(name) == plain(sent));
    known.copied().unwrap_or(sent)
}

/// A number, or one in a string, as the nearest float.
fn number(sent: &Value) -> Option<f64> {
    let value = match sent {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => {
            let is_trimmed = text.trim() == text;
            let is_number = serde_json::from_str::<Value>(text).is_ok_and(|it| it.is_number());
            (is_trimmed && is_number).then(|| text.parse().ok())??
        }
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// A number without a point or an exponent, or one in a string, up to 64 bits as `serde_json` has them.
fn whole(sent: &Value) -> Option<i128> {
    let text = match sent {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let whole = text.parse().ok()?;
    (i64::MIN.into()..=u64::MAX.into()).contains(&whole).then_some(whole)
}

fn date(sent: &Value) -> Option<DateTime<Utc>> {
    if sent.is_number() {
        return DateTime::from_timestamp_micros(epoch_micros(sent)?);
    }
    let (seconds, rest) = sent.as_str()?.split_at_checked("2019-07-05T10:28:49".len())?;
    let offset = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let fraction = &rest[..rest.len() - offset.len()];
    let offset = match offset.len() {
        0 => "Z".to_owned(),
        5 if offset.is_ascii() => format!("{}:{}", &offset[..3], &offset[3..]),
        _ => offset.to_owned(),
    };
    let date = DateTime::parse_from_rfc3339(&format!("{seconds}{fraction}{offset}")).ok()?;
    let date = date.to_utc();
    let is_leap_second = date.nanosecond() >= 1_000_000_000;
    let has_documented_form = fraction.len() <= ".123456789".len()
        && (0..=9999).contains(&date.year())
        && (!is_leap_second || (date.hour(), date.minute()) == (23, 59));
    has_documented_form.then_some(date)
}

/// A number of epoch seconds or milliseconds as microseconds, by way of its decimal digits.
fn epoch_micros(sent: &Value) -> Option<i64> {
    let value = sent.as_f64()?;
    let digits = match value {
        _ if (1e9..1e11).contains(&value) => 6,
        _ if (1e12..1e14).contains(&value) => 3,
        _ => return None,
    };
    let exact = format!("{value:.30}");
    let (whole, fraction) = exact.split_once('.')?;
    let (kept, rest) = fraction.split_at(digits);
    let micros: i64 = format!("{whole}{kept}").parse().ok()?;
    Some(if rest.starts_with(|digit| digit >= '5') { micros + 1 } else { micros })
}
