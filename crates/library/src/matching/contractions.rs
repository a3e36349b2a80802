//! One form for contractions: "you are" becomes "youre", as "you're" does.

use super::normalize::NormalizedWord;

/// Joins the words of which there is a contraction.
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

/// The contraction of two words.
fn contraction(one: &str, other: &str) -> Option<&'static str> {
    let joined = match (one, other) {
        ("i", "am") => "im",
        ("you", "are") => "youre",
        ("we", "are") => "were",
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
        ("i", "will") => "ill",
        ("you", "will") => "youll",
        ("he", "will") => "hell",
        ("she", "will") => "shell",
        ("it", "will") => "itll",
        ("we", "will") => "well",
        ("they", "will") => "theyll",
        ("i", "would") => "id",
        ("you", "would") => "youd",
        ("we", "would") => "wed",
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
