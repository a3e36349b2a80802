//! The index of a folder: immutable generations, and how one follows from another.

pub mod difference;
pub mod generation;

pub mod shrink_guard;
pub mod stored_index;

pub use difference::{Comparison, Difference};
pub use generation::{FolderGeneration, SortOrder};
pub use shrink_guard::{ScanDecision, ScanEvidence, SuspicionReason, judge_scan};
pub use stored_index::StoredIndex;
