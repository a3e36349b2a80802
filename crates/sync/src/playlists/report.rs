//! What came of a wish: every row, every account, and what it took.

use greenroom_library::item::Item;
use greenroom_library::playlist::{BadRow, Row, export};
use greenroom_library::tracks::{Decision, Reason};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::matching::{Found, Resolved, Source};
use crate::playlists::error::Trouble;

/// Below this share of rows found, somebody should look whether it is the right library, or whether it is up to date.
pub const DOUBTFUL_RATE: f64 = 0.6;

/// What came of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RowOutcome)]
pub enum Outcome {
    /// It is in the library.
    Found,
    /// Another version of it is, and was taken.
    Version,
    /// It may be one of several, or only another version is there: somebody should look.
    Ambiguous,
    /// It is not in the library.
    Missing,
    /// An earlier row is the same item.
    Duplicate,
}

/// An item a row may mean.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RowCandidate)]
pub struct Candidate {
    /// The server's own id.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Who is credited.
    pub artist: String,
    /// Its album.
    pub album: String,
    /// How well it fits, from 0 to 1.1.
    pub score: f32,
    /// What speaks for and against it, in words for people.
    pub reasons: Vec<String>,
}

/// One row and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Row)]
pub struct RowReport {
    /// Where it stands in the source.
    pub line: u32,
    /// Its title.
    pub title: String,
    /// The whole credit.
    pub artist: String,
    /// Its album.
    pub album: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Where that comes from: the index, a pin, what was confirmed before, a search.
    pub source: &'static str,
    /// The item, if there is one.
    pub item: Option<Candidate>,
    /// What else it may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
}

/// How many of which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RowCounts)]
pub struct Counts {
    /// Rows that could be read.
    pub rows: usize,
    /// In the library.
    pub found: usize,
    /// In the library as another version, which was taken.
    pub version: usize,
    /// Somebody should look.
    pub ambiguous: usize,
    /// Not in the library.
    pub missing: usize,
    /// The same item as an earlier row.
    pub duplicate: usize,
    /// Rows that could not be read.
    pub bad: usize,
}

/// Where one account's playlist stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PlaylistStanding)]
pub enum Standing {
    /// It was written, and read back as it should be.
    Written,
    /// It was as it should be.
    #[default]
    Unchanged,
    /// It would be written.
    Planned,
    /// Nothing was found, so nothing was touched.
    NothingFound,
    /// It was told to stop.
    Cancelled,
    /// It failed; what was written stays.
    Failed,
}

/// One account's playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaylistAccount)]
pub struct AccountReport {
    /// The account; `None` is the owner's token.
    pub account: Option<String>,
    /// Where it stands.
    pub standing: Standing,
    /// The playlist's id.
    pub playlist: Option<String>,
    /// Whether it was made (or would be).
    pub is_new: bool,
    /// Tracks that were added, or would be.
    pub added: usize,
    /// Entries that were taken out, or would be.
    pub removed: usize,
    /// Entries that would have been taken out, and were kept: too many would have left for nobody having said so.
    pub held_back: usize,
    /// Tracks that were there already.
    pub already: usize,
    /// Tracks the account cannot see, or the server did not take.
    pub not_visible: Vec<String>,
    /// Tracks that are in it now.
    pub length: usize,
    /// What would be done, in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<Diff>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// What would be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaylistDiff)]
pub struct Diff {
    /// Keys that would be added.
    pub add: Vec<String>,
    /// Keys that would be taken out.
    pub remove: Vec<String>,
    /// The order would change.
    pub reorder: bool,
    /// Writes that would take.
    pub writes: usize,
}

/// What went wrong, as a word and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaylistFailure)]
pub struct Failure {
    /// The word.
    pub code: String,
    /// The sentence, with what to do.
    pub message: String,
}

impl Failure {
    /// A failure in these words.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let code = match trouble {
            Trouble::Refused(_) => "refused".to_owned(),
            other => serde_json::to_value(other)
                .ok()
                .and_then(|word| word.as_str().map(str::to_owned))
                .unwrap_or_default(),
        };
        Self { code, message: trouble.to_string() }
    }
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaylistBadRow)]
pub struct BadLine {
    /// Where it stands in the source.
    pub line: u32,
    /// What is wrong, as a word.
    pub code: String,
    /// The same as a sentence.
    pub message: String,
}

