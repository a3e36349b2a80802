//! 6. Cache poisoning: nothing outside the key reaches the server, so that no request can store a response under
//!    another request's key. The suite goes over every request type of both dialects, with every header and parameter
//!    that was ever used for it.

use greenroom_cache::{Invalidation, InvalidationMode, Scope};
use greenroom_dialect::classification::{Read, SharingScope};
use greenroom_dialect::request::ServerKind;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{TOKEN, asked_for, client, echo, end, media_browser, play, readings};
use crate::fixture::scripted::ReceivedRequest;
use crate::fixture::{GatewayFixture, TestClient};

/// Must not appear in a clean response.
const POISON: &str = "poison7f3a";

/// Headers that influence proxies, frameworks, servers or browsers, and that no key contains.
const HEADERS: [&str; 52] = [
    "accept-charset",
    "accept-encoding",
    "base-url",
    "cf-connecting-ip",
    "client-ip",
    "contact",
    "cookie",
    "dnt",
    "fastly-client-ip",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "profile",
    "proxy-authorization",
    "proxy-host",
    "referer",
    "request-uri",
    "save-data",
    "sec-fetch-mode",
    "te",
    "trace-parent",
    "true-client-ip",
    "upgrade-insecure-requests",
    "uri",
    "user-agent",
    "via",
    "x-arbitrary",
    "x-client-ip",
    "x-emby-custom",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-path",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-plex-client-profile-extra",
    "x-plex-session-identifier",
    "x-real-ip",
    "x-requested-with",
    "x-rewrite-url",
];

/// Parameters that no key contains, or only a key of their own.
fn parameters(kind: ServerKind) -> &'static [&'static str] {
    match kind {
        ServerKind::Plex => &[
            "_=poison7f3a",
            "X-Plex-Custom=poison7f3a",
            "X-Plex-Session-Identifier=poison7f3a",
            "X-Plex-Client-Profile-Extra=poison7f3a",
            "x-plex-drm=poison7f3a",
            "utm_source=poison7f3a",
            "callback=poison7f3a",
            "X-Plex-Language=en&X-Plex-Language=poison7f3a",
            "X-Plex-Container-Size=1&X-Plex-Container-Size=poison7f3a",
            "type=1&type=poison7f3a",
            "poison7f3a=%0d%0a",
            "a;b=poison7f3a",
        ],
        ServerKind::Jellyfin => &[
            "_=poison7f3a",
            "deviceId=poison7f3a",
            "utm_source=poison7f3a",
            "callback=poison7f3a",
            "api_key=poison7f3a",
            "nextUpDateCutoff=poison7f3a",
            "nextUpDateCutoff=2026-11-22T09:00:00Z",
            "limit=1&limit=poison7f3a",
            "limit=1&Limit=poison7f3a",
            "userId=poison7f3a&UserId=other",
            "poison7f3a=%0d%0a",
            "a;b=poison7f3a",
        ],
    }
}

fn with_parameter(target: &str, parameter: &str) -> String {
    let mark = if target.contains('?') { '&' } else { '?' };
    format!("{target}{mark}{parameter}")
}

fn forget(stage: &GatewayFixture) {
    let everything = Invalidation { mode: InvalidationMode::Purge, grace_period: None, unstorable_for: None };
    stage.process.cache.invalidate(&Scope::All, &everything);
}

/// Asserts that the server received the requested read, the caller's credential, and our constant headers: not a byte
/// more.
fn check(kind: ServerKind, read: &Read, arrived: &ReceivedRequest, what: &str) {
    assert_eq!(arrived.target, read.target, "{what}");
    let fixed = ["accept-encoding", "host", "user-agent"].map(str::to_owned);
    let own = read.headers.iter().map(|(name, _)| name.as_str().to_owned());
    let credential = match kind {
        _ if read.sharing == SharingScope::Public => None,
        ServerKind::Plex => Some("x-plex-token".to_owned()),
        ServerKind::Jellyfin => Some("authorization".to_owned()),
    };
    let mut allowed: Vec<String> = fixed.into_iter().chain(own).chain(credential).collect();
    allowed.sort();
    assert_eq!(arrived.header_names(), allowed, "{what}");
    for (name, value) in &read.headers {
        assert_eq!(arrived.header(name.as_str()), [value.to_str().expect("text")], "{what}");
    }
    assert_eq!(arrived.header("accept-encoding"), ["identity"], "{what}");
    assert!(arrived.header("user-agent")[0].starts_with("Greenroom/"), "{what}");
    assert!(arrived.body.is_empty(), "{what}");
}

