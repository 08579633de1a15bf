//! A value that is made of one text, number or boolean.

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Number, Value};

use crate::lenient::decimal::{Decimal, exact_f64};
use crate::lenient::value::whole;

/// A type that one text, number or boolean can be read as; a date also a list.
///
/// `null` and `""` never get here: they are the same as an absent field.
pub(crate) trait Scalar: Sized + Serialize {
    fn from_text(text: &str) -> Option<Self>;

    fn from_number(_: &Number) -> Option<Self> {
        None
    }

    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    fn from_list(_: &[Value]) -> Option<Self> {
        None
    }

    /// Whether this is a name that its enum does not know.
    fn is_unrecognized(&self) -> bool {
        false
    }

    /// The text that it is.
    fn text(&self) -> Option<&str> {
        None
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::from_text(text),
            Value::Number(number) => Self::from_number(number),
            Value::Bool(value) => Self::from_bool(*value),
            Value::Array(items) => Self::from_list(items),
            Value::Null | Value::Object(_) => None,
        }
    }

    fn write_entry<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(name, self)
    }
}

/// A text; a whole number of up to 64 bits or a boolean becomes its text.
impl Scalar for String {
    #[inline]
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn from_number(number: &Number) -> Option<Self> {
        whole(number).map(|_| number.to_string())
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(value.to_string())
    }

    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

/// A finite number; a whole one only if an `f64` holds it exactly, one in a string only if it prints back as sent.
impl Scalar for f64 {
    fn from_text(text: &str) -> Option<Self> {
        exact_f64(text)
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    fn from_number(number: &Number) -> Option<Self> {
        let value = number.as_f64().filter(|value| value.is_finite())?;
        whole(number).is_none_or(|whole| value as i128 == whole).then_some(value)
    }
}

/// `true`, `false`, or either word in a string in any case.
impl Scalar for bool {
    fn from_text(text: &str) -> Option<Self> {
        let is = |word| text.eq_ignore_ascii_case(word);
        (is("true") || is("false")).then(|| is("true"))
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

/// A whole number in range, also with a fraction of zeros or an exponent below 2⁵³, or one of these in a string.
impl Scalar for u64 {
    fn from_text(text: &str) -> Option<Self> {
        let number = Decimal::parse(text)?;
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok();
        }
        number.to_whole()?.try_into().ok().filter(|number| *number < EXACT)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    fn from_number(number: &Number) -> Option<Self> {
        if let Some(whole) = whole(number) {
            return whole.try_into().ok();
        }
        let value = number.as_f64()?;
        let is_exact = value >= 0.0 && value.fract() == 0.0 && value < EXACT as f64;
        is_exact.then_some(value as u64)
    }
}

/// From here on an `f64` may be the nearest one to several whole numbers.
const EXACT: u64 = 1 << 53;

/// As for `u64`.
impl Scalar for u32 {
    fn from_text(text: &str) -> Option<Self> {
        u64::from_text(text)?.try_into().ok()
    }

    fn from_number(number: &Number) -> Option<Self> {
        u64::from_number(number)?.try_into().ok()
    }
}
