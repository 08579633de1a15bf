//! What a statement is given, and what a query answers.

use crate::store::error::StoreError;

/// What stands in a column of either database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<u32> for Value {
    fn from(integer: u32) -> Self {
        Self::Integer(integer.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// SQL and its parameters, of which `$1` first stands before `$2`.
pub type Statement<'a> = (&'a str, Vec<Value>);

/// A row that a query answers.
#[derive(Debug, Clone)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// What stands in a column, by its place from 0: an `i64`, a `&str` or a `&[u8]`, or an `Option` of one where the
    /// column may be NULL.
    pub fn get<'a, T: FromValue<'a>>(&'a self, column: usize) -> Result<T, WrongType> {
        self.0.get(column).and_then(T::from_value).ok_or(WrongType { column, expected: T::TYPE })
    }
}

/// What a column holds is of another type than the query was written for.
#[derive(Debug, thiserror::Error)]
#[error("column {column} of a row is not {expected}")]
pub struct WrongType {
    pub column: usize,
    expected: &'static str,
}

impl From<WrongType> for StoreError {
    fn from(error: WrongType) -> Self {
        Self::unavailable(error)
    }
}

pub trait FromValue<'a>: Sized {
    const TYPE: &'static str;

    fn from_value(value: &'a Value) -> Option<Self>;
}

impl FromValue<'_> for i64 {
    const TYPE: &'static str = "an integer";

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Integer(integer) = value { Some(*integer) } else { None }
    }
}

impl<'a> FromValue<'a> for &'a str {
    const TYPE: &'static str = "a text";

    fn from_value(value: &'a Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl<'a> FromValue<'a> for &'a [u8] {
    const TYPE: &'static str = "bytes";

    fn from_value(value: &'a Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes) } else { None }
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    const TYPE: &'static str = T::TYPE;

    fn from_value(value: &'a Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_getter_fails_on_null_and_on_another_type() {
        let row = Row(vec![Value::Null, Value::Integer(1), "a".into(), Value::Bytes(vec![1])]);
        assert_eq!(row.get::<Option<i64>>(0).unwrap(), None);
        assert_eq!((row.get::<i64>(1).unwrap(), row.get::<Option<i64>>(1).unwrap()), (1, Some(1)));
        assert_eq!((row.get::<&str>(2).unwrap(), row.get::<&[u8]>(3).unwrap()), ("a", &[1][..]));
        let error = |found: Result<(), WrongType>| found.unwrap_err().to_string();
        assert_eq!(error(row.get::<i64>(0).map(drop)), "column 0 of a row is not an integer");
        assert_eq!(error(row.get::<&str>(3).map(drop)), "column 3 of a row is not a text");
        assert_eq!(error(row.get::<Option<&[u8]>>(2).map(drop)), "column 2 of a row is not bytes");
    }
}
