//! How one value of a body, and one object, is read and written: once, for every model.
//!
//! Three small traits share the work. [`Readable`] is a type that a value can be read as, [`Slot`] is
//! the field that it is put in, and [`Object`] is a model. The macro [`object!`] makes an [`Object`] of
//! a plain struct from one table of wire names; reading, writing and anomalies all follow that table.
//!
//! A value is read straight into its slot, since what costs time is moving large values through nested
//! results. What a slot cannot take goes to the `extra` map of the object, under the key it came with.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Number, Value};

use crate::Extra;
use crate::anomaly::{Anomaly, AnomalyKind};

/// A type that a value of a body can be read as.
///
/// Every method answers "is this a value of that type?"; what is not comes back as it was given.
/// `null` and `""` never get here: they are the same as an absent field.
pub(crate) trait Readable: Sized {
    fn from_text(text: &str) -> Option<Self>;

    fn from_string(text: String) -> Result<Self, String> {
        Self::from_text(&text).ok_or(text)
    }

    fn from_number(_: &Number) -> Option<Self> {
        None
    }

    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    fn from_array(items: Vec<Value>) -> Result<Self, Vec<Value>> {
        Err(items)
    }

    fn from_object(object: Map<String, Value>) -> Result<Self, Map<String, Value>> {
        Err(object)
    }

    /// Reads a list straight into its slot, or returns what the slot cannot take.
    fn read_seq<'de, S, A>(slot: &mut S, items: A) -> Result<Option<Value>, A::Error>
    where
        S: Slot<Value = Self>,
        A: SeqAccess<'de>,
    {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(|value| slot.read_value(value).err())
    }

    /// Reads an object straight into its slot, or returns what the slot cannot take.
    ///
    /// A number may come this way too: `serde_json` shows it as an object with one magic key where its
    /// feature `arbitrary_precision` is on. [`Value`] knows that key.
    fn read_map<'de, S, A>(slot: &mut S, entries: A) -> Result<Option<Value>, A::Error>
    where
        S: Slot<Value = Self>,
        A: MapAccess<'de>,
    {
        Value::deserialize(MapAccessDeserializer::new(entries)).map(|value| slot.read_value(value).err())
    }

    /// Adds what a value of this type has to report from the field `key` of the object at `path`.
    fn report(&self, _path: &'static str, _key: &'static str, _anomalies: &mut Vec<Anomaly>) {}
}

impl Readable for String {
    #[inline]
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn from_string(text: String) -> Result<Self, String> {
        Ok(text)
    }

    fn from_number(number: &Number) -> Option<Self> {
        let text = number.to_string();
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        is_whole.then_some(text)
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(value.to_string())
    }
}

/// A finite number; a whole one only where an `f64` holds it exactly.
impl Readable for f64 {
    fn from_text(text: &str) -> Option<Self> {
        Self::from_number(&text.parse().ok()?)
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::float_cmp)]
    fn from_number(number: &Number) -> Option<Self> {
        let value = number.as_f64().filter(|value| value.is_finite())?;
        match number.as_i128() {
            Some(whole) if value as i128 != whole => None,
            _ => Some(value),
        }
    }
}

/// A list of texts; one text is a list of one.
impl Readable for Vec<String> {
    fn from_text(text: &str) -> Option<Self> {
        String::from_text(text).map(|text| vec![text])
    }

    fn from_number(number: &Number) -> Option<Self> {
        String::from_number(number).map(|text| vec![text])
    }

    fn from_bool(value: bool) -> Option<Self> {
        String::from_bool(value).map(|text| vec![text])
    }

