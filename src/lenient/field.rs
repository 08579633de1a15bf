//! A place in a model that a value of a body is read into.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap};
use serde_json::{Number, Value};

use crate::lenient::path::Path;
use crate::lenient::scalar::Scalar;
use crate::lenient::value::{Held, Written, from_i128, from_u128, holding, whole};
use crate::{AnomalyKind, Extra};

/// A place in a model.
///
/// Each method that reads says whether the place took the value, or hands back what it cannot take. A value is read
/// straight into its place, since what costs time is moving large values through nested results.
pub(crate) trait Field {
    fn is_absent(&self) -> bool;

    /// Whether it is made of objects that we model, in which a key that stands twice is an error.
    fn is_of_models(&self) -> bool {
        false
    }

    fn read_text(&mut self, _: &str) -> bool {
        false
    }

    fn read_number(&mut self, _: &Number) -> bool {
        false
    }

    fn read_bool(&mut self, _: bool) -> bool {
        false
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, items: A, _: &Path) -> Result<Option<Value>, A::Error> {
        hold_list(items).map(Some)
    }

    /// A number may come this way too, under `serde_json/arbitrary_precision`.
    fn read_object<'de, A: MapAccess<'de>>(&mut self, entries: A, _: &Path) -> Result<Option<Value>, A::Error> {
        match holding().visit_map(entries)? {
            Value::Number(number) if self.read_number(&number) => Ok(None),
            value => Ok(Some(value)),
        }
    }

    /// The path of the deepest thing that is missing in this place, which is absent and must not be.
    fn missing(&self, at: &Path) -> Option<String> {
        Some(at.to_string())
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error>;

    fn walk<'a>(&'a self, _: &Path, _: &mut dyn FnMut(Found<'a>)) {}
}

/// Something in a body that was not understood.
pub(crate) struct Found<'a> {
    pub(crate) path: String,
    pub(crate) kind: AnomalyKind,
    /// What stands in an `extra`.
    pub(crate) kept: Option<&'a Value>,
}

pub(crate) fn hold_list<'de, H: Held, A: SeqAccess<'de>>(items: A) -> Result<H, A::Error> {
    holding().visit_seq(items)
}

/// Half of a surrogate pair, or bytes that were not UTF-8, before they were read or here.
pub(crate) fn is_broken(text: &str) -> bool {
    text.contains(char::REPLACEMENT_CHARACTER)
}

fn report<'a, T: Scalar>(value: &T, at: &Path, found: &mut dyn FnMut(Found<'a>)) {
    let mut report = |kind| found(Found { path: at.to_string(), kind, kept: None });
    if value.is_unrecognized() {
        report(AnomalyKind::UnrecognizedName);
    }
    if value.text().is_some_and(is_broken) {
        report(AnomalyKind::BrokenText);
    }
}

impl<T: Scalar> Field for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }

    #[inline]
    fn read_text(&mut self, text: &str) -> bool {
        *self = T::from_text(text);
        self.is_some()
    }

    fn read_number(&mut self, number: &Number) -> bool {
        *self = T::from_number(number);
        self.is_some()
    }

    fn read_bool(&mut self, value: bool) -> bool {
        *self = T::from_bool(value);
        self.is_some()
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, items: A, _: &Path) -> Result<Option<Value>, A::Error> {
        let list = hold_list(items)?;
        *self = T::from_value(&list);
        Ok(self.is_none().then_some(list))
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        self.as_ref().map_or(Ok(()), |value| value.write_entry(name, map))
    }

    fn walk<'a>(&'a self, at: &Path, found: &mut dyn FnMut(Found<'a>)) {
        if let Some(value) = self {
            report(value, at, found);
        }
    }
}

/// A scalar without which its model is none. It is blank until it was read, which no body can make it again, since `""`
/// is the same as absent.
pub(crate) trait Required: Scalar {
    fn is_blank(&self) -> bool;
}

impl Required for String {
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

fn put<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}

impl<T: Required> Field for T {
    fn is_absent(&self) -> bool {
        self.is_blank()
    }

    #[inline]
    fn read_text(&mut self, text: &str) -> bool {
        put(self, T::from_text(text))
    }

    fn read_number(&mut self, number: &Number) -> bool {
        put(self, T::from_number(number))
    }

    fn read_bool(&mut self, value: bool) -> bool {
        put(self, T::from_bool(value))
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        if self.is_blank() { Ok(()) } else { self.write_entry(name, map) }
    }

