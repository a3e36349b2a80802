//! Similarity of artists.

use super::artist_credit::CreditRole;
use super::edit_distance;
use super::index::{TrackIndex, edges};
use super::query::{MatchQuery, QueryArtist};
use super::text_difference::{TextDifference, text_difference, without_doubles};
use super::vocabulary::HashedMap;

/// Words that occur in more names than this are not used for finding names.
const COMMON_WORD: usize = 600;
/// Minimum similarity of names of the same artist.
const MIN_SIMILARITY: f32 = 0.5;
/// Max names that are compared in full.
const MAX_NAMES: usize = 24;

/// Relation of a queried and an indexed name, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ArtistRelation {
    /// Equal.
    Same,
    /// Equal but for spelling, an article, the order of its words, or a typing error beside an equal word; unknown to
    /// the library as it was asked for.
    Respelt,
    /// Equal but for a typing error in the only word, and unknown to the library as it was asked for.
    Misspelt,
    /// One has more words, or is short for the other; unknown to the library as it was asked for.
    Renamed,
    /// Similar, and unknown to the library as it was asked for.
    Similar,
    /// Most likely another artist: the library has the one that was asked for, or only a guest is shared.
    Other,
}

/// Similarity of an indexed name to a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ArtistMatch {
    /// From 0 to 1.
    pub(super) similarity: f32,
    /// Role of the queried name.
    pub(super) role: CreditRole,
    relation: ArtistRelation,
}

/// Similarity of a row's artists to a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ArtistAgreement {
    /// From 0 to 1.
    pub(super) similarity: f32,
    pub(super) relation: ArtistRelation,
    /// The indexed name.
    pub(super) name: u32,
}

/// Indexed names that may match.
pub(super) type ArtistMatches = HashedMap<u32, ArtistMatch>;

/// The names that are equal.
pub(super) fn same(index: &TrackIndex, question: &MatchQuery<'_>) -> ArtistMatches {
    let mut kin = ArtistMatches::default();
    for sought in &question.names {
        if let Some(name) = index.artists.find(sought.key) {
            record_best(
                &mut kin,
                name,
                ArtistMatch { similarity: 1.0, role: sought.role, relation: ArtistRelation::Same },
            );
        }
    }
    kin
}

/// Adds similar names.
pub(super) fn similar(index: &TrackIndex, question: &MatchQuery<'_>, kin: &mut ArtistMatches) {
    for sought in &question.names {
        // Possible parts of one name must match exactly.
        if sought.role == CreditRole::Piece {
            continue;
        }
        let mut near: Vec<(f32, u64, u32)> = candidates(index, question, sought)
            .into_iter()
            .filter_map(|name| {
                let likeness = artist_similarity(index, question, sought, name);
                (likeness >= MIN_SIMILARITY).then(|| (likeness, index.artists.key(name), name))
            })
            .collect();
        near.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        for (likeness, _, name) in near.into_iter().take(MAX_NAMES) {
            record_best(kin, name, artist_match(index, question, sought, (name, likeness)));
        }
    }
}

/// Match of a queried and an indexed name. If the queried name itself is indexed, a merely similar one is
/// another artist's.
fn artist_match(
    index: &TrackIndex,
    question: &MatchQuery<'_>,
    sought: &QueryArtist,
    (name, similarity): (u32, f32),
) -> ArtistMatch {
    let role = sought.role;
    if index.artists.key(name) == sought.key {
        return ArtistMatch { similarity, role, relation: ArtistRelation::Same };
    }
    let words = index.artists.words(name);
    let wanted: Vec<&str> = sought.words.iter().map(|word| question.words.text(*word)).collect();
    let have: Vec<&str> = words.iter().map(|word| index.vocabulary.text(*word)).collect();
    let is_known = |text: &str| sought.words.iter().any(|word| is_word_of_name(index, question, *word, text));
    let relation = if is_there(index, sought) {
        ArtistRelation::Other
    } else {
        match text_difference(&wanted, &have, is_known) {
            TextDifference::Order if wanted.len() > 1 => ArtistRelation::Respelt,
            TextDifference::LoneSlip => ArtistRelation::Misspelt,
            difference if difference.is_spelling() => ArtistRelation::Respelt,
            _ if is_longer(&wanted, &have) || is_longer(&have, &wanted) => ArtistRelation::Renamed,
            _ if wanted.concat().contains('*') && similarity >= 0.95 => ArtistRelation::Respelt,
            _ => ArtistRelation::Similar,
        }
    };
    ArtistMatch { similarity, role, relation }
}

