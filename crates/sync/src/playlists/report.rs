//! Report of a playlist sync run: every row, every account, and the requests it took.

use greenroom_library::item::Item;
use greenroom_library::matching::{MatchDecision, TrackMatchReason};
use greenroom_library::playlist::{PlaylistRow, PlaylistRowError, export};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::matching::{MatchCandidate, MatchSource, TrackResolution};
use crate::playlists::error::PlaylistError;
use crate::playlists::plan::HeldBackReason;

pub use super::account_report::{AccountReport, PlannedAction, PlannedRequests, PlaylistDiff, PlaylistSyncStatus};

/// Below this match rate the report warns that the library may be the wrong one or out of date, and every removal must
/// be allowed explicitly.
pub const DOUBTFUL_RATE: f64 = 0.6;

/// Outcome of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RowOutcome)]
pub enum RowOutcome {
    /// It is in the library.
    Found,
    /// Another version of it is in the library, and was accepted.
    Version,
    /// Several items may match, or only another version is there: it needs review.
    Ambiguous,
    /// It is not in the library.
    Missing,
    /// It is not in the library while the server scans its files: it may come.
    NotYet,
    /// An earlier row matched the same item.
    Duplicate,
}

/// An item that may match a row.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RowCandidate)]
pub struct RowCandidate {
    /// Key on the server.
    pub key: String,
    /// Title of the item.
    pub title: String,
    /// Credited artist.
    pub artist: String,
    /// Album title.
    pub album: String,
    /// Score from 0 to 1.1.
    pub score: f32,
    /// Reasons for and against it, as readable text.
    pub reasons: Vec<String>,
}

/// One row with its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Row)]
pub struct RowReport {
    /// Its line in the source.
    pub line: u32,
    /// Title of the track.
    pub title: String,
    /// Its complete artist credit.
    pub artist: String,
    /// Album title.
    pub album: String,
    /// Its outcome.
    pub outcome: RowOutcome,
    /// Source of the result: file path, library index, pin, confirmed match, live search, or known miss.
    pub source: &'static str,
    /// The matched item.
    pub item: Option<RowCandidate>,
    /// Candidates, if no item was accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<RowCandidate>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Number of rows by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RowCounts)]
pub struct RowCounts {
    /// Rows that were parsed.
    pub rows: usize,
    /// In the library.
    pub found: usize,
    /// In the library as another version, which was accepted.
    pub version: usize,
    /// Need review.
    pub ambiguous: usize,
    /// Not in the library.
    pub missing: usize,
    /// Not in the library while the server scans its files; left out if there is none.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub not_yet: usize,
    /// The same item as an earlier row.
    pub duplicate: usize,
    /// Rows that could not be parsed.
    pub bad: usize,
}

impl RowCounts {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            found: self.found + other.found,
            version: self.version + other.version,
            ambiguous: self.ambiguous + other.ambiguous,
            missing: self.missing + other.missing,
            not_yet: self.not_yet + other.not_yet,
            duplicate: self.duplicate + other.duplicate,
            bad: self.bad + other.bad,
        }
    }

    /// Share of all rows that were found, those that could not be read among them.
    pub fn match_rate(&self) -> f64 {
        let all = self.rows + self.bad;
        let found = self.rows - self.missing - self.not_yet - self.ambiguous;
        if all == 0 { 0.0 } else { found as f64 / all as f64 }
    }
}

/// Effect of a scan of the server on a sync, as a sentence.
pub fn changing_warning(not_yet: usize, is_dry: bool) -> String {
    let rows = if not_yet == 1 { "1 row is".to_owned() } else { format!("{not_yet} rows are") };
    let then =
        if is_dry { "Preview again once it has ended." } else { "The sync runs again by itself once it has ended." };
    format!("The server is scanning its files, so {rows} not there yet, and nothing is removed. {then}")
}

/// Reason for which entries were not removed, as a sentence.
pub fn held_back_warning(held_back: usize, reason: HeldBackReason, unreadable: usize) -> String {
    match reason {
        HeldBackReason::Unreadable => format!(
            "{held_back} entries were not removed, because {unreadable} rows could not be read, which may ask for them. \
             Correct the rows, or take them out of the source."
        ),
        HeldBackReason::Changing => format!(
            "{held_back} entries were not removed, because the server is scanning its files and their tracks may come \
             back."
        ),
        HeldBackReason::Shrink => format!(
            "{held_back} entries were not removed, because the playlist would have lost most of its entries or few rows \
             were found. To remove them, allow it (shrink, --allow-shrink)."
        ),
    }
}

