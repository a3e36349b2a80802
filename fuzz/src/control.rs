//! Properties of any request to the control plane: without the token nothing changes, called by a foreign name
//! nothing is told, and no answer holds a secret.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

use axum::body::{Body, to_bytes};

use greenroom_cache::{Cache, CacheSettings, Clock};
use greenroom_control::{ControlPlane, ControlPlaneDeps};
use greenroom_dialect::credential::Secret;
use greenroom_state::control_tokens::TokenStore;
use http::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, Uri};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::TaskTracker;

use super::request::{FuzzRequest, SECRET, chance};

/// Stands for a session that was opened with the token.
const SESSION: &str = "$S";

/// An answer that is longer is a stream.
const MAX_ANSWER_BYTES: usize = 1 << 20;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime can be had"));

/// Address of a control plane, and the credential of its client.
#[derive(Debug, Clone, Copy)]
struct ControlEndpoint {
    listen: &'static str,
    peer: &'static str,
    /// Prefix of a reverse proxy before our paths, and its host name.
    reverse_proxy: Option<(&'static str, &'static str)>,
}

/// On this machine, from another one, on this machine while others could ask, and behind a reverse proxy.
const PLACES: [ControlEndpoint; 4] = [
    ControlEndpoint { listen: "127.0.0.1:8710", peer: "127.0.0.1:50000", reverse_proxy: None },
    ControlEndpoint { listen: "0.0.0.0:8710", peer: "192.168.1.7:50000", reverse_proxy: None },
    ControlEndpoint { listen: "0.0.0.0:8710", peer: "127.0.0.1:50000", reverse_proxy: None },
    ControlEndpoint {
        listen: "0.0.0.0:8710",
        peer: "172.17.0.2:50000",
        reverse_proxy: Some(("/greenroom", "greenroom.example")),
    },
];

/// Checks what must hold of a request to the control plane.
pub fn check(bytes: &[u8]) {
    let request = FuzzRequest::parse(bytes);
    let Ok(uri) = request.target.parse::<Uri>() else { return };
    let place = PLACES[chance(bytes) % PLACES.len()];
    RUNTIME.block_on(async {
        let control = Arc::new(control());
        let session = open_session(&control, place).await;
        let mut shown = request;
        for value in shown.headers.values_mut() {
            let text = String::from_utf8_lossy(value.as_bytes()).replace(SESSION, &session);
            *value = HeaderValue::from_bytes(text.as_bytes()).unwrap_or_else(|_| value.clone());
        }
        let answer = ask(&control, place, &shown, uri).await;
        check_response(place, &shown, &session, answer).await;
    });
}

fn control() -> ControlPlane {
    let clock = Clock::system();
    let cache = Cache::new(CacheSettings::default(), clock.clone(), TaskTracker::new());
    ControlPlane::new(ControlPlaneDeps::empty(cache, clock, TokenStore::fixed(Secret::new(SECRET))))
}

/// Logs in as the page does.
async fn open_session(control: &Arc<ControlPlane>, place: ControlEndpoint) -> String {
    let login = format!(
        "POST /api/v1/session\nHost: 127.0.0.1:8710\nContent-Type: application/json\n\n{{\"token\":\"{SECRET}\"}}"
    );
    let login = FuzzRequest::parse(login.as_bytes());
    let answer = ask(control, place, &login, Uri::from_static("/api/v1/session")).await;
    let cookie = answer.headers()[SET_COOKIE].to_str().expect("a cookie is text");
    let pair = cookie.split(';').next().unwrap_or_default();
    pair.split_once('=').expect("a cookie has a value").1.to_owned()
}

