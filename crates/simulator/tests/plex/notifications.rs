//! Notifications: sockets and event streams.

use futures_util::StreamExt;
use greenroom_simulator::faults::Fault;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::{PlexFixture, patiently};

pub(crate) type ClientSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn follow(server: &PlexFixture, label: &str) -> ClientSocket {
    let token = server.running.tokens().secret(label);
    let address = server.running.address();
    let url = format!("ws://{address}/:/websockets/notifications?X-Plex-Token={token}");
    connect_async(url).await.unwrap().0
}

/// The next frame, its envelope taken off.
pub(crate) async fn next(socket: &mut ClientSocket) -> Value {
    let text = async {
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                return text;
            }
        }
    };
    let frame: Value = serde_json::from_str(&patiently("a frame", text).await).unwrap();
    frame["NotificationContainer"].clone()
}

#[tokio::test]
async fn a_player_is_heard_in_the_frame_of_the_real_server() {
    let server = PlexFixture::quick().await;
    let mut socket = follow(&server, "owner-a").await;
    let target = "/:/timeline?ratingKey=1&state=playing&time=2119067";
    server.get(target).header("x-plex-client-identifier", "tv").send().await;
    let frame = next(&mut socket).await;
    assert_eq!(
        frame,
        json!({
            "type": "playing",
            "size": 1,
            "PlaySessionStateNotification": [{
                "sessionKey": "1", "clientIdentifier": "tv", "guid": "", "ratingKey": "1", "url": "",
                "key": "/library/metadata/1", "viewOffset": 2_119_067, "playQueueItemID": 1, "playQueueID": 1,
                "state": "playing",
            }],
        })
    );
    server.get("/:/timeline?ratingKey=1&state=stopped&time=1").header("x-plex-client-identifier", "tv").send().await;
    assert_eq!(next(&mut socket).await["PlaySessionStateNotification"][0]["state"], "stopped");
    drop(socket);
    server.done().await;
}

#[tokio::test]
async fn additions_edits_and_deletions_are_heard_in_order() {
    let server = PlexFixture::quick().await;
    let mut socket = follow(&server, "owner-a").await;
    let id = server.running.add_film("Heard", 2_000);
    server.put(&format!("/library/metadata/{id}?title.value=Heard%20Again")).send().await;
    server.delete(&format!("/library/metadata/{id}")).send().await;
    let mut states = Vec::new();
    for _ in 0..4 {
        let frame = next(&mut socket).await;
        assert_eq!(frame["type"], "timeline");
        let entry = &frame["TimelineEntry"][0];
        assert_eq!((entry["itemID"].as_u64(), entry["sectionID"].as_u64()), (Some(id.0.into()), Some(1)));
        assert_eq!(
            (entry["type"].as_u64(), entry["identifier"].as_str()),
            (Some(1), Some("com.plexapp.plugins.library"))
        );
        states.push((entry["state"].as_u64().unwrap(), entry["metadataState"].as_str().map(str::to_owned)));
    }
    let named = |state, name: &str| (state, (!name.is_empty()).then(|| name.to_owned()));
    assert_eq!(states, [named(0, "created"), named(5, ""), named(5, ""), named(9, "deleted")]);
    drop(socket);
    server.done().await;
}

#[tokio::test]
async fn playlists_are_heard_by_their_owner_alone() {
    let server = PlexFixture::quick().await;
    let (mut owner, mut sam) = (follow(&server, "owner-b").await, follow(&server, "sam").await);
    let uri = "server%3A%2F%2Fx%2Fcom.plexapp.plugins.library%2Flibrary%2Fmetadata%2F1";
    server.post(&format!("/playlists?type=video&title=P&smart=0&uri={uri}")).send().await;
    server.running.add_film("After", 2_000);
    let frame = next(&mut owner).await;
    assert_eq!(frame["TimelineEntry"][0]["type"], 15);
    assert_eq!(next(&mut sam).await["TimelineEntry"][0]["type"], 1, "the addition is the first sam hears of");
    drop((owner, sam));
    server.done().await;
}

#[tokio::test]
async fn a_scan_is_heard_from_its_start_to_its_end() {
    let server = PlexFixture::with(|options| options.switches.scan_takes = std::time::Duration::ZERO).await;
    let mut socket = follow(&server, "owner-a").await;
    server.get("/library/sections/1/refresh").send().await;
    let started = next(&mut socket).await;
    assert_eq!(started["ActivityNotification"][0]["event"], "started");
    assert_eq!(started["ActivityNotification"][0]["Activity"]["type"], "library.update.section");
    assert_eq!(started["ActivityNotification"][0]["Activity"]["Context"]["librarySectionID"], "1");
    let status = next(&mut socket).await;
    assert_eq!(status["StatusNotification"][0]["notificationName"], "LIBRARY_UPDATE");
    assert_eq!(next(&mut socket).await["ActivityNotification"][0]["event"], "ended");
    drop(socket);
    server.done().await;
}

#[tokio::test]
async fn who_may_not_see_a_section_does_not_hear_of_it() {
    let server = PlexFixture::quick().await;
    let mut kim = follow(&server, "kim").await;
    server.put("/library/metadata/31?title.value=x").send().await;
    server.put("/library/metadata/1?title.value=x").send().await;
    assert_eq!(next(&mut kim).await["TimelineEntry"][0]["itemID"], 1);
    drop(kim);
    server.done().await;
}

#[tokio::test]
async fn the_event_stream_tells_one_thing_at_a_time() {
    let server = PlexFixture::quick().await;
    let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let uri = format!("{}/:/eventsource/notifications?filters=playing&X-Plex-Token=plx-owner-a", server.running.url());
    let mut response = client.request(Request::get(uri).body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    server.running.add_film("Filtered Out", 2_000);
    server.get("/:/timeline?ratingKey=1&state=paused&time=5").send().await;
    let mut text = String::new();
    let told = async {
        while !text.contains("paused") {
            let frame = response.body_mut().frame().await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    };
    patiently("what is paused", told).await;
    assert!(!text.contains("timeline"));
    let data = text.lines().skip_while(|line| *line != "event: playing").nth(1).unwrap();
    let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(data["PlaySessionStateNotification"]["state"], "paused");
    drop(response);
    server.done().await;
}

#[tokio::test]
async fn sockets_are_counted_and_cut_when_the_server_goes_down() {
    let server = PlexFixture::quick().await;
    let mut socket = follow(&server, "owner-a").await;
    assert_eq!((server.running.request_log().sockets_opened(), server.running.request_log().sockets_open()), (1, 1));
    server.running.faults().set(Fault::Down);
    while let Some(Ok(_)) = socket.next().await {}
    server.running.faults().clear();
    let mut again = follow(&server, "owner-a").await;
    server.running.add_film("Back", 2_000);
    assert_eq!(next(&mut again).await["type"], "timeline");
    assert_eq!(server.running.request_log().sockets_opened(), 2);
    drop(again);
    server.done().await;
}

#[tokio::test]
async fn a_stranger_cannot_follow() {
    let server = PlexFixture::quick().await;
    let url = format!("ws://{}/:/websockets/notifications?X-Plex-Token=wrong", server.running.address());
    assert!(connect_async(url).await.is_err());
    server.done().await;
}