    fn from_array(items: Vec<Value>) -> Result<Self, Vec<Value>> {
        let text = |item: &Value| match item {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => String::from_number(number),
            Value::Bool(value) => String::from_bool(*value),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        items.iter().map(text).collect::<Option<_>>().ok_or(items)
    }

    fn read_seq<'de, S, A>(slot: &mut S, mut items: A) -> Result<Option<Value>, A::Error>
    where
        S: Slot<Value = Self>,
        A: SeqAccess<'de>,
    {
        let mut texts = Vec::new();
        while let Some(item) = items.next_element()? {
            match item {
                Value::String(text) => texts.push(text),
                other => {
                    let mut values: Vec<_> = texts.into_iter().map(Value::String).collect();
                    values.push(other);
                    while let Some(value) = items.next_element()? {
                        values.push(value);
                    }
                    return Ok(slot.read_value(Value::Array(values)).err());
                }
            }
        }
        slot.put(texts);
        Ok(None)
    }
}

/// A field of a model, as a body fills it.
pub(crate) trait Slot {
    type Value: Readable;

    fn get(&self) -> Option<&Self::Value>;

    fn put(&mut self, value: Self::Value);

    /// The blank value to fill where it stands, since moving a large one costs more than reading it.
    fn start(&mut self, blank: fn() -> Self::Value) -> &mut Self::Value;

    fn clear(&mut self);

    /// Reads a value that is held already, or returns it where the slot cannot take it.
    fn read_value(&mut self, value: Value) -> Result<(), Value> {
        let value = match value {
            Value::Null => return Ok(()),
            Value::String(text) if text.is_empty() => return Ok(()),
            Value::String(text) => Self::Value::from_string(text).map_err(Value::String),
            Value::Number(number) => Self::Value::from_number(&number).ok_or(Value::Number(number)),
            Value::Bool(value) => Self::Value::from_bool(value).ok_or(Value::Bool(value)),
            Value::Array(items) => Self::Value::from_array(items).map_err(Value::Array),
            Value::Object(object) => Self::Value::from_object(object).map_err(Value::Object),
        }?;
        self.put(value);
        Ok(())
    }
}

impl<T: Readable> Slot for Option<T> {
    type Value = T;

    fn get(&self) -> Option<&T> {
        self.as_ref()
    }

    fn put(&mut self, value: T) {
        *self = Some(value);
    }

    fn start(&mut self, blank: fn() -> T) -> &mut T {
        self.insert(blank())
    }

    fn clear(&mut self) {
        *self = None;
    }
}

/// Makes the type of a field that is no `Option` a [`Slot`]: it has an empty value that no body can
/// give it, since `""` is the same as absent.
macro_rules! slot {
    ($type:ty, $empty:expr) => {
        impl crate::lenient::Slot for $type {
            type Value = Self;

            fn get(&self) -> Option<&Self> {
                (*self != $empty).then_some(self)
            }

            fn put(&mut self, value: Self) {
                *self = value;
            }

            fn start(&mut self, _: fn() -> Self) -> &mut Self {
                self
            }

            fn clear(&mut self) {
                *self = $empty;
            }
        }
    };
}
pub(crate) use slot;

slot!(String, Self::new());
slot!(Vec<String>, Self::new());

/// A model: a struct with one slot for each documented key, and a map for everything else.
pub(crate) trait Object: Sized + PartialEq {
    /// The documented keys, one unit variant each.
    type Key: Copy + Ord;

    /// Where the object stands in a callback, such as `body.viberFile`; empty for the callback itself.
    const PATH: &'static str;

    /// The object with nothing in it.
    fn blank() -> Self;

    /// Reads a bare string that stands where the object belongs.
    fn from_bare_text(_text: &str) -> Option<Self> {
        None
    }

    /// The path of a required field that has no readable value.
    fn missing(&self) -> Option<&'static str> {
        None
    }

    /// The key with that documented spelling.
    fn key(name: &str) -> Option<Self::Key>;

    /// The key with that spelling, documented or not, in any ASCII case.
    fn key_in_any_spelling(name: &str) -> Option<Self::Key>;

    /// The documented spelling of a key.
    fn name(key: Self::Key) -> &'static str;

    /// A set with that key alone.
    fn bit(key: Self::Key) -> u32;

    fn read_field<'de, A: MapAccess<'de>>(&mut self, key: Self::Key, entries: &mut A) -> Result<(), A::Error>;

    fn reread_field(&mut self, key: Self::Key, value: Value) -> Result<(), Value>;

    fn holds(&self, key: Self::Key) -> bool;

    fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;

