//! 5. Forwarded-for: which peers are trusted to name a client's address, what the server learns of it, and what remote
//!    clients may not use.

use greenroom_dialect::request::ServerKind;
use http::Method;
use tokio_util::task::TaskTracker;

use super::{TOKEN, client, echo, end, media_browser, play};
use crate::fixture::scripted::ScriptedServer;
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

/// Every header that can name another address or host.
const SPOKEN: [&str; 14] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded",
    "x-real-ip",
    "forwarded",
    "client-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-cluster-client-ip",
];

/// Requests that are neither a read nor a write nor a stream.
const ASKED: [(Method, &str); 3] =
    [(Method::GET, "/library/parts/1/2/a.mp4"), (Method::PUT, "/:/rate?key=1&rating=2"), (Method::GET, "/unknown")];

async fn behind(trusted: &str, kind: ServerKind, more: &str) -> (ScriptedServer, GatewayFixture) {
    let server = ScriptedServer::start(&TaskTracker::new(), echo(kind)).await;
    let url = format!("http://{}", server.address);
    let script = GatewayConfigBuilder::new().top(&format!("trusted_proxies = [{trusted}]"));
    let stage = script.server("home", kind.name(), &url, more).start().await;
    (server, stage)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_a_strangers_word_on_addresses_is_taken_off_and_ours_is_put_on() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let mut liar = client(&stage, ServerKind::Plex, TOKEN);
    for name in SPOKEN {
        liar = liar.with(name, "203.0.113.9");
    }
    for (method, target) in ASKED {
        liar.send(method, target, "").await;
        let arrived = server.drain().pop().expect("it arrived");
        assert_eq!(arrived.header("x-forwarded-for"), ["127.0.0.1"], "{target}");
        assert!(!arrived.head.contains("203.0.113.9"), "{}", arrived.head);
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_forwarded_addresses_count_up_to_the_first_untrusted_one() {
    let (server, stage) = behind("\"127.0.0.0/8\", \"172.16.0.0/12\"", ServerKind::Plex, "").await;
    let proxy = client(&stage, ServerKind::Plex, TOKEN).with("x-forwarded-host", "evil").with("x-real-ip", "10.9.9.9");
    for (said, expected) in [
        ("203.0.113.9", "203.0.113.9"),
        ("192.168.1.1, 203.0.113.9", "203.0.113.9"),
        ("192.168.1.1, 203.0.113.9, 172.17.0.2", "203.0.113.9"),
        ("203.0.113.9, nonsense", "127.0.0.1"),
        ("", "127.0.0.1"),
    ] {
        for (method, target) in ASKED {
            proxy.with("x-forwarded-for", said).send(method, target, "").await;
            let arrived = server.drain().pop().expect("it arrived");
            assert_eq!(arrived.header("x-forwarded-for"), [expected], "{said:?} {target}");
            assert!(!arrived.head.contains("evil") && !arrived.head.contains("10.9.9.9"), "{}", arrived.head);
        }
    }
    end(server, stage).await;
}

async fn statuses(client: &TestClient) -> Vec<u16> {
    let mut statuses = Vec::new();
    for target in
        ["/System/Restart", "/System/Shutdown", "/system//restart", "/emby/System/Restart", "/System/Restart/"]
    {
        statuses.push(client.send(Method::POST, target, "").await.status.as_u16());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn five_a_jellyfin_is_not_restarted_or_stopped_from_far_away() {
    let (server, stage) = behind("\"127.0.0.1\"", ServerKind::Jellyfin, "").await;
    let near = client(&stage, ServerKind::Jellyfin, TOKEN);
    assert_eq!(statuses(&near).await, [200; 5], "a neighbour may try; the server decides");
    assert_eq!(statuses(&near.with("x-forwarded-for", "192.168.1.7")).await, [200; 5]);
    server.drain();
    let far = near.with("x-forwarded-for", "192.168.1.7, 203.0.113.9");
    assert_eq!(statuses(&far).await, [403; 5]);
    let refused = far.send(Method::POST, "/System/Restart", "").await;
    assert!(refused.header("content-type").contains("json") && refused.text().contains("known_proxy"));
    for target in ["/Startup/User", "/startup/complete"] {
        assert_eq!(far.send(Method::POST, target, "").await.status, 403, "{target}");
    }
    assert_eq!(server.received().len(), 0, "none of it reached the server");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_a_jellyfin_that_knows_its_proxy_decides_for_itself() {
    let (server, stage) = behind("\"127.0.0.1\"", ServerKind::Jellyfin, "known_proxy = true").await;
    let far = stage.client().with("authorization", &media_browser(TOKEN)).with("x-forwarded-for", "203.0.113.9");
    assert_eq!(statuses(&far).await, [200; 5]);
    assert!(server.received().iter().all(|request| request.header("x-forwarded-for") == ["203.0.113.9"]));
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_what_depends_on_the_clients_address_is_kept_only_where_the_server_does_not_see_it() {
    for (more, is_kept) in [("", true), ("known_proxy = true", false)] {
        let (server, stage) = behind("\"127.0.0.1\"", ServerKind::Jellyfin, more).await;
        let near = client(&stage, ServerKind::Jellyfin, TOKEN);
        let far = near.with("x-forwarded-for", "203.0.113.9");
        for target in ["/System/Endpoint", "/Users/Public"] {
            assert_eq!(near.get(target).await.status, 200, "{target}");
            assert_eq!(near.get(target).await.was_hit(), is_kept, "{target}");
            server.drain();
            assert_eq!(far.get(target).await.was_hit(), is_kept, "{target}");
            for arrived in server.drain() {
                assert_eq!(arrived.header("x-forwarded-for"), ["203.0.113.9"], "{target}");
            }
        }
        end(server, stage).await;
    }
}
