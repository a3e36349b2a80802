//! Keys by which names are searched and put in natural order.

use deunicode::deunicode_char;

/// Longest run of digits that is compared as a number.
const MAX_DIGITS: usize = 200;

/// Text as it is searched: in lower case, without accents.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        match deunicode_char(character) {
            // Combining accents have no letter of their own.
            Some(latin) => folded.extend(latin.chars().map(|letter| letter.to_ascii_lowercase())),
            None => folded.extend(character.to_lowercase()),
        }
    }
    folded
}

/// A key whose byte order is the natural order of names: without case and accents, and numbers by their value, so that
/// `Issue 2` comes before `Issue 10`.
pub fn natural_key(name: &str) -> Box<[u8]> {
    let folded = fold(name);
    let mut rest = folded.as_bytes();
    let mut key = Vec::with_capacity(rest.len() + 4);
    while let Some(first) = rest.first() {
        if !first.is_ascii_digit() {
            key.push(*first);
            rest = &rest[1..];
            continue;
        }
        let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let value = &digits[zeros..];
        // Numbers sort where digits do; then the longer number is the larger one.
        key.push(b'0');
        key.push(u8::try_from(value.len().min(MAX_DIGITS)).unwrap_or(u8::MAX));
        key.extend_from_slice(value);
        rest = after;
    }
    key.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value_and_case_and_accents_do_not_count() {
        let mut names = ["Issue 10", "issue 9", "Émile 1", "Issue 010a", "zoo", "emile 2", "Issue 2"];
        names.sort_by_key(|name| natural_key(name));
        assert_eq!(names, ["Émile 1", "emile 2", "Issue 2", "issue 9", "Issue 10", "Issue 010a", "zoo"]);
    }

    #[test]
    fn absurd_numbers_have_a_key_too() {
        let long = "9".repeat(5_000);
        assert!(natural_key("9") < natural_key(&long));
        assert_eq!(natural_key(""), Box::from([]));
    }
}
