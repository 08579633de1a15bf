//! The error for a body that could not be parsed.

use std::fmt;

use serde_json::error::Category;

use crate::kind::BodyKind;

/// The error for a body that could not be parsed.
///
/// It names the field that is missing or given twice, or the line and column at which the JSON breaks. It never repeats
/// a value of the body, and a key is escaped and shortened, so you can log it and count by
/// [`kind`](CallbackError::kind).
///
/// Keep the bytes of such a body and answer 200: otherwise Routee sends them up to 12 more times.
///
/// ```
/// use routee_viber::{CallbackErrorKind, ViberCallback};
///
/// let body = r#"{"trackingId": "1", "status": {}}"#;
/// let read: Result<ViberCallback, _> = body.parse();
/// let error = read.unwrap_err();
/// assert_eq!(error.to_string(), "no readable `status.name`");
/// let missing = CallbackErrorKind::MissingField;
/// assert_eq!(error.kind(), missing);
/// assert_eq!(error.path(), Some("status.name"));
///
/// let body = "{\n \"status\" \"SEEN\"}";
/// let read: Result<ViberCallback, _> = body.parse();
/// let error = read.unwrap_err();
/// assert_eq!(error.kind().as_str(), "syntax");
/// assert_eq!(error.line(), Some(2));
/// assert_eq!(error.column(), Some(11));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallbackError {
    message: String,
    kind: CallbackErrorKind,
    path: Option<String>,
    body_kind: Option<BodyKind>,
    line: usize,
    column: usize,
}

/// The kinds of [`CallbackError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CallbackErrorKind {
    /// The text is not JSON, or JSON that `serde_json` cannot hold: nested too deeply, or with a number past `f64`.
    Syntax,
    /// The text ends too soon.
    Truncated,
    /// The body is JSON, but not an object.
    NotAnObject,
    /// A required field is absent or has a value that could not be read.
    MissingField,
    /// A key is given twice, in exactly the same spelling, in an object that this crate has a model for, or at the top
    /// level of a body that [`Incoming`](crate::Incoming) reads.
    DuplicateKey,
    /// A [`ViberCallback`](crate::ViberCallback) was asked for, but the body is plainly of another kind.
    OtherKind,
}

impl CallbackErrorKind {
    /// The kind in `snake_case`, for a metric's label or a column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Truncated => "truncated",
            Self::NotAnObject => "not_an_object",
            Self::MissingField => "missing_field",
            Self::DuplicateKey => "duplicate_key",
            Self::OtherKind => "other_kind",
        }
    }
}

impl fmt::Display for CallbackErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was refused, and where.
pub(crate) struct Refusal {
    pub(crate) kind: CallbackErrorKind,
    pub(crate) path: Option<String>,
    pub(crate) body_kind: Option<BodyKind>,
}

impl CallbackError {
    /// Keeps what `serde_json` says, whose own messages quote nothing, and what was refused.
    pub(crate) fn new(error: &serde_json::Error, refusal: Option<Refusal>) -> Self {
        let refusal = refusal.unwrap_or_else(|| {
            let kind = match error.classify() {
                Category::Eof => CallbackErrorKind::Truncated,
                Category::Syntax | Category::Data | Category::Io => CallbackErrorKind::Syntax,
            };
            Refusal { kind, path: None, body_kind: None }
        });
        let Refusal { kind, path, body_kind } = refusal;
        Self { message: error.to_string(), kind, path, body_kind, line: error.line(), column: error.column() }
    }

    /// What is wrong with the body.
    #[must_use]
    pub fn kind(&self) -> CallbackErrorKind {
        self.kind
    }

    /// Which kind of body it plainly is, if that is why it is refused: [`CallbackErrorKind::OtherKind`].
    ///
    /// ```
    /// use routee_viber::{BodyKind, ViberCallback, samples};
    ///
    /// let body = samples::FAILOVER.as_bytes();
    /// let error = ViberCallback::from_slice(body).unwrap_err();
    /// assert_eq!(error.body_kind(), Some(BodyKind::Failover));
    /// ```
    #[must_use]
    pub fn body_kind(&self) -> Option<BodyKind> {
        self.body_kind
    }

    /// The path of the field that is missing or given twice, such as `status.name`. A key of more than 60 characters is
    /// shortened.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The line, from 1, if the error has a place in the text.
    ///
    /// Line and column refer to the text as it was read: without a byte-order mark, and with the three bytes of U+FFFD
    /// for what is not UTF-8. If a key is given twice in a step of a failover callback, they point to the end of the
    /// list of steps.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        (self.line > 0).then_some(self.line)
    }

    /// The column, in bytes from 1, if the error has a place in the text; 0 is before the first byte of the line.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.line().map(|_| self.column)
    }
}
