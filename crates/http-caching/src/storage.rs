//! May a response be stored, and under which terms (RFC 9111, section 3)?

use std::time::Duration;

use http::header::{DATE, HeaderMap, HeaderName, SET_COOKIE};
use http::{HeaderValue, Method, StatusCode};

use crate::byte_range::PartRange;
use crate::freshness::{ExchangeTimes, LifetimeSource, initial_age_ms, is_heuristically_cacheable, lifetime_ms};
use crate::response_directives::ResponseDirectives;
use crate::stored_head::{StaleOnErrorRule, StoredHead};
use crate::variant::SelectingFields;
use crate::{hop_by_hop, http_date};

/// Audience of a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKind {
    /// Everybody: the request had no credentials.
    Shared,
    /// The owner of the request's credentials.
    Private,
}

/// Lifetimes that a configured route sets in place of the response's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConfiguredLifetimes {
    /// Freshness lifetime; also says that the response may be stored whatever its directives say.
    pub fresh: Option<Duration>,
    /// Time past that for which it is used while it is validated.
    pub stale: Option<Duration>,
    /// Time past its freshness for which it is used if the server cannot be asked.
    pub error: Option<Duration>,
}

/// A response as it came, with what was asked.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Method of the request.
    pub method: &'a Method,
    /// Fields of the request.
    pub request: &'a HeaderMap,
    /// Whether the request forbids storing.
    pub request_forbids: bool,
    /// Status of the response.
    pub status: StatusCode,
    /// Fields of the response.
    pub response: &'a HeaderMap,
    /// When it was asked and answered.
    pub times: ExchangeTimes,
    /// Its audience.
    pub audience: CacheKind,
    /// Its configured lifetimes.
    pub configured: ConfiguredLifetimes,
    /// Time for which responses are used in place of an error where nothing else is said.
    pub default_error: Duration,
}

/// Reason for which a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageRefusal {
    /// Its method's responses are not.
    Method,
    /// Interim, 304, or a part that does not say which.
    Status,
    /// The request or the response says `no-store`.
    NoStore,
    /// It is for one user, and the request named none.
    Private,
    /// It is told to be stored only if its status is understood, which it is not.
    NotUnderstood,
    /// `Vary` says that no request selects it.
    VaryStar,
    /// It sets a cookie, which belongs to the client that asked.
    SetCookie,
    /// Neither its status nor its fields allow it.
    NotCacheable,
}

impl StorageRefusal {
    /// Every reason.
    pub const EVERY: [Self; 8] = [
        Self::Method,
        Self::Status,
        Self::NoStore,
        Self::Private,
        Self::NotUnderstood,
        Self::VaryStar,
        Self::SetCookie,
        Self::NotCacheable,
    ];

    /// Name on the wire and in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::NotUnderstood => "not-understood",
            Self::VaryStar => "vary-star",
            Self::SetCookie => "set-cookie",
            Self::NotCacheable => "not-cacheable",
        }
    }
}

