//! Names of the playlists of one file, each of which one playlist has.

use std::collections::{HashMap, HashSet};

use super::Playlist;

/// Gives playlists without a name this one, and numbers playlists of the same name in the order of the file: `Road`,
/// `Road (2)`. A name of the file is never given to another playlist.
pub fn set_unique_names(playlists: &mut [Playlist], fallback: Option<&str>) {
    for playlist in playlists.iter_mut().filter(|playlist| playlist.name.is_none()) {
        playlist.name = fallback.map(str::to_owned);
    }
    let mut taken: HashSet<String> = playlists.iter().filter_map(|playlist| playlist.name.clone()).collect();
    // The number of the last playlist by name, so that a thousand of one name are numbered in one pass.
    let mut numbers: HashMap<String, u32> = HashMap::new();
    for playlist in playlists {
        let Some(name) = playlist.name.clone() else { continue };
        let number = numbers.entry(name.clone()).or_insert(0);
        *number += 1;
        if *number == 1 {
            continue;
        }
        let unique = loop {
            let candidate = format!("{name} ({number})");
            if taken.insert(candidate.clone()) {
                break candidate;
            }
            *number += 1;
        };
        playlist.name = Some(unique);
        playlist.shared_name = Some(name);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Playlist, PlaylistFormat, read_all};
    use super::set_unique_names;

    fn named(names: &[Option<&str>]) -> Vec<Playlist> {
        let playlist =
            |name: Option<&str>| Playlist { name: name.map(str::to_owned), ..Playlist::new(PlaylistFormat::Json) };
        names.iter().copied().map(playlist).collect()
    }

    fn names(playlists: &[Playlist]) -> Vec<&str> {
        playlists.iter().map(|playlist| playlist.name.as_deref().unwrap_or("-")).collect()
    }

    #[test]
    fn playlists_of_the_same_name_in_one_file_have_names_of_their_own() {
        let list = |name: &str, title: &str| {
            format!("{{\"name\":\"{name}\",\"tracks\":[{{\"title\":\"{title}\",\"artist\":\"A\"}}]}}")
        };
        let file =
            format!("{{\"playlists\":[{},{},{}]}}", list("Road", "One"), list("Home", "Two"), list("Road", "Three"));
        let playlists = read_all(file.as_bytes(), "").expect("JSON");
        assert_eq!(names(&playlists), ["Road", "Home", "Road (2)"]);
        assert_eq!((playlists[0].rows[0].title.as_str(), playlists[2].rows[0].title.as_str()), ("One", "Three"));
        let note = playlists[2].shared_name_note().expect("a note");
        assert!(note.contains("\"Road\"") && note.contains("\"Road (2)\""), "{note}");
        assert_eq!(playlists[0].shared_name_note(), None);
    }

    #[test]
    fn a_name_of_the_file_is_not_given_to_another_playlist() {
        let mut playlists = named(&[Some("Road"), Some("Road"), Some("Road (2)"), Some("Road")]);
        set_unique_names(&mut playlists, None);
        assert_eq!(names(&playlists), ["Road", "Road (3)", "Road (2)", "Road (4)"]);
    }

    #[test]
    fn playlists_without_a_name_are_numbered_too() {
        let mut playlists = named(&[None, Some("file"), None]);
        set_unique_names(&mut playlists, None);
        assert_eq!(names(&playlists), ["-", "file", "-"]);
        set_unique_names(&mut playlists, Some("file"));
        assert_eq!(names(&playlists), ["file", "file (2)", "file (3)"]);
    }

    proptest! {
        #[test]
        fn names_are_unique_and_stay_so(names in prop::collection::vec(prop::option::of("(a|b)( \\([1-3]\\))?"), 0..9)) {
            let mut playlists = named(&names.iter().map(Option::as_deref).collect::<Vec<_>>());
            set_unique_names(&mut playlists, Some("a"));
            let mut unique: Vec<String> = playlists.iter().filter_map(|one| one.name.clone()).collect();
            unique.sort();
            unique.dedup();
            prop_assert_eq!(unique.len(), names.len());
            let before = playlists.clone();
            set_unique_names(&mut playlists, Some("b"));
            prop_assert_eq!(playlists, before);
        }
    }
}
