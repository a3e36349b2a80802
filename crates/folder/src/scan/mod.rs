//! Reading the tree of a folder: names and what the file system knows of them, never content.

pub mod file_facts;
pub mod root;
pub mod rules;
pub mod scan_control;
pub mod scan_problems;
mod walk;

pub use file_facts::FileFacts;
pub use root::{Root, RootIdentity};
pub use rules::ScanRules;
pub use scan_control::ScanControl;
pub use scan_problems::ScanProblems;
pub use walk::{DirectoryObserver, ScanLimits, ScanResult, ScannedFile, scan_paths, scan_tree};
