//! Outages: cached responses are served at once; the server gets only probes; and when it is back, there is no rush of
//! requests.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use greenroom_cache::Clock;
use greenroom_proxy::server::Server;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use http::Method;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::{moment, until, with_deadline};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

/// Current behaviour of a scripted server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerBehavior {
    Well,
    Starting,
    HangsUp,
}

/// A Plex that is up, starting or down as the test says.
pub struct SwitchableServer {
    pub server: ScriptedServer,
    mood: Arc<Mutex<ServerBehavior>>,
}

impl SwitchableServer {
    pub async fn start() -> Self {
        let mood = Arc::new(Mutex::new(ServerBehavior::Well));
        let now = Arc::clone(&mood);
        let tasks = TaskTracker::new();
        let server = ScriptedServer::start(&tasks, move |request: &ReceivedRequest| match *now.lock() {
            ServerBehavior::Well if request.target.starts_with("/identity") => ScriptedReply::Bytes(identity()),
            ServerBehavior::Well => ScriptedReply::Bytes(container(request.before)),
            ServerBehavior::Starting => ScriptedReply::Bytes(answer("503 Service Unavailable", "text/html", "<html>")),
            ServerBehavior::HangsUp => ScriptedReply::Close,
        });
        Self { server: server.await, mood }
    }

    pub fn set(&self, mood: ServerBehavior) {
        *self.mood.lock() = mood;
    }

    pub async fn stage(&self, more: &str) -> GatewayFixture {
        let url = format!("http://{}", self.server.address);
        GatewayConfigBuilder::new().server("home", "plex", &url, more).start_at(Clock::system()).await
    }
}

pub fn identity() -> Vec<u8> {
    let body = r#"{"MediaContainer":{"size":0,"machineIdentifier":"abc","version":"1.43.2.1"}}"#;
    answer("200 OK", "application/json", body)
}

pub fn gateway(stage: &GatewayFixture, index: usize) -> Arc<Server> {
    Arc::clone(&stage.process.servers[index].0)
}

pub fn json(stage: &GatewayFixture, token: &str) -> TestClient {
    stage.client().with("accept", "application/json").with("x-plex-token", token)
}

/// Requests uncached paths until the server counts as down.
pub async fn until_down(stage: &GatewayFixture, index: usize, client: &TestClient) {
    let server = gateway(stage, index.min(stage.process.servers.len() - 1));
    let mut number = 900_000;
    let asking = async {
        while server.origin.breaker.allows_requests() {
            let target = match index {
                0 => format!("/library/metadata/{number}"),
                _ => format!("/Items?parentId={number:032x}"),
            };
            client.get(&target).await;
            number += 1;
            moment().await;
        }
    };
    with_deadline("an outage", asking).await;
}

pub async fn until_back(stage: &GatewayFixture, index: usize) {
    let server = gateway(stage, index);
    with_deadline("the server is back", server.origin.breaker.wait_back()).await;
    until(|| server.origin.breaker.allows_requests()).await;
}

/// One app: a client, and its reads.
pub struct AppReads {
    pub client: TestClient,
    pub reads: Vec<String>,
}

impl AppReads {
    fn new(client: TestClient, reads: &[&str]) -> Self {
        Self { client, reads: reads.iter().map(|target| (*target).to_owned()).collect() }
    }

    pub async fn read(&self) -> Vec<(String, u16, String)> {
        let mut said = Vec::new();
        for target in &self.reads {
            let answer = self.client.get(target).await;
            said.push((target.clone(), answer.status.as_u16(), answer.header("cache-status").to_owned()));
        }
        said
    }
}

pub async fn simulated(more: &str) -> (SimulatedServer, SimulatedServer, GatewayFixture) {
    let (tasks, anywhere) = (TaskTracker::new(), "127.0.0.1:0".parse().expect("an address"));
    let plex = Plex::new(SimulatorOptions::quick()).start(anywhere, &tasks).await.expect("it starts");
    let jellyfin = Jellyfin::new(SimulatorOptions::quick()).start(anywhere, &tasks).await.expect("it starts");
    let stage = GatewayConfigBuilder::new()
        // Repeated reads are counted at the server: without spot checks, no hit reaches it.
        .table("[statistics]\nspot_check_one_in = 0\n")
        .server("home", "plex", &plex.url(), more)
        .server("den", "jellyfin", &jellyfin.url(), more)
        .start_at(Clock::system())
        .await;
    (plex, jellyfin, stage)
}

