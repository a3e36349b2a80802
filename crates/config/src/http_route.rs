//! Settings of one route of an HTTP API: what is known of the responses of some paths that their headers do not say.

use std::time::Duration;

use http::{HeaderName, Method};

use super::http_prefetch::{PrefetchRule, PrefetchTarget};
use super::section::Section;
use super::source::ConfigSource;

/// Max routes of one server.
pub const MAX_ROUTES: usize = 256;
/// Max tags and invalidations of one route.
const MAX_TAGS: usize = 32;
/// Longest lifetime that can be set.
const YEAR_S: u64 = 365 * 24 * 3600;

/// Lifetimes that replace what the responses say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteLifetimes {
    /// Served without asking the server.
    pub fresh: Option<Duration>,
    /// Further time served at once, with a background refresh.
    pub stale: Option<Duration>,
    /// Further time served only if the server cannot be asked.
    pub error: Option<Duration>,
}

/// Lifetimes of one GraphQL operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationSettings {
    /// Name of the operation.
    pub name: String,
    /// Its lifetimes.
    pub lifetimes: RouteLifetimes,
}

/// GraphQL on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphqlSettings {
    /// Lifetimes by operation name; the route's own for all others.
    pub operations: Vec<OperationSettings>,
    /// Whether responses carry tags of their objects (`__typename` and `id`).
    pub tag_objects: bool,
    /// Whether data that comes with errors is stored.
    pub store_partial: bool,
}

/// Settings of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct HttpRouteSettings {
    /// Its name in statistics; its path if none is given.
    pub name: String,
    /// Pattern of paths: `{id}` is one segment, `*` at the end is the rest.
    pub path: String,
    /// Methods; all if empty.
    pub methods: Vec<Method>,
    /// Lifetimes of its responses.
    pub lifetimes: RouteLifetimes,
    /// Query keys that make no difference.
    pub ignore_query: Vec<String>,
    /// The only query keys that make a difference, if any are named.
    pub keep_query: Vec<String>,
    /// Whether the order of query keys makes no difference.
    pub sort_query: bool,
    /// Request fields that make a difference, beside those in `Vary`.
    pub key_headers: Vec<HeaderName>,
    /// Whether the body of a request makes a difference, so that a `POST` with one is a read.
    pub key_body: bool,
    /// Tags of its responses, with captures of the path and JSON pointers into the response: `movie:{id}`,
    /// `movie:{/results/*/id}`.
    pub tags: Vec<String>,
    /// Tags that a write to it invalidates; pointers are into the response to the write.
    pub invalidates: Vec<String>,
    /// Rules for requests that are loaded after one of its responses.
    pub prefetch: Vec<PrefetchRule>,
    /// Whether its responses are the same for all clients, with and without credentials.
    pub public: bool,
    /// Whether responses that are read at a steady rhythm are refreshed before the next read.
    pub warm: bool,
    /// GraphQL, if the route speaks it.
    pub graphql: Option<GraphqlSettings>,
}

impl HttpRouteSettings {
    /// Reads all routes of a server.
    pub(super) fn read_all(tree: &mut ConfigSource, server: &str) -> Vec<Self> {
        let table = format!("server.{server}.route");
        let mut numbers: Vec<usize> =
            tree.names_below(&table, &[]).iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        if numbers.len() > MAX_ROUTES {
            tree.problem(tree.place(&table), format!("a server may have at most {MAX_ROUTES} routes"));
            return Vec::new();
        }
        let (places, routes): (Vec<_>, Vec<Self>) = numbers
            .iter()
            .filter_map(|number| {
                let place = tree.place(&format!("{table}.{number}.path"));
                Some((place, Self::read(tree, &format!("{table}.{number}"))?))
            })
            .unzip();
        let problem =
            routes.iter().zip(places).find_map(|(route, place)| Some((place, route.prefetch_problem(&routes)?)));
        if let Some((place, problem)) = problem {
            tree.problem(place, problem);
        }
        routes
    }

    /// Problem of the routes that its rules name, if there is one.
    fn prefetch_problem(&self, routes: &[Self]) -> Option<String> {
        self.prefetch.iter().find_map(|rule| {
            let PrefetchTarget::Route { name, capture } = &rule.target else { return None };
            let Some(route) = routes.iter().find(|route| route.name == *name) else {
                return Some(format!("a prefetch rule names the route \"{name}\", which there is not"));
            };
            let has_capture = captures(&route.path).any(|known| known == capture);
            (!has_capture)
                .then(|| format!("a prefetch rule names {{{capture}}}, which the route \"{name}\" does not have"))
        })
    }

