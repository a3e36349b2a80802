//! The index of a folder: immutable generations, and how one follows from another.

pub mod difference;
pub mod generation;

pub mod stored_index;
pub mod verdict;

pub use difference::{Comparison, Difference};
pub use generation::{FolderGeneration, SortOrder};
pub use stored_index::StoredIndex;
pub use verdict::{DoubtReason, ScanEvidence, ScanVerdict, judge_scan};
