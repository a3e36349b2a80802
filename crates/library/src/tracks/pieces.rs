//! A title cut at its brackets and dashes.

/// Where a piece of a title stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Open,
    Bracket,
    Tail,
    /// Behind a slash.
    Beside,
}

#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) place: Place,
    pub(super) text: &'a str,
}

/// Brackets within a word hide or show a letter: (G)I-DLE, Girl(s). They are no qualifiers.
pub(super) fn join_broken_words(text: &str) -> (String, bool) {
    if !text.contains(['(', '[', '{']) {
        return (String::new(), false);
    }
    let mut shown = String::with_capacity(text.len());
    let mut is_changed = false;
    let mut rest = text;
    while let Some(at) = rest.find(['(', '[', '{']) {
        let before = &rest[..at];
        let closing = rest[at..].find([')', ']', '}']).map(|end| at + end);
        let touches_before = before.chars().next_back().is_some_and(char::is_alphanumeric);
        let touches_after = closing.is_some_and(|end| rest[end + 1..].starts_with(char::is_alphanumeric));
        let inner = closing.map_or("", |end| &rest[at + 1..end]);
        let is_one_word = !inner.is_empty() && inner.chars().all(char::is_alphanumeric);
        let is_short = inner.chars().count() <= 2;
        shown.push_str(before);
        if is_one_word && (touches_after || (touches_before && is_short)) {
            shown.push_str(inner);
            is_changed = true;
            rest = closing.map_or("", |end| &rest[end + 1..]);
        } else {
            shown.push_str(&rest[at..=at]);
            rest = &rest[at + 1..];
        }
    }
    shown.push_str(rest);
    (shown, is_changed)
}

/// What a title consists of, in order: what is open, what stands in brackets, what comes after dashes.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::with_capacity(4);
    let mut start = 0;
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => {
                if depth == 0 {
                    dashes(&text[start..at], &mut pieces);
                    start = at + 1;
                }
                depth += 1;
            }
            ')' | ']' | '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    pieces.push(Piece { place: Place::Bracket, text: &text[start..at] });
                    start = at + 1;
                }
            }
            _ => {}
        }
    }
    if depth > 0 {
        // Cut off before the bracket was closed.
        pieces.push(Piece { place: Place::Bracket, text: &text[start..] });
    } else {
        dashes(&text[start..], &mut pieces);
    }
    pieces
}

/// What stands between spaced dashes, bars and slashes. All but the first is a tail, as is what comes after a bracket
/// and a dash.
fn dashes<'a>(text: &'a str, pieces: &mut Vec<Piece<'a>>) {
    let mut start = 0;
    let mut place = Place::Open;
    let bytes = text.as_bytes();
    let is_space = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace);
    let mut quotes = bytes.iter().filter(|byte| **byte == b'"').count();
    let mut is_quoted = false;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'"' {
            quotes -= 1;
            // The last one opens nothing.
            is_quoted = !is_quoted && quotes > 0;
        }
        if is_quoted {
            continue;
        }
        let is_edge_or_space = at == 0 || is_space(at - 1);
        if matches!(byte, b'-' | b'|' | b'/' | b'~') && is_edge_or_space && is_space(at + 1) {
            push(text, start, at, place, pieces);
            start = at + 1;
            place = if *byte == b'/' { Place::Beside } else { Place::Tail };
        }
    }
    push(text, start, text.len(), place, pieces);
}

fn push<'a>(text: &'a str, start: usize, end: usize, place: Place, pieces: &mut Vec<Piece<'a>>) {
    let text = text[start..end].trim();
    if !text.is_empty() {
        let has_begun = pieces.iter().any(|piece| piece.place == Place::Open);
        let place = if has_begun { place } else { Place::Open };
        pieces.push(Piece { place, text });
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, join_broken_words, pieces};

    fn cut(text: &str) -> Vec<(Place, &str)> {
        pieces(text).into_iter().map(|piece| (piece.place, piece.text)).collect()
    }

    #[test]
    fn brackets_and_dashes_cut() {
        use Place::{Bracket, Open, Tail};
        assert_eq!(
            cut("Song (Live) - Remastered"),
            [(Open, "Song"), (Bracket, "Live"), (Tail, "Remastered")]
        );
        assert_eq!(cut("Half-way - to"), [(Open, "Half-way"), (Tail, "to")]);
        assert_eq!(
            cut("Song (feat. A (of B)) [x]"),
            [(Open, "Song"), (Bracket, "feat. A (of B)"), (Bracket, "x")]
        );
        assert_eq!(cut("Song (cut o"), [(Open, "Song"), (Bracket, "cut o")]);
        assert_eq!(
            cut("Song - From \"A / B\""),
            [(Open, "Song"), (Tail, "From \"A / B\"")],
            "quotes hold together"
        );
        assert!(cut(" - ").is_empty() && cut("").is_empty());
    }

    #[test]
    fn brackets_within_a_word_do_not_cut() {
        for (text, joined) in [("(G)I-DLE", "GI-DLE"), ("Girl(s)", "Girls"), ("(Un)happy", "Unhappy")] {
            assert_eq!(join_broken_words(text), (joined.to_owned(), true));
        }
        assert!(!join_broken_words("Song (Live)").1 && !join_broken_words("((((").1);
    }
}
