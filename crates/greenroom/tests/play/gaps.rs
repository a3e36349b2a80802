//! Nothing old after a gap, and nothing asked again but what changed: a stop, a crash, a machine that slept, a
//! subscription that broke.

use greenroom_cache::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::{Clock, SuspendDetector};
use greenroom_proxy::feed::EventStreamState;
use greenroom_simulator::catalogue::ItemId;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::{Jellyfin, item_id, user_id};
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::users::UserId;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::binary::folder;
use crate::deferred::PATIENT;
use crate::fixture::waiting::{held_long, pass, until};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::outages::gateway;

const FILM: ItemId = ItemId(1);
const OTHER_FILM: ItemId = ItemId(2);
/// Longer than the pause between two fingerprints, and than an event takes.
const SETTLED: Duration = Duration::from_secs(600);
/// So often everything is read before an account's first fingerprint is worth its requests.
const ROUNDS: usize = 8;

/// A server whose owner reads through one gateway after the other.
struct Gap {
    server: SimulatedServer,
    kind: &'static str,
    data: TempDir,
    clock: Clock,
    slept_ms: Arc<AtomicU64>,
}

impl Gap {
    async fn jellyfin() -> Self {
        let options = SimulatorOptions { now: None, ..SimulatorOptions::quick() };
        let (tasks, anywhere) = (TaskTracker::new(), "127.0.0.1:0".parse().expect("an address"));
        let server = Jellyfin::new(options).start(anywhere, &tasks).await.expect("it starts");
        Self::new(server, "jellyfin")
    }

    async fn plex() -> Self {
        let options = SimulatorOptions { now: None, ..SimulatorOptions::quick() };
        let (tasks, anywhere) = (TaskTracker::new(), "127.0.0.1:0".parse().expect("an address"));
        let server = Plex::new(options).start(anywhere, &tasks).await.expect("it starts");
        Self::new(server, "plex")
    }

    fn new(server: SimulatedServer, kind: &'static str) -> Self {
        let slept_ms = Arc::new(AtomicU64::new(0));
        let slept = Arc::clone(&slept_ms);
        let witness = SuspendDetector::counting(move || slept.load(Ordering::Relaxed));
        let clock = Clock::system().with_suspend_detector(witness);
        Self { server, kind, data: folder(), clock, slept_ms }
    }

    /// A gateway with the owner's token, once it hears the server.
    async fn open(&self) -> GatewayFixture {
        self.open_at(self.data.path()).await
    }

    async fn open_at(&self, data: &Path) -> GatewayFixture {
        let token =
            format!("token = \"{}\"\npulse_interval_s = 0\nload_timeout_s = 600\n", self.server.tokens().owner_a());
        let stage = self.open_with(data, &token).await;
        until_whole(&stage).await;
        stage
    }

    async fn open_with(&self, data: &Path, more: &str) -> GatewayFixture {
        let script = GatewayConfigBuilder::new().table(PATIENT).data_dir(data);
        script.server("home", self.kind, &self.server.url(), more).start_at(self.clock.clone()).await
    }

    fn client(&self, stage: &GatewayFixture) -> TestClient {
        let token = self.server.tokens().owner_a();
        match self.kind {
            "plex" => stage.client().with("x-plex-token", token).with("accept", "application/json"),
            _ => stage.client().with("x-emby-token", token),
        }
    }

    /// Reads whose bodies have user state.
    fn reads(&self) -> Vec<String> {
        if self.kind == "plex" {
            return vec!["/library/sections/1/all?type=1".into(), format!("/library/metadata/{}", FILM.0)];
        }
        let user = user_id(UserId::OWNER);
        vec![
            format!("/Items?userId={user}&recursive=true&includeItemTypes=Movie&sortBy=SortName"),
            format!("/Items/{}?userId={user}", item_id(FILM)),
        ]
    }

    /// Number of requests for one of these that reached the server itself.
    fn asked(&self) -> usize {
        let reads = self.reads();
        let starts: Vec<&str> = reads.iter().map(|read| read.split('?').next().unwrap_or_default()).collect();
        self.server.request_log().count(|request| {
            let is_list = request.target.contains("includeItemTypes=Movie")
                || (request.target.contains("/all?type=1") && !request.target.contains('&'));
            is_list || request.target.split('?').next() == Some(starts[1])
        })
    }

    async fn stop(self, stage: GatewayFixture) {
        stage.stop().await;
        self.server.stop().await;
    }
}

async fn until_whole(stage: &GatewayFixture) {
    let server = gateway(stage, 0);
    until(|| server.feed.is_whole()).await;
}