/// Decides about a response.
///
/// # Errors
/// The reason why it must not be stored.
pub fn evaluate(exchange: &Exchange<'_>) -> Result<(StoredHead, SelectingFields), StorageRefusal> {
    let mut directives = ResponseDirectives::of(exchange.response);
    if exchange.audience == CacheKind::Private {
        // It is about shared caches.
        directives.s_maxage_s = None;
    }
    let (own_lifetime_ms, source) =
        lifetime_ms(exchange.status, exchange.response, &directives, exchange.times.response_ms);
    if let Some(refusal) = refusal(exchange, &directives, source) {
        return Err(refusal);
    }
    let selecting = SelectingFields::of_response(exchange.response).ok_or(StorageRefusal::VaryStar)?;
    let is_configured = is_configured(exchange);
    let is_good = is_good(exchange.status);
    let configured = ConfiguredLifetimes {
        fresh: exchange.configured.fresh.filter(|_| is_good),
        stale: exchange.configured.stale.filter(|_| is_good),
        error: exchange.configured.error,
    };
    let needs_validation = directives.no_cache.is_whole() && !is_configured;
    let lifetime_ms = configured.fresh.map_or(own_lifetime_ms, millis);
    let forbids_stale = !is_configured && forbids_stale(&directives, exchange.audience);
    let allowed =
        |own_s: Option<u64>| if forbids_stale { Duration::ZERO } else { Duration::from_secs(own_s.unwrap_or(0)) };
    let stale = configured.stale.unwrap_or_else(|| allowed(directives.stale_while_revalidate_s));
    let own_error = directives.stale_if_error_s.map_or(exchange.default_error, Duration::from_secs);
    let stale_on_error = match configured.error {
        Some(error) => StaleOnErrorRule::Within(error),
        None if forbids_stale => StaleOnErrorRule::Forbidden,
        None => StaleOnErrorRule::Within(own_error.max(stale)),
    };
    let head = StoredHead {
        status: exchange.status,
        headers: stored_headers(exchange, &directives, is_configured),
        response_ms: exchange.times.response_ms,
        // The age on the way counts for the server's own lifetime, not for a configured one.
        initial_age_ms: if is_configured { 0 } else { initial_age_ms(exchange.response, exchange.times) },
        lifetime_ms: if needs_validation { 0 } else { lifetime_ms },
        stale_while_revalidate_ms: if needs_validation { 0 } else { millis(stale) },
        stale_on_error,
        needs_validation,
        selected_by: selecting.values(exchange.request),
        part: None,
        trailers: HeaderMap::new(),
    };
    Ok((head, selecting))
}

/// Adds the range to the head of a 206 whose body has this length.
///
/// # Errors
/// It does not say which part it is.
pub fn with_part(head: StoredHead, length: u64) -> Result<StoredHead, StorageRefusal> {
    let part = PartRange::of_response(&head.headers, length).ok_or(StorageRefusal::Status)?;
    Ok(StoredHead { part: Some(part), ..head })
}

fn refusal(exchange: &Exchange<'_>, directives: &ResponseDirectives, source: LifetimeSource) -> Option<StorageRefusal> {
    let status = exchange.status;
    let is_configured = is_configured(exchange);
    let is_understood = status.canonical_reason().is_some();
    let ignores_no_store = is_configured || (directives.must_understand && is_understood);
    if exchange.method != Method::GET {
        Some(StorageRefusal::Method)
    } else if status.is_informational() || status == StatusCode::NOT_MODIFIED {
        Some(StorageRefusal::Status)
    } else if exchange.request_forbids {
        Some(StorageRefusal::NoStore)
    } else if directives.must_understand && !is_understood {
        Some(StorageRefusal::NotUnderstood)
    } else if directives.no_store && !ignores_no_store {
        Some(StorageRefusal::NoStore)
    } else if directives.private.is_whole() && exchange.audience == CacheKind::Shared && !is_configured {
        Some(StorageRefusal::Private)
    } else if exchange.response.contains_key(SET_COOKIE) && !is_configured {
        Some(StorageRefusal::SetCookie)
    } else {
        let is_allowed = is_configured
            || source == LifetimeSource::Explicit
            || directives.public
            || directives.no_cache != crate::response_directives::FieldScope::Absent
            || is_heuristically_cacheable(status);
        (!is_allowed).then_some(StorageRefusal::NotCacheable)
    }
}

/// Whether a configured lifetime counts in place of the server's.
fn is_configured(exchange: &Exchange<'_>) -> bool {
    exchange.configured.fresh.is_some() && is_good(exchange.status)
}

/// Whether a status says that this is the resource, or where it is for ever. Configured lifetimes are for nothing else:
/// an error that a server calls cacheable is so for the time that the server says.
fn is_good(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT)
}

fn forbids_stale(directives: &ResponseDirectives, audience: CacheKind) -> bool {
    let is_shared = audience == CacheKind::Shared;
    directives.must_revalidate
        || directives.no_cache.is_whole()
        || (is_shared && (directives.proxy_revalidate || directives.s_maxage_s.is_some()))
}

