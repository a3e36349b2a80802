//! External ids written as web addresses, as copied from a browser.

use super::{in_registry, named};

/// The id in an address, if its registry is known.
pub(super) fn read(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/')?;
    let host = host.to_ascii_lowercase();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_of = |site: &str| host == site || host.strip_suffix(site).is_some_and(|front| front.ends_with('.'));
    if is_of("imdb.com") {
        let title = behind(&parts, "title")?;
        return in_registry("imdb", title);
    }
    if is_of("themoviedb.org") {
        return numbered("tmdb", &parts, &["movie", "tv"], &["season", "episode"]);
    }
    if is_of("thetvdb.com") {
        return numbered("tvdb", &parts, &["series", "episodes", "movies"], &[]);
    }
    if is_of("musicbrainz.org") {
        let [kind, id, ..] = parts.as_slice() else { return None };
        return named("mbid", &format!("{kind}/{id}"));
    }
    if is_of("open.spotify.com") {
        let [.., kind, id] = parts.as_slice() else { return None };
        return named("spotify", &format!("{kind}/{id}"));
    }
    None
}

fn behind<'a>(parts: &[&'a str], word: &str) -> Option<&'a str> {
    let at = parts.iter().position(|part| *part == word)?;
    parts.get(at + 1).copied()
}

/// The number after one of `words`, with numbered parts below it: `/tv/1399/season/1/episode/2`.
fn numbered(registry: &str, parts: &[&str], words: &[&str], below: &[&str]) -> Option<String> {
    let leading = |part: &str| part.split('-').next().unwrap_or_default().to_owned();
    let mut id = words.iter().find_map(|word| behind(parts, word)).map(leading)?;
    for word in below {
        let Some(number) = behind(parts, word) else { break };
        id.push('/');
        id.push_str(number);
    }
    in_registry(registry, &id)
}
