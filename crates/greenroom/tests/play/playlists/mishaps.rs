//! Failures during a sync, and conditions that it waits for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use greenroom_simulator::faults::{Fault, FaultRule};
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fixture::{BOTH, PlaylistFixture, server, tokens, tracks_of};
use crate::fixture::GatewayConfigBuilder;
use crate::fixture::waiting::until_async;

/// Proxy that loses the responses to some writes, which the server has carried out.
struct LossyProxy {
    address: SocketAddr,
    /// Responses still to be lost.
    left: Arc<AtomicUsize>,
    /// Writes still to be delayed: the response is lost at once, and the write arrives later.
    late: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl LossyProxy {
    async fn start(tasks: &TaskTracker, inner: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let loser = Self {
            address: listener.local_addr().expect("an address"),
            left: Arc::default(),
            late: Arc::default(),
            stop: CancellationToken::new(),
        };
        let (left, stop, owner) = (Arc::clone(&loser.left), loser.stop.clone(), tasks.clone());
        let late = Arc::clone(&loser.late);
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    Ok((stream, _)) = listener.accept() => {
                        let talk = pass(stream, inner, Arc::clone(&left), Arc::clone(&late));
                        let (ended, talk) = (stop.clone(), talk);
                        owner.spawn(async move { tokio::select! { () = ended.cancelled() => {}, _ = talk => {} } });
                    }
                }
            }
        });
        loser
    }
}

/// Delay of such a write.
const LATE: Duration = Duration::from_secs(10);

fn strikes(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// Reads a whole request, closes the connection, and forwards the request later.
async fn land_later(mut outer: TcpStream, inner: SocketAddr, first: [u8; 4]) -> std::io::Result<()> {
    let mut request = first.to_vec();
    loop {
        if let Some(at) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..at]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
            if request.len() >= at + 4 + length {
                break;
            }
        }
        let mut chunk = [0; 4096];
        let read = outer.read(&mut chunk).await?;
        request.extend_from_slice(&chunk[..read]);
    }
    drop(outer);
    Clock::system().sleep(LATE).await;
    let mut inner = TcpStream::connect(inner).await?;
    inner.write_all(&request).await?;
    inner.read_exact(&mut [0; 1]).await.map(drop)
}

