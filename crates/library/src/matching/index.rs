//! The index: unique titles, names, credits and albums, rows of four numbers, and postings that lead to them.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::artist_table::{ArtistTable, CreditTable};
use super::parse;
use super::postings::{Postings, bucket, buckets};
use super::qualifier;
use super::title_table::TitleTable;
use super::version::{TrackVersion, TrackVersions};
use super::vocabulary::{HashedMap, Vocabulary, number};

/// A track of the library.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrackRow {
    pub(super) title: u32,
    pub(super) credit: u32,
    pub(super) album: u32,
    /// 0 if unknown.
    pub(super) duration_s: u16,
}

/// The compared fields of an album.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AlbumEntry {
    /// 0 if there is none.
    pub(super) key: u64,
    /// Hash of all letters, which distinguish editions.
    pub(super) edition_key: u64,
    /// Versions its title states for all its tracks.
    pub(super) versions: TrackVersions,
    pub(super) is_collection: bool,
    /// Hash of its spelling.
    pub(super) text_key: u64,
}

/// An index over the tracks of one library. A patched one shares most of its content with the one it was made from.
#[derive(Debug, Default)]
pub struct TrackIndex {
    pub(super) vocabulary: Arc<Vocabulary>,
    pub(super) titles: Arc<TitleTable>,
    pub(super) artists: Arc<ArtistTable>,
    pub(super) credits: Arc<CreditTable>,
    pub(super) albums: Arc<Vec<AlbumEntry>>,
    /// The words in the titles of live albums.
    pub(super) concerts: Arc<HashedMap<u32, Box<[u32]>>>,
    pub(super) rows: Arc<Vec<TrackRow>>,
    /// Hashes of ids and their rows, sorted.
    pub(super) ids: Arc<Vec<(u64, u32)>>,
    /// Number of titles and names that tracks have.
    pub(super) titles_in_use: usize,
    pub(super) names_in_use: usize,
    pub(super) rows_of_title: Arc<Postings>,
    pub(super) rows_of_credit: Arc<Postings>,
    pub(super) credits_of_name: Arc<Postings>,
    pub(super) titles_of_key: Arc<Postings>,
    pub(super) titles_of_word: Arc<Postings>,
    pub(super) titles_of_edge: Arc<Postings>,
    pub(super) titles_of_guest: Arc<Postings>,
    pub(super) names_of_word: Arc<Postings>,
    pub(super) names_of_edge: Arc<Postings>,
    pub(super) patch: TrackPatch,
}

/// Rows that were added to an index, and those removed from it.
#[derive(Debug, Default)]
pub(super) struct TrackPatch {
    pub(super) rows: Vec<TrackRow>,
    /// The row of the base before which each of them comes in the order of the library.
    pub(super) before: Vec<u32>,
    pub(super) albums: Vec<AlbumEntry>,
    pub(super) concerts: HashedMap<u32, Box<[u32]>>,
    pub(super) ids: Vec<(u64, u32)>,
    /// Removed rows of the base, sorted.
    pub(super) removed: Vec<u32>,
}

impl AlbumEntry {
    /// Parses an album's title; for a live album, returns the words that identify the concert.
    pub(super) fn read(text: &str) -> (Self, Vec<String>) {
        let title = parse::parse_title(text);
        let named = qualifier::versions_of_album(&title.core);
        // The title of two albums in one says nothing about each track.
        let versions = if text.contains(" / ") { TrackVersions::PLAIN } else { title.versions.with(named) };
        let collection = ["hits", "best", "collection", "anthology", "essential", "compilation", "now"];
        let is_collection = title.core.iter().any(|word| collection.contains(&word.as_str()));
        let concert = match (versions.has(TrackVersion::Live), title.event.is_empty()) {
            (false, _) => Vec::new(),
            (true, false) => title.event,
            (true, true) => title.core.into_iter().chain(title.subtitle).filter(|word| word != "live").collect(),
        };
        (Self { key: title.core_key, edition_key: title.full_key, versions, is_collection, text_key: 0 }, concert)
    }
}

impl TrackIndex {
    /// Number of tracks.
    pub fn len(&self) -> usize {
        self.rows.len() + self.patch.rows.len() - self.patch.removed.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row.
    pub(super) fn row(&self, row: u32) -> &TrackRow {
        match (row as usize).checked_sub(self.rows.len()) {
            Some(at) => &self.patch.rows[at],
            None => &self.rows[row as usize],
        }
    }

    /// Sort key of a row in the order of the library.
    pub(super) fn order_of(&self, row: u32) -> (u32, u32) {
        match (row as usize).checked_sub(self.rows.len()) {
            Some(at) => (self.patch.before[at], number(at)),
            None => (row, u32::MAX),
        }
    }

    /// The rows with the id that has this hash.
    pub(super) fn rows_of_id(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let of = |ids: &'_ [(u64, u32)]| {
            let start = ids.partition_point(|(known, _)| *known < hash);
            start..start + ids[start..].partition_point(|(known, _)| *known == hash)
        };
        let stays = |(_, row): &&(u64, u32)| self.patch.removed.binary_search(row).is_err();
        let base = self.ids[of(&self.ids)].iter().filter(stays);
        base.chain(&self.patch.ids[of(&self.patch.ids)]).map(|(_, row)| *row)
    }

