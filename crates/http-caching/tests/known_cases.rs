//! The cases that users of HTTP caches know from the tests of other libraries, decided by the whole of this crate: what
//! is stored, how long it is fresh, which requests it satisfies, how it is validated. Where the others decide otherwise
//! than RFC 9111 does, the reason is beside the case.

use std::time::Duration;

use greenroom_http_caching::freshness::ExchangeTimes;
use greenroom_http_caching::http_date::format;
use greenroom_http_caching::request_directives::RequestDirectives;
use greenroom_http_caching::reuse::{Reuse, is_usable_on_error, reuse};
use greenroom_http_caching::storage::{self, CacheKind, ConfiguredLifetimes, Exchange, StorageRefusal};
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_http_caching::validation::{is_of_another_version, set_conditions, updated_headers};
use greenroom_http_caching::variant::selects;
use http::header::{HeaderMap, HeaderName};
use http::{Method, StatusCode};

const NOW_MS: u64 = 1_800_000_000_000;

/// Fields as lines of text.
fn fields(text: &str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').expect("a field");
        fields.append(name.parse::<HeaderName>().expect("a name"), value.trim().parse().expect("a value"));
    }
    fields
}

/// A date so many seconds from now.
fn at(seconds: i64) -> String {
    format(NOW_MS.saturating_add_signed(seconds * 1000))
}

fn exchanged(
    (method, request): (&Method, &str),
    (status, response): (u16, &str),
    audience: CacheKind,
) -> Result<StoredHead, StorageRefusal> {
    let (request, response) = (fields(request), fields(response));
    let exchange = Exchange {
        method,
        request: &request,
        request_forbids: RequestDirectives::of(&request).no_store,
        status: StatusCode::from_u16(status).expect("a status"),
        response: &response,
        times: ExchangeTimes { request_ms: NOW_MS, response_ms: NOW_MS },
        audience,
        configured: ConfiguredLifetimes::default(),
        default_error: Duration::ZERO,
    };
    storage::evaluate(&exchange).map(|(head, _)| head)
}

fn stored(status: u16, response: &str, audience: CacheKind) -> Result<StoredHead, StorageRefusal> {
    exchanged((&Method::GET, ""), (status, response), audience)
}

/// Seconds for which a response is fresh from now on, in a shared cache; `None` if it is not stored.
fn fresh_s(status: u16, response: &str) -> Option<i64> {
    stored(status, response, CacheKind::Shared).ok().map(|head| head.fresh_left_ms(NOW_MS) / 1000)
}

/// Use of a response with these fields for a request with those, so many seconds from now.
fn used(response: &str, request: &str, seconds: u64) -> Reuse {
    let head = stored(200, response, CacheKind::Shared).expect("stored");
    reuse(&head, &RequestDirectives::of(&fields(request)), NOW_MS + seconds * 1000)
}

