//! What stands in brackets or after a dash, read: which version, which cut, which part, or more of the title.

use super::fold::{is_number, is_year, roman};
use super::version::{Cut, Version, Versions};
use super::wording::{self, Sense};

/// A qualifier as it was understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Qualifier {
    pub(super) versions: Versions,
    pub(super) cut: Cut,
    /// Whose remix, or which version.
    pub(super) by: Vec<String>,
    /// Where and when it was played.
    pub(super) event: Vec<String>,
    pub(super) parts: Vec<String>,
    /// More of the title, if it says nothing of the version.
    pub(super) subtitle: Vec<String>,
    /// Whether anything but more of the title was found.
    pub(super) says_something: bool,
}

/// What an album's own name says of its tracks: "Live at Home", "Unplugged".
pub(super) fn of_album(words: &[String]) -> Versions {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let begins = words.iter().position(|word| matches!(wording::sense(&[*word]), Some((Sense::Live, _))));
    let named = begins.map_or(&[][..], |at| &words[at..]);
    let is_said = |word: &&str| {
        matches!(
            wording::sense(&[*word]),
            Some((Sense::Is(Version::Acoustic | Version::Karaoke | Version::Instrumental), _))
        )
    };
    let mut versions = Versions::PLAIN;
    if words.iter().any(is_said) || !named.is_empty() {
        versions = read(&words).versions;
    }
    versions.only(&[Version::Live, Version::Acoustic, Version::Karaoke, Version::Instrumental])
}

/// Whether words begin with a phrase that may tell one recording from another.
pub(super) fn may_tell(words: &[&str]) -> bool {
    let sense = wording::sense(words).map(|(sense, _)| sense);
    !matches!(
        sense,
        None | Some(Sense::Filler | Sense::Same | Sense::SameAlone | Sense::From | Sense::Language)
    )
}

/// Where a version's words begin that stand behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// With the name, which says whose it is.
    Name,
    /// With the first word of the version.
    Words,
}

/// Whether words behind somebody's name say which version it is. Only what nobody is called.
pub(super) fn version_behind_name(words: &[&str]) -> Option<Behind> {
    match wording::sense(words)? {
        (Sense::Remix, _) if words[0].starts_with("rem") || words[0] == "bootleg" => Some(Behind::Name),
        (Sense::Live, length) if !is_verb(words, 0, length) => Some(Behind::Words),
        (Sense::Is(_), _) => Some(Behind::Words),
        (Sense::IsAlone(_) | Sense::Short | Sense::Long, length) if length == words.len() => {
            Some(Behind::Words)
        }
        _ => None,
    }
}

/// Instruments and ensembles: with them, it is another arrangement.
const ENSEMBLES: [&str; 21] = [
    "strings",
    "string",
    "orchestra",
    "orchestre",
    "orchester",
    "orquesta",
    "orquestra",
    "orkester",
    "orkest",
    "philharmonic",
    "symphony",
    "sinfonietta",
    "choir",
    "chorus",
    "piano",
    "guitar",
    "quartet",
    "brass",
    "organ",
    "cello",
    "violin",
];

/// What it means that a piece was played with an orchestra, or with a piano.
pub(super) fn ensemble(words: &[&str]) -> Option<Qualifier> {
    let is_ensemble = words.iter().any(|word| ENSEMBLES.contains(word));
    let by = words.iter().filter(|word| !matches!(wording::sense(&[**word]), Some((Sense::Filler, _))));
    is_ensemble.then(|| {
        let mut versions = Versions::PLAIN;
        versions.add(Version::Arranged);
        let by = by.map(|word| (*word).to_owned()).collect();
        Qualifier { versions, by, says_something: true, ..Qualifier::default() }
    })
}

