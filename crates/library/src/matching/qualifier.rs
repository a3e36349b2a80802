//! Parses qualifiers (text in brackets or after a dash): a version, a cut, a part, or more of the title.

use super::normalize::{is_number, is_year, roman};
use super::version::{CutLength, TrackVersion, TrackVersions};
use super::version_words::{self, QualifierKind};

/// A parsed qualifier.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Qualifier {
    pub(super) versions: TrackVersions,
    pub(super) cut: CutLength,
    /// Remixer, or name of the version.
    pub(super) by: Vec<String>,
    /// Place and date of a live recording.
    pub(super) event: Vec<String>,
    pub(super) parts: Vec<String>,
    /// More of the title, if no version is named.
    pub(super) subtitle: Vec<String>,
    /// Whether it contains anything but more of the title.
    pub(super) says_something: bool,
}

/// Versions that an album's title states for its tracks: "Live at Home", "Unplugged".
pub(super) fn versions_of_album(words: &[String]) -> TrackVersions {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let begins =
        words.iter().position(|word| matches!(version_words::match_phrase(&[*word]), Some((QualifierKind::Live, _))));
    let named = begins.map_or(&[][..], |at| &words[at..]);
    let is_said = |word: &&str| {
        matches!(
            version_words::match_phrase(&[*word]),
            Some((QualifierKind::Is(TrackVersion::Acoustic | TrackVersion::Karaoke | TrackVersion::Instrumental), _))
        )
    };
    let mut versions = TrackVersions::PLAIN;
    if words.iter().any(is_said) || !named.is_empty() {
        versions = read(&words).versions;
    }
    versions.only(&[TrackVersion::Live, TrackVersion::Acoustic, TrackVersion::Karaoke, TrackVersion::Instrumental])
}

/// Whether words begin with a phrase that may distinguish recordings.
pub(super) fn may_tell(words: &[&str]) -> bool {
    let sense = version_words::match_phrase(words).map(|(sense, _)| sense);
    !matches!(
        sense,
        None | Some(
            QualifierKind::Filler
                | QualifierKind::Same
                | QualifierKind::SameAlone
                | QualifierKind::From
                | QualifierKind::Language
        )
    )
}

/// Start of the version words after a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SuffixStart {
    /// At the name, which belongs to the version.
    Name,
    /// At the first version word.
    Words,
}

/// Whether the words after a person's name name a version. Only words that are no part of a name.
pub(super) fn version_behind_name(words: &[&str]) -> Option<SuffixStart> {
    match version_words::match_phrase(words)? {
        (QualifierKind::Remix, _) if words[0].starts_with("rem") || words[0] == "bootleg" => Some(SuffixStart::Name),
        (QualifierKind::Live, length) if !is_verb(words, 0, length) => Some(SuffixStart::Words),
        (QualifierKind::Is(_), _) => Some(SuffixStart::Words),
        (QualifierKind::IsAlone(_) | QualifierKind::Short | QualifierKind::Long, length) if length == words.len() => {
            Some(SuffixStart::Words)
        }
        _ => None,
    }
}

/// Instruments and ensembles, which mark another arrangement. An orchestra is a guest.
const ENSEMBLES: [&str; 11] =
    ["strings", "string", "choir", "chorus", "piano", "guitar", "quartet", "brass", "organ", "cello", "violin"];

/// The version of a piece played with an orchestra or on a piano.
pub(super) fn ensemble(words: &[&str]) -> Option<Qualifier> {
    let is_ensemble = words.iter().any(|word| ENSEMBLES.contains(word));
    let by =
        words.iter().filter(|word| !matches!(version_words::match_phrase(&[**word]), Some((QualifierKind::Filler, _))));
    is_ensemble.then(|| {
        let mut versions = TrackVersions::PLAIN;
        versions.add(TrackVersion::Arranged);
        let by = by.map(|word| (*word).to_owned()).collect();
        Qualifier { versions, by, says_something: true, ..Qualifier::default() }
    })
}

