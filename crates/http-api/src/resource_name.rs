//! Names of resources, and whose they are: path and query apart from the credentials in them.

use data_encoding::HEXLOWER;
use greenroom_config::HttpApiSettings;
use greenroom_state::secrets::HashKey;
use http::HeaderMap;

use crate::route_table::RouteMatch;

/// Path and query without credentials and without what makes no difference on this route.
pub(crate) fn resource_name(settings: &HttpApiSettings, route: &RouteMatch, target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let name_of = |pair: &str| decoded(pair.split('=').next().unwrap_or_default());
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !is_credential(settings, &name_of(pair))).collect();
    if let Some(route) = route.settings() {
        pairs.retain(|pair| {
            let name = name_of(pair);
            !route.ignore_query.contains(&name) && (route.keep_query.is_empty() || route.keep_query.contains(&name))
        });
        if route.sort_query {
            pairs.sort_by_key(|pair| name_of(pair));
        }
    }
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A target without the credentials in its query.
pub(crate) fn without_credentials(settings: &HttpApiSettings, target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let others: Vec<&str> = query.split('&').filter(|pair| !is_credential_pair(settings, pair)).collect();
    if others.is_empty() { path.to_owned() } else { format!("{path}?{}", others.join("&")) }
}

/// The credentials in the query of a target.
pub(crate) fn credential_pairs<'a>(settings: &HttpApiSettings, target: &'a str) -> Vec<&'a str> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|pair| is_credential_pair(settings, pair)).collect()
}

fn is_credential_pair(settings: &HttpApiSettings, pair: &str) -> bool {
    is_credential(settings, &decoded(pair.split('=').next().unwrap_or_default()))
}

fn is_credential(settings: &HttpApiSettings, name: &str) -> bool {
    settings.credential_query.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A query key without percent signs and plus signs.
pub(crate) fn decoded(name: &str) -> String {
    form_urlencoded::parse(name.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// All credentials of a request, in a text that differs for different ones; `None` if it has none.
pub(crate) fn credentials(settings: &HttpApiSettings, headers: &HeaderMap, target: &str) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut add = |name: &[u8], value: &[u8]| {
        for part in [name, value] {
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part);
        }
    };
    for name in &settings.credential_headers {
        for value in headers.get_all(name) {
            add(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    let query = target.split_once('?').map_or("", |(_, query)| query);
    for pair in query.split('&') {
        let name = decoded(pair.split('=').next().unwrap_or_default());
        if is_credential(settings, &name) {
            add(b"?", pair.as_bytes());
        }
    }
    (!all.is_empty()).then_some(all)
}

/// Name of the partition of these credentials.
pub(crate) fn partition_id(hash_key: &HashKey, server: &str, credentials: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new_keyed(&hash_key.0);
    hasher.update(b"http\0").update(server.as_bytes()).update(&[0]).update(credentials);
    HEXLOWER.encode(&hasher.finalize().as_bytes()[..16])
}