async fn pass(
    mut outer: TcpStream,
    inner: SocketAddr,
    left: Arc<AtomicUsize>,
    late: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let mut first = [0; 4];
    outer.read_exact(&mut first).await?;
    let is_write = matches!(&first, b"POST" | b"PUT " | b"DELE");
    if is_write && strikes(&late) {
        return land_later(outer, inner, first).await;
    }
    let mut inner = TcpStream::connect(inner).await?;
    inner.write_all(&first).await?;
    let loses = is_write && strikes(&left);
    if !loses {
        tokio::io::copy_bidirectional(&mut outer, &mut inner).await?;
        return Ok(());
    }
    let (mut from_client, _) = outer.split();
    let (mut from_server, mut to_server) = inner.split();
    let mut answer = [0; 1];
    tokio::select! {
        copied = tokio::io::copy(&mut from_client, &mut to_server) => drop(copied?),
        read = from_server.read_exact(&mut answer) => drop(read?),
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_write_of_unknown_outcome_nothing_is_made_twice() {
    for kind in BOTH {
        let tasks = TaskTracker::new();
        let running = server(kind, false, &tasks).await;
        let loser = LossyProxy::start(&tasks, running.address()).await;
        let url = format!("http://{}", loser.address);
        let house = PlaylistFixture::before(kind, running, &url, tasks.clone(), Clock::system()).await;
        loser.left.store(1, Ordering::SeqCst);
        let report = house.sync(house.rows(0..9), json!({})).await;
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..9)), "made, once: {report}");
        assert_eq!(report["accounts"][0]["standing"], "written");
        for (wanted, mode) in [(vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 20], "append"), (vec![3, 1, 2, 30], "replace")] {
            loser.left.store(2, Ordering::SeqCst);
            let report = house.sync(house.rows(wanted.clone()), json!({"mode": mode, "shrink": true})).await;
            assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(wanted)), "{mode}: {report}");
        }
        loser.stop.cancel();
        house.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_lands_after_its_answer_was_given_up_is_not_sent_twice() {
    for kind in BOTH {
        let tasks = TaskTracker::new();
        let running = server(kind, false, &tasks).await;
        let loser = LossyProxy::start(&tasks, running.address()).await;
        let url = format!("http://{}", loser.address);
        let house = PlaylistFixture::before(kind, running, &url, tasks.clone(), Clock::system()).await;
        loser.late.store(1, Ordering::SeqCst);
        let report = house.sync(house.rows(0..9), json!({})).await;
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..9)), "made, once: {report}");
        assert_eq!(report["accounts"][0]["standing"], "written");
        loser.late.store(1, Ordering::SeqCst);
        let report = house.sync(house.rows(5..12), json!({"mode": "append"})).await;
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..12)), "added, once: {report}");
        assert_eq!(report["writes"], 1, "{report}");
        loser.stop.cancel();
        house.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn items_gone_from_the_server_are_reported_and_the_rest_is_written() {
    for kind in BOTH {
        let house = PlaylistFixture::open_with(kind, false, Clock::system()).await;
        let view_ids: Vec<_> = {
            let view = house.running.state().view();
            view.catalogue().ids(greenroom_simulator::catalogue::MediaKind::Track).collect()
        };
        let key = |id| match kind {
            ServerKind::Plex => format!("{id}"),
            ServerKind::Jellyfin => greenroom_simulator::jellyfin::item_id(id),
        };
        for at in [2, 5] {
            let gone = view_ids.iter().find(|id| key(**id) == house.tracks[at].key).expect("it is there");
            assert!(house.running.change_quietly(|write| write.delete(*gone)));
        }
        let report = house.sync(house.rows(0..8), json!({})).await;
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys([0, 1, 3, 4, 6, 7])), "{report}");
        assert_eq!(report["accounts"][0]["not_visible"].as_array().map(Vec::len), Some(2), "{report}");
        house.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_cancelled_between_two_writes_and_the_next_one_goes_on_from_there() {
    let house = PlaylistFixture::open_with(ServerKind::Plex, true, Clock::system()).await;
    house.sync(house.rows([0]), json!({})).await;
    // A few writes pass, and the next one hangs until the run has been cancelled.
    let spare = 8;
    let path_prefix = Some("/playlists/".to_owned());
    house.running.faults().set_rule(FaultRule { fault: Fault::Hang, path_prefix, spare, times: None });
    let begun = house.ask(house.rows(0..120), json!({"detach": true, "mode": "append"})).await;
    assert_eq!(begun.status, 202);
    let id = begun.json()["run"].as_str().expect("an id").to_owned();
    assert!(begun.header("location").ends_with(&id));
    let control = house.stage.control();
    let told = async || control.get(&format!("/api/v1/playlists/runs/{id}")).await.json();
    until_async(async || told().await["progress"]["done"].as_u64() >= Some(3)).await;
    let second = house.ask(house.rows(0..3), json!({"mode": "append"})).await;
    assert_eq!((second.status.as_u16(), second.json()["code"].as_str()), (409, Some("already-running")));
    control.send(Method::POST, &format!("/api/v1/playlists/runs/{id}/cancel"), "").await;
    house.running.faults().clear();
    let events = control.with("accept", "text/event-stream").get(&format!("/api/v1/playlists/runs/{id}")).await;
    assert!(events.text().contains("event: ended"), "{}", events.text());
    let ended = told().await;
    assert_eq!(
        (ended["state"].as_str(), ended["report"]["accounts"][0]["standing"].as_str()),
        (Some("cancelled"), Some("cancelled"))
    );
    let held = house.playlist_keys("ann", "Weekly").expect("it is there");
    assert!(held.len() > 3 && held.len() < 120, "{}", held.len());
    let before = house.writes();
    // A playlist from the same rows is completed, also by a run that may only create.
    house.sync(house.rows(0..120), json!({"mode": "create"})).await;
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..120)));
    assert_eq!(house.writes() - before, 120 - held.len() as u64);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_unindexed_library_is_reported_or_waited_for() {
    let tasks = TaskTracker::new();
    let running = server(ServerKind::Plex, false, &tasks).await;
    // Its libraries are not available for now.
    running.faults().set_for("/library/sections", Fault::Hang);
    let script =
        GatewayConfigBuilder::new().server("home", "plex", &running.url(), &tokens(&running, ServerKind::Plex));
    let stage = script.start_at(Clock::system()).await;
    let tracks = tracks_of(&running, ServerKind::Plex);
    let rows: Vec<Value> =
        tracks.iter().take(3).map(|track| json!({"title": track.title, "artist": track.artist})).collect();
    let ask = |wait: bool| {
        let wish = json!({"source": rows, "server": "home", "name": "Weekly", "wait": wait, "detach": wait});
        let control = stage.control();
        async move { control.send(Method::POST, "/api/v1/playlists/sync", &wish.to_string()).await }
    };
    let answer = ask(false).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (409, Some("library-not-built")));
    let begun = ask(true).await.json();
    let id = begun["run"].as_str().expect("an id");
    let told = async || stage.control().get(&format!("/api/v1/playlists/runs/{id}")).await.json();
    until_async(async || told().await["progress"]["stage"] == "waiting-for-library").await;
    running.faults().clear();
    until_async(async || told().await["state"] != "running").await;
    assert_eq!(told().await["report"]["accounts"][0]["length"], 3);
    stage.stop().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sync_into_a_library_whose_index_is_off_is_refused_and_warned_of() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let control = house.stage.control();
    let off = control.send(Method::PUT, "/api/v1/libraries/home:3", r#"{"enabled": false}"#).await;
    assert_eq!(off.status, 200, "{}", off.text());
    let answer = house.ask(house.rows(0..3), json!({})).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["code"].as_str()),
        (409, Some("library-off")),
        "{}",
        answer.text()
    );
    let warned = async || control.get("/api/v1/cache/stats").await.text().contains("sync-without-index");
    assert!(warned().await);
    control.send(Method::PUT, "/api/v1/libraries/home:3", r#"{"enabled": true}"#).await;
    house.sync(house.rows(0..3), json!({"wait": true})).await;
    assert!(!warned().await, "it does not hold any more");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_fails_the_account_and_nothing_else() {
    let house = PlaylistFixture::open_with(ServerKind::Plex, false, Clock::system()).await;
    house.running.faults().set(Fault::Gone);
    let report = house.sync(house.rows(0..3), json!({"accounts": ["ben"]})).await;
    let ben = &report["accounts"][0];
    assert_eq!(ben["standing"], "failed", "{ben}");
    assert!(["unreachable", "down"].contains(&ben["error"]["code"].as_str().unwrap_or_default()), "{ben}");
    assert!(!report.to_string().contains(house.running.tokens().secret("ben")), "no token shows");
    house.close().await;
}
