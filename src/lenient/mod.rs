//! The reader: how a value, a field and an object of a body are read and written, once for every model.
//!
//! A [`Scalar`](scalar::Scalar) is made of one text, number or boolean. A [`Field`](field::Field) is a place in a model
//! that is read into, or that hands back what it cannot take. A [`Model`](model::Model) is an object, made by the macro
//! `model!` from one table of wire names. Each knows only those before it:
//!
//! `quoting` → `path` → `reading` · `decimal` → `value` → `scalar` → `date`, `open_enum`, `field` → `model` → `report`,
//! `object` → `text`

#![allow(clippy::inline_always, reason = "which leaf it is, is known where it is read: 4 % of a small body")]

pub(crate) mod date;
pub(crate) mod decimal;
pub(crate) mod field;
pub(crate) mod model;
pub(crate) mod object;
pub(crate) mod open_enum;
pub(crate) mod path;
pub(crate) mod quoting;
pub(crate) mod reading;
pub(crate) mod report;
pub(crate) mod scalar;
pub(crate) mod text;
pub(crate) mod value;