#[test]
fn a_lifetime_is_read_however_it_is_written() {
    for (response, wanted) in [
        (String::new(), Some(0)),
        ("cache-control: public, max-age=999999".into(), Some(999_999)),
        ("cache-control: ,,,,max-age=456      ,".into(), Some(456)),
        // With white space in it, it is no directive that could be trusted, so the response is stale from the beginning.
        ("cache-control: max-age=  456".into(), Some(0)),
        ("cache-control:   max-age=\"678\"      ".into(), Some(678)),
        ("cache-control: max-age=100, custom, foo=bar".into(), Some(100)),
        ("cache-control: pre-check=0, post-check=0, no-store, no-cache, max-age=100".into(), None),
        ("cache-control: no-store, public, max-age=1".into(), None),
        ("cache-control: public, max-age=0".into(), Some(0)),
        (format!("date: {}\nexpires: {}", at(0), at(2)), Some(2)),
        (format!("date: {}\nexpires: {}", at(-1), at(2)), Some(2)),
        (format!("cache-control: public\nexpires: {}", at(3600)), Some(3600)),
        ("cache-control: public, max-age=9999\nexpires: Sat, 07 May 2016 15:35:18 GMT".into(), Some(9999)),
        ("cache-control: public, s-maxage=9999\nexpires: Sat, 07 May 2016 15:35:18 GMT".into(), Some(9999)),
        (format!("cache-control: public, max-age=333\nexpires: {}", at(3600)), Some(333)),
        ("expires: yesterday!".into(), Some(0)),
        (format!("etag: \"v1\"\nlast-modified: {}\nexpires: {}", at(-3600), at(3600)), Some(3600)),
        // They say that it never changes, which is no lifetime (RFC 8246).
        ("cache-control: immutable, max-age=999999".into(), Some(999_999)),
        ("cache-control: immutable, max-age=0".into(), Some(0)),
        (format!("cache-control: immutable\nlast-modified: {}", at(0)), Some(0)),
        // A guess, of at most a day; `Pragma` means nothing in a response.
        (format!("date: {}\nlast-modified: {}", at(0), at(-100)), Some(10)),
        (format!("date: {}\nlast-modified: {}", at(-5), at(-105)), Some(5)),
        (format!("last-modified: {}", at(-100 * 24 * 3600)), Some(24 * 3600)),
        (format!("cache-control: \npragma: no-cache\nlast-modified: {}", at(-100)), Some(10)),
    ] {
        let found = fresh_s(200, &response);
        let is_near = found.zip(wanted).is_some_and(|(found, wanted)| found.abs_diff(wanted) <= 1);
        assert!(found == wanted || is_near, "{response}: {found:?}");
    }
}

#[test]
fn an_age_counts_from_the_first_moment() {
    assert_eq!(fresh_s(200, "cache-control: max-age=100\nage: 50"), Some(50));
    assert_eq!(fresh_s(200, "cache-control: max-age=100\nage: 101"), Some(-1));
    assert_eq!(fresh_s(200, "cache-control: max-age=20\nage: 15"), Some(5));
    assert_eq!(fresh_s(200, "cache-control: max-age=20\nage: golden"), Some(20));
    let head = stored(200, "cache-control: max-age=100\nage: 50", CacheKind::Shared).expect("stored");
    assert_eq!(head.fresh_left_ms(NOW_MS + 48_000), 2000);
    assert_eq!(head.fresh_left_ms(NOW_MS + 53_000), -3000);
    // A date in the past is the age of what came, whatever the clocks say (RFC 9111, section 4.2.3).
    assert!(fresh_s(200, &format!("date: {}\ncache-control: max-age=60", at(-120))).is_some_and(|left| left < 0));
    assert_eq!(fresh_s(200, &format!("date: {}\ncache-control: max-age=60", at(120))), Some(60));
}

#[test]
fn which_statuses_are_stored() {
    let old = format!("last-modified: {}", at(-1000));
    let lasting = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
    for status in (200..=599).filter(|status| StatusCode::from_u16(*status).is_ok() && *status != 206) {
        let is_lasting = lasting.contains(&status);
        assert_eq!(fresh_s(status, &old), is_lasting.then_some(100), "{status}: nobody said so");
        // What is said counts for every final status (RFC 9111, section 3), also for errors.
        let said = fresh_s(status, "cache-control: max-age=1000");
        assert_eq!(said, (status != 304).then_some(1000), "{status}");
    }
    assert_eq!(fresh_s(303, "cache-control: max-age=1000"), Some(1000));
    assert_eq!(fresh_s(100, "cache-control: max-age=1000"), None);
    let part = stored(206, "cache-control: max-age=5", CacheKind::Shared).expect("stored");
    assert_eq!(storage::with_part(part, 5).err(), Some(StorageRefusal::Status), "it does not say which part it is");
}

#[test]
fn what_is_for_one_user_is_stored_for_no_other() {
    for (response, shared, own) in [
        ("cache-control: private, max-age=1234", None, Some(1234)),
        ("cache-control: private, public, max-age=259200", None, Some(259_200)),
        ("cache-control: public, s-maxage=9999, max-age=5", Some(9999), Some(5)),
        ("cache-control: max-age=88, must-revalidate", Some(88), Some(88)),
        // No cookie is stored, not even for its owner.
        ("set-cookie: foo=bar\ncache-control: max-age=99", None, None),
        ("set-cookie: foo=bar\ncache-control: immutable, max-age=99", None, None),
        ("set-cookie: foo=bar\ncache-control: max-age=5, public", None, None),
    ] {
        let lifetime = |audience| stored(200, response, audience).ok().map(|head| head.lifetime_ms / 1000);
        assert_eq!((lifetime(CacheKind::Shared), lifetime(CacheKind::Private)), (shared, own), "{response}");
    }
}