/// After these words, "live" is a verb.
const LIVE_SUBJECTS: [&str; 21] = [
    "i", "we", "you", "they", "to", "and", "who", "that", "people", "how", "where", "not", "dont", "cant", "will",
    "id", "ill", "well", "lets", "wanna", "let",
];
/// Before these words as well.
const LIVE_ADVERBS: [&str; 16] = [
    "and", "your", "my", "it", "for", "forever", "free", "life", "through", "without", "fast", "up", "like", "to", "a",
    "again",
];

/// Words that distinguish one series of recordings from a concert.
const SERIES: [&str; 9] =
    ["session", "sessions", "version", "desk", "sesion", "sesiones", "sessao", "sessoes", "sessies"];

/// Findings in a qualifier before they are combined.
#[derive(Default)]
struct QualifierScan {
    senses: Vec<QualifierKind>,
    /// Words of unknown meaning.
    rest: Vec<String>,
    years: Vec<String>,
    languages: Vec<String>,
    parts: Vec<String>,
    /// Words of live phrases that distinguish one series from another: session, like a version.
    live_words: Vec<String>,
    /// Whether a cut is called a mix or an edit: "Radio Mix", which may have a remixer.
    is_cut_made: bool,
    is_remastered: bool,
}

impl QualifierScan {
    fn has(&self, sense: QualifierKind) -> bool {
        self.senses.contains(&sense)
    }
}

/// Parses a qualifier.
pub(super) fn read(words: &[&str]) -> Qualifier {
    let found = scan(words);
    let mut read = Qualifier { parts: found.parts.clone(), ..Qualifier::default() };
    cuts(&found, &mut read);
    strong_versions(&found, &mut read);
    if !hand(&found, &mut read) && !any_version(&found, &mut read) {
        weak(&found, words, &mut read);
    }
    read.says_something = read.subtitle.is_empty();
    read
}

fn scan(words: &[&str]) -> QualifierScan {
    let mut found = QualifierScan::default();
    let mut at = 0;
    while at < words.len() {
        let word = words[at];
        if let Some((part, length)) = part(&words[at..]) {
            found.senses.push(QualifierKind::Part);
            found.parts.push(part);
            at += length;
            continue;
        }
        if is_year(word) {
            found.years.push(word.to_owned());
            at += 1;
            continue;
        }
        match version_words::match_phrase(&words[at..]) {
            Some((QualifierKind::Live, length)) if is_verb(words, at, length) => {
                found.rest.extend(words[at..at + length].iter().map(|word| (*word).to_owned()));
                at += length;
            }
            Some((sense, length)) => {
                let own = || words[at..at + length].iter().map(|word| (*word).to_owned());
                match sense {
                    QualifierKind::Live if own().any(|word| SERIES.contains(&word.as_str())) => {
                        found.live_words.extend(own());
                    }
                    QualifierKind::Same if words[at..at + length].iter().any(|word| word.contains("master")) => {
                        found.is_remastered = true;
                    }
                    QualifierKind::Language => found.languages.extend(own()),
                    QualifierKind::Part => found.rest.extend(own()),
                    QualifierKind::Short | QualifierKind::Long => {
                        found.is_cut_made |= length > 1 && matches!(words[at + length - 1], "mix" | "edit");
                    }
                    _ => {}
                }
                if !matches!(sense, QualifierKind::Part | QualifierKind::From)
                    || sense == QualifierKind::From && !found.has(QualifierKind::Live)
                {
                    found.senses.push(sense);
                }
                at += length;
                // "Live from" is followed by a place; any other "from" by the name of a film or a concert.
                if sense == QualifierKind::From && !found.has(QualifierKind::Live) {
                    named_versions(&words[at..], &mut found);
                    break;
                }
            }
            None => {
                found.rest.push(word.to_owned());
                at += 1;
            }
        }
    }
    found
}

