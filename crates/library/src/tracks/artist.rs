//! How alike two artists are.

use super::credit::Role;
use super::index::{TrackIndex, edges};
use super::question::{Question, Sought};
use super::typo;
use super::vocabulary::HashedMap;

/// Words of which a name has more than this are no help in finding it.
const COMMON_WORD: usize = 600;
/// Names as like as this may be the same artist.
const LEAST: f32 = 0.5;
/// Names that are less alike than this may be two artists.
const SURE: f32 = 0.77;
/// So many names are looked at closely.
const MOST_NAMES: usize = 24;

/// How a name of the index relates to a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kinship {
    /// From 0 to 1.
    pub(super) likeness: f32,
    /// Role of the name that was looked for.
    pub(super) role: Role,
    /// Whether it may well be somebody else.
    is_doubtful: bool,
}

/// How the artists of a row relate to a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Credited {
    /// From 0 to 1.
    pub(super) likeness: f32,
    /// Whether they may well be somebody else.
    pub(super) is_doubtful: bool,
}

/// The names of the index that may be meant.
pub(super) type Kin = HashedMap<u32, Kinship>;

/// The names that are the same.
pub(super) fn same(index: &TrackIndex, question: &Question<'_>) -> Kin {
    let mut kin = Kin::default();
    for sought in &question.names {
        if let Some(name) = index.roster.find(sought.key) {
            note(&mut kin, name, Kinship { likeness: 1.0, role: sought.role, is_doubtful: false });
        }
    }
    kin
}

/// Adds the names that are nearly the same.
pub(super) fn similar(index: &TrackIndex, question: &Question<'_>, kin: &mut Kin) {
    for sought in &question.names {
        // What may be a piece of one name is looked for as it is; nothing is like it.
        if sought.role == Role::Piece {
            continue;
        }
        let mut near: Vec<(f32, u64, u32)> = candidates(index, question, sought)
            .into_iter()
            .filter_map(|name| {
                let likeness = likeness(index, question, sought, name);
                (likeness >= LEAST).then(|| (likeness, index.roster.key(name), name))
            })
            .collect();
        near.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        for (likeness, _, name) in near.into_iter().take(MOST_NAMES) {
            note(kin, name, kinship(index, sought, likeness));
        }
    }
}

/// A name that is only like the one sought. Who is there by his own name is nobody else.
fn kinship(index: &TrackIndex, sought: &Sought, likeness: f32) -> Kinship {
    let is_there = sought.role == Role::Primary && index.roster.find(sought.key).is_some();
    let is_doubtful = likeness < SURE || is_there && likeness < 1.0;
    Kinship { likeness, role: sought.role, is_doubtful }
}

/// Adds those among the names of some credits that are nearly the same.
pub(super) fn similar_among(index: &TrackIndex, question: &Question<'_>, credits: &[u32], kin: &mut Kin) {
    let mut names: Vec<u32> =
        credits.iter().flat_map(|credit| index.credits.names(*credit)).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    for sought in question.names.iter().filter(|sought| sought.role != Role::Piece) {
        for name in &names {
            let likeness = likeness(index, question, sought, *name);
            if likeness >= LEAST {
                note(kin, *name, kinship(index, sought, likeness));
            }
        }
    }
}

fn note(kin: &mut Kin, name: u32, kinship: Kinship) {
    let known = kin.entry(name).or_insert(kinship);
    if (kinship.likeness, std::cmp::Reverse(kinship.role)) > (known.likeness, std::cmp::Reverse(known.role)) {
        *known = kinship;
    }
}

