//! Parses titles: separates the song's name from everything else in a title.

use xxhash_rust::xxh3::xxh3_64;

use super::Track;
use super::artist_credit;
use super::mojibake::repair;
use super::normalize::{NormalizedWord, is_number, is_year, letters, normalize, roman};
use super::qualifier::{self, Qualifier, SuffixStart};
use super::script::ScriptSet;
use super::title_segments::{SegmentPosition, TitleSegment, join_broken_words, segments};
use super::version::{CutLength, TrackVersion, TrackVersions};
use super::version_words::{self, QualifierKind};

/// Longest title in bytes.
const MAX_BYTES: usize = 600;

/// Max words of a part and its numbers.
const MAX_PART_WORDS: usize = 8;

/// Fields of old tags hold 30 characters; a trailing blank is lost.
const FULL_FIELD: std::ops::RangeInclusive<usize> = 29..=30;

/// A parsed title.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ParsedTitle {
    /// The song's name.
    pub(super) core: Vec<String>,
    /// Its alternative name.
    pub(super) subtitle: Vec<String>,
    pub(super) versions: TrackVersions,
    pub(super) cut: CutLength,
    /// Remixer, or name of the version.
    pub(super) by: Vec<String>,
    /// Place and date of a live recording.
    pub(super) event: Vec<String>,
    pub(super) parts: Vec<String>,
    /// Guests, in the original spelling.
    pub(super) guests: Vec<String>,
    /// Whether it is as long as a field that truncates titles.
    pub(super) is_full: bool,
    /// Whether it is called unplugged.
    pub(super) is_unplugged: bool,
    /// Whether a bracket with words of unknown meaning is in another script than the core.
    pub(super) has_foreign_bracket: bool,
    /// Scripts of the core.
    scripts: ScriptSet,
    /// Hash of the core's letters.
    pub(super) core_key: u64,
    /// Hash of all letters.
    pub(super) full_key: u64,
    /// Hash of the unchanged text.
    pub(super) text_key: u64,
}

/// Parses a track's title without a leading artist.
pub(super) fn parse_track_title(track: &Track<'_>) -> ParsedTitle {
    let title = parse_title(artist_credit::without_artist(track));
    ParsedTitle { text_key: xxh3_64(track.title.as_bytes()), is_full: is_full(track.title), ..title }
}

fn is_full(text: &str) -> bool {
    FULL_FIELD.contains(&text.chars().count())
}

/// Parses a title.
pub(super) fn parse_title(text: &str) -> ParsedTitle {
    let text_key = xxh3_64(text.as_bytes());
    let is_full = is_full(text);
    let repaired = repair(within(text));
    let text = repaired.as_ref();
    let whole = normalize(text);
    let mut title = ParsedTitle {
        text_key,
        is_full,
        full_key: key(whole.iter().map(|word| word.text.as_str())),
        ..ParsedTitle::default()
    };
    let (shown, joined) = join_broken_words(text);
    let text = if joined { shown.as_str() } else { text };
    let mut leading = Vec::new();
    let mut after_version = false;
    for piece in segments(text) {
        match piece.position {
            SegmentPosition::Open if title.core.is_empty() => open(&piece, &mut title),
            SegmentPosition::Open if after_version && is_tempo(piece.text) => {}
            SegmentPosition::Bracket if title.core.is_empty() => leading.push(piece),
            SegmentPosition::Bracket | SegmentPosition::Tail | SegmentPosition::Beside | SegmentPosition::Open => {
                after_version = qualify(&piece, &mut title);
            }
        }
    }
    for piece in leading {
        qualify(&piece, &mut title);
    }
    if title.core.is_empty() {
        // Only brackets, or only words that name a version: then those are the song's name.
        let ParsedTitle { text_key, full_key, is_full, guests, .. } = title;
        title = ParsedTitle { guests, is_full, full_key, text_key, ..ParsedTitle::default() };
        title.core = whole.into_iter().map(|word| word.text).collect();
    }
    title.core_key = key(title.core.iter().map(String::as_str));
    title
}

