//! External ids of items, in one canonical form.
//!
//! Modules: [`address`] (ids written as web addresses), [`index`] (items by id).
//!
//! The form is `scheme://id`: the scheme is the registry of the id, however an agent or a tool calls it;
//! variable parts (case, language, dashes, leading zeros) are normalised away. Registries count films, shows
//! and episodes separately, so the same id may belong to one of each: comparisons must consider the kind too.

mod address;
pub mod index;

/// Longest id in bytes that is parsed.
const MAX_BYTES: usize = 512;

/// The canonical form of an id. `None` if it is valid only on its server (`local://158`), or no id at all.
pub fn canonical(guid: &str) -> Option<String> {
    let guid = guid.trim();
    if guid.len() > MAX_BYTES || guid.chars().any(char::is_control) {
        return None;
    }
    // Ids in folder names: {imdb-tt0111161}, [tmdbid=603].
    let guid = guid.strip_prefix(['{', '[']).map_or(guid, |inner| inner.trim_end_matches(['}', ']']));
    let lower = guid.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return address::read(guid);
    }
    if let Some((scheme, id)) = guid.split_once("://") {
        return named(scheme, id);
    }
    if let Some(spoken) = bare(guid) {
        return Some(spoken);
    }
    let (scheme, id) = guid.split_once([':', '=', ' ', '-'])?;
    // Plex writes its own ids in one way only.
    let registry = registry(&scheme.to_ascii_lowercase()).filter(|registry| *registry != "plex")?;
    in_registry(registry, id.trim())
}

/// Whether two ids are the same in canonical form.
pub fn is_same(one: &str, other: &str) -> bool {
    canonical(one).is_some_and(|one| canonical(other).is_some_and(|other| one == other))
}

/// An id whose form identifies its registry.
fn bare(id: &str) -> Option<String> {
    let is_imdb = id.len() > 2 && id.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("tt"));
    if is_imdb {
        return imdb(id);
    }
    if is_uuid(id) {
        return Some(format!("mbid://{}", id.to_ascii_lowercase()));
    }
    isrc(id)
}

fn named(scheme: &str, id: &str) -> Option<String> {
    let scheme = scheme.to_ascii_lowercase();
    let scheme = scheme.trim_start_matches("com.plexapp.agents.");
    // Further parameters of an agent, such as the language.
    let id = id.split(['?', '#']).next().unwrap_or_default();
    let id = id.trim_matches(|letter: char| letter == '/' || letter.is_whitespace());
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'_');
    if scheme.is_empty() || id.is_empty() || !scheme.bytes().all(is_scheme) {
        return None;
    }
    match scheme {
        "local" | "localmedia" | "none" | "collection" | "file" | "library" => None,
        // An agent that uses other registries and names them.
        "hama" => {
            let (registry, id) = id.split_once('-')?;
            // Some are numbered by source: tvdb2-…, tvdb4-….
            named(registry.trim_end_matches(|digit: char| digit.is_ascii_digit()), id)
        }
        "xbmcnfo" | "xbmcnfotv" => canonical(id),
        _ => match registry(scheme) {
            Some(registry) => in_registry(registry, id),
            // Unknown registry: case may matter.
            None => Some(format!("{scheme}://{id}")),
        },
    }
}

/// The canonical name of a registry.
fn registry(name: &str) -> Option<&'static str> {
    Some(match name {
        "imdb" | "imdbid" => "imdb",
        "tmdb" | "tmdbid" | "themoviedb" | "moviedb" => "tmdb",
        "tvdb" | "tvdbid" | "thetvdb" => "tvdb",
        "mbid" | "musicbrainz" | "musicbrainztrack" | "musicbrainzrecording" | "mb" => "mbid",
        // The id of an item's parent is not the item's.
        "musicbrainzalbum" | "musicbrainzrelease" => "mbid-release",
        "musicbrainzreleasegroup" => "mbid-release-group",
        "musicbrainzartist" | "musicbrainzalbumartist" => "mbid-artist",
        "isrc" => "isrc",
        "spotify" => "spotify",
        "plex" => "plex",
        "anidb" => "anidb",
        _ => return None,
    })
}

fn in_registry(registry: &str, id: &str) -> Option<String> {
    match registry {
        "imdb" => imdb(id),
        "tmdb" | "tvdb" | "anidb" => numbered(registry, id),
        "isrc" => isrc(id),
        "spotify" => spotify(id),
        "plex" => Some(format!("plex://{}", id.to_ascii_lowercase())),
        // Recordings, tracks and releases have ids of one form; the kind, if any, comes before the id.
        _ => {
            let (kind, id) = id.rsplit_once('/').unwrap_or(("", id));
            if !is_uuid(id) {
                return None;
            }
            let id = id.to_ascii_lowercase();
            Some(match kind {
                "" | "recording" | "track" => format!("{registry}://{id}"),
                other => format!("mbid-{}://{id}", kind_of(other)?),
            })
        }
    }
}

