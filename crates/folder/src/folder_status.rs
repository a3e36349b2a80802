//! Status of a folder.

use serde::Serialize;
use utoipa::ToSchema;

use crate::index::SuspicionReason;
use crate::scan::ScanProblems;

/// Trust in a folder's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = FolderState)]
pub enum FolderState {
    /// The list is as the tree was at the last look.
    Fresh,
    /// The list is from before this process began, and the tree is being compared.
    Confirming,
    /// The tree is being read.
    #[default]
    Rebuilding,
    /// The last scan is suspicious; the list is the one before.
    Suspicious,
}

/// Way in which changes of the tree are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = FolderWatch)]
pub enum TreeWatchState {
    /// The watch is being set up.
    #[default]
    Starting,
    /// By the system's events.
    Events,
    /// By reading the tree again and again.
    Polling,
    /// Only by the periodic comparison.
    Off,
}

/// Progress of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderScanProgress)]
pub struct ScanProgress {
    /// Files found so far.
    pub files: u64,
    /// Folders read so far.
    pub directories: u64,
    /// Files of the last list, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<usize>,
}

/// Share of the metadata that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = FolderEnriched)]
pub struct EnrichmentProgress {
    /// Files whose metadata is known, or known to be unreadable.
    pub done: usize,
    /// All files.
    pub of: usize,
    /// Whether metadata is read at all.
    pub is_on: bool,
}

/// Results of the last complete scan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderLastScan)]
pub struct LastScan {
    /// When it ended.
    pub ended_ms: u64,
    /// Its duration.
    pub duration_ms: u64,
    /// Files it found.
    pub files: usize,
    /// Files and folders that it could not read.
    pub problems: ScanProblems,
}

/// Counters since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderCounters)]
pub struct FolderCounters {
    /// Complete scans.
    pub scans: u64,
    /// Scans that failed or were suspicious.
    pub suspicious_scans: u64,
    /// Scans that were told to end early.
    pub cancelled: u64,
    /// Generations published.
    pub generations: u64,
    /// Files that were added.
    pub added: u64,
    /// Files that were removed.
    pub removed: u64,
    /// Files that were renamed.
    pub renamed: u64,
    /// Files whose content changed.
    pub changed: u64,
    /// Archives read.
    pub archives_read: u64,
    /// Archives that could not be read.
    pub archives_unreadable: u64,
    /// Lists answered.
    pub lists: u64,
    /// Lists that had to wait for the first scan and did not get it.
    pub lists_too_early: u64,
}

/// Status of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderReport)]
pub struct FolderReport {
    /// Its name.
    pub name: String,
    /// Its root.
    pub path: String,
    /// Trust in its list.
    pub state: FolderState,
    /// Reason to suspect the last scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<SuspicionReason>,
    /// The same as a sentence, or why the last scan failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Number of the list; 0 before the first.
    pub generation: u64,
    /// Age of the list: time since it was last compared with the tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// Files in the list.
    pub files: usize,
    /// A scan that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ScanProgress>,
    /// The last complete scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_scan: Option<LastScan>,
    /// Share of the metadata that is read.
    pub enriched: EnrichmentProgress,
    /// Way in which changes are noticed.
    pub watch: TreeWatchState,
    /// Names of its marks; the first is the main one.
    pub marks: Vec<String>,
    /// Whether it answers the paths of the comic app.
    pub compat: bool,
    /// Counters since the start of the process.
    pub counters: FolderCounters,
}
