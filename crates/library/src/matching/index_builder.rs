//! Builds the index of tracks.

use std::sync::Arc;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Track;
use super::artist_credit::{self, CreditRole};
use super::artist_table::{ArtistTable, CreditTable};
use super::index::{AlbumEntry, TrackIndex, TrackRow, id_hash};
use super::normalize::normalize;
use super::parse;
use super::script::ScriptSet;
use super::title_table::{TitleTable, title_identity};
use super::vocabulary::{HashedMap, HashedSet, Vocabulary, number};

/// Builds an index.
#[derive(Debug, Default)]
pub struct TrackIndexBuilder {
    pub(super) vocabulary: Vocabulary,
    pub(super) titles: TitleTable,
    pub(super) artists: ArtistTable,
    pub(super) credits: CreditTable,
    pub(super) albums: Vec<AlbumEntry>,
    pub(super) concerts: HashedMap<u32, Box<[u32]>>,
    pub(super) rows: Vec<TrackRow>,
    pub(super) ids: Vec<(u64, u32)>,
    /// Rows and albums of the index that is patched.
    pub(super) first_row: u32,
    pub(super) first_album: u32,
    /// Titles and credits of the index that is patched.
    pub(super) known_titles: HashedMap<u64, u32>,
    pub(super) known_credits: HashedMap<u64, u32>,
    pub(super) title_ids: HashedMap<u128, u32>,
    pub(super) credit_ids: HashedMap<u128, u32>,
    pub(super) album_ids: HashedMap<u128, u32>,
}

impl TrackIndexBuilder {
    /// Adds a track; returns its row.
    pub fn push(&mut self, track: &Track<'_>) -> u32 {
        let title = self.title(track);
        let credit = self.credit(track);
        let album = self.album(track.album);
        let duration_s = track.duration_s.map_or(0, |s| u16::try_from(s).unwrap_or(u16::MAX));
        let row = self.first_row + number(self.rows.len());
        self.rows.push(TrackRow { title, credit, album, duration_s });
        self.ids.extend(track.ids.iter().filter_map(|id| Some((id_hash(id)?, row))));
        row
    }

    fn title(&mut self, track: &Track<'_>) -> u32 {
        let hash = title_hash(track);
        if let Some(title) = self.title_ids.get(&hash) {
            return *title;
        }
        if let Some(title) = self.known_titles.get(&identity_of_title(track)) {
            return *title;
        }
        let parsed = parse::parse_track_title(track);
        let Self { vocabulary, titles, artists, .. } = self;
        let mut guests = Vec::new();
        for name in parsed.guests.iter().flat_map(|text| artist_credit::guests(text)) {
            let guest = artists.add(&name, |word| vocabulary.add(word));
            if !guests.contains(&guest) {
                guests.push(guest);
            }
        }
        let title = titles.add(&parsed, rest_of(hash), |word| vocabulary.add(word), guests);
        self.title_ids.insert(hash, title);
        title
    }

    fn credit(&mut self, track: &Track<'_>) -> u32 {
        let hash = credit_hash(track);
        if let Some(credit) = self.credit_ids.get(&hash).or_else(|| self.known_credits.get(&low(hash))) {
            return *credit;
        }
        let names = artist_credit::names(track.artist, track.artists, track.album_artist);
        let Self { vocabulary, artists, credits, .. } = self;
        let numbered: Vec<(u32, CreditRole)> =
            names.iter().map(|name| (artists.add(name, |word| vocabulary.add(word)), name.role)).collect();
        let scripts = ScriptSet::of(track.artist);
        let album_artist: Vec<String> = normalize(track.album_artist).into_iter().map(|word| word.text).collect();
        let credit = credits.add(numbered, artist_credit::is_nobody(&album_artist), (low(hash), scripts));
        self.credit_ids.insert(hash, credit);
        credit
    }

    fn album(&mut self, text: &str) -> u32 {
        let hash = hash_of([text]);
        if let Some(album) = self.album_ids.get(&hash) {
            return *album;
        }
        let album = self.first_album + number(self.albums.len());
        let (mut read, concert) = AlbumEntry::read(text);
        read.text_key = low(hash);
        if !concert.is_empty() {
            let words = concert.iter().map(|word| self.vocabulary.add(word)).collect();
            self.concerts.insert(album, words);
        }
        self.albums.push(read);
        self.album_ids.insert(hash, album);
        album
    }

    /// Builds the index.
    pub fn build(self) -> TrackIndex {
        let Self { mut vocabulary, mut titles, mut artists, mut credits, .. } = self;
        let Self { mut albums, concerts, mut rows, mut ids, title_ids, credit_ids, album_ids, .. } = self;
        drop((title_ids, credit_ids, album_ids));
        vocabulary.shrink();
        titles.shrink();
        artists.shrink();
        credits.shrink();
        albums.shrink_to_fit();
        rows.shrink_to_fit();
        ids.shrink_to_fit();
        ids.sort_unstable();
        let mut words = WordsInUse::new(vocabulary.len());
        (0..number(titles.len())).for_each(|title| words.record(titles.words(title)));
        (0..number(artists.len())).for_each(|name| words.record(artists.words(name)));
        for concert in concerts.values() {
            words.record(concert);
        }
        vocabulary.set_unused(words.unused());
        let mut index = TrackIndex {
            titles_in_use: titles.len(),
            names_in_use: artists.len(),
            vocabulary: Arc::new(vocabulary),
            titles: Arc::new(titles),
            artists: Arc::new(artists),
            credits: Arc::new(credits),
            albums: Arc::new(albums),
            concerts: Arc::new(concerts),
            rows: Arc::new(rows),
            ids: Arc::new(ids),
            ..TrackIndex::default()
        };
        index.list_rows();
        index.list_titles();
        index.list_names();
        index
    }
}

/// The words that occur in titles, names and concerts.
pub(super) struct WordsInUse(Vec<bool>);

impl WordsInUse {
    pub(super) fn new(words: usize) -> Self {
        Self(vec![false; words])
    }

    pub(super) fn record(&mut self, words: &[u32]) {
        for word in words {
            self.0[*word as usize] = true;
        }
    }

    /// The words that do not occur.
    pub(super) fn unused(&self) -> HashedSet<u32> {
        (0..).zip(&self.0).filter(|(_, is_used)| !**is_used).map(|(word, _)| word).collect()
    }
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

/// Hash of what decides how a title is read.
fn title_hash(track: &Track<'_>) -> u128 {
    hash_of([track.title, artist_credit::without_artist(track)])
}

fn rest_of(title_hash: u128) -> [u8; 3] {
    let [first, second, third, ..] = title_hash.to_le_bytes();
    [first, second, third]
}

/// The identity of a track's title.
pub(super) fn identity_of_title(track: &Track<'_>) -> u64 {
    title_identity(xxh3_64(track.title.as_bytes()), rest_of(title_hash(track)))
}

fn credit_hash(track: &Track<'_>) -> u128 {
    hash_of([track.artist, track.album_artist].into_iter().chain(track.artists.iter().copied()))
}

/// The identity of a track's credit: the hash of its spelling.
pub(super) fn identity_of_credit(track: &Track<'_>) -> u64 {
    low(credit_hash(track))
}

fn low(hash: u128) -> u64 {
    u64::try_from(hash & u128::from(u64::MAX)).unwrap_or_default()
}