/// The hash of the words' letters, regardless of word boundaries. 0 without words.
pub(super) fn key<'a>(words: impl Iterator<Item = &'a str>) -> u64 {
    let mut letters = String::with_capacity(64);
    words.for_each(|word| letters.push_str(word));
    if letters.is_empty() { 0 } else { xxh3_64(letters.as_bytes()).max(1) }
}

/// A prefix of an overlong text.
pub(super) fn within(text: &str) -> &str {
    if text.len() <= MAX_BYTES {
        return text;
    }
    let end = (0..=MAX_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    &text[..end]
}

/// The words of a segment without guests and producers; version words after them go to the title.
fn without_people(piece: &TitleSegment<'_>, title: &mut ParsedTitle) -> Vec<NormalizedWord> {
    let mut words = letters(piece.text);
    let is_bracket = piece.position == SegmentPosition::Bracket;
    if let Some(at) = words.iter().enumerate().position(|(at, word)| is_producer(&words, at, &word.text, is_bracket)) {
        if let Some((_, read)) = behind_people(&words[at + 1..], 1) {
            add(read, title);
        }
        words.truncate(at);
    }
    let is_apart = piece.position != SegmentPosition::Open || !title.core.is_empty();
    let names_follow = |at: usize, word: &NormalizedWord| match word.text.as_str() {
        "feat" => is_apart || at > 0,
        "with" if at > 0 => is_bracket && words[at - 1].text == "duet",
        "with" | "f" | "avec" | "con" | "com" | "mit" | "met" | "med" => is_bracket && at == 0,
        // Short for "featuring" unless a number follows.
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

/// Names in their original spelling: the text of the first `named` words.
fn names_of(text: &str, words: &[NormalizedWord], named: usize) -> Option<String> {
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

/// Version words after a name: "feat. Somebody Instrumental". At least `least` words belong to the name.
/// Returns the length of the name and the version.
fn behind_people(words: &[NormalizedWord], least: usize) -> Option<(usize, Qualifier)> {
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    if least == 0
        && let Some(read) = qualifier::ensemble(&words)
    {
        return Some((0, read));
    }
    (least..words.len()).find_map(|at| {
        let from = qualifier::version_behind_name(&words[at..])?;
        let read = qualifier::read(if from == SuffixStart::Name { &words } else { &words[at..] });
        (read.says_something).then_some((at, read))
    })
}

fn is_producer(words: &[NormalizedWord], at: usize, word: &str, is_bracket: bool) -> bool {
    let by = words.get(at + 1).is_some_and(|next| next.text == "by");
    match word {
        "prod" => is_bracket || at > 0,
        "produced" | "produktion" | "producido" | "produzido" => {
            by || words.get(at + 1).is_some_and(|next| next.text == "por")
        }
        _ => false,
    }
}

/// The first segment of the title.
fn open(piece: &TitleSegment<'_>, title: &mut ParsedTitle) {
    let found = without_people(piece, title);
    let found = if found.is_empty() && title.guests.is_empty() { normalize(piece.text) } else { found };
    title.scripts = ScriptSet::of(piece.text);
    let mut words: Vec<String> = found.iter().enumerate().map(|(at, word)| movement(piece.text, at, word)).collect();
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

/// A word, or the number of a movement in Roman numerals: "Symphony: II. Andante".
fn movement(text: &str, at: usize, word: &NormalizedWord) -> String {
    let after = text.get(word.start + word.text.len()..).and_then(|rest| rest.strip_prefix('.'));
    let is_counted = at > 0 && after.is_some_and(|rest| rest.starts_with(' '));
    roman(&word.text).filter(|_| is_counted).map_or_else(|| word.text.clone(), |number| number.to_string())
}

/// A segment after a dash or in brackets, or the text after one. Returns whether it names a version.
fn qualify(piece: &TitleSegment<'_>, title: &mut ParsedTitle) -> bool {
    let words = without_people(piece, title);
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    if words.is_empty() {
        return false;
    }
    let mut read = qualifier::read(&words);
    let says_something = read.says_something;
    title.is_unplugged |= words.contains(&"unplugged");
    title.has_foreign_bracket |= piece.position == SegmentPosition::Bracket
        && !read.subtitle.is_empty()
        && title.scripts.is_apart_from(ScriptSet::of(piece.text))
        // The words for versions are known in Latin letters.
        && ScriptSet::of(piece.text).is_apart_from(ScriptSet::LATIN);
    numerals(piece.text, &mut read.subtitle);
    if piece.position == SegmentPosition::Beside {
        // The second half of a medley is more than a subtitle.
        title.core.append(&mut read.subtitle);
    }
    add(read, title);
    says_something
}

/// Replaces Roman numerals of a subtitle by numbers: those of several letters, and single ones that stand
/// alone or before a point.
fn numerals(text: &str, subtitle: &mut [String]) {
    let is_alone = subtitle.len() == 1;
    for (at, word) in subtitle.iter_mut().enumerate() {
        let is_counted = is_alone || at == 0 && text.get(word.len()..).is_some_and(|rest| rest.starts_with(['.', ':']));
        if (word.len() > 1 || is_counted)
            && let Some(number) = roman(word)
        {
            *word = number.to_string();
        }
    }
}

fn add(read: Qualifier, title: &mut ParsedTitle) {
    title.versions = title.versions.with(read.versions);
    if read.cut != CutLength::Usual {
        title.cut = read.cut;
    }
    title.by.extend(read.by);
    title.event.extend(read.event);
    title.parts.extend(read.parts);
    title.subtitle.extend(read.subtitle);
}

/// Whether a text is a number of beats per minute, which some shops add after the version.
fn is_tempo(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|number| (60..=200).contains(&number))
}

/// Moves trailing version words without brackets or a dash to the version: "Original Mix", "Remastered 2011".
/// Only words that are no song's name.
fn take_tail(words: &mut Vec<String>, title: &mut ParsedTitle) {
    if words.len() > 1 && words.last().is_some_and(|word| word == "remix") && words[0] != "the" {
        words.pop();
        title.versions.add(TrackVersion::Remix);
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
    match version_words::match_phrase(tail) {
        Some((QualifierKind::Same, length)) if length == tail.len() => {
            length > 1 || has_year && tail[0].starts_with("remaster")
        }
        Some((QualifierKind::Short | QualifierKind::Long, length)) => length == tail.len() && length > 1,
        Some((QualifierKind::Is(version), length)) => {
            length == tail.len()
                && length > 1
                && matches!(
                    version,
                    TrackVersion::Acoustic
                        | TrackVersion::Instrumental
                        | TrackVersion::Karaoke
                        | TrackVersion::Arranged
                )
                && version_words::match_phrase(&tail[length - 1..])
                    .is_some_and(|(sense, _)| sense == QualifierKind::Version)
        }
        _ => false,
    }
}

/// Moves part words and their numbers to the parts, unless nothing else would be left.
fn take_parts(words: &mut Vec<String>, title: &mut ParsedTitle) {
    let mut at = 1;
    while at + 1 < words.len() {
        let rest: Vec<&str> = words[at..].iter().take(MAX_PART_WORDS).map(String::as_str).collect();
        match qualifier::part(&rest) {
            Some((part, length)) => {
                title.parts.push(part);
                words.drain(at..at + length);
            }
            None => at += 1,
        }
    }
}

/// Whether words name a version, and so are no artist's name.
pub(super) fn is_version_phrase(text: &str) -> bool {
    let words = letters(text);
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let read = qualifier::read(&words);
    !words.is_empty() && read.says_something && !words.iter().all(|word| is_number(word))
}

#[cfg(test)]
mod tests {
    use super::super::version::{CutLength, TrackVersion};
    use super::{ParsedTitle, parse_title};

    fn core(text: &str) -> String {
        parse_title(text).core.join(" ")
    }

    fn is_plain(title: &ParsedTitle) -> bool {
        title.versions.is_plain() && title.cut == CutLength::Usual && title.parts.is_empty()
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
            let title = parse_title(text);
            assert_eq!(title.core.join(" "), "iron man", "{text}");
            assert!(is_plain(&title) && title.subtitle.is_empty(), "{text}: {title:?}");
        }
    }

    #[test]
    fn versions_are_recognised_in_many_languages() {
        for (text, version) in [
            ("Song (Live at Wembley)", TrackVersion::Live),
            ("Song - En Vivo", TrackVersion::Live),
            ("Song (ao vivo)", TrackVersion::Live),
            ("Song {triple j live recording, Dalby 2012}", TrackVersion::Live),
            ("Song (Akustik Version)", TrackVersion::Acoustic),
            ("Song - Versión Acústica", TrackVersion::Acoustic),
            ("Song (Kumarion Remix)", TrackVersion::Remix),
            ("Song (Seamus Haji Extended 80's Remix)", TrackVersion::Remix),
            ("Song - Joey Negro Edit", TrackVersion::Remix),
            ("Song (Karaoke Version)", TrackVersion::Karaoke),
            ("Song (Instrumentalversion)", TrackVersion::Instrumental),
            ("Song (Sped Up)", TrackVersion::Speed),
            ("Song (Taylor's Version)", TrackVersion::Rerecorded),
            ("Song (Demo)", TrackVersion::Demo),
            ("Song - Mixed", TrackVersion::Mixed),
            ("Song (Interlude)", TrackVersion::Interlude),
            ("Song - Spanish Version", TrackVersion::Translated),
            ("Song (Blue Version)", TrackVersion::Named),
        ] {
            let title = parse_title(text);
            assert_eq!(title.core.join(" "), "song", "{text}");
            assert!(title.versions.has(version), "{text}: {title:?}");
        }
    }

    #[test]
    fn the_title_s_own_words_are_no_version() {
        for text in
            ["Live and Let Die", "Song (Where I Live)", "Single Ladies (Put a Ring on It)", "Song (Live Your Life)"]
        {
            assert!(parse_title(text).versions.is_plain(), "{text}");
        }
        assert_eq!(parse_title("Satisfaction (I Can't Get No)").subtitle.join(" "), "i cant get no");
        assert_eq!(parse_title("(I Can't Get No) Satisfaction").core.join(" "), "satisfaction");
        assert_eq!(core("(Interlude)"), "interlude");
        assert_eq!(core("†"), "†");
        assert_eq!(core("(G)I-DLE"), "gi dle");
    }

    #[test]
    fn parts_and_cuts_are_distinguished() {
        assert_eq!(parse_title("Song, Pt. II").parts, ["2"]);
        assert_eq!(parse_title("Song (Part 3)").parts, ["3"]);
        assert_eq!(parse_title("Mambo No. 5 (A Little Bit of...)").parts, ["5"]);
        assert_eq!(core("Song II"), "song 2");
        assert_eq!(core("Malcolm X"), "malcolm x");
        assert_eq!(parse_title("Song (Radio Edit)").cut, CutLength::Short);
        assert_eq!(parse_title("Song - Extended Mix").cut, CutLength::Long);
        assert_eq!(parse_title("White Wedding - Pt. 1 / Remastered 2002").parts, ["1"]);
    }

    #[test]
    fn guests_are_found_anywhere_in_a_title() {
        for text in ["Song (feat. A & B)", "Song ft. A & B", "Song [Featuring A & B] - Radio Edit", "Song (with A & B)"]
        {
            assert_eq!(parse_title(text).guests, ["A & B"], "{text}");
        }
        assert_eq!(parse_title("Song (Some Remix feat. Guest)").guests, ["Guest"]);
        assert!(parse_title("Song (prod. Someone)").guests.is_empty());
    }

    #[test]
    fn an_empty_text_has_no_key() {
        assert_eq!(parse_title("").core_key, 0);
        assert_ne!(parse_title("†").core_key, parse_title("‡").core_key);
        assert_ne!(parse_title("命の灯火").core_key, parse_title("別の歌").core_key);
    }
}
