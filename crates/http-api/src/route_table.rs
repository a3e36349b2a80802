//! The routes of a server: which one a request has, and what it says.

use std::sync::Arc;

use greenroom_config::HttpRouteSettings;
use greenroom_request_log::RouteName;
use http::Method;

/// One route.
#[derive(Debug)]
pub(crate) struct Route {
    /// What is configured; `None` for requests that no route matches.
    pub(crate) settings: Option<HttpRouteSettings>,
    /// Its name in statistics.
    pub(crate) name: RouteName,
}

/// A request's route.
#[derive(Debug, Clone)]
pub(crate) struct RouteMatch {
    pub(crate) route: Arc<Route>,
    /// Captured segments of the path, by name.
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
        let route = |settings: &HttpRouteSettings| {
            Arc::new(Route { name: RouteName::new(&settings.name), settings: Some(settings.clone()) })
        };
        Self {
            routes: routes.iter().map(route).collect(),
            otherwise: Arc::new(Route { settings: None, name: RouteName::NONE }),
        }
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

    /// Its tags, with the captures of this request.
    pub(crate) fn tags(&self) -> Vec<String> {
        self.settings().map(|route| self.filled(&route.tags)).unwrap_or_default()
    }

    /// The tags that a write to it invalidates, with the captures of this request.
    pub(crate) fn invalidates(&self) -> Vec<String> {
        self.settings().map(|route| self.filled(&route.invalidates)).unwrap_or_default()
    }

    fn filled(&self, templates: &[String]) -> Vec<String> {
        templates.iter().map(|template| self.fill(template)).collect()
    }

    fn fill(&self, template: &str) -> String {
        self.captures
            .iter()
            .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
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
            Some(name) => captured.push((name.to_owned(), segment.to_owned())),
            None if part != segment => return None,
            None => {}
        }
    }
    segments.next().is_none().then_some(captured)
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
        ] {
            assert_eq!(captures(pattern, path), wanted, "{pattern} {path}");
        }
    }
}
