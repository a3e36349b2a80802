//! Inverts a rule whose expression is literal text around groups.

use super::path_map::PathRule;

/// A piece of a replacement: text, or the name of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReplacementPart {
    Text(String),
    Group(String),
}

/// Splits a replacement into pieces; `None` if a dollar sign names no group.
pub(super) fn replacement(to: &str) -> Option<Vec<ReplacementPart>> {
    let mut pieces = Vec::new();
    let mut rest = to;
    while let Some(at) = rest.find('$') {
        if at > 0 {
            pieces.push(ReplacementPart::Text(rest[..at].to_owned()));
        }
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            pieces.push(ReplacementPart::Text("$".to_owned()));
            rest = after;
            continue;
        }
        let (group, after) = if let Some(braced) = rest.strip_prefix('{') {
            braced.split_once('}')?
        } else {
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            rest.split_at(rest.find(|letter: char| !is_name(letter)).unwrap_or(rest.len()))
        };
        if group.is_empty() {
            return None;
        }
        pieces.push(ReplacementPart::Group(group.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(ReplacementPart::Text(rest.to_owned()));
    }
    Some(pieces)
}

/// An expression of literal text around groups.
struct LiteralPattern {
    /// Flags such as `(?i)`.
    flags: String,
    is_begun: bool,
    is_ended: bool,
    /// Literal text, or the inside of a group.
    pieces: Vec<ReplacementPart>,
}

/// The inverse rule, if the expression is literal text around groups and the replacement uses each group
/// once.
pub(super) fn reverse(rule: PathRule<'_>) -> Option<(String, String)> {
    let plain = read(rule.from)?;
    let groups: Vec<&str> = plain
        .pieces
        .iter()
        .filter_map(|piece| match piece {
            ReplacementPart::Group(inside) => Some(inside.as_str()),
            ReplacementPart::Text(_) => None,
        })
        .collect();
    let mut used = Vec::new();
    let mut from = plain.flags.clone();
    from.push_str(if plain.is_begun { "^" } else { "" });
    let before = from.len();
    for piece in replacement(rule.to)? {
        match piece {
            ReplacementPart::Text(text) => from.push_str(&regex::escape(&text)),
            ReplacementPart::Group(number) => {
                let number: usize = number.parse().ok().filter(|number| !used.contains(number))?;
                let inside = groups.get(number.checked_sub(1)?)?;
                used.push(number);
                from.push('(');
                from.push_str(inside);
                from.push(')');
            }
        }
    }
    if used.len() != groups.len() || (from.len() == before && !plain.is_begun) {
        return None;
    }
    from.push_str(if plain.is_ended { "$" } else { "" });
    let mut to = String::new();
    let mut group = 0;
    for piece in &plain.pieces {
        match piece {
            ReplacementPart::Text(text) => to.push_str(&text.replace('$', "$$")),
            ReplacementPart::Group(_) => {
                group += 1;
                let place = used.iter().position(|number| *number == group)? + 1;
                to.extend(["${", &place.to_string(), "}"]);
            }
        }
    }
    Some((from, to))
}

/// Parses an expression of literal text around groups.
fn read(from: &str) -> Option<LiteralPattern> {
    let (flags, from) = from.strip_prefix("(?i)").map_or(("", from), |rest| ("(?i)", rest));
    let (is_begun, from) = from.strip_prefix('^').map_or((false, from), |rest| (true, rest));
    let mut plain = LiteralPattern { flags: flags.to_owned(), is_begun, is_ended: false, pieces: Vec::new() };
    let mut text = String::new();
    let mut rest = from.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => text.push(rest.next().filter(char::is_ascii_punctuation)?),
            '$' => {
                plain.is_ended = true;
                if rest.next().is_some() {
                    return None;
                }
            }
            '(' => {
                let (inside, after) = group(rest.as_str())?;
                if !text.is_empty() {
                    plain.pieces.push(ReplacementPart::Text(std::mem::take(&mut text)));
                }
                plain.pieces.push(ReplacementPart::Group(inside.to_owned()));
                rest = after.chars();
            }
            '.' | '*' | '+' | '?' | '|' | '[' | ']' | '{' | '}' | ')' | '^' => return None,
            letter => text.push(letter),
        }
    }
    if !text.is_empty() {
        plain.pieces.push(ReplacementPart::Text(text));
    }
    Some(plain)
}

/// The inside of a group without nested groups, and the rest of the text.
fn group(text: &str) -> Option<(&str, &str)> {
    let mut is_class = false;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '[' => is_class = true,
            ']' => is_class = false,
            '(' if !is_class => return None,
            ')' if !is_class => {
                let (inside, after) = (&text[..at], &text[at + 1..]);
                let is_repeated = after.starts_with(['*', '+', '?', '{']);
                return (!is_repeated && !inside.starts_with('?')).then_some((inside, after));
            }
            _ => {}
        }
    }
    None
}
