//! Names of the routes of HTTP APIs, under which their requests are counted.

use std::collections::HashSet;

use parking_lot::Mutex;

/// Name of requests that no route matches, and of routes beyond [`MAX_ROUTE_NAMES`].
const NO_ROUTE: &str = "http";
/// Max names that are remembered: they live as long as the process, because routes are few and reloads rare.
const MAX_ROUTE_NAMES: usize = 1024;

/// All names so far.
static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

/// Name of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteName(&'static str);

impl RouteName {
    /// Name of requests that no route matches.
    pub const NONE: Self = Self(NO_ROUTE);

    /// The name with this text; [`Self::NONE`] if there are too many.
    pub fn new(text: &str) -> Self {
        let mut names = NAMES.lock();
        let names = names.get_or_insert_default();
        if let Some(known) = names.get(text) {
            return Self(known);
        }
        if names.len() >= MAX_ROUTE_NAMES {
            return Self::NONE;
        }
        let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
        names.insert(text);
        Self(text)
    }

    /// Whether a route of this name was configured since the start.
    pub fn is_known(text: &str) -> bool {
        text == NO_ROUTE || NAMES.lock().as_ref().is_some_and(|names| names.contains(text))
    }

    /// Its text.
    pub fn text(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_once_a_route_has_it() {
        assert!(!RouteName::is_known("films"));
        assert_eq!((RouteName::new("films").text(), RouteName::new("films")), ("films", RouteName::new("films")));
        assert!(RouteName::is_known("films") && RouteName::is_known(RouteName::NONE.text()));
    }
}
