//! Where a value stands in a body, and the place in which a refusal is noted.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de;

use crate::CallbackErrorKind;

/// The way to a value, borrowed from the stack and joined only to be shown.
///
/// Its steps are documented spellings, so that a path means the same whatever spelling came.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    /// The body itself.
    Root(&'a Refusal),
    /// The value of a key of an object.
    Key(&'a Path<'a>, &'a str),
    /// An item of a list.
    Item(&'a Path<'a>, usize),
}

/// What was refused and where: noted beside serde's error, which is a text alone.
#[derive(Default)]
pub(crate) struct Refusal(RefCell<Option<(CallbackErrorKind, Option<String>)>>);

impl Refusal {
    pub(crate) fn take(&self) -> Option<(CallbackErrorKind, Option<String>)> {
        self.0.take()
    }

    pub(crate) fn kind(&self) -> Option<CallbackErrorKind> {
        self.0.borrow().as_ref().map(|(kind, _)| *kind)
    }
}

/// An error names keys of a body up to this many characters.
const LONGEST_KEY: usize = 60;

impl Path<'_> {
    /// Where a refusal of the whole body is noted.
    pub(crate) fn refusal(&self) -> &Refusal {
        match self {
            Path::Root(refusal) => refusal,
            Path::Key(parent, _) | Path::Item(parent, _) => parent.refusal(),
        }
    }

    fn refuse<E: de::Error>(&self, kind: CallbackErrorKind, path: Option<String>, message: impl fmt::Display) -> E {
        self.refusal().0.replace(Some((kind, path)));
        E::custom(message)
    }

    #[cold]
    pub(crate) fn given_twice<E: de::Error>(&self, key: &str) -> E {
        let path = Path::Key(self, &shortened(key)).to_string();
        let message = format!("`{path}` is given twice");
        self.refuse(CallbackErrorKind::DuplicateKey, Some(path), message)
    }

    #[cold]
    pub(crate) fn missing<E: de::Error>(&self, path: String) -> E {
        let message = format!("no readable `{path}`");
        self.refuse(CallbackErrorKind::MissingField, Some(path), message)
    }

    #[cold]
    pub(crate) fn not_an_object<E: de::Error>(&self) -> E {
        self.refuse(CallbackErrorKind::NotAnObject, None, "not a JSON object")
    }

    #[cold]
    pub(crate) fn other_kind<E: de::Error>(&self, kind: &str) -> E {
        self.refuse(CallbackErrorKind::OtherKind, None, format_args!("{kind}, not a Viber status"))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Path::Root(_) => Ok(()),
            Path::Key(Path::Root(_), key) => step(key).fmt(f),
            Path::Key(parent, key) => write!(f, "{parent}.{}", step(key)),
            Path::Item(parent, place) => write!(f, "{parent}[{place}]"),
        }
    }
}

/// A key as a step of a path: quoted if it could be taken for anything else.
pub(crate) fn step(key: &str) -> Quoted<'_> {
    Quoted { text: key, marks: &['.', '[', ']'] }
}

/// A text from outside for a line of a log: quoted if it is empty or has white space, a quote, a backslash, a character
/// that does not print, or one of the marks.
pub(crate) struct Quoted<'a> {
    pub(crate) text: &'a str,
    pub(crate) marks: &'static [char],
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let is_plain = |c: char| {
            let is_mark = matches!(c, '"' | '\'' | '`' | '\\') || self.marks.contains(&c);
            !is_mark && !c.is_whitespace() && c.escape_debug().next() == Some(c)
        };
        if !self.text.is_empty() && self.text.chars().all(is_plain) {
            f.write_str(self.text)
        } else {
            fmt::Debug::fmt(self.text, f)
        }
    }
}

/// A key that is not too long for an error or a line of a log.
pub(crate) fn shortened(key: &str) -> Cow<'_, str> {
    let end = key.char_indices().nth(LONGEST_KEY).map(|(end, _)| end);
    match end.and_then(|end| key.get(..end)) {
        Some(start) => format!("{start}…").into(),
        None => key.into(),
    }
}
