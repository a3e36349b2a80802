//! Folders of files: each an index of its tree, with marks, metadata and covers, and lists that are never empty while the
//! index is built.
//!
//! | module | content |
//! |---|---|
//! | [`folders`], [`folder`] | all folders; one of them: what may be asked of it |
//! | `folder_marks` | changes of its marks |
//! | `folder_task`, `folder_work` | its task, and the blocking work of it; [`folder_status`]: what it shows |
//! | [`scan`] | reading a tree, never outside its root and never through a link |
//! | [`index`] | generations, how one follows from another, whether a scan is accepted, the file they are saved in |
//! | [`list`] | search, filter, order, pages and cursors |
//! | [`marks`] | marks in `state.db`, which follow renames |
//! | [`change_history`] | what changed lately, in `state.db` |
//! | `marker_files`, `marker_looks` | the comic app's own marker files or database, which are followed |
//! | [`archive`] | page counts and ComicInfo.xml of zip, rar, 7z and tar; `enrichment`: reading them in the background |
//! | [`cover`], [`cover_store`] | covers, and their thumbnails on disk; `cover_service`: the worker that makes them |
//! | [`watcher`], [`dirty_paths`] | what the system reports as changed |
//! | [`path_index`] | files by paths as other programs see them |
//! | [`duplicates`], [`mod@fingerprint`] | files that seem to be equal |
//! | [`file_entry`], [`file_details`], [`comic_info`], [`mark_cell`], [`natural_key`] | a file of an index, and its parts |
//!
//! **A list is a generation.** A generation is complete and never changes; a scan makes the next one and replaces it by
//! one swap. So a list is never empty because something is being built, and never shorter than the last complete one. A
//! disk that is away, an empty root or the loss of most files makes a scan suspicious: the last generation stays, and says so.
//!
//! **A file has a number** that follows it through renames and changes of its content: by its inode with its time of
//! creation, by the renames that the system reports, else by size, times and a hash of its ends.

pub mod archive;
pub mod change_history;
pub mod comic_info;
pub mod cover;
mod cover_service;
pub mod cover_store;
pub mod dirty_paths;
pub mod duplicates;
mod enrichment;
pub mod file_details;
pub mod file_entry;
pub mod fingerprint;
pub mod folder;
mod folder_marks;
pub mod folder_status;
mod folder_task;
mod folder_work;
pub mod folders;
pub mod index;
pub mod list;
pub mod mark_cell;
mod marker_files;
mod marker_looks;
pub mod marks;
pub mod natural_key;
pub mod path_index;
pub mod scan;
pub mod watcher;

pub use folder::{Folder, FolderContext};
pub use folders::Folders;

#[cfg(test)]
mod tests;
