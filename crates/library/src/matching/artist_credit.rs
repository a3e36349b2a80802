//! Splits credits into all names by which an artist may be looked up.

use super::Track;
use super::mojibake::repair;
use super::normalize::{NormalizedWord, letters, normalize};
use super::parse::{is_version_phrase, key, within};

/// Max names; a longer credit does not identify an artist.
const MAX_NAMES: usize = 24;
/// Max number of artists that are removed from the front of a title.
const MAX_REPETITIONS: usize = 2;

/// Role of a name in a credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum CreditRole {
    /// Named first, or the whole credit.
    Primary,
    /// Named beside others.
    Credited,
    /// The artist of the album.
    Album,
    /// Part of what may be one name: Simon of "Simon & Garfunkel".
    Piece,
}

/// A name in a credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CreditName {
    pub(super) words: Vec<String>,
    pub(super) key: u64,
    pub(super) role: CreditRole,
}

/// The names of a recording, each once with its best role.
pub(super) fn names(artist: &str, artists: &[&str], album_artist: &str) -> Vec<CreditName> {
    let mut names = Vec::with_capacity(4);
    if artists.len() > 1 {
        for (at, artist) in artists.iter().enumerate() {
            let role = if at == 0 { CreditRole::Primary } else { CreditRole::Credited };
            let repaired = repair(within(artist));
            whole(&repaired, role, &mut names);
            pieces(&repaired, CreditRole::Piece, &mut names);
        }
    }
    let credit = if artist.trim().is_empty() { artists.first().copied().unwrap_or_default() } else { artist };
    let credit = repair(within(credit));
    let credit = article_first(&credit);
    whole(&credit, CreditRole::Primary, &mut names);
    split(&credit, CreditRole::Primary, &mut names);
    whole(&repair(within(album_artist)), CreditRole::Album, &mut names);
    names
}

/// The guests named in a title.
pub(super) fn guests(text: &str) -> Vec<CreditName> {
    let mut names = Vec::new();
    whole(text, CreditRole::Credited, &mut names);
    split(text, CreditRole::Credited, &mut names);
    names
}

/// A title without the artist before it: "Black Sabbath - Iron Man" by Black Sabbath. "Black Sabbath - Live"
/// keeps it.
pub(super) fn without_artist<'a>(track: &Track<'a>) -> &'a str {
    let mut title = track.title;
    for _ in 0..MAX_REPETITIONS {
        match without_one_artist(track, title) {
            Some(rest) => title = rest,
            None => break,
        }
    }
    title
}

fn without_one_artist<'a>(track: &Track<'a>, title: &'a str) -> Option<&'a str> {
    let (artist, rest) = at_separator(within(title))?;
    let mut prefix = Vec::new();
    whole(&repair(artist), CreditRole::Primary, &mut prefix);
    let key = prefix.first()?.key;
    if letters(rest).is_empty() || is_version_phrase(rest) {
        return None;
    }
    let names = names(track.artist, track.artists, track.album_artist);
    names.iter().any(|name| name.role != CreditRole::Piece && name.key == key).then_some(rest)
}

/// Both sides of the first spaced dash, bar or tilde, or colon before a space.
fn at_separator(title: &str) -> Option<(&str, &str)> {
    let is_separator = |(at, c): &(usize, char)| {
        let is_before_space = || title[at + c.len_utf8()..].starts_with(' ');
        match c {
            ':' => is_before_space(),
            '-' | '–' | '—' | '|' | '~' => title[..*at].ends_with(' ') && is_before_space(),
            _ => false,
        }
    };
    let (at, c) = title.char_indices().find(is_separator)?;
    Some((title[..at].trim_end_matches(' '), &title[at + c.len_utf8() + 1..]))
}

/// "Beatles, The" becomes "The Beatles".
fn article_first(credit: &str) -> String {
    match credit.rsplit_once(',') {
        Some((name, article)) if article.trim().eq_ignore_ascii_case("the") => format!("The {}", name.trim()),
        _ => credit.to_owned(),
    }
}

/// Splits at certain separators: commas, semicolons, "feat.", "vs.", slashes.
fn split(credit: &str, role: CreditRole, names: &mut Vec<CreditName>) {
    let words = letters(credit);
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    for word in &words {
        if matches!(word.text.as_str(), "feat" | "vs" | "presents" | "pres") {
            let end = credit[word.start..].find(char::is_whitespace).map_or(credit.len(), |end| word.start + end);
            cuts.push((word.start, end));
        }
    }
    for (at, c) in credit.char_indices() {
        if matches!(c, ',' | ';' | '/' | '|' | '•' | '·') {
            cuts.push((at, at + c.len_utf8()));
        }
    }
    cuts.sort_unstable();
    let mut start = 0;
    let mut found = 0;
    for (at, end) in cuts.into_iter().chain([(credit.len(), credit.len())]) {
        if at < start {
            continue;
        }
        let name = credit[start..at].trim_matches([' ', '(', ')', '[', ']', '{', '}']);
        if !name.is_empty() {
            let role = if found == 0 { role } else { role.max(CreditRole::Credited) };
            found += 1;
            whole(name, role, names);
            pieces(name, CreditRole::Piece, names);
        }
        start = end;
    }
}

