//! What is reported of a model: what was not understood in it, and what could not be read.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::anomaly::{Anomaly, AnomalyKind};
use crate::lenient::field::{Found, is_broken};
use crate::lenient::model::{Model, Spelling, has_value};
use crate::lenient::path::Path;

/// Shows everything in a model that was not understood, at every level.
pub(crate) fn walk<'a, T: Model>(model: &'a T, path: &Path, found: &mut dyn FnMut(Found<'a>)) {
    let extra = model.extra();
    let spellings: BTreeSet<_> = extra.keys().filter_map(|name| T::spelled(name)).collect();
    for (name, value) in extra {
        let kind = match T::spelled(name) {
            None => AnomalyKind::UnknownField,
            Some((_, Spelling::Exact)) => AnomalyKind::UnreadableValue,
            Some((index, spelling)) => {
                let is_owned = spellings.range((index, Spelling::Exact)..(index, spelling)).next().is_some();
                if is_owned || has_value(model, index) {
                    AnomalyKind::OtherSpelling
                } else {
                    AnomalyKind::UnreadableValue
                }
            }
        };
        let path = Path::Key(path, name).to_string();
        if is_broken(name) || has_broken_text(value) {
            found(Found { path: path.clone(), kind: AnomalyKind::BrokenText, kept: None });
        }
        found(Found { path, kind, kept: Some(value) });
    }
    for (index, name) in T::NAMES.iter().enumerate() {
        if let Some(field) = model.field(index) {
            field.walk(&Path::Key(path, name), found);
        }
    }
}

fn has_broken_text(value: &Value) -> bool {
    match value {
        Value::String(text) => is_broken(text),
        Value::Array(items) => items.iter().any(has_broken_text),
        Value::Object(entries) => entries.iter().any(|(key, value)| is_broken(key) || has_broken_text(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn walk_alone<T: Model>(model: &T) -> Vec<Found<'_>> {
    let mut all = Vec::new();
    walk(model, &Path::Root, &mut |found| all.push(found));
    all
}

/// What is not understood in a model that stands alone, sorted by path.
pub(crate) fn anomalies<T: Model>(model: &T) -> Vec<Anomaly> {
    let all = walk_alone(model).into_iter();
    let mut anomalies: Vec<_> = all.map(|Found { path, kind, .. }| Anomaly { path, kind }).collect();
    anomalies.sort_unstable();
    anomalies
}

/// What is in an `extra` of a model that stands alone.
pub(crate) fn extras<T: Model>(model: &T) -> impl Iterator<Item = (String, &Value)> {
    walk_alone(model).into_iter().filter_map(|found| Some((found.path, found.kept?)))
}

/// The value that came for a field, in whatever spelling, if it could not be read.
pub(crate) fn unread<'a, T: Model>(model: &'a T, name: &str) -> Option<&'a Value> {
    let index = T::index(name).filter(|index| !has_value(model, *index))?;
    let spellings = model.extra().iter().filter_map(|(key, value)| {
        let (_, spelling) = T::spelled(key).filter(|(of, _)| *of == index)?;
        Some(((spelling, key), value))
    });
    spellings.min_by_key(|(first, _)| *first).map(|(_, value)| value)
}