    fn extra(&self) -> &Extra;

    fn extra_mut(&mut self) -> &mut Extra;

    fn report_fields(&self, anomalies: &mut Vec<Anomaly>);
}

/// Makes a model an [`Object`] with its `Serialize` and `Deserialize`, from the one table of its wire
/// names: the documented spelling of each field, then the others that Routee's pages use.
///
/// The items in braces after the path are the methods of [`Object`] that the model writes itself.
macro_rules! object {
    (
        $model:ident at $path:literal { $($item:item)* }
        $($name:literal $(| $other:literal)* => $field:ident,)*
    ) => {
        const _: () = {
            use $crate::lenient::{Object, Readable as _, Seed, Slot as _};

            #[allow(non_camel_case_types)]
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
            pub(crate) enum Key { $($field),* }

            impl Object for $model {
                type Key = Key;

                const PATH: &'static str = $path;

                $($item)*

                fn key(name: &str) -> Option<Key> {
                    match name {
                        $($name => Some(Key::$field),)*
                        _ => None,
                    }
                }

                fn key_in_any_spelling(name: &str) -> Option<Key> {
                    $(if name.eq_ignore_ascii_case($name) $(|| name.eq_ignore_ascii_case($other))* {
                        return Some(Key::$field);
                    })*
                    None
                }

                fn name(key: Key) -> &'static str {
                    match key {
                        $(Key::$field => $name,)*
                    }
                }

                fn bit(key: Key) -> u32 {
                    1 << key as u32
                }

                fn read_field<'de, A: serde::de::MapAccess<'de>>(
                    &mut self,
                    key: Key,
                    entries: &mut A,
                ) -> Result<(), A::Error> {
                    match key {
                        $(Key::$field => entries.next_value_seed(Seed {
                            slot: &mut self.$field,
                            key: $name,
                            extra: &mut self.extra,
                        }),)*
                    }
                }

                fn reread_field(&mut self, key: Key, value: serde_json::Value) -> Result<(), serde_json::Value> {
                    match key {
                        $(Key::$field => self.$field.read_value(value),)*
                    }
                }

                fn holds(&self, key: Key) -> bool {
                    match key {
                        $(Key::$field => self.$field.get().is_some(),)*
                    }
                }

                fn write_fields<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                    $(if let Some(value) = self.$field.get() {
                        map.serialize_entry($name, value)?;
                    })*
                    Ok(())
                }

                fn extra(&self) -> &$crate::Extra {
                    &self.extra
                }

                fn extra_mut(&mut self) -> &mut $crate::Extra {
                    &mut self.extra
                }

                fn report_fields(&self, anomalies: &mut Vec<$crate::Anomaly>) {
                    $(if let Some(value) = self.$field.get() {
                        value.report($path, $name, anomalies);
                    })*
                }
            }

            impl serde::Serialize for $model {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    $crate::lenient::serialize(self, serializer)
                }
            }

            impl<'de> serde::Deserialize<'de> for $model {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    $crate::lenient::deserialize(deserializer)
                }
            }
        };
    };
}
pub(crate) use object;

impl<T: Object> Readable for T {
    fn from_text(text: &str) -> Option<Self> {
        T::from_bare_text(text)
    }

    fn from_object(object: Map<String, Value>) -> Result<Self, Map<String, Value>> {
        let mut model = T::blank();
        let entries = object.iter().map(|(key, value)| (key.as_str(), value));
        match fill::<_, MapDeserializer<'_, _, serde_json::Error>>(&mut model, MapDeserializer::new(entries)) {
            Ok(()) => Ok(model),
            Err(_) => Err(object),
        }
    }

    fn read_map<'de, S, A>(slot: &mut S, entries: A) -> Result<Option<Value>, A::Error>
    where
        S: Slot<Value = Self>,
        A: MapAccess<'de>,
    {
        let model = slot.start(T::blank);
        fill(model, entries)?;
        if model.extra().is_empty() {
            return Ok(None);
        }
        let number = disguised_number(model);
        if number.is_some() {
            slot.clear();
        }
        Ok(number)
    }

    fn report(&self, _: &'static str, _: &'static str, anomalies: &mut Vec<Anomaly>) {
        report(self, anomalies);
    }
}

