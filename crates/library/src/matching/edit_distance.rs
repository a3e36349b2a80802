//! Edit distance of two texts.

/// Longest text compared letter by letter.
const MAX_CHARS: usize = 96;

/// Number of letters to insert, delete, replace or swap with their neighbour (optimal string alignment);
/// `None` if more than `most`.
pub(super) fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    if one.len().abs_diff(other.len()) > most * 4 {
        return None;
    }
    if one.is_ascii() && other.is_ascii() {
        return between(one.as_bytes(), other.as_bytes(), most);
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    between(&one, &other, most)
}

fn between<T: PartialEq + Copy>(mut one: &[T], mut other: &[T], most: usize) -> Option<usize> {
    while let ([first, one_rest @ ..], [same, other_rest @ ..]) = (one, other)
        && first == same
    {
        (one, other) = (one_rest, other_rest);
    }
    while let ([one_rest @ .., last], [other_rest @ .., same]) = (one, other)
        && last == same
    {
        (one, other) = (one_rest, other_rest);
    }
    if one.len().abs_diff(other.len()) > most || one.len().max(other.len()) > MAX_CHARS {
        return None;
    }
    if one.is_empty() || other.is_empty() {
        return Some(one.len().max(other.len()));
    }
    // The last three rows of the table, at most LONGEST letters wide.
    let mut before_last = [0_usize; MAX_CHARS + 1];
    let mut last = [0_usize; MAX_CHARS + 1];
    let mut row = [0_usize; MAX_CHARS + 1];
    (0..=other.len()).for_each(|at| last[at] = at);
    for (i, a) in one.iter().enumerate() {
        row[0] = i + 1;
        let mut nearest = row[0];
        for (j, b) in other.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut cost = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row[j + 1] = cost;
            nearest = nearest.min(cost);
        }
        if nearest > most {
            return None;
        }
        (before_last, last, row) = (last, row, before_last);
    }
    Some(last[other.len()]).filter(|distance| *distance <= most)
}

/// Whether a word with stars may stand for another; a star stands for at most one letter.
pub(super) fn stands_for(starred: &str, other: &str) -> bool {
    let starred: Vec<char> = starred.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let letters = starred.iter().filter(|c| **c != '*').count();
    if letters == 0 || starred.len() > MAX_CHARS || other.len() > MAX_CHARS {
        return false;
    }
    // Which prefixes of the other word the stars and letters so far can stand for.
    let mut reach = vec![false; other.len() + 1];
    reach[0] = true;
    for c in starred {
        let mut next = vec![false; other.len() + 1];
        for at in 0..=other.len() {
            if reach[at] {
                if c == '*' {
                    next[at] = true;
                }
                if at < other.len() && (c == '*' || c == other[at]) {
                    next[at + 1] = true;
                }
            }
        }
        reach = next;
    }
    reach[other.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, stands_for};

    #[test]
    fn a_transposition_counts_as_one_edit() {
        assert_eq!(distance("atlin gun", "altin gun", 3), Some(1));
        assert_eq!(distance("polacheck", "polachek", 3), Some(1));
        assert_eq!(distance("kitten", "sitting", 3), Some(3));
        assert_eq!(distance("kitten", "sitting", 2), None);
        assert_eq!(distance("", "abc", 3), Some(3));
        assert_eq!(distance("命の灯火", "命の灯", 1), Some(1));
        assert_eq!(distance("same", "same", 0), Some(0));
    }

    #[test]
    fn asterisks_match_letters() {
        assert!(stands_for("f**k", "fuck") && stands_for("s**", "sex") && stands_for("ni**as", "niggas"));
        assert!(!stands_for("f**k", "flick") && !stands_for("**", "ab") && !stands_for("f**k", "fuk r"));
    }
}
