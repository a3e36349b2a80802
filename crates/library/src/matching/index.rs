//! The index: unique titles, names, credits and albums, rows of four numbers, and postings that lead to them.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Track;
use super::artist_credit::{self, CreditRole};
use super::artist_table::{ArtistTable, CreditTable};
use super::normalize::normalize;
use super::parse;
use super::postings::{Postings, bucket, buckets};
use super::qualifier;
use super::script::ScriptSet;
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

/// Builds an index.
#[derive(Debug, Default)]
pub struct TrackIndexBuilder {
    index: TrackIndex,
    titles: HashedMap<u128, u32>,
    credits: HashedMap<u128, u32>,
    albums: HashedMap<u128, u32>,
}

/// An index over the tracks of one library.
#[derive(Debug, Default)]
pub struct TrackIndex {
    pub(super) vocabulary: Vocabulary,
    pub(super) titles: TitleTable,
    pub(super) artists: ArtistTable,
    pub(super) credits: CreditTable,
    pub(super) albums: Vec<AlbumEntry>,
    /// The words in the titles of live albums.
    concerts: HashedMap<u32, Box<[u32]>>,
    pub(super) rows: Vec<TrackRow>,
    /// Hashes of ids and their rows, sorted.
    pub(super) ids: Vec<(u64, u32)>,
    pub(super) rows_of_title: Postings,
    pub(super) rows_of_credit: Postings,
    pub(super) credits_of_name: Postings,
    pub(super) titles_of_key: Postings,
    pub(super) titles_of_word: Postings,
    pub(super) titles_of_edge: Postings,
    pub(super) titles_of_guest: Postings,
    pub(super) names_of_word: Postings,
    pub(super) names_of_edge: Postings,
}

impl TrackIndexBuilder {
    /// Adds a track; returns its row.
    pub fn push(&mut self, track: &Track<'_>) -> u32 {
        let title = self.title(track);
        let credit = self.credit(track);
        let album = self.album(track.album);
        let duration_s = track.duration_s.map_or(0, |s| u16::try_from(s).unwrap_or(u16::MAX));
        let row = number(self.index.rows.len());
        self.index.rows.push(TrackRow { title, credit, album, duration_s });
        self.index.ids.extend(track.ids.iter().filter_map(|id| Some((id_hash(id)?, row))));
        row
    }

    fn title(&mut self, track: &Track<'_>) -> u32 {
        let hash = hash_of([track.title, artist_credit::without_artist(track)]);
        if let Some(title) = self.titles.get(&hash) {
            return *title;
        }
        let parsed = parse::parse_track_title(track);
        let TrackIndex { vocabulary, titles: headings, artists: roster, .. } = &mut self.index;
        let mut guests = Vec::new();
        for name in parsed.guests.iter().flat_map(|text| artist_credit::guests(text)) {
            let guest = roster.add(&name, |word| vocabulary.add(word));
            if !guests.contains(&guest) {
                guests.push(guest);
            }
        }
        let title = headings.add(&parsed, |word| vocabulary.add(word), guests);
        self.titles.insert(hash, title);
        title
    }

    fn credit(&mut self, track: &Track<'_>) -> u32 {
        let hash = hash_of([track.artist, track.album_artist].into_iter().chain(track.artists.iter().copied()));
        if let Some(credit) = self.credits.get(&hash) {
            return *credit;
        }
        let names = artist_credit::names(track.artist, track.artists, track.album_artist);
        let TrackIndex { vocabulary, artists: roster, credits, .. } = &mut self.index;
        let numbered: Vec<(u32, CreditRole)> =
            names.iter().map(|name| (roster.add(name, |word| vocabulary.add(word)), name.role)).collect();
        let scripts = ScriptSet::of(track.artist);
        let album_artist: Vec<String> = normalize(track.album_artist).into_iter().map(|word| word.text).collect();
        let credit = credits.add(numbered, artist_credit::is_nobody(&album_artist), (low(hash), scripts));
        self.credits.insert(hash, credit);
        credit
    }

