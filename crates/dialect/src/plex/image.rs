//! The address inside a scaled image's request. The server fetches whatever it says, so only this server's own
//! pictures are accepted, rewritten to a path without a host and without a token; everything else passes through
//! with the client's own rights, never kept.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::path::Path;
use crate::plex::query::{self, OddQuery, Pair};
use crate::plex::route::{self, Picture, Route};
use crate::verdict::StreamReason;

/// The inner address, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) picture: Picture,
    /// The `url` pair that is sent instead.
    pub(super) pair: Pair,
}

/// Reads the one `url` of a scaled image's query.
pub(super) fn inner(pairs: &[Pair]) -> Result<Inner, StreamReason> {
    let mut urls = pairs.iter().filter(|pair| pair.base.eq_ignore_ascii_case("url"));
    let (Some(url), None) = (urls.next(), urls.next()) else { return Err(StreamReason::Odd) };
    if !url.operator.is_empty() {
        return Err(StreamReason::Odd);
    }
    let text = url.text();
    let Some(target) = own_target(&text) else { return Err(StreamReason::Unknown) };
    let path = Path::split(target).map_err(|_| StreamReason::Odd)?;
    if path.odd {
        return Err(StreamReason::Odd);
    }
    let parts = path.parts();
    if !matches!(parts.first().copied(), Some("library" | "playlists" | ":")) {
        return Err(StreamReason::Unknown);
    }
    let Some(Route::Image(picture)) = route::of(&parts) else { return Err(StreamReason::Unknown) };
    let rest = without_identity(path.query)?;
    let mut target = path.canonical();
    if !rest.is_empty() {
        target.push('?');
        target.push_str(&query::join(&rest));
    }
    let value = utf8_percent_encode(&target, NON_ALPHANUMERIC).to_string();
    let pair = query::pairs(&format!("url={value}"))?.pop().ok_or(StreamReason::Odd)?;
    Ok(Inner { picture, pair })
}

/// Path and query on this server, if the address is one: relative, or absolute to the loopback, which is where the
/// server itself would look.
fn own_target(address: &str) -> Option<&str> {
    if address.starts_with('/') {
        return if address.starts_with("//") { None } else { Some(address) };
    }
    let rest = strip_scheme(address)?;
    let at = rest.find('/')?;
    let (authority, target) = rest.split_at(at);
    let (host, port) = authority.split_once(':').unwrap_or((authority, "32400"));
    let is_own = host == "127.0.0.1" || host.eq_ignore_ascii_case("localhost");
    (is_own && port.parse::<u16>().is_ok_and(|port| port != 0)).then_some(target)
}

fn strip_scheme(address: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let start = address.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| &address[scheme.len()..])
    })
}

/// The inner query without tokens and identity; an inner address of its own is odd.
fn without_identity(raw: &str) -> Result<Vec<Pair>, OddQuery> {
    let mut pairs = query::pairs(raw)?;
    if pairs.iter().any(|pair| pair.base.eq_ignore_ascii_case("url")) {
        return Err(OddQuery);
    }
    crate::plex::lifted::Lifted::take(
        &mut pairs,
        &http::HeaderMap::new(),
        crate::plex::lifted::Keeps::Nothing,
    )?;
    Ok(pairs)
}
