//! A control plane over one unreachable server, and requests to it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use greenroom_cache::{Cache, Clock};
use greenroom_dialect::credential::Secret;
use http::{HeaderMap, Request, StatusCode};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::router::router;
use greenroom_config::{ConfigSource, Settings};
use greenroom_control::auth::caller::ConnectionInfo;
use greenroom_control::state::ApiState;
use greenroom_control::{ControlPlane, ControlPlaneDeps};
use greenroom_proxy::server::Server;
use greenroom_state::control_tokens::TokenStore;
use greenroom_state::file_watch;
use greenroom_state::file_watch::FileReloader;

pub(super) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(super) const SERVER_TOKEN: &str = "the-owners-own-token";
pub(super) const HOOK_SECRET: &str = "the-secret-of-the-webhook";
pub(super) const BEARER: (&str, &str) = ("authorization", "Bearer 0123456789abcdef0123456789abcdef");
pub(super) const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const LOCAL: (&str, &str) = ("host", "127.0.0.1:8710");
/// Headers of a local program with the control token.
pub(super) const TOKEN_HEADERS: [(&str, &str); 3] = [LOCAL, BEARER, JSON];

/// A control plane over one unreachable server.
pub(super) struct ControlFixture {
    pub(super) state: Arc<ApiState>,
    pub(super) peer: SocketAddr,
    pub(super) is_encrypted: bool,
    pub(super) dir: tempfile::TempDir,
}

/// A response.
pub(super) struct ApiTestResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl ApiTestResponse {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("valid JSON")
    }

    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().expect("a problem has a code").to_owned()
    }
}

impl ControlFixture {
    pub(super) fn new() -> Self {
        Self::with_config("")
    }

    /// A control plane with this `[control]` configuration.
    pub(super) fn with_config(control: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("control.token"), TOKEN).expect("written");
        let mut source = ConfigSource::default();
        let file = format!(
            "[control]\n{control}\n[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"{SERVER_TOKEN}\"\n"
        );
        source.add_toml("g.toml", &file);
        let Settings { control: control_settings, mut servers, .. } =
            Settings::read(source).expect("valid configuration");
        let settings = servers.remove(0);
        let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
        let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), tasks.clone());
        let secrets = (greenroom_state::secrets::HashKey([1; 32]), Secret::new(HOOK_SECRET));
        let server = Server::new(settings, cache.clone(), clock.clone(), tasks, stop.clone(), secrets);
        let server = Arc::new(server.expect("a server"));
        let data_dir = greenroom_state::secrets::DataDir::open(dir.path()).expect("a data directory");
        let token = TokenStore::open(data_dir).expect("a readable directory");
        let listen: SocketAddr = "0.0.0.0:32500".parse().expect("an address");
        let servers = vec![(server, listen)];
        greenroom_state::db::StateDb::open(dir.path()).expect("a state database");
        let ttl_overrides = Some(greenroom_proxy::ttl_overrides::TtlOverrideStore::new(dir.path()));
        let control = ControlPlane::new(ControlPlaneDeps {
            servers,
            ttl_overrides,
            ..ControlPlaneDeps::empty(cache, clock, token)
        });
        let own_address: SocketAddr = "127.0.0.1:8710".parse().expect("an address");
        Self {
            state: Arc::new(ApiState {
                control: Arc::new(control),
                settings: control_settings,
                listen: own_address,
                stop,
            }),
            peer: "127.0.0.1:50000".parse().expect("an address"),
            is_encrypted: false,
            dir,
        }
    }

    /// The read-only token.
    pub(super) fn read_token(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("read.token")).expect("a read-only token")
    }

    pub(super) fn server(&self) -> &Server {
        &self.state.control.servers[0].server
    }

    /// Watches the token files, as the process does, until the control plane stops.
    pub(super) fn watch_files(&self) -> TaskTracker {
        let tasks = TaskTracker::new();
        let control = Arc::clone(&self.state.control);
        let watched: Vec<Arc<dyn FileReloader>> = vec![control];
        tasks.spawn(file_watch::watch_files(watched, tasks.clone(), self.state.stop.clone()));
        tasks
    }

    /// Re-reads the token files when a request shows an unknown token, as the process does.
    pub(super) fn follow_tokens(&self) -> TaskTracker {
        let tasks = TaskTracker::new();
        let (control, stop) = (Arc::clone(&self.state.control), self.state.stop.clone());
        tasks.spawn(greenroom_control::follow_tokens(control, tasks.clone(), stop));
        tasks
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> http::Response<Body> {
        let mut builder =
            Request::builder().method(method).uri(path).extension(ConnectionInfo::new(self.peer, self.is_encrypted));
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let request = builder.body(Body::from(body.to_owned())).expect("a request");
        let service = TowerToHyperService::new(router(Arc::clone(&self.state)));
        service.call(request).await.expect("an infallible service")
    }

    pub(super) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> ApiTestResponse {
        let (parts, body) = self.send(method, path, headers, body).await.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.expect("a complete body");
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        ApiTestResponse { status: parts.status, headers: parts.headers, text }
    }

    pub(super) async fn get(&self, path: &str) -> ApiTestResponse {
        self.request("GET", path, &[LOCAL], "").await
    }

    /// Logs in; returns the cookie as the browser sends it back.
    pub(super) async fn log_in(&self) -> String {
        let body = format!("{{\"token\":\"{TOKEN}\"}}");
        let response = self.request("POST", "/api/v1/session", &[LOCAL, JSON], &body).await;
        assert_eq!(response.status, 200, "{}", response.text);
        let cookie = response.headers["set-cookie"].to_str().expect("text").to_owned();
        cookie.split(';').next().expect("a pair").to_owned()
    }
}

/// All files in a folder and below, with their content.
pub(super) fn files_under(dir: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).expect("a readable directory").map(|entry| entry.expect("an entry").path());
    let read = |path: std::path::PathBuf| {
        if path.is_dir() {
            files_under(&path)
        } else {
            vec![(path.display().to_string(), std::fs::read(&path).expect("a readable file"))]
        }
    };
    entries.flat_map(read).collect()
}
