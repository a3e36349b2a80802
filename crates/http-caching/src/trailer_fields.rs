//! Trailers: fields after a body (RFC 9110, section 6.5). They are stored apart from the head's fields, never merged into
//! them, and are for clients that say that they accept them.

use http::Version;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, HeaderMap,
    HeaderName, HeaderValue, MAX_FORWARDS, SET_COOKIE, TE, TRAILER,
};

use crate::hop_by_hop;
use crate::response_directives::ResponseDirectives;
use crate::storage::CacheKind;

/// Fields that frame, route or explain a message, or are for one client: they count in a head only.
const NEVER: [HeaderName; 10] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    HOST,
    MAX_FORWARDS,
    SET_COOKIE,
    TRAILER,
];

/// The trailers of a response with this head that may be stored.
pub fn storable(mut trailers: HeaderMap, head: &HeaderMap, audience: CacheKind) -> HeaderMap {
    hop_by_hop::strip(&mut trailers);
    let directives = ResponseDirectives::of(head);
    let private: &[HeaderName] = if audience == CacheKind::Shared { directives.private.fields() } else { &[] };
    for name in directives.no_cache.fields().iter().chain(private).chain(&NEVER) {
        trailers.remove(name);
    }
    trailers
}

/// The value of `Trailer` that announces them, if there are any.
pub fn announcement(trailers: &HeaderMap) -> Option<HeaderValue> {
    let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
    if names.is_empty() { None } else { HeaderValue::from_str(&names.join(", ")).ok() }
}

/// Whether a request says that its client accepts trailers.
pub fn are_accepted(version: Version, request: &HeaderMap) -> bool {
    let lines = request.get_all(TE).iter().filter_map(|line| line.to_str().ok());
    let mut codings = lines.flat_map(|line| line.split(',')).map(str::trim);
    version >= Version::HTTP_11 && codings.any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(pair).collect()
    }

    #[test]
    fn trailers_that_count_in_a_head_only_or_are_for_one_client_are_not_stored() {
        let all = fields(&[
            ("digest", "x"),
            ("set-cookie", "a=b"),
            ("content-length", "3"),
            ("cache-control", "max-age=9"),
            ("transfer-encoding", "chunked"),
            ("own", "1"),
            ("checked", "2"),
        ]);
        let head = fields(&[("cache-control", "max-age=5, private=\"own\", no-cache=\"checked\"")]);
        let names = |audience| {
            let mut names: Vec<String> =
                storable(all.clone(), &head, audience).keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(CacheKind::Shared), ["digest"]);
        assert_eq!(names(CacheKind::Private), ["digest", "own"]);
        let announced = announcement(&fields(&[("a", "1"), ("b", "2")])).expect("a value");
        assert_eq!(announced, "a, b");
        assert_eq!(announcement(&HeaderMap::new()), None);
    }

    #[test]
    fn a_client_accepts_trailers_only_if_it_says_so() {
        for (version, value, wanted) in [
            (Version::HTTP_11, "trailers", true),
            (Version::HTTP_11, "gzip;q=0.5, Trailers", true),
            (Version::HTTP_10, "trailers", false),
            (Version::HTTP_11, "gzip", false),
            (Version::HTTP_11, "", false),
        ] {
            assert_eq!(are_accepted(version, &fields(&[("te", value)])), wanted, "{value}");
        }
        assert!(!are_accepted(Version::HTTP_11, &HeaderMap::new()));
    }
}
