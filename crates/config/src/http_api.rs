//! Settings of a server of any HTTP API (`kind = "http"`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use greenroom_dialect::credential::Secret;
use http::{HeaderName, HeaderValue, Uri};

use super::address::{read_listen, read_url};
use super::http_route::HttpRouteSettings;
use super::listener_limits::ListenerLimits;
use super::networks::Networks;
use super::section::Section;
use super::source::ConfigSource;
use super::tls::{UpstreamTls, read_certificate_files};
use super::token::read_token;
use crate::certificate_files::CertificateFiles;

/// Default port of its listener.
pub const HTTP_API_PORT: u16 = 8280;

const MIB: u64 = 1024 * 1024;
const DAY_S: u64 = 24 * 3600;
const YEAR_S: u64 = 365 * DAY_S;
/// Request fields that identify a user.
const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "cookie", "x-api-key", "x-auth-token"];
/// Query keys that identify a user.
const CREDENTIAL_QUERY: [&str; 5] = ["api_key", "apikey", "access_token", "auth_token", "token"];

/// Treatment of a read when the budget of requests is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverBudget {
    /// It gets an older stored response, if there is one that may be used; else it waits, or gets 429.
    Stale,
    /// It gets 429.
    Reject,
}

/// Limits on the requests that a server is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSettings {
    /// Max requests in any second; 0 is no limit.
    pub per_second: u64,
    /// Max requests in any 24 hours; 0 is no limit.
    pub per_day: u64,
    /// Treatment of reads beyond the budget.
    pub over: OverBudget,
}

/// Settings of one server of any HTTP API.
#[derive(Debug, Clone)]
pub struct HttpApiSettings {
    /// Its name in metrics, on the page, in variables.
    pub name: String,
    /// Scheme and authority.
    pub origin: Uri,
    /// Base path of the server, or empty.
    pub base_path: String,
    /// Trust in its certificate, if its URL uses TLS.
    pub tls: UpstreamTls,
    /// Listening address for its clients.
    pub listen: SocketAddr,
    /// Certificate of that listener; without one there is no TLS.
    pub certificate: Option<CertificateFiles>,
    /// Timeout of one complete response.
    pub load_timeout: Duration,
    /// Max bytes of a stored body; longer ones are streamed.
    pub max_body_bytes: u64,
    /// Max concurrent requests.
    pub upstream_concurrency: usize,
    /// Max waiting requests; beyond, they are refused.
    pub max_waiting: usize,
    /// Path that shows whether the server is up.
    pub probe: String,
    /// Time past its freshness for which a response is served while the server is down, if its headers do not set one.
    pub stale_if_error: Duration,
    /// Request fields that identify a user.
    pub credential_headers: Vec<HeaderName>,
    /// Query keys that identify a user.
    pub credential_query: Vec<String>,
    /// Fields added to each request, such as an API key that clients need not know.
    pub add_headers: Vec<(HeaderName, Secret)>,
    /// Query parameters added to each request.
    pub add_query: Vec<(String, Secret)>,
    /// Limits on the requests that it is sent.
    pub budget: BudgetSettings,
    /// Whether redirects of reads within the server are followed, so that clients get what they lead to.
    pub follow_redirects: bool,
    /// Max loads of prefetch rules a minute.
    pub prefetch_per_minute: usize,
    /// Limits on its listener.
    pub listener_limits: ListenerLimits,
    /// Its routes, in the order of the file; the first that matches counts.
    pub routes: Vec<HttpRouteSettings>,
}

/// Reads the settings of one server.
pub(super) fn read_http_api(
    tree: &mut ConfigSource,
    name: &str,
    place: &str,
    trusted: &Networks,
) -> Option<HttpApiSettings> {
    let key = |last: &str| format!("server.{name}.{last}");
    drop(tree.take(&key("kind")));
    let mut own = Section::new(tree, format!("server.{name}"));
    let (origin, base_path) = read_url(own.tree, &key("url"), name, place).unzip();
    let everywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), HTTP_API_PORT);
    let is_encrypted = origin.as_ref().is_none_or(|origin| origin.scheme() == Some(&http::uri::Scheme::HTTPS));
    Some(HttpApiSettings {
        name: name.to_owned(),
        listen: read_listen(own.tree, &key("listen"), everywhere),
        load_timeout: own.seconds("load_timeout_s", 1..=600, Duration::from_secs(30)),
        max_body_bytes: own.number("max_body_bytes", 64 * 1024..=1 << 32, 32 * MIB),
        upstream_concurrency: own.count("upstream_concurrency", 1..=1000, 16),
        max_waiting: own.count("max_waiting", 1..=100_000, 1000),
        probe: read_probe(&mut own),
        stale_if_error: own.seconds("stale_if_error_s", 0..=YEAR_S, Duration::from_secs(DAY_S)),
        credential_headers: own.header_names("credential_headers", &CREDENTIAL_HEADERS),
        credential_query: own.words("credential_query").unwrap_or_else(|| CREDENTIAL_QUERY.map(str::to_owned).to_vec()),
        add_headers: read_added(own.tree, name, "add_headers")
            .into_iter()
            .filter_map(|(header, secret)| added_header(own.tree, name, &header, secret))
            .collect(),
        add_query: read_added(own.tree, name, "add_query"),
        budget: BudgetSettings {
            per_second: own.number("requests_per_second", 0..=1_000_000, 0),
            per_day: own.number("requests_per_day", 0..=1_000_000_000, 0),
            over: read_over_budget(&mut own),
        },
        follow_redirects: own.flag("follow_redirects", false),
        prefetch_per_minute: own.count("prefetch_per_minute", 0..=10_000, 60),
        listener_limits: ListenerLimits::read(own.tree, name, trusted),
        certificate: read_certificate_files(own.tree, &key("listen_tls")),
        tls: UpstreamTls::read(own.tree, name, is_encrypted),
        routes: HttpRouteSettings::read_all(own.tree, name),
        base_path: base_path?,
        origin: origin?,
    })
}

