//! An object of a body, and the macro that makes a model of a plain struct.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use serde_json::map::Entry;

use crate::lenient::field::{Field, Found, Seed, hold_list, is_broken};
use crate::lenient::path::{Objects, Path, Root};
use crate::lenient::value::{NUMBER_KEY, Tree, Written, disguised_number, holding};
use crate::{Anomaly, AnomalyKind, BodyKind, Extra};

/// A struct with one field for each documented key, and a map for everything else.
pub(crate) trait Model: Sized + PartialEq {
    /// The documented keys, one unit variant each.
    type Key: Copy + Ord;

    /// Whether it has required fields.
    const REQUIRES: bool;

    /// The object with nothing in it.
    fn blank() -> Self;

    /// What the body plainly is instead.
    fn other_kind(&self, _: &Path) -> Option<BodyKind> {
        None
    }

    /// Whether an unknown key may tell that the body is of another kind.
    fn may_be_of_other_kind(_: &str) -> bool {
        false
    }

    /// What a bare text is that stands in the place of the object.
    fn of_text(_: &str) -> Option<Self> {
        None
    }

    /// The path of the first required field that has no readable value.
    fn missing(&self, at: &Path) -> Option<String>;

    /// The key with that documented spelling.
    fn key(name: &str) -> Option<Self::Key>;

    /// The key with that spelling, documented or not, in any ASCII case.
    fn key_in_any_spelling(name: &str) -> Option<Self::Key>;

    /// The documented spelling of a key.
    fn name(key: Self::Key) -> &'static str;

    /// The key with the documented spelling in any ASCII case.
    fn key_in_any_case(name: &str) -> Option<Self::Key> {
        Self::key_in_any_spelling(name).filter(|key| name.eq_ignore_ascii_case(Self::name(*key)))
    }

    /// A set with that key alone.
    fn bit(key: Self::Key) -> u64;

    fn read_field<'de, A: MapAccess<'de>>(
        &mut self,
        key: Self::Key,
        entries: &mut A,
        at: &Path,
    ) -> Result<(), A::Error>;

    fn holds(&self, key: Self::Key) -> bool;

    fn has_models_at(&self, key: Self::Key) -> bool;

    fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;

    fn walk_fields<'a>(&'a self, at: &Path, found: &mut dyn FnMut(Found<'a>));

    fn extra(&self) -> &Extra;

    fn extra_mut(&mut self) -> &mut Extra;
}

/// Makes a model of a struct, with its `Serialize` and `Deserialize`, from the one table of its wire names: the
/// documented spelling of each field, then the others that Routee's pages use; whether it is required; and what a bare
/// text is that stands in its place. The items in braces are methods of [`Model`] that the model writes itself.
///
/// A field without a line does not compile, and neither does a line without a field or a 65th one.
macro_rules! model {
    (
        $model:ident { $($item:item)* }
        $($name:literal $(| $other:literal)* => $field:ident $($required:ident)? $((text: $text:path))?,)*
    ) => {
        const _: () = {
            use $crate::lenient::field::{Field, Found, Seed};
            use $crate::lenient::model::Model;
            use $crate::lenient::path::Path;

            const _: () = assert!([$($name),*].len() <= 64);

            fn _every_field_has_a_line(model: &$model) {
                let $model { $($field: _,)* extra: _ } = model;
            }

            #[allow(non_camel_case_types)]
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
            pub(crate) enum Key { $($field),* }

            impl Model for $model {
                type Key = Key;

                const REQUIRES: bool = $crate::lenient::model::model!(@any $($($required)?)*);

                $($item)*

                fn missing(&self, _at: &Path) -> Option<String> {
                    $($(
                        let $required = &self.$field;
                        if $required.is_absent() {
                            return Field::missing($required, &Path::Key(_at, $name));
                        }
                    )?)*
                    None
                }

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

                fn bit(key: Key) -> u64 {
                    1 << key as u64
                }

                fn read_field<'de, A: serde::de::MapAccess<'de>>(
                    &mut self,
                    key: Key,
                    entries: &mut A,
                    at: &Path,
                ) -> Result<(), A::Error> {
                    match key {
                        $(Key::$field => entries.next_value_seed(Seed {
                            field: &mut self.$field,
                            parent: at,
                            key: $name,
                            extra: Some(&mut self.extra),
                            text: $crate::lenient::model::model!(@text $($text)?),
                        }),)*
                    }
                }

                fn holds(&self, key: Key) -> bool {
                    match key {
                        $(Key::$field => !self.$field.is_absent(),)*
                    }
                }

                fn has_models_at(&self, key: Key) -> bool {
                    match key {
                        $(Key::$field => self.$field.is_of_models(),)*
                    }
                }

                fn write_fields<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                    $(self.$field.write($name, map)?;)*
                    Ok(())
                }

                fn walk_fields<'a>(&'a self, at: &Path, found: &mut dyn FnMut(Found<'a>)) {
                    $(self.$field.walk(&Path::Key(at, $name), found);)*
                }

                fn extra(&self) -> &$crate::Extra {
                    &self.extra
                }

                fn extra_mut(&mut self) -> &mut $crate::Extra {
                    &mut self.extra
                }
            }

            impl Field for Option<$model> {
                fn is_absent(&self) -> bool {
                    self.is_none()
                }

                fn is_of_models(&self) -> bool {
                    true
                }

                fn read_text(&mut self, text: &str) -> bool {
                    *self = $model::of_text(text);
                    self.is_some()
                }

                fn read_object<'de, A: serde::de::MapAccess<'de>>(
                    &mut self,
                    entries: A,
                    at: &Path,
                ) -> Result<Option<serde_json::Value>, A::Error> {
                    $crate::lenient::model::read_optional(self, entries, at)
                }

                fn write<M: serde::ser::SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
                    self.as_ref().map_or(Ok(()), |model| map.serialize_entry(name, model))
                }

                fn walk<'a>(&'a self, at: &Path, found: &mut dyn FnMut(Found<'a>)) {
                    if let Some(model) = self {
                        $crate::lenient::model::walk(model, at, found);
                    }
                }
            }

            impl serde::Serialize for $model {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    $crate::lenient::model::serialize(self, serializer)
                }
            }

