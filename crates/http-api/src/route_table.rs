//! The routes of a server: which one a request has, and what it says.

use std::sync::Arc;

use greenroom_config::HttpRouteSettings;
use greenroom_config::http_prefetch::{PrefetchRule, PrefetchTarget};
use greenroom_request_log::RouteName;
use http::Method;

use crate::tag_template::TagTemplate;

/// One route.
#[derive(Debug)]
pub(crate) struct Route {
    /// Its settings; `None` for requests that no route matches.
    pub(crate) settings: Option<HttpRouteSettings>,
    /// Its name in statistics.
    pub(crate) name: RouteName,
    /// Whether a rule of a route repeats its requests.
    pub(crate) is_prefetched: bool,
    tags: Vec<TagTemplate>,
    invalidates: Vec<TagTemplate>,
}

impl Route {
    fn new(settings: &HttpRouteSettings, all: &[HttpRouteSettings]) -> Self {
        let repeats =
            |rule: &PrefetchRule| matches!(&rule.target, PrefetchTarget::Route { name, .. } if *name == settings.name);
        let templates = |texts: &[String]| texts.iter().map(|text| TagTemplate::new(text)).collect();
        Self {
            name: RouteName::new(&settings.name),
            is_prefetched: all.iter().flat_map(|route| &route.prefetch).any(repeats),
            tags: templates(&settings.tags),
            invalidates: templates(&settings.invalidates),
            settings: Some(settings.clone()),
        }
    }

    fn none() -> Self {
        Self { settings: None, name: RouteName::NONE, is_prefetched: false, tags: Vec::new(), invalidates: Vec::new() }
    }
}

/// A request's route.
#[derive(Debug, Clone)]
pub(crate) struct RouteMatch {
    pub(crate) route: Arc<Route>,
    /// Captured segments of the path, by name, without percent signs: a tag says what a value in a body says.
    captures: Vec<(String, String)>,
}

/// All routes of a server, in their order.
#[derive(Debug)]
pub(crate) struct RouteTable {
    routes: Vec<Arc<Route>>,
    otherwise: Arc<Route>,
}

impl RouteTable {
    /// The table of these routes.
    pub(crate) fn new(routes: &[HttpRouteSettings]) -> Self {
        Self {
            routes: routes.iter().map(|settings| Arc::new(Route::new(settings, routes))).collect(),
            otherwise: Arc::new(Route::none()),
        }
    }

    /// Whether one of them has a prefetch rule.
    pub(crate) fn has_prefetch_rules(&self) -> bool {
        self.routes.iter().filter_map(|route| route.settings.as_ref()).any(|route| !route.prefetch.is_empty())
    }

    /// The first route that matches.
    pub(crate) fn find(&self, method: &Method, path: &str) -> RouteMatch {
        let found = self.routes.iter().find_map(|route| {
            let settings = route.settings.as_ref()?;
            let is_allowed = settings.methods.is_empty() || settings.methods.contains(method);
            let captures = is_allowed.then(|| captures(&settings.path, path))??;
            Some(RouteMatch { route: Arc::clone(route), captures })
        });
        found.unwrap_or_else(|| RouteMatch { route: Arc::clone(&self.otherwise), captures: Vec::new() })
    }
}

impl RouteMatch {
    /// The configured route, if the request has one.
    pub(crate) fn settings(&self) -> Option<&HttpRouteSettings> {
        self.route.settings.as_ref()
    }

    /// Whether a body of its responses is read, so that the server must not encode it.
    pub(crate) fn reads_responses(&self) -> bool {
        let route = &self.route;
        route.tags.iter().chain(&route.invalidates).any(TagTemplate::reads_body)
            || self.settings().is_some_and(|route| !route.prefetch.is_empty())
    }

    /// Whether what a write to it invalidates is in the response to the write.
    pub(crate) fn reads_write_responses(&self) -> bool {
        self.route.invalidates.iter().any(TagTemplate::reads_body)
    }

    /// The tags of a response, with the captures of its request and the values of its body.
    pub(crate) fn tags(&self, body: &[u8]) -> Vec<String> {
        self.route.tags.iter().flat_map(|template| template.of_response(&self.captures, body)).collect()
    }

    /// The tags that a write to it invalidates, with the captures of its request and the values of its response.
    pub(crate) fn invalidates(&self, body: &[u8]) -> Vec<String> {
        self.route.invalidates.iter().flat_map(|template| template.of_write(&self.captures, body)).collect()
    }

    /// A path of this route with another value of a capture.
    pub(crate) fn path_with(&self, path: &str, capture: &str, value: &str) -> Option<String> {
        let pattern = &self.settings()?.path;
        let at = pattern.split('/').position(|segment| segment == format!("{{{capture}}}"))?;
        let encoded: String = path_segment(value);
        let mut segments: Vec<&str> = path.split('/').collect();
        *segments.get_mut(at)? = &encoded;
        Some(segments.join("/"))
    }
}

/// A value as one segment of a path.
fn path_segment(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(encoded).collect()
}

/// The captured segments if a path matches a pattern.
fn captures(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut segments = path.split('/');
    let mut captured = Vec::new();
    for part in pattern.split('/') {
        if part == "*" {
            return Some(captured);
        }
        let segment = segments.next()?;
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => captured.push((name.to_owned(), unescaped(segment))),
            None if part != segment => return None,
            None => {}
        }
    }
    segments.next().is_none().then_some(captured)
}

/// A segment of a path as the value that it stands for.
fn unescaped(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_segments() {
        let capture = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        for (pattern, path, wanted) in [
            ("/a/{id}", "/a/7", Some(capture("id", "7"))),
            ("/a/{id}", "/a/", None),
            ("/a/{id}", "/a/7/b", None),
            ("/a/{id}/b", "/a/7/b", Some(capture("id", "7"))),
            ("/a/*", "/a/7/b", Some(vec![])),
            ("/a/*", "/ab", None),
            ("/*", "/", Some(vec![])),
            ("/a", "/a", Some(vec![])),
            ("/a", "/A", None),
            ("/a/{id}", "/a/caf%C3%a9+%7e", Some(capture("id", "café+~"))),
        ] {
            assert_eq!(captures(pattern, path), wanted, "{pattern} {path}");
        }
    }
}
