//! Marks: names such as `processed` on files, by the file's identity. They are on disk before a change is answered, and
//! follow renames and replaced files.

pub mod followed_list;
pub mod identity;
pub mod mark_book;
pub mod mark_change;
pub mod mark_export;
mod mark_ledger;
pub mod mark_store;
pub mod marker_database;

pub use followed_list::FollowedList;
pub use identity::MarkIdentity;
pub use mark_book::MarkBook;
pub use mark_change::{MarkAction, MarkChange, MarkError, MarkReceipt};
pub use mark_export::{ExportRow, MarkExport};