            impl<'de> serde::Deserialize<'de> for $model {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    $crate::lenient::model::deserialize(deserializer)
                }
            }
        };
    };
    (@any) => { false };
    (@any $($required:ident)+) => { true };
    (@text) => { None };
    (@text $text:path) => { Some(|text: &str| $text(text).into()) };
}
pub(crate) use model;

/// Reads a key as that of a field, or as the text that no field has.
struct KeySeed<T>(PhantomData<T>);

impl<'de, T: Model> DeserializeSeed<'de> for KeySeed<T> {
    type Value = Result<T::Key, String>;

    /// As a string, since RON has identifiers that are none; as an owned one, since ciborium lends only short ones.
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_string(self)
    }
}

impl<T: Model> Visitor<'_> for KeySeed<T> {
    type Value = Result<T::Key, String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(T::key(name).ok_or_else(|| name.to_owned()))
    }
}

/// Reads the entries of an object into a blank model.
fn fill<'de, T: Model, A: MapAccess<'de>>(model: &mut T, mut entries: A, at: &Path) -> Result<(), A::Error> {
    let mut seen = 0;
    let mut others = None;
    while let Some(key) = entries.next_key_seed(KeySeed::<T>(PhantomData))? {
        match key {
            Ok(key) if seen & T::bit(key) != 0 => return Err(at.given_twice(T::name(key))),
            Ok(key) => {
                seen |= T::bit(key);
                model.read_field(key, &mut entries, at)?;
            }
            Err(name) => keep_unknown(model, name, &mut entries, &mut others, at)?,
        }
    }
    match others {
        None => Ok(()),
        Some(held) => read_other_spellings(model, held, at),
    }
}