/// Reads the value of `key` into `slot`, or keeps it in `extra`.
pub(crate) struct Seed<'a, S> {
    pub(crate) slot: &'a mut S,
    pub(crate) key: &'static str,
    pub(crate) extra: &'a mut Extra,
}

impl<S: Slot> Seed<'_, S> {
    fn read_value(self, value: Value) {
        if let Err(value) = self.slot.read_value(value) {
            self.keep(value);
        }
    }

    fn keep(self, value: Value) {
        self.extra.insert(self.key.to_owned(), value);
    }
}

impl<'de, S: Slot> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Slot> Visitor<'de> for Seed<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }

    #[inline]
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if !text.is_empty() {
            match S::Value::from_text(text) {
                Some(value) => self.slot.put(value),
                None => self.keep(Value::from(text)),
            }
        }
        Ok(())
    }

    fn visit_string<E>(self, text: String) -> Result<(), E> {
        self.read_value(Value::String(text));
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.read_value(Value::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.read_value(Value::from(number));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.read_value(Value::from(number));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.read_value(Value::from(number));
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "as `serde_json` reads such a number")]
    fn visit_i128<E>(self, number: i128) -> Result<(), E> {
        let held = Number::from_i128(number);
        self.read_value(held.map_or_else(|| Value::from(number as f64), Value::Number));
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "as `serde_json` reads such a number")]
    fn visit_u128<E>(self, number: u128) -> Result<(), E> {
        let held = Number::from_u128(number);
        self.read_value(held.map_or_else(|| Value::from(number as f64), Value::Number));
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
        if let Some(value) = S::Value::read_seq(self.slot, items)? {
            self.keep(value);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        if let Some(value) = S::Value::read_map(self.slot, entries)? {
            self.keep(value);
        }
        Ok(())
    }
}

/// Reads a key as that of a field, or writes one that no field has into the string.
struct KeySeed<'a, T>(&'a mut String, PhantomData<T>);

impl<'de, T: Object> DeserializeSeed<'de> for KeySeed<'_, T> {
    type Value = Option<T::Key>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<T: Object> Visitor<'_> for KeySeed<'_, T> {
    type Value = Option<T::Key>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let key = T::key(name);
        if key.is_none() {
            name.clone_into(self.0);
        }
        Ok(key)
    }
}

/// Reads the entries of an object into a blank model.
fn fill<'de, T: Object, A: MapAccess<'de>>(model: &mut T, mut entries: A) -> Result<(), A::Error> {
    let mut seen = 0;
    let mut unknown = String::new();
    while let Some(key) = entries.next_key_seed(KeySeed::<T>(&mut unknown, PhantomData))? {
        if let Some(key) = key {
            if seen & T::bit(key) != 0 {
                return Err(given_twice::<T, _>(T::name(key)));
            }
            seen |= T::bit(key);
            model.read_field(key, &mut entries)?;
        } else if model.extra().contains_key(&unknown) {
            return Err(given_twice::<T, _>(&unknown));
        } else {
            let value = entries.next_value()?;
            model.extra_mut().insert(std::mem::take(&mut unknown), value);
        }
    }
    if !model.extra().is_empty() {
        read_other_spellings(model);
    }
    Ok(())
}

fn given_twice<T: Object, E: de::Error>(key: &str) -> E {
    E::custom(format_args!("`{}` is given twice", path::<T>(key).escape_debug()))
}

/// Reads the fields that came in another spelling than the documented one.
///
/// The documented spelling owns its field wherever it stands, and the others are taken in the order of
/// their names, so that the order of the keys in the body changes nothing.
fn read_other_spellings<T: Object>(model: &mut T) {
    let mut others: Vec<_> = model
        .extra()
        .keys()
        .filter_map(|name| T::key_in_any_spelling(name).map(|key| (key, name.clone())))
        .filter(|(key, name)| T::name(*key) != name)
        .collect();
    others.sort_unstable();
    for (key, name) in others {
        if model.holds(key) || model.extra().contains_key(T::name(key)) {
            continue;
        }
        if let Some(value) = model.extra_mut().remove(&name) {
            if let Err(value) = model.reread_field(key, value) {
                model.extra_mut().insert(name, value);
            }
        }
    }
}