fn candidates(index: &TrackIndex, question: &Question<'_>, sought: &Sought) -> Vec<u32> {
    let mut names = Vec::new();
    for word in sought.words.iter().filter(|word| question.words.is_known(**word)) {
        let of_word = index.names_of_word.of(*word);
        if of_word.len() <= COMMON_WORD {
            names.extend_from_slice(of_word);
        }
    }
    for edge in edges(sought.words.iter().map(|word| question.words.text(*word))) {
        let of_edge = index.names_of_edge.of_hash(edge);
        if of_edge.len() <= COMMON_WORD {
            names.extend_from_slice(of_edge);
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// How alike a name that is looked for and one of the index are, from 0 to 1.
fn likeness(index: &TrackIndex, question: &Question<'_>, sought: &Sought, name: u32) -> f32 {
    if index.roster.key(name) == sought.key {
        return 1.0;
    }
    let words = index.roster.words(name);
    let by_words = by_words(index, question, &sought.words, words);
    let (letters, length) = index.roster.shape(name);
    let ((sought_letters, sought_length), has_star) = (sought.shape, sought.text.contains('*'));
    let other_letters = (letters ^ sought_letters).count_ones();
    if (sought_length.abs_diff(length) > 3 || other_letters > 6) && !has_star {
        return by_words;
    }
    let text: String = words.iter().map(|word| index.vocabulary.text(*word)).collect();
    if generation(words.iter().map(|word| index.vocabulary.text(*word)))
        != generation(sought.words.iter().map(|word| question.words.text(*word)))
    {
        return by_words;
    }
    by_words.max(by_letters(&sought.text, &text, usize::from(length.min(sought_length))))
}

/// How alike two names are by their letters, of which the shorter has so many.
fn by_letters(sought: &str, text: &str, length: usize) -> f32 {
    let most = match length {
        0..=3 => 0,
        4..=8 => 1,
        9..=13 => 2,
        _ => 3,
    };
    let has_star = sought.contains('*') || text.contains('*');
    if has_star && (typo::stands_for(sought, text) || typo::stands_for(text, sought)) {
        return 0.95;
    }
    match typo::distance(sought, text, most) {
        Some(0) => 1.0,
        Some(1) if length == 4 => 0.76,
        Some(1) => 0.92,
        Some(2) => 0.90,
        Some(3) => 0.88,
        _ => 0.0,
    }
}

/// Words that turn an artist's name into that of somebody who plays his songs.
const IMITATORS: [&str; 27] = [
    "tribute",
    "karaoke",
    "cover",
    "covers",
    "tributo",
    "salute",
    "hits",
    "hit",
    "players",
    "style",
    "made",
    "famous",
    "originally",
    "performed",
    "quartet",
    "lullaby",
    "lullabies",
    "experience",
    "impersonators",
    "orchestra",
    "symphony",
    "ensemble",
    "strings",
    "choir",
    "show",
    "trio",
    "duo",
];

/// By these words a son is told from his father.
const GENERATIONS: [&str; 6] = ["jr", "sr", "junior", "senior", "ii", "iii"];

fn generation<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words.find(|word| GENERATIONS.contains(word))
}

fn by_words(index: &TrackIndex, question: &Question<'_>, sought: &[u32], words: &[u32]) -> f32 {
    let (few, many) = if sought.len() <= words.len() { (sought, words) } else { (words, sought) };
    let text = |word: u32| {
        if question.words.is_known(word) { index.vocabulary.text(word) } else { question.words.text(word) }
    };
    if few.is_empty() || few.len() == many.len() {
        return if few.len() == many.len() && few.iter().all(|word| many.contains(word)) {
            0.95
        } else {
            0.0
        };
    }
    if few.len() == 1 && is_initials(text(few[0]), many.iter().map(|word| text(*word))) {
        return 0.86;
    }
    if !few.iter().all(|word| many.contains(word)) {
        return 0.0;
    }
    let beyond = || many.iter().filter(|word| !few.contains(word)).map(|word| text(*word));
    if beyond().any(|word| IMITATORS.contains(&word) || GENERATIONS.contains(&word)) {
        return 0.0;
    }
    if beyond().any(|word| word == "band") {
        // Somebody alone, and with his band.
        return 0.76;
    }
    let letters: usize = few.iter().map(|word| text(*word).chars().count()).sum();
    let begins = many.starts_with(few);
    match (few.len(), letters) {
        (2.., 8..) if begins => 0.84,
        (2.., 8..) => 0.76,
        (1, 7..) if begins => 0.78,
        _ => 0.72,
    }
}

/// Whether a word is made of the first letters of others.
fn is_initials<'a>(word: &str, others: impl Iterator<Item = &'a str>) -> bool {
    let initials: String = others.filter_map(|other| other.chars().next()).collect();
    initials.chars().count() >= 3 && word == initials
}

/// How alike the artists of a row are to those that are looked for.
///
/// A guest whom both have is not enough to make two artists one, but two such names are.
pub(super) fn of_row(index: &TrackIndex, kin: &Kin, credit: u32, guests: &[u32]) -> Credited {
    let named: Vec<(u32, Role)> = index.credits.names(credit).collect();
    let beside = guests.iter().filter(|guest| named.iter().all(|(name, _)| name != *guest));
    let shared: Vec<(u32, Kinship, Role)> = named
        .iter()
        .copied()
        .chain(beside.map(|guest| (*guest, Role::Credited)))
        .filter_map(|(name, role)| Some((name, *kin.get(&name)?, role)))
        .collect();
    // A piece of a name that is shared as a whole is no second one.
    let is_piece = |name: u32| {
        let words = index.roster.words(name);
        let holds =
            |whole: &[u32]| whole.len() > words.len() && words.iter().all(|word| whole.contains(word));
        shared.iter().any(|(other, _, _)| holds(index.roster.words(*other)))
    };
    let is_name = |(name, kinship, _): &&(u32, Kinship, Role)| !kinship.is_doubtful && !is_piece(*name);
    let is_one_guest = || shared.iter().filter(is_name).count() < 2;
    let mut best = Credited { likeness: 0.0, is_doubtful: true };
    for (_, kinship, role) in &shared {
        let is_beside = kinship.role != Role::Primary && *role != Role::Primary;
        let likeness = if is_beside { kinship.likeness * 0.95 } else { kinship.likeness };
        let is_doubtful = kinship.is_doubtful || is_beside && is_one_guest();
        let rank = |credited: &Credited| (!credited.is_doubtful, credited.likeness);
        let one = Credited { likeness, is_doubtful };
        if rank(&one) > rank(&best) {
            best = one;
        }
    }
    best
}