async fn ask(control: &Arc<ControlPlane>, place: ControlEndpoint, request: &FuzzRequest, uri: Uri) -> Response<Body> {
    let mut asked = http::Request::new(Body::from(request.body.clone()));
    *asked.method_mut() = request.method.clone();
    *asked.uri_mut() = uri;
    *asked.headers_mut() = request.headers.clone();
    let [listen, peer] = [place.listen, place.peer].map(|text| text.parse::<SocketAddr>().expect("an address"));
    let settings = greenroom_config::ControlSettings {
        listen,
        certificate: None,
        base_path: place.reverse_proxy.map(|(path, _)| path.to_owned()).unwrap_or_default(),
        hosts: place.reverse_proxy.map(|(_, host)| host.to_owned()).into_iter().collect(),
        trusted_proxies: greenroom_config::Networks::default(),
        max_connections: 256,
        max_connections_per_peer: 64,
        open_reads: Vec::new(),
    };
    greenroom_api::handle_request(Arc::clone(control), settings, peer, asked).await
}

async fn check_response(place: ControlEndpoint, request: &FuzzRequest, session: &str, answer: Response<Body>) {
    let (parts, body) = answer.into_parts();
    let told = || format!("{request:?} at {place:?} got {}", parts.status);
    assert!(parts.headers.contains_key(CONTENT_SECURITY_POLICY), "unprotected: {}", told());
    let changes = ![Method::GET, Method::HEAD].contains(&request.method);
    let shows = |header, secret: &str| says(&request.headers, header, secret);
    let is_proven = shows(AUTHORIZATION, SECRET) || shows(COOKIE, session);
    if parts.status != 421 {
        assert!(is_called_rightly(&request.headers, place), "called by a foreign name: {}", told());
    }
    if changes && parts.status.is_success() {
        let logs_in = String::from_utf8_lossy(&request.body).contains(SECRET);
        assert!(is_proven || logs_in, "changed without the token: {}", told());
        assert!(is_own_page(&request.headers), "changed from another page: {}", told());
    }
    let is_figures = request.target.contains("/api/v1/cache/stats") || request.target.contains("/metrics");
    if is_figures && parts.status.is_success() {
        let is_local = place.peer.starts_with("127.") && !is_by_local_name(&request.headers);
        assert!(is_proven || is_local, "told to another machine: {}", told());
    }
    let is_stream = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let text = if is_stream {
        String::new()
    } else {
        let bytes = to_bytes(body, MAX_ANSWER_BYTES).await.expect("an answer ends");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let whole = format!("{:?}{text}", parts.headers);
    assert!(!whole.contains(SECRET) && !whole.contains(session), "an answer tells a secret: {}", told());
}

fn says(headers: &HeaderMap, name: http::HeaderName, text: &str) -> bool {
    headers.get_all(name).iter().any(|value| String::from_utf8_lossy(value.as_bytes()).contains(text))
}

/// One host, and it is this machine or, where others can ask, an address in numbers: read in the plainest way.
fn is_called_rightly(headers: &HeaderMap, place: ControlEndpoint) -> bool {
    let hosts: Vec<_> = headers.get_all(HOST).iter().collect();
    let [host] = hosts[..] else { return false };
    let Ok(host) = host.to_str() else { return false };
    let without_port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = match without_port {
        Some((name, _)) if !name.contains(':') || name.ends_with(']') => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_canonical().is_loopback() || place.listen.starts_with("0.0.0.0");
    }
    let is_named = place.reverse_proxy.is_some_and(|(_, named)| named.eq_ignore_ascii_case(name));
    is_named
        || name.trim_end_matches('.').eq_ignore_ascii_case("localhost")
        || (is_local_name(name) && is_private(place.peer))
}

/// A name that no public DNS answers: without a dot, or below `.local`.
fn is_local_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let label = lower.strip_suffix(".local").unwrap_or(&lower);
    !label.is_empty() && !label.contains('.') && label != "localhost"
}

fn is_private(peer: &str) -> bool {
    match peer.parse::<SocketAddr>().expect("an address").ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Whether the request came by a name that only the local network knows: such a name proves nothing.
fn is_by_local_name(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    is_local_name(host.split(':').next().unwrap_or_default())
}

/// No page asks, or the one that was fetched from this very host.
fn is_own_page(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    headers.get_all(ORIGIN).iter().all(|origin| {
        let page = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        page.is_some_and(|(_, page)| page.eq_ignore_ascii_case(host))
    })
}
