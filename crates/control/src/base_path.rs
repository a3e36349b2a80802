//! The path before ours, where a reverse proxy leaves one.

use http::Uri;
use http::uri::PathAndQuery;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// It came without the prefix.
    Plain,
    /// It came below the prefix, and goes on to this.
    Below(Uri),
    /// It came to the prefix without the slash behind it; links of the page would lead elsewhere from there.
    NeedsSlash,
}

/// Takes the prefix off a target; an empty prefix is none.
pub(super) fn way(target: &Uri, prefix: &str) -> Way {
    let whole = target.path_and_query().map_or("/", PathAndQuery::as_str);
    let Some(rest) = whole.strip_prefix(prefix).filter(|_| !prefix.is_empty()) else { return Way::Plain };
    match rest.as_bytes().first() {
        None => Way::NeedsSlash,
        Some(b'/') => rest.parse().map_or(Way::Plain, Way::Below),
        Some(_) => Way::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_prefix_is_taken_off() {
        let below = |text: &str| Way::Below(text.parse().expect("a target"));
        let cases = [
            ("/greenroom/", "/greenroom", below("/")),
            ("/greenroom/metrics?a=b", "/greenroom", below("/metrics?a=b")),
            ("/greenroom//evil.example/", "/greenroom", below("//evil.example/")),
            ("/greenroom", "/greenroom", Way::NeedsSlash),
            ("/greenrooms", "/greenroom", Way::Plain),
            ("/metrics", "/greenroom", Way::Plain),
            ("/metrics", "", Way::Plain),
        ];
        for (target, prefix, expected) in cases {
            let uri: Uri = target.parse().expect("a target");
            assert_eq!(way(&uri, prefix), expected, "{target}");
        }
    }
}
