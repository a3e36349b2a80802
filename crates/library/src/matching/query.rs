//! A track to be matched, in terms of the index.

use super::Track;
use super::artist_credit::{self, CreditName, CreditRole};
use super::index::{AlbumEntry, TrackIndex, id_hash};
use super::parse;
use super::script::ScriptSet;
use super::title_table::{TitleEntry, TitleTable, shape};
use super::vocabulary::QueryVocabulary;

/// A name to be matched.
#[derive(Debug)]
pub(super) struct QueryArtist {
    pub(super) words: Vec<u32>,
    /// Its letters.
    pub(super) text: String,
    /// Its letters as bits, and their count.
    pub(super) shape: (u32, u8),
    pub(super) key: u64,
    pub(super) role: CreditRole,
}

/// A track to be matched.
#[derive(Debug)]
pub(super) struct MatchQuery<'i> {
    pub(super) words: QueryVocabulary<'i>,
    heading: TitleTable,
    pub(super) names: Vec<QueryArtist>,
    /// Scripts of the artists.
    pub(super) scripts: ScriptSet,
    pub(super) album: AlbumEntry,
    /// Words that identify the concert of its album.
    pub(super) concert: Vec<u32>,
    /// 0 if unknown.
    pub(super) duration_s: u16,
    pub(super) ids: Vec<u64>,
    pub(super) isrcs: Vec<u64>,
}

impl<'i> MatchQuery<'i> {
    pub(super) fn new(index: &'i TrackIndex, track: &Track<'_>) -> Self {
        let mut words = QueryVocabulary::new(&index.vocabulary);
        let title = parse::parse_track_title(track);
        let mut heading = TitleTable::default();
        heading.add(&title, [0; 3], |word| words.add(word), []);
        let mut names = artist_credit::names(track.artist, track.artists, track.album_artist);
        for guest in title.guests.iter().flat_map(|text| artist_credit::guests(text)) {
            if !names.iter().any(|name| name.key == guest.key) {
                names.push(guest);
            }
        }
        let names = names.into_iter().map(|name| query_artist(&name, &mut words)).collect();
        let is_isrc = |id: &&&str| id.trim().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("isrc:"));
        let isrcs = track.ids.iter().filter(is_isrc).filter_map(|id| id_hash(id)).collect();
        let ids = track.ids.iter().filter(|id| !is_isrc(id)).filter_map(|id| id_hash(id)).collect();
        let duration_s = track.duration_s.map_or(0, |s| u16::try_from(s).unwrap_or(u16::MAX));
        let (album, concert) = AlbumEntry::read(track.album);
        let concert = concert.iter().map(|word| words.add(word)).collect();
        let scripts = ScriptSet::of(track.artist);
        Self { words, heading, names, scripts, album, concert, duration_s, ids, isrcs }
    }

    /// Hash of the title's spelling.
    pub(super) fn text_key(&self) -> u64 {
        self.heading.text_key(0)
    }

    pub(super) fn heading(&self) -> TitleEntry<'_> {
        self.heading.get(0)
    }
}

fn query_artist(name: &CreditName, words: &mut QueryVocabulary<'_>) -> QueryArtist {
    QueryArtist {
        words: name.words.iter().map(|word| words.add(word)).collect(),
        text: name.words.concat(),
        shape: shape(name.words.iter().map(String::as_str)),
        key: name.key,
        role: name.role,
    }
}
