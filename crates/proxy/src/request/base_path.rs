//! The base path that a target may begin with, ours or the server's.

/// Path and query without scheme, authority and a base path, ours or the server's: clients may or may not send one.
pub fn target_of(settings: &greenroom_config::Server, uri: &http::Uri) -> String {
    without_base_path(settings, uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str))
}

/// A path and query without a base path, ours or the server's.
pub fn without_base_path(settings: &greenroom_config::Server, whole: &str) -> String {
    below(whole, &settings.listen_base_path)
        .or_else(|| below(whole, &settings.base_path))
        .unwrap_or_else(|| whole.to_owned())
}

/// A target without the base path it begins with; `None` if it does not.
pub fn below(target: &str, base: &str) -> Option<String> {
    let rest = target.strip_prefix(base).filter(|_| !base.is_empty())?;
    match rest.as_bytes().first() {
        Some(b'/') => Some(rest.to_owned()),
        Some(b'?') | None => Some(format!("/{rest}")),
        Some(_) => None,
    }
}
