//! The `Cache-Status` field (RFC 9211): what the cache did for a response.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The field.
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Name of this cache in it.
const CACHE_NAME: &str = "greenroom";

/// Reason to forward a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardReason {
    /// Its method is not answered from the cache.
    Method,
    /// Nothing is stored for its address.
    UriMiss,
    /// The stored response is for other request fields.
    VaryMiss,
    /// Nothing usable is stored, for whatever reason.
    Miss,
    /// The stored response is stale.
    Stale,
    /// The request demands it.
    Request,
    /// Only a part of what is needed is stored.
    Partial,
    /// The cache was told not to take part.
    Bypass,
}

impl ForwardReason {
    fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Request => "request",
            Self::Partial => "partial",
            Self::Bypass => "bypass",
        }
    }
}

/// The cache's part in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatusField {
    /// It answered with a stored response.
    Hit {
        /// Freshness left in seconds; negative once it is over.
        ttl_s: i64,
        /// Whatever else is worth telling, such as `memory` or `stale-error`.
        detail: Option<&'static str>,
    },
    /// It forwarded the request.
    Forwarded {
        /// The reason.
        reason: ForwardReason,
        /// Status of the server's own response, if it is not the one that is sent.
        status: Option<u16>,
        /// Whether the response was stored.
        is_stored: bool,
        /// Whether it was forwarded together with others.
        is_collapsed: bool,
        /// Whatever else is worth telling.
        detail: Option<&'static str>,
    },
}

impl fmt::Display for CacheStatusField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CACHE_NAME)?;
        let detail = match *self {
            Self::Hit { ttl_s, detail } => {
                write!(f, "; hit; ttl={ttl_s}")?;
                detail
            }
            Self::Forwarded { reason, status, is_stored, is_collapsed, detail } => {
                write!(f, "; fwd={}", reason.name())?;
                if let Some(status) = status {
                    write!(f, "; fwd-status={status}")?;
                }
                if is_stored {
                    f.write_str("; stored")?;
                }
                if is_collapsed {
                    f.write_str("; collapsed")?;
                }
                detail
            }
        };
        detail.map_or(Ok(()), |detail| write!(f, "; detail={detail}"))
    }
}

impl CacheStatusField {
    /// Appends it to what caches before this one said.
    pub fn append_to(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.to_string()) {
            headers.append(CACHE_STATUS, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_structured_list_that_only_grows() {
        let mut headers = HeaderMap::from_iter([(CACHE_STATUS, HeaderValue::from_static("origin; hit"))]);
        CacheStatusField::Hit { ttl_s: -3, detail: Some("stale-error") }.append_to(&mut headers);
        CacheStatusField::Forwarded {
            reason: ForwardReason::Stale,
            status: Some(304),
            is_stored: true,
            is_collapsed: true,
            detail: None,
        }
        .append_to(&mut headers);
        let lines: Vec<&str> = headers.get_all(CACHE_STATUS).iter().filter_map(|line| line.to_str().ok()).collect();
        assert_eq!(
            lines,
            [
                "origin; hit",
                "greenroom; hit; ttl=-3; detail=stale-error",
                "greenroom; fwd=stale; fwd-status=304; stored; collapsed"
            ]
        );
        assert_eq!(sfv::Parser::new(&lines.join(",")).parse::<sfv::List>().expect("a list").len(), 3);
    }
}
