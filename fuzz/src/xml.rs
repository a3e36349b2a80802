//! Whether a text is a whole XML document, read in the simplest way there is: only what opens and closes counts.

/// Whether every element ends, in the right order, within one root.
pub fn is_whole(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")]
            .iter()
            .find(|(start, _)| rest.starts_with(start))
            .map(|(start, end)| rest[start.len()..].find(end).map(|at| start.len() + at + end.len()));
        if let Some(skipped) = skipped {
            let Some(after) = skipped else { return false };
            rest = &rest[after..];
            continue;
        }
        let Some(end) = end_of_tag(rest) else { return false };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name.trim_end()) {
                return false;
            }
            continue;
        }
        roots += usize::from(open.is_empty());
        if !tag.ends_with('/') {
            open.push(tag.split(|letter: char| letter.is_ascii_whitespace()).next().unwrap_or_default());
        }
    }
    open.is_empty() && roots == 1
}

/// Position of the `>` that ends the tag at the start of `text`: one in quotes is part of a value.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, letter)| {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '>') => return Some(at),
            _ => {}
        }
        None
    })
}
