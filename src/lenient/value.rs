//! A value that no model knows: read, held and written.
//!
//! Not by `Value`'s own code: if another crate of the build enables `serde_json/raw_value`, that gives a key of a
//! body a meaning, and under `arbitrary_precision` it writes numbers as objects into other formats.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use crate::lenient::decimal::exact_f64;

/// The unknown fields of an object, and the values that their field cannot take, under the keys they came with.
pub type Extra = Map<String, Value>;

/// The key as which `serde_json` shows a number under `arbitrary_precision`.
pub(crate) const NUMBER_KEY: &str = "$serde_json::private::Number";

/// The number that came as an object with [`NUMBER_KEY`] alone, if that is how numbers come in this build.
///
/// One that 64 bits or an `f64` hold is that, as it is without the feature; others keep their digits.
pub(crate) fn disguised_number(text: &Value) -> Option<Number> {
    static IS_ARBITRARY_PRECISION: LazyLock<bool> = LazyLock::new(|| "1e999".parse::<Number>().is_ok());
    let text = text.as_str().filter(|_| *IS_ARBITRARY_PRECISION)?;
    let number = text.parse().ok()?;
    if whole(&number).is_some() {
        return Some(number);
    }
    exact_f64(text).and_then(Number::from_f64).or(Some(number))
}

/// A whole number of up to 64 bits, as JSON writes one: `1.0` and `-0` are none.
pub(crate) fn whole(number: &Number) -> Option<i128> {
    match number.as_u64() {
        Some(number) => Some(number.into()),
        None => number.as_i64().filter(|number| *number < 0).map(Into::into),
    }
}

/// What an unknown value is held as.
pub(crate) trait Held: Sized {
    type Entries: Default;

    /// Of neither a list nor an object.
    fn from_leaf(leaf: Value) -> Self;

    fn from_list(items: Vec<Self>) -> Self;

    fn insert(entries: &mut Self::Entries, key: String, value: Self);

    fn from_entries(entries: Self::Entries) -> Self;
}

/// The last value of a key that stands twice is kept.
impl Held for Value {
    type Entries = Map<String, Value>;

    fn from_leaf(leaf: Value) -> Self {
        leaf
    }

    fn from_list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }

    fn insert(entries: &mut Self::Entries, key: String, value: Self) {
        entries.insert(key, value);
    }

    fn from_entries(entries: Self::Entries) -> Self {
        let number = if entries.len() == 1 { entries.get(NUMBER_KEY).and_then(disguised_number) } else { None };
        number.map_or_else(|| Self::Object(entries), Self::Number)
    }
}

/// A value that is held to be read later, in which a key that stands twice still does.
pub(crate) enum Tree {
    /// Neither a list nor an object.
    Leaf(Value),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Held for Tree {
    type Entries = Vec<(String, Tree)>;

    fn from_leaf(leaf: Value) -> Self {
        Self::Leaf(leaf)
    }

    fn from_list(items: Vec<Self>) -> Self {
        Self::List(items)
    }

    fn insert(entries: &mut Self::Entries, key: String, value: Self) {
        entries.push((key, value));
    }

    fn from_entries(entries: Self::Entries) -> Self {
        let number = match entries.as_slice() {
            [(key, Self::Leaf(text))] if key == NUMBER_KEY => disguised_number(text),
            _ => None,
        };
        number.map_or(Self::Object(entries), |number| Self::Leaf(Value::Number(number)))
    }
}

impl From<Tree> for Value {
    fn from(tree: Tree) -> Self {
        match tree {
            Tree::Leaf(value) => value,
            Tree::List(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Tree::Object(entries) => {
                Self::from_entries(entries.into_iter().map(|(key, value)| (key, Self::from(value))).collect())
            }
        }
    }
}

/// Reads any value.
pub(crate) struct Holding<H>(PhantomData<H>);

pub(crate) fn holding<H: Held>() -> Holding<H> {
    Holding(PhantomData)
}

impl<'de, H: Held> DeserializeSeed<'de> for Holding<H> {
    type Value = H;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<H, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, H: Held> Visitor<'de> for Holding<H> {
    type Value = H;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<H, E> {
        Ok(H::from_leaf(Value::from(text)))
    }

