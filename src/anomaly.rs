//! What was not understood in a body.

use std::fmt;

/// One thing in a body that this crate does not understand.
///
/// It names the place and never the value, so you can log and count it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Anomaly {
    /// Where it stands in the body, such as `body.viberFile.fileUrl` or `messages[1].price`.
    ///
    /// Each step is a documented spelling, except that the last one is the key as it came. A key that is empty or has
    /// `.`, `[`, `]`, a quote, a backslash, white space or a control character is quoted as Rust's `{:?}` does.
    pub path: String,
    /// What it is.
    pub kind: AnomalyKind,
}

/// The kinds of [`Anomaly`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// A key that has no field here.
    UnknownField,
    /// A second spelling of a field that was given in another one too.
    OtherSpelling,
    /// A value that its field cannot take.
    UnreadableValue,
    /// A name that its enum does not recognize.
    UnrecognizedName,
    /// A text with U+FFFD, the replacement character, which stands for what was no text: bytes that are not UTF-8 or half
    /// of an emoji, mended here or before the body was sent. The same path may have another anomaly as well.
    BrokenText,
}

impl AnomalyKind {
    /// The kind in `snake_case`, for a metric's label or a column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownField => "unknown_field",
            Self::OtherSpelling => "other_spelling",
            Self::UnreadableValue => "unreadable_value",
            Self::UnrecognizedName => "unrecognized_name",
            Self::BrokenText => "broken_text",
        }
    }
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A sentence for a person.
impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let what = match self.kind {
            AnomalyKind::UnknownField => "is not a known field",
            AnomalyKind::OtherSpelling => "is another spelling of a field that was already read",
            AnomalyKind::UnreadableValue => "has a value that could not be read",
            AnomalyKind::UnrecognizedName => "has an unrecognized name",
            AnomalyKind::BrokenText => "has broken text",
        };
        write!(f, "`{}` {what}", self.path)
    }
}
