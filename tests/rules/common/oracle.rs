//! What reading and writing a body must come to, worked out from the documented rules alone: it shares
//! no code with the crate (but the names of the kinds), and looks at nothing but the JSON that was sent and the JSON that was written.
//!
//! It stands beside `common/fields.rs`, whose table it reads by.

#![allow(dead_code, reason = "each user takes a part")]

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use routee_viber::BodyKind;
use serde_json::{Map, Value, json};

use super::fields::Kind::{self, Bool, Date, Float, Name, Names, Object, Objects, Text, Texts, U32, U64, Values};
use super::fields::{CALLBACK, FAILOVER, Field, INBOUND, Model, STATUS};

/// Which kind a body is by its marks; `None` if it is a Viber status that has what that requires, or nothing known.
pub fn marked_kind(body: &Map<String, Value>) -> Option<BodyKind> {
    let has = |key: &str| is_present(body, key);
    let count = |keys: &[&str]| keys.iter().filter(|key| has(key)).count();
    let is_called = |key: &str, name: &str| {
        spelled(body, key).any(|value| value.as_str().is_some_and(|text| plain(text) == plain(name)))
    };
    let status = status_of(body);
    let inner = status.and_then(Value::as_object);
    let is_text = status.is_some_and(|status| text(status).is_some());
    let is_named = inner.is_some_and(|inner| missing(&STATUS, inner).is_none());
    let in_status = |key: &str| inner.is_some_and(|inner| is_present(inner, key));
    let has_steps = spelled(body, "messages").any(|messages| {
        let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let deeper = items(messages).iter().flat_map(items).collect::<Vec<_>>();
        messages.is_object() || items(messages).iter().chain(&deeper).any(Value::is_object)
    });

    let is_flow_with_steps = has_steps && status.is_some() && !is_named;
    let is_reply = count(&["trackingId", "messageId", "status", "event"]) == 0
        && has("from")
        && count(&["message", "media"]) > 0
        && (count(&["referenceTrackingId", "sentDate"]) > 0 || is_called("direction", "Inbound"));
    let is_email = in_status("dateTime") && (in_status("final") || in_status("delivered"));
    let marks_of_a_flow =
        count(&["terminationChannel", "totalPrice", "flowKind", "statusCode", "applicationId", "updatedAt"])
            + usize::from(is_text)
            + usize::from(is_called("originatingService", "Failover"));
    let is_flow_without_steps = marks_of_a_flow >= 2 && count(&["to", "from", "body"]) == 0 && !is_named;
    [
        (BodyKind::Failover, is_flow_with_steps),
        (BodyKind::Inbound, is_reply),
        (BodyKind::TwoStepVerification, count(&["recipient", "applicationId"]) == 2),
        (BodyKind::FailoverOtp, count(&["steps", "flowId"]) == 2),
        (BodyKind::SmsCampaign, count(&["campaignStatus", "messageStatuses"]) == 2),
        (BodyKind::Email, is_email),
        (BodyKind::TwoStepVerification, is_text && has("recipient")),
        (BodyKind::Other, is_text && count(&["messageId", "event"]) > 0),
        (BodyKind::Failover, is_flow_without_steps),
    ]
    .into_iter()
    .find_map(|(kind, is_it)| is_it.then_some(kind))
}

/// What `Incoming` reads a body as; what lacks what its kind requires is another kind of body.
pub fn read_kind(body: &Map<String, Value>) -> BodyKind {
    let (kind, model) = match marked_kind(body) {
        Some(BodyKind::Failover) => (BodyKind::Failover, &FAILOVER),
        Some(BodyKind::Inbound) => (BodyKind::Inbound, &INBOUND),
        Some(_) => return BodyKind::Other,
        None => (BodyKind::Status, &CALLBACK),
    };
    if missing(model, body).is_none() { kind } else { BodyKind::Other }
}

/// What a body is that no Viber status can be.
pub fn foreign_kind(body: &Map<String, Value>) -> Option<BodyKind> {
    marked_kind(body).filter(|kind| *kind != BodyKind::Inbound)
}

/// The status of a body: the one that is read, or would be if it had a readable name.
fn status_of(body: &Map<String, Value>) -> Option<&Value> {
    let is_there = |value: &&Value| !is_nothing(&Text, value);
    let first = || {
        body.iter()
            .filter(|(key, value)| key.eq_ignore_ascii_case("status") && is_there(value))
            .min_by_key(|(key, _)| *key)
    };
    let documented = body.get("status").filter(is_there);
    documented.or_else(|| given(&CALLBACK, body, "status")).or_else(|| first().map(|(_, status)| status))
}

