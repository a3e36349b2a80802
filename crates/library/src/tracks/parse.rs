//! A title, taken apart: what the song is called, and everything else that titles say.

use xxhash_rust::xxh3::xxh3_64;

use super::Track;
use super::credit;
use super::fold::{Word, fold, is_number, is_year, letters, roman};
use super::pieces::{Piece, Place, join_broken_words, pieces};
use super::qualifier::{self, Behind, Qualifier};
use super::repair::repair;
use super::version::{Cut, Version, Versions};
use super::wording::{self, Sense};

/// Nothing that is longer is a title.
const MOST_BYTES: usize = 600;

/// Fields of old tags hold 30 characters; a blank at the end is lost.
const FULL_FIELD: std::ops::RangeInclusive<usize> = 29..=30;

/// A title, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Title {
    /// What the song is called.
    pub(super) core: Vec<String>,
    /// What it is also called.
    pub(super) subtitle: Vec<String>,
    pub(super) versions: Versions,
    pub(super) cut: Cut,
    /// Whose remix, or which version.
    pub(super) by: Vec<String>,
    /// Where and when it was played.
    pub(super) event: Vec<String>,
    pub(super) parts: Vec<String>,
    /// Who takes part, as it is written.
    pub(super) guests: Vec<String>,
    /// Whether it is as long as a field that cuts titles off.
    pub(super) is_full: bool,
    /// Hash of the core's letters.
    pub(super) core_key: u64,
    /// Hash of all letters.
    pub(super) full_key: u64,
    /// Hash of the text as it is.
    pub(super) text_key: u64,
}

/// Takes a track's title apart, without its artist before it.
pub(super) fn title_of(track: &Track<'_>) -> Title {
    let title = title(credit::without_artist(track));
    Title { text_key: xxh3_64(track.title.as_bytes()), is_full: is_full(track.title), ..title }
}

fn is_full(text: &str) -> bool {
    FULL_FIELD.contains(&text.chars().count())
}

/// Takes a title apart.
pub(super) fn title(text: &str) -> Title {
    let text_key = xxh3_64(text.as_bytes());
    let is_full = is_full(text);
    let repaired = repair(within(text));
    let text = repaired.as_ref();
    let whole = fold(text);
    let mut title = Title {
        text_key,
        is_full,
        full_key: key(whole.iter().map(|word| word.text.as_str())),
        ..Title::default()
    };
    let (shown, joined) = join_broken_words(text);
    let text = if joined { shown.as_str() } else { text };
    let mut leading = Vec::new();
    let mut after_version = false;
    for piece in pieces(text) {
        match piece.place {
            Place::Open if title.core.is_empty() => open(&piece, &mut title),
            Place::Open if after_version && is_tempo(piece.text) => {}
            Place::Bracket if title.core.is_empty() => leading.push(piece),
            Place::Bracket | Place::Tail | Place::Beside | Place::Open => {
                after_version = qualify(&piece, &mut title);
            }
        }
    }
    for piece in leading {
        qualify(&piece, &mut title);
    }
    if title.core.is_empty() {
        // Brackets alone, or nothing but words that say which version: then that is what it is called.
        let Title { text_key, full_key, is_full, guests, .. } = title;
        title = Title { guests, is_full, full_key, text_key, ..Title::default() };
        title.core = whole.into_iter().map(|word| word.text).collect();
    }
    title.core_key = key(title.core.iter().map(String::as_str));
    title
}

/// The hash of the letters of words, so that it does not matter where one ends. None of no words.
pub(super) fn key<'a>(words: impl Iterator<Item = &'a str>) -> u64 {
    let mut letters = String::with_capacity(64);
    words.for_each(|word| letters.push_str(word));
    if letters.is_empty() { 0 } else { xxh3_64(letters.as_bytes()).max(1) }
}

