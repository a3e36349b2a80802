//! Resources that a request invalidates (RFC 9111, section 4.4).

use http::header::{CONTENT_LOCATION, HeaderMap, LOCATION};
use http::{Method, StatusCode, Uri};

/// Whether a method only reads. All others, known or not, may change something.
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
        || ["PROPFIND", "REPORT", "SEARCH", "QUERY"].contains(&method.as_str())
}

/// Outcome of an unsafe request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The server says that it was done.
    Confirmed,
    /// It may have been done: no response came, or a gateway lost the server's.
    Unknown,
    /// The server says that it was not done.
    Rejected,
}

/// Outcome of an unsafe request that got this status. Non-error responses invalidate (RFC 9111, section 4.4); a 502 or
/// 504 comes from a gateway that does not know what the server did.
pub fn write_outcome(status: StatusCode) -> WriteOutcome {
    match status.as_u16() {
        200..=399 => WriteOutcome::Confirmed,
        502 | 504 => WriteOutcome::Unknown,
        _ => WriteOutcome::Rejected,
    }
}

/// Paths with queries, beside the request's own, that a non-error response to an unsafe request invalidates: those in
/// `Location` and `Content-Location` of the same origin.
pub fn named_targets(target: &str, authority: &str, response: &HeaderMap) -> Vec<String> {
    let values = [LOCATION, CONTENT_LOCATION].into_iter().filter_map(|name| response.get(name)?.to_str().ok());
    values.filter_map(|reference| resolve(target, authority, reference)).collect()
}

/// A reference of a response, relative to its request's target, as path and query; `None` if it leads elsewhere.
pub fn resolve(target: &str, authority: &str, reference: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default();
    let path_end = target.find('?').unwrap_or(target.len());
    if reference.is_empty() {
        return Some(target.to_owned());
    }
    if let Some(query) = reference.strip_prefix('?') {
        return Some(format!("{}?{query}", &target[..path_end]));
    }
    if reference.starts_with("//") || reference.split(['/', '?']).next().is_some_and(|start| start.contains(':')) {
        let uri: Uri = reference
            .strip_prefix("//")
            .map_or_else(|| reference.parse(), |rest| format!("http://{rest}").parse())
            .ok()?;
        let is_same = uri.authority().is_some_and(|other| other.as_str().eq_ignore_ascii_case(authority));
        return is_same.then(|| uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string));
    }
    if reference.starts_with('/') {
        return Some(without_dots(reference));
    }
    let directory = target[..path_end].rfind('/').map_or("/", |slash| &target[..=slash]);
    Some(without_dots(&format!("{directory}{reference}")))
}

/// A path without `.` and `..` segments.
fn without_dots(reference: &str) -> String {
    let (path, query) = reference.split_once('?').map_or((reference, None), |(path, query)| (path, Some(query)));
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let slash = if path.ends_with("/.") || path.ends_with("/..") { "/" } else { "" };
    let path = format!("/{}{slash}", kept.join("/"));
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_methods_are_unsafe() {
        for (method, wanted) in
            [("GET", true), ("HEAD", true), ("OPTIONS", true), ("POST", false), ("M-SEARCH", false), ("PATCH", false)]
        {
            assert_eq!(is_safe(&method.parse().expect("a method")), wanted, "{method}");
        }
    }

    #[test]
    fn a_lost_response_leaves_the_outcome_of_a_write_open() {
        for (status, wanted) in [
            (200, WriteOutcome::Confirmed),
            (303, WriteOutcome::Confirmed),
            (400, WriteOutcome::Rejected),
            (500, WriteOutcome::Rejected),
            (502, WriteOutcome::Unknown),
            (503, WriteOutcome::Rejected),
            (504, WriteOutcome::Unknown),
        ] {
            assert_eq!(write_outcome(StatusCode::from_u16(status).expect("a status")), wanted, "{status}");
        }
    }

    #[test]
    fn references_are_resolved_within_the_origin_only() {
        let resolved = |reference| resolve("/a/b?x=1", "api.example:8080", reference);
        for (reference, wanted) in [
            ("", Some("/a/b?x=1")),
            ("c", Some("/a/c")),
            ("../d?y=2", Some("/d?y=2")),
            ("./", Some("/a/")),
            ("?z", Some("/a/b?z")),
            ("/e#f", Some("/e")),
            ("http://API.example:8080/g", Some("/g")),
            ("//api.example:8080/h?i", Some("/h?i")),
            ("http://other.example/g", None),
            ("//other.example/g", None),
            ("mailto:someone", None),
        ] {
            assert_eq!(resolved(reference).as_deref(), wanted, "{reference}");
        }
    }
}