/// Versions named after "from": "From MTV Unplugged", "From Live at Home".
fn named_versions(words: &[&str], found: &mut QualifierScan) {
    for at in 0..words.len() {
        match version_words::match_phrase(&words[at..]) {
            Some((QualifierKind::Live, length)) if words[at] == "live" && !is_verb(words, at, length) => {
                found.senses.push(QualifierKind::Live);
            }
            Some((
                sense @ QualifierKind::Is(TrackVersion::Acoustic | TrackVersion::Instrumental | TrackVersion::Karaoke),
                _,
            )) => {
                found.senses.push(sense);
            }
            _ => {}
        }
    }
}

/// A part word and its number: the number's spelling, and the count of words used.
pub(super) fn part(words: &[&str]) -> Option<(String, usize)> {
    let [first, number, ..] = words else { return None };
    if !version_words::is_part_word(first) {
        return None;
    }
    if let Some(range) = part_range(words) {
        return Some(range);
    }
    if is_number(number) && !is_year(number) {
        return Some((number.trim_start_matches('0').to_owned(), 2));
    }
    let is_counted = !matches!(*first, "no" | "day" | "verse");
    let is_last = words.len() == 2;
    let is_part = matches!(*first, "part" | "parte" | "partie" | "teil" | "deel" | "del");
    match roman(number) {
        Some(value) if is_counted => Some((value.to_string(), 2)),
        _ if is_part && is_last && number.len() == 1 => Some(((*number).to_owned(), 2)),
        _ if is_part && is_last => counted(number).map(|value| (value.to_string(), 2)),
        _ => None,
    }
}

/// Several parts: "Parts 1-5", "Pts. I & II". Their first and last number, and the count of words used.
fn part_range(words: &[&str]) -> Option<(String, usize)> {
    if !matches!(words.first().copied(), Some("parts" | "nos" | "vols")) {
        return None;
    }
    let value = |word: &str| roman(word).or_else(|| word.parse().ok().filter(|_| !is_year(word)));
    let first = value(words.get(1)?)?;
    let (mut last, mut length) = (first, 2);
    while let Some(word) = words.get(length) {
        let joint = usize::from(matches!(*word, "and" | "to" | "through"));
        match words.get(length + joint).and_then(|word| value(word)).filter(|next| *next > last) {
            Some(next) => (last, length) = (next, length + joint + 1),
            None => break,
        }
    }
    Some((if last == first { first.to_string() } else { format!("{first}-{last}") }, length))
}

/// Number words of other languages.
fn counted(word: &str) -> Option<u8> {
    let number = match word {
        "un" | "une" | "uno" | "una" | "um" | "uma" | "eins" | "een" | "ett" | "premiere" | "primera" | "primeira" => 1,
        "deux" | "dos" | "due" | "dois" | "duas" | "zwei" | "twee" | "tva" | "deuxieme" | "segunda" => 2,
        "trois" | "tres" | "tre" | "drei" | "drie" | "troisieme" | "tercera" | "terceira" => 3,
        "quatre" | "cuatro" | "quattro" | "quatro" | "vier" | "fyra" | "fire" => 4,
        "cinq" | "cinco" | "cinque" | "funf" | "vijf" | "fem" => 5,
        _ => return None,
    };
    Some(number)
}

fn is_verb(words: &[&str], at: usize, length: usize) -> bool {
    words[at] == "live"
        && length == 1
        && (at.checked_sub(1).is_some_and(|before| LIVE_SUBJECTS.contains(&words[before]))
            || words.get(at + 1).is_some_and(|next| LIVE_ADVERBS.contains(next)))
}

fn cuts(found: &QualifierScan, read: &mut Qualifier) {
    let has_noun = found.has(QualifierKind::Mix)
        || found.has(QualifierKind::Edit)
        || found.has(QualifierKind::Version)
        || found.has(QualifierKind::Remix);
    if found.has(QualifierKind::Long) && (has_noun || found.rest.is_empty()) {
        read.cut = CutLength::Long;
    } else if found.has(QualifierKind::Short) && (has_noun || found.rest.is_empty()) {
        read.cut = CutLength::Short;
    }
}