/// After these, "live" is what somebody does.
const WHO_LIVES: [&str; 21] = [
    "i", "we", "you", "they", "to", "and", "who", "that", "people", "how", "where", "not", "dont", "cant",
    "will", "id", "ill", "well", "lets", "wanna", "let",
];
/// Before these as well.
const HOW_TO_LIVE: [&str; 16] = [
    "and", "your", "my", "it", "for", "forever", "free", "life", "through", "without", "fast", "up", "like",
    "to", "a", "again",
];

/// Words that tell one series of recordings from a concert.
const SERIES: [&str; 9] =
    ["session", "sessions", "version", "desk", "sesion", "sesiones", "sessao", "sessoes", "sessies"];

/// What was found in one, before it is known what it adds up to.
#[derive(Default)]
struct Found {
    senses: Vec<Sense>,
    /// Words that mean nothing known.
    rest: Vec<String>,
    years: Vec<String>,
    languages: Vec<String>,
    parts: Vec<String>,
    /// Words of the concert's phrases, which tell one series from another: session, like a version.
    live_words: Vec<String>,
    /// Whether a cut is called a mix or an edit: "Radio Mix", which may be somebody's.
    is_cut_made: bool,
    is_remastered: bool,
}

impl Found {
    fn has(&self, sense: Sense) -> bool {
        self.senses.contains(&sense)
    }
}

/// Reads a qualifier.
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