/// The beginning of a text that is too long.
pub(super) fn within(text: &str) -> &str {
    if text.len() <= MOST_BYTES {
        return text;
    }
    let end = (0..=MOST_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    &text[..end]
}

/// The words of a piece without guests and producers; what is said of the version behind them goes to the title.
fn without_people(piece: &Piece<'_>, title: &mut Title) -> Vec<Word> {
    let mut words = letters(piece.text);
    let is_bracket = piece.place == Place::Bracket;
    if let Some(at) =
        words.iter().enumerate().position(|(at, word)| is_producer(&words, at, &word.text, is_bracket))
    {
        if let Some((_, read)) = behind_people(&words[at + 1..], 1) {
            add(read, title);
        }
        words.truncate(at);
    }
    let is_apart = piece.place != Place::Open || !title.core.is_empty();
    let names_follow = |at: usize, word: &Word| match word.text.as_str() {
        "feat" => is_apart || at > 0,
        "with" if at > 0 => is_bracket && words[at - 1].text == "duet",
        "with" | "f" | "avec" | "con" | "com" | "mit" | "met" | "med" => is_bracket && at == 0,
        // Short for those who take part, unless a number follows.
        "part" => {
            let rest: Vec<&str> = words[at..].iter().take(2).map(|word| word.text.as_str()).collect();
            is_bracket && at == 0 && rest.len() == 2 && qualifier::part(&rest).is_none()
        }
        _ => false,
    };
    let found = words.iter().enumerate().find(|(at, word)| names_follow(*at, word)).map(|(at, _)| at);
    let Some(at) = found else { return words };
    let is_with = words[at].text != "feat" && words[at].text != "part";
    let named = match behind_people(&words[at + 1..], usize::from(!is_with)) {
        Some((named, read)) => {
            add(read, title);
            named
        }
        None => usize::MAX,
    };
    title.guests.extend(names_of(piece.text, &words[at + 1..], named));
    let is_duet = at > 0 && words[at - 1].text == "duet";
    words.truncate(if is_duet { 0 } else { at });
    words
}

/// Names as they are written: what the words cover, of which only so many are the names'.
fn names_of(text: &str, words: &[Word], named: usize) -> Option<String> {
    let first = words.first().filter(|_| named > 0)?;
    let end = words.get(named).map_or_else(
        || {
            let last = words.last().map_or(text.len(), |last| last.start);
            text[last..].find([')', ']', '}', '"']).map_or(text.len(), |close| last + close)
        },
        |version| version.start,
    );
    let written = &text[first.start..end.max(first.start)];
    Some(written.trim_start_matches(['.', ' ']).trim_end_matches([' ', '-', ',', '(', '[']).to_owned())
}

/// What stands behind a name and says which version: "feat. Somebody Instrumental". At least so many words are the
/// name's. Returns how many they are, and what is said.
fn behind_people(words: &[Word], least: usize) -> Option<(usize, Qualifier)> {
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    if least == 0
        && let Some(read) = qualifier::ensemble(&words)
    {
        return Some((0, read));
    }
    (least..words.len()).find_map(|at| {
        let from = qualifier::version_behind_name(&words[at..])?;
        let read = qualifier::read(if from == Behind::Name { &words } else { &words[at..] });
        (read.says_something).then_some((at, read))
    })
}

fn is_producer(words: &[Word], at: usize, word: &str, is_bracket: bool) -> bool {
    let by = words.get(at + 1).is_some_and(|next| next.text == "by");
    match word {
        "prod" => is_bracket || at > 0,
        "produced" | "produktion" | "producido" | "produzido" => {
            by || words.get(at + 1).is_some_and(|next| next.text == "por")
        }
        _ => false,
    }
}

/// The piece that the title begins with.
fn open(piece: &Piece<'_>, title: &mut Title) {
    let found = without_people(piece, title);
    let found = if found.is_empty() && title.guests.is_empty() { fold(piece.text) } else { found };
    let mut words: Vec<String> = found.into_iter().map(|word| word.text).collect();
    take_tail(&mut words, title);
    take_parts(&mut words, title);
    if let Some(last) = words.last_mut()
        && last.len() > 1
        && let Some(number) = roman(last)
    {
        *last = number.to_string();
    }
    title.core = words;
}

/// What comes after a dash, in a bracket, or behind one. Returns whether it says which version.
fn qualify(piece: &Piece<'_>, title: &mut Title) -> bool {
    let words = without_people(piece, title);
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    if words.is_empty() {
        return false;
    }
    let mut read = qualifier::read(&words);
    let says_something = read.says_something;
    numerals(piece.text, &mut read.subtitle);
    if piece.place == Place::Beside {
        // The other half of a medley is more than a subtitle.
        title.core.append(&mut read.subtitle);
    }
    add(read, title);
    says_something
}

/// Writes the Roman numerals of a subtitle as numbers: those of several letters, and a single one that stands alone or
/// before a point.
fn numerals(text: &str, subtitle: &mut [String]) {
    let is_alone = subtitle.len() == 1;
    for (at, word) in subtitle.iter_mut().enumerate() {
        let is_counted =
            is_alone || at == 0 && text.get(word.len()..).is_some_and(|rest| rest.starts_with(['.', ':']));
        if (word.len() > 1 || is_counted)
            && let Some(number) = roman(word)
        {
            *word = number.to_string();
        }
    }
}

fn add(read: Qualifier, title: &mut Title) {
    title.versions = title.versions.with(read.versions);
    if read.cut != Cut::Usual {
        title.cut = read.cut;
    }
    title.by.extend(read.by);
    title.event.extend(read.event);
    title.parts.extend(read.parts);
    title.subtitle.extend(read.subtitle);
}

/// Whether a text is a number of beats per minute, which some shops write behind the version.
fn is_tempo(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|number| (60..=200).contains(&number))
}