    fn album(&mut self, text: &str) -> u32 {
        let hash = hash_of([text]);
        if let Some(album) = self.albums.get(&hash) {
            return *album;
        }
        let album = number(self.index.albums.len());
        let (mut read, concert) = AlbumEntry::read(text);
        read.text_key = low(hash);
        if !concert.is_empty() {
            let words = concert.iter().map(|word| self.index.vocabulary.add(word)).collect();
            self.index.concerts.insert(album, words);
        }
        self.index.albums.push(read);
        self.albums.insert(hash, album);
        album
    }

    /// Builds the index.
    pub fn build(self) -> TrackIndex {
        let Self { mut index, titles, credits, albums } = self;
        drop((titles, credits, albums));
        index.vocabulary.shrink();
        index.titles.shrink();
        index.artists.shrink();
        index.credits.shrink();
        index.albums.shrink_to_fit();
        index.rows.shrink_to_fit();
        index.ids.shrink_to_fit();
        index.ids.sort_unstable();
        index.list_rows();
        index.list_titles();
        index.list_names();
        index
    }
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
        self.rows.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The words that identify the concert of a live album; empty for other albums.
    pub(super) fn concert(&self, album: u32) -> &[u32] {
        self.concerts.get(&album).map_or(&[], AsRef::as_ref)
    }

    fn list_rows(&mut self) {
        let rows = &self.rows;
        self.rows_of_title = Postings::collect(self.titles.len(), |say| {
            rows.iter().enumerate().for_each(|(at, row)| say(row.title, number(at)));
        });
        self.rows_of_credit = Postings::collect(self.credits.len(), |say| {
            rows.iter().enumerate().for_each(|(at, row)| say(row.credit, number(at)));
        });
        let credits = &self.credits;
        self.credits_of_name = Postings::collect(self.artists.len(), |say| {
            for credit in 0..number(credits.len()) {
                credits.names(credit).for_each(|(name, _)| say(name, credit));
            }
        });
    }

    fn list_titles(&mut self) {
        let headings = &self.titles;
        let every = || (0..number(headings.len())).map(|title| (title, headings.get(title)));
        let lists = buckets(headings.len());
        self.titles_of_key = Postings::collect(lists, |say| {
            for (title, heading) in every() {
                let core = bucket(heading.core_key, lists);
                let full = bucket(heading.full_key, lists);
                say(core, title);
                if full != core {
                    say(full, title);
                }
            }
        });
        self.titles_of_word = Postings::collect(self.vocabulary.len(), |say| {
            for (title, heading) in every() {
                for_each_once(heading.core, heading.subtitle, |word| say(word, title));
            }
        });
        let vocabulary = &self.vocabulary;
        self.titles_of_edge = Postings::collect(lists, |say| {
            for (title, heading) in every() {
                let hashes = edges(heading.core.iter().map(|word| vocabulary.text(*word)));
                for hash in hashes {
                    say(bucket(hash, lists), title);
                }
            }
        });
        self.titles_of_guest = Postings::collect(self.artists.len(), |say| {
            for (title, heading) in every() {
                for_each_once(heading.guests, &[], |name| say(name, title));
            }
        });
    }

    fn list_names(&mut self) {
        let (roster, vocabulary) = (&self.artists, &self.vocabulary);
        self.names_of_word = Postings::collect(vocabulary.len(), |say| {
            for name in 0..number(roster.len()) {
                for_each_once(roster.words(name), &[], |word| say(word, name));
            }
        });
        let lists = buckets(roster.len());
        self.names_of_edge = Postings::collect(lists, |say| {
            for name in 0..number(roster.len()) {
                let hashes = edges(roster.words(name).iter().map(|word| vocabulary.text(*word)));
                for hash in hashes {
                    say(bucket(hash, lists), name);
                }
            }
        });
    }
}

fn for_each_once(some: &[u32], more: &[u32], mut each: impl FnMut(u32)) {
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

/// Hash of several texts with separators.
fn hash_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> u128 {
    let mut hash = Xxh3::new();
    for text in texts {
        hash.update(&text.len().to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.digest128()
}

fn low(hash: u128) -> u64 {
    u64::try_from(hash & u128::from(u64::MAX)).unwrap_or_default()
}