/// Everything that came of one wish.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistReport)]
pub struct Report {
    /// What the playlist is called.
    pub name: String,
    /// The server it was written to.
    pub server: String,
    /// The library its tracks are from.
    pub library: String,
    /// How old what is known of that library is, in seconds.
    pub library_age_s: u64,
    /// What might happen to a playlist that was there.
    pub mode: &'static str,
    /// What counted as found.
    pub policy: &'static str,
    /// Nothing was written.
    pub dry_run: bool,
    /// The source's format.
    pub format: &'static str,
    /// How many of which.
    pub counts: Counts,
    /// The share of rows that were found, from 0 to 1.
    pub match_rate: f64,
    /// What somebody should look at.
    pub warnings: Vec<String>,
    /// Every row that could be read.
    pub rows: Vec<RowReport>,
    /// Rows that could not, as far as they are told one by one.
    pub bad: Vec<BadLine>,
    /// Every account.
    pub accounts: Vec<AccountReport>,
    /// Reads that were made.
    pub reads: u64,
    /// Writes that were made.
    pub writes: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The rows that are not in the library, in full.
    #[serde(skip)]
    pub missing: Vec<Row>,
}

impl Report {
    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        let candidate = |one: &Candidate| {
            let reasons: usize = one.reasons.iter().map(|reason| reason.len() + 32).sum();
            one.key.len() + one.title.len() + one.artist.len() + one.album.len() + reasons + 160
        };
        let row = |row: &RowReport| {
            let named: usize = row.item.iter().chain(&row.candidates).map(candidate).sum();
            row.title.len() + row.artist.len() + row.album.len() + named + 320
        };
        let missing = |row: &Row| {
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

    /// Whether every row was found, and every account has them.
    pub fn is_whole(&self) -> bool {
        let counts = &self.counts;
        let well = |account: &AccountReport| {
            matches!(account.standing, Standing::Written | Standing::Unchanged | Standing::Planned)
                && account.not_visible.is_empty()
        };
        counts.missing + counts.ambiguous + counts.bad == 0 && self.accounts.iter().all(well)
    }

    /// Whether any account failed.
    pub fn has_failed(&self) -> bool {
        self.accounts.iter().any(|account| account.standing == Standing::Failed)
    }

    /// Whether it was told to stop before every account had its turn.
    pub fn was_cancelled(&self) -> bool {
        self.accounts.iter().any(|account| account.standing == Standing::Cancelled)
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

/// What is told of a bad row.
pub fn bad_row(bad: &BadRow) -> BadLine {
    BadLine { line: bad.line, code: bad.fault.word().to_owned(), message: bad.fault.to_string() }
}

/// What came of a row, duplicates aside.
pub fn judge(row: &Row, resolved: &Resolved) -> RowReport {
    let outcome = match resolved.decision {
        Decision::Accept if resolved.found.is_empty() => Outcome::Missing,
        Decision::Accept if resolved.found[0].reasons.iter().any(is_version) => Outcome::Version,
        Decision::Accept => Outcome::Found,
        Decision::Review => Outcome::Ambiguous,
        Decision::Reject => Outcome::Missing,
    };
    let is_taken = matches!(outcome, Outcome::Found | Outcome::Version);
    let mut candidates: Vec<Candidate> = resolved.found.iter().map(candidate).collect();
    let mut item = if is_taken { Some(candidates.remove(0)) } else { None };
    if let (Some(item), Some(why)) = (&mut item, decided_by(resolved.source)) {
        item.reasons.push(why.to_owned());
    }
    if is_taken {
        // What was not taken is of interest only where somebody has to choose.
        candidates.clear();
    }
    RowReport {
        line: row.line,
        title: row.title.clone(),
        artist: row.artist.clone(),
        album: row.album.clone(),
        outcome,
        source: resolved.source.word(),
        item,
        candidates,
    }
}

/// Why something was not looked for, in words for people.
fn decided_by(source: Source) -> Option<&'static str> {
    match source {
        Source::Pin => Some("somebody pinned it"),
        Source::Confirmed => Some("found, written and read back before"),
        Source::Index | Source::Miss | Source::Live => None,
    }
}

/// What is told of a row whose file the library has.
pub fn of_file(row: &Row, item: &Item) -> RowReport {
    let found = Found { item: item.clone(), score: 1.0, reasons: Vec::new() };
    let item = Candidate { reasons: vec!["the same file".into()], ..candidate(&found) };
    RowReport {
        line: row.line,
        title: row.title.clone(),
        artist: row.artist.clone(),
        album: row.album.clone(),
        outcome: Outcome::Found,
        source: "file",
        item: Some(item),
        candidates: Vec::new(),
    }
}

fn candidate(found: &Found) -> Candidate {
    Candidate {
        key: found.item.key.to_string(),
        title: found.item.title.to_string(),
        artist: credit(&found.item),
        album: found.item.parent_title.as_deref().unwrap_or_default().to_owned(),
        score: found.score,
        reasons: found.reasons.iter().map(Reason::to_string).collect(),
    }
}

/// Who an item is credited to.
pub fn credit(item: &Item) -> String {
    if item.artists.is_empty() {
        item.grandparent_title.as_deref().unwrap_or_default().to_owned()
    } else {
        item.artists.join(", ")
    }
}

/// Whether this is another version of what was asked for.
fn is_version(reason: &Reason) -> bool {
    reason.is_against() || matches!(reason, Reason::AnyVersion)
}
