//! Where a value stands in a body, and the place in which is noted what concerns the reading as a whole.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de;

use crate::{BodyKind, CallbackErrorKind};

/// The way to a value, borrowed from the stack and joined only to be shown.
///
/// Its steps are documented spellings, so that a path means the same whatever spelling came.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    /// The body itself.
    Root(&'a Root),
    /// The value of a key of an object.
    Key(&'a Path<'a>, &'a str),
    /// An item of a list.
    Item(&'a Path<'a>, usize),
}

/// What concerns a reading as a whole.
#[derive(Default)]
pub(crate) struct Root {
    /// Noted beside serde's error, which is a text alone.
    refusal: RefCell<Option<Refusal>>,
    /// Whether an object at the top came as a bare text.
    has_bare_text: Cell<bool>,
    objects: Objects,
    /// Whether the body has to be read again, its objects held.
    again: Cell<bool>,
    is_of_any_kind: Cell<bool>,
    is_given_up: Cell<bool>,
}

/// What was refused, and where.
pub(crate) struct Refusal {
    pub(crate) kind: CallbackErrorKind,
    pub(crate) path: Option<String>,
    pub(crate) body_kind: Option<BodyKind>,
}

/// How objects are read that may have to be handed back as they came: those of a list, and those that require something.
#[derive(Clone, Copy, Default)]
pub(crate) enum Objects {
    /// Held before they are read, which is always possible.
    #[default]
    Held,
    /// Straight from the body, which is read again if one has to be handed back.
    Direct,
}

impl Root {
    /// For a body that can be read again.
    pub(crate) fn new(objects: Objects) -> Self {
        Self { objects, ..Self::default() }
    }

    pub(crate) fn take_refusal(&self) -> Option<Refusal> {
        self.refusal.take()
    }

    pub(crate) fn refused_kind(&self) -> Option<CallbackErrorKind> {
        self.refusal.borrow().as_ref().map(|refusal| refusal.kind)
    }

    pub(crate) fn objects(&self) -> Objects {
        self.objects
    }

    pub(crate) fn has_to_be_read_again(&self) -> bool {
        self.again.get()
    }

    /// Lets the reading end at the first sign that the body may be of another kind.
    pub(crate) fn set_of_any_kind(&self) {
        self.is_of_any_kind.set(true);
    }

    pub(crate) fn is_of_any_kind(&self) -> bool {
        self.is_of_any_kind.get()
    }

    /// Whether the reading ended at such a sign.
    pub(crate) fn is_given_up(&self) -> bool {
        self.is_given_up.get()
    }

    pub(crate) fn has_bare_text(&self) -> bool {
        self.has_bare_text.get()
    }
}

/// An error names keys of a body up to this many characters.
const LONGEST_KEY: usize = 60;

impl Path<'_> {
    pub(crate) fn root(&self) -> &Root {
        match self {
            Path::Root(root) => root,
            Path::Key(parent, _) | Path::Item(parent, _) => parent.root(),
        }
    }

    /// Notes that an object of this one came as a bare text, which only the top of a body is asked for.
    pub(crate) fn note_bare_text(&self) {
        if let Path::Root(root) = self {
            root.has_bare_text.set(true);
        }
    }

    fn refuse<E: de::Error>(&self, refusal: Refusal, message: impl fmt::Display) -> E {
        self.root().refusal.replace(Some(refusal));
        E::custom(message)
    }

    /// Ends this reading, since the body may be of another kind.
    #[cold]
    pub(crate) fn give_up<E: de::Error>(&self) -> E {
        self.root().is_given_up.set(true);
        E::custom("perhaps of another kind")
    }

    /// Ends this reading, since an object has to be handed back that was not held.
    #[cold]
    pub(crate) fn read_again<E: de::Error>(&self) -> E {
        self.root().again.set(true);
        E::custom("to be read again")
    }

    #[cold]
    pub(crate) fn given_twice<E: de::Error>(&self, key: &str) -> E {
        let path = Path::Key(self, &shortened(key, LONGEST_KEY)).to_string();
        let message = format!("`{path}` is given twice");
        self.refuse(Refusal { kind: CallbackErrorKind::DuplicateKey, path: Some(path), body_kind: None }, message)
    }

    #[cold]
    pub(crate) fn missing<E: de::Error>(&self, path: String) -> E {
        let message = format!("no readable `{path}`");
        self.refuse(Refusal { kind: CallbackErrorKind::MissingField, path: Some(path), body_kind: None }, message)
    }

    #[cold]
    pub(crate) fn not_an_object<E: de::Error>(&self) -> E {
        let refusal = Refusal { kind: CallbackErrorKind::NotAnObject, path: None, body_kind: None };
        self.refuse(refusal, "not a JSON object")
    }

    #[cold]
    pub(crate) fn other_kind<E: de::Error>(&self, kind: BodyKind) -> E {
        let refusal = Refusal { kind: CallbackErrorKind::OtherKind, path: None, body_kind: Some(kind) };
        self.refuse(refusal, format_args!("{kind}, not a Viber status"))
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

/// Whether a text from outside is a word or a few, and no message that may hold a number or a name: at most 32 ASCII
/// letters and marks.
pub(crate) fn is_plain_word(text: &str, marks: &[u8]) -> bool {
    text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphabetic() || marks.contains(&byte))
}

/// A text that is not too long for an error or a line of a log.
pub(crate) fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    let end = text.char_indices().nth(longest).map(|(end, _)| end);
    match end.and_then(|end| text.get(..end)) {
        Some(start) => format!("{start}…").into(),
        None => text.into(),
    }
}
