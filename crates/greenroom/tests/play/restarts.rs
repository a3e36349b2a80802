//! A new process on an older data directory: cached responses are still served, stale ones are still stale, also during
//! an outage and for tokens without a record.

use greenroom_cache::Timestamp;
use std::path::Path;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use tokio_util::task::TaskTracker;

use crate::binary::folder;
use crate::deferred::PATIENT;
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::{held, until};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::outages::{AppReads, apps, gateway, json, until_down};

/// Both simulated servers, and the process in front of them.
struct RestartFixture {
    plex: SimulatedServer,
    jellyfin: SimulatedServer,
    clock: Clock,
}

impl RestartFixture {
    async fn build() -> Self {
        let (tasks, anywhere) = (TaskTracker::new(), "127.0.0.1:0".parse().expect("an address"));
        let plex = Plex::new(SimulatorOptions::quick()).start(anywhere, &tasks).await.expect("it starts");
        let jellyfin = Jellyfin::new(SimulatorOptions::quick()).start(anywhere, &tasks).await.expect("it starts");
        Self { plex, jellyfin, clock: Clock::system() }
    }

    async fn open(&self, data_dir: &Path) -> GatewayFixture {
        GatewayConfigBuilder::new()
            .data_dir(data_dir)
            .table(PATIENT)
            .server("home", "plex", &self.plex.url(), "")
            .server("den", "jellyfin", &self.jellyfin.url(), "")
            .start_at(self.clock.clone())
            .await
    }

    fn go(&self) {
        self.plex.faults().set(Fault::Gone);
        self.jellyfin.faults().set(Fault::Gone);
    }
}

/// The same apps, in front of another process.
fn moved(apps: Vec<AppReads>, stage: &GatewayFixture) -> Vec<AppReads> {
    let last = apps.len() - 1;
    let address = |index: usize| stage.address(usize::from(index == last));
    let moved =
        apps.into_iter().enumerate().map(|(index, app)| AppReads { client: app.client.at(address(index)), ..app });
    moved.collect()
}