/// An error as a code and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaylistFailure)]
pub struct PlaylistFailure {
    /// Its code.
    pub code: String,
    /// The sentence, with a remedy.
    pub message: String,
}

impl PlaylistFailure {
    /// An error with this code and message.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

impl From<PlaylistError> for PlaylistFailure {
    fn from(error: PlaylistError) -> Self {
        let code = match error {
            PlaylistError::Refused(_) => "refused".to_owned(),
            other => {
                serde_json::to_value(other).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
            }
        };
        Self { code, message: error.to_string() }
    }
}

/// A row that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaylistBadRow)]
pub struct BadRowReport {
    /// Its line in the source.
    pub line: u32,
    /// The error's code.
    pub code: String,
    /// The error as a sentence.
    pub message: String,
}

/// Report of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistReport)]
pub struct PlaylistReport {
    /// Name of the playlist.
    pub name: String,
    /// The target server.
    pub server: String,
    /// The library of its tracks.
    pub library: String,
    /// Age of that library's snapshot in seconds.
    pub library_age_s: u64,
    /// Whether the server was scanning its files: rows that are not found are "not yet", nothing is removed, and the
    /// sync runs again by itself once the scan has ended.
    pub is_changing: bool,
    /// Changes allowed to an existing playlist.
    pub mode: &'static str,
    /// Match policy.
    pub policy: &'static str,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Format of the source.
    pub format: &'static str,
    /// Encoding of its text: `utf-8`, `utf-16`, `windows-1252`, `iso-8859-1` or `mixed`.
    pub encoding: &'static str,
    /// Rows by outcome.
    pub counts: RowCounts,
    /// Share of all rows matched, from 0 to 1; a row that could not be read is not matched.
    pub match_rate: f64,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// All parsed rows.
    pub rows: Vec<RowReport>,
    /// Rows that could not be parsed, up to a limit.
    pub bad: Vec<BadRowReport>,
    /// All accounts.
    pub accounts: Vec<AccountReport>,
    /// Read requests to the target server.
    pub reads: u64,
    /// Write requests to the target server.
    pub writes: u64,
    /// Duration in milliseconds.
    pub took_ms: u64,
    /// Rows missing in the library, in full.
    #[serde(skip)]
    pub missing: Vec<PlaylistRow>,
}

impl PlaylistReport {
    /// Approximate size in bytes.
    pub fn approx_bytes(&self) -> usize {
        let candidate = |one: &RowCandidate| {
            let reasons: usize = one.reasons.iter().map(|reason| reason.len() + 32).sum();
            one.key.len() + one.title.len() + one.artist.len() + one.album.len() + reasons + 160
        };
        let row = |row: &RowReport| {
            let named: usize = row.item.iter().chain(&row.candidates).map(candidate).sum();
            row.title.len() + row.artist.len() + row.album.len() + named + 320
        };
        let missing = |row: &PlaylistRow| {
            let lists = row.artists.iter().chain(&row.ids).chain(&row.path).map(|text| text.len() + 32);
            row.title.len() + row.artist.len() + row.album.len() + lists.sum::<usize>() + 200
        };
        let account = |account: &AccountReport| {
            let diff = account.diff.iter().flat_map(|diff| diff.add.iter().chain(&diff.remove));
            account.not_visible.iter().chain(diff).map(|text| text.len() + 32).sum::<usize>()
        };
        self.rows.iter().map(row).sum::<usize>()
            + self.missing.iter().map(missing).sum::<usize>()
            + self.accounts.iter().map(account).sum::<usize>()
            + self.bad.len() * 300
    }

    /// Whether every row matched, and every account has all of them.
    pub fn is_complete(&self) -> bool {
        let counts = &self.counts;
        let is_complete_account = |account: &AccountReport| {
            matches!(
                account.standing,
                PlaylistSyncStatus::Written | PlaylistSyncStatus::Unchanged | PlaylistSyncStatus::Planned
            ) && account.not_visible.is_empty()
        };
        counts.missing + counts.not_yet + counts.ambiguous + counts.bad == 0
            && self.accounts.iter().all(is_complete_account)
    }