fn read_probe(own: &mut Section<'_>) -> String {
    let path = own.key("probe");
    let Some(leaf) = own.tree.take(&path) else { return "/".to_owned() };
    if !leaf.text.starts_with('/') || leaf.text.parse::<http::uri::PathAndQuery>().is_err() {
        own.tree.problem(leaf.place, format!("{path} must be a path such as /health"));
        return "/".to_owned();
    }
    leaf.text
}

/// The values of a table: each given directly, or in the file that `NAME_file` names.
fn read_added(tree: &mut ConfigSource, server: &str, table: &str) -> Vec<(String, Secret)> {
    let path = format!("server.{server}.{table}");
    let names = tree.names_below(&path, &[]);
    let mut plain: Vec<&str> = names.iter().map(|name| name.strip_suffix("_file").unwrap_or(name)).collect();
    plain.dedup();
    let read = |name: &&str| {
        let secret = read_token(tree, &format!("{path}.{name}"), &format!("{path}.{name}_file"))?;
        Some(((*name).to_owned(), secret))
    };
    plain.iter().filter_map(read).collect()
}

fn added_header(tree: &mut ConfigSource, server: &str, header: &str, secret: Secret) -> Option<(HeaderName, Secret)> {
    let name = header.parse::<HeaderName>().ok();
    if name.is_none() || HeaderValue::from_str(secret.expose()).is_err() {
        tree.problem(
            format!("server.{server}.add_headers.{header}"),
            "this is no header field, or has a value that none can have".into(),
        );
        return None;
    }
    Some((name?, secret))
}

fn read_over_budget(own: &mut Section<'_>) -> OverBudget {
    let path = own.key("over_budget");
    let Some(leaf) = own.tree.take(&path) else { return OverBudget::Stale };
    match leaf.text.as_str() {
        "stale" => OverBudget::Stale,
        "reject" => OverBudget::Reject,
        other => {
            own.tree.problem(leaf.place, format!("{path} must be \"stale\" or \"reject\", not \"{other}\""));
            OverBudget::Stale
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn read(more: &str) -> Result<HttpApiSettings, String> {
        let mut tree = ConfigSource::default();
        let smallest = "[[server]]\nname = \"api\"\nkind = \"http\"\nurl = \"https://api.example/v1\"\n";
        tree.add_toml("g.toml", &format!("{smallest}{more}"));
        Settings::read(tree).map(|settings| settings.http_apis[0].clone()).map_err(|errors| errors[0].to_string())
    }

    #[test]
    fn a_url_is_enough() {
        let api = read("").expect("valid");
        assert_eq!((api.base_path.as_str(), api.probe.as_str(), api.listen.port()), ("/v1", "/", HTTP_API_PORT));
        assert_eq!(api.stale_if_error, Duration::from_secs(86_400));
        assert!(api.credential_headers.contains(&http::header::COOKIE) && api.routes.is_empty());
    }

    #[test]
    fn secrets_are_added_and_never_shown() {
        let api =
            read("[server.add_headers]\nauthorization = \"Bearer SECRET\"\n[server.add_query]\napi_key = \"SECRET\"\n")
                .expect("valid");
        assert_eq!(api.add_headers[0].1.expose(), "Bearer SECRET");
        assert_eq!(api.add_query[0].0, "api_key");
        assert!(!format!("{api:?}").contains("SECRET"));
    }

    #[test]
    fn a_budget_has_two_limits_and_one_of_two_words() {
        let api = read("requests_per_second = 1\nrequests_per_day = 5000\nover_budget = \"reject\"\n").expect("valid");
        assert_eq!(api.budget, BudgetSettings { per_second: 1, per_day: 5000, over: OverBudget::Reject });
        assert_eq!(
            read("over_budget = \"wait\"\n").expect_err("no such word"),
            "g.toml:5:15: server.api.over_budget must be \"stale\" or \"reject\", not \"wait\""
        );
        assert!(read("probe = \"health\"\n").expect_err("no path").contains("must be a path"));
        assert!(read("credential_headers = [\"a b\"]\n").expect_err("no name").starts_with("g.toml:5"));
    }
}
