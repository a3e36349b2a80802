//! Why one read is answered as it is: what it is, what is kept for it, what speaks for and against that, and whether
//! the server says the same now.
//!
//! Looking leaves no trace in the cache. The server is asked once, with the token that was given, or the configured
//! one. Nothing told holds a token.
//!
//! Rooms: `case` (one read that is looked at), [`told`] (what is told of it), [`outcome`] (what a request would get now),
//! [`difference`] (where two answers part).

mod case;
pub mod difference;
pub mod outcome;
pub mod told;

use std::sync::Arc;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::credential::Secret;
use greenroom_dialect::redact;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use case::{look, look_as};
use greenroom_proxy::server::Server;
use told::Told;

/// What is asked.
#[derive(Debug)]
pub struct Question {
    /// Address or path of a read, as an app asks it. A token in it says who asks, and is shown nowhere.
    pub url: String,
    /// Whose token, where the address holds none.
    pub token: Option<Secret>,
    /// Headers the app sends, where they matter: representation, language, paging.
    pub headers: HeaderMap,
}

/// Tells why.
///
/// # Errors
/// If what was given is no address and no path.
pub async fn tell(server: &Arc<Server>, question: &Question) -> Result<Told, &'static str> {
    let target = target_of(server, &question.url)?;
    let mut told =
        Told { server: server.name().to_owned(), asked: redact::target(&target), ..Told::default() };
    let case = match look(server, question, &target) {
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
    told.server_says = Some(case.ask_the_server(server).await);
    Ok(told)
}

/// Under which texts the answer to a read of this address is kept, whoever asks, in the representations that apps ask for
/// without naming a language; none if it never is.
///
/// # Errors
/// If what was given is no address and no path.
pub fn keys(server: &Server, url: &str) -> Result<Vec<String>, &'static str> {
    let target = target_of(server, url)?;
    let question = Question { url: url.to_owned(), token: None, headers: HeaderMap::new() };
    let accepted = match server.origin.settings.kind {
        Kind::Plex => ["application/json", "application/xml"],
        Kind::Jellyfin => ["application/json", "application/json; profile=\"CamelCase\""],
    };
    let ways = accepted.map(|accept| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
    let cases = ways.into_iter().filter_map(|headers| look_as(server, &question, &target, headers).ok());
    let mut keys: Vec<String> = cases.map(|case| case.read.key.clone()).collect();
    keys.dedup();
    Ok(keys)
}

/// Path and query of an address, without the server's base path.
fn target_of(server: &Server, url: &str) -> Result<String, &'static str> {
    let uri: Uri = url.trim().parse().map_err(|_| "this is no address and no path")?;
    let whole = uri.path_and_query().map_or("/", |whole| whole.as_str());
    if !whole.starts_with('/') {
        return Err("a path begins with a slash");
    }
    Ok(greenroom_proxy::request::base_path::without_base_path(&server.origin.settings, whole))
}

/// Headers as a person writes them, `name: value` each.
///
/// # Errors
/// If one is no header.
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