fn strong_versions(found: &QualifierScan, read: &mut Qualifier) {
    for sense in &found.senses {
        if let QualifierKind::Is(version) = sense {
            read.versions.add(*version);
        }
        if *sense == QualifierKind::Live {
            read.versions.add(TrackVersion::Live);
        }
    }
    let has_noun = found.has(QualifierKind::Version) || found.has(QualifierKind::Mix) || found.has(QualifierKind::Edit);
    for sense in &found.senses {
        // "Beatles Cover" is a recording of its own; a year may be a band's name.
        let is_alone =
            found.rest.is_empty() && (*sense != QualifierKind::IsAlone(TrackVersion::Cover) || found.years.is_empty());
        if let QualifierKind::IsAlone(version) = sense
            && (is_alone || has_noun || !read.versions.is_plain())
        {
            read.versions.add(*version);
        }
    }
    if read.versions.has(TrackVersion::Live) {
        read.event = found.live_words.iter().chain(&found.rest).chain(&found.years).cloned().collect();
    }
}

/// Whether a remix, mix or edit names its author, which makes it a recording of its own.
fn hand(found: &QualifierScan, read: &mut Qualifier) -> bool {
    let is_somebodys = !found.rest.is_empty();
    let is_known = found.senses.iter().any(|sense| matches!(sense, QualifierKind::Same | QualifierKind::From));
    let is_made = found.has(QualifierKind::Mix)
        || found.is_cut_made
        || found.has(QualifierKind::Edit) && !read.versions.has(TrackVersion::Live);
    let is_remix = found.has(QualifierKind::Remix) || (is_made && is_somebodys && !is_known);
    if is_remix {
        read.versions.add(TrackVersion::Remix);
        read.by.clone_from(&found.rest);
        if read.by.is_empty() {
            read.by.extend(found.years.iter().chain(&found.languages).cloned());
        }
        return true;
    }
    if found.has(QualifierKind::Edit) && read.cut == CutLength::Usual {
        read.cut = CutLength::Short;
    }
    false
}

fn any_version(found: &QualifierScan, read: &mut Qualifier) -> bool {
    if !read.versions.is_plain() {
        if !read.versions.has(TrackVersion::Live) {
            read.by.clone_from(&found.rest);
        }
        return true;
    }
    // "Clean" is the same recording, "Clean Bandit Version" is not; but a remaster stays one whatever stands
    // beside it.
    let is_somebodys = found.has(QualifierKind::Version) && !found.rest.is_empty() && !found.is_remastered;
    if found.has(QualifierKind::From) || found.has(QualifierKind::Same) && !is_somebodys {
        return true;
    }
    if !found.languages.is_empty() && (found.has(QualifierKind::Version) || found.rest.is_empty()) {
        read.versions.add(TrackVersion::Translated);
        read.by.clone_from(&found.languages);
        return true;
    }
    if found.has(QualifierKind::Version) && !found.rest.is_empty() {
        read.versions.add(TrackVersion::Named);
        read.by.clone_from(&found.rest);
        return true;
    }
    false
}

/// Handles words that may be noise or part of the title.
fn weak(found: &QualifierScan, words: &[&str], read: &mut Qualifier) {
    let explains = |sense: &QualifierKind| {
        matches!(
            sense,
            QualifierKind::SameAlone
                | QualifierKind::Short
                | QualifierKind::Long
                | QualifierKind::Mix
                | QualifierKind::Edit
                | QualifierKind::Version
        )
    };
    let is_noise = found.senses.iter().any(explains) || !found.years.is_empty();
    if found.rest.is_empty() && (is_noise || !found.parts.is_empty()) {
        return;
    }
    let mut at = 0;
    while at < words.len() {
        if let Some((_, length)) = part(&words[at..]) {
            at += length;
        } else {
            read.subtitle.push(words[at].to_owned());
            at += 1;
        }
    }
}