pub fn jellyfin_client(stage: &GatewayFixture, token: &str) -> TestClient {
    let said = format!("MediaBrowser Client=\"T\", Device=\"T\", DeviceId=\"t\", Version=\"1\", Token=\"{token}\"");
    TestClient::new(stage.address(1)).with("authorization", &said)
}

/// A dashboard, a library tool that requests XML, a user's player, and a Jellyfin client.
pub async fn apps(stage: &GatewayFixture, plex: &SimulatedServer, jellyfin: &SimulatedServer) -> Vec<AppReads> {
    let (owner, sam) = (plex.tokens().owner_a(), plex.tokens().sam());
    let dashboard = json(stage, owner);
    let film = dashboard.get("/library/sections/1/all").await.json();
    let film = &film["MediaContainer"]["Metadata"][0];
    let (key, thumb) = (film["ratingKey"].as_str().expect("a key"), film["thumb"].as_str().expect("a path"));
    let item = format!("/library/metadata/{key}");
    let viewer = jellyfin_client(stage, jellyfin.tokens().sam());
    let shown = viewer.get("/Items?recursive=true&includeItemTypes=Movie&limit=1").await.json();
    let shown = format!("/Items/{}", shown["Items"][0]["Id"].as_str().expect("an id"));
    let all = "/library/sections/1/all";
    vec![
        AppReads::new(
            dashboard,
            &["/", "/identity", "/status/sessions", "/activities", "/library/sections", "/hubs", all],
        ),
        AppReads::new(stage.client().with("x-plex-token", owner), &["/", "/library/sections", all, &item]),
        AppReads::new(json(stage, sam), &["/library/sections", &item, thumb, "/library/onDeck", "/playlists"]),
        AppReads::new(viewer, &["/System/Info/Public", "/System/Ping", "/UserViews", &shown, "/Shows/NextUp"]),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_three_times_auth_ttl_fails_no_read_of_what_was_read_before() {
    let (plex, jellyfin, stage) = simulated("auth_ttl_s = 40\n").await;
    let apps = apps(&stage, &plex, &jellyfin).await;
    let clock = stage.process.clock.clone();
    for app in &apps {
        let said = app.read().await;
        assert!(said.iter().all(|(_, status, _)| *status == 200), "{said:?}");
    }
    plex.faults().set(Fault::Gone);
    jellyfin.faults().set(Fault::Gone);
    let until_ms = clock.now_ms() + 3 * 40_000;
    let (mut reads, mut offline) = (0, 0);
    while clock.now_ms() < until_ms {
        for said in join_all(apps.iter().map(AppReads::read)).await.concat() {
            assert_eq!(said.1, 200, "{said:?}");
            reads += 1;
            offline += u32::from(said.2.contains("offline"));
        }
        // Apps that read cached responses only would never detect it.
        let plex_owner = &apps[0].client;
        plex_owner.get(&format!("/library/metadata/{}", 800_000 + reads)).await;
        apps[3].client.get(&format!("/Items?parentId={:032x}", 800_000 + reads)).await;
        clock.sleep(Duration::from_millis(500)).await;
    }
    assert!(offline * 2 > reads, "most of {reads} reads were answered by the open breaker: {offline}");
    for index in [0, 1] {
        assert_eq!(gateway(&stage, index).origin.breaker.counters().opened, 1, "it opened once");
    }
    plex.stop().await;
    jellyfin.stop().await;
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_down_only_a_probe_every_two_seconds_reaches_it() {
    let moody = SwitchableServer::start().await;
    let stage = moody.stage("token = \"owner\"\n").await;
    let (client, clock) = (json(&stage, "anna"), stage.process.clock.clone());
    assert_eq!(client.get("/status/sessions").await.status, 200);
    moody.set(ServerBehavior::HangsUp);
    until_down(&stage, 0, &client).await;
    let (began_ms, before) = (clock.now_ms(), moody.server.received().len());
    let probes = moody.server.count("GET", "/identity");
    while clock.now_ms() < began_ms + 30_000 {
        assert_eq!(client.get("/status/sessions").await.status, 200);
        client.get("/library/sections").await;
        client.send(Method::PUT, "/:/rate?key=1&rating=5&identifier=x", "").await;
        client.get("/video/:/transcode/universal/start.m3u8?path=x").await;
        clock.sleep(Duration::from_millis(100)).await;
    }
    let after = moody.server.count("GET", "/identity") - probes;
    let arrived = moody.server.received().len() - before;
    assert_eq!(arrived, after, "nothing but probes: {:?}", moody.server.received().last());
    let elapsed_s = (clock.now_ms() - began_ms) / 1000;
    let most = usize::try_from(elapsed_s / 2 + 1).expect("it fits");
    assert!((5..=most).contains(&after), "{after} probes in {elapsed_s} s");
    moody.server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn uncached_reads_and_other_requests_get_a_quick_error_in_the_clients_format() {
    let (plex, jellyfin, stage) = simulated("").await;
    let client = json(&stage, plex.tokens().owner_a());
    let viewer = jellyfin_client(&stage, jellyfin.tokens().sam());
    assert_eq!(client.get("/library/sections").await.status, 200);
    assert_eq!(viewer.get("/UserViews").await.status, 200);
    plex.faults().set(Fault::Gone);
    jellyfin.faults().set(Fault::Gone);
    until_down(&stage, 0, &client).await;
    until_down(&stage, 1, &viewer).await;
    let xml = client.without("accept");
    let rate = "/:/rate?key=1&rating=5&identifier=com.plexapp.plugins.library";
    for (said, is_json) in [
        (client.get("/playlists").await, true),
        (xml.get("/playlists").await, false),
        (client.send(Method::PUT, rate, "").await, true),
        (xml.send(Method::PUT, rate, "").await, false),
        (xml.get("/library/parts/1/2/file.mkv").await, false),
        (viewer.get("/Items/Counts").await, true),
        (viewer.send(Method::POST, "/UserPlayedItems/1", "").await, true),
        (viewer.get("/Videos/1/stream").await, true),
    ] {
        assert_eq!(said.status, 503, "{}", said.text());
        assert_eq!(said.header("retry-after"), "2");
        assert_eq!(said.header("content-type").contains("json"), is_json, "{}", said.text());
        if is_json {
            said.json();
        } else {
            assert!(said.text().starts_with("<?xml") || said.text().starts_with('<'), "{}", said.text());
        }
    }
    let ping = TestClient::new(stage.address(1)).get("/System/Ping").await;
    assert_eq!((ping.status.as_u16(), ping.text().as_str()), (200, "\"Jellyfin Server\""));
    assert_eq!(TestClient::new(stage.address(1)).send(Method::POST, "/System/Ping", "").await.status, 200);
    plex.stop().await;
    jellyfin.stop().await;
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_is_asked_once_for_each_key_and_believed_at_the_first_probe() {
    let lives = "[server.lifetimes.item]\nfresh_s = 300\nstale_s = 0\n";
    let (plex, jellyfin, stage) = simulated(&format!("token = \"plx-owner-a\"\n{lives}")).await;
    let client = json(&stage, plex.tokens().sam());
    let reads: Vec<String> = (1..=20).map(|id| format!("/library/metadata/{id}")).collect();
    for target in &reads {
        assert_eq!(client.get(target).await.status, 200, "{target}");
    }
    until(|| plex.request_log().sockets_open() > 0).await;
    plex.faults().set(Fault::Gone);
    until_down(&stage, 0, &client).await;
    let all = || join_all((0..5).flat_map(|_| &reads).map(|target| client.get(target)));
    for said in all().await {
        assert_eq!(said.status, 200);
    }
    // Wait for the event subscriber to notice: otherwise it would reconnect when reads pass already, and mark
    // everything stale.
    until(|| gateway(&stage, 0).origin.breaker.detached_sockets() == 1).await;
    plex.request_log().reset();
    plex.faults().clear();
    let until_it_is_back = async {
        while !gateway(&stage, 0).origin.breaker.allows_requests() {
            for said in all().await {
                assert_eq!(said.status, 200, "what was read before is read on until it is back");
            }
            stage.process.clock.sleep(Duration::from_millis(200)).await;
        }
    };
    with_deadline("the server, back", until_it_is_back).await;
    // One probe every two seconds, and then the sockets: they connect before reads resume.
    let probes = plex.request_log().count(|seen| seen.target.starts_with("/identity"));
    assert_eq!((probes, gateway(&stage, 0).origin.breaker.counters().unattached), (1, 0));
    for said in all().await {
        assert_eq!(said.status, 200);
        assert!(!said.header("cache-status").contains("offline"), "{}", said.header("cache-status"));
    }
    for target in &reads {
        let loads = plex.request_log().count(|seen| seen.target.split('?').next() == Some(target));
        assert_eq!(loads, 1, "{target}");
    }
    plex.stop().await;
    jellyfin.stop().await;
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn during_an_outage_only_tokens_valid_at_the_last_contact_are_served() {
    let (plex, jellyfin, stage) = simulated("auth_ttl_s = 20\n").await;
    let clock = stage.process.clock.clone();
    let [sam, kim, owner] = [plex.tokens().sam(), plex.tokens().kim(), plex.tokens().owner_a()];
    let sections = "/library/sections";
    for token in [sam, kim] {
        assert_eq!(json(&stage, token).get(sections).await.status, 200);
    }
    plex.revoke_token("kim");
    assert_eq!(json(&stage, kim).get("/hubs").await.status, 401, "the server says no to her");
    clock.sleep(Duration::from_secs(21)).await;
    // Her grant and the server's recovery come at the same moment.
    assert_eq!(json(&stage, owner).get(sections).await.status, 200);
    plex.faults().set(Fault::Gone);
    until_down(&stage, 0, &json(&stage, owner)).await;
    assert_eq!(json(&stage, owner).get(sections).await.status, 200, "she was here a moment before");
    for (token, why) in [(kim, "refused"), (sam, "its proof had expired"), ("stranger", "never seen")] {
        assert_eq!(json(&stage, token).get(sections).await.status, 503, "{why}");
    }
    plex.stop().await;
    jellyfin.stop().await;
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_app_whose_proof_runs_out_between_two_reads_reads_on_in_an_outage() {
    let lives = "[server.lifetimes.item]\nfresh_s = 3600\n";
    let (plex, jellyfin, stage) = simulated(&format!("auth_ttl_s = 90\n{lives}")).await;
    let clock = stage.process.clock.clone();
    let [sam, kim, owner] = [plex.tokens().sam(), plex.tokens().kim(), plex.tokens().owner_a()];
    let item = "/library/metadata/1";
    for token in [sam, kim] {
        assert_eq!(json(&stage, token).get(item).await.status, 200);
    }
    let proven_ms = clock.now_ms();
    let until = async |at_ms| {
        while clock.now_ms() < at_ms {
            assert_eq!(json(&stage, owner).get("/status/sessions").await.status, 200);
            clock.sleep(Duration::from_secs(1)).await;
        }
    };
    until(proven_ms + 50_000).await;
    let again = json(&stage, sam).get(item).await;
    assert!(again.header("cache-status").contains("hit"), "{}", again.header("cache-status"));
    until(proven_ms + 95_000).await;
    // All were hits until now: this shows the server as up.
    assert_eq!(json(&stage, owner).get("/library/metadata/2").await.status, 200);
    plex.faults().set(Fault::Gone);
    until_down(&stage, 0, &json(&stage, owner)).await;
    assert_eq!(json(&stage, sam).get(item).await.status, 200, "he read less than its time ago");
    assert_eq!(json(&stage, kim).get(item).await.status, 503, "she was away since her proof ran out");
    plex.stop().await;
    jellyfin.stop().await;
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_yes_of_before_ends_with_offline_auth_ttl() {
    let (plex, jellyfin, stage) = simulated("offline_auth_ttl_s = 20\n").await;
    let (client, clock) = (json(&stage, plex.tokens().owner_a()), stage.process.clock.clone());
    assert_eq!(client.get("/library/sections").await.status, 200);
    plex.faults().set(Fault::Gone);
    until_down(&stage, 0, &client).await;
    let heard_ms = gateway(&stage, 0).origin.breaker.outage().expect("it is down").last_response_ms;
    let mut last = (0, 0);
    while clock.now_ms() < (heard_ms + Duration::from_millis(25_000)).as_millis() {
        let asked_ms = clock.now_ms();
        last = (asked_ms, client.get("/library/sections").await.status.as_u16());
        assert!(last.1 == 200 || clock.now_ms() > (heard_ms + Duration::from_millis(20_000)).as_millis(), "{last:?}");
        clock.sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(last.1, 503);
    plex.stop().await;
    jellyfin.stop().await;
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_starting_server_is_spared_and_its_state_is_shown() {
    let moody = SwitchableServer::start().await;
    let stage = moody.stage("").await;
    let client = json(&stage, "anna");
    assert_eq!(client.get("/library/sections").await.status, 200);
    moody.set(ServerBehavior::Starting);
    until_down(&stage, 0, &client).await;
    let kept = client.get("/library/sections").await;
    assert_eq!(kept.status, 200);
    assert!(kept.header("cache-status").contains("offline"), "{}", kept.header("cache-status"));
    let page = TestClient::new(stage.process.control);
    let metrics = page.get("/metrics").await.text();
    assert!(metrics.contains("greenroom_outages_total{server=\"home\"} 1"), "{metrics}");
    assert!(metrics.contains("greenroom_breaker_state{server=\"home\",state=\"closed\"} 0"), "{metrics}");
    let shown = page.get("/api/v1/cache/stats").await.json();
    let outage = &shown["servers"][0]["outage"];
    assert!(outage["since_ms"].as_u64() <= outage["next_try_ms"].as_u64(), "{shown}");
    assert!(outage["since_ms"].is_u64(), "{shown}");
    moody.set(ServerBehavior::Well);
    until_back(&stage, 0).await;
    let shown = page.get("/api/v1/cache/stats").await.json();
    assert_eq!((&shown["servers"][0]["breaker"], shown["servers"][0]["outage"].is_null()), (&"closed".into(), true));
    assert_eq!(client.get("/library/metadata/77").await.status, 200);
    moody.server.stop();
    stage.stop().await;
}

/// An image cached for both, an hour in which only the owner sends requests, and an outage.
async fn picture_in_an_outage(more: &str, clock: Clock) -> (ScriptedServer, GatewayFixture, [u16; 3]) {
    let mood = Arc::new(Mutex::new(ServerBehavior::Well));
    let now = Arc::clone(&mood);
    let server = ScriptedServer::start(&TaskTracker::new(), move |request: &ReceivedRequest| match *now.lock() {
        ServerBehavior::Well if request.target.contains("/Images/") => {
            ScriptedReply::Bytes(answer("200 OK", "image/gif", "GIF89a ;"))
        }
        ServerBehavior::Well => {
            ScriptedReply::Bytes(answer("200 OK", "application/json", "{\"Items\":[],\"TotalRecordCount\":0}"))
        }
        _ => ScriptedReply::Close,
    })
    .await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("den", "jellyfin", &url, more).start_at(clock).await;
    let said = |token: &str| {
        format!("MediaBrowser Client=\"T\", Device=\"T\", DeviceId=\"t\", Version=\"1\", Token=\"{token}\"")
    };
    let picture = "/Items/0123456789abcdef0123456789abcdef/Images/Primary?tag=abc";
    let viewer = stage.client().with("authorization", &said("viewer"));
    let owner = stage.client().with("authorization", &said("owner"));
    let stranger = stage.client().with("authorization", &said("stranger"));
    assert_eq!(viewer.get(picture).await.status, 200);
    stage.process.clock.sleep(Duration::from_secs(3600)).await;
    assert_eq!(owner.get("/UserViews").await.status, 200);
    *mood.lock() = ServerBehavior::HangsUp;
    until_down(&stage, 1, &owner).await;
    let mut statuses = [0; 3];
    for (status, client) in statuses.iter_mut().zip([&viewer, &stage.client(), &stranger]) {
        *status = client.get(picture).await.status.as_u16();
    }
    (server, stage, statuses)
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_was_a_hit_stays_one_when_the_server_goes() {
    for (more, expected) in [("", [200, 503, 503]), ("public_images = true\n", [200, 200, 503])] {
        let (server, stage, said) = picture_in_an_outage(more, Clock::system()).await;
        assert_eq!(said, expected, "{more}: who was shown it, nobody, a stranger");
        server.stop();
        stage.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_starts_during_an_outage_gets_the_servers_identity_in_its_own_format() {
    let moody = SwitchableServer::start().await;
    let stage = moody.stage("").await;
    let server = gateway(&stage, 0);
    greenroom_origin::identify::identify(&server.origin).await;
    let client = json(&stage, "anna");
    moody.set(ServerBehavior::HangsUp);
    until_down(&stage, 0, &client).await;
    let said = client.get("/identity").await;
    assert_eq!((said.status.as_u16(), said.json()["MediaContainer"]["machineIdentifier"].as_str()), (200, Some("abc")));
    let said = client.without("accept").get("/identity").await;
    assert_eq!(said.status, 200);
    assert!(said.header("content-type").contains("xml"));
    assert!(said.text().contains("machineIdentifier=\"abc\""), "{}", said.text());
    moody.server.stop();
    stage.stop().await;
}
