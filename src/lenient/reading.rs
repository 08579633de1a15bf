//! One reading of a body: what is noted of it as a whole, and how it fails.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de;

use crate::error::{CallbackErrorKind, Refusal};
use crate::kind::BodyKind;
use crate::lenient::path::Path;
use crate::lenient::quoting::shortened;

/// One reading of a body.
#[derive(Default)]
pub(crate) struct Reading {
    mode: Mode,
    /// Why the body was refused, since an error of serde can carry no more than a text.
    refusal: RefCell<Option<Refusal>>,
    stop: Cell<Option<Stop>>,
    /// Whether an object at the top of the body came as a bare text.
    has_bare_text: Cell<bool>,
}

/// How a body is read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Objects that may have to be handed back as they came are held before they are read: those of a list, and those that
    /// require something.
    #[default]
    Holding,
    /// They are read straight from the body, which is read again if one has to be handed back.
    Direct,
    /// As `Direct`, until a key says that the body may be of another kind.
    DirectUnlessOtherKind,
}

/// Why a reading ended that did not fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// An object has to be handed back.
    HasToBeHeld,
    /// The body may be of another kind.
    MayBeOfOtherKind,
}

impl Reading {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn take_refusal(&self) -> Option<Refusal> {
        self.refusal.take()
    }

    pub(crate) fn refused_kind(&self) -> Option<CallbackErrorKind> {
        self.refusal.borrow().as_ref().map(|refusal| refusal.kind)
    }

    pub(crate) fn stop(&self) -> Option<Stop> {
        self.stop.get()
    }

    pub(crate) fn has_bare_text(&self) -> bool {
        self.has_bare_text.get()
    }
}

/// An error names keys of a body up to this many characters.
const LONGEST_KEY: usize = 60;

/// Where a reading is.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) path: Path<'a>,
    pub(crate) reading: &'a Reading,
}

impl<'a> At<'a> {
    pub(crate) fn root(reading: &'a Reading) -> Self {
        Self { path: Path::Root, reading }
    }

    pub(crate) fn key<'b>(&'b self, key: &'b str) -> At<'b> {
        At { path: Path::Key(&self.path, key), reading: self.reading }
    }

    pub(crate) fn item(&self, place: usize) -> At<'_> {
        At { path: Path::Item(&self.path, place), reading: self.reading }
    }

    /// Notes that an object of this one came as a bare text, which only the top of a body is asked for.
    pub(crate) fn note_bare_text(&self) {
        if matches!(self.path, Path::Root) {
            self.reading.has_bare_text.set(true);
        }
    }

    #[cold]
    pub(crate) fn stopped<E: de::Error>(&self, why: Stop) -> E {
        self.reading.stop.set(Some(why));
        E::custom("stopped")
    }

    #[cold]
    pub(crate) fn given_twice<E: de::Error>(&self, key: &str) -> E {
        let path = self.key(&shortened(key, LONGEST_KEY)).path.to_string();
        let message = format!("`{path}` is given twice");
        self.refused(CallbackErrorKind::DuplicateKey, Some(path), None, message)
    }

    #[cold]
    pub(crate) fn missing<E: de::Error>(&self, path: String) -> E {
        let message = format!("no readable `{path}`");
        self.refused(CallbackErrorKind::MissingField, Some(path), None, message)
    }

    #[cold]
    pub(crate) fn not_an_object<E: de::Error>(&self) -> E {
        self.refused(CallbackErrorKind::NotAnObject, None, None, "not a JSON object")
    }

    #[cold]
    pub(crate) fn other_kind<E: de::Error>(&self, kind: BodyKind) -> E {
        self.refused(CallbackErrorKind::OtherKind, None, Some(kind), format_args!("{kind}, not a Viber status"))
    }

    fn refused<E: de::Error>(
        &self,
        kind: CallbackErrorKind,
        path: Option<String>,
        body_kind: Option<BodyKind>,
        message: impl fmt::Display,
    ) -> E {
        self.reading.refusal.replace(Some(Refusal { kind, path, body_kind }));
        E::custom(message)
    }
}
