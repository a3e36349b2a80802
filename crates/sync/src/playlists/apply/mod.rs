//! Writes one user's playlist: current content, target content, and the writes between them. Each round reads the
//! playlist, decides one step, and writes it. So an unknown result, a server that accepts only part of a batch, and an
//! interrupted run are one case: the next round sees the actual content.

mod execute;
mod planning;
mod swap;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::playlists::PlaylistEntry;
use greenroom_library::matching::MatchPolicy;

use super::plan::{self, CurrentEntry, PlanStep};
use super::report::{AccountReport, PlaylistFailure, PlaylistSyncStatus};
use super::run::SyncRun;
use crate::index::Library;
use crate::matching::{Matcher, TrackQuery};
use crate::playlists::client::PlaylistClient;
use crate::playlists::created::CreatedPlaylists;
use crate::playlists::error::PlaylistError;
use greenroom_config::playlist_mode::PlaylistMode;

/// Max rounds for one playlist: four would do without errors.
const MAX_ROUNDS: usize = 40;
/// Max writes that were not sent or whose result is unknown.
const MAX_ERRORS: usize = 3;
/// Max refused requests while bisecting for the tracks the server does not accept.
const MAX_REFUSALS: usize = 50;
/// Pause after such an error before the playlist is read.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// A track of the target playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetTrack {
    /// Key of its item.
    pub key: String,
    /// Its label in reports.
    pub label: String,
    /// Its query.
    pub query: TrackQuery,
}

/// Quirks of a server, learnt while writing to it.
#[derive(Debug, Default)]
pub struct ServerQuirks {
    /// It accepts only the first of several items in a request.
    one_item_per_request: AtomicBool,
    /// It does not accept the whole playlist in one request.
    rejects_set: AtomicBool,
    /// It does not delete a playlist, so no other can take its place.
    rejects_swap: AtomicBool,
}

/// Writes one user's playlist.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
pub struct PlaylistWriter<'a> {
    /// Client with the account's token.
    pub client: &'a PlaylistClient,
    /// Known quirks of the server.
    pub quirks: &'a ServerQuirks,
    /// The run.
    pub run: &'a SyncRun,
    /// The clock.
    pub clock: &'a Clock,
    /// Library of the tracks.
    pub library: &'a Arc<Library>,
    /// Matches tracks again whose items are gone.
    pub matching: &'a Matcher,
    /// Policy that decides which matches are accepted.
    pub policy: MatchPolicy,
    /// The playlist's name.
    pub name: &'a str,
    /// Changes allowed to an existing playlist.
    pub mode: PlaylistMode,
    /// Whether it may lose most entries, or any entry if few rows matched.
    pub may_shrink: bool,
    /// Few rows matched.
    pub is_doubtful: bool,
    /// Rows of the source that could not be read.
    pub unreadable: usize,
    /// Whether the server is scanning its files.
    pub is_changing: bool,
    /// Keys of tracks that this request wrote before: in `create` mode they may be removed.
    pub written_before: &'a [String],
    /// Playlists created by Greenroom.
    pub created: &'a CreatedPlaylists,
    /// Whether to write nothing.
    pub dry_run: bool,
    /// The account's name.
    pub account: Option<&'a str>,
}

/// State across the rounds of one playlist.
struct WriteState {
    tracks: Vec<TargetTrack>,
    /// Mode in effect: append only, if too much would be removed.
    mode: PlaylistMode,
    /// Entries before the first round.
    before: Vec<String>,
    /// Entries known to be in it.
    length: usize,
    /// Tracks sent with an unknown result: they may arrive twice.
    uncertain: HashSet<String>,
    /// Tracks not accepted in a batch, to be sent alone.
    send_alone: HashSet<String>,
    /// Refused requests.
    refusals: usize,
    report: AccountReport,
    /// Tracks the account cannot have.
    unavailable: HashSet<String>,
    /// Sent tracks expected in the next round.
    sent: Vec<Vec<String>>,
    /// Items that were matched again once.
    retried: HashSet<String>,
    errors: usize,
    /// Max items of a request while bisecting.
    max_batch: Option<usize>,
    checked: HashSet<String>,
    has_written: bool,
    /// A new playlist that is to take the place of the old one.
    started: Option<String>,
    /// Its entries cannot be added again, so they are only moved.
    keeps_entries: bool,
    /// Summary of the playlist.
    summary: Option<String>,
}

/// Reason to stop.
enum WriteError {
    Playlist(PlaylistError),
    Cancelled,
}

impl From<PlaylistError> for WriteError {
    fn from(error: PlaylistError) -> Self {
        Self::Playlist(error)
    }
}

