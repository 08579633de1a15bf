//! A model: a struct that is an object of a body, and the macro that makes one of a plain struct and a table.

use serde::de::MapAccess;
use serde::ser::SerializeMap;

use crate::kind::BodyKind;
use crate::lenient::field::Field;
use crate::lenient::path::Path;
use crate::lenient::reading::{At, Reading};
use crate::lenient::value::Extra;

/// A struct with one field for each documented key, and a map for everything else.
pub(crate) trait Model: Field + PartialEq + Sized {
    /// The documented spelling of each field, in the order in which they are written. Everywhere else a
    /// field is named by its index here.
    const NAMES: &'static [&'static str];

    /// The fields that an object must have to be read as this model.
    const REQUIRED: &'static [usize];

    /// The field with that documented spelling.
    fn index(name: &str) -> Option<usize>;

    /// The field that a key spells in any ASCII case, and how. Compares with the names as code, since looking through them as
    /// data makes a body of unknown keys 5 % slower.
    fn spelled(key: &str) -> Option<(usize, Spelling)>;

    /// Reads the value of an entry into a field.
    fn read_field<'de, A: MapAccess<'de>>(&mut self, index: usize, entries: &mut A, at: &At) -> Result<(), A::Error>;

    fn field(&self, index: usize) -> Option<&dyn Field>;

    fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;

    fn extra(&self) -> &Extra;

    fn extra_mut(&mut self) -> &mut Extra;

    /// What a bare text is that stands in the place of the object.
    fn of_text(_: &str) -> Option<Self> {
        None
    }

    /// What the body plainly is instead.
    fn other_kind(&self, _: &Reading) -> Option<BodyKind> {
        None
    }

    /// Whether an unknown key may tell that the body is of another kind.
    fn may_be_of_other_kind(_: &str) -> bool {
        false
    }
}

/// A spelling of a key. The documented one owns its field, first in its exact case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spelling {
    Exact,
    InOtherCase,
    Other,
}

/// The documented spelling of a field.
pub(crate) fn name<T: Model>(index: usize) -> &'static str {
    T::NAMES.get(index).copied().unwrap_or_default()
}

/// Whether a field has a value.
pub(crate) fn has_value<T: Model>(model: &T, index: usize) -> bool {
    model.field(index).is_some_and(|field| !field.is_absent())
}

/// The path of the first required field that has no readable value.
#[inline]
pub(crate) fn missing<T: Model>(model: &T, path: &Path) -> Option<String> {
    T::REQUIRED.iter().find_map(|index| model.field(*index)?.missing(&Path::Key(path, name::<T>(*index))))
}