    fn visit_string<E>(self, text: String) -> Result<H, E> {
        Ok(H::from_leaf(Value::from(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<H, E> {
        Ok(H::from_leaf(Value::from(value)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<H, E> {
        Ok(H::from_leaf(Value::from(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<H, E> {
        Ok(H::from_leaf(Value::from(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<H, E> {
        Ok(H::from_leaf(Value::from(number)))
    }

    fn visit_i128<E>(self, number: i128) -> Result<H, E> {
        Ok(H::from_leaf(from_i128(number)))
    }

    fn visit_u128<E>(self, number: u128) -> Result<H, E> {
        Ok(H::from_leaf(from_u128(number)))
    }

    fn visit_unit<E>(self) -> Result<H, E> {
        Ok(H::from_leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<H, E> {
        Ok(H::from_leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<H, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<H, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(holding())? {
            list.push(item);
        }
        Ok(H::from_list(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<H, A::Error> {
        let mut object = H::Entries::default();
        while let Some(key) = entries.next_key()? {
            H::insert(&mut object, key, entries.next_value_seed(holding())?);
        }
        Ok(H::from_entries(object))
    }
}

/// A number that `serde_json` does not hold as whole is the nearest `f64`, as it is to `serde_json`.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn from_i128(number: i128) -> Value {
    Number::from_i128(number).map_or_else(|| Value::from(number as f64), Value::Number)
}

/// As [`from_i128`].
#[allow(clippy::cast_precision_loss)]
pub(crate) fn from_u128(number: u128) -> Value {
    Number::from_u128(number).map_or_else(|| Value::from(number as f64), Value::Number)
}

/// Reads a tree again, with the errors of whoever read it first.
pub(crate) struct Again<'a, E>(&'a Tree, PhantomData<E>);

impl Tree {
    pub(crate) fn again<E>(&self) -> Again<'_, E> {
        Again(self, PhantomData)
    }

    /// The entries of an object, to be read again.
    pub(crate) fn entries<E: de::Error>(&self) -> Option<impl MapAccess<'_, Error = E>> {
        match self {
            Self::Object(entries) => Some(read_entries(entries)),
            Self::Leaf(_) | Self::List(_) => None,
        }
    }
}

fn read_entries<E: de::Error>(entries: &[(String, Tree)]) -> impl MapAccess<'_, Error = E> {
    MapDeserializer::new(entries.iter().map(|(key, value)| (key.as_str(), value.again())))
}

impl<'de, E: de::Error> Deserializer<'de> for Again<'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.0 {
            Tree::Leaf(leaf) => leaf.deserialize_any(visitor).map_err(E::custom),
            Tree::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Tree::again))),
            Tree::Object(entries) => visitor.visit_map(read_entries(entries)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'a, E: de::Error> IntoDeserializer<'a, E> for Again<'a, E> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Writes an unknown value.
pub(crate) struct Written<'a>(pub(crate) &'a Value);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            // In some binary formats a unit is an empty list.
            Value::Null if !serializer.is_human_readable() => serializer.serialize_none(),
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(number) => write_number(number, serializer),
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Written)),
            Value::Object(entries) => write_object(entries, serializer),
        }
    }
}

pub(crate) fn write_object<S: Serializer>(entries: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(key, value)| (key, Written(value))))
}

/// A number that every format has.
enum Plain {
    Whole(u64),
    Negative(i64),
    Float(f64),
}

impl Plain {
    /// None if only `serde_json` can hold its digits, under `arbitrary_precision`.
    fn of(number: &Number) -> Option<Self> {
        let negative = || number.as_i64().filter(|number| *number < 0).map(Self::Negative);
        let float =
            || number.as_f64().filter(|float| Number::from_f64(*float).as_ref() == Some(number)).map(Self::Float);
        number.as_u64().map(Self::Whole).or_else(negative).or_else(float)
    }
}

fn write_number<S: Serializer>(number: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    match Plain::of(number) {
        Some(Plain::Whole(number)) => serializer.serialize_u64(number),
        Some(Plain::Negative(number)) => serializer.serialize_i64(number),
        Some(Plain::Float(number)) => serializer.serialize_f64(number),
        None => number.serialize(serializer),
    }
}