/// Splits at possible separators: "and", "x", "with", a plus, or brackets.
fn pieces(name: &str, role: CreditRole, names: &mut Vec<CreditName>) {
    let words = letters(name);
    let is_surely_joint = |word: &str| matches!(word, "and" | "x" | "with");
    // These are letters of names as well.
    let is_joint = |word: &str| is_surely_joint(word) || matches!(word, "y" | "e" | "et" | "und" | "och" | "og");
    between(&words, is_surely_joint, role, names);
    between(&words, is_joint, role, names);
    if let (Some(open), Some(close)) = (name.find(['(', '[']), name.rfind([')', ']']))
        && open < close
    {
        let outside = format!("{} {}", &name[..open], &name[close + 1..]);
        add(letters(&outside).into_iter().map(|word| word.text).collect(), role, names);
        add(letters(&name[open..close]).into_iter().map(|word| word.text).collect(), role, names);
    }
}

/// The names between separator words; none if there is no such word.
fn between(words: &[NormalizedWord], is_joint: impl Fn(&str) -> bool, role: CreditRole, names: &mut Vec<CreditName>) {
    let mut start = 0;
    let mut is_joined = false;
    for at in 0..=words.len() {
        let is_end = at == words.len();
        if is_end || (is_joint(&words[at].text) && at > start) {
            if !is_end || is_joined {
                let piece: Vec<String> = words[start..at].iter().map(|word| word.text.clone()).collect();
                add(piece, role, names);
            }
            is_joined = true;
            start = at + 1;
        }
    }
}

fn whole(name: &str, role: CreditRole, names: &mut Vec<CreditName>) {
    add(normalize(name).into_iter().map(|word| word.text).collect(), role, names);
}

fn add(mut words: Vec<String>, role: CreditRole, names: &mut Vec<CreditName>) {
    if words.len() > 1 && words[0] == "the" {
        words.remove(0);
    }
    let key = key(words.iter().map(String::as_str));
    if key == 0 || is_nobody(&words) || names.len() >= MAX_NAMES {
        return;
    }
    match names.iter_mut().find(|name| name.key == key) {
        Some(name) => name.role = name.role.min(role),
        None => names.push(CreditName { words, key, role }),
    }
}

/// Whether the words are a placeholder for an unknown artist or for various artists.
pub(super) fn is_nobody(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["various" | "va" | "unknown" | "diverse"]
            | ["various", "artists" | "artist" | "interprets"]
            | ["unknown", "artist" | "artists"]
            | ["artistes", "varies"]
            | ["varios", "artistas" | "interpretes"]
            | ["verschiedene", "interpreten"]
            | ["diverse", "interpreten" | "artiesten"]
            | ["artisti", "vari"]
            | ["artistas", "varios"]
            | ["blandade", "artister"]
    )
}

#[cfg(test)]
mod tests {
    use super::{CreditRole, names};

    fn found(artist: &str, artists: &[&str]) -> Vec<(String, CreditRole)> {
        names(artist, artists, "").into_iter().map(|name| (name.words.join(" "), name.role)).collect()
    }

    #[test]
    fn every_name_of_a_credit_is_found() {
        let both = found("Simon & Garfunkel", &[]);
        assert!(both.contains(&("simon and garfunkel".into(), CreditRole::Primary)));
        assert!(both.contains(&("garfunkel".into(), CreditRole::Piece)));
        let guests = found("Eric Prydz feat. Empire, Other", &[]);
        assert!(guests.contains(&("eric prydz".into(), CreditRole::Primary)));
        assert!(guests.contains(&("empire".into(), CreditRole::Credited)));
        assert!(guests.contains(&("other".into(), CreditRole::Credited)));
    }

    #[test]
    fn an_article_makes_no_difference() {
        let beatles = ("beatles".to_owned(), CreditRole::Primary);
        for artist in ["The Beatles", "Beatles, The", "Beatles"] {
            assert!(found(artist, &[]).contains(&beatles), "{artist}");
        }
        assert!(found("The The", &[]).contains(&("the".into(), CreditRole::Primary)));
    }

    #[test]
    fn an_empty_credit_has_no_artist() {
        assert!(found("Various Artists", &[]).is_empty());
        assert!(found("", &[]).is_empty());
        assert!(!found("†††", &[]).is_empty());
    }
}