/// The number that looked like an object, see [`Readable::read_map`].
fn disguised_number<T: Object>(model: &mut T) -> Option<Value> {
    const KEY: &str = "$serde_json::private::Number";
    if model.extra().len() != 1 || !model.extra().contains_key(KEY) {
        return None;
    }
    let number = Value::deserialize(Value::Object(model.extra().clone())).ok()?;
    let text = std::mem::take(model.extra_mut());
    if number.is_number() && *model == T::blank() {
        return Some(number);
    }
    *model.extra_mut() = text;
    None
}

/// Reads a model that stands alone.
#[inline]
pub(crate) fn deserialize<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut model = T::blank();
    read_into(&mut model, deserializer)?;
    Ok(model)
}

/// Reads a text that holds one model and nothing else into a blank one, which is large to move.
pub(crate) fn read_json<T: Object>(model: &mut T, text: &str) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    read_into(model, &mut deserializer)?;
    deserializer.end()
}

fn read_into<'de, T: Object, D: Deserializer<'de>>(model: &mut T, deserializer: D) -> Result<(), D::Error> {
    let mut place = Place { model, is_read: false };
    let mut rest = Extra::new();
    Seed { slot: &mut place, key: T::PATH, extra: &mut rest }.deserialize(deserializer)?;
    match place.get().map(T::missing) {
        None => Err(de::Error::custom("not a JSON object")),
        Some(Some(path)) => Err(de::Error::custom(format_args!("no readable `{path}`"))),
        Some(None) => Ok(()),
    }
}

/// Where a model that stands alone is read.
struct Place<'a, T> {
    model: &'a mut T,
    is_read: bool,
}

impl<T: Object> Slot for Place<'_, T> {
    type Value = T;

    fn get(&self) -> Option<&T> {
        self.is_read.then_some(&*self.model)
    }

    fn put(&mut self, value: T) {
        *self.start(T::blank) = value;
    }

    fn start(&mut self, _: fn() -> T) -> &mut T {
        self.is_read = true;
        self.model
    }

    fn clear(&mut self) {
        self.is_read = false;
    }
}

/// Writes the documented spellings, then what is in `extra` under the name of no field that was written.
pub(crate) fn serialize<T: Object, S: Serializer>(model: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    model.write_fields(&mut map)?;
    for (name, value) in model.extra() {
        if !T::key(name).is_some_and(|key| model.holds(key)) {
            map.serialize_entry(name, value)?;
        }
    }
    map.end()
}

/// Adds what is not understood in a model, at every level.
pub(crate) fn report<T: Object>(model: &T, anomalies: &mut Vec<Anomaly>) {
    for name in model.extra().keys() {
        let is_unreadable = T::key_in_any_spelling(name)
            .is_some_and(|key| name == T::name(key) || !(model.holds(key) || model.extra().contains_key(T::name(key))));
        anomalies.push(Anomaly {
            path: path::<T>(name),
            kind: if is_unreadable { AnomalyKind::UnreadableValue } else { AnomalyKind::UndocumentedField },
        });
    }
    model.report_fields(anomalies);
}

/// The value that came for a field, in whatever spelling, where it could not be read.
pub(crate) fn unread<'a, T: Object>(model: &'a T, name: &str) -> Option<&'a Value> {
    let key = T::key(name).filter(|key| !model.holds(*key))?;
    let spellings = model.extra().iter().filter(|(other, _)| T::key_in_any_spelling(other) == Some(key));
    spellings.min_by_key(|(other, _)| (*other != name, *other)).map(|(_, value)| value)
}

/// The path of a key of a model in a callback.
pub(crate) fn path<T: Object>(key: &str) -> String {
    join(T::PATH, key)
}

pub(crate) fn join(object: &str, key: &str) -> String {
    if object.is_empty() { key.to_owned() } else { format!("{object}.{key}") }
}
