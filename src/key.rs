//! The parts of an idempotency key: the value of a field, or what came for it if that could not be read.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::lenient::model::Model;
use crate::lenient::report;

pub(crate) fn text<T: Model>(model: &T, text: Option<&String>, name: &str) -> Value {
    text.map_or_else(|| unread(model, name).unwrap_or_default(), |text| Value::from(text.as_str()))
}

pub(crate) fn date<T: Model>(model: &T, date: Option<DateTime<Utc>>, name: &str) -> Value {
    date.map_or_else(|| unread(model, name).unwrap_or_default(), |date| Value::from(format!("{date:?}")))
}

/// The value that came for a field if it could not be read, with sorted keys, which they are not by themselves under
/// `preserve_order`.
pub(crate) fn unread<T: Model>(model: &T, name: &str) -> Option<Value> {
    let mut value = report::unread(model, name)?.clone();
    value.sort_all_objects();
    Some(value)
}