/// Keeps the value of a key that no field has in `extra`. If it may be an object that we model, under another spelling,
/// it is held, and a null keeps its place.
///
/// Never inline: in the loop it makes a small body of documented keys some 3 % slower.
#[inline(never)]
fn keep_unknown<'de, T: Model, A: MapAccess<'de>>(
    model: &mut T,
    name: String,
    entries: &mut A,
    others: &mut Option<BTreeMap<String, Tree>>,
    at: &Path,
) -> Result<(), A::Error> {
    if at.root().is_of_any_kind() && T::may_be_of_other_kind(&name) {
        return Err(at.give_up());
    }
    let other = T::key_in_any_spelling(&name).map(|key| (key, others.get_or_insert_with(BTreeMap::new)));
    let held = other.and_then(|(key, held)| model.has_models_at(key).then_some(held));
    match model.extra_mut().entry(name) {
        Entry::Occupied(entry) => return Err(at.given_twice(entry.key())),
        Entry::Vacant(entry) => {
            let value = match held {
                None => entries.next_value_seed(holding())?,
                Some(held) => {
                    held.insert(entry.key().clone(), entries.next_value_seed(holding())?);
                    Value::Null
                }
            };
            entry.insert(value);
        }
    }
    Ok(())
}

/// Reads the fields that came in another spelling than the documented one. Each has its place in `extra`; for what is
/// held a null stands there until it is known whether it is read.
///
/// The documented spelling owns its field wherever it stands, first in its exact case, then in others; other spellings
/// come after it. Within each they are taken in the order of their names, so that the order of the keys in the body
/// changes nothing.
#[cold]
fn read_other_spellings<T: Model, E: de::Error>(
    model: &mut T,
    held: BTreeMap<String, Tree>,
    at: &Path,
) -> Result<(), E> {
    let mut extra = std::mem::take(model.extra_mut());
    let mut others = Vec::with_capacity(extra.len());
    for (place, (name, value)) in extra.iter().enumerate() {
        if let Some(key) = T::key_in_any_spelling(name).filter(|key| T::name(*key) != name) {
            others.push((key, T::key_in_any_case(name).is_none(), name, value, place));
        }
    }
    others.sort_unstable_by_key(|(key, is_other_name, name, ..)| (*key, *is_other_name, *name));
    let mut read = BTreeSet::new();
    // The documented spelling in another case, present and unreadable, leaves nothing for other names.
    let mut owned = None;
    for (key, is_other_name, name, value, place) in others {
        let is_taken = model.holds(key) || extra.contains_key(T::name(key)) || (is_other_name && owned == Some(key));
        let is_read = match held.get(name) {
            Some(tree) if is_taken => read_in_vain::<T, E>(key, tree, at)?,
            Some(tree) => read_held_field(model, key, tree.again::<E>(), at)?,
            None => !is_taken && read_held_field(model, key, value, at).map_err(E::custom)?,
        };
        if is_read {
            read.insert(place);
        } else if !is_other_name {
            owned = Some(key);
        }
    }
    for (name, tree) in held {
        if let Some(value) = extra.get_mut(&name) {
            *value = tree.into();
        }
    }
    if !read.is_empty() {
        // `remove` would change the order of the rest under `preserve_order`.
        let mut place = 0..;
        extra.retain(|_, _| place.next().is_some_and(|place| !read.contains(&place)));
    }
    *model.extra_mut() = extra;
    Ok(())
}

/// Looks through an object that is not read: a key that stands twice in an object that we model is an error wherever it
/// stands.
fn read_in_vain<T: Model, E: de::Error>(key: T::Key, tree: &Tree, at: &Path) -> Result<bool, E> {
    match tree {
        Tree::Leaf(_) => Ok(false),
        Tree::List(_) | Tree::Object(_) => read_held_field(&mut T::blank(), key, tree.again::<E>(), at).map(|_| false),
    }
}

/// Reads a field from what is held for it, and says whether it took it.
pub(crate) fn read_held_field<'de, T: Model, E: de::Error>(
    model: &mut T,
    key: T::Key,
    held: impl IntoDeserializer<'de, E>,
    at: &Path,
) -> Result<bool, E> {
    let documented = T::name(key);
    let mut entry = MapDeserializer::new(std::iter::once((documented, held)));
    entry.next_key::<IgnoredAny>()?;
    model.read_field(key, &mut entry, at)?;
    Ok(model.extra_mut().remove(documented).is_none())
}

/// The number that looked like an object, under `arbitrary_precision`.
#[inline]
fn take_number<T: Model>(model: &mut T) -> Option<Value> {
    if model.extra().len() == 1 { take_lone_number(model) } else { None }
}