    fn walk<'a>(&'a self, at: &Path, found: &mut dyn FnMut(Found<'a>)) {
        report(self, at, found);
    }
}

/// A list of texts or names; one text is a list of one.
impl<T: Scalar + From<String>> Field for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn read_text(&mut self, text: &str) -> bool {
        self.extend(T::from_text(text));
        !self.is_empty()
    }

    fn read_number(&mut self, number: &Number) -> bool {
        self.extend(T::from_number(number));
        !self.is_empty()
    }

    fn read_bool(&mut self, value: bool) -> bool {
        self.extend(T::from_bool(value));
        !self.is_empty()
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, _: &Path) -> Result<Option<Value>, A::Error> {
        let mut texts = Vec::new();
        while let Some(item) = items.next_element_seed(holding())? {
            match item {
                Value::String(text) => texts.push(text),
                other => {
                    let mut list: Vec<_> = texts.into_iter().map(Value::String).chain([other]).collect();
                    while let Some(item) = items.next_element_seed(holding())? {
                        list.push(item);
                    }
                    if !list.iter().all(is_text) {
                        return Ok(Some(Value::Array(list)));
                    }
                    texts = list.into_iter().filter_map(into_text).collect();
                    break;
                }
            }
        }
        // Texts become texts in the memory that they are in.
        *self = texts.into_iter().map(T::from).collect();
        Ok(None)
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        if self.is_empty() { Ok(()) } else { map.serialize_entry(name, self) }
    }

    fn walk<'a>(&'a self, at: &Path, found: &mut dyn FnMut(Found<'a>)) {
        for (place, value) in self.iter().enumerate() {
            report(value, &Path::Item(at, place), found);
        }
    }
}

/// Whether an item of a list is a text, or becomes one as [`Scalar for String`](Scalar) has it.
fn is_text(item: &Value) -> bool {
    match item {
        Value::String(_) | Value::Bool(_) => true,
        Value::Number(number) => whole(number).is_some(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn into_text(item: Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text),
        other => String::from_value(&other),
    }
}

/// A list of anything, held as it came.
impl Field for Vec<Value> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, _: &Path) -> Result<Option<Value>, A::Error> {
        while let Some(item) = items.next_element_seed(holding())? {
            self.push(item);
        }
        Ok(None)
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        if self.is_empty() { Ok(()) } else { map.serialize_entry(name, &Items(self)) }
    }
}

struct Items<'a>(&'a [Value]);

impl Serialize for Items<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Written))
    }
}

/// Reads the value of a key into its field, or keeps it in `extra`.
pub(crate) struct Seed<'a, F> {
    pub(crate) field: &'a mut F,
    pub(crate) parent: &'a Path<'a>,
    pub(crate) key: &'static str,
    /// Where it is kept, if it is kept.
    pub(crate) extra: Option<&'a mut Extra>,
    /// What a text is that the field itself does not take.
    pub(crate) text: Option<fn(&str) -> F>,
}

impl<F: Field> Seed<'_, F> {
    fn keep(self, value: Value) {
        if let Some(extra) = self.extra {
            extra.insert(self.key.to_owned(), value);
        }
    }

    fn number(self, value: Value) {
        let is_read = match &value {
            Value::Number(number) => self.field.read_number(number),
            _ => true,
        };
        if !is_read {
            self.keep(value);
        }
    }
}

impl<'de, F: Field> DeserializeSeed<'de> for Seed<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Field> Visitor<'de> for Seed<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }

    #[inline]
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if text.is_empty() {
            return Ok(());
        }
        if self.field.read_text(text) {
            if self.field.is_of_models() {
                self.parent.note_bare_text();
            }
        } else if let Some(read) = self.text {
            *self.field = read(text);
        } else {
            self.keep(Value::from(text));
        }
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        if !self.field.read_bool(value) {
            self.keep(Value::Bool(value));
        }
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.number(Value::from(number));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.number(Value::from(number));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.number(Value::from(number));
        Ok(())
    }

    fn visit_i128<E>(self, number: i128) -> Result<(), E> {
        self.number(from_i128(number));
        Ok(())
    }

    fn visit_u128<E>(self, number: u128) -> Result<(), E> {
        self.number(from_u128(number));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        if let Some(value) = self.field.read_list(items, &Path::Key(self.parent, self.key))? {
            self.keep(value);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        if let Some(value) = self.field.read_object(entries, &Path::Key(self.parent, self.key))? {
            self.keep(value);
        }
        Ok(())
    }
}
