//! Whether a scan is accepted: a disk that is away makes it suspicious, never an empty library.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// From this many lost files on, a scan that loses more than half of a folder must be confirmed by another.
const MANY_LOST: usize = 100;

/// Findings of a scan, beside what was known.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanEvidence {
    /// Files of the last generation.
    pub known: usize,
    /// Of them, files that the scan did not find.
    pub lost: usize,
    /// Files that the scan found.
    pub found: usize,
    /// Whether the root is on another file system than before.
    pub is_other_device: bool,
    /// Whether the scan before this one lost as many.
    pub is_repeated: bool,
    /// Whether a person accepted the loss.
    pub is_accepted: bool,
}

/// Reason to suspect a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = FolderSuspicion)]
pub enum SuspicionReason {
    /// The root is not there or cannot be read.
    RootAway,
    /// The root is empty.
    RootEmpty,
    /// The root is on another file system, and most files are gone.
    OtherFileSystem,
    /// Most files are gone.
    MostLost,
}

impl SuspicionReason {
    /// A sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::RootAway => "the folder is not there or cannot be read; the last list is kept",
            Self::RootEmpty => "the folder is empty; the last list is kept until a scan with accept_loss confirms it",
            Self::OtherFileSystem => {
                "the folder is on another file system and most files are gone; the last list is kept until confirmed"
            }
            Self::MostLost => "most files are gone; the last list is kept until a second scan confirms it",
        }
    }
}

/// Whether a scan is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanDecision {
    /// The scan is published.
    Accepted,
    /// The last generation stays.
    Suspicious(SuspicionReason),
}

/// Judges a complete scan.
pub fn judge_scan(evidence: ScanEvidence) -> ScanDecision {
    let ScanEvidence { known, lost, found, is_other_device, is_repeated, is_accepted } = evidence;
    if is_accepted || known == 0 || lost == 0 {
        return ScanDecision::Accepted;
    }
    let is_half = lost > known / 2;
    match (found, is_half) {
        (0, _) => ScanDecision::Suspicious(SuspicionReason::RootEmpty),
        (_, true) if is_other_device => ScanDecision::Suspicious(SuspicionReason::OtherFileSystem),
        (_, true) if lost >= MANY_LOST && !is_repeated => ScanDecision::Suspicious(SuspicionReason::MostLost),
        _ => ScanDecision::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(known: usize, lost: usize, found: usize) -> ScanDecision {
        judge_scan(ScanEvidence { known, lost, found, ..ScanEvidence::default() })
    }

    #[test]
    fn an_empty_root_is_suspicious_unless_it_was_always_empty_or_is_confirmed() {
        assert_eq!(judge(5, 5, 0), ScanDecision::Suspicious(SuspicionReason::RootEmpty));
        assert_eq!(judge(0, 0, 0), ScanDecision::Accepted);
        let evidence = ScanEvidence { known: 5, lost: 5, is_accepted: true, ..ScanEvidence::default() };
        assert_eq!(judge_scan(evidence), ScanDecision::Accepted);
    }

    #[test]
    fn some_removals_are_accepted_and_a_collapse_is_not() {
        assert_eq!(judge(1000, 400, 600), ScanDecision::Accepted);
        assert_eq!(judge(1000, 600, 400), ScanDecision::Suspicious(SuspicionReason::MostLost));
        assert_eq!(judge(10, 9, 1), ScanDecision::Accepted);
        let again = ScanEvidence { known: 1000, lost: 600, found: 400, is_repeated: true, ..ScanEvidence::default() };
        assert_eq!(judge_scan(again), ScanDecision::Accepted);
    }

    #[test]
    fn a_second_scan_confirms_neither_another_disk_nor_an_empty_root() {
        let moved = ScanEvidence {
            known: 1000,
            lost: 999,
            found: 1,
            is_other_device: true,
            is_repeated: true,
            is_accepted: false,
        };
        assert_eq!(judge_scan(moved), ScanDecision::Suspicious(SuspicionReason::OtherFileSystem));
        assert_eq!(judge_scan(ScanEvidence { is_accepted: true, ..moved }), ScanDecision::Accepted);
        let empty = ScanEvidence { lost: 1000, found: 0, is_other_device: false, ..moved };
        assert_eq!(judge_scan(empty), ScanDecision::Suspicious(SuspicionReason::RootEmpty));
    }
}
