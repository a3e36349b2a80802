//! Matches the rows of a source, each once for all accounts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use greenroom_library::files::{CaseSensitivity, FileMatchConfidence};
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::matching::MatchPolicy;
use greenroom_library::playlist::{Playlist, PlaylistRow};

use super::PlaylistService;
use super::report::{self, RowCounts, RowOutcome, RowReport};
use super::run::{PlaylistProgress, SyncRun};
use super::sync::SyncError;
use crate::index::Library;
use crate::matching::path_lookup::PathLookupQuery;
use crate::matching::{LiveSearch, TrackQuery, TrackResolution};
use crate::playlists::apply::TargetTrack;

/// Rows matched between two checks for progress and cancellation.
const BATCH_ROWS: usize = 500;

/// Matched rows of a source.
pub(super) struct ResolvedRows {
    pub(super) rows: Vec<RowReport>,
    pub(super) tracks: Vec<TargetTrack>,
    pub(super) items: HashMap<String, Item>,
    pub(super) missing: Vec<PlaylistRow>,
    pub(super) counts: RowCounts,
    /// Items accepted as other versions.
    versions: HashSet<String>,
}

/// Matches every row once for all accounts.
pub(super) async fn resolve(
    playlists: &PlaylistService,
    run: &SyncRun,
    library: &Arc<Library>,
    source: &Playlist,
    (policy, live, is_changing): (MatchPolicy, u32, bool),
) -> Result<ResolvedRows, SyncError> {
    let mut live_left = usize::try_from(live).unwrap_or(usize::MAX);
    let total = source.rows.len();
    let mut found = ResolvedRows {
        rows: Vec::with_capacity(total),
        tracks: Vec::new(),
        items: HashMap::new(),
        missing: Vec::new(),
        versions: HashSet::new(),
        counts: RowCounts { rows: total, bad: source.row_error_count, ..RowCounts::default() },
    };
    for batch in source.rows.chunks(BATCH_ROWS) {
        if run.cancel.is_cancelled() {
            return Err(SyncError::Cancelled);
        }
        run.set_progress(PlaylistProgress::Resolving { done: found.rows.len(), total });
        let files = resolve_files(playlists, library, batch).await;
        let wanted: Vec<TrackQuery> = batch.iter().map(track_query).collect();
        let search = if live_left == 0 { LiveSearch::Off } else { LiveSearch::UpTo(live_left) };
        let (_, resolved) = playlists.matching.resolve_with(library, &wanted, policy, search).await;
        // A live search without a result costs as much as one with.
        live_left = live_left.saturating_sub(resolved.iter().filter(|one| one.is_searched).count());
        for (((row, wanted), resolved), file) in batch.iter().zip(wanted).zip(&resolved).zip(files) {
            match file {
                Some(item) => found.add_file_row(row, wanted, &item),
                None => found.add_row(row, wanted, resolved, is_changing),
            }
        }
    }
    Ok(found)
}

/// Tracks whose files the rows name, where that is certain: a file path is a better proof than any title.
async fn resolve_files(playlists: &PlaylistService, library: &Arc<Library>, rows: &[PlaylistRow]) -> Vec<Option<Item>> {
    let mut files = vec![None; rows.len()];
    let named: Vec<(usize, &PlaylistRow)> = rows.iter().enumerate().filter(|(_, row)| row.path.is_some()).collect();
    if named.is_empty() {
        return files;
    }
    let query = |(_, row): &(usize, &PlaylistRow)| PathLookupQuery {
        path: row.path.clone().unwrap_or_default(),
        size_bytes: None,
        duration_s: row.duration_s,
    };
    let maps = Arc::new(library.server.origin.settings.path_maps.clone());
    let libraries = std::slice::from_ref(library);
    let queries = named.iter().map(query).collect();
    let found = playlists.matching.find_paths(libraries, queries, maps, CaseSensitivity::Exact).await;
    for ((at, _), mut found) in named.into_iter().zip(found) {
        if found.confidence == FileMatchConfidence::High && found.items.len() == 1 {
            files[at] = found.items.pop().map(|placed| placed.item).filter(|item| item.kind == ItemKind::Track);
        }
    }
    files
}

impl ResolvedRows {
    /// Confirms matches that were written and verified; other versions are matched again each time.
    pub(super) async fn confirm(
        &self,
        playlists: &PlaylistService,
        library: &Arc<Library>,
        existing: &[String],
        confirmed: &mut HashSet<String>,
    ) {
        let existing: HashSet<&str> = existing.iter().map(String::as_str).collect();
        let mut is_first_use = |track: &&TargetTrack| {
            let is_written_recording = existing.contains(track.key.as_str()) && !self.versions.contains(&track.key);
            is_written_recording && confirmed.insert(track.key.clone())
        };
        let confirmed_tracks = self.tracks.iter().filter(&mut is_first_use);
        let confirmed_tracks: Vec<(TrackQuery, Item)> = confirmed_tracks
            .filter_map(|track| Some((track.query.clone(), self.items.get(&track.key)?.clone())))
            .collect();
        if !confirmed_tracks.is_empty() {
            playlists.matching.confirm_all(library, confirmed_tracks).await;
        }
    }

    fn add_row(&mut self, row: &PlaylistRow, wanted: TrackQuery, resolved: &TrackResolution, is_changing: bool) {
        let mut report = report::report_row(row, resolved);
        if is_changing && report.outcome == RowOutcome::Missing {
            report.outcome = RowOutcome::NotYet;
        }
        self.count(row, wanted, report, resolved.accepted());
    }

    fn add_file_row(&mut self, row: &PlaylistRow, wanted: TrackQuery, item: &Item) {
        self.count(row, wanted, report::report_file_row(row, item), Some(item));
    }

    fn count(&mut self, row: &PlaylistRow, wanted: TrackQuery, mut report: RowReport, accepted: Option<&Item>) {
        if let Some(item) = accepted {
            let key = item.key.to_string();
            if self.items.contains_key(&key) {
                report.outcome = RowOutcome::Duplicate;
            } else {
                if report.outcome == RowOutcome::Version {
                    self.versions.insert(key.clone());
                }
                self.tracks.push(TargetTrack { key: key.clone(), label: row.label(), query: wanted });
                self.items.insert(key, item.clone());
            }
        }
        let counts = &mut self.counts;
        match report.outcome {
            RowOutcome::Found => counts.found += 1,
            RowOutcome::Version => counts.version += 1,
            RowOutcome::Ambiguous => counts.ambiguous += 1,
            RowOutcome::Missing => counts.missing += 1,
            RowOutcome::NotYet => counts.not_yet += 1,
            RowOutcome::Duplicate => counts.duplicate += 1,
        }
        if matches!(report.outcome, RowOutcome::Missing | RowOutcome::Ambiguous) {
            self.missing.push(row.clone());
        }
        self.rows.push(report);
    }
}

fn track_query(row: &PlaylistRow) -> TrackQuery {
    TrackQuery {
        title: row.title.clone(),
        artist: row.artist.clone(),
        artists: row.artists.clone(),
        album: row.album.clone(),
        duration_s: row.duration_s,
        ids: row.ids.clone(),
        ..TrackQuery::default()
    }
}