/// Whether the first item of a list, or the item itself, is marked as played.
fn is_played(body: &Value, key: &str) -> bool {
    let rows = [&body["Items"], &body["MediaContainer"]["Metadata"]];
    let rows = rows.into_iter().filter_map(Value::as_array).flatten();
    let row = rows.chain([body]).find(|row| row["Id"] == key || row["ratingKey"] == key).expect("it is listed");
    row["UserData"]["Played"] == true || row["viewCount"].as_u64().is_some_and(|count| count > 0)
}

fn film_key(kind: &str) -> String {
    if kind == "plex" { FILM.0.to_string() } else { item_id(FILM) }
}

/// Reads everything until what vouches for it is stored.
async fn warm_up(gap: &Gap, stage: &GatewayFixture) {
    let client = gap.client(stage);
    for _ in 0..ROUNDS {
        for read in gap.reads() {
            assert_eq!(client.get(&read).await.status, 200, "{read}");
        }
        // What later checks are compared with was asked for before the last reading.
        gateway(stage, 0).cache.invalidate(
            &greenroom_cache::Scope::Namespace("home".into()),
            &greenroom_cache::Invalidation::mark_stale(),
        );
        pass(Duration::from_secs(5)).await;
    }
    for read in gap.reads() {
        assert_eq!(client.get(&read).await.status, 200, "{read}");
    }
    pass(SETTLED).await;
}

async fn all_are_new(gap: &Gap, stage: &GatewayFixture) {
    let client = gap.client(stage);
    for read in gap.reads() {
        let answer = client.get(&read).await;
        assert!(is_played(&answer.json(), &film_key(gap.kind)), "{read}: {}", answer.header("cache-status"));
    }
}

/// Changed meanwhile: nothing old. `between` closes the first gateway and opens the next.
async fn nothing_is_old_after(gap: Gap, between: impl AsyncFnOnce(&Gap, GatewayFixture) -> GatewayFixture) {
    gap.server.change_quietly(|write| write.mark_unplayed(FILM));
    let stage = gap.open().await;
    warm_up(&gap, &stage).await;
    let stage = between(&gap, stage).await;
    all_are_new(&gap, &stage).await;
    gap.stop(stage).await;
}

fn mark_elsewhere(gap: &Gap) {
    gap.server.change_quietly(|write| write.mark_played(FILM));
}

async fn restart(gap: &Gap, stage: GatewayFixture) -> GatewayFixture {
    stage.stop().await;
    mark_elsewhere(gap);
    gap.open().await
}

