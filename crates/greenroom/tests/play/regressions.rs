//! Regression tests, each named after its fault.

use futures_util::future::join_all;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::{Plex, PlexOptions, PlexSwitches};
use greenroom_simulator::simulated_server::SimulatedServer;
use http::Method;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

async fn plex(more: &str) -> (SimulatedServer, GatewayFixture) {
    let tasks = TaskTracker::new();
    let server = Plex::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), more).start().await;
    (server, stage)
}

async fn jellyfin(more: &str) -> (SimulatedServer, GatewayFixture) {
    let tasks = TaskTracker::new();
    let server =
        Jellyfin::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("den", "jellyfin", &server.url(), more).start().await;
    (server, stage)
}

async fn end(server: SimulatedServer, stage: GatewayFixture) {
    stage.stop().await;
    server.stop().await;
}

fn plex_client(stage: &GatewayFixture, token: &str) -> TestClient {
    stage.client().with("x-plex-token", token).with("accept", "application/json")
}

fn jellyfin_client(stage: &GatewayFixture, token: &str) -> TestClient {
    let said = format!("MediaBrowser Client=\"T\", Device=\"T\", DeviceId=\"t\", Version=\"1\", Token=\"{token}\"");
    stage.client().with("authorization", &said)
}

async fn thumb(client: &TestClient) -> String {
    let list = client.get("/library/sections/1/all").await.json();
    list["MediaContainer"]["Metadata"][0]["thumb"].as_str().expect("a picture").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_one_identitys_image_is_not_answered_to_another() {
    let (server, stage) = plex("").await;
    let owner = plex_client(&stage, server.tokens().owner_a());
    let picture = thumb(&owner).await;
    assert_eq!(owner.get(&picture).await.status, 200);
    assert!(owner.get(&picture).await.was_hit());
    let stranger = plex_client(&stage, "nobody-knows-this");
    assert_eq!(stranger.get(&picture).await.status, 401);
    let again = owner.get(&picture).await;
    assert_eq!((again.status.as_u16(), again.was_hit()), (200, true));
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn being_refused_what_was_never_allowed_costs_nothing_of_what_is() {
    let (server, stage) = plex("").await;
    let sam = plex_client(&stage, server.tokens().sam());
    sam.get("/library/sections").await;
    assert_eq!(sam.get("/status/sessions").await.status, 403, "sessions are the owner's");
    assert!(sam.get("/library/sections").await.was_hit());
    server.revoke_token("sam");
    assert_eq!(sam.get("/library/sections/1/all").await.status, 401);
    assert_eq!(sam.get("/library/sections").await.status, 401, "a refused token has nothing left");
    end(server, stage).await;
}

/// Hits of nine rounds of reads. In each round the client is also denied what only the owner may see.
async fn hits_of_nine_rounds(client: &TestClient, targets: &[&str], owners: &[(&str, u16)]) -> usize {
    let mut hits = 0;
    for round in 0..10 {
        for (target, status) in owners {
            assert_eq!(client.get(target).await.status, *status, "{target}");
        }
        for target in targets {
            let answer = client.get(target).await;
            assert_eq!(answer.status, 200, "{target}");
            hits += usize::from(round > 0 && answer.was_hit());
        }
    }
    hits
}

#[tokio::test(flavor = "multi_thread")]
async fn a_403_of_the_settings_leaves_a_shared_user_what_he_has() {
    let targets = [
        "/",
        "/servers",
        "/updater/status",
        "/system/agents",
        "/library/sections",
        "/library/sections/1/all",
        "/library/recentlyAdded",
        "/playlists",
    ];
    let (server, stage) = plex("").await;
    let owner = plex_client(&stage, server.tokens().owner_a());
    let sam = plex_client(&stage, server.tokens().sam());
    assert_eq!(hits_of_nine_rounds(&owner, &targets, &[("/:/prefs", 200), ("/devices", 200)]).await, 72);
    assert_eq!(hits_of_nine_rounds(&sam, &targets, &[("/:/prefs", 403), ("/devices", 403)]).await, 72);
    end(server, stage).await;

    let targets = ["/UserViews", "/Items?recursive=true&limit=5", "/System/Info/Public", "/Genres"];
    let (server, stage) = jellyfin("").await;
    let owner = jellyfin_client(&stage, server.tokens().owner_a());
    let sam = jellyfin_client(&stage, server.tokens().sam());
    let owners = |status| [("/Library/VirtualFolders", status), ("/Library/MediaFolders", status)];
    assert_eq!(hits_of_nine_rounds(&owner, &targets, &owners(200)).await, 36);
    assert_eq!(hits_of_nine_rounds(&sam, &targets, &owners(403)).await, 36);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_with_other_features_is_another_search_and_older_routes_are_cached() {
    let switches = PlexSwitches { search_differs_by_features: true, ..PlexSwitches::default() };
    let options = PlexOptions { switches, ..PlexOptions::quick() };
    let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &TaskTracker::new()).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), "").start().await;
    let plain = plex_client(&stage, server.tokens().owner_a());
    let able = plain.with("x-plex-features", "indirect-media,external-media");
    let hubs = async |client: &TestClient| {
        let found = client.get("/hubs/search?query=the").await;
        (found.json()["MediaContainer"]["size"].as_u64().expect("a length"), found.was_hit())
    };
    let (few, _) = hubs(&plain).await;
    assert_eq!(hubs(&able).await, (few + 1, false), "what one app gets is not given to another");
    assert_eq!((hubs(&plain).await, hubs(&able).await), ((few, true), (few + 1, true)));
    for target in ["/search?query=the", "/channels/all"] {
        assert_eq!(plain.get(target).await.status, 200, "{target}");
        assert!(plain.get(target).await.was_hit(), "{target}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_of_a_path_are_one_right() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| {
        let is_denied = request.target.contains("Start=50") || request.target.starts_with("/:/prefs");
        ScriptedReply::Bytes(if is_denied { answer("403 Forbidden", "text/html", "no") } else { container(1) })
    })
    .await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, "").start().await;
    let client = plex_client(&stage, "token");
    let page = |start: u64| format!("/library/sections/1/all?X-Plex-Container-Start={start}&X-Plex-Container-Size=50");
    for target in ["/library/sections", "/", &page(0)] {
        assert_eq!(client.get(target).await.status, 200);
    }
    assert_eq!(client.get("/:/prefs").await.status, 403);
    assert!(client.get("/library/sections").await.was_hit() && client.get("/").await.was_hit());
    assert_eq!(client.get(&page(50)).await.status, 403, "of a path that was allowed");
    assert!(!client.get("/library/sections").await.was_hit());
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_ends_takes_along_what_was_kept_by_it() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| match (request.target.as_str(), request.before) {
        ("/status/sessions", 1..) => {
            ScriptedReply::Bytes(answer("403 Forbidden", "text/html", "<h1>403 Forbidden</h1>"))
        }
        (_, before) => ScriptedReply::Bytes(container(before)),
    })
    .await;
    let at_once = "[server.lifetimes.sessions]\nfresh_s = 0\nstale_s = 0\n";
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, at_once).start().await;
    let client = plex_client(&stage, "token");
    client.get("/library/sections").await;
    assert_eq!(client.get("/status/sessions").await.status, 200);
    assert!(client.get("/library/sections").await.was_hit());
    assert_eq!(client.get("/status/sessions").await.status, 403);
    assert!(!client.get("/library/sections").await.was_hit());
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn image_bytes_are_shared_only_with_granted_tokens_and_loaded_once_for_a_crowd() {
    let (server, stage) = plex("").await;
    let owner = plex_client(&stage, server.tokens().owner_a());
    let sam = plex_client(&stage, server.tokens().sam());
    let picture = thumb(&owner).await;
    let asked = |server: &SimulatedServer| server.request_log().count(|seen| seen.target.contains("/thumb"));
    let crowd = join_all((0..50).map(|_| owner.get(&picture))).await;
    assert!(crowd.iter().all(|answer| answer.status == 200));
    assert_eq!(asked(&server), 1);
    assert!(!sam.get(&picture).await.was_hit(), "Sam was not shown it yet");
    assert_eq!(asked(&server), 2);
    assert!(sam.get(&picture).await.was_hit());
    assert_eq!(asked(&server), 2);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_disguised_as_a_socket_is_still_a_write() {
    let (server, stage) = jellyfin("").await;
    let client = jellyfin_client(&stage, server.tokens().sam());
    let list = client.get("/Items?recursive=true&includeItemTypes=Movie&limit=1&filters=IsUnplayed").await.json();
    let id = list["Items"][0]["Id"].as_str().expect("an id").to_owned();
    let played = async || client.get(&format!("/Items/{id}")).await.json()["UserData"]["Played"].clone();
    assert_eq!(played().await, false);
    let disguised = client.with("connection", "Upgrade").with("upgrade", "websocket");
    disguised.send(Method::POST, &format!("/UserPlayedItems/{id}"), "").await;
    assert_eq!(played().await, true);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unstored_response_is_not_called_stored() {
    let (server, stage) = plex("[memory]\nmax_entry_bytes = 1024").await;
    let client = plex_client(&stage, server.tokens().owner_a());
    for _ in 0..2 {
        let answer = client.get("/library/sections/1/all").await;
        assert_eq!(answer.status, 200);
        let said = answer.header("cache-status").to_owned();
        assert!(said.contains("fwd=uri-miss") && !said.contains("stored"), "{said}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_hang_keep_no_write_waiting_and_give_their_places_back() {
    let (server, stage) = plex("load_timeout_s = 2").await;
    let client = plex_client(&stage, server.tokens().owner_a());
    client.get("/accounts").await;
    server.faults().set_for("/library/metadata", Fault::Hang);
    let hung = join_all((1..=6).map(|id| {
        let client = client.clone();
        async move { client.get(&format!("/library/metadata/{id}")).await.status }
    }));
    let rate = "/:/rate?identifier=com.plexapp.plugins.library&key=1&rating=5";
    let (hung, rated) = tokio::join!(hung, client.send(Method::PUT, rate, ""));
    assert_eq!(rated.status, 200);
    assert!(hung.iter().all(|status| *status == 503), "{hung:?}");
    assert_eq!(client.get("/library/sections").await.status, 200);
    server.faults().clear();
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_in_advance_opens_nothing_else() {
    let (server, stage) = plex("").await;
    let before = server.request_log().total();
    let client = stage.client();
    for target in ["/library/sections", "/:/scrobble?key=1", "/library/../library/sections"] {
        let status = client.send(Method::OPTIONS, target, "").await.status;
        assert!(status.is_client_error(), "{target}: {status}");
    }
    assert_eq!(server.request_log().total(), before);
    let browser = client.with("origin", "http://app.example").with("access-control-request-method", "GET");
    let preflight = browser.send(Method::OPTIONS, "/library/sections", "").await;
    assert_ne!(preflight.status, 401, "a preflight never carries a token");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_can_read_answers_and_errors() {
    let (server, stage) = plex("").await;
    let browser = stage.client().with("origin", "http://app.example");
    let refused = browser.get("/library/sections").await;
    assert_eq!((refused.status.as_u16(), refused.header("access-control-allow-origin")), (401, "http://app.example"));
    let client = browser.with("x-plex-token", server.tokens().owner_a());
    for _ in 0..2 {
        assert_eq!(client.get("/library/sections").await.header("access-control-allow-origin"), "http://app.example");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_in_a_jellyfin_response_is_the_one_the_client_used() {
    let (server, stage) = jellyfin("").await;
    let expected = format!("http://{}", stage.address(0));
    for _ in 0..2 {
        let info = stage.client().get("/System/Info/Public").await.json();
        assert_eq!(info["LocalAddress"].as_str(), Some(expected.as_str()));
    }
    end(server, stage).await;
}

const FAULTS: [Fault; 12] = [
    Fault::Status(302),
    Fault::Status(307),
    Fault::Status(204),
    Fault::Status(205),
    Fault::Status(206),
    Fault::Status(304),
    Fault::Gzip,
    Fault::StartPage503,
    Fault::Truncated,
    Fault::HtmlInsteadOfJson,
    Fault::EmptyWhileStarting,
    Fault::Down,
];

const AT_ONCE: &str = "[server.lifetimes.lists]\nfresh_s = 0\nstale_s = 0\n";

#[tokio::test(flavor = "multi_thread")]
async fn no_trouble_of_a_plex_empties_a_library() {
    let (server, stage) = plex(AT_ONCE).await;
    let client = plex_client(&stage, server.tokens().owner_a());
    let good = client.get("/library/sections/1/all").await;
    for fault in FAULTS {
        server.faults().set(fault);
        let during = client.get("/library/sections/1/all").await;
        server.faults().clear();
        assert_eq!(during.body, good.body, "{fault:?}");
        let said = during.header("cache-status").to_owned();
        assert!(said.contains("stale-on-error"), "{fault:?}: {said}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trouble_of_a_jellyfin_empties_a_library() {
    let (server, stage) = jellyfin(AT_ONCE).await;
    let client = jellyfin_client(&stage, server.tokens().sam());
    let list = "/Items?recursive=true&includeItemTypes=Movie";
    let good = client.get(list).await;
    for fault in FAULTS {
        server.faults().set(fault);
        let during = client.get(list).await;
        server.faults().clear();
        assert_eq!(during.body, good.body, "{fault:?}");
        let said = during.header("cache-status").to_owned();
        assert!(said.contains("stale-on-error"), "{fault:?}: {said}");
    }
    end(server, stage).await;
}
