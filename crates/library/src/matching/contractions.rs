//! One form for contractions: "you are" and "you're" become "youre". A contraction that would be another word without its
//! apostrophe becomes two words instead: "he'll" is "he will", because "hell" is another word.

use super::normalize::NormalizedWord;

/// Joins pairs of words that have a contraction.
pub(super) fn contract(words: &mut Vec<NormalizedWord>) {
    // Most texts have none of these words.
    let is_second = |word: &NormalizedWord| {
        matches!(word.text.as_str(), "am" | "are" | "is" | "have" | "will" | "would" | "us" | "not")
    };
    if !words.iter().skip(1).any(is_second) {
        return;
    }
    let mut at = 0;
    while at + 1 < words.len() {
        if let Some(contraction) = contraction(&words[at].text, &words[at + 1].text) {
            contraction.clone_into(&mut words[at].text);
            words.remove(at + 1);
        }
        at += 1;
    }
}

/// The two words of a contraction that would be another word without the apostrophe, which stood at this offset.
pub(super) fn expansion(word: &str, apostrophe: usize) -> Option<(&str, &'static str)> {
    match word.split_at_checked(apostrophe)? {
        (one @ ("i" | "he" | "she" | "we"), "ll") => Some((one, "will")),
        (one @ ("i" | "we"), "d") => Some((one, "would")),
        (one @ "we", "re") => Some((one, "are")),
        _ => None,
    }
}

/// Whether a word may be a contraction of two words that has lost its apostrophe: "Well Meet Again".
pub(super) fn may_be_contraction(word: &str, words: &[&str]) -> bool {
    matches!(
        (word, words),
        ("ill", ["i", "will"])
            | ("hell", ["he", "will"])
            | ("shell", ["she", "will"])
            | ("well", ["we", "will"])
            | ("id", ["i", "would"])
            | ("wed", ["we", "would"])
            | ("were", ["we", "are"])
            | ("werent", ["we", "arent"])
    )
}

/// The contraction of two words.
fn contraction(one: &str, other: &str) -> Option<&'static str> {
    let joined = match (one, other) {
        ("i", "am") => "im",
        ("you", "are") => "youre",
        ("they", "are") => "theyre",
        ("he", "is") => "hes",
        ("she", "is") => "shes",
        ("it", "is") => "its",
        ("that", "is") => "thats",
        ("what", "is") => "whats",
        ("who", "is") => "whos",
        ("where", "is") => "wheres",
        ("there", "is") => "theres",
        ("here", "is") => "heres",
        ("how", "is") => "hows",
        ("i", "have") => "ive",
        ("you", "have") => "youve",
        ("we", "have") => "weve",
        ("they", "have") => "theyve",
        ("you", "will") => "youll",
        ("it", "will") => "itll",
        ("they", "will") => "theyll",
        ("you", "would") => "youd",
        ("they", "would") => "theyd",
        ("let", "us") => "lets",
        ("do", "not") => "dont",
        ("does", "not") => "doesnt",
        ("did", "not") => "didnt",
        ("can", "not") => "cant",
        ("could", "not") => "couldnt",
        ("will", "not") => "wont",
        ("would", "not") => "wouldnt",
        ("should", "not") => "shouldnt",
        ("is", "not") => "isnt",
        ("are", "not") => "arent",
        ("was", "not") => "wasnt",
        ("were", "not") => "werent",
        ("have", "not") => "havent",
        ("has", "not") => "hasnt",
        ("had", "not") => "hadnt",
        _ => return None,
    };
    Some(joined)
}
