//! A track to find, and the keys under which its overrides are stored.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use xxhash_rust::xxh3::Xxh3;

use greenroom_library::matching::Track;
use greenroom_library::{external_id, files};

use crate::index::LibraryId;

/// A track to find.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = DecisionTrack)]
pub struct TrackQuery {
    /// Title of the track.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The complete artist credit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub artist: String,
    /// Credited artists one by one, where known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artists: Vec<String>,
    /// Album title.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub album: String,
    /// Duration in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
    /// External ids: `mbid://…`, `isrc://…`, `spotify://…`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Path of a file in the server's terms, if a file is looked up instead of a track.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
}

impl TrackQuery {
    /// The id for a source's own track id, where that is not an external id.
    pub fn source_name(source_id: &str) -> String {
        external_id::canonical(source_id).unwrap_or_else(|| format!("source://{source_id}"))
    }

    /// The query as the index takes it.
    pub(super) fn with_track<R>(&self, apply: impl FnOnce(&Track<'_>) -> R) -> R {
        let artists: Vec<&str> = self.artists.iter().map(String::as_str).collect();
        let ids: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        apply(&Track {
            title: &self.title,
            artist: &self.artist,
            artists: &artists,
            album_artist: "",
            album: &self.album,
            duration_s: self.duration_s,
            ids: &ids,
        })
    }

    /// The query under which overrides of this path are stored.
    pub fn from_path(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// The query under which overrides of this id are stored.
    pub fn from_id(id: &str) -> Self {
        Self { ids: vec![id.to_owned()], ..Self::default() }
    }

    /// Whether there is nothing to search for.
    pub fn is_empty(&self) -> bool {
        self.title.trim().is_empty()
            && self.ids.iter().all(|id| external_id::canonical(id).is_none())
            && files::canonical(&self.path).is_none()
    }
}

/// Keys of a track's overrides in one library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OverrideKeys {
    /// By external ids and path. An ISRC is shared by several recordings, so it is no key.
    pub(super) ids: Vec<i64>,
    /// By its texts: all of them first, then without those that other sources may omit.
    pub(super) words: Vec<i64>,
}

impl OverrideKeys {
    pub(super) fn new(library: &LibraryId, query: &TrackQuery) -> Self {
        let ids_found = query.ids.iter().filter_map(|id| external_id::canonical(id));
        let ids_found = ids_found.filter(|id| !id.starts_with("isrc://"));
        let mut ids: Vec<i64> = ids_found.map(|id| key(library, &["id", &id])).collect();
        ids.extend(files::canonical(&query.path).map(|path| key(library, &["path", &path])));
        let title = folded(&query.title);
        let mut words = Vec::new();
        if !title.is_empty() {
            let artist =
                folded(&if query.artist.trim().is_empty() { query.artists.join(", ") } else { query.artist.clone() });
            let album = folded(&query.album);
            let duration = query.duration_s.map_or_else(String::new, |seconds| seconds.to_string());
            let tiers = [(album.as_str(), duration.as_str()), (album.as_str(), ""), ("", duration.as_str()), ("", "")];
            for (album, duration) in tiers {
                let key = key(library, &["words", &artist, &title, album, duration]);
                if !words.contains(&key) {
                    words.push(key);
                }
            }
        }
        Self { ids, words }
    }

    /// Keys under which an override is stored.
    pub(super) fn storage_keys(&self) -> impl Iterator<Item = i64> + '_ {
        self.ids.iter().copied().chain(self.words.first().copied())
    }

    /// Keys under which an override may be found.
    pub(super) fn lookup_keys(&self) -> impl Iterator<Item = i64> + '_ {
        self.ids.iter().chain(&self.words).copied()
    }
}

fn key(library: &LibraryId, parts: &[&str]) -> i64 {
    let mut hash = Xxh3::new();
    for part in [library.server.as_str(), library.key.as_str()].iter().chain(parts) {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    hash.digest().cast_signed()
}

/// The text in lower case, with single spaces.
fn folded(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> LibraryId {
        "home:3".parse().expect("parse the library id")
    }

    fn track_query(artist: &str, title: &str, album: &str, duration_s: Option<u32>) -> TrackQuery {
        TrackQuery {
            title: title.into(),
            artist: artist.into(),
            album: album.into(),
            duration_s,
            ..TrackQuery::default()
        }
    }

    #[test]
    fn a_less_exact_query_finds_the_override_of_a_more_exact_one() {
        let exact = OverrideKeys::new(&library(), &track_query("Queen", " Bohemian  rhapsody", "Opera", Some(355)));
        let short = OverrideKeys::new(&library(), &track_query("queen", "Bohemian Rhapsody", "", None));
        assert_eq!(short.words.len(), 1);
        assert_eq!(exact.words.len(), 4);
        assert!(exact.words.contains(&short.words[0]));
        assert!(!short.words.contains(&exact.words[0]));
        let other = OverrideKeys::new(
            &"home:4".parse().expect("parse the library id"),
            &track_query("Queen", "Bohemian rhapsody", "", None),
        );
        assert_ne!(other.words, short.words, "of another library");
    }

    #[test]
    fn an_id_is_a_key_however_it_is_spelled_but_an_isrc_is_not() {
        let with =
            |id: &str| OverrideKeys::new(&library(), &TrackQuery { ids: vec![id.into()], ..TrackQuery::default() }).ids;
        assert_eq!(with("spotify:track:6rqhFgbbKwnb9MLmUQDhG6"), with("spotify://6rqhFgbbKwnb9MLmUQDhG6"));
        assert_eq!(with("USUM71703861"), [0; 0]);
        assert_eq!(with("local://5"), [0; 0]);
        assert_eq!(with(&TrackQuery::source_name("row 17")).len(), 1);
        assert_eq!(TrackQuery::source_name("tt0111161"), "imdb://tt0111161");
    }
}
