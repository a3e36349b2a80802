//! Removes the base path of a target, Greenroom's or the server's.

/// Path and query without scheme, authority and base path, Greenroom's or the server's: clients may or may not send
/// one.
pub fn target_from_uri(settings: &greenroom_config::ServerSettings, uri: &http::Uri) -> String {
    without_base_path(settings, uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str))
}

/// Removes Greenroom's or the server's base path from a path and query.
pub fn without_base_path(settings: &greenroom_config::ServerSettings, target: &str) -> String {
    strip_base(target, &settings.listen_base_path)
        .or_else(|| strip_base(target, &settings.base_path))
        .unwrap_or_else(|| target.to_owned())
}

/// Removes this base path; `None` if the target does not begin with it.
pub fn strip_base(target: &str, base: &str) -> Option<String> {
    let rest = target.strip_prefix(base).filter(|_| !base.is_empty())?;
    match rest.as_bytes().first() {
        Some(b'/') => Some(rest.to_owned()),
        Some(b'?') | None => Some(format!("/{rest}")),
        Some(_) => None,
    }
}