/// `tt0111161`, with season and episode if present. Padded to seven digits.
fn imdb(id: &str) -> Option<String> {
    let mut parts = id.split('/');
    let title = parts.next()?;
    let digits = title.get(2..).filter(|_| title.get(..2).is_some_and(|tt| tt.eq_ignore_ascii_case("tt")))?;
    let digits = number(digits)?;
    let rest = place(parts)?;
    Some(format!("imdb://tt{digits:0>7}{rest}"))
}

/// `603`, or `121361/1/2` for an episode by number; the rest of a web address after the number is dropped.
fn numbered(registry: &str, id: &str) -> Option<String> {
    let mut parts = id.split('/');
    let first = parts.next()?;
    let first = if matches!(first, "movie" | "tv" | "series" | "show" | "episode") { parts.next()? } else { first };
    let digits = number(first)?;
    Some(format!("{registry}://{digits}{}", place(parts)?))
}

/// Season and episode, as `/1/2`.
fn place<'a>(parts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut place = String::new();
    for (depth, part) in parts.filter(|part| !part.is_empty()).enumerate() {
        if depth == 2 {
            return None;
        }
        place.push('/');
        place.push_str(number(part)?);
    }
    Some(place)
}

/// A number without leading zeros.
fn number(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    let bare = text.trim_start_matches('0');
    is_number.then_some(if bare.is_empty() { "0" } else { bare })
}

/// `USUM71703861`, with or without dashes.
fn isrc(id: &str) -> Option<String> {
    let plain: String = id.chars().filter(|letter| !matches!(letter, '-' | ' ')).collect();
    let bytes = plain.as_bytes();
    let fits = bytes.len() == 12
        && bytes[..2].iter().all(u8::is_ascii_alphabetic)
        && bytes[2..5].iter().all(u8::is_ascii_alphanumeric)
        && bytes[5..].iter().all(u8::is_ascii_digit);
    fits.then(|| format!("isrc://{}", plain.to_ascii_lowercase()))
}

/// `6rqhFgbbKwnb9MLmUQDhG6`, alone or after `track:` or `track/`. Case-sensitive.
fn spotify(id: &str) -> Option<String> {
    let id = id.split('?').next().unwrap_or_default();
    let (kind, id) = id.rsplit_once([':', '/']).unwrap_or(("track", id));
    let fits = id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match kind_of(kind).filter(|_| fits)?.as_str() {
        "track" => Some(format!("spotify://{id}")),
        other => Some(format!("spotify-{other}://{id}")),
    }
}

/// The kind of item given before the id.
fn kind_of(word: &str) -> Option<String> {
    let fits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    fits.then(|| word.to_ascii_lowercase())
}

