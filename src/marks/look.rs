//! A look at a value for what may tell the kind of its body, whether it is held or still to be read.

use std::collections::BTreeMap;

use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use serde_json::Value;

use crate::lenient::field::{Seed, Target};
use crate::lenient::open_enum::is_same_name;
use crate::lenient::reading::At;
use crate::lenient::scalar::Leaf;
use crate::lenient::value::{Held as _, NUMBER_KEY, Tree, disguised_number, holding};

/// A value of a body.
pub(crate) trait Node: Sized {
    /// Neither a list nor an object.
    fn leaf(&self) -> Option<&Value>;

    fn items(&self) -> Option<&[Self]>;

    /// In the order of their keys; of a key that stands twice, the last one.
    fn entries(&self) -> Option<BTreeMap<&str, &Self>>;

    fn is_object(&self) -> bool;
}

impl Node for Value {
    fn leaf(&self) -> Option<&Value> {
        Some(self).filter(|value| !value.is_array() && !value.is_object())
    }

    fn items(&self) -> Option<&[Self]> {
        self.as_array().map(Vec::as_slice)
    }

    fn entries(&self) -> Option<BTreeMap<&str, &Self>> {
        Some(self.as_object()?.iter().map(|(key, value)| (key.as_str(), value)).collect())
    }

    fn is_object(&self) -> bool {
        self.is_object()
    }
}

impl Node for Tree {
    fn leaf(&self) -> Option<&Value> {
        match self {
            Self::Leaf(leaf) => Some(leaf),
            Self::List(_) | Self::Object(_) => None,
        }
    }

    fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Leaf(_) | Self::Object(_) => None,
        }
    }

    fn entries(&self) -> Option<BTreeMap<&str, &Self>> {
        match self {
            Self::Object(entries) => Some(entries.iter().map(|(key, value)| (key.as_str(), value)).collect()),
            Self::Leaf(_) | Self::List(_) => None,
        }
    }

    fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

/// As much of a value as may tell the kind of its body.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is looked at for another rule")]
pub(super) struct Look {
    /// It is neither null nor `""`.
    pub(super) is_there: bool,
    /// It is an object or a list of some, which may be one level deeper, as mappers with type ids nest lists.
    pub(super) has_object: bool,
    pub(super) is_failover: bool,
    pub(super) is_inbound: bool,
}

impl Look {
    pub(super) const THERE: Self = Self { is_there: true, has_object: false, is_failover: false, is_inbound: false };
    const OBJECT: Self = Self { has_object: true, ..Self::THERE };

    pub(super) fn at<N: Node>(value: &N) -> Self {
        let items = |value: &N| value.items().unwrap_or_default().iter().any(N::is_object);
        match value.leaf() {
            Some(Value::Null) => Self::default(),
            Some(Value::String(text)) => Self::at_text(text),
            Some(_) => Self::THERE,
            None if value.is_object() => Self::OBJECT,
            None => {
                let has_object = items(value) || value.items().unwrap_or_default().iter().any(items);
                Self { has_object, ..Self::THERE }
            }
        }
    }

    pub(super) fn at_text(text: &str) -> Self {
        Self {
            is_there: !text.is_empty(),
            is_failover: is_same_name(text, "Failover"),
            is_inbound: is_same_name(text, "Inbound"),
            ..Self::default()
        }
    }
}

/// What a value is read into that is looked at and not held.
pub(super) struct Looking {
    pub(super) look: Look,
    /// In how many lists it stands.
    depth: u32,
}

/// An object in this many lists is still one of theirs.
const DEEPEST: u32 = 2;

impl Looking {
    pub(super) fn new() -> Self {
        Self { look: Look::default(), depth: 0 }
    }
}

impl Target for Looking {
    fn read_leaf(&mut self, leaf: Leaf) -> bool {
        self.look = match leaf {
            Leaf::Text(text) => Look::at_text(text),
            Leaf::Number(_) | Leaf::Bool(_) | Leaf::List(_) => Look::THERE,
        };
        true
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, at: &At) -> Result<Option<Value>, A::Error> {
        self.look = Look::THERE;
        if self.depth == DEEPEST {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        }
        loop {
            let mut item = Self { look: Look::default(), depth: self.depth + 1 };
            if items.next_element_seed(Seed::alone(&mut item, at))?.is_none() {
                return Ok(None);
            }
            self.look.has_object |= item.look.has_object;
        }
    }

    /// Of a number that looks like an object, under `arbitrary_precision`, the key comes first and alone.
    fn read_object<'de, A: MapAccess<'de>>(&mut self, mut entries: A, _: &At) -> Result<Option<Value>, A::Error> {
        self.look = Look::OBJECT;
        let mut is_first = true;
        while let Some(key) = entries.next_key::<String>()? {
            if is_first && key == NUMBER_KEY {
                let text: Value = entries.next_value_seed(holding())?;
                self.look = disguised_number(&text).map_or(Look::OBJECT, |_| Look::THERE);
            } else {
                entries.next_value::<IgnoredAny>()?;
                self.look = Look::OBJECT;
            }
            is_first = false;
        }
        Ok(None)
    }
}

/// A `status` with no more in it than tells something.
pub(super) struct Sketch(pub(super) Tree);

impl Sketch {
    pub(super) fn new() -> Self {
        Self(Tree::Leaf(Value::Null))
    }
}

impl Target for Sketch {
    fn read_leaf(&mut self, leaf: Leaf) -> bool {
        self.0 = Tree::Leaf(match leaf {
            Leaf::Text(text) => text.into(),
            Leaf::Number(number) => Value::Number(number.clone()),
            Leaf::Bool(value) => value.into(),
            Leaf::List(items) => items.into(),
        });
        true
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut items: A, _: &At) -> Result<Option<Value>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        self.0 = Tree::List(Vec::new());
        Ok(None)
    }

    fn read_object<'de, A: MapAccess<'de>>(&mut self, mut entries: A, _: &At) -> Result<Option<Value>, A::Error> {
        let mut kept = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            let tells = ["name", "status", "dateTime", "final", "delivered", NUMBER_KEY];
            if tells.iter().any(|name| is(&key, name)) {
                kept.push((key, entries.next_value_seed(holding())?));
            } else {
                entries.next_value::<IgnoredAny>()?;
                kept.push((key, Tree::Leaf(Value::Null)));
            }
        }
        self.0 = Tree::from_entries(kept);
        Ok(None)
    }
}

pub(super) fn is(key: &str, name: &str) -> bool {
    key.eq_ignore_ascii_case(name)
}

/// Neither null nor `""`.
pub(super) fn is_present<N: Node>(value: &N) -> bool {
    value.leaf().is_none_or(|leaf| !leaf.is_null() && leaf != "")
}