/// Makes a model of a struct, with its `Serialize` and `Deserialize`, from the one table of its wire names: the
/// documented spelling of each field, then the others that Routee's pages use; whether it is required; and what a bare
/// text is that stands in its place. The items in braces are methods of [`Model`] that the model writes itself.
///
/// A bare text in the place of a model is read in one of two ways. `of_text` in the braces says it for the model, wherever
/// that stands, and counts as a mark of the kind of the body. `(text: …)` says it for the field of that line alone.
///
/// A field without a line does not compile, and neither does a line without a field or a 65th one.
macro_rules! model {
    (
        $model:ident $({ $($item:item)* })?
        $($name:literal $(| $other:literal)* => $field:ident $($required:ident)? $((text: $text:path))?,)*
    ) => {
        const _: () = {
            use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess};
            use serde::ser::{Serialize, SerializeMap, Serializer};
            use serde_json::Value;

            use $crate::lenient::field::{Field, Found, Seed, Target};
            use $crate::lenient::model::{self, Model, Spelling};
            use $crate::lenient::path::Path;
            use $crate::lenient::reading::At;
            use $crate::lenient::scalar::Leaf;
            use $crate::lenient::value::Extra;
            use $crate::lenient::{object, report};

            const _: () = assert!($model::NAMES.len() <= 64);

            /// Numbers the fields.
            #[allow(non_camel_case_types)]
            enum Index { $($field),* }

            impl Model for $model {
                const NAMES: &'static [&'static str] = &[$($name),*];

                const REQUIRED: &'static [usize] = &[$($($crate::lenient::model::model!(@$required Index::$field),)?)*];

                #[inline]
                fn index(name: &str) -> Option<usize> {
                    match name {
                        $($name => Some(Index::$field as usize),)*
                        _ => None,
                    }
                }

                fn spelled(key: &str) -> Option<(usize, Spelling)> {
                    $(
                        if key.eq_ignore_ascii_case($name) {
                            let is_exact = key == $name;
                            let spelling = if is_exact { Spelling::Exact } else { Spelling::InOtherCase };
                            return Some((Index::$field as usize, spelling));
                        }
                        $(if key.eq_ignore_ascii_case($other) {
                            return Some((Index::$field as usize, Spelling::Other));
                        })*
                    )*
                    None
                }

                #[inline]
                fn read_field<'de, A: MapAccess<'de>>(
                    &mut self,
                    index: usize,
                    entries: &mut A,
                    at: &At,
                ) -> Result<(), A::Error> {
                    match index {
                        $(index if index == Index::$field as usize => entries.next_value_seed(Seed {
                            target: &mut self.$field,
                            parent: at,
                            key: $name,
                            extra: Some(&mut self.extra),
                            text: $crate::lenient::model::model!(@text $($text)?),
                        }),)*
                        _ => Ok(()),
                    }
                }

                #[inline]
                fn field(&self, index: usize) -> Option<&dyn Field> {
                    match index {
                        $(index if index == Index::$field as usize => Some(&self.$field),)*
                        _ => None,
                    }
                }

                fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                    $(self.$field.write($name, map)?;)*
                    Ok(())
                }

                fn extra(&self) -> &Extra {
                    &self.extra
                }

                fn extra_mut(&mut self) -> &mut Extra {
                    &mut self.extra
                }

                $($($item)*)?
            }

            /// In a model that requires it.
            impl Target for $model {
                fn is_of_models(&self) -> bool {
                    true
                }

                fn read_leaf(&mut self, leaf: Leaf) -> bool {
                    object::of_leaf(leaf).map(|model| *self = model).is_some()
                }

                fn read_object<'de, A: MapAccess<'de>>(&mut self, entries: A, at: &At) -> Result<Option<Value>, A::Error> {
                    object::read_required(self, entries, at)
                }
            }

            impl Field for $model {
                fn blank() -> Self {
                    Self { $($field: Field::blank(),)* extra: Extra::new() }
                }

                fn is_absent(&self) -> bool {
                    model::missing(self, &Path::Root).is_some()
                }

                fn missing(&self, path: &Path) -> Option<String> {
                    model::missing(self, path)
                }

                fn walk<'a>(&'a self, path: &Path, found: &mut dyn FnMut(Found<'a>)) {
                    report::walk(self, path, found);
                }

                fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
                    if self.is_absent() { Ok(()) } else { map.serialize_entry(name, self) }
                }
            }

            impl Target for Option<$model> {
                fn is_of_models(&self) -> bool {
                    true
                }

                fn read_leaf(&mut self, leaf: Leaf) -> bool {
                    *self = object::of_leaf(leaf);
                    self.is_some()
                }

                fn read_object<'de, A: MapAccess<'de>>(&mut self, entries: A, at: &At) -> Result<Option<Value>, A::Error> {
                    object::read_optional(self, entries, at)
                }
            }

            impl Field for Option<$model> {
                fn blank() -> Self {
                    None
                }

                fn is_absent(&self) -> bool {
                    self.is_none()
                }

                fn walk<'a>(&'a self, path: &Path, found: &mut dyn FnMut(Found<'a>)) {
                    if let Some(model) = self {
                        report::walk(model, path, found);
                    }
                }

                fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
                    self.as_ref().map_or(Ok(()), |model| map.serialize_entry(name, model))
                }
            }

            impl Target for Vec<$model> {
                fn is_of_models(&self) -> bool {
                    true
                }

                fn read_list<'de, A: SeqAccess<'de>>(&mut self, items: A, at: &At) -> Result<Option<Value>, A::Error> {
                    object::read_list(self, items, at)
                }
            }

            impl Field for Vec<$model> {
                fn blank() -> Self {
                    Self::new()
                }

                fn is_absent(&self) -> bool {
                    self.is_empty()
                }

                fn walk<'a>(&'a self, path: &Path, found: &mut dyn FnMut(Found<'a>)) {
                    for (place, model) in self.iter().enumerate() {
                        report::walk(model, &Path::Item(path, place), found);
                    }
                }

                fn write<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
                    if self.is_empty() { Ok(()) } else { map.serialize_entry(name, self) }
                }
            }

            impl Serialize for $model {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    object::serialize(self, serializer)
                }
            }

            impl<'de> Deserialize<'de> for $model {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    object::deserialize(deserializer)
                }
            }
        };
    };
    (@required $index:path) => { $index as usize };
    (@text) => { None };
    (@text $text:path) => { Some(|text: &str| $text(text).into()) };
}
pub(crate) use model;
