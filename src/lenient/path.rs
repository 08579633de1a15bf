//! Where a value stands in a body.

use std::fmt;

use crate::lenient::quoting::Quoted;

/// The way to a value, borrowed from the stack and joined only to be shown.
///
/// Its steps are documented spellings, so that a path means the same whatever spelling came.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    /// The body itself.
    Root,
    /// The value of a key of an object.
    Key(&'a Path<'a>, &'a str),
    /// An item of a list.
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => step(key).fmt(f),
            Path::Key(parent, key) => write!(f, "{parent}.{}", step(key)),
            Path::Item(parent, place) => write!(f, "{parent}[{place}]"),
        }
    }
}

/// A key as a step of a path: quoted if it could be taken for anything else.
fn step(key: &str) -> Quoted<'_> {
    Quoted { text: key, marks: &['.', '[', ']'] }
}
