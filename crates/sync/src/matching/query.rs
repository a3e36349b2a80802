//! A track somebody looks for, and the keys by which decisions about it are found again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use xxhash_rust::xxh3::Xxh3;

use greenroom_library::tracks::Track;
use greenroom_library::{files, guid};

use crate::index::LibraryId;

/// A track somebody looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = DecisionTrack)]
pub struct Wanted {
    /// Its title.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The whole credit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub artist: String,
    /// Who is credited, one by one, where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artists: Vec<String>,
    /// Its album.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub album: String,
    /// Length in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
    /// Names by which others know it: `mbid://…`, `isrc://…`, `spotify://…`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// The path of a file, as the server would call it, where a file is looked for and no track.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
}

impl Wanted {
    /// The name that stands for what a source calls a track, where that is no name others know.
    pub fn source_name(source_id: &str) -> String {
        guid::canonical(source_id).unwrap_or_else(|| format!("source://{source_id}"))
    }

    /// As the index is asked for it.
    pub(super) fn with_track<R>(&self, use_it: impl FnOnce(&Track<'_>) -> R) -> R {
        let artists: Vec<&str> = self.artists.iter().map(String::as_str).collect();
        let ids: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        use_it(&Track {
            title: &self.title,
            artist: &self.artist,
            artists: &artists,
            album_artist: "",
            album: &self.album,
            duration_s: self.duration_s,
            ids: &ids,
        })
    }

    /// What a file stands for in decisions about its path.
    pub fn file(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// What a name stands for in decisions about it.
    pub fn named(id: &str) -> Self {
        Self { ids: vec![id.to_owned()], ..Self::default() }
    }

    /// Whether anything is said that could be looked for.
    pub fn is_empty(&self) -> bool {
        self.title.trim().is_empty()
            && self.ids.iter().all(|id| guid::canonical(id).is_none())
            && files::canonical(&self.path).is_none()
    }
}

/// The keys of a track in one library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    /// By the names others know it by, and by its path. A recording's ISRC is given to others too, so it is none.
    pub(super) ids: Vec<i64>,
    /// By what it is called: all that is said first, then without what others may not have said.
    pub(super) words: Vec<i64>,
}

impl Keys {
    pub(super) fn of(library: &LibraryId, wanted: &Wanted) -> Self {
        let names = wanted.ids.iter().filter_map(|id| guid::canonical(id));
        let names = names.filter(|name| !name.starts_with("isrc://"));
        let mut ids: Vec<i64> = names.map(|name| key(library, &["id", &name])).collect();
        ids.extend(files::canonical(&wanted.path).map(|path| key(library, &["path", &path])));
        let title = folded(&wanted.title);
        let mut words = Vec::new();
        if !title.is_empty() {
            let artist = folded(&if wanted.artist.trim().is_empty() {
                wanted.artists.join(", ")
            } else {
                wanted.artist.clone()
            });
            let album = folded(&wanted.album);
            let length = wanted.duration_s.map_or_else(String::new, |seconds| seconds.to_string());
            let tiers =
                [(album.as_str(), length.as_str()), (album.as_str(), ""), ("", length.as_str()), ("", "")];
            for (album, length) in tiers {
                let key = key(library, &["words", &artist, &title, album, length]);
                if !words.contains(&key) {
                    words.push(key);
                }
            }
        }
        Self { ids, words }
    }

    /// Those that a decision about it is kept under.
    pub(super) fn kept(&self) -> impl Iterator<Item = i64> + '_ {
        self.ids.iter().copied().chain(self.words.first().copied())
    }

    /// Those that a decision about it may be found under.
    pub(super) fn asked(&self) -> impl Iterator<Item = i64> + '_ {
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

/// In small letters, with single spaces.
fn folded(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> LibraryId {
        "home:3".parse().expect("an id")
    }

    fn wanted(artist: &str, title: &str, album: &str, duration_s: Option<u32>) -> Wanted {
        Wanted {
            title: title.into(),
            artist: artist.into(),
            album: album.into(),
            duration_s,
            ..Wanted::default()
        }
    }

    #[test]
    fn what_is_said_less_exactly_is_found_under_what_is_said_more_exactly() {
        let exact = Keys::of(&library(), &wanted("Queen", " Bohemian  rhapsody", "Opera", Some(355)));
        let short = Keys::of(&library(), &wanted("queen", "Bohemian Rhapsody", "", None));
        assert_eq!(short.words.len(), 1);
        assert_eq!(exact.words.len(), 4);
        assert!(exact.words.contains(&short.words[0]));
        assert!(!short.words.contains(&exact.words[0]));
        let other =
            Keys::of(&"home:4".parse().expect("an id"), &wanted("Queen", "Bohemian rhapsody", "", None));
        assert_ne!(other.words, short.words, "of another library");
    }

    #[test]
    fn a_name_is_a_key_however_it_is_spelled_but_a_recordings_code_is_none() {
        let with = |id: &str| Keys::of(&library(), &Wanted { ids: vec![id.into()], ..Wanted::default() }).ids;
        assert_eq!(with("spotify:track:6rqhFgbbKwnb9MLmUQDhG6"), with("spotify://6rqhFgbbKwnb9MLmUQDhG6"));
        assert_eq!(with("USUM71703861"), [0; 0]);
        assert_eq!(with("local://5"), [0; 0]);
        assert_eq!(with(&Wanted::source_name("row 17")).len(), 1);
        assert_eq!(Wanted::source_name("tt0111161"), "imdb://tt0111161");
    }
}
