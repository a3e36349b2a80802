//! The normal form of a document: its tokens, without comments, commas and white space.

/// Max bytes of a document.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Max brackets that are open at once in a document that is parsed: the parser recurses at each of them.
pub(crate) const MAX_NESTING: usize = 64;

/// The normal form of a document: two documents with the same tokens have the same one, and only those. `None` if it is
/// no document: a string does not end, or brackets are nested deeper than [`MAX_NESTING`].
pub(crate) fn normal_form(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut ends_in_word = false;
    let mut nesting = 0_usize;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => {
                rest = rest.find(['\n', '\r']).map_or("", |end| &rest[end..]);
                continue;
            }
            _ if first.is_whitespace() || first == ',' || first == '\u{feff}' => {
                rest = &rest[first.len_utf8()..];
                continue;
            }
            '"' if rest.starts_with("\"\"\"") => block_string_length(rest)?,
            '"' => string_length(rest)?,
            _ if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
            '.' if rest.starts_with("...") => 3,
            _ => first.len_utf8(),
        };
        match first {
            '{' | '[' | '(' => nesting += 1,
            '}' | ']' | ')' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        if nesting > MAX_NESTING {
            return None;
        }
        let (token, after) = rest.split_at(length);
        if ends_in_word && token.starts_with(is_word) {
            out.push(' ');
        }
        out.push_str(token);
        // Two strings side by side would read as the begin of a block.
        if token.ends_with('"') {
            out.push(' ');
        }
        ends_in_word = token.ends_with(is_word);
        rest = after;
    }
    Some(out)
}

/// Letters of names and numbers: none of them ends a token.
fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '+')
}

/// `None` if it does not end on its line.
fn string_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped && !matches!(letter, '\n' | '\r') => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at + 1),
            '\n' | '\r' => return None,
            _ => {}
        }
    }
    None
}

fn block_string_length(text: &str) -> Option<usize> {
    let mut from = 3;
    while let Some(end) = text[from..].find("\"\"\"") {
        let at = from + end;
        if !text[..at].ends_with('\\') {
            return Some(at + 3);
        }
        from = at + 3;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn white_space_commas_and_comments_make_no_difference() {
        let wanted = normal_form("query Q($id:ID!){project(id:$id,limit:3){id name}}");
        for same in [
            "query Q ( $id : ID! ) { project ( id: $id limit: 3 ) { id, name } }",
            "# a comment { } \"\n\u{feff}query Q($id:ID!)\r\n{project(id:$id,,limit:3){id # id\n name}}",
        ] {
            assert_eq!(normal_form(same), wanted);
        }
    }

    #[test]
    fn what_is_different_stays_different() {
        let documents = [
            "{a b}",
            "{ab}",
            "{a(x:\"b c\")}",
            "{a(x:\"b  c\")}",
            "{a(x:\"b,c\")}",
            "{a(x:\"#b\")}",
            "{a(x:1 y:2)}",
            "{a(x:12)}",
            "{a(x:\"\" y:\"\")}",
            "{a(x:\"\"\"b\"\"\")}",
            "{a(x:\"b\")}",
            "{a(x:[1 2])}",
            "{a(x:[12])}",
            "{...a}",
            "{... a b}",
            "{a(x:\"\\\"\")}",
            "{a(x:1.5)}",
            "{a(x:1 5)}",
            "{a(x:-1)}",
            "{a(x:\"\"\"b\\\"\"\"\"\"\")}",
        ];
        let mut forms: Vec<Option<String>> = documents.iter().map(|document| normal_form(document)).collect();
        forms.sort();
        forms.dedup();
        assert_eq!(forms.len(), documents.len());
    }

    #[test]
    fn brackets_of_every_kind_are_counted_before_anything_is_parsed() {
        for open in ["{", "[", "(", "{a(x:[", "[\"]]]]\"", "[\"\"\"]]]]\"\"\"", "[#]]]]\n"] {
            assert_eq!(normal_form(&format!("{{a(x:{}", open.repeat(100_000))), None, "{open}");
        }
        assert_eq!(normal_form("{a(x:\"\"\" [[[[ \" [[[[ "), None, "it does not end");
        assert_eq!(normal_form("{a(x:\"[\n\")}"), None, "it does not end on its line");
        let deep = format!("{}a{}", "{a".repeat(MAX_NESTING), "}".repeat(MAX_NESTING));
        assert!(normal_form(&deep).is_some());
        assert!(normal_form(&"{a}".repeat(1000)).is_some(), "only what is open at once counts");
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own(text in "[ -~\n]{0,60}") {
            if let Some(once) = normal_form(&text) {
                prop_assert_eq!(normal_form(&once), Some(once.clone()));
            }
        }
    }
}
