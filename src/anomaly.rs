//! What was not understood in a body.

use std::fmt;

/// One thing in a callback that this crate does not understand.
///
/// It names the place and never the value, so it can be logged and counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Anomaly {
    /// Where it stands in the body, such as `body.viberFile.fileUrl`; the keys as they came.
    pub path: String,
    /// What it is.
    pub kind: AnomalyKind,
}

/// The kinds of [`Anomaly`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// A key that has no field, or a second spelling of a field that was given in the documented one.
    UndocumentedField,
    /// A value that its field cannot take.
    UnreadableValue,
    /// A name that its enum does not know.
    UnrecognizedName,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "`{}` {}", self.path.escape_debug(), self.kind)
    }
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::UndocumentedField => "is not documented",
            Self::UnreadableValue => "has a value that could not be read",
            Self::UnrecognizedName => "has a name that is not known",
        })
    }
}
