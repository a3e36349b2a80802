//! The base path of a reverse proxy.

use http::Uri;
use http::uri::PathAndQuery;

/// A request target matched against the base path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BasePathMatch {
    /// The target lacks the prefix.
    Unprefixed,
    /// The target had the prefix; this is the rest.
    Prefixed(Uri),
    /// The target is the prefix without a trailing slash; relative links of the page would break there.
    NeedsSlash,
}

/// Matches a target against a prefix and strips it; an empty prefix is ignored.
pub(super) fn match_base_path(target: &Uri, prefix: &str) -> BasePathMatch {
    let target = target.path_and_query().map_or("/", PathAndQuery::as_str);
    let Some(rest) = target.strip_prefix(prefix).filter(|_| !prefix.is_empty()) else {
        return BasePathMatch::Unprefixed;
    };
    match rest.as_bytes().first() {
        None => BasePathMatch::NeedsSlash,
        Some(b'/') => rest.parse().map_or(BasePathMatch::Unprefixed, BasePathMatch::Prefixed),
        Some(_) => BasePathMatch::Unprefixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_path_segment_prefix_is_stripped() {
        let prefixed = |text: &str| BasePathMatch::Prefixed(text.parse().expect("a request target"));
        let cases = [
            ("/greenroom/", "/greenroom", prefixed("/")),
            ("/greenroom/metrics?a=b", "/greenroom", prefixed("/metrics?a=b")),
            ("/greenroom//evil.example/", "/greenroom", prefixed("//evil.example/")),
            ("/greenroom", "/greenroom", BasePathMatch::NeedsSlash),
            ("/greenrooms", "/greenroom", BasePathMatch::Unprefixed),
            ("/metrics", "/greenroom", BasePathMatch::Unprefixed),
            ("/metrics", "", BasePathMatch::Unprefixed),
        ];
        for (target, prefix, expected) in cases {
            let uri: Uri = target.parse().expect("a request target");
            assert_eq!(match_base_path(&uri, prefix), expected, "{target}");
        }
    }
}