/// Whether this word, with this text, occurs in a name of the library.
fn is_word_of_name(index: &TrackIndex, question: &MatchQuery<'_>, word: u32, text: &str) -> bool {
    question.words.is_known(word) && question.words.text(word) == text && !index.names_of_word.get(word).is_empty()
}

/// Whether the library has an artist of exactly this name, not only as a part of another name.
fn is_there(index: &TrackIndex, sought: &QueryArtist) -> bool {
    index.artists.find(sought.key).is_some_and(|name| is_artist(index, name))
}

fn is_artist(index: &TrackIndex, name: u32) -> bool {
    let is_credited =
        |credit: &u32| index.credits.names(*credit).any(|(other, role)| other == name && role != CreditRole::Piece);
    index.credits_of_name.get(name).iter().any(is_credited) || !index.titles_of_guest.get(name).is_empty()
}

/// Whether one has all words of the other and more, or its initials.
fn is_longer(long: &[&str], short: &[&str]) -> bool {
    let has_all = short.iter().all(|word| long.contains(word));
    long.len() > short.len() && (has_all || short.len() == 1 && is_initials(short[0], long.iter().copied()))
}

/// Adds similar names from the given credits.
pub(super) fn similar_among(index: &TrackIndex, question: &MatchQuery<'_>, credits: &[u32], kin: &mut ArtistMatches) {
    let mut names: Vec<u32> =
        credits.iter().flat_map(|credit| index.credits.names(*credit)).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    for sought in question.names.iter().filter(|sought| sought.role != CreditRole::Piece) {
        for name in &names {
            let likeness = artist_similarity(index, question, sought, *name);
            if likeness >= MIN_SIMILARITY {
                record_best(kin, *name, artist_match(index, question, sought, (*name, likeness)));
            }
        }
    }
}

fn record_best(kin: &mut ArtistMatches, name: u32, kinship: ArtistMatch) {
    let known = kin.entry(name).or_insert(kinship);
    if (kinship.similarity, std::cmp::Reverse(kinship.role)) > (known.similarity, std::cmp::Reverse(known.role)) {
        *known = kinship;
    }
}

