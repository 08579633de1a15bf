//! A value that is made of one text, number or boolean.

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Number, Value};

use crate::lenient::decimal::{Decimal, exact_f64};
use crate::lenient::value::whole;

/// What a scalar is made of.
///
/// `null` and `""` are no leaves: they are the same as an absent field.
#[derive(Clone, Copy)]
pub(crate) enum Leaf<'a> {
    Text(&'a str),
    Number(&'a Number),
    Bool(bool),
    /// A date may be a list of numbers.
    List(&'a [Value]),
}

impl<'a> Leaf<'a> {
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text)),
            Value::Number(number) => Some(Self::Number(number)),
            Value::Bool(value) => Some(Self::Bool(*value)),
            Value::Array(items) => Some(Self::List(items)),
            Value::Null | Value::Object(_) => None,
        }
    }
}

/// A type that one leaf can be read as.
pub(crate) trait Scalar: Sized + Serialize {
    fn from_leaf(leaf: Leaf) -> Option<Self>;

    /// Whether this is a name that its enum does not know.
    fn is_unrecognized(&self) -> bool {
        false
    }

    /// The text that it is.
    fn text(&self) -> Option<&str> {
        None
    }

    fn write_entry<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(name, self)
    }
}

/// A text; a whole number of up to 64 bits or a boolean becomes its text.
impl Scalar for String {
    #[inline(always)]
    fn from_leaf(leaf: Leaf) -> Option<Self> {
        match leaf {
            Leaf::Text(text) => Some(text.to_owned()),
            Leaf::Number(number) => whole(number).map(|_| number.to_string()),
            Leaf::Bool(value) => Some(value.to_string()),
            Leaf::List(_) => None,
        }
    }

    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

/// A finite number; a whole one only if an `f64` holds it exactly, one in a string only if it prints back as sent.
impl Scalar for f64 {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    fn from_leaf(leaf: Leaf) -> Option<Self> {
        match leaf {
            Leaf::Text(text) => exact_f64(text),
            Leaf::Number(number) => {
                let value = number.as_f64().filter(|value| value.is_finite())?;
                whole(number).is_none_or(|whole| value as i128 == whole).then_some(value)
            }
            Leaf::Bool(_) | Leaf::List(_) => None,
        }
    }
}

/// `true`, `false`, or either word in a string in any case.
impl Scalar for bool {
    fn from_leaf(leaf: Leaf) -> Option<Self> {
        match leaf {
            Leaf::Text(text) => {
                let is = |word| text.eq_ignore_ascii_case(word);
                (is("true") || is("false")).then(|| is("true"))
            }
            Leaf::Bool(value) => Some(value),
            Leaf::Number(_) | Leaf::List(_) => None,
        }
    }
}

/// From here on an `f64` may be the nearest one to several whole numbers.
const EXACT: u64 = 1 << 53;

/// A whole number in range, also with a fraction of zeros or an exponent below 2⁵³, or one of these in a string.
impl Scalar for u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    fn from_leaf(leaf: Leaf) -> Option<Self> {
        match leaf {
            Leaf::Text(text) => {
                let number = Decimal::parse(text)?;
                if text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return text.parse().ok();
                }
                number.to_whole()?.try_into().ok().filter(|number| *number < EXACT)
            }
            Leaf::Number(number) => {
                if let Some(whole) = whole(number) {
                    return whole.try_into().ok();
                }
                let value = number.as_f64()?;
                let is_exact = value >= 0.0 && value.fract() == 0.0 && value < EXACT as f64;
                is_exact.then_some(value as u64)
            }
            Leaf::Bool(_) | Leaf::List(_) => None,
        }
    }
}

/// As for `u64`.
impl Scalar for u32 {
    fn from_leaf(leaf: Leaf) -> Option<Self> {
        u64::from_leaf(leaf)?.try_into().ok()
    }
}
