//! The rows of a source, each looked for once, whoever they are written for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use greenroom_library::files::{Case, Confidence};
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::playlist::{Playlist, Row};
use greenroom_library::tracks::Policy;

use super::Playlists;
use super::report::{self, Counts, Outcome, RowReport};
use super::run::{Progress, Run};
use super::sync::Stop;
use crate::index::Library;
use crate::matching::path_lookup::PathAsked;
use crate::matching::{Live, Resolved, Wanted};
use crate::playlists::apply::Pick;

/// Rows that are looked for at a time, so that progress can be told and somebody can cancel.
const ROWS_AT_ONCE: usize = 500;

/// What came of the rows of a source.
pub(super) struct Found {
    pub(super) rows: Vec<RowReport>,
    pub(super) picks: Vec<Pick>,
    pub(super) items: HashMap<String, Item>,
    pub(super) missing: Vec<Row>,
    pub(super) counts: Counts,
    /// Items that are other versions of what was asked for.
    versions: HashSet<String>,
}

/// Every row is looked for once, whoever it is written for.
pub(super) async fn resolve(
    playlists: &Playlists,
    run: &Run,
    library: &Arc<Library>,
    source: &Playlist,
    (policy, live): (Policy, u32),
) -> Result<Found, Stop> {
    let mut live_left = usize::try_from(live).unwrap_or(usize::MAX);
    let total = source.rows.len();
    let mut found = Found {
        rows: Vec::with_capacity(total),
        picks: Vec::new(),
        items: HashMap::new(),
        missing: Vec::new(),
        versions: HashSet::new(),
        counts: Counts { rows: total, bad: source.bad_count, ..Counts::default() },
    };
    for batch in source.rows.chunks(ROWS_AT_ONCE) {
        if run.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        run.tell(Progress::Resolving { done: found.rows.len(), total });
        let files = of_files(playlists, library, batch).await;
        let wanted: Vec<Wanted> = batch.iter().map(wanted).collect();
        let may = if live_left == 0 { Live::Off } else { Live::UpTo(live_left) };
        let (_, resolved) = playlists.matching.resolve_with(library, &wanted, policy, may).await;
        // Who was searched for and not found costs as much as who was.
        live_left = live_left.saturating_sub(resolved.iter().filter(|one| one.is_searched).count());
        for (((row, wanted), resolved), file) in batch.iter().zip(wanted).zip(&resolved).zip(files) {
            match file {
                Some(item) => found.take_file(row, wanted, &item),
                None => found.take(row, wanted, resolved),
            }
        }
    }
    Ok(found)
}

/// The tracks whose files the rows name, where that is certain: no title is as sure as the file itself.
async fn of_files(playlists: &Playlists, library: &Arc<Library>, rows: &[Row]) -> Vec<Option<Item>> {
    let mut files = vec![None; rows.len()];
    let named: Vec<(usize, &Row)> = rows.iter().enumerate().filter(|(_, row)| row.path.is_some()).collect();
    if named.is_empty() {
        return files;
    }
    let asked = |(_, row): &(usize, &Row)| PathAsked {
        path: row.path.clone().unwrap_or_default(),
        size_bytes: None,
        duration_s: row.duration_s,
    };
    let maps = Arc::new(library.server.origin.settings.path_maps.clone());
    let libraries = std::slice::from_ref(library);
    let asked = named.iter().map(asked).collect();
    let found = playlists.matching.find_paths(libraries, asked, maps, Case::Exact).await;
    for ((at, _), mut found) in named.into_iter().zip(found) {
        if found.confidence == Confidence::High && found.items.len() == 1 {
            files[at] =
                found.items.pop().map(|placed| placed.item).filter(|item| item.kind == ItemKind::Track);
        }
    }
    files
}

impl Found {
    /// What was found, written and read back was right; another version is looked for anew each time.
    pub(super) async fn confirm(
        &self,
        playlists: &Playlists,
        library: &Arc<Library>,
        held: &[String],
        confirmed: &mut HashSet<String>,
    ) {
        let held: HashSet<&str> = held.iter().map(String::as_str).collect();
        let mut is_news = |pick: &&Pick| {
            let is_sure = held.contains(pick.key.as_str()) && !self.versions.contains(&pick.key);
            is_sure && confirmed.insert(pick.key.clone())
        };
        let used = self.picks.iter().filter(&mut is_news);
        let used: Vec<(Wanted, Item)> =
            used.filter_map(|pick| Some((pick.wanted.clone(), self.items.get(&pick.key)?.clone()))).collect();
        if !used.is_empty() {
            playlists.matching.confirm_all(library, used).await;
        }
    }

    fn take(&mut self, row: &Row, wanted: Wanted, resolved: &Resolved) {
        self.count(row, wanted, report::judge(row, resolved), resolved.accepted());
    }

    fn take_file(&mut self, row: &Row, wanted: Wanted, item: &Item) {
        self.count(row, wanted, report::of_file(row, item), Some(item));
    }

    fn count(&mut self, row: &Row, wanted: Wanted, mut told: RowReport, accepted: Option<&Item>) {
        if let Some(item) = accepted {
            let key = item.key.to_string();
            if self.items.contains_key(&key) {
                told.outcome = Outcome::Duplicate;
            } else {
                if told.outcome == Outcome::Version {
                    self.versions.insert(key.clone());
                }
                self.picks.push(Pick { key: key.clone(), label: row.label(), wanted });
                self.items.insert(key, item.clone());
            }
        }
        let counts = &mut self.counts;
        match told.outcome {
            Outcome::Found => counts.found += 1,
            Outcome::Version => counts.version += 1,
            Outcome::Ambiguous => counts.ambiguous += 1,
            Outcome::Missing => counts.missing += 1,
            Outcome::Duplicate => counts.duplicate += 1,
        }
        if matches!(told.outcome, Outcome::Missing | Outcome::Ambiguous) {
            self.missing.push(row.clone());
        }
        self.rows.push(told);
    }
}

fn wanted(row: &Row) -> Wanted {
    Wanted {
        title: row.title.clone(),
        artist: row.artist.clone(),
        artists: row.artists.clone(),
        album: row.album.clone(),
        duration_s: row.duration_s,
        ids: row.ids.clone(),
        ..Wanted::default()
    }
}
