//! The list syntax of `Cache-Control`: names, with or without a value, in one line or several.

use http::{HeaderMap, HeaderName};

/// The longest time that a directive can name; larger numbers mean this one.
pub const MAX_SECONDS: u64 = i32::MAX as u64;

/// One directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Name, in lower case.
    pub name: String,
    /// Value, without its quotes.
    pub value: Option<String>,
}

impl Directive {
    /// Its value as a number of seconds. A value that is none counts as 0: a lifetime that cannot be read is none.
    pub fn seconds(&self) -> u64 {
        let value = self.value.as_deref().unwrap_or_default();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return 0;
        }
        value.parse().unwrap_or(MAX_SECONDS).min(MAX_SECONDS)
    }

    /// The field names in its value, in lower case.
    pub fn field_names(&self) -> Vec<HeaderName> {
        let value = self.value.as_deref().unwrap_or_default();
        value.split(',').filter_map(|name| name.trim().parse().ok()).collect()
    }
}

/// All directives of a field. Lines that are not text are skipped.
pub fn directives(headers: &HeaderMap, name: &HeaderName) -> Vec<Directive> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(split_list).filter_map(parse_directive).collect()
}

fn parse_directive(text: &str) -> Option<Directive> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    // `max-age =1` is no `max-age`: no white space may stand around the sign.
    (!name.is_empty()).then(|| Directive { name: name.to_ascii_lowercase(), value: value.map(unquoted) })
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        text.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    text
}

/// The elements of a comma-separated list, trimmed; commas in quotes do not separate. Empty elements are left out.
pub fn split_list(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            let ends = byte == b',' && !is_quoted;
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_quoted => is_escaped = true,
                b'"' => is_quoted = !is_quoted,
                _ => {}
            }
            ends
        });
        rest = end.map(|end| &text[end + 1..]);
        Some(text[..end.unwrap_or(text.len())].trim())
    })
    .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use http::header::CACHE_CONTROL;

    use super::*;

    fn parse(lines: &[&str]) -> Vec<(String, Option<String>)> {
        let lines = lines.iter().map(|line| (CACHE_CONTROL, line.parse().expect("a value")));
        let mut headers = HeaderMap::new();
        lines.for_each(|(name, value)| {
            headers.append(name, value);
        });
        directives(&headers, &CACHE_CONTROL).into_iter().map(|one| (one.name, one.value)).collect()
    }

    fn named(name: &str, value: &str) -> (String, Option<String>) {
        (name.to_owned(), Some(value.to_owned()))
    }

    #[test]
    fn a_comma_in_quotes_separates_nothing() {
        assert_eq!(
            parse(&["extension=\"max-age=3600, x\", max-age=1"]),
            [named("extension", "max-age=3600, x"), named("max-age", "1")]
        );
        assert_eq!(parse(&["a=\"\\\",b\", c"]), [named("a", "\",b"), ("c".to_owned(), None)]);
        assert_eq!(parse(&["no-cache=\"a"]), [named("no-cache", "\"a")], "an open quote ends with the line");
    }

    #[test]
    fn lines_add_up_and_names_have_no_case() {
        assert_eq!(parse(&["MaX-aGe=3600", ", ,No-StOrE"]), [named("max-age", "3600"), ("no-store".to_owned(), None)]);
    }

    #[test]
    fn a_time_that_cannot_be_read_is_none() {
        let seconds = |value: &str| Directive { name: "max-age".into(), value: Some(value.into()) }.seconds();
        for (value, wanted) in [
            ("3600", 3600),
            ("003600", 3600),
            ("2147483648", MAX_SECONDS),
            ("99999999999999999999999", MAX_SECONDS),
            ("-3600", 0),
            ("'3600'", 0),
            ("3600.5", 0),
            (" 3600", 0),
            ("", 0),
            ("+1", 0),
        ] {
            assert_eq!(seconds(value), wanted, "{value}");
        }
    }
}