impl PlaylistWriter<'_> {
    /// Writes the user's playlist. Also returns its content afterwards, as far as known.
    pub async fn write(&self, tracks: &[TargetTrack]) -> (AccountReport, Vec<String>) {
        let mut state = WriteState {
            tracks: tracks.to_vec(),
            mode: self.mode,
            before: Vec::new(),
            length: 0,
            uncertain: HashSet::new(),
            send_alone: HashSet::new(),
            refusals: 0,
            report: AccountReport {
                account: self.account.map(str::to_owned),
                standing: PlaylistSyncStatus::Unchanged,
                ..AccountReport::default()
            },
            unavailable: HashSet::new(),
            sent: Vec::new(),
            retried: HashSet::new(),
            errors: 0,
            max_batch: None,
            checked: HashSet::new(),
            has_written: false,
            started: None,
            keeps_entries: false,
            summary: None,
        };
        let existing = match self.reconcile(&mut state).await {
            Ok(existing) => existing,
            Err(WriteError::Cancelled) => {
                state.report.standing = PlaylistSyncStatus::Cancelled;
                Vec::new()
            }
            Err(WriteError::Playlist(error)) => {
                state.report.standing = PlaylistSyncStatus::Failed;
                state.report.error = Some(PlaylistFailure::from(error));
                Vec::new()
            }
        };
        let is_unavailable = |track: &&TargetTrack| state.unavailable.contains(&track.key);
        state.report.not_visible =
            state.tracks.iter().filter(is_unavailable).map(|track| track.label.clone()).collect();
        state.report.written = written_keys(&state);
        (state.report, existing)
    }

    async fn reconcile(&self, state: &mut WriteState) -> Result<Vec<String>, WriteError> {
        let listed = self.find_or_restore(state).await?;
        if state.tracks.is_empty() {
            state.report.standing = PlaylistSyncStatus::NothingFound;
            state.report.length =
                listed.and_then(|listed| listed.length).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
            return Ok(Vec::new());
        }
        state.summary = listed.as_ref().and_then(|listed| listed.summary.clone());
        let (mut playlist, mut current) = if let Some(listed) = listed {
            let current = self.read(&listed.id).await?;
            self.check_mode(&current, state)?;
            (listed.id, current)
        } else {
            state.report.is_new = true;
            self.check_visible(&[], state).await?;
            if goal(state.mode, &[], state).is_empty() {
                state.report.standing = PlaylistSyncStatus::NothingFound;
                state.report.is_new = false;
                return Ok(Vec::new());
            }
            if self.dry_run {
                self.plan(&[], state);
                return Ok(Vec::new());
            }
            self.create(self.name, state).await?
        };
        state.report.playlist = Some(playlist.clone());
        if !state.report.is_new {
            let wanted: HashSet<&str> = state.tracks.iter().map(|track| track.key.as_str()).collect();
            state.report.already = current.iter().filter(|existing| wanted.contains(existing.key.as_str())).count();
        }
        state.before = if state.report.is_new { Vec::new() } else { keys(&current) };
        for _ in 0..MAX_ROUNDS {
            self.record_arrivals(&current, state).await?;
            self.check_visible(&current, state).await?;
            self.limit_removals(state);
            if self.dry_run {
                self.plan(&current, state);
                return Ok(keys(&current));
            }
            let goal = goal(state.mode, &current, state);
            state.length = current.len();
            // Unavailable tracks must not cost existing entries.
            let phase = if goal.is_empty() { PlanStep::Done } else { self.next(&current, &goal, state) };
            match phase {
                PlanStep::Done => {
                    self.delete_unused(state).await?;
                    Self::summarize(&current, state);
                    return Ok(keys(&current));
                }
                PlanStep::Swap => {
                    playlist = self.swap(&playlist, &current, state).await?;
                    state.report.playlist = Some(playlist.clone());
                }
                phase => self.execute(&playlist, phase, &goal, state).await?,
            }
            current = self.read(&playlist).await?;
        }
        Err(PlaylistError::Unsteady.into())
    }

    async fn read(&self, playlist: &str) -> Result<Vec<CurrentEntry>, WriteError> {
        let mut errors = 0;
        loop {
            match self.client.entries(playlist).await {
                Ok(entries) => return Ok(entries.rows.into_iter().filter_map(current_entry).collect()),
                Err(PlaylistError::Unreachable | PlaylistError::Slow | PlaylistError::Busy | PlaylistError::Down)
                    if errors < MAX_ERRORS =>
                {
                    errors += 1;
                    self.pause().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// An existing playlist may be completed if it was begun from the same rows.
    fn check_mode(&self, current: &[CurrentEntry], state: &WriteState) -> Result<(), WriteError> {
        if self.mode != PlaylistMode::Create {
            return Ok(());
        }
        let mut tracks = state.tracks.iter();
        let mut known = current.iter().filter(|existing| !self.written_before.contains(&existing.key));
        let is_started_here = known.all(|existing| tracks.any(|track| track.key == existing.key));
        if is_started_here { Ok(()) } else { Err(PlaylistError::Exists.into()) }
    }

    /// Leaves out items a restricted user cannot see: every run would request them again.
    async fn check_visible(&self, current: &[CurrentEntry], state: &mut WriteState) -> Result<(), WriteError> {
        if self.client.is_own() {
            return Ok(());
        }
        let present: HashSet<&str> = current.iter().map(|existing| existing.key.as_str()).collect();
        let is_open = |track: &&TargetTrack| {
            !present.contains(track.key.as_str())
                && !state.checked.contains(&track.key)
                && !state.unavailable.contains(&track.key)
        };
        let open: Vec<String> = state.tracks.iter().filter(is_open).map(|track| track.key.clone()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let visible: HashSet<String> = self.client.visible_items(&open).await?.into_iter().collect();
        for key in open {
            if !visible.contains(&key) {
                state.unavailable.insert(key.clone());
            }
            state.checked.insert(key);
        }
        Ok(())
    }

    /// The next step. In append mode the existing entries stay as they are.
    fn next(&self, current: &[CurrentEntry], goal: &[String], state: &WriteState) -> PlanStep {
        if state.mode != PlaylistMode::Append {
            return plan::next_step(current, goal, self.batch_limits(state));
        }
        // Tracks sent again after an unknown result may have arrived twice.
        let mut seen = HashSet::new();
        let is_duplicate =
            |existing: &&CurrentEntry| state.uncertain.contains(&existing.key) && !seen.insert(existing.key.clone());
        let duplicates: Vec<String> =
            current.iter().filter(is_duplicate).map(|existing| existing.entry.clone()).collect();
        if !duplicates.is_empty() {
            return PlanStep::Remove(duplicates);
        }
        match goal.get(current.len()..) {
            Some(missing) if !missing.is_empty() => PlanStep::Add(missing.to_vec()),
            _ => PlanStep::Done,
        }
    }

    fn summarize(current: &[CurrentEntry], state: &mut WriteState) {
        let was: HashSet<&str> = state.before.iter().map(String::as_str).collect();
        let report = &mut state.report;
        report.added = current.iter().filter(|existing| !was.contains(existing.key.as_str())).count();
        report.removed = (state.before.len() + report.added).saturating_sub(current.len());
        report.length = current.len();
        report.standing = if state.has_written { PlaylistSyncStatus::Written } else { PlaylistSyncStatus::Unchanged };
    }
}

/// The target content, given the current one.
fn goal(mode: PlaylistMode, current: &[CurrentEntry], state: &WriteState) -> Vec<String> {
    let mut seen = HashSet::new();
    let tracks = state.tracks.iter().map(|track| &track.key).filter(|key| !state.unavailable.contains(*key));
    let tracks: Vec<String> = tracks.filter(|key| seen.insert(key.as_str())).cloned().collect();
    if mode != PlaylistMode::Append {
        return tracks;
    }
    // All existing entries stay, also duplicates.
    let present: HashSet<&str> = current.iter().map(|existing| existing.key.as_str()).collect();
    let missing = tracks.into_iter().filter(|key| !present.contains(key.as_str()));
    keys(current).into_iter().chain(missing).collect()
}

/// Keys of the tracks that this run wrote, or may have written: those that were not in the playlist before.
fn written_keys(state: &WriteState) -> Vec<String> {
    if !state.has_written {
        return Vec::new();
    }
    let before: HashSet<&str> = state.before.iter().map(String::as_str).collect();
    let keys = goal(PlaylistMode::Replace, &[], state);
    keys.into_iter().filter(|key| !before.contains(key.as_str())).collect()
}

fn current_entry(entry: PlaylistEntry) -> Option<CurrentEntry> {
    Some(CurrentEntry { entry: entry.entry?, key: entry.key })
}

fn keys(current: &[CurrentEntry]) -> Vec<String> {
    current.iter().map(|existing| existing.key.clone()).collect()
}

fn query_text(wanted: &TrackQuery) -> String {
    format!("{}\n{}\n{}\n{:?}", wanted.title, wanted.artist, wanted.album, wanted.ids)
}