fn is_uuid(id: &str) -> bool {
    let groups = id.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, spellings: &[&str]) {
        for spelling in spellings {
            assert_eq!(canonical(spelling).as_deref(), Some(one), "{spelling}");
        }
        assert_eq!(canonical(one).as_deref(), Some(one), "the one spelling is its own");
    }

    #[test]
    fn every_spelling_of_a_film_is_one() {
        check(
            "imdb://tt0111161",
            &[
                "imdb://tt0111161",
                "com.plexapp.agents.imdb://tt0111161?lang=en",
                "tt0111161",
                "TT0111161",
                "tt111161",
                " imdb:tt0111161 ",
                "{imdb-tt0111161}",
                "[imdbid-tt0111161]",
                "https://www.imdb.com/title/tt0111161/?ref_=nv_sr_1",
                "com.plexapp.agents.xbmcnfo://tt0111161?lang=de",
                "Imdb://tt0111161",
            ],
        );
        check(
            "tmdb://603",
            &[
                "tmdb://603",
                "themoviedb://603",
                "com.plexapp.agents.themoviedb://603?lang=en",
                "tmdb:603",
                "[tmdbid=603]",
                "https://www.themoviedb.org/movie/603-the-matrix",
            ],
        );
        check("plex://movie/5d77682ff59e580020b2e2d5", &["plex://movie/5D77682FF59E580020B2E2D5"]);
    }

    #[test]
    fn show_season_and_episode_are_part_of_an_episode_id() {
        check("tvdb://121361", &["com.plexapp.agents.thetvdb://121361?lang=en", "thetvdb://121361", "{tvdb-121361}"]);
        check("tvdb://121361/1", &["com.plexapp.agents.thetvdb://121361/1?lang=en"]);
        check("tvdb://121361/1/2", &["com.plexapp.agents.thetvdb://121361/01/02?lang=en", "tvdb://121361/1/2/"]);
        check("tmdb://1399/1/2", &["com.plexapp.agents.themoviedb://1399/1/2?lang=en"]);
        check("anidb://4563/1/1", &["com.plexapp.agents.hama://anidb-4563/1/1?lang=en"]);
        check("tvdb://79604/1/1", &["com.plexapp.agents.hama://tvdb4-79604/1/1?lang=en"]);
    }

    #[test]
    fn every_spelling_of_a_track_is_one() {
        check(
            "mbid://a4a7f9b0-6f0e-4a54-9c5e-0d2f6f1a9c11",
            &[
                "mbid://A4A7F9B0-6F0E-4A54-9C5E-0D2F6F1A9C11",
                "musicbrainz://recording/a4a7f9b0-6f0e-4a54-9c5e-0d2f6f1a9c11",
                "MusicBrainzTrack://a4a7f9b0-6f0e-4a54-9c5e-0d2f6f1a9c11",
                "a4a7f9b0-6f0e-4a54-9c5e-0d2f6f1a9c11",
                "https://musicbrainz.org/recording/a4a7f9b0-6f0e-4a54-9c5e-0d2f6f1a9c11",
                "http://beta.musicbrainz.org/track/a4a7f9b0-6f0e-4a54-9c5e-0d2f6f1a9c11/",
            ],
        );
        check(
            "isrc://usum71703861",
            &["isrc://USUM71703861", "isrc:US-UM7-17-03861", "USUM71703861", "us-um7-17-03861", "ISRC US-UM7-17-03861"],
        );
        check(
            "spotify://6rqhFgbbKwnb9MLmUQDhG6",
            &[
                "spotify:track:6rqhFgbbKwnb9MLmUQDhG6",
                "spotify://track/6rqhFgbbKwnb9MLmUQDhG6",
                "https://open.spotify.com/track/6rqhFgbbKwnb9MLmUQDhG6?si=abc",
                "https://open.spotify.com/intl-de/track/6rqhFgbbKwnb9MLmUQDhG6",
            ],
        );
    }

    #[test]
    fn ids_of_other_items_are_different_ids() {
        let album = canonical("https://musicbrainz.org/release/a4a7f9b0-6f0e-4a54-9c5e-0d2f6f1a9c11");
        assert_eq!(album.as_deref(), Some("mbid-release://a4a7f9b0-6f0e-4a54-9c5e-0d2f6f1a9c11"));
        assert_eq!(album, canonical("MusicBrainzAlbum://a4a7f9b0-6f0e-4a54-9c5e-0d2f6f1a9c11"));
        assert!(!is_same("spotify:album:6rqhFgbbKwnb9MLmUQDhG6", "spotify:track:6rqhFgbbKwnb9MLmUQDhG6"));
        assert!(!is_same("spotify:track:6rqhFgbbKwnb9MLmUQDhG6", "spotify:track:6RQHFgbbKwnb9MLmUQDhG6"));
        assert!(!is_same("tmdb://603", "tvdb://603"));
    }

    #[test]
    fn ids_known_to_one_server_only_are_no_external_ids() {
        for local in [
            "local://158",
            "com.plexapp.agents.none://a1b2?lang=xn",
            "com.plexapp.agents.localmedia://x",
            "collection://1",
            "file:///x",
            "",
            "://",
            "imdb://",
            "imdb://nm0000151",
            "tmdb://matrix",
            "603",
            "Radiohead - Creep",
            "https://example.org/title/tt0111161",
            "tvdb://1/2/3/4",
        ] {
            assert_eq!(canonical(local), None, "{local}");
            assert!(!is_same(local, local), "{local}");
        }
    }

    #[test]
    fn an_agents_name_written_twice_is_taken_off_as_a_whole() {
        check("tvdb://121361/1/2", &["com.plexapp.agents.com.plexapp.agents.thetvdb://121361/1/2?lang=en"]);
    }

    #[test]
    fn spaces_and_slashes_around_an_id_are_trimmed_in_any_order() {
        check("x://a/b", &["x:// / /a/b / ", "x:///a/b/"]);
    }

    #[test]
    fn an_unknown_registry_keeps_its_spelling() {
        check("youtube://dQw4w9WgXcQ", &["youtube://dQw4w9WgXcQ", "YouTube://dQw4w9WgXcQ?x=1"]);
    }

    proptest::proptest! {
        #[test]
        fn a_canonical_path_stays_unchanged(guid in "\\PC{0,60}") {
            if let Some(one) = canonical(&guid) {
                proptest::prop_assert_eq!(canonical(&one), Some(one.clone()), "{} became {}", guid, one);
            }
        }

        #[test]
        fn a_canonical_path_that_looks_like_an_id_stays_unchanged(
            scheme in "(imdb|tmdb|tvdb|com\\.plexapp\\.agents\\.(hama|thetvdb|xbmcnfo)|mbid|spotify|isrc|plex|x)",
            mark in "(://|:|=|-)",
            id in "[a-zA-Z0-9/:?=. -]{0,40}",
        ) {
            let guid = format!("{scheme}{mark}{id}");
            if let Some(one) = canonical(&guid) {
                proptest::prop_assert_eq!(canonical(&one), Some(one.clone()), "{} became {}", guid, one);
            }
        }
    }
}