fn scan(words: &[&str]) -> Found {
    let mut found = Found::default();
    let mut at = 0;
    while at < words.len() {
        let word = words[at];
        if let Some((part, length)) = part(&words[at..]) {
            found.senses.push(Sense::Part);
            found.parts.push(part);
            at += length;
            continue;
        }
        if is_year(word) {
            found.years.push(word.to_owned());
            at += 1;
            continue;
        }
        match wording::sense(&words[at..]) {
            Some((Sense::Live, length)) if is_verb(words, at, length) => {
                found.rest.extend(words[at..at + length].iter().map(|word| (*word).to_owned()));
                at += length;
            }
            Some((sense, length)) => {
                let own = || words[at..at + length].iter().map(|word| (*word).to_owned());
                match sense {
                    Sense::Live if own().any(|word| SERIES.contains(&word.as_str())) => {
                        found.live_words.extend(own());
                    }
                    Sense::Same if words[at..at + length].iter().any(|word| word.contains("master")) => {
                        found.is_remastered = true;
                    }
                    Sense::Language => found.languages.extend(own()),
                    Sense::Part => found.rest.extend(own()),
                    Sense::Short | Sense::Long => {
                        found.is_cut_made |= length > 1 && matches!(words[at + length - 1], "mix" | "edit");
                    }
                    _ => {}
                }
                if !matches!(sense, Sense::Part | Sense::From)
                    || sense == Sense::From && !found.has(Sense::Live)
                {
                    found.senses.push(sense);
                }
                at += length;
                // "Live from" says where it was played; from elsewhere on it is the name of a film, or of a concert.
                if sense == Sense::From && !found.has(Sense::Live) {
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

/// What a name of a film or of a concert says of the version: "From MTV Unplugged", "From Live at Home".
fn named_versions(words: &[&str], found: &mut Found) {
    for at in 0..words.len() {
        match wording::sense(&words[at..]) {
            Some((Sense::Live, length)) if words[at] == "live" && !is_verb(words, at, length) => {
                found.senses.push(Sense::Live);
            }
            Some((sense @ Sense::Is(Version::Acoustic | Version::Instrumental | Version::Karaoke), _)) => {
                found.senses.push(sense);
            }
            _ => {}
        }
    }
}

/// A part-word and its number: how it is written, and how many words that takes.
pub(super) fn part(words: &[&str]) -> Option<(String, usize)> {
    let [first, number, ..] = words else { return None };
    if !wording::is_part_word(first) {
        return None;
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

/// The number that a word of another language means.
fn counted(word: &str) -> Option<u8> {
    let number = match word {
        "un" | "une" | "uno" | "una" | "um" | "uma" | "eins" | "een" | "ett" | "premiere" | "primera"
        | "primeira" => 1,
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
        && (at.checked_sub(1).is_some_and(|before| WHO_LIVES.contains(&words[before]))
            || words.get(at + 1).is_some_and(|next| HOW_TO_LIVE.contains(next)))
}

fn cuts(found: &Found, read: &mut Qualifier) {
    let has_noun = found.has(Sense::Mix)
        || found.has(Sense::Edit)
        || found.has(Sense::Version)
        || found.has(Sense::Remix);
    if found.has(Sense::Long) && (has_noun || found.rest.is_empty()) {
        read.cut = Cut::Long;
    } else if found.has(Sense::Short) && (has_noun || found.rest.is_empty()) {
        read.cut = Cut::Short;
    }
}

fn strong_versions(found: &Found, read: &mut Qualifier) {
    for sense in &found.senses {
        if let Sense::Is(version) = sense {
            read.versions.add(*version);
        }
        if *sense == Sense::Live {
            read.versions.add(Version::Live);
        }
    }
    let has_noun = found.has(Sense::Version) || found.has(Sense::Mix) || found.has(Sense::Edit);
    for sense in &found.senses {
        // A cover of somebody's song is this artist's own; a year may be that somebody's name.
        let is_alone =
            found.rest.is_empty() && (*sense != Sense::IsAlone(Version::Cover) || found.years.is_empty());
        if let Sense::IsAlone(version) = sense
            && (is_alone || has_noun || !read.versions.is_plain())
        {
            read.versions.add(*version);
        }
    }
    if read.versions.has(Version::Live) {
        read.event = found.live_words.iter().chain(&found.rest).chain(&found.years).cloned().collect();
    }
}

/// Whether a remix, mix or edit says by whose hand the recording is; then that is what it is.
fn hand(found: &Found, read: &mut Qualifier) -> bool {
    let is_somebodys = !found.rest.is_empty();
    let is_known = found.senses.iter().any(|sense| matches!(sense, Sense::Same | Sense::From));
    let is_made = found.has(Sense::Mix)
        || found.is_cut_made
        || found.has(Sense::Edit) && !read.versions.has(Version::Live);
    let is_remix = found.has(Sense::Remix) || (is_made && is_somebodys && !is_known);
    if is_remix {
        read.versions.add(Version::Remix);
        read.by.clone_from(&found.rest);
        if read.by.is_empty() {
            read.by.extend(found.years.iter().chain(&found.languages).cloned());
        }
        return true;
    }
    if found.has(Sense::Edit) && read.cut == Cut::Usual {
        read.cut = Cut::Short;
    }
    false
}

fn any_version(found: &Found, read: &mut Qualifier) -> bool {
    if !read.versions.is_plain() {
        if !read.versions.has(Version::Live) {
            read.by.clone_from(&found.rest);
        }
        return true;
    }
    // "Clean" is nothing new, "Clean Bandit Version" is; but a remaster stays one whatever stands beside it.
    let is_somebodys = found.has(Sense::Version) && !found.rest.is_empty() && !found.is_remastered;
    if found.has(Sense::From) || found.has(Sense::Same) && !is_somebodys {
        return true;
    }
    if !found.languages.is_empty() && (found.has(Sense::Version) || found.rest.is_empty()) {
        read.versions.add(Version::Translated);
        read.by.clone_from(&found.languages);
        return true;
    }
    if found.has(Sense::Version) && !found.rest.is_empty() {
        read.versions.add(Version::Named);
        read.by.clone_from(&found.rest);
        return true;
    }
    false
}

/// What may be nothing but noise, or the title's own words.
fn weak(found: &Found, words: &[&str], read: &mut Qualifier) {
    let explains = |sense: &Sense| {
        matches!(
            sense,
            Sense::SameAlone | Sense::Short | Sense::Long | Sense::Mix | Sense::Edit | Sense::Version
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