#[test]
fn what_is_no_read_is_not_stored() {
    for method in [Method::POST, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE, Method::HEAD] {
        for value in ["public", "public, max-age=222"] {
            let head = exchanged((&method, ""), (200, &format!("cache-control: {value}")), CacheKind::Shared);
            assert_eq!(head.err(), Some(StorageRefusal::Method), "{method}");
        }
    }
    let forbidden =
        exchanged((&Method::GET, "cache-control: no-store"), (200, "cache-control: max-age=222"), CacheKind::Shared);
    assert_eq!(forbidden.err(), Some(StorageRefusal::NoStore));
}

#[test]
fn which_requests_a_stored_response_satisfies() {
    const MINUTE: &str = "cache-control: max-age=60";
    for (response, request, seconds, wanted) in [
        (MINUTE, "", 59, Reuse::Now),
        (MINUTE, "", 60, Reuse::Validate),
        (MINUTE, "cache-control: fine", 5, Reuse::Now),
        (MINUTE, "cache-control: no-cache", 5, Reuse::Validate),
        (MINUTE, "pragma: no-cache", 5, Reuse::Validate),
        (MINUTE, "cache-control: max-age=30", 29, Reuse::Now),
        (MINUTE, "cache-control: max-age=30", 31, Reuse::Validate),
        (MINUTE, "cache-control: min-fresh=10", 49, Reuse::Now),
        (MINUTE, "cache-control: min-fresh=10", 51, Reuse::Validate),
        (MINUTE, "cache-control: max-stale", 9999, Reuse::Stale),
        (MINUTE, "cache-control: max-stale=40", 99, Reuse::Stale),
        (MINUTE, "cache-control: max-stale=40", 101, Reuse::Validate),
        ("cache-control: max-age=60, must-revalidate", "cache-control: max-stale", 61, Reuse::Validate),
        // It is about stale responses only (RFC 9111, section 5.2.2.8).
        ("cache-control: max-age=60, proxy-revalidate", "", 59, Reuse::Now),
        ("cache-control: max-age=60, proxy-revalidate", "cache-control: max-stale", 61, Reuse::Validate),
        ("cache-control: max-age=60, no-cache", "", 0, Reuse::Validate),
    ] {
        assert_eq!(used(response, request, seconds), wanted, "{response} | {request} | {seconds}");
    }
    let found = stored(302, &format!("expires: {}", at(2)), CacheKind::Shared).expect("stored");
    assert_eq!(reuse(&found, &RequestDirectives::default(), NOW_MS), Reuse::Now);
}

#[test]
fn windows_begin_when_freshness_ends() {
    let head =
        |value: &str| stored(200, &format!("cache-control: max-age=60, {value}"), CacheKind::Shared).expect("stored");
    assert_eq!(head("stale-while-revalidate=200").stale_while_revalidate_ms, 200_000);
    assert_eq!(head("stale-while-revalidate=200, must-revalidate").stale_while_revalidate_ms, 0);
    let none = RequestDirectives::default();
    assert_eq!(reuse(&head("stale-while-revalidate=200"), &none, NOW_MS + 120_000), Reuse::Validate);
    let usable = |value: &str, seconds: u64| is_usable_on_error(&head(value), NOW_MS + seconds * 1000);
    assert!(usable("stale-if-error=200", 259));
    assert!(!usable("stale-if-error=200", 261));
    assert!(!usable("stale-if-error=200, must-revalidate", 61));
}

