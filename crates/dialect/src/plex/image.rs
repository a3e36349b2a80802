//! The URL inside a request for a scaled image. The server fetches any URL, so only this server's own
//! pictures are accepted, rewritten to a path without host and token; all others pass through with the
//! client's own token, uncached.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::classification::StreamReason;
use crate::path::RequestPath;
use crate::plex::query::{self, AmbiguousQuery, PlexQueryPair};
use crate::plex::route::{self, ImagePlan, PlexRoute};

/// A parsed inner URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InnerImage {
    pub(super) picture: ImagePlan,
    /// The `url` pair for the upstream request.
    pub(super) pair: PlexQueryPair,
}

/// Parses the one `url` of a scaled image's query.
pub(super) fn inner(pairs: &[PlexQueryPair]) -> Result<InnerImage, StreamReason> {
    let mut urls = pairs.iter().filter(|pair| pair.base.eq_ignore_ascii_case("url"));
    let (Some(url), None) = (urls.next(), urls.next()) else { return Err(StreamReason::Odd) };
    if !url.operator.is_empty() {
        return Err(StreamReason::Odd);
    }
    let text = url.text();
    let Some(target) = own_target(&text) else { return Err(StreamReason::Unknown) };
    let path = RequestPath::split(target).map_err(|_| StreamReason::Odd)?;
    if path.is_ambiguous {
        return Err(StreamReason::Odd);
    }
    let parts = path.parts();
    if !matches!(parts.first().copied(), Some("library" | "playlists" | ":")) {
        return Err(StreamReason::Unknown);
    }
    let Some(PlexRoute::Image(picture)) = route::find(&parts) else { return Err(StreamReason::Unknown) };
    let rest = without_identity(path.query)?;
    let mut target = path.canonical();
    if !rest.is_empty() {
        target.push('?');
        target.push_str(&query::join(&rest));
    }
    let value = utf8_percent_encode(&target, NON_ALPHANUMERIC).to_string();
    let pair = query::pairs(&format!("url={value}"))?.pop().ok_or(StreamReason::Odd)?;
    Ok(InnerImage { picture, pair })
}

/// Path and query on this server if the URL points to it: relative, or absolute to the loopback address,
/// which the server resolves to itself.
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

/// The inner query without tokens and client identity; another nested URL is odd.
fn without_identity(raw: &str) -> Result<Vec<PlexQueryPair>, AmbiguousQuery> {
    let mut pairs = query::pairs(raw)?;
    if pairs.iter().any(|pair| pair.base.eq_ignore_ascii_case("url")) {
        return Err(AmbiguousQuery);
    }
    crate::plex::vary::VaryValues::extract(&mut pairs, &http::HeaderMap::new(), crate::plex::vary::VaryBy::Nothing)?;
    Ok(pairs)
}