/// The values of a key in any case.
fn spelled<'a>(object: &'a Map<String, Value>, key: &'a str) -> impl Iterator<Item = &'a Value> {
    object.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

fn is_present(object: &Map<String, Value>, key: &str) -> bool {
    spelled(object, key).any(|value| !value.is_null() && value != "")
}

/// The path of a required part that an object lacks.
pub fn missing(model: &Model, object: &Map<String, Value>) -> Option<String> {
    let lacking = |field: &&Field| field.required && given(model, object, field.key).is_none();
    model.fields.iter().find(lacking).map(deepest)
}

/// The path of a required field, or of what is required in it.
fn deepest(field: &Field) -> String {
    let inner = field.model().and_then(|model| model.fields.iter().find(|field| field.required));
    inner.map_or(field.key.to_owned(), |inner| format!("{}.{}", field.key, deepest(inner)))
}

/// The value that a field is read from: that of the documented key, if there is one, in its exact case or else in another,
/// and else that of another spelling.
pub fn given<'a>(model: &Model, object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let field = model.field(key)?;
    if let Some(value) = object.get(key).filter(|value| !is_nothing(&field.kind, value)) {
        return can_take(&field.kind, value).then_some(value);
    }
    let spelled = |is_documented: bool| {
        let mut all: Vec<_> = object
            .iter()
            .filter(|(name, value)| field.has_key(name) && !is_nothing(&field.kind, value))
            .filter(|(name, _)| name.eq_ignore_ascii_case(field.key) == is_documented)
            .collect();
        all.sort_by_key(|(name, _)| *name);
        all
    };
    let documented = spelled(true);
    let candidates = if documented.is_empty() { spelled(false) } else { documented };
    candidates.into_iter().map(|(_, value)| value).find(|value| can_take(&field.kind, value))
}

/// Fails unless `written` holds everything that was sent, and nothing that was not.
pub fn assert_kept(model: &Model, sent: &Map<String, Value>, written: &Value) {
    let is_kept = written.as_object().is_some_and(|written| is_object_kept(model, sent, written));
    assert!(is_kept, "{}\nsent    {}\nwritten {written}", model.name, Value::from(sent.clone()));
}

fn is_object_kept(model: &Model, sent: &Map<String, Value>, written: &Map<String, Value>) -> bool {
    let is_kept = |(key, value): (&String, &Value)| match model.field(key) {
        None => written.get(key) == Some(value),
        Some(field) if is_nothing(&field.kind, value) => true,
        Some(field) => {
            let is_read = |written| is_value_kept(&field.kind, value, written);
            (field.key != key && written.get(key) == Some(value)) || written.get(field.key).is_some_and(is_read)
        }
    };
    let is_sent = |(key, value): (&String, &Value)| {
        let is_source = |(name, sent): (&String, &Value)| {
            (key == name && sent == value)
                || model.field(name).is_some_and(|field| field.key == key && is_value_kept(&field.kind, sent, value))
        };
        sent.iter().any(is_source)
    };
    sent.iter().all(is_kept) && written.iter().all(is_sent)
}

/// Whether a value is written in the normal form of its field, or as it came if it has none.
fn is_value_kept(kind: &Kind, sent: &Value, written: &Value) -> bool {
    let is_object = |model, sent: &Value, written: &Value| match (sent, written) {
        (Value::Object(sent), Value::Object(written)) => is_object_kept(model, sent, written),
        _ => false,
    };
    match (kind, sent, written) {
        (Object(model, _), Value::Object(_), _) if can_take(kind, sent) => is_object(model, sent, written),
        (Objects(model), Value::Array(sent), Value::Array(written)) => {
            let is_readable = sent.len() <= 1000 && sent.iter().all(Value::is_object);
            let is_kept = |(sent, written): (&Value, &Value)| match is_readable {
                true => is_object(model, sent, written),
                false => sent == written,
            };
            sent.len() == written.len() && sent.iter().zip(written).all(is_kept)
        }
        _ => normal(kind, sent).as_ref().unwrap_or(sent) == written,
    }
}

/// What is the same as an absent field.
fn is_nothing(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) => true,
        (_, Value::String(text)) => text.is_empty(),
        (Texts | Names(_) | Objects(_) | Values, Value::Array(items)) => items.is_empty(),
        _ => false,
    }
}

fn can_take(kind: &Kind, value: &Value) -> bool {
    !is_nothing(kind, value)
        && match (kind, value) {
            (Object(model, _), Value::Object(object)) => missing(model, object).is_none(),
            (Objects(_), Value::Array(items)) => items.len() <= 1000 && items.iter().all(Value::is_object),
            _ => normal(kind, value).is_some(),
        }
}

