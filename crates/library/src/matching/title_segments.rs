//! Splits titles at brackets and dashes.

/// Position of a segment in a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SegmentPosition {
    Open,
    Bracket,
    Tail,
    /// After a slash.
    Beside,
}

#[derive(Debug)]
pub(super) struct TitleSegment<'a> {
    pub(super) position: SegmentPosition,
    pub(super) text: &'a str,
}

/// Joins words with brackets inside, which hide or add a letter: (G)I-DLE, Girl(s). They are no qualifiers.
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

/// The segments of a title in order: plain text, text in brackets, text after dashes.
pub(super) fn segments(text: &str) -> Vec<TitleSegment<'_>> {
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
                    pieces.push(TitleSegment { position: SegmentPosition::Bracket, text: &text[start..at] });
                    start = at + 1;
                }
            }
            _ => {}
        }
    }
    if depth > 0 {
        // The title was truncated before the closing bracket.
        pieces.push(TitleSegment { position: SegmentPosition::Bracket, text: &text[start..] });
    } else {
        dashes(&text[start..], &mut pieces);
    }
    pieces
}

/// Splits at spaced dashes, bars and slashes. All but the first segment are tails, as is text after a bracket
/// and a dash.
fn dashes<'a>(text: &'a str, pieces: &mut Vec<TitleSegment<'a>>) {
    let mut start = 0;
    let mut place = SegmentPosition::Open;
    let bytes = text.as_bytes();
    let is_space = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace);
    let mut quotes = bytes.iter().filter(|byte| **byte == b'"').count();
    let mut is_quoted = false;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'"' {
            quotes -= 1;
            // The last quote opens nothing.
            is_quoted = !is_quoted && quotes > 0;
        }
        if is_quoted {
            continue;
        }
        let is_edge_or_space = at == 0 || is_space(at - 1);
        if matches!(byte, b'-' | b'|' | b'/' | b'~') && is_edge_or_space && is_space(at + 1) {
            push(text, start, at, place, pieces);
            start = at + 1;
            place = if *byte == b'/' { SegmentPosition::Beside } else { SegmentPosition::Tail };
        }
    }
    push(text, start, text.len(), place, pieces);
}

fn push<'a>(text: &'a str, start: usize, end: usize, place: SegmentPosition, pieces: &mut Vec<TitleSegment<'a>>) {
    let text = text[start..end].trim();
    if !text.is_empty() {
        let has_begun = pieces.iter().any(|piece| piece.position == SegmentPosition::Open);
        let place = if has_begun { place } else { SegmentPosition::Open };
        pieces.push(TitleSegment { position: place, text });
    }
}

#[cfg(test)]
mod tests {
    use super::{SegmentPosition, join_broken_words, segments};

    fn cut(text: &str) -> Vec<(SegmentPosition, &str)> {
        segments(text).into_iter().map(|piece| (piece.position, piece.text)).collect()
    }

    #[test]
    fn brackets_and_dashes_cut() {
        use SegmentPosition::{Bracket, Open, Tail};
        assert_eq!(cut("Song (Live) - Remastered"), [(Open, "Song"), (Bracket, "Live"), (Tail, "Remastered")]);
        assert_eq!(cut("Half-way - to"), [(Open, "Half-way"), (Tail, "to")]);
        assert_eq!(cut("Song (feat. A (of B)) [x]"), [(Open, "Song"), (Bracket, "feat. A (of B)"), (Bracket, "x")]);
        assert_eq!(cut("Song (cut o"), [(Open, "Song"), (Bracket, "cut o")]);
        assert_eq!(cut("Song - From \"A / B\""), [(Open, "Song"), (Tail, "From \"A / B\"")], "quotes hold together");
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
