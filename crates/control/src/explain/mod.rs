//! Explains one read: its classification, its cache entry, the response a request gets now and why, and whether the
//! server's response is still the same.
//!
//! Explaining leaves no trace in the cache. The server is asked once, with the given or the configured token. No output
//! holds a token.
//!
//! Modules: `explained_read` (one explained read), `explained_api` (one of an HTTP API), [`explanation`] (the result), [`outcome`] (the predicted response).

mod explained_api;
mod explained_read;
pub mod explanation;
pub mod outcome;

use std::sync::Arc;

use greenroom_dialect::credential::Secret;
use greenroom_dialect::redact;
use greenroom_dialect::request::ServerKind;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

pub use explained_api::explain_api;
use explained_read::{inspect, inspect_with_headers};
use explanation::Explanation;
use greenroom_proxy::server::Server;

/// The read to explain.
#[derive(Debug)]
pub struct ExplainQuery {
    /// URL or path of a read, as an app requests it. A token in it identifies the user and is never shown.
    pub url: String,
    /// The token to use if the URL holds none.
    pub token: Option<Secret>,
    /// Headers of the app, where they matter: representation, language, paging.
    pub headers: HeaderMap,
}

/// Explains a read.
///
/// # Errors
/// If the input is neither a URL nor a path.
pub async fn explain(server: &Arc<Server>, query: &ExplainQuery) -> Result<Explanation, &'static str> {
    let target = target_of(server, &query.url)?;
    let mut explanation =
        Explanation { server: server.name().to_owned(), asked: redact::target(&target), ..Explanation::default() };
    let explained = match inspect(server, query, &target) {
        Ok(explained) => *explained,
        Err((kind, class, handling)) => {
            explanation.kind = kind;
            explanation.class = class.to_owned();
            explanation.outcome = kind;
            explanation.sentence = handling;
            return Ok(explanation);
        }
    };
    explained.describe(server, &mut explanation);
    explanation.server_says = Some(explained.compare_with_origin(server).await);
    Ok(explanation)
}

/// The key texts under which responses to this URL are cached, for any user, in the representations that apps request
/// without naming a language; empty if they are never cached.
///
/// # Errors
/// If the input is neither a URL nor a path.
pub fn cache_keys(server: &Server, url: &str) -> Result<Vec<String>, &'static str> {
    let target = target_of(server, url)?;
    let query = ExplainQuery { url: url.to_owned(), token: None, headers: HeaderMap::new() };
    let accept_headers = match server.origin.settings.kind {
        ServerKind::Plex => ["application/json", "application/xml"],
        ServerKind::Jellyfin => ["application/json", "application/json; profile=\"CamelCase\""],
    };
    let header_variants =
        accept_headers.map(|accept| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
    let reads =
        header_variants.into_iter().filter_map(|headers| inspect_with_headers(server, &query, &target, headers).ok());
    let mut keys: Vec<String> = reads.map(|explained| explained.read.key.clone()).collect();
    keys.dedup();
    Ok(keys)
}

/// Path and query of a URL, without the server's base path.
fn target_of(server: &Server, url: &str) -> Result<String, &'static str> {
    let uri: Uri = url.trim().parse().map_err(|_| "not a URL or path")?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    if !target.starts_with('/') {
        return Err("a path must begin with a slash");
    }
    Ok(greenroom_proxy::request::base_path::without_base_path(&server.origin.settings, target))
}

/// Parses headers written as `name: value`.
///
/// # Errors
/// If a line is not a header.
pub fn headers(lines: &[String]) -> Result<HeaderMap, &'static str> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a header must have the form \"name: value\"")?;
        let name: HeaderName = name.trim().parse().map_err(|_| "invalid header name")?;
        let value: HeaderValue = value.trim().parse().map_err(|_| "invalid header value")?;
        headers.append(name, value);
    }
    Ok(headers)
}