/// Sends a poisonous request first, then a clean one: the clean response must be the one for the clean request.
async fn try_poison(
    kind: ServerKind,
    (target, clean): (&str, &Read),
    (attacker, victim): (&TestClient, &TestClient),
    (server, stage): (&crate::fixture::scripted::ScriptedServer, &GatewayFixture),
    (poisoned, headers): (&str, &HeaderMap),
) {
    let what = format!("{kind:?} {poisoned} {headers:?}, then {target}");
    forget(stage);
    server.drain();
    let answer = attacker.get(poisoned).await;
    let arrived = server.drain();
    if let Some(read) = readings::read(kind, poisoned, headers)
        && answer.header("cache-status").contains("stored")
    {
        check(kind, &read, arrived.last().expect("it was asked"), &what);
        assert_eq!(read.key == clean.key, read.target == clean.target && read.headers == clean.headers, "{what}");
    }
    for _ in 0..2 {
        let answer = victim.get(target).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        assert!(!asked_for(&answer).to_ascii_lowercase().contains(POISON), "{what}");
        let asked = asked_for(&answer);
        assert_eq!(asked.split(' ').nth(1), Some(clean.target.as_str()), "{what}");
        assert!(!format!("{:?}", answer.headers).contains(POISON), "{what}");
    }
    for arrived in server.drain() {
        check(kind, clean, &arrived, &what);
    }
}

