//! Chooses the music library when a tool says only "the library".

/// A music library to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibraryCandidate<'a> {
    /// The server's id of the library.
    pub key: &'a str,
    /// Title given by the server's owner.
    pub title: &'a str,
}

/// A music library's default title.
const USUAL_TITLE: &str = "Music";

/// Chooses a music library: the one with the configured name, ignoring case; without a configured name, the
/// only one, or the one called “Music”, or the one with the lowest key. `None` if there is none, or none with
/// that name: a mistyped name must not lead to another library.
pub fn select_music_library<'a>(
    candidates: &[LibraryCandidate<'a>],
    named: Option<&str>,
) -> Option<LibraryCandidate<'a>> {
    let called = |name: &str| {
        let fits = candidates.iter().filter(|candidate| is_called(candidate.title, name));
        fits.min_by_key(|candidate| rank(candidate.key)).copied()
    };
    match (named.map(str::trim).filter(|name| !name.is_empty()), candidates) {
        (Some(name), _) => called(name),
        (None, [only]) => Some(*only),
        (None, _) => {
            called(USUAL_TITLE).or_else(|| candidates.iter().min_by_key(|candidate| rank(candidate.key)).copied())
        }
    }
}

fn is_called(title: &str, name: &str) -> bool {
    title.trim().to_lowercase() == name.to_lowercase()
}

/// Sorts numbers first, by value.
fn rank(key: &str) -> (bool, u64, &str) {
    key.parse().map_or((true, 0, key), |number| (false, number, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen<'a>(libraries: &[(&'a str, &'a str)], named: Option<&str>) -> Option<&'a str> {
        let candidates: Vec<LibraryCandidate<'_>> =
            libraries.iter().map(|(key, title)| LibraryCandidate { key, title }).collect();
        select_music_library(&candidates, named).map(|candidate| candidate.key)
    }

    const THREE: [(&str, &str); 3] = [("10", "Audiobooks"), ("9", "Ballads"), ("12", "music")];

    #[test]
    fn the_configured_library_is_selected_ignoring_case() {
        assert_eq!(chosen(&THREE, Some("AUDIOBOOKS")), Some("10"));
        assert_eq!(chosen(&THREE, Some("  ballads ")), Some("9"));
        assert_eq!(chosen(&[("1", "MÜSIK"), ("2", "Music")], Some("müsik")), Some("1"));
    }

    #[test]
    fn an_unknown_name_selects_no_library() {
        assert_eq!(chosen(&THREE, Some("Muzak")), None);
        assert_eq!(chosen(&[("1", "Music")], Some("Muzak")), None);
    }

    #[test]
    fn without_a_name_the_only_library_then_music_then_the_lowest_key_is_selected() {
        assert_eq!(chosen(&[("7", "Anything")], None), Some("7"));
        assert_eq!(chosen(&THREE, None), Some("12"));
        assert_eq!(chosen(&THREE, Some(" ")), Some("12"), "an empty name is none");
        assert_eq!(chosen(&THREE[..2], None), Some("9"), "nine is less than ten");
        assert_eq!(chosen(&[], None), None);
    }

    #[test]
    fn keys_that_are_not_numbers_are_sorted_as_text() {
        assert_eq!(chosen(&[("b2", "x"), ("a9", "y")], None), Some("a9"));
        assert_eq!(chosen(&[("a9", "x"), ("100", "y")], None), Some("100"));
    }

    #[test]
    fn of_two_libraries_with_the_same_name_the_lowest_key_is_selected() {
        assert_eq!(chosen(&[("5", "Music"), ("4", "music"), ("1", "x")], None), Some("4"));
    }
}
