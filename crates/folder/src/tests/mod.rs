//! Folders on a real tree, and lists beside a naive model.

mod changes;
mod fixture;
mod following;
mod lists;
mod marks;
mod paths;
mod reports;
mod waiting;