#[cold]
fn take_lone_number<T: Model>(model: &mut T) -> Option<Value> {
    let number = disguised_number(model.extra().get(NUMBER_KEY)?)?;
    let text = std::mem::take(model.extra_mut());
    if *model == T::blank() {
        return Some(Value::Number(number));
    }
    *model.extra_mut() = text;
    None
}

/// Reads an object into an optional place.
///
/// One without a required field is not that object and is handed back whole, so it is held before it is read, unless the
/// body can be read again.
pub(crate) fn read_optional<'de, T: Model, A: MapAccess<'de>>(
    place: &mut Option<T>,
    entries: A,
    at: &Path,
) -> Result<Option<Value>, A::Error> {
    if T::REQUIRES && matches!(at.root().objects(), Objects::Held) {
        let held: Tree = holding().visit_map(entries)?;
        *place = read_held(&held, at)?;
        return Ok(place.is_none().then(|| held.into()));
    }
    let model = place.insert(T::blank());
    fill(model, entries, at)?;
    let number = take_number(model);
    if number.is_some() {
        *place = None;
    } else if T::REQUIRES && model.missing(at).is_some() {
        return Err(at.read_again());
    }
    Ok(number)
}

/// Reads an object into a place that must not be empty.
///
/// One that lacks a required field takes its key all the same: a body without it is refused.
pub(crate) fn read_required<'de, T: Model, A: MapAccess<'de>>(
    place: &mut T,
    entries: A,
    at: &Path,
) -> Result<Option<Value>, A::Error> {
    if !place.extra().is_empty() {
        place.extra_mut().clear();
    }
    fill(place, entries, at)?;
    if let Some(number) = take_number(place) {
        return Ok(Some(number));
    }
    if place.missing(at).is_none() {
        return Ok(None);
    }
    // What was left of it may tell another kind of body, until another spelling is read.
    let extra = std::mem::take(place.extra_mut());
    *place = T::blank();
    *place.extra_mut() = extra;
    Ok(Some(Value::Object(Extra::new())))
}

/// A longer list of objects is none that anybody means, and would take many times the memory of its text.
pub(crate) const MOST_OBJECTS: usize = 1000;

/// Reads a list of objects, or hands it back if one item is none or there are too many.
pub(crate) fn read_list<'de, T: Model, A: SeqAccess<'de>>(
    place: &mut Vec<T>,
    items: A,
    at: &Path,
) -> Result<Option<Value>, A::Error> {
    match at.root().objects() {
        Objects::Held => read_held_list(place, items, at),
        Objects::Direct => read_list_directly(place, items, at).map(|()| None),
    }
}

fn read_held_list<'de, T: Model, A: SeqAccess<'de>>(
    place: &mut Vec<T>,
    items: A,
    at: &Path,
) -> Result<Option<Value>, A::Error> {
    let held: Tree = hold_list(items)?;
    let Tree::List(items) = &held else { return Ok(None) };
    let mut are_models = items.len() <= MOST_OBJECTS;
    for (index, item) in items.iter().enumerate() {
        // Each of them, since a key that stands twice is an error also if another item is not an object.
        match read_held(item, &Path::Item(at, index))? {
            Some(model) if are_models => place.push(model),
            Some(_) => {}
            None => are_models = false,
        }
    }
    if are_models {
        return Ok(None);
    }
    *place = Vec::new();
    Ok(Some(held.into()))
}

fn read_list_directly<'de, T: Model, A: SeqAccess<'de>>(
    place: &mut Vec<T>,
    mut items: A,
    at: &Path,
) -> Result<(), A::Error> {
    loop {
        let at = Path::Item(at, place.len());
        place.push(T::blank());
        let Some(model) = place.last_mut() else { return Ok(()) };
        let mut item = Alone { model, at: &at, is_read: false };
        let seed = Seed { field: &mut item, parent: &at, key: "", extra: None, text: None };
        if items.next_element_seed(seed)?.is_none() {
            place.pop();
            return Ok(());
        }
        if !item.is_read || item.model.missing(&at).is_some() || place.len() > MOST_OBJECTS {
            return Err(at.read_again());
        }
    }
}

/// Reads what is held as an object that has all it requires.
fn read_held<T: Model, E: de::Error>(held: &Tree, at: &Path) -> Result<Option<T>, E> {
    let Some(entries) = held.entries() else { return Ok(None) };
    let mut model = T::blank();
    fill(&mut model, entries, at)?;
    Ok(Some(model).filter(|model| model.missing(at).is_none()))
}

