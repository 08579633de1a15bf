//! The reader: how a value, a field and an object of a body are read and written, once for every model.
//!
//! Each file knows only those above it, but for the macro in `model`, whose code calls `object` and `report`:
//!
//! | file | holds |
//! |---|---|
//! | `quoting` | texts from outside, in an error or in a line of a log |
//! | `path` | where a value stands in a body |
//! | `reading` | one reading of a body: its mode, what is noted of it, how it fails |
//! | `decimal` | the digits of a number in a text |
//! | `value` | any value, held as it came; `Extra` |
//! | `scalar` | `Scalar`: what one text, number or boolean is read as |
//! | `date`, `open_enum` | two scalars with a grammar or a table of their own |
//! | `field` | `Field`: a place in a model that a value is read into, or that hands it back |
//! | `model` | `Model`: an object, made by the macro `model!` from one table of its keys |
//! | `report` | what is reported of a model |
//! | `object` | how an object is read into a model, and written |
//! | `text` | how bytes become a model |
//! | `payload` | the methods of a model that is a whole body |

#![allow(
    clippy::inline_always,
    reason = "the caller knows which leaf it has, so the other arms go away: 4 % of a small body"
)]

pub(crate) mod date;
pub(crate) mod decimal;
pub(crate) mod field;
pub(crate) mod model;
pub(crate) mod object;
pub(crate) mod open_enum;
pub(crate) mod path;
pub(crate) mod payload;
pub(crate) mod quoting;
pub(crate) mod reading;
pub(crate) mod report;
pub(crate) mod scalar;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod value;