/// How a value is written that a field can take, objects aside.
fn normal(kind: &Kind, sent: &Value) -> Option<Value> {
    match kind {
        Text => text(sent).map(Value::from),
        Name(names) => text(sent).map(|text| Value::from(respelled(names, &text))),
        Texts => list(sent, |item| text(item).map(Value::from)),
        Names(names) => list(sent, |item| normal(&Name(names), item)),
        Kind::Ttl => whole_even_with_a_fraction(sent)
            .filter(|seconds| (30..=86_400).contains(seconds) || *seconds == 1_209_600)
            .map(|seconds| Value::from(seconds as u32)),
        Float => float(sent).map(Value::from),
        Bool => match sent {
            Value::Bool(value) => Some(json!(value)),
            Value::String(text) => text.to_ascii_lowercase().parse::<bool>().ok().map(Value::from),
            _ => None,
        },
        U32 => count(sent).and_then(|count| u32::try_from(count).ok()).map(Value::from),
        U64 => count(sent).map(Value::from),
        Date => date(sent).map(|date| json!(date)),
        Object(model, bare) => {
            let field = model.field((*bare)?)?;
            sent.is_string().then(|| normal(&field.kind, sent)).flatten().map(|value| json!({field.key: value}))
        }
        Values => sent.as_array().map(|items| json!(items)),
        Objects(_) => None,
    }
}

fn list(sent: &Value, item: impl Fn(&Value) -> Option<Value>) -> Option<Value> {
    match sent {
        Value::Array(items) => items.iter().map(item).collect::<Option<Vec<_>>>().map(Value::from),
        one => item(one).map(|one| json!([one])),
    }
}

/// A value as it is held: numbers that 64 bits or an `f64` hold are those, whatever `arbitrary_precision` makes of them.
pub fn held(sent: &Value) -> Value {
    match sent {
        Value::Number(number) if whole(sent).is_none() => {
            float(&Value::from(number.to_string())).map_or_else(|| sent.clone(), Value::from)
        }
        Value::Array(items) => items.iter().map(held).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), held(value))).collect(),
        _ => sent.clone(),
    }
}

fn text(sent: &Value) -> Option<String> {
    match sent {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(_) => whole(sent).map(|whole| whole.to_string()),
        _ => None,
    }
}

/// The documented spelling of a name, or the name as it came.
fn respelled<'a>(names: &[&'a str], sent: &'a str) -> &'a str {
    let known = names.iter().find(|name| plain(name) == plain(sent));
    known.copied().unwrap_or(sent)
}

/// What two spellings of a name have in common.
fn plain(name: &str) -> String {
    name.replace([' ', '_', '-'], "").to_ascii_lowercase()
}

