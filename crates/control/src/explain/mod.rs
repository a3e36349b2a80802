//! Explains one read: its classification, its cache entry, the response a request gets now and why, and whether the
//! server's response is still the same.
//!
//! Explaining leaves no trace in the cache. The server is asked once, with the given or the configured token. No output
//! holds a token.
//!
//! Modules: `explained_read` (one explained read), [`explanation`] (the result), [`outcome`] (the predicted response),
//! [`body_diff`] (compares two responses).

pub mod body_diff;
mod explained_read;
pub mod explanation;
pub mod outcome;

use std::sync::Arc;

use greenroom_dialect::credential::Secret;
use greenroom_dialect::redact;
use greenroom_dialect::request::ServerKind;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

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
pub async fn explain(server: &Arc<Server>, question: &ExplainQuery) -> Result<Explanation, &'static str> {
    let target = target_of(server, &question.url)?;
    let mut told =
        Explanation { server: server.name().to_owned(), asked: redact::target(&target), ..Explanation::default() };
    let case = match inspect(server, question, &target) {
        Ok(case) => *case,
        Err((kind, class, sentence)) => {
            told.kind = kind;
            told.class = class.to_owned();
            told.outcome = kind;
            told.sentence = sentence;
            return Ok(told);
        }
    };
    case.describe(server, &mut told);
    told.server_says = Some(case.compare_with_origin(server).await);
    Ok(told)
}

/// The key texts under which responses to this URL are cached, for any user, in the representations that apps request
/// without naming a language; empty if they are never cached.
///
/// # Errors
/// If the input is neither a URL nor a path.
pub fn cache_keys(server: &Server, url: &str) -> Result<Vec<String>, &'static str> {
    let target = target_of(server, url)?;
    let question = ExplainQuery { url: url.to_owned(), token: None, headers: HeaderMap::new() };
    let accepted = match server.origin.settings.kind {
        ServerKind::Plex => ["application/json", "application/xml"],
        ServerKind::Jellyfin => ["application/json", "application/json; profile=\"CamelCase\""],
    };
    let ways = accepted.map(|accept| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
    let cases = ways.into_iter().filter_map(|headers| inspect_with_headers(server, &question, &target, headers).ok());
    let mut keys: Vec<String> = cases.map(|case| case.read.key.clone()).collect();
    keys.dedup();
    Ok(keys)
}

/// Path and query of a URL, without the server's base path.
fn target_of(server: &Server, url: &str) -> Result<String, &'static str> {
    let uri: Uri = url.trim().parse().map_err(|_| "this is no address and no path")?;
    let whole = uri.path_and_query().map_or("/", |whole| whole.as_str());
    if !whole.starts_with('/') {
        return Err("a path begins with a slash");
    }
    Ok(greenroom_proxy::request::base_path::without_base_path(&server.origin.settings, whole))
}

/// Parses headers written as `name: value`.
///
/// # Errors
/// If a line is not a header.
pub fn headers(lines: &[String]) -> Result<HeaderMap, &'static str> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a header is written as \"name: value\"")?;
        let name: HeaderName = name.trim().parse().map_err(|_| "this is no name of a header")?;
        let value: HeaderValue = value.trim().parse().map_err(|_| "this is no value of a header")?;
        headers.append(name, value);
    }
    Ok(headers)
}