    fn read(tree: &mut ConfigSource, table: &str) -> Option<Self> {
        let mut own = Section::new(tree, table);
        let place = own.tree.place(&own.key("path"));
        let path = own.tree.take(&own.key("path")).map(|leaf| leaf.text).unwrap_or_default();
        let route = Self {
            name: own.tree.take(&own.key("name")).map_or_else(|| path.clone(), |leaf| leaf.text),
            methods: read_methods(&mut own),
            lifetimes: read_lifetimes(&mut own),
            ignore_query: own.words("ignore_query").unwrap_or_default(),
            keep_query: own.words("keep_query").unwrap_or_default(),
            sort_query: own.flag("sort_query", false),
            key_headers: own.header_names("key_headers", &[]),
            key_body: own.flag("key_body", false),
            tags: own.words("tags").unwrap_or_default(),
            invalidates: own.words("invalidates").unwrap_or_default(),
            public: own.flag("public", false),
            warm: own.flag("warm", false),
            prefetch: Vec::new(),
            graphql: GraphqlSettings::read(&mut own),
            path,
        };
        let route = Self { prefetch: PrefetchRule::read_all(&mut own, route.graphql.is_some()), ..route };
        match route.problem() {
            None => Some(route),
            Some(problem) => {
                own.tree.problem(place, format!("this route {problem}"));
                None
            }
        }
    }

    /// Its problem, if there is one.
    fn problem(&self) -> Option<String> {
        if !self.path.starts_with('/') {
            return Some("needs a path such as \"/movies/{id}\"".into());
        }
        let captures: Vec<&str> = captures(&self.path).collect();
        let is_plain =
            |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if let Some(segment) =
            self.path.split('/').find(|segment| segment.contains(['{', '}']) && captures_of(segment).is_none())
        {
            return Some(format!("has a segment \"{segment}\": a capture is a whole segment, such as {{id}}"));
        }
        if !captures.iter().all(is_plain) || captures.iter().enumerate().any(|(at, name)| captures[..at].contains(name))
        {
            return Some("has a capture without a plain name of its own".into());
        }
        if self.path.trim_end_matches('*').contains('*') || (self.path.ends_with('*') && !self.path.ends_with("/*")) {
            return Some("may have one *, as its last segment".into());
        }
        if self.tags.len() > MAX_TAGS || self.invalidates.len() > MAX_TAGS {
            return Some(format!("may have at most {MAX_TAGS} tags and invalidate at most {MAX_TAGS}"));
        }
        if !self.ignore_query.is_empty() && !self.keep_query.is_empty() {
            return Some("has both ignore_query and keep_query".into());
        }
        if !self.invalidates.is_empty()
            && self.graphql.is_none()
            && !self.methods.is_empty()
            && self.methods.iter().all(Method::is_safe)
        {
            return Some("invalidates tags, but none of its methods writes".into());
        }
        if self.key_body && self.graphql.is_some() {
            return Some("has both graphql and key_body: GraphQL requests are told apart by what they ask".into());
        }
        let used = self.tags.iter().chain(&self.invalidates).flat_map(|tag| tag_captures(tag));
        used.into_iter()
            .find(|name| !captures.contains(name))
            .map(|name| format!("uses {{{name}}} in a tag, which its path does not have"))
    }
}

impl GraphqlSettings {
    fn read(own: &mut Section<'_>) -> Option<Self> {
        let is_on = own.flag("graphql", false);
        let settings = Self {
            tag_objects: own.flag("tag_objects", false),
            store_partial: own.flag("store_partial", false),
            operations: read_operations(own),
        };
        is_on.then_some(settings)
    }
}

fn read_operations(own: &mut Section<'_>) -> Vec<OperationSettings> {
    let table = own.key("operations");
    let names = own.tree.names_below(&table, &[]);
    let read = |name: String| {
        let mut section = Section::new(own.tree, format!("{table}.{name}"));
        OperationSettings { lifetimes: read_lifetimes(&mut section), name }
    };
    names.into_iter().map(read).collect()
}

fn read_lifetimes(own: &mut Section<'_>) -> RouteLifetimes {
    let mut time = |key: &str| {
        let is_set = own.tree.has(&own.key(key));
        let time = own.seconds(key, 0..=YEAR_S, Duration::ZERO);
        is_set.then_some(time)
    };
    RouteLifetimes { fresh: time("fresh_s"), stale: time("stale_s"), error: time("error_s") }
}

fn read_methods(own: &mut Section<'_>) -> Vec<Method> {
    let place = own.tree.place(&own.key("methods"));
    let words = own.words("methods").unwrap_or_default();
    let methods: Result<Vec<Method>, _> = words.iter().map(|word| word.to_ascii_uppercase().parse()).collect();
    methods.unwrap_or_else(|_| {
        let message = format!("{} must list methods such as GET", own.key("methods"));
        own.tree.problem(place, message);
        Vec::new()
    })
}

/// Names of the captures of a path pattern.
fn captures(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(captures_of)
}

fn captures_of(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    (!name.contains(['{', '}'])).then_some(name)
}

