//! The part of the library that an entry depends on.

use greenroom_dialect::classification::Read;
use greenroom_dialect::request::ServerKind;

/// Sections of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LibraryScope {
    /// Everything.
    Whole,
    /// One section (Plex).
    Section(String),
}

impl LibraryScope {
    /// The scope of a read, as far as its request shows.
    pub(super) fn from_read(kind: ServerKind, read: &Read) -> Self {
        Self::from_texts(kind, read.tags.iter().map(greenroom_dialect::tag::Tag::as_str))
    }

    /// The scope of an entry with these tags. Jellyfin's library is one.
    pub(super) fn from_texts<'a>(kind: ServerKind, tags: impl Iterator<Item = &'a str>) -> Self {
        let mut section = None;
        if kind == ServerKind::Jellyfin {
            return Self::Whole;
        }
        // A narrowed tag says nothing more.
        for tag in tags.filter(|tag| !tag.contains('~')) {
            let Some(named) = tag.strip_prefix("section:") else {
                if matches!(tag, "across" | "collections" | "playlists" | "every-playlist") {
                    return Self::Whole;
                }
                continue;
            };
            if section.replace(named).is_some_and(|before| before != named) {
                return Self::Whole;
            }
        }
        section.map_or(Self::Whole, |section| Self::Section(section.to_owned()))
    }

    /// The section, if there is but one.
    pub(super) fn only_section(&self) -> Option<&str> {
        match self {
            Self::Whole => None,
            Self::Section(section) => Some(section),
        }
    }

    /// Whether it has this section.
    pub(super) fn has(&self, section: &str) -> bool {
        self.only_section().is_none_or(|only| only == section)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_one_section_depends_on_that_one_and_anything_else_on_all() {
        let plex = |tags: &[&'static str]| LibraryScope::from_texts(ServerKind::Plex, tags.iter().copied());
        assert_eq!(plex(&["section:5", "libraries", "user-state", "item:7"]), LibraryScope::Section("5".into()));
        assert_eq!(plex(&["section:5", "section:5~5", "libraries~5"]), LibraryScope::Section("5".into()));
        assert_eq!(plex(&["section:5", "section:6"]), LibraryScope::Whole);
        assert_eq!(plex(&["item:7"]), LibraryScope::Whole);
        assert_eq!(plex(&["across", "section:5"]), LibraryScope::Whole);
        assert_eq!(LibraryScope::from_texts(ServerKind::Jellyfin, ["section:5"].into_iter()), LibraryScope::Whole);
        assert!(plex(&["section:5"]).has("5") && !plex(&["section:5"]).has("6") && plex(&[]).has("6"));
    }
}
