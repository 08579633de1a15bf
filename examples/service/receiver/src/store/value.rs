//! What a statement is given, and what a query answers.

/// What stands in a column, and what a statement is given: rusqlite's, for PostgreSQL too.
pub use rusqlite::types::Value;

/// What a query answers. Who asks knows the types; a NULL is 0 or empty.
#[derive(Debug, Clone)]
pub struct Row(pub Vec<Value>);

impl Row {
    pub fn integer(&self, column: usize) -> i64 {
        self.integer_or_null(column).unwrap_or_default()
    }

    pub fn integer_or_null(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Value::Integer(integer)) => Some(*integer),
            _ => None,
        }
    }

    pub fn text(&self, column: usize) -> &str {
        match self.0.get(column) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    pub fn bytes(&self, column: usize) -> &[u8] {
        match self.0.get(column) {
            Some(Value::Blob(bytes)) => bytes,
            _ => &[],
        }
    }
}