/// Reads a model that stands alone into a blank one, which is large to move.
pub(crate) fn read<'de, T: Model, D: Deserializer<'de>>(
    model: &mut T,
    deserializer: D,
    at: &Path,
) -> Result<(), D::Error> {
    let mut place = Alone { model, at, is_read: false };
    Seed { field: &mut place, parent: at, key: "", extra: None, text: None }.deserialize(deserializer)?;
    if !place.is_read {
        return Err(at.not_an_object());
    }
    if let Some(kind) = model.other_kind(at) {
        return Err(at.other_kind(kind));
    }
    model.missing(at).map_or(Ok(()), |path| Err(at.missing(path)))
}

/// Where a model is read that stands alone or in a list.
struct Alone<'a, T> {
    model: &'a mut T,
    at: &'a Path<'a>,
    is_read: bool,
}

impl<T: Model> Field for Alone<'_, T> {
    fn is_absent(&self) -> bool {
        !self.is_read
    }

    fn read_text(&mut self, text: &str) -> bool {
        if let Some(model) = T::of_text(text) {
            *self.model = model;
            self.is_read = true;
        }
        true
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, _: &Path) -> Result<Option<Value>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn read_object<'de, A: MapAccess<'de>>(&mut self, entries: A, _: &Path) -> Result<Option<Value>, A::Error> {
        fill(self.model, entries, self.at)?;
        self.is_read = take_number(self.model).is_none();
        Ok(None)
    }

    fn write<M: SerializeMap>(&self, _: &'static str, _: &mut M) -> Result<(), M::Error> {
        Ok(())
    }
}

#[inline]
pub(crate) fn deserialize<'de, T: Model, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut model = T::blank();
    read(&mut model, deserializer, &Path::Root(&Root::default()))?;
    Ok(model)
}

/// Writes the documented spellings, then what is in `extra` under the name of no field that was written.
pub(crate) fn serialize<T: Model, S: Serializer>(model: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    model.write_fields(&mut map)?;
    for (name, value) in model.extra() {
        if !T::key(name).is_some_and(|key| model.holds(key)) {
            map.serialize_entry(name, &Written(value))?;
        }
    }
    map.end()
}

/// Shows everything in a model that was not understood, at every level.
pub(crate) fn walk<'a, T: Model>(model: &'a T, at: &Path, found: &mut dyn FnMut(Found<'a>)) {
    let extra = model.extra();
    let owned: BTreeSet<_> = extra.keys().filter_map(|name| T::key_in_any_case(name)).collect();
    for (name, value) in extra {
        let kind = match T::key_in_any_spelling(name) {
            None => AnomalyKind::UnknownField,
            Some(key) if T::name(key) == name => AnomalyKind::UnreadableValue,
            Some(key) if model.holds(key) || extra.contains_key(T::name(key)) => AnomalyKind::OtherSpelling,
            Some(key) if T::key_in_any_case(name).is_none() && owned.contains(&key) => AnomalyKind::OtherSpelling,
            Some(_) => AnomalyKind::UnreadableValue,
        };
        let path = Path::Key(at, name).to_string();
        if is_broken(name) || has_broken_text(value) {
            found(Found { path: path.clone(), kind: AnomalyKind::BrokenText, kept: None });
        }
        found(Found { path, kind, kept: Some(value) });
    }
    model.walk_fields(at, found);
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
    walk(model, &Path::Root(&Root::default()), &mut |found| all.push(found));
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
    let key = T::key(name).filter(|key| !model.holds(*key))?;
    let spellings = model.extra().iter().filter(|(other, _)| T::key_in_any_spelling(other) == Some(key));
    let first = spellings.min_by_key(|(other, _)| (*other != name, T::key_in_any_case(other).is_none(), *other));
    first.map(|(_, value)| value)
}

/// The same for an idempotency key or a rank: with sorted keys, which they are not by themselves under
/// `preserve_order`.
pub(crate) fn unread_sorted<T: Model>(model: &T, name: &str) -> Option<Value> {
    let mut value = unread(model, name)?.clone();
    value.sort_all_objects();
    Some(value)
}
