//! Query parameters of lists: filters, sort order, and paging.

pub(super) mod choice;
mod condition;
mod field;
mod filter_fields;
pub(super) mod meta;
mod order;
mod select;

pub(super) use select::{ItemSelection, select};