/// Takes off what says which version without brackets or a dash: "Original Mix", "Remastered 2011". Only what nobody
/// calls a song.
fn take_tail(words: &mut Vec<String>, title: &mut Title) {
    if words.len() > 1 && words.last().is_some_and(|word| word == "remix") && words[0] != "the" {
        words.pop();
        title.versions.add(Version::Remix);
        return;
    }
    let longest = words.len().saturating_sub(1).min(4);
    for length in (2..=longest).rev() {
        let from = words.len() - length;
        let tail: Vec<&str> = words[from..].iter().map(String::as_str).collect();
        if is_bare_tail(&tail) {
            let read = qualifier::read(&tail);
            add(read, title);
            words.truncate(from);
            return;
        }
    }
}

fn is_bare_tail(tail: &[&str]) -> bool {
    let (tail, has_year) = match tail {
        [before @ .., last] if is_year(last) => (before, true),
        _ => (tail, false),
    };
    let tail = match tail {
        [first, after @ ..] if is_year(first) => after,
        _ => tail,
    };
    match wording::sense(tail) {
        Some((Sense::Same, length)) if length == tail.len() => {
            length > 1 || has_year && tail[0].starts_with("remaster")
        }
        Some((Sense::Short | Sense::Long, length)) => length == tail.len() && length > 1,
        Some((Sense::Is(version), length)) => {
            length == tail.len()
                && length > 1
                && matches!(
                    version,
                    Version::Acoustic | Version::Instrumental | Version::Karaoke | Version::Arranged
                )
                && wording::sense(&tail[length - 1..]).is_some_and(|(sense, _)| sense == Sense::Version)
        }
        _ => false,
    }
}

/// Takes part-words and their numbers out of the words, unless nothing else would be left.
fn take_parts(words: &mut Vec<String>, title: &mut Title) {
    let mut at = 1;
    while at + 1 < words.len() {
        let rest: Vec<&str> = words[at..].iter().take(3).map(String::as_str).collect();
        match qualifier::part(&rest) {
            Some((part, length)) => {
                title.parts.push(part);
                words.drain(at..at + length);
            }
            None => at += 1,
        }
    }
}

/// Whether words are a phrase that says which version, and so no artist's name.
pub(super) fn is_version_phrase(text: &str) -> bool {
    let words = letters(text);
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let read = qualifier::read(&words);
    !words.is_empty() && read.says_something && !words.iter().all(|word| is_number(word))
}

#[cfg(test)]
mod tests {
    use super::super::version::{Cut, Version};
    use super::{Title, title};

    fn core(text: &str) -> String {
        title(text).core.join(" ")
    }

    fn is_plain(title: &Title) -> bool {
        title.versions.is_plain() && title.cut == Cut::Usual && title.parts.is_empty()
    }