/// Names of the captures that a tag uses. What begins with `/` is a pointer into a body.
fn tag_captures(tag: &str) -> Vec<&str> {
    let names = tag.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name));
    names.filter(|name| !name.starts_with('/')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn read(routes: &str) -> Result<Vec<HttpRouteSettings>, String> {
        let mut tree = ConfigSource::default();
        let smallest = "[[server]]\nname = \"api\"\nkind = \"http\"\nurl = \"https://api.example\"\n";
        tree.add_toml("g.toml", &format!("{smallest}{routes}"));
        Settings::read(tree)
            .map(|settings| settings.http_apis[0].routes.clone())
            .map_err(|errors| errors[0].to_string())
    }

    #[test]
    fn a_route_is_read_whole() {
        let routes = read(
            "[[server.route]]\npath = \"/movies/{id}\"\nmethods = [\"get\"]\nfresh_s = 60\nerror_s = 0\nignore_query = [\"utm\"]\n\
             tags = [\"movie:{id}\"]\npublic = true\n[[server.route]]\npath = \"/graphql\"\ngraphql = true\nstale_s = 5\n\
             [server.route.operations.GetMenu]\nfresh_s = 43200\n",
        )
        .expect("valid");
        assert_eq!(
            routes[0].lifetimes,
            RouteLifetimes { fresh: Some(Duration::from_secs(60)), stale: None, error: Some(Duration::ZERO) }
        );
        assert_eq!(
            (routes[0].name.as_str(), &routes[0].methods, routes[0].public),
            ("/movies/{id}", &vec![Method::GET], true)
        );
        let graphql = routes[1].graphql.as_ref().expect("it is on");
        assert_eq!(graphql.operations[0].name, "GetMenu");
        assert_eq!(graphql.operations[0].lifetimes.fresh, Some(Duration::from_secs(43_200)));
    }

    #[test]
    fn a_prefetch_rule_repeats_an_operation_or_a_route() {
        let routes = read(
            "[[server.route]]\npath = \"/graphql\"\ngraphql = true\n[[server.route.prefetch]]\nafter = \"Menu\"\n\
             values = \"/data/projects/*/slug\"\nfirst = 3\noperation = \"Project\"\nvariable = \"slug\"\n\
             [[server.route]]\npath = \"/list\"\ntags = [\"film:{/results/*/id}\"]\n[[server.route.prefetch]]\n\
             values = \"/results/*/id\"\nroute = \"film\"\ncapture = \"id\"\n\
             [[server.route]]\npath = \"/film/{id}\"\nname = \"film\"\n",
        )
        .expect("valid");
        let operation = PrefetchTarget::Operation { name: "Project".into(), variable: "slug".into() };
        let rule = &routes[0].prefetch[0];
        assert_eq!((rule.after.as_deref(), rule.first, &rule.target), (Some("Menu"), 3, &operation));
        let route = PrefetchTarget::Route { name: "film".into(), capture: "id".into() };
        assert_eq!((routes[1].prefetch[0].first, &routes[1].prefetch[0].target), (10, &route));
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_column() {
        for (lines, wanted) in [
            ("path = \"movies\"", "g.toml:6:8: this route needs a path"),
            ("path = \"/a/x{id}\"", "g.toml:6:8: this route has a segment \"x{id}\""),
            ("path = \"/a/{id}/{id}\"", "g.toml:6:8: this route has a capture"),
            ("path = \"/a/*/b\"", "g.toml:6:8: this route may have one *"),
            ("path = \"/a\"\ntags = [\"x:{id}\"]", "g.toml:6:8: this route uses {id}"),
            ("path = \"/a\"\nfresh_s = -1", "g.toml:7:11: server.api.route.1.fresh_s must be a whole number"),
            ("path = \"/a\"\nfrsh_s = 1", "g.toml:7:10: unknown key server.api.route.1.frsh_s"),
            ("path = \"/a\"\nkeep_query = [\"a\"]\nignore_query = [\"b\"]", "g.toml:6:8: this route has both"),
            ("path = \"/a\"\nmethods = [\"GET\"]\ninvalidates = [\"x\"]", "g.toml:6:8: this route invalidates tags"),
            ("path = \"/a\"\nmethods = [\"a b\"]", "g.toml:7:11: server.api.route.1.methods must list methods"),
            ("path = \"/a\"\ngraphql = true\nkey_body = true", "g.toml:6:8: this route has both graphql and key_body"),
            (
                "path = \"/a\"\n[[server.route.prefetch]]\nvalues = \"id\"",
                "g.toml:8:10: this prefetch rule needs values",
            ),
            (
                "path = \"/a\"\n[[server.route.prefetch]]\nvalues = \"/id\"\noperation = \"A\"\nvariable = \"b\"",
                "g.toml:9:13: this prefetch rule needs the route",
            ),
            (
                "path = \"/a\"\n[[server.route.prefetch]]\nvalues = \"/id\"\nroute = \"b\"\ncapture = \"id\"",
                "g.toml:6:8: a prefetch rule names the route \"b\"",
            ),
            (
                "path = \"/a\"\ngraphql = true\n[[server.route.prefetch]]\nvalues = \"/id\"\noperation = \"A\"\nvariable = \"b\"",
                "g.toml:10:13: this prefetch rule needs the operation after",
            ),
        ] {
            let problem = read(&format!("[[server.route]]\n{lines}\n")).expect_err(lines);
            assert!(problem.starts_with(wanted), "{problem} instead of {wanted}");
        }
    }
}
