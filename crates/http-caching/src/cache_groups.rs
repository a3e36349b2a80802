//! Groups of responses that are invalidated together (RFC 9875).

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, List, ListEntry, Parser};

/// Names the groups of a response.
pub const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
/// In the response to an unsafe request: names the groups to invalidate.
pub const CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");
/// Max groups of one response that count; the rest is ignored.
pub const MAX_GROUPS: usize = 128;
/// Max bytes of a group's name; longer ones are ignored.
pub const MAX_GROUP_BYTES: usize = 256;

/// The groups in a field; none if it is malformed.
pub fn groups(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines: Option<Vec<&str>> = headers.get_all(name).iter().map(|line| line.to_str().ok()).collect();
    let Some(list) = lines.and_then(|lines| Parser::new(&lines.join(",")).parse::<List>().ok()) else {
        return Vec::new();
    };
    let names = list.into_iter().filter_map(|entry| match entry {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::String(text) => Some(text.as_str().to_owned()),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    });
    names.filter(|name| name.len() <= MAX_GROUP_BYTES).take(MAX_GROUPS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_GROUPS, line.parse().expect("a value"));
        }
        groups(&headers, &CACHE_GROUPS)
    }

    #[test]
    fn groups_are_strings_and_keep_their_case() {
        assert_eq!(of(&["\"a\", \"B\";x=1", "\"c\""]), ["a", "B", "c"]);
        assert_eq!(of(&["\"a\", token, (\"b\"), 3"]), ["a"]);
        assert_eq!(of(&["\"a\", &&"]), [""; 0]);
    }

    #[test]
    fn many_long_names_are_kept_and_there_is_a_bound() {
        let name = |number: usize| format!("\"{number:0>32}\"");
        let many: Vec<String> = (0..MAX_GROUPS + 9).map(name).collect();
        assert_eq!(of(&[&many.join(", ")]).len(), MAX_GROUPS);
        assert!(of(&[&format!("\"{}\"", "x".repeat(MAX_GROUP_BYTES + 1))]).is_empty());
    }
}