async fn poison_all(kind: ServerKind) {
    let (server, stage) = play(kind, "", echo(kind)).await;
    let victim = client(&stage, kind, TOKEN).with("user-agent", "Victim/1");
    // Without a clean request's headers nothing can be compared.
    let mut clean_headers = HeaderMap::new();
    match kind {
        ServerKind::Plex => {
            clean_headers.insert("accept", HeaderValue::from_static("application/json"));
            clean_headers.insert("x-plex-token", HeaderValue::from_static(TOKEN));
        }
        ServerKind::Jellyfin => {
            clean_headers.insert("authorization", media_browser(TOKEN).parse().expect("a value"));
        }
    }
    let mut tried = 0;
    for target in readings::targets(kind) {
        let clean = readings::read(kind, target, &clean_headers).expect("it is a read");
        for name in HEADERS {
            let mut headers = clean_headers.clone();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(POISON));
            let attacker = victim.with(name, POISON);
            let clients = (&attacker, &victim);
            try_poison(kind, (target, &clean), clients, (&server, &stage), (target, &headers)).await;
            tried += 1;
        }
        for parameter in parameters(kind) {
            let poisoned = with_parameter(target, parameter);
            let (with, clients) = ((&server, &stage), (&victim, &victim));
            try_poison(kind, (target, &clean), clients, with, (&poisoned, &clean_headers)).await;
            tried += 1;
        }
    }
    assert_eq!(tried, readings::targets(kind).len() * (HEADERS.len() + parameters(kind).len()));
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn six_no_header_and_no_parameter_poisons_any_class_of_plex() {
    poison_all(ServerKind::Plex).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn six_no_header_and_no_parameter_poisons_any_class_of_jellyfin() {
    poison_all(ServerKind::Jellyfin).await;
}

/// The time of a cutoff is the one value that reaches the server and is not in the key: two moments of a day share the
/// response that one token got for the first of them.
#[tokio::test(flavor = "multi_thread")]
async fn six_a_cutoff_shares_what_another_moment_of_its_day_loaded() {
    let (server, stage) = play(ServerKind::Jellyfin, "", echo(ServerKind::Jellyfin)).await;
    let client = client(&stage, ServerKind::Jellyfin, TOKEN);
    let asked = async |cutoff: &str| {
        let answer = client.get(&format!("/Shows/NextUp?nextUpDateCutoff={cutoff}")).await;
        (asked_for(&answer).split(' ').nth(1).map(str::to_owned), answer.was_hit())
    };
    let target = |cutoff: &str| Some(format!("/Shows/NextUp?nextUpDateCutoff={cutoff}"));
    let (morning, noon) = ("2026-11-22T08:00:00Z", "2026-11-22T12:00:00Z");
    assert_eq!(asked(noon).await, (target(noon), false));
    assert_eq!(asked(morning).await, (target(noon), true));
    for other in ["2026-11-22T00:00:00Z", "2026-11-23T08:00:00Z", "2026-11-22T12:00:00Zpoison7f3a"] {
        assert_eq!(asked(other).await, (target(other), false), "another day, or no date");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn six_what_passes_through_carries_only_what_is_on_the_list() {
    for (kind, target) in [
        (ServerKind::Plex, "/library/parts/1/2/a.mp4"),
        (ServerKind::Plex, "/playQueues/5"),
        (ServerKind::Plex, "/:/rate?key=1&rating=2"),
        (ServerKind::Jellyfin, "/Videos/1/stream"),
        (ServerKind::Jellyfin, "/UserPlayedItems/0123456789abcdef0123456789abcdef"),
    ] {
        let (server, stage) = play(kind, "", echo(kind)).await;
        let mut attacker = client(&stage, kind, TOKEN);
        // Headers of players and browsers are forwarded; those that name other hosts, paths and methods are not.
        let sent = ["accept-encoding", "if-match", "if-unmodified-since", "origin", "user-agent"];
        for name in HEADERS.into_iter().filter(|name| !sent.contains(name) && !name.starts_with("x-plex-")) {
            attacker = attacker.with(name, POISON);
        }
        for method in [http::Method::GET, http::Method::PUT, http::Method::POST] {
            attacker.send(method, target, "").await;
        }
        let arrived = server.drain();
        assert_eq!(arrived.len(), 3, "{target}");
        for request in arrived {
            assert!(!request.head.contains(POISON), "{}", request.head);
            assert_eq!(request.header("host"), [server.address.to_string()], "the host is the configured one");
        }
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn six_a_host_header_changes_the_response_to_its_own_request_only() {
    let info = r#"{"LocalAddress":"http://10.0.0.1:8096","ServerName":"den","Version":"10.11.0","Id":"a"}"#;
    let (server, stage) = play(ServerKind::Jellyfin, "", move |_: &ReceivedRequest| {
        crate::fixture::scripted::ScriptedReply::Bytes(crate::fixture::scripted::answer(
            "200 OK",
            "application/json",
            info,
        ))
    })
    .await;
    let local = |client: TestClient| async move {
        client.get("/System/Info/Public").await.json()["LocalAddress"].as_str().map(str::to_owned)
    };
    assert_eq!(local(stage.client().with("host", "evil.example")).await.as_deref(), Some("http://evil.example"));
    let expected = format!("http://{}", stage.address(0));
    assert_eq!(local(stage.client()).await.as_deref(), Some(expected.as_str()));
    assert_eq!(local(stage.client().with("x-forwarded-host", "evil.example")).await, Some(expected));
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn six_a_read_with_a_body_is_not_kept() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let mut fat = stage.raw().await;
    let request = format!(
        "GET /library/sections HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nX-Plex-Token: {TOKEN}\r\n\
         Content-Length: 10\r\n\r\n{POISON}"
    );
    for _ in 0..2 {
        assert_eq!(fat.ask(&request).await.expect("an answer").status(), 200);
    }
    let answer = client(&stage, ServerKind::Plex, TOKEN).get("/library/sections").await;
    assert!(!answer.was_hit(), "what a body may have changed is no answer for who sends none");
    end(server, stage).await;
}