#[tokio::test(start_paused = true)]
async fn what_was_marked_on_a_jellyfin_while_no_process_ran_is_seen_at_the_first_read() {
    nothing_is_old_after(Gap::jellyfin().await, restart).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_marked_on_a_plex_while_no_process_ran_is_seen_at_the_first_read() {
    nothing_is_old_after(Gap::plex().await, restart).await;
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_all(&entry.path(), &target);
        } else if !entry.file_name().to_string_lossy().ends_with(".sock") {
            // Sockets and locks of the running process need not be copied.
            drop(std::fs::copy(entry.path(), &target));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_marked_after_a_crash_is_seen_at_the_first_read() {
    let copy = folder();
    let path = copy.path().to_owned();
    nothing_is_old_after(Gap::jellyfin().await, async |gap: &Gap, stage: GatewayFixture| {
        assert!(held_long(stage.process.state.flush()).await);
        copy_all(gap.data.path(), &path);
        stage.stop().await;
        mark_elsewhere(gap);
        gap.open_at(&path).await
    })
    .await;
    drop(copy);
}

#[tokio::test(start_paused = true)]
async fn what_was_marked_while_the_machine_slept_is_seen_at_the_first_read() {
    nothing_is_old_after(Gap::jellyfin().await, async |gap: &Gap, stage: GatewayFixture| {
        mark_elsewhere(gap);
        gap.slept_ms.fetch_add(60_000, Ordering::Relaxed);
        until(|| stage.process.clock.last_leap() > Timestamp::UNIX_EPOCH).await;
        stage
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_marked_while_the_subscription_was_cut_is_seen_at_the_first_read_after_it() {
    for gap in [Gap::jellyfin().await, Gap::plex().await] {
        nothing_is_old_after(gap, async |gap: &Gap, stage: GatewayFixture| {
            let server = gateway(&stage, 0);
            gap.server.faults().set(Fault::Gone);
            until(|| !server.feed.is_whole()).await;
            mark_elsewhere(gap);
            gap.server.faults().clear();
            until_whole(&stage).await;
            until(|| server.origin.breaker.allows_requests()).await;
            stage
        })
        .await;
    }
}

/// Unchanged: every read is confirmed, and the server is asked for none of them.
async fn everything_is_confirmed_after(gap: Gap, most: u64) {
    let stage = gap.open().await;
    warm_up(&gap, &stage).await;
    let client = gap.client(&stage);
    let mut bodies = Vec::new();
    // The section of a single item of a Plex is not known, so the item is asked for.
    let reads: Vec<String> = gap.reads().into_iter().take(if gap.kind == "plex" { 1 } else { 2 }).collect();
    for read in &reads {
        bodies.push(client.get(read).await.body);
    }
    pass(Duration::from_secs(5)).await;
    stage.stop().await;
    let stage = gap.open().await;
    let (asked, total) = (gap.asked(), gap.server.request_log().total());
    let client = gap.client(&stage);
    for (read, body) in reads.iter().zip(bodies) {
        let answer = client.get(read).await;
        let status = answer.header("cache-status").to_owned();
        assert!(answer.was_hit() && status.contains("detail=confirmed"), "{read}: {status}");
        assert_eq!(answer.body, body, "{read}");
    }
    assert_eq!(gap.asked(), asked, "nothing was loaded");
    let more = gap.server.request_log().total() - total;
    assert!(more <= most, "{more} requests");
    gap.stop(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_a_jellyfin_gateway_costs_the_fingerprint_and_one_look_at_the_library() {
    // Six for the fingerprint, the counts, what changed.
    everything_is_confirmed_after(Gap::jellyfin().await, 9).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_confirmed_list_tells_of_its_items_is_known_after_a_restart() {
    let gap = Gap::jellyfin().await;
    let stage = gap.open().await;
    warm_up(&gap, &stage).await;
    gap.client(&stage).get(&gap.reads()[0]).await;
    pass(Duration::from_secs(5)).await;
    stage.stop().await;
    let stage = gap.open().await;
    let knows = || gateway(&stage, 0).invalidation.lineage.lock().ancestors(&item_id(OTHER_FILM)).is_some();
    assert!(!knows(), "nothing was read yet");
    let list = gap.client(&stage).get(&gap.reads()[0]).await;
    assert!(list.was_hit() && list.header("cache-status").contains("confirmed"), "{}", list.header("cache-status"));
    assert!(knows(), "a write to it reaches what contains it");
    gap.stop(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_a_plex_gateway_costs_the_fingerprint_and_one_look_at_the_library() {
    // Per kind of item in each section, and the counters.
    everything_is_confirmed_after(Gap::plex().await, 40).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_an_unconfirmed_entry_is_answered_while_the_server_is_away() {
    let gap = Gap::jellyfin().await;
    let stage = gap.open().await;
    warm_up(&gap, &stage).await;
    let body = gap.client(&stage).get(&gap.reads()[1]).await.body;
    stage.stop().await;
    gap.server.faults().set(Fault::Gone);
    let token = format!("token = \"{}\"\n", gap.server.tokens().owner_a());
    let stage = gap.open_with(gap.data.path(), &token).await;
    let answer = gap.client(&stage).get(&gap.reads()[1]).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &body), "{}", answer.header("cache-status"));
    gap.stop(stage).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_token_what_was_marked_while_no_process_ran_is_seen_at_the_first_read() {
    let gap = Gap::jellyfin().await;
    gap.server.change_quietly(|write| write.mark_unplayed(FILM));
    let stage = gap.open_with(gap.data.path(), "").await;
    for read in gap.reads() {
        assert_eq!(gap.client(&stage).get(&read).await.status, 200, "{read}");
    }
    stage.stop().await;
    mark_elsewhere(&gap);
    let stage = gap.open_with(gap.data.path(), "").await;
    let answer = gap.client(&stage).get(&gap.reads()[1]).await;
    assert!(answer.header("cache-status").contains("detail=unconfirmed"), "{}", answer.header("cache-status"));
    all_are_new(&gap, &stage).await;
    gap.stop(stage).await;
}

#[tokio::test(start_paused = true)]
async fn an_edit_made_while_no_process_ran_is_seen_and_the_rest_is_asked_for() {
    let gap = Gap::jellyfin().await;
    let user = user_id(UserId::OWNER);
    let item = |film: ItemId| format!("/Items/{}?userId={user}", item_id(film));
    let stage = gap.open().await;
    warm_up(&gap, &stage).await;
    assert_eq!(gap.client(&stage).get(&item(OTHER_FILM)).await.status, 200);
    pass(SETTLED).await;
    stage.stop().await;
    assert!(gap.server.change_quietly(|write| write.edit(FILM, |record| "Edited".clone_into(&mut record.title))));
    let stage = gap.open().await;
    let client = gap.client(&stage);
    let other = client.get(&item(OTHER_FILM)).await;
    // An item that was added may hide in the counts that another was removed.
    assert!(!other.was_hit(), "{}", other.header("cache-status"));
    let edited = client.get(&item(FILM)).await;
    assert_eq!(edited.json()["Name"], "Edited", "{}", edited.header("cache-status"));
    gap.stop(stage).await;
}

#[tokio::test(start_paused = true)]
async fn while_events_are_lost_user_state_is_fresh_for_ten_seconds() {
    let gap = Gap::jellyfin().await;
    gap.server.change_quietly(|write| write.mark_unplayed(FILM));
    let stage = gap.open().await;
    warm_up(&gap, &stage).await;
    gateway(&stage, 0).set_events_state(EventStreamState::Lost);
    let (client, reads) = (gap.client(&stage), gap.reads());
    client.get(&reads[1]).await;
    let hit = client.get(&reads[1]).await;
    let status = hit.header("cache-status").to_owned();
    let ttl = status.split("ttl=").nth(1).and_then(|rest| rest.split(';').next()).expect("a ttl");
    assert!(hit.was_hit() && ttl.parse::<i64>().expect("a number") <= 10, "{status}");
    mark_elsewhere(&gap);
    pass(Duration::from_secs(11)).await;
    let answer = client.get(&reads[1]).await;
    assert!(is_played(&answer.json(), &film_key("jellyfin")), "{}", answer.header("cache-status"));
    gap.stop(stage).await;
}

/// A day's lookups of an app that matches tracks by title, and the requests that they cost.
async fn sync(gap: &Gap, stage: &GatewayFixture) -> u64 {
    let (client, before) = (gap.client(stage), gap.server.request_log().total());
    for number in 0..570 {
        let target = format!("/library/sections/3/all?type=10&title=Song%20{number}");
        let answer = client.get(&target).await;
        assert_eq!(answer.status, 200, "{target}");
    }
    gap.server.request_log().total() - before
}

async fn a_second_daily_sync_costs(restarts: bool) -> u64 {
    let gap = Gap::plex().await;
    let stage = gap.open().await;
    // What later answers are compared with is asked for after the first of them.
    for number in 0..8 {
        gap.client(&stage).get(&format!("/library/sections/3/all?type=10&title=First%20{number}")).await;
    }
    if restarts {
        // On real time: a fingerprint is due no longer when it is being taken.
        let server = gateway(&stage, 0);
        until(|| server.confirmation.accounts.is_kept() && server.confirmation.accounts.next_due_ms().is_none()).await;
    } else {
        pass(SETTLED).await;
    }
    assert!(sync(&gap, &stage).await >= 570);
    let stage = if restarts {
        stage.stop().await;
        gap.open().await
    } else {
        pass(SETTLED).await;
        stage
    };
    gap.slept_ms.fetch_add(24 * 3_600_000, Ordering::Relaxed);
    until(|| stage.process.clock.last_leap() > Timestamp::UNIX_EPOCH).await;
    pass(Duration::from_secs(5)).await;
    let cost = sync(&gap, &stage).await;
    gap.stop(stage).await;
    cost
}

#[tokio::test(start_paused = true)]
async fn the_second_daily_sync_of_570_lookups_costs_less_than_twenty_requests() {
    let cost = a_second_daily_sync_costs(false).await;
    assert!(cost < 20, "{cost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_daily_sync_costs_less_than_twenty_requests_with_a_restart_before_it() {
    let cost = a_second_daily_sync_costs(true).await;
    assert!(cost < 20, "{cost}");
}

#[tokio::test(start_paused = true)]
async fn an_hourly_list_costs_the_counter_and_no_load() {
    let gap = Gap::plex().await;
    let stage = gap.open().await;
    warm_up(&gap, &stage).await;
    let (client, list) = (gap.client(&stage), gap.reads().remove(0));
    for _ in 0..3 {
        pass(Duration::from_secs(3_600)).await;
        until_whole(&stage).await;
        let asked = gap.asked();
        // The token is proven anew by one load of its class.
        client.get(&format!("/library/sections/1/all?type=1&year={asked}")).await;
        assert_eq!(client.get(&list).await.status, 200);
        pass(Duration::from_secs(5)).await;
        let answer = client.get(&list).await;
        assert!(answer.was_hit(), "{}", answer.header("cache-status"));
        assert_eq!(gap.asked(), asked, "it was confirmed");
    }
    gap.stop(stage).await;
}
