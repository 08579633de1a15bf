//! How an object is read into a model, and written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use serde_json::map::Entry;

use crate::lenient::field::{Seed, Target, hold_list};
use crate::lenient::model::{self, Model, Spelling, has_value, missing};
use crate::lenient::path::Path;
use crate::lenient::reading::{At, Mode, Reading, Stop};
use crate::lenient::scalar::Leaf;
use crate::lenient::value::{Extra, NUMBER_KEY, Tree, Written, disguised_number, holding};

/// Reads a key as the row of a field, or as the text that no field has.
struct KeySeed<T>(PhantomData<T>);

impl<'de, T: Model> DeserializeSeed<'de> for KeySeed<T> {
    type Value = Result<usize, String>;

    /// As a string, since RON has identifiers that are none; as an owned one, since ciborium lends only short ones.
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_string(self)
    }
}

impl<T: Model> Visitor<'_> for KeySeed<T> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(T::index(name).ok_or_else(|| name.to_owned()))
    }
}

/// Reads the entries of an object into a blank model.
fn fill<'de, T: Model, A: MapAccess<'de>>(model: &mut T, mut entries: A, at: &At) -> Result<(), A::Error> {
    let mut seen = 0_u64;
    let mut others = None;
    while let Some(key) = entries.next_key_seed(KeySeed::<T>(PhantomData))? {
        match key {
            Ok(index) if seen & (1 << index) != 0 => return Err(at.given_twice(model::name::<T>(index))),
            Ok(index) => {
                seen |= 1 << index;
                model.read_field(index, &mut entries, at)?;
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
/// its value goes to `others`, and `extra` gets a null in its stead.
///
/// Never inline: in the loop it makes a small body of documented keys some 3 % slower.
#[inline(never)]
fn keep_unknown<'de, T: Model, A: MapAccess<'de>>(
    model: &mut T,
    name: String,
    entries: &mut A,
    others: &mut Option<BTreeMap<String, Tree>>,
    at: &At,
) -> Result<(), A::Error> {
    if at.reading.mode() == Mode::DirectUnlessOtherKind && T::may_be_of_other_kind(&name) {
        return Err(at.stopped(Stop::MayBeOfOtherKind));
    }
    let held = T::spelled(&name).and_then(|(index, _)| {
        let held = others.get_or_insert_with(BTreeMap::new);
        model.field(index)?.is_of_models().then_some(held)
    });
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
fn read_other_spellings<T: Model, E: de::Error>(model: &mut T, held: BTreeMap<String, Tree>, at: &At) -> Result<(), E> {
    let mut extra = std::mem::take(model.extra_mut());
    let mut others = Vec::with_capacity(extra.len());
    for (place, (name, value)) in extra.iter().enumerate() {
        if let Some((index, spelling @ (Spelling::InOtherCase | Spelling::Other))) = T::spelled(name) {
            others.push((index, spelling, name, value, place));
        }
    }
    others.sort_unstable_by_key(|(index, spelling, name, ..)| (*index, *spelling, *name));
    let mut read = BTreeSet::new();
    // The documented spelling in another case, present and unreadable, leaves nothing for other names.
    let mut owned = None;
    for (index, spelling, name, value, place) in others {
        let is_taken = has_value(model, index)
            || extra.contains_key(model::name::<T>(index))
            || (spelling == Spelling::Other && owned == Some(index));
        let is_read = match held.get(name) {
            Some(tree) if is_taken => read_in_vain::<T, E>(index, tree, at)?,
            Some(tree) => read_held_field(model, index, tree.again::<E>(), at)?,
            None => !is_taken && read_held_field(model, index, value, at).map_err(E::custom)?,
        };
        if is_read {
            read.insert(place);
        } else if spelling == Spelling::InOtherCase {
            owned = Some(index);
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

/// Reads an object into a model that is thrown away, only to find a key that stands twice in it, which is an error
/// wherever it stands.
fn read_in_vain<T: Model, E: de::Error>(index: usize, tree: &Tree, at: &At) -> Result<bool, E> {
    match tree {
        Tree::Leaf(_) => Ok(false),
        Tree::List(_) | Tree::Object(_) => {
            read_held_field(&mut T::blank(), index, tree.again::<E>(), at).map(|_| false)
        }
    }
}

/// Reads a field from what is held for it, and says whether it took it.
pub(crate) fn read_held_field<'de, T: Model, E: de::Error>(
    model: &mut T,
    index: usize,
    held: impl IntoDeserializer<'de, E>,
    at: &At,
) -> Result<bool, E> {
    let documented = model::name::<T>(index);
    let mut entry = MapDeserializer::new(std::iter::once((documented, held)));
    entry.next_key::<IgnoredAny>()?;
    model.read_field(index, &mut entry, at)?;
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

/// What a bare text is in the place of an object.
pub(crate) fn of_leaf<T: Model>(leaf: Leaf) -> Option<T> {
    match leaf {
        Leaf::Text(text) => T::of_text(text),
        Leaf::Number(_) | Leaf::Bool(_) | Leaf::List(_) => None,
    }
}

/// Reads an object into an optional place.
///
/// One without a required field is not that object and is handed back whole, so it is held before it is read, unless the
/// body can be read again.
pub(crate) fn read_optional<'de, T: Model, A: MapAccess<'de>>(
    place: &mut Option<T>,
    entries: A,
    at: &At,
) -> Result<Option<Value>, A::Error> {
    if !T::REQUIRED.is_empty() && at.reading.mode() == Mode::Holding {
        let held: Tree = holding().visit_map(entries)?;
        *place = read_held(&held, at)?;
        return Ok(place.is_none().then(|| held.into()));
    }
    let model = place.insert(T::blank());
    fill(model, entries, at)?;
    let number = take_number(model);
    if number.is_some() {
        *place = None;
    } else if missing(model, &Path::Root).is_some() {
        return Err(at.stopped(Stop::HasToBeHeld));
    }
    Ok(number)
}

/// Reads an object into a place that must not be empty.
///
/// One that lacks a required field is not handed back to be kept in `extra`, since the whole body is then refused.
pub(crate) fn read_required<'de, T: Model, A: MapAccess<'de>>(
    place: &mut T,
    entries: A,
    at: &At,
) -> Result<Option<Value>, A::Error> {
    if !place.extra().is_empty() {
        place.extra_mut().clear();
    }
    fill(place, entries, at)?;
    if let Some(number) = take_number(place) {
        return Ok(Some(number));
    }
    if missing(place, &Path::Root).is_none() {
        return Ok(None);
    }
    // Its unknown fields stay, since they may tell that the body is of another kind. They are cleared above if another
    // spelling is read into this place.
    let extra = std::mem::take(place.extra_mut());
    *place = T::blank();
    *place.extra_mut() = extra;
    Ok(Some(Value::Object(Extra::new())))
}

/// No real body has a list of more objects than this. A longer one stays a value in `extra`, since as models its objects
/// would take many times the memory of their text.
const MOST_OBJECTS: usize = 1000;

/// Reads a list of objects, or hands it back if one item is none or there are too many.
pub(crate) fn read_list<'de, T: Model, A: SeqAccess<'de>>(
    place: &mut Vec<T>,
    items: A,
    at: &At,
) -> Result<Option<Value>, A::Error> {
    match at.reading.mode() {
        Mode::Holding => read_held_list(place, items, at),
        Mode::Direct | Mode::DirectUnlessOtherKind => read_list_directly(place, items, at).map(|()| None),
    }
}

fn read_held_list<'de, T: Model, A: SeqAccess<'de>>(
    place: &mut Vec<T>,
    items: A,
    at: &At,
) -> Result<Option<Value>, A::Error> {
    let held: Tree = hold_list(items)?;
    let Tree::List(items) = &held else { return Ok(None) };
    let mut are_models = items.len() <= MOST_OBJECTS;
    for (index, item) in items.iter().enumerate() {
        // Each of them, since a key that stands twice is an error also if another item is not an object.
        match read_held(item, &at.item(index))? {
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
    at: &At,
) -> Result<(), A::Error> {
    loop {
        let at = at.item(place.len());
        place.push(T::blank());
        let Some(model) = place.last_mut() else { return Ok(()) };
        let mut item = Alone { model, at: &at, is_read: false };
        if items.next_element_seed(Seed::alone(&mut item, &at))?.is_none() {
            place.pop();
            return Ok(());
        }
        if !item.is_read || missing(item.model, &Path::Root).is_some() || place.len() > MOST_OBJECTS {
            return Err(at.stopped(Stop::HasToBeHeld));
        }
    }
}

/// Reads what is held as an object that has all it requires.
fn read_held<T: Model, E: de::Error>(held: &Tree, at: &At) -> Result<Option<T>, E> {
    let Some(entries) = held.entries() else { return Ok(None) };
    let mut model = T::blank();
    fill(&mut model, entries, at)?;
    Ok(Some(model).filter(|model| missing(model, &Path::Root).is_none()))
}

/// Reads a model that stands alone into a blank one, which is large to move.
pub(crate) fn read<'de, T: Model, D: Deserializer<'de>>(
    model: &mut T,
    deserializer: D,
    at: &At,
) -> Result<(), D::Error> {
    let mut place = Alone { model, at, is_read: false };
    Seed::alone(&mut place, at).deserialize(deserializer)?;
    if !place.is_read {
        return Err(at.not_an_object());
    }
    if let Some(kind) = model.other_kind(at.reading) {
        return Err(at.other_kind(kind));
    }
    missing(model, &at.path).map_or(Ok(()), |path| Err(at.missing(path)))
}

/// Where a model is read that stands alone or in a list.
struct Alone<'a, T> {
    model: &'a mut T,
    at: &'a At<'a>,
    is_read: bool,
}

impl<T: Model> Target for Alone<'_, T> {
    fn read_leaf(&mut self, leaf: Leaf) -> bool {
        if let Some(model) = of_leaf(leaf) {
            *self.model = model;
            self.is_read = true;
        }
        true
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, _: &At) -> Result<Option<Value>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn read_object<'de, A: MapAccess<'de>>(&mut self, entries: A, _: &At) -> Result<Option<Value>, A::Error> {
        fill(self.model, entries, self.at)?;
        self.is_read = take_number(self.model).is_none();
        Ok(None)
    }
}

#[inline]
pub(crate) fn deserialize<'de, T: Model, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut model = T::blank();
    read(&mut model, deserializer, &At::root(&Reading::default()))?;
    Ok(model)
}

/// Writes the documented spellings, then what is in `extra` under the name of no field that was written.
pub(crate) fn serialize<T: Model, S: Serializer>(model: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    model.write_fields(&mut map)?;
    for (name, value) in model.extra() {
        if !T::index(name).is_some_and(|index| has_value(model, index)) {
            map.serialize_entry(name, &Written(value))?;
        }
    }
    map.end()
}