#[test]
fn a_response_is_validated_with_its_own_validators_alone() {
    let etag = "etag: \"123\"";
    let modified = "last-modified: Tue, 15 Nov 1994 12:45:26 GMT";
    for (stored, wanted) in [
        (etag.to_owned(), "if-none-match: \"123\"".to_owned()),
        (modified.to_owned(), modified.replace("last-modified", "if-modified-since")),
        (
            format!("{etag}\n{modified}"),
            format!("if-none-match: \"123\"\n{}", modified.replace("last-modified", "if-modified-since")),
        ),
        ("cache-control: max-age=5".to_owned(), String::new()),
    ] {
        // Those of the client are about what it has. Asked together, a 304 would not say which of them it is about.
        let client = "if-none-match: W/\"weak\", \"strong\"\nif-modified-since: yesterday\nif-range: \"a\"\nx-own: 1";
        let mut request = fields(client);
        set_conditions(&mut request, &fields(&stored));
        assert_eq!(request, fields(&format!("x-own: 1\n{wanted}")), "{stored}");
    }
}

#[test]
fn a_304_updates_the_response_that_it_is_about() {
    for (stored, told, is_same) in [
        ("etag: \"a\"", "etag: \"a\"", true),
        ("etag: W/\"a\"", "etag: W/\"a\"", true),
        ("etag: \"a\"", "etag: \"b\"", false),
        ("etag: \"a\"\nlast-modified: Tue, 15 Nov 1994 12:45:26 GMT", "etag: \"b\"", false),
        ("last-modified: Tue, 15 Nov 1994 12:45:26 GMT", "last-modified: Tue, 15 Nov 1994 12:45:26 GMT", true),
        // It came for the very condition that was sent.
        ("etag: \"a\"", "", true),
    ] {
        assert_eq!(!is_of_another_version(&fields(told), &fields(stored)), is_same, "{stored} | {told}");
    }
    let stored = fields("x: old\ny: 1\ncontent-length: 7\ncontent-type: text/plain");
    let updated = updated_headers(&stored, &fields("x: new\nz: 3\ncontent-length: 0\nconnection: z"));
    assert_eq!(updated, fields("x: new\ny: 1\ncontent-length: 7\ncontent-type: text/plain"));
}

#[test]
fn fields_of_the_connection_are_not_stored_and_all_others_are() {
    let response = "te: deflate\ncustom: header\noompa: lumpa\nconnection: close, oompa, header\n\
        cache-control: max-age=333\nwarning: 199 test danger";
    let head = stored(200, response, CacheKind::Shared).expect("stored");
    let mut names: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    // Warnings mean nothing any more (RFC 9111, section 5.5), and are fields like others.
    assert_eq!(names, ["cache-control", "custom", "date", "warning"]);
}

#[test]
fn a_request_selects_what_it_varies_by() {
    for (vary, first, later, wanted) in [
        ("weather", "weather: nice", "weather: nice", true),
        ("weather", "weather: nice", "weather: bad", false),
        ("weather", "weather: nice", "weather: NICE", false),
        ("weather", "weather: nice", "weather: nice\nmoon: full", true),
        ("weather", "weather: nice", "", false),
        ("weather", "", "weather: nice", false),
        ("weather", "weather:", "", false),
        ("weather", "", "", true),
        ("moon, weather", "weather: nice\nmoon: full", "moon: full\nweather: nice", true),
        ("moon,  weather   ,", "weather: nice\nmoon: full", "weather: nice\nmoon: waxing", false),
    ] {
        let response = format!("cache-control: max-age=5\nvary: {vary}");
        let head = exchanged((&Method::GET, first), (200, &response), CacheKind::Shared).expect("stored");
        let selected = selects(&head.selected_by, &fields(later), |_, value| value.to_owned());
        assert_eq!(selected, wanted, "{vary} | {first} | {later}");
    }
    for vary in ["*", "weather, *"] {
        let response = format!("cache-control: max-age=5\nvary: {vary}");
        assert_eq!(stored(200, &response, CacheKind::Shared).err(), Some(StorageRefusal::VaryStar));
    }
}

#[test]
fn bytes_that_are_no_stored_head_are_none() {
    assert_eq!(StoredHead::decode(b""), None);
    assert_eq!(StoredHead::decode(b"{}"), None);
    let head = stored(200, "cache-control: max-age=5\nx: 1", CacheKind::Shared).expect("stored");
    assert_eq!(StoredHead::decode(&head.encode()), Some(head));
}
