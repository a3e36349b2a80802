//! Other spellings of a request: those that must meet in one key, and those that need not.

use greenroom_dialect::request::ServerKind;
use http::HeaderValue;

use super::request::FuzzRequest;

/// A query with more pairs than this is left alone: one more might be one too many.
const MAX_PAIRS: usize = 100;

/// Requests that a server cannot tell from this one.
pub fn equivalents(kind: ServerKind, request: &FuzzRequest, chance: usize) -> Vec<FuzzRequest> {
    let (path, query) = request.parts();
    let with_path = |path: String| {
        let mark = if request.target.contains('?') { "?" } else { "" };
        request.with_target(format!("{path}{mark}{query}"))
    };
    let mut others = Vec::new();
    if !path.ends_with('/') {
        others.push(with_path(format!("{path}/")));
    }
    others.extend(escaped(path, chance).map(&with_path));
    if query.split('&').count() < MAX_PAIRS {
        others.push(request.with_pair("_=1700000000"));
        others.push(request.with_pair(""));
    }
    match kind {
        ServerKind::Plex => {
            others.extend(escaped(query, chance).map(|query| request.with_target(format!("{path}?{query}"))));
            others.extend(move_param_to_header(request, chance));
        }
        ServerKind::Jellyfin => {
            let first = path.split('/').nth(1).unwrap_or_default();
            let is_prefixed = ["emby", "mediabrowser"].iter().any(|prefix| first.eq_ignore_ascii_case(prefix));
            if !is_prefixed && !first.contains('%') {
                others.push(with_path(format!("/emby{path}")));
                others.push(with_path(format!("/{}{}", first.to_uppercase(), &path[1 + first.len()..])));
            }
            others.push(request.with_target(format!("{path}?{}", query.replace('+', "%20"))));
            others.extend(reorder_pairs(query).map(|query| request.with_target(format!("{path}?{query}"))));
            others.push(request.with_target(format!("{path}?{}", uppercase_names(query))));
        }
    }
    others
}

/// Requests that may or may not be another one.
pub fn variants(request: &FuzzRequest) -> Vec<FuzzRequest> {
    let mut others = vec![
        request.with_pair("x=1"),
        request.with_pair("type=1"),
        request.with_pair("limit=7"),
        request.with_header("accept", "application/json"),
        request.with_header("accept", "text/xml"),
        request.with_header("accept", "application/json; profile=\"CamelCase\""),
        request.with_header("accept", "image/webp"),
        request.with_header("accept-language", "nl"),
        request.with_header("x-plex-language", "nl"),
        request.with_header("x-plex-container-size", "3"),
        request.with_header("x-plex-client-identifier", "another"),
    ];
    let (path, query) = request.parts();
    if let Some((rest, _)) = query.rsplit_once('&') {
        others.push(request.with_target(format!("{path}?{rest}")));
    }
    if let Some((before, after)) = request.target.split_once("%2") {
        others.push(request.with_target(format!("{before}%252{after}")));
    }
    // Another time of a day, where the query has one.
    if let Some((before, after)) = request.target.split_once("T0") {
        others.push(request.with_target(format!("{before}T1{after}")));
    }
    others.push(request.with_target(request.target.to_ascii_lowercase()));
    others
}

/// The text with one letter or digit of it, chosen by chance, written as an escape.
fn escaped(text: &str, chance: usize) -> Option<String> {
    let bytes = text.as_bytes();
    let is_free = |at: &usize| {
        let in_escape = (1..=2).any(|back| at.checked_sub(back).is_some_and(|start| bytes[start] == b'%'));
        bytes[*at].is_ascii_alphanumeric() && !in_escape
    };
    let free: Vec<usize> = (0..bytes.len()).filter(is_free).collect();
    let at = *free.get(chance.checked_rem(free.len())?)?;
    Some(format!("{}%{:02X}{}", &text[..at], bytes[at], &text[at + 1..]))
}

/// A parameter of Plex, chosen by chance, moved from the query into a header.
fn move_param_to_header(request: &FuzzRequest, chance: usize) -> Option<FuzzRequest> {
    let (path, query) = request.parts();
    let pairs: Vec<&str> = query.split('&').collect();
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_lifted = |pair: &&str| {
        pair.split_once('=').is_some_and(|(name, value)| {
            let name = name.to_ascii_lowercase();
            name.starts_with("x-plex-") && is_plain(&name) && is_plain(value) && !value.is_empty()
        })
    };
    let all: Vec<usize> = (0..pairs.len()).filter(|at| is_lifted(&pairs[*at])).collect();
    let at = *all.get(chance.checked_rem(all.len())?)?;
    let (name, value) = pairs[at].split_once('=')?;
    let rest: Vec<&str> = pairs[..at].iter().chain(&pairs[at + 1..]).copied().collect();
    let mut other = request.with_target(format!("{path}?{}", rest.join("&")));
    let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
    if !other.headers.contains_key(&name) {
        other.headers.insert(name, HeaderValue::from_str(value).ok()?);
    }
    Some(other)
}

/// The pairs of a query in another order, where their order cannot matter: each name comes once.
fn reorder_pairs(query: &str) -> Option<String> {
    let mut pairs: Vec<&str> = query.split('&').collect();
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    let mut names: Vec<String> = pairs.iter().map(|pair| name(pair)).collect();
    names.sort();
    let once = names.windows(2).all(|two| two[0] != two[1]);
    if !once || names.iter().any(|name| name.contains(['%', '+'])) {
        return None;
    }
    pairs.rotate_left(1);
    Some(pairs.join("&"))
}

/// A query with its names in capitals.
fn uppercase_names(query: &str) -> String {
    let loud = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if !name.contains('%') => format!("{}={value}", name.to_ascii_uppercase()),
        _ => pair.to_owned(),
    };
    query.split('&').map(loud).collect::<Vec<_>>().join("&")
}