async fn all_are_answered(apps: &[AppReads]) {
    for app in apps {
        for said in app.read().await {
            assert_eq!(said.1, 200, "{said:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_of_an_outage_fails_no_read_of_what_was_read_before() {
    let (house, data) = (RestartFixture::build().await, folder());
    let first = house.open(data.path()).await;
    let apps = apps(&first, &house.plex, &house.jellyfin).await;
    all_are_answered(&apps).await;
    house.go();
    until_down(&first, 0, &apps[0].client).await;
    until_down(&first, 1, &apps[3].client).await;
    all_are_answered(&apps).await;
    first.stop().await;
    let second = house.open(data.path()).await;
    assert!(
        !gateway(&second, 0).origin.breaker.allows_requests() && !gateway(&second, 1).origin.breaker.allows_requests()
    );
    let apps = moved(apps, &second);
    all_are_answered(&apps).await;
    second.stop().await;
    house.plex.stop().await;
    house.jellyfin.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_while_no_process_runs_fails_no_read_of_what_was_read_before() {
    let (house, data) = (RestartFixture::build().await, folder());
    let first = house.open(data.path()).await;
    let apps = apps(&first, &house.plex, &house.jellyfin).await;
    all_are_answered(&apps).await;
    first.stop().await;
    house.go();
    let second = house.open(data.path()).await;
    assert!(gateway(&second, 0).origin.breaker.allows_requests(), "nobody knows yet");
    let apps = moved(apps, &second);
    for _ in 0..3 {
        all_are_answered(&apps).await;
    }
    second.stop().await;
    house.plex.stop().await;
    house.jellyfin.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_token_only_what_has_user_state_is_asked_for_after_a_restart() {
    let (house, data) = (RestartFixture::build().await, folder());
    let first = house.open(data.path()).await;
    let all = apps(&first, &house.plex, &house.jellyfin).await;
    all_are_answered(&all).await;
    first.stop().await;
    let second = house.open(data.path()).await;
    let owner = &moved(all, &second)[0];
    assert!(owner.client.get("/library/sections").await.was_hit());
    for target in ["/library/sections/1/all", "/hubs"] {
        let first = owner.client.get(target).await;
        assert!(first.header("cache-status").contains("detail=unconfirmed"), "{}", first.header("cache-status"));
        assert!(owner.client.get(target).await.was_hit(), "{target}");
    }
    second.stop().await;
    house.plex.stop().await;
    house.jellyfin.stop().await;
}

const SHOW: &str = "/library/metadata/1/children";
const EPISODE_WATCHED: &str = "/:/scrobble?key=3&identifier=com.plexapp.plugins.library";

/// A Plex whose responses contain their request count; tokens belong to accounts.
async fn counting() -> ScriptedServer {
    ScriptedServer::start(&TaskTracker::new(), |request| {
        let body = |rows: &str| {
            format!(r#"{{"MediaContainer":{{"size":1,"number":{},"Metadata":[{rows}]}}}}"#, request.before)
        };
        let season = r#"{"ratingKey":"2","parentRatingKey":"1","type":"season","title":"s"}"#;
        ScriptedReply::Bytes(match request.target.split('?').next() {
            Some(SHOW) => answer("200 OK", "application/json", &body(season)),
            Some("/:/scrobble") => answer("200 OK", "text/html", ""),
            _ => container(request.before),
        })
    })
    .await
}

async fn stage(data_dir: &Path, server: &ScriptedServer, clock: &Clock) -> GatewayFixture {
    let url = format!("http://{}", server.address);
    GatewayConfigBuilder::new()
        .data_dir(data_dir)
        .table(PATIENT)
        .server("home", "plex", &url, "load_timeout_s = 600\n")
        .start_at(clock.clone())
        .await
}

fn number(body: &serde_json::Value) -> u64 {
    body["MediaContainer"]["number"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_after_a_restart_invalidates_the_ancestors_of_an_item_with_unknown_parents() {
    let (server, data, clock) = (counting().await, folder(), Clock::system());
    let first = stage(data.path(), &server, &clock).await;
    assert_eq!(number(&json(&first, "anna").get(SHOW).await.json()), 0);
    first.stop().await;
    let second = stage(data.path(), &server, &clock).await;
    let anna = json(&second, "anna");
    assert!(gateway(&second, 0).invalidation.lineage.lock().is_empty());
    assert_eq!(number(&anna.get(SHOW).await.json()), 1, "nothing confirmed what was read before");
    assert!(anna.get(SHOW).await.was_hit(), "it is kept");
    assert_eq!(anna.get(EPISODE_WATCHED).await.status, 200);
    assert_eq!(number(&anna.get(SHOW).await.json()), 2, "the show's count of unwatched episodes is another now");
    second.stop().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_invalidates_entries_of_a_token_that_is_no_longer_known() {
    let (server, data, clock) = (counting().await, folder(), Clock::system());
    let first = stage(data.path(), &server, &clock).await;
    assert_eq!(number(&json(&first, "annas-tv").get(SHOW).await.json()), 0);
    first.stop().await;
    // The tokens' records are lost; their cached responses are not.
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        drop(std::fs::remove_file(data.path().join(name)));
    }
    let second = stage(data.path(), &server, &clock).await;
    let home = gateway(&second, 0);
    let (anna, bert) = (json(&second, "anna"), json(&second, "bert"));
    for (client, token, account) in [(&anna, "anna", "1"), (&bert, "bert", "2")] {
        assert_eq!(client.get(SHOW).await.status, 200);
        let credential = greenroom_dialect::credential::Credential {
            token: Some(greenroom_dialect::credential::Secret::new(token)),
            ..Default::default()
        };
        home.identities.lookup(&credential).expect("it was seen").set_account(account);
    }
    assert_eq!(anna.get(EPISODE_WATCHED).await.status, 200);
    let tv: TestClient = json(&second, "annas-tv");
    // Its first read gives the token a grant for another type; then the older response must not come back.
    assert_eq!(tv.get("/library/metadata/9").await.status, 200);
    let seen = number(&tv.get(SHOW).await.json());
    assert!(seen >= 3, "it is from before the write: {seen}");
    second.stop().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_reaches_what_is_kept_for_a_token_that_comes_back_two_restarts_later() {
    let (server, data, clock) = (counting().await, folder(), Clock::system());
    let state = data.path().join("state.db");
    let first = stage(data.path(), &server, &clock).await;
    for token in ["annas-tv", "annas-phone"] {
        assert_eq!(json(&first, token).get(SHOW).await.status, 200);
    }
    first.stop().await;
    let backup = data.path().join("saved.backup");
    greenroom_state::backup::save(data.path(), &backup, Timestamp::from_millis(1)).expect("it is saved");
    std::fs::remove_file(&state).expect("what is known of tokens is lost");
    let second = stage(data.path(), &server, &clock).await;
    let (home, anna) = (gateway(&second, 0), json(&second, "anna"));
    for (token, account) in [("anna", "1"), ("bert", "2")] {
        assert_eq!(json(&second, token).get(SHOW).await.status, 200);
        let credential = greenroom_dialect::credential::Credential {
            token: Some(greenroom_dialect::credential::Secret::new(token)),
            ..Default::default()
        };
        home.identities.lookup(&credential).expect("it was seen").set_account(account);
    }
    // Before it is persisted that only some partitions are marked, all are.
    home.invalidation.partial_invalidation.set_persisted();
    assert!(second.process.state.flush().await);
    assert_eq!(anna.get(EPISODE_WATCHED).await.status, 200);
    drop(home);
    second.stop().await;
    // Whether the file knows the token by then or not.
    for (token, is_restored) in [("annas-tv", false), ("annas-phone", true)] {
        if is_restored {
            greenroom_state::backup::restore(data.path(), &backup, Timestamp::from_millis(2)).expect("it is put back");
        }
        let third = stage(data.path(), &server, &clock).await;
        let client = json(&third, token);
        assert_eq!(client.get("/library/metadata/9").await.status, 200);
        let seen = number(&client.get(SHOW).await.json());
        assert!(seen >= 4, "{token}: it is from before the write: {seen}");
        third.stop().await;
    }
    server.stop();
}

#[tokio::test(start_paused = true)]
async fn with_the_clock_set_back_no_proof_counts_and_nothing_fails() {
    let (server, data) = (counting().await, folder());
    let ahead = Clock::system();
    let first = stage(data.path(), &server, &ahead).await;
    ahead.sleep(Duration::from_hours(1)).await;
    let anna = json(&first, "anna");
    assert_eq!(anna.get(SHOW).await.status, 200);
    first.stop().await;
    let second = stage(data.path(), &server, &Clock::system()).await;
    let again = json(&second, "anna").get(SHOW).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert!(!again.was_hit(), "the proof is from the future: the server is asked");
    assert_eq!(server.count("GET", SHOW), 2);
    second.stop().await;
    server.stop();
}

#[tokio::test(start_paused = true)]
async fn warming_goes_on_for_the_configured_token_and_for_no_other() {
    let (server, data, clock) = (counting().await, folder(), Clock::system());
    let url = format!("http://{}", server.address);
    let open = async || {
        let script = GatewayConfigBuilder::new().table(PATIENT).data_dir(data.path());
        script.server("home", "plex", &url, "token = \"owner\"\n").start_at(clock.clone()).await
    };
    let first = open().await;
    let home = gateway(&first, 0);
    let own = home.own_partition().expect("a token is configured");
    for token in ["owner", "anna"] {
        assert_eq!(json(&first, token).get("/library/sections").await.status, 200);
    }
    let warm = first.process.cache.warm_keys("home", &own);
    assert_eq!(warm.len(), 1);
    // Warming checks its keys once a minute.
    clock.sleep(Duration::from_secs(70)).await;
    assert!(held(first.process.state.flush()).await);
    drop(home);
    first.stop().await;
    let second = open().await;
    let home = gateway(&second, 0);
    until(|| home.warm_keys.resumed.lock().is_empty() && !second.process.cache.warm_keys("home", &own).is_empty())
        .await;
    assert_eq!(second.process.cache.warm_keys("home", &own), warm);
    assert_eq!(second.process.cache.stats().warm_keys, 1, "a client's credential is not kept");
    let asked: u64 = second.process.cache.stats().classes.iter().map(|class| class.hits + class.misses_total()).sum();
    assert_eq!(asked, 0, "no read is counted for it");
    drop(home);
    second.stop().await;
    server.stop();
}
