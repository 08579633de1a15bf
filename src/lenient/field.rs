//! A place in a model that a value of a body is read into.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap};
use serde_json::Value;

use crate::anomaly::AnomalyKind;
use crate::lenient::path::Path;
use crate::lenient::reading::At;
use crate::lenient::scalar::{Leaf, Scalar};
use crate::lenient::value::{Extra, Held, Written, from_i128, from_u128, holding, whole};

/// What a value is read into.
///
/// Each method says whether the value was taken, or hands back what cannot be. A value is read straight into its place,
/// since what costs time is moving large values through nested results.
pub(crate) trait Target {
    /// Whether it is made of objects that we model, in which a key that stands twice is an error.
    fn is_of_models(&self) -> bool {
        false
    }

    fn read_leaf(&mut self, _: Leaf) -> bool {
        false
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, items: A, _: &At) -> Result<Option<Value>, A::Error>
    where
        Self: Sized,
    {
        hold_list(items).map(Some)
    }

    /// A number may come this way too, under `serde_json/arbitrary_precision`.
    fn read_object<'de, A: MapAccess<'de>>(&mut self, entries: A, _: &At) -> Result<Option<Value>, A::Error>
    where
        Self: Sized,
    {
        match holding().visit_map(entries)? {
            Value::Number(number) if self.read_leaf(Leaf::Number(&number)) => Ok(None),
            value => Ok(Some(value)),
        }
    }
}

/// A field of a model.
pub(crate) trait Field: Target {
    /// The absent field.
    fn blank() -> Self
    where
        Self: Sized;

    fn is_absent(&self) -> bool;

    /// The path of the deepest thing that is missing in a field that must not be absent.
    fn missing(&self, path: &Path) -> Option<String> {
        self.is_absent().then(|| path.to_string())
    }

    /// Shows everything in it that was not understood.
    fn walk<'a>(&'a self, _: &Path, _: &mut dyn FnMut(Found<'a>)) {}

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error>
    where
        Self: Sized;
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

/// Whether a text has U+FFFD, which stands for half a surrogate pair or for bytes that were not UTF-8. It was put there
/// here or by the sender.
pub(crate) fn is_broken(text: &str) -> bool {
    text.contains(char::REPLACEMENT_CHARACTER)
}

fn report<'a, T: Scalar>(value: &T, path: &Path, found: &mut dyn FnMut(Found<'a>)) {
    let mut report = |kind| found(Found { path: path.to_string(), kind, kept: None });
    if value.is_unrecognized() {
        report(AnomalyKind::UnrecognizedName);
    }
    if value.text().is_some_and(is_broken) {
        report(AnomalyKind::BrokenText);
    }
}

impl<T: Scalar> Target for Option<T> {
    #[inline(always)]
    fn read_leaf(&mut self, leaf: Leaf) -> bool {
        *self = T::from_leaf(leaf);
        self.is_some()
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, items: A, _: &At) -> Result<Option<Value>, A::Error> {
        let list = hold_list(items)?;
        *self = Leaf::of(&list).and_then(T::from_leaf);
        Ok(self.is_none().then_some(list))
    }
}

impl<T: Scalar> Field for Option<T> {
    fn blank() -> Self {
        None
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn walk<'a>(&'a self, path: &Path, found: &mut dyn FnMut(Found<'a>)) {
        if let Some(value) = self {
            report(value, path, found);
        }
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        self.as_ref().map_or(Ok(()), |value| value.write_entry(name, map))
    }
}

/// A scalar that a model requires. It is the empty text until it is read; `""` is never read, so that an empty text always
/// means an absent value.
pub(crate) trait Required: Scalar + From<String> + AsRef<str> {}

impl Required for String {}

impl<T: Required> Target for T {
    #[inline(always)]
    fn read_leaf(&mut self, leaf: Leaf) -> bool {
        T::from_leaf(leaf).map(|value| *self = value).is_some()
    }
}

impl<T: Required> Field for T {
    fn blank() -> Self {
        Self::from(String::new())
    }

    fn is_absent(&self) -> bool {
        self.as_ref().is_empty()
    }

    fn walk<'a>(&'a self, path: &Path, found: &mut dyn FnMut(Found<'a>)) {
        report(self, path, found);
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        if self.is_absent() { Ok(()) } else { self.write_entry(name, map) }
    }
}

/// A list of texts or names; one text is a list of one.
impl<T: Scalar + From<String>> Target for Vec<T> {
    fn read_leaf(&mut self, leaf: Leaf) -> bool {
        self.extend(T::from_leaf(leaf));
        !self.is_empty()
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, _: &At) -> Result<Option<Value>, A::Error> {
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
        // Where `T` is `String` this needs no new memory.
        *self = texts.into_iter().map(T::from).collect();
        Ok(None)
    }
}

impl<T: Scalar + From<String>> Field for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn walk<'a>(&'a self, path: &Path, found: &mut dyn FnMut(Found<'a>)) {
        for (place, value) in self.iter().enumerate() {
            report(value, &Path::Item(path, place), found);
        }
    }

    fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        if self.is_empty() { Ok(()) } else { map.serialize_entry(name, self) }
    }
}

/// Whether a value is a text, or becomes one as [`Scalar for String`](Scalar) has it.
pub(crate) fn is_text(item: &Value) -> bool {
    match item {
        Value::String(_) | Value::Bool(_) => true,
        Value::Number(number) => whole(number).is_some(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn into_text(item: Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text),
        other => Leaf::of(&other).and_then(String::from_leaf),
    }
}

/// A list of anything, held as it came.
impl Target for Vec<Value> {
    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, _: &At) -> Result<Option<Value>, A::Error> {
        while let Some(item) = items.next_element_seed(holding())? {
            self.push(item);
        }
        Ok(None)
    }
}

impl Field for Vec<Value> {
    fn blank() -> Self {
        Self::new()
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
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

/// Reads a value into its target, or keeps it in `extra`.
pub(crate) struct Seed<'a, T> {
    pub(crate) target: &'a mut T,
    pub(crate) parent: &'a At<'a>,
    pub(crate) key: &'static str,
    /// Where it is kept, if it is kept.
    pub(crate) extra: Option<&'a mut Extra>,
    /// What a text is that the target itself does not take.
    pub(crate) text: Option<fn(&str) -> T>,
}

impl<'a, T: Target> Seed<'a, T> {
    /// For a value that is kept nowhere.
    pub(crate) fn alone(target: &'a mut T, at: &'a At<'a>) -> Self {
        Seed { target, parent: at, key: "", extra: None, text: None }
    }

    fn keep(self, value: Value) {
        if let Some(extra) = self.extra {
            extra.insert(self.key.to_owned(), value);
        }
    }

    fn number(self, value: Value) {
        let is_read = match &value {
            Value::Number(number) => self.target.read_leaf(Leaf::Number(number)),
            _ => true,
        };
        if !is_read {
            self.keep(value);
        }
    }
}

impl<'de, T: Target> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Target> Visitor<'de> for Seed<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }

    #[inline]
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if text.is_empty() {
            return Ok(());
        }
        if self.target.read_leaf(Leaf::Text(text)) {
            if self.target.is_of_models() {
                self.parent.note_bare_text();
            }
        } else if let Some(read) = self.text {
            *self.target = read(text);
        } else {
            self.keep(Value::from(text));
        }
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        if !self.target.read_leaf(Leaf::Bool(value)) {
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
        if let Some(value) = self.target.read_list(items, &self.parent.key(self.key))? {
            self.keep(value);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        if let Some(value) = self.target.read_object(entries, &self.parent.key(self.key))? {
            self.keep(value);
        }
        Ok(())
    }
}
