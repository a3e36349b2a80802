//! The query language of lists: which items, in which order, and which of them.

pub(super) mod choice;
mod condition;
mod field;
pub(super) mod meta;
mod order;
mod select;

pub(super) use select::{Selection, select};
