//! 12. The control plane: on a listener apart from the media server's, with a token of its own, local by default, and
//!     unaffected by proxy headers, trusted or not.

use greenroom_dialect::request::ServerKind;
use http::Method;
use tokio_util::task::TaskTracker;

use super::{TOKEN, client, echo, end, play};
use crate::fixture::scripted::ScriptedServer;
use crate::fixture::{GatewayConfigBuilder, TestClient};

#[tokio::test(flavor = "multi_thread")]
async fn twelve_the_listener_of_a_server_knows_nothing_of_control() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let client = client(&stage, ServerKind::Plex, TOKEN);
    client.get("/library/sections").await;
    for (method, target) in [
        (Method::POST, "/api/v1/cache/clear"),
        (Method::GET, "/api/v1/cache/stats"),
        (Method::GET, "/metrics"),
        (Method::GET, "/healthz"),
    ] {
        assert_eq!(stage.client().send(method.clone(), target, "").await.status, 401, "{target}");
        client.send(method.clone(), target, "").await;
        assert_eq!(server.count(method.as_str(), target), 1, "{target} is the server's affair");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_a_trusted_proxy_of_the_apps_opens_nothing_of_control() {
    let server = ScriptedServer::start(&TaskTracker::new(), echo(ServerKind::Plex)).await;
    let url = format!("http://{}", server.address);
    let script = GatewayConfigBuilder::new().top("trusted_proxies = [\"127.0.0.0/8\", \"::1\"]");
    let stage = script.server("home", "plex", &url, "").start().await;
    let control = TestClient::new(stage.process.control);
    assert_eq!(control.get("/api/v1/cache/stats").await.status, 200, "this machine may read");
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-for", "203.0.113.9"),
        ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-forwarded-host", "localhost"),
        ("via", "1.1 proxy"),
    ] {
        for path in ["/api/v1/cache/stats", "/metrics"] {
            assert_eq!(control.with(name, value).get(path).await.status, 401, "{name}: {value}");
        }
        let changed = control.with(name, value).send(Method::POST, "/api/v1/cache/clear", "").await;
        assert_eq!(changed.status, 401, "{name}: {value}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_nothing_changes_by_get_and_nothing_by_anothers_page() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let bearer = format!("Bearer {}", stage.process.token.secret.expose());
    let control = TestClient::new(stage.process.control);
    for path in ["/api/v1/cache/clear", "/api/v1/cache/warm"] {
        assert_eq!(control.with("authorization", &bearer).get(path).await.status, 405, "{path}");
        assert_eq!(control.send(Method::POST, path, "").await.status, 401, "{path}: without the token");
        let page = control.with("authorization", &bearer).with("origin", "http://evil.example");
        assert_eq!(page.send(Method::POST, path, "").await.status, 403, "{path}: for another page");
        let renamed = control.with("authorization", &bearer).with("host", "evil.example");
        assert_eq!(renamed.send(Method::POST, path, "").await.status, 421, "{path}: by another name");
        let own = control.with("authorization", &bearer).send(Method::POST, path, "").await;
        assert!(own.status.is_success(), "{path}: {}", own.text());
    }
    end(server, stage).await;
}