/// A number without a point or an exponent of up to 64 bits, or one in a string.
fn whole(sent: &Value) -> Option<i128> {
    let text = match sent {
        // Zero has no sign, so that this is none.
        Value::Number(number) if number.to_string() == "-0" => return None,
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    // A whole number has no negative zero.
    Decimal::of(&text).filter(|_| !text.contains(['.', 'e', 'E']) && text != "-0")?;
    let whole = text.parse().ok()?;
    (i64::MIN.into()..=u64::MAX.into()).contains(&whole).then_some(whole)
}

/// A whole number that is not negative, also with a fraction of zeros or an exponent as long as a float holds it exactly.
fn count(sent: &Value) -> Option<u64> {
    let whole = whole(sent).or_else(|| whole_even_with_a_fraction(sent).filter(|whole| *whole < 1 << 53));
    whole?.try_into().ok()
}

fn whole_even_with_a_fraction(sent: &Value) -> Option<i128> {
    let decimal = match sent {
        Value::Number(number) => Decimal::of(&format!("{:e}", number.as_f64()?))?,
        Value::String(text) => Decimal::of(text)?,
        _ => return None,
    };
    let zeros = usize::try_from(decimal.exponent).ok().filter(|zeros| *zeros < 20)?;
    // The first zero for a number that has no other digit.
    format!("{}0{}{}", if decimal.is_negative { "-" } else { "" }, decimal.digits, "0".repeat(zeros)).parse().ok()
}

/// A number, or one in a string, as the float that holds it.
fn float(sent: &Value) -> Option<f64> {
    let value = match sent {
        Value::Number(number) => {
            number.as_f64().filter(|value| whole(sent).is_none_or(|whole| *value as i128 == whole))?
        }
        Value::String(text) => {
            let sent = Decimal::of(text)?;
            let value: f64 = text.parse().ok()?;
            Some(value).filter(|_| Decimal::of(&format!("{value:e}")) == Some(sent))?
        }
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// A number in JSON's grammar, `digits` times ten to the `exponent`, without zeros at either end.
#[derive(Debug, PartialEq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = is_digits(whole)
            && is_digits(fraction)
            && is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
            && (whole == "0" || !whole.starts_with('0'));
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_matches('0');
        let zeros = digits.len() - digits.trim_end_matches('0').len();
        let exponent: i64 = if significant.is_empty() { 0 } else { exponent.parse().ok()? };
        let shift = if significant.is_empty() { 0 } else { zeros as i64 - fraction.len() as i64 };
        let is_negative = unsigned.len() < text.len();
        is_number.then(|| Self { is_negative, digits: significant.to_owned(), exponent: exponent + shift })
    }

    /// Epoch seconds or milliseconds of the years that they are read in, as whole units of 10 to the power of `-places`
    /// seconds, rounded half up.
    fn epoch(&self, places: i64) -> Option<i64> {
        let length = match self.digits.len() as i64 + self.exponent {
            10 => 10 + places,
            13 => 10 + places,
            _ => return None,
        };
        let digits = format!("{}{}", self.digits, "0".repeat(25));
        let (kept, rest) = digits.split_at(usize::try_from(length).ok()?);
        let units: i64 = kept.parse().ok().filter(|_| !self.is_negative && digits.as_str() < "41")?;
        Some(if rest.starts_with(|digit| digit >= '5') { units + 1 } else { units })
    }
}

fn date(sent: &Value) -> Option<DateTime<Utc>> {
    match sent {
        Value::Number(number) => {
            let exact = format!("{:.30}", number.as_f64()?);
            DateTime::from_timestamp_micros(Decimal::of(&exact)?.epoch(6)?)
        }
        Value::String(text) => match Decimal::of(text) {
            Some(number) => Some(DateTime::from_timestamp_nanos(number.epoch(9)?)),
            None => date_of_text(text),
        },
        Value::Array(items) => date_of_list(items),
        _ => None,
    }
}

fn date_of_list(items: &[Value]) -> Option<DateTime<Utc>> {
    let items: Vec<_> = items.iter().map(|item| whole(item).filter(|_| item.is_number())).collect::<Option<_>>()?;
    (5..=7).contains(&items.len()).then_some(())?;
    let at = |index: usize| u32::try_from(items.get(index).copied().unwrap_or(0)).ok();
    let year = i32::try_from(items[0]).ok().filter(|year| (0..=9999).contains(year))?;
    let day = NaiveDate::from_ymd_opt(year, at(1)?, at(2)?)?;
    let nanos = at(6)?;
    // From 1 to 999 they may be milliseconds.
    (nanos == 0 || (1_000..1_000_000_000).contains(&nanos)).then_some(())?;
    Some(day.and_hms_nano_opt(at(3)?, at(4)?, at(5)?, nanos)?.and_utc())
}

fn date_of_text(text: &str) -> Option<DateTime<Utc>> {
    let (text, zone) = match text.split_once('[') {
        Some((text, zone)) => (text, Some(zone.strip_suffix(']')?)),
        None => (text, None),
    };
    let (minutes, rest) = text.split_at_checked("2019-07-05T10:28".len())?;
    let (seconds, rest) = match rest.starts_with(':') {
        true => rest.split_at_checked(":49".len())?,
        false => (":00", rest),
    };
    let offset = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let fraction = &rest[..rest.len() - offset.len()];
    let has_seconds = text.len() > minutes.len() && text.as_bytes()[minutes.len()] == b':';
    let is_zone =
        |zone: &str| !zone.is_empty() && zone.chars().all(|c| c.is_ascii_alphanumeric() || "_+-/:~.".contains(c));
    if (!fraction.is_empty() && !has_seconds) || zone.is_some_and(|zone| offset.is_empty() || !is_zone(zone)) {
        return None;
    }
    let offset = match (offset, offset.strip_prefix(' ')) {
        ("", _) | (_, Some("UTC" | "GMT")) => "Z",
        (_, Some(after)) if after.starts_with(['Z', 'z', '+', '-']) => after,
        (_, Some(_)) => return None,
        (_, None) => offset,
    };
    let offset = match offset.len() {
        3 if offset != "UTC" && offset != "GMT" => format!("{offset}:00"),
        5 if offset.is_ascii() => format!("{}:{}", &offset[..3], &offset[3..]),
        _ => offset.to_owned(),
    };
    let date = DateTime::parse_from_rfc3339(&format!("{minutes}{seconds}{fraction}{offset}")).ok()?;
    let date = date.to_utc();
    let is_leap_second = date.nanosecond() >= 1_000_000_000;
    let has_documented_form = fraction.len() <= ".123456789".len()
        && (0..=9999).contains(&date.year())
        && (!is_leap_second || (date.hour(), date.minute()) == (23, 59));
    has_documented_form.then_some(date)
}
