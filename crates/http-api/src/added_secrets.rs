//! Fields and parameters that are added to each request for the server, such as an API key: clients need not know them,
//! and do not learn them from its responses.

use greenroom_config::HttpApiSettings;
use http::header::{CONTENT_LOCATION, LINK, LOCATION, REFRESH};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::resource_name::decoded;

/// The fields that the server gets: the client's, and those that are added for it.
pub(crate) fn with_added_headers(settings: &HttpApiSettings, headers: &HeaderMap) -> HeaderMap {
    let mut all = headers.clone();
    for (name, secret) in &settings.add_headers {
        if let Ok(mut value) = HeaderValue::from_str(secret.expose()) {
            value.set_sensitive(true);
            all.insert::<HeaderName>(name.clone(), value);
        }
    }
    all
}

/// Removes the parameters that are added for the server from the addresses in its response's fields: they are secrets,
/// and servers repeat them in redirects.
pub(crate) fn hide_added_query(settings: &HttpApiSettings, headers: &mut HeaderMap) {
    if settings.add_query.is_empty() {
        return;
    }
    for name in [LOCATION, CONTENT_LOCATION, LINK, REFRESH] {
        let is_bare = name == LOCATION || name == CONTENT_LOCATION;
        let lines: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
        headers.remove(&name);
        for line in lines {
            let hidden = without_added_query(settings, &String::from_utf8_lossy(line.as_bytes()), is_bare);
            if let Ok(value) = HeaderValue::from_str(&hidden) {
                headers.append(&name, value);
            }
        }
    }
}

/// A text without added parameters in the queries of its addresses. A bare address ends with the text or at `#`, one
/// among other text also at what surrounds it.
fn without_added_query(settings: &HttpApiSettings, text: &str, is_bare: bool) -> String {
    let ends: &[char] = if is_bare { &['#'] } else { &['#', '>', '"', '\'', ' '] };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('?') {
        let (query, after) = after.split_at(after.find(ends).unwrap_or(after.len()));
        let is_added = |pair: &&str| {
            let name = decoded(pair.split('=').next().unwrap_or_default());
            settings.add_query.iter().any(|(added, _)| *added == name)
        };
        let others: Vec<&str> = query.split('&').filter(|pair| !is_added(pair)).collect();
        out.push_str(before);
        if !others.is_empty() {
            out.push('?');
            out.push_str(&others.join("&"));
        }
        rest = after;
    }
    out + rest
}

/// The target that the server gets: the client's, and the parameters that are added for it.
pub(crate) fn with_added_query(settings: &HttpApiSettings, target: &str) -> String {
    if settings.add_query.is_empty() {
        return target.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, secret) in &settings.add_query {
        query.append_pair(name, secret.expose());
    }
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}{}", query.finish())
}