    /// Whether any account failed.
    pub fn has_failed(&self) -> bool {
        self.accounts.iter().any(|account| account.standing == PlaylistSyncStatus::Failed)
    }

    /// Whether it was cancelled before all accounts were written.
    pub fn was_cancelled(&self) -> bool {
        self.accounts.iter().any(|account| account.standing == PlaylistSyncStatus::Cancelled)
    }

    /// The missing rows as a table.
    pub fn missing_csv(&self) -> String {
        export::csv(&self.missing)
    }

    /// The missing rows as a playlist.
    pub fn missing_json(&self) -> Value {
        export::jspf(&self.name, &self.missing)
    }
}

/// Report of a row that could not be parsed.
pub fn bad_row_report(bad: &PlaylistRowError) -> BadRowReport {
    BadRowReport { line: bad.line, code: bad.kind.word().to_owned(), message: bad.kind.to_string() }
}

/// Report of a row. Duplicates are marked later, when all rows are known.
pub fn report_row(row: &PlaylistRow, resolved: &TrackResolution) -> RowReport {
    let outcome = match resolved.decision {
        MatchDecision::Accept if resolved.candidates.is_empty() => RowOutcome::Missing,
        MatchDecision::Accept if resolved.candidates[0].reasons.iter().any(is_version) => RowOutcome::Version,
        MatchDecision::Accept => RowOutcome::Found,
        MatchDecision::Review => RowOutcome::Ambiguous,
        MatchDecision::Reject => RowOutcome::Missing,
    };
    let is_matched = matches!(outcome, RowOutcome::Found | RowOutcome::Version);
    let mut candidates: Vec<RowCandidate> = resolved.candidates.iter().map(candidate).collect();
    let mut item = if is_matched { Some(candidates.remove(0)) } else { None };
    if let (Some(item), Some(reason)) = (&mut item, decided_by(resolved.source)) {
        item.reasons.push(reason.to_owned());
    }
    if is_matched {
        // Other candidates matter only where no item was accepted.
        candidates.clear();
    }
    RowReport {
        line: row.line,
        title: row.title.clone(),
        artist: row.artist.clone(),
        album: row.album.clone(),
        outcome,
        source: resolved.source.name(),
        item,
        candidates,
    }
}

/// Reason for which the matcher did not search for a row, as readable text; `None` if it did.
fn decided_by(source: MatchSource) -> Option<&'static str> {
    match source {
        MatchSource::Pin => Some("pinned by a person"),
        MatchSource::Confirmed => Some("written and confirmed before"),
        MatchSource::Index | MatchSource::Miss | MatchSource::Live => None,
    }
}

/// Report of a row whose file is in the library.
pub fn report_file_row(row: &PlaylistRow, item: &Item) -> RowReport {
    let found = MatchCandidate { item: item.clone(), score: 1.0, reasons: Vec::new() };
    let item = RowCandidate { reasons: vec!["the same file".into()], ..candidate(&found) };
    RowReport {
        line: row.line,
        title: row.title.clone(),
        artist: row.artist.clone(),
        album: row.album.clone(),
        outcome: RowOutcome::Found,
        source: "file",
        item: Some(item),
        candidates: Vec::new(),
    }
}

fn candidate(found: &MatchCandidate) -> RowCandidate {
    RowCandidate {
        key: found.item.key.to_string(),
        title: found.item.title.to_string(),
        artist: credit(&found.item),
        album: found.item.parent_title.as_deref().unwrap_or_default().to_owned(),
        score: found.score,
        reasons: found.reasons.iter().map(TrackMatchReason::to_string).collect(),
    }
}

/// Credited artist of an item.
pub fn credit(item: &Item) -> String {
    if item.artists.is_empty() {
        item.grandparent_title.as_deref().unwrap_or_default().to_owned()
    } else {
        item.artists.join(", ")
    }
}

/// Whether the reason says that this is another version.
fn is_version(reason: &TrackMatchReason) -> bool {
    reason.is_against() || matches!(reason, TrackMatchReason::AnyVersion)
}