    #[test]
    fn what_does_not_tell_recordings_apart_is_taken_off() {
        for text in [
            "Iron Man",
            "Iron Man - 2012 - Remaster",
            "Iron Man (Remastered Album Version)",
            "Iron Man [Explicit]",
            "Iron Man (feat. Somebody)",
            "Iron Man {Ft. Somebody} {Single}",
            "Iron Man ft. Somebody (prod. Someone & Other)",
            "Iron Man (Original Mix) 132",
            "Iron Man Original Mix",
            "Iron Man Remastered 2011",
            "Iron Man (From \"The Film\")",
            "Iron Man - Versión Original",
            "Iron Man (Official Music Video)",
            "Iron Man | Official Video",
            "Iron Man (with Somebody)",
        ] {
            let title = title(text);
            assert_eq!(title.core.join(" "), "iron man", "{text}");
            assert!(is_plain(&title) && title.subtitle.is_empty(), "{text}: {title:?}");
        }
    }

    #[test]
    fn versions_are_told_in_many_languages() {
        for (text, version) in [
            ("Song (Live at Wembley)", Version::Live),
            ("Song - En Vivo", Version::Live),
            ("Song (ao vivo)", Version::Live),
            ("Song {triple j live recording, Dalby 2012}", Version::Live),
            ("Song (Akustik Version)", Version::Acoustic),
            ("Song - Versión Acústica", Version::Acoustic),
            ("Song (Kumarion Remix)", Version::Remix),
            ("Song (Seamus Haji Extended 80's Remix)", Version::Remix),
            ("Song - Joey Negro Edit", Version::Remix),
            ("Song (Karaoke Version)", Version::Karaoke),
            ("Song (Instrumentalversion)", Version::Instrumental),
            ("Song (Sped Up)", Version::Speed),
            ("Song (Taylor's Version)", Version::Rerecorded),
            ("Song (Demo)", Version::Demo),
            ("Song - Mixed", Version::Mixed),
            ("Song (Interlude)", Version::Interlude),
            ("Song - Spanish Version", Version::Translated),
            ("Song (Blue Version)", Version::Named),
        ] {
            let title = title(text);
            assert_eq!(title.core.join(" "), "song", "{text}");
            assert!(title.versions.has(version), "{text}: {title:?}");
        }
    }

    #[test]
    fn the_title_s_own_words_are_no_version() {
        for text in [
            "Live and Let Die",
            "Song (Where I Live)",
            "Single Ladies (Put a Ring on It)",
            "Song (Live Your Life)",
        ] {
            assert!(title(text).versions.is_plain(), "{text}");
        }
        assert_eq!(title("Satisfaction (I Can't Get No)").subtitle.join(" "), "i cant get no");
        assert_eq!(title("(I Can't Get No) Satisfaction").core.join(" "), "satisfaction");
        assert_eq!(core("(Interlude)"), "interlude");
        assert_eq!(core("†"), "†");
        assert_eq!(core("(G)I-DLE"), "gi dle");
    }

    #[test]
    fn parts_and_cuts_are_kept_apart() {
        assert_eq!(title("Song, Pt. II").parts, ["2"]);
        assert_eq!(title("Song (Part 3)").parts, ["3"]);
        assert_eq!(title("Mambo No. 5 (A Little Bit of...)").parts, ["5"]);
        assert_eq!(core("Song II"), "song 2");
        assert_eq!(core("Malcolm X"), "malcolm x");
        assert_eq!(title("Song (Radio Edit)").cut, Cut::Short);
        assert_eq!(title("Song - Extended Mix").cut, Cut::Long);
        assert_eq!(title("White Wedding - Pt. 1 / Remastered 2002").parts, ["1"]);
    }

    #[test]
    fn guests_are_found_wherever_they_stand() {
        for text in [
            "Song (feat. A & B)",
            "Song ft. A & B",
            "Song [Featuring A & B] - Radio Edit",
            "Song (with A & B)",
        ] {
            assert_eq!(title(text).guests, ["A & B"], "{text}");
        }
        assert_eq!(title("Song (Some Remix feat. Guest)").guests, ["Guest"]);
        assert!(title("Song (prod. Someone)").guests.is_empty());
    }

    #[test]
    fn no_key_is_made_of_nothing() {
        assert_eq!(title("").core_key, 0);
        assert_ne!(title("†").core_key, title("‡").core_key);
        assert_ne!(title("命の灯火").core_key, title("別の歌").core_key);
    }
}
