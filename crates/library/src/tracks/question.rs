//! A track that is looked for, in the words of the index.

use super::Track;
use super::credit::{self, Name, Role};
use super::heading::{Heading, Headings, shape};
use super::index::{Album, TrackIndex, id_hash};
use super::parse;
use super::vocabulary::Words;

/// A name that is looked for.
#[derive(Debug)]
pub(super) struct Sought {
    pub(super) words: Vec<u32>,
    /// Its letters.
    pub(super) text: String,
    /// Which letters, and how many.
    pub(super) shape: (u32, u8),
    pub(super) key: u64,
    pub(super) role: Role,
}

/// A track that is looked for.
#[derive(Debug)]
pub(super) struct Question<'i> {
    pub(super) words: Words<'i>,
    heading: Headings,
    pub(super) names: Vec<Sought>,
    pub(super) album: Album,
    /// Which concert its album was recorded in.
    pub(super) concert: Vec<u32>,
    /// Zero if it is not known.
    pub(super) duration_s: u16,
    pub(super) ids: Vec<u64>,
    pub(super) isrcs: Vec<u64>,
}

impl<'i> Question<'i> {
    pub(super) fn of(index: &'i TrackIndex, track: &Track<'_>) -> Self {
        let mut words = Words::of(&index.vocabulary);
        let title = parse::title_of(track);
        let mut heading = Headings::default();
        heading.add(&title, |word| words.add(word), []);
        let mut names = credit::names(track.artist, track.artists, track.album_artist);
        for guest in title.guests.iter().flat_map(|text| credit::guests(text)) {
            if !names.iter().any(|name| name.key == guest.key) {
                names.push(guest);
            }
        }
        let names = names.into_iter().map(|name| sought(&name, &mut words)).collect();
        let is_isrc =
            |id: &&&str| id.trim().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("isrc:"));
        let isrcs = track.ids.iter().filter(is_isrc).filter_map(|id| id_hash(id)).collect();
        let ids = track.ids.iter().filter(|id| !is_isrc(id)).filter_map(|id| id_hash(id)).collect();
        let duration_s = track.duration_s.map_or(0, |s| u16::try_from(s).unwrap_or(u16::MAX));
        let (album, concert) = Album::read(track.album);
        let concert = concert.iter().map(|word| words.add(word)).collect();
        Self { words, heading, names, album, concert, duration_s, ids, isrcs }
    }

    /// Hash of the title as it is written.
    pub(super) fn text_key(&self) -> u64 {
        self.heading.text_key(0)
    }

    pub(super) fn heading(&self) -> Heading<'_> {
        self.heading.get(0)
    }
}

fn sought(name: &Name, words: &mut Words<'_>) -> Sought {
    Sought {
        words: name.words.iter().map(|word| words.add(word)).collect(),
        text: name.words.concat(),
        shape: shape(name.words.iter().map(String::as_str)),
        key: name.key,
        role: name.role,
    }
}