/// The fields to store: without those of the connection, and without those that must not be used again. A missing
/// `Date` is the time of arrival.
fn stored_headers(exchange: &Exchange<'_>, directives: &ResponseDirectives, is_configured: bool) -> HeaderMap {
    let mut headers = exchange.response.clone();
    hop_by_hop::strip(&mut headers);
    let mut dropped: Vec<&HeaderName> = directives.no_cache.fields().iter().collect();
    if exchange.audience == CacheKind::Shared {
        dropped.extend(directives.private.fields());
    }
    for name in dropped {
        headers.remove(name);
    }
    if is_configured {
        headers.remove(SET_COOKIE);
    }
    if !headers.contains_key(DATE)
        && let Ok(date) = HeaderValue::from_str(&http_date::format(exchange.times.response_ms))
    {
        headers.insert(DATE, date);
    }
    headers
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    fn evaluated(
        status: u16,
        lines: &[(&'static str, &str)],
        change: fn(&mut Exchange<'_>),
    ) -> Result<StoredHead, StorageRefusal> {
        let (request, response) = (HeaderMap::new(), headers(lines));
        let mut exchange = Exchange {
            method: &Method::GET,
            request: &request,
            request_forbids: false,
            status: StatusCode::from_u16(status).expect("a status"),
            response: &response,
            times: ExchangeTimes { request_ms: 1000, response_ms: 2000 },
            audience: CacheKind::Shared,
            configured: ConfiguredLifetimes::default(),
            default_error: DAY,
        };
        change(&mut exchange);
        evaluate(&exchange).map(|(head, _)| head)
    }

    fn refused(status: u16, lines: &[(&'static str, &str)]) -> Option<StorageRefusal> {
        evaluated(status, lines, |_| ()).err()
    }

    #[test]
    fn what_forbids_storing_is_told() {
        for (status, lines, wanted) in [
            (200, &[("cache-control", "max-age=5, No-StOrE")][..], Some(StorageRefusal::NoStore)),
            (200, &[("cache-control", "max-age=5, private")], Some(StorageRefusal::Private)),
            (200, &[("cache-control", "max-age=5, private=\"a\"")], None),
            (200, &[("cache-control", "max-age=5"), ("vary", "*")], Some(StorageRefusal::VaryStar)),
            (200, &[("cache-control", "no-store, must-understand, max-age=5")], None),
            (599, &[("cache-control", "no-store, must-understand, max-age=5")], Some(StorageRefusal::NotUnderstood)),
            (599, &[("cache-control", "max-age=5")], None),
            (599, &[], Some(StorageRefusal::NotCacheable)),
            (403, &[("last-modified", "Thu, 18 Aug 2022 02:01:18 GMT")], Some(StorageRefusal::NotCacheable)),
            (404, &[], None),
            (304, &[("cache-control", "max-age=5")], Some(StorageRefusal::Status)),
            (200, &[("set-cookie", "a=b")], Some(StorageRefusal::SetCookie)),
            (200, &[("set-cookie", "a=b"), ("cache-control", "max-age=5")], Some(StorageRefusal::SetCookie)),
            (200, &[("set-cookie", "a=b"), ("cache-control", "public, max-age=5")], Some(StorageRefusal::SetCookie)),
            (200, &[("cdn-cache-control", "private"), ("cache-control", "max-age=5")], Some(StorageRefusal::Private)),
            (200, &[("cdn-cache-control", "max-age=5"), ("cache-control", "no-store")], None),
        ] {
            assert_eq!(refused(status, lines), wanted, "{status} {lines:?}");
        }
    }

    #[test]
    fn a_private_response_is_stored_for_its_owner() {
        let lines = [("cache-control", "max-age=5, private")];
        assert!(evaluated(200, &lines, |exchange| exchange.audience = CacheKind::Private).is_ok());
    }

    #[test]
    fn a_request_may_forbid_storing_and_other_methods_are_not_stored() {
        let lines = [("cache-control", "max-age=5")];
        let refusal = evaluated(200, &lines, |exchange| exchange.request_forbids = true).err();
        assert_eq!(refusal, Some(StorageRefusal::NoStore));
        let refusal = evaluated(200, &lines, |exchange| exchange.method = &Method::HEAD).err();
        assert_eq!(refusal, Some(StorageRefusal::Method));
    }

    #[test]
    fn stale_use_is_allowed_unless_the_server_forbids_it() {
        let rule = |value: &str| evaluated(200, &[("cache-control", value)], |_| ()).expect("stored").stale_on_error;
        assert_eq!(rule("max-age=5"), StaleOnErrorRule::Within(DAY));
        assert_eq!(rule("max-age=5, stale-if-error=60"), StaleOnErrorRule::Within(Duration::from_secs(60)));
        for value in ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=5"] {
            assert_eq!(rule(&format!("max-age=5, {value}")), StaleOnErrorRule::Forbidden, "{value}");
        }
        let lines = [("cache-control", "s-maxage=5")];
        let own = evaluated(200, &lines, |exchange| exchange.audience = CacheKind::Private).expect("stored");
        assert_eq!(own.stale_on_error, StaleOnErrorRule::Within(DAY), "it is about shared caches");
    }

    #[test]
    fn a_response_that_needs_validation_is_never_fresh() {
        let head = evaluated(200, &[("cache-control", "max-age=5, no-cache, stale-while-revalidate=9")], |_| ())
            .expect("stored");
        assert_eq!((head.needs_validation, head.lifetime_ms, head.stale_while_revalidate_ms), (true, 0, 0));
    }

    #[test]
    fn fields_that_must_not_be_used_again_are_not_stored() {
        let lines = [
            ("cache-control", "max-age=5, no-cache=\"a\", private=\"b\""),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("connection", "c"),
        ];
        let head = evaluated(200, &lines, |_| ()).expect("stored");
        let names: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["cache-control", "date"]);
    }

    #[test]
    fn a_configured_lifetime_counts_in_place_of_the_servers_and_drops_its_cookies() {
        let lines = [("cache-control", "no-store, private"), ("age", "100"), ("set-cookie", "a=b"), ("expires", "0")];
        let head = evaluated(200, &lines, |exchange| exchange.configured.fresh = Some(Duration::from_secs(60)))
            .expect("stored");
        assert_eq!((head.lifetime_ms, head.initial_age_ms), (60_000, 0));
        assert!(!head.headers.contains_key(SET_COOKIE));
        let refusal =
            evaluated(500, &lines, |exchange| exchange.configured.fresh = Some(Duration::from_secs(60))).err();
        assert_eq!(refusal, Some(StorageRefusal::NoStore), "a configured lifetime is for good responses");
    }

    #[test]
    fn no_error_is_fresh_for_a_configured_time_whatever_it_says() {
        for status in [400, 401, 403, 404, 405, 410, 429, 500, 501, 502, 503, 504] {
            for value in ["no-cache", "max-age=0", "public", "max-age=0, private, must-revalidate", "x"] {
                let configured = |exchange: &mut Exchange<'_>| {
                    exchange.configured.fresh = Some(DAY);
                    exchange.configured.stale = Some(DAY);
                };
                let lines = [("cache-control", value), ("expires", "0")];
                if let Ok(head) = evaluated(status, &lines, configured) {
                    let window_ms = head.lifetime_ms + head.stale_while_revalidate_ms;
                    assert_eq!(window_ms, 0, "{status} {value}");
                }
            }
        }
    }

    #[test]
    fn a_lifetime_for_shared_caches_is_none_for_an_owners_own() {
        let lines = [("cache-control", "max-age=0, s-maxage=3600")];
        let own = evaluated(200, &lines, |exchange| exchange.audience = CacheKind::Private).expect("stored");
        assert_eq!(own.lifetime_ms, 0);
        assert_eq!(evaluated(200, &lines, |_| ()).expect("stored").lifetime_ms, 3_600_000);
    }
}