    /// An album.
    pub(super) fn album(&self, album: u32) -> AlbumEntry {
        match (album as usize).checked_sub(self.albums.len()) {
            Some(at) => self.patch.albums[at],
            None => self.albums[album as usize],
        }
    }

    /// Number of rows by which a patched index differs from the one it was made from.
    pub(crate) fn patched_rows(&self) -> usize {
        self.patch.rows.len() + self.patch.removed.len()
    }

    /// The words that identify the concert of a live album; empty for other albums.
    pub(super) fn concert(&self, album: u32) -> &[u32] {
        self.concerts.get(&album).or_else(|| self.patch.concerts.get(&album)).map_or(&[], AsRef::as_ref)
    }

    pub(super) fn list_rows(&mut self) {
        let rows = &self.rows;
        self.rows_of_title = Postings::shared(self.titles.len(), |say| {
            rows.iter().enumerate().for_each(|(at, row)| say(row.title, number(at)));
        });
        self.rows_of_credit = Postings::shared(self.credits.len(), |say| {
            rows.iter().enumerate().for_each(|(at, row)| say(row.credit, number(at)));
        });
        let credits = &self.credits;
        self.credits_of_name = Postings::shared(self.artists.len(), |say| {
            for credit in 0..number(credits.len()) {
                credits.names(credit).for_each(|(name, _)| say(name, credit));
            }
        });
    }

    pub(super) fn list_titles(&mut self) {
        let headings = &self.titles;
        let every = || (0..number(headings.len())).map(|title| (title, headings.get(title)));
        let lists = buckets(headings.len());
        self.titles_of_key = Postings::shared(lists, |say| {
            for (title, heading) in every() {
                let core = bucket(heading.core_key, lists);
                let full = bucket(heading.full_key, lists);
                say(core, title);
                if full != core {
                    say(full, title);
                }
            }
        });
        self.titles_of_word = Postings::shared(self.vocabulary.len(), |say| {
            for (title, heading) in every() {
                for_each_once(heading.core, heading.subtitle, |word| say(word, title));
            }
        });
        let vocabulary = &self.vocabulary;
        self.titles_of_edge = Postings::shared(lists, |say| {
            for (title, heading) in every() {
                let hashes = edges(heading.core.iter().map(|word| vocabulary.text(*word)));
                for hash in hashes {
                    say(bucket(hash, lists), title);
                }
            }
        });
        self.titles_of_guest = Postings::shared(self.artists.len(), |say| {
            for (title, heading) in every() {
                for_each_once(heading.guests, &[], |name| say(name, title));
            }
        });
    }

    pub(super) fn list_names(&mut self) {
        let (roster, vocabulary) = (&self.artists, &self.vocabulary);
        self.names_of_word = Postings::shared(vocabulary.len(), |say| {
            for name in 0..number(roster.len()) {
                for_each_once(roster.words(name), &[], |word| say(word, name));
            }
        });
        let lists = buckets(roster.len());
        self.names_of_edge = Postings::shared(lists, |say| {
            for name in 0..number(roster.len()) {
                let hashes = edges(roster.words(name).iter().map(|word| vocabulary.text(*word)));
                for hash in hashes {
                    say(bucket(hash, lists), name);
                }
            }
        });
    }
}

/// Calls `each` with every different number of both lists.
pub(super) fn for_each_once(some: &[u32], more: &[u32], mut each: impl FnMut(u32)) {
    for (at, word) in some.iter().enumerate() {
        if !some[..at].contains(word) {
            each(*word);
        }
    }
    for (at, word) in more.iter().enumerate() {
        if !more[..at].contains(word) && !some.contains(word) {
            each(*word);
        }
    }
}

/// Hashes of the first and of the last letters: a typo usually leaves one of them intact.
pub(super) fn edges<'a>(words: impl Iterator<Item = &'a str>) -> [u64; 2] {
    const LETTERS: usize = 4;
    let mut text = String::with_capacity(48);
    words.for_each(|word| text.push_str(word));
    let first = text.char_indices().nth(LETTERS).map_or(text.len(), |(at, _)| at);
    let last = text.char_indices().rev().nth(LETTERS - 1).map_or(0, |(at, _)| at);
    [xxh3_64(&text.as_bytes()[..first]), xxh3_64(&text.as_bytes()[last..]) ^ 1 << 40]
}

/// The hash of an id in canonical form.
pub(super) fn id_hash(id: &str) -> Option<u64> {
    crate::external_id::canonical(id).map(|id| xxh3_64(id.as_bytes()))
}