fn candidates(index: &TrackIndex, question: &MatchQuery<'_>, sought: &QueryArtist) -> Vec<u32> {
    let mut names = Vec::new();
    for word in sought.words.iter().filter(|word| question.words.is_known(**word)) {
        let of_word = index.names_of_word.get(*word);
        if of_word.len() <= COMMON_WORD {
            names.extend_from_slice(of_word);
        }
    }
    for edge in edges(sought.words.iter().map(|word| question.words.text(*word))) {
        let of_edge = index.names_of_edge.get_by_hash(edge);
        if of_edge.len() <= COMMON_WORD {
            names.extend_from_slice(of_edge);
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Similarity of a queried and an indexed name, from 0 to 1.
fn artist_similarity(index: &TrackIndex, question: &MatchQuery<'_>, sought: &QueryArtist, name: u32) -> f32 {
    if index.artists.key(name) == sought.key {
        return 1.0;
    }
    let words = index.artists.words(name);
    let by_words = by_words(index, question, &sought.words, words);
    let (letters, length) = index.artists.shape(name);
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

/// Similarity of two names by their letters; `length` is that of the shorter one.
fn by_letters(sought: &str, text: &str, length: usize) -> f32 {
    let most = match length {
        0..=3 => 0,
        4..=8 => 1,
        9..=13 => 2,
        _ => 3,
    };
    let has_star = sought.contains('*') || text.contains('*');
    if has_star && (edit_distance::stands_for(sought, text) || edit_distance::stands_for(text, sought)) {
        return 0.95;
    }
    if length >= 5 && without_doubles(sought) == without_doubles(text) {
        return 0.92;
    }
    match edit_distance::distance(sought, text, most) {
        Some(0) => 1.0,
        Some(1) if length == 4 => 0.76,
        Some(1) => 0.92,
        Some(2) => 0.90,
        Some(3) => 0.88,
        _ => 0.0,
    }
}

/// Words that mark an imitator or tribute act.
const IMITATION_WORDS: [&str; 27] = [
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

/// Words that distinguish father and son.
const GENERATION_SUFFIXES: [&str; 6] = ["jr", "sr", "junior", "senior", "ii", "iii"];

fn generation<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words.find(|word| GENERATION_SUFFIXES.contains(word))
}

fn by_words(index: &TrackIndex, question: &MatchQuery<'_>, sought: &[u32], words: &[u32]) -> f32 {
    let (few, many) = if sought.len() <= words.len() { (sought, words) } else { (words, sought) };
    let text = |word: u32| {
        if question.words.is_known(word) { index.vocabulary.text(word) } else { question.words.text(word) }
    };
    if few.is_empty() || few.len() == many.len() {
        return if few.len() == many.len() && few.iter().all(|word| many.contains(word)) { 0.95 } else { 0.0 };
    }
    if few.len() == 1 && is_initials(text(few[0]), many.iter().map(|word| text(*word))) {
        return 0.86;
    }
    if !few.iter().all(|word| many.contains(word)) {
        return 0.0;
    }
    let beyond = || many.iter().filter(|word| !few.contains(word)).map(|word| text(*word));
    if beyond().any(|word| IMITATION_WORDS.contains(&word) || GENERATION_SUFFIXES.contains(&word)) {
        return 0.0;
    }
    if beyond().any(|word| word == "band") {
        // A solo artist, and the same with a band.
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

/// Whether a word consists of the initials of others.
fn is_initials<'a>(word: &str, others: impl Iterator<Item = &'a str>) -> bool {
    let initials: String = others.filter_map(|other| other.chars().next()).collect();
    initials.chars().count() >= 3 && word == initials
}

/// Similarity of a row's artists to those of the query.
///
/// One shared guest does not make two artists the same, but two shared names do.
pub(super) fn artist_agreement(
    index: &TrackIndex,
    kin: &ArtistMatches,
    question: &MatchQuery<'_>,
    credit: u32,
    guests: &[u32],
) -> ArtistAgreement {
    let named: Vec<(u32, CreditRole)> = index.credits.names(credit).collect();
    let beside = guests.iter().filter(|guest| named.iter().all(|(name, _)| name != *guest));
    let shared: Vec<(u32, ArtistMatch, CreditRole)> = named
        .iter()
        .copied()
        .chain(beside.map(|guest| (*guest, CreditRole::Credited)))
        .filter_map(|(name, role)| Some((name, *kin.get(&name)?, role)))
        .collect();
    // A part of a name that is shared as a whole does not count as a second shared name.
    let is_piece = |name: u32| {
        let words = index.artists.words(name);
        let holds = |whole: &[u32]| whole.len() > words.len() && words.iter().all(|word| whole.contains(word));
        shared.iter().any(|(other, _, _)| holds(index.artists.words(*other)))
    };
    let is_sure = |kinship: &ArtistMatch| kinship.relation <= ArtistRelation::Misspelt;
    let is_name = |(name, kinship, role): &&(u32, ArtistMatch, CreditRole)| {
        is_sure(kinship) && (!is_piece(*name) || *role == CreditRole::Credited)
    };
    let names = shared.iter().filter(is_name).count();
    // "One & Other" are two artists if the library has each of them, or if each has a name of several words.
    let is_full_name = |words: usize| words > 1;
    // "Somebody and the Others" is a band.
    let has_band = |words: &[u32]| words.iter().any(|word| question.words.text(*word) == "the");
    let are_artists = |role: CreditRole| {
        if role == CreditRole::Piece {
            let mut pieces = named.iter().filter(|(_, role)| *role == CreditRole::Piece);
            pieces.all(|(name, _)| is_full_name(index.artists.words(*name).len()) || is_artist(index, *name))
                && !named.iter().any(|(name, _)| has_band(index.artists.words(*name)))
        } else {
            let mut pieces = question.names.iter().filter(|name| name.role == CreditRole::Piece);
            pieces.all(|name| is_full_name(name.words.len()) || is_there(index, name))
                && !question.names.iter().any(|name| has_band(&name.words))
        }
    };
    let mut best = ArtistAgreement { similarity: 0.0, relation: ArtistRelation::Other, name: 0 };
    for (name, kinship, role) in &shared {
        let is_beside = kinship.role != CreditRole::Primary && *role != CreditRole::Primary;
        let is_half = (kinship.role == CreditRole::Piece) != (*role == CreditRole::Piece) && !are_artists(*role);
        let similarity = if is_beside { kinship.similarity * 0.95 } else { kinship.similarity };
        let relation = match kinship.relation {
            relation if names >= 2 => relation,
            _ if is_beside => ArtistRelation::Other,
            relation if is_half => relation.max(ArtistRelation::Renamed),
            relation => relation,
        };
        let one = ArtistAgreement { similarity, relation, name: *name };
        let is_better =
            (std::cmp::Reverse(one.relation), one.similarity, std::cmp::Reverse(index.artists.key(one.name)))
                > (std::cmp::Reverse(best.relation), best.similarity, std::cmp::Reverse(index.artists.key(best.name)));
        if best.similarity == 0.0 || is_better {
            best = one;
        }
    }
    best
}
