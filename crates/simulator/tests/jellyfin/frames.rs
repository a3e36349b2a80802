//! The socket: which user receives which events.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greenroom_simulator::catalogue::{MediaKind, Section};
use greenroom_simulator::jellyfin::{item_id, library_id, user_id};
use greenroom_simulator::users::UserId;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::server::{JellyfinFixture, patiently};

pub(crate) struct FrameClient(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl FrameClient {
    /// Opens a socket with the token of `label` in the query, past the greeting.
    pub(crate) async fn open(server: &JellyfinFixture, label: &str) -> Self {
        Self::open_with(server, &server.token(label)).await
    }

    /// The same with any token.
    pub(crate) async fn open_with(server: &JellyfinFixture, token: &str) -> Self {
        let address = server.running().address();
        let url = format!("ws://{address}/socket?api_key={token}&deviceId=test");
        let (socket, _) = connect_async(url).await.expect("a socket");
        let mut line = Self(socket);
        let greeting = line.next().await;
        assert_eq!((&greeting["MessageType"], &greeting["Data"]), (&json!("ForceKeepAlive"), &json!(60)));
        line
    }

    pub(crate) async fn say(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.expect("an open socket");
    }

    pub(crate) async fn next(&mut self) -> Value {
        let text = async {
            loop {
                if let Message::Text(text) = self.0.next().await.expect("an open socket").expect("a frame") {
                    return serde_json::from_str(&text).expect("JSON");
                }
            }
        };
        patiently("a frame", text).await
    }

    /// Every frame that was on its way: what comes before the echo of a keep-alive.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        self.say(&json!({"MessageType": "KeepAlive"})).await;
        let before = async {
            let mut frames = Vec::new();
            loop {
                let frame = self.next().await;
                if frame["MessageType"] == "KeepAlive" {
                    return frames;
                }
                frames.push(frame);
            }
        };
        patiently("the echo of a keep-alive", before).await
    }

    /// Whether the server ends it, whatever it says before.
    pub(crate) async fn is_ended(&mut self) -> bool {
        let end = async {
            while let Some(Ok(message)) = self.0.next().await {
                if matches!(message, Message::Close(_)) {
                    break;
                }
            }
            true
        };
        patiently("the end of the socket", end).await
    }

    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        let frame = async {
            loop {
                let frame = self.next().await;
                if frame["MessageType"] == kind {
                    return frame;
                }
            }
        };
        patiently(kind, frame).await
    }
}

fn types(frames: &[Value]) -> Vec<&str> {
    frames.iter().filter_map(|frame| frame["MessageType"].as_str()).collect()
}

#[tokio::test]
async fn user_data_goes_to_all_sessions_of_that_user_and_to_nobody_else() {
    let server = JellyfinFixture::start().await;
    let mut one = FrameClient::open(&server, "owner-a").await;
    let mut two = FrameClient::open(&server, "owner-b").await;
    let mut sam = FrameClient::open(&server, "sam").await;
    let mut key = FrameClient::open(&server, "key").await;
    let episode = server.items(MediaKind::Episode)[0];
    let season = server.state().view().parent(episode).expect("a season");
    server.post(&format!("/UserPlayedItems/{}", item_id(episode))).by("owner-a").expect(200).await;
    for line in [&mut one, &mut two] {
        let frame = line.next().await;
        assert_eq!(frame["MessageType"], "UserDataChanged");
        assert_eq!(frame["Data"]["UserId"], user_id(UserId::OWNER));
        let told: Vec<&str> = frame["Data"]["UserDataList"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|row| row["ItemId"].as_str())
            .collect();
        assert_eq!(told, [item_id(episode), item_id(season)], "the item and its parent, nothing further up");
    }
    assert!(sam.rest().await.is_empty());
    assert!(key.rest().await.is_empty());
    server.leave().await;
}

#[tokio::test]
async fn progress_is_silent_and_a_start_and_a_stop_are_told() {
    let server = JellyfinFixture::start().await;
    let mut line = FrameClient::open(&server, "sam").await;
    let film = server.first(MediaKind::Film);
    let report = |path: &str| {
        let body = json!({"ItemId": film, "PositionTicks": 90_000_000});
        server.post(&format!("/Sessions/Playing{path}")).by("sam").json(&body)
    };
    report("").expect(204).await;
    let told = line.next().await["Data"]["UserDataList"].clone();
    assert_eq!((&told[0]["ItemId"], &told[1]["ItemId"]), (&json!(film), &json!(library_id(Section::Films))));
    report("/Progress").expect(204).await;
    assert!(line.rest().await.is_empty());
    report("/Stopped").expect(204).await;
    assert_eq!(line.next().await["Data"]["UserDataList"][0]["ItemId"], film.as_str());
    server.leave().await;
}

#[tokio::test]
async fn the_library_is_told_to_those_who_see_it() {
    let server = JellyfinFixture::start().await;
    let mut sam = FrameClient::open(&server, "sam").await;
    let mut kim = FrameClient::open(&server, "kim").await;
    let mut key = FrameClient::open(&server, "key").await;
    let season = server.items(MediaKind::Season)[0];
    let episode = server.running().add_episode(season, "One More").expect("a season");
    let frame = sam.next().await;
    assert_eq!(
        (&frame["MessageType"], &frame["Data"]["ItemsAdded"]),
        (&json!("LibraryChanged"), &json!([item_id(episode)]))
    );
    assert_eq!(
        (&frame["Data"]["FoldersAddedTo"], &frame["Data"]["IsEmpty"]),
        (&json!([item_id(season)]), &json!(false))
    );
    assert!(kim.rest().await.is_empty(), "kim does not see the shows");
    assert!(key.rest().await.is_empty(), "a key is no user");
    let film = server.items(MediaKind::Film)[0];
    server.running().delete_item(film);
    assert_eq!(kim.next().await["Data"]["ItemsRemoved"], json!([item_id(film)]));
    server.leave().await;
}

#[tokio::test]
async fn a_removed_library_shows_nothing_and_is_told_without_a_name() {
    let server = JellyfinFixture::start().await;
    let mut sam = FrameClient::open(&server, "sam").await;
    let film = item_id(server.items(MediaKind::Film)[0]);
    server.delete("/Library/VirtualFolders?name=Films").by("sam").expect(403).await;
    server.delete("/Library/VirtualFolders?name=Nonsense").by("owner-a").expect(404).await;
    server.delete("/Library/VirtualFolders?name=Films").by("owner-a").expect(204).await;
    let frame = sam.until("LibraryChanged").await;
    assert_eq!((&frame["Data"]["IsEmpty"], &frame["Data"]["ItemsRemoved"]), (&json!(true), &json!([])));
    server.get(&format!("/Items/{film}")).by("sam").expect(404).await;
    assert_eq!(server.get("/Items/Counts").by("sam").value().await["MovieCount"], 0);
    server.post("/Library/VirtualFolders?name=Films&collectionType=movies").by("owner-a").expect(204).await;
    server.get(&format!("/Items/{film}")).by("sam").expect(200).await;
    server.leave().await;
}

#[tokio::test(start_paused = true)]
async fn changes_are_gathered_until_it_is_quiet() {
    let server = JellyfinFixture::with(|switches| switches.library_changed_delay = Duration::from_secs(5)).await;
    let mut line = FrameClient::open(&server, "sam").await;
    let films = server.items(MediaKind::Film);
    server.running().edit_item(films[0], |record| record.title = "One".into());
    server.running().edit_item(films[1], |record| record.title = "Two".into());
    let frame = line.until("LibraryChanged").await;
    assert_eq!(frame["Data"]["ItemsUpdated"], json!([item_id(films[0]), item_id(films[1])]));
    server.leave().await;
}

#[tokio::test]
async fn a_private_playlist_is_told_to_its_owner_alone() {
    let server = JellyfinFixture::start().await;
    let mut sam = FrameClient::open(&server, "sam").await;
    let mut kim = FrameClient::open(&server, "kim").await;
    let body = json!({"Name": "Mine", "Ids": [], "IsPublic": false});
    let made = server.post("/Playlists").by("sam").json(&body).value().await;
    assert_eq!(sam.next().await["Data"]["ItemsAdded"], json!([made["Id"]]));
    assert!(kim.rest().await.is_empty());
    server.leave().await;
}

#[tokio::test]
async fn administrators_may_subscribe_and_others_may_not() {
    let server = JellyfinFixture::start().await;
    let mut owner = FrameClient::open(&server, "owner-a").await;
    let mut sam = FrameClient::open(&server, "sam").await;
    for topic in ["Sessions", "ScheduledTasksInfo"] {
        let start = json!({"MessageType": format!("{topic}Start"), "Data": "0,60000"});
        owner.say(&start).await;
        sam.say(&start).await;
        let frame = owner.until(topic).await;
        assert!(frame["Data"].as_array().is_some_and(|rows| !rows.is_empty()), "{topic}");
        owner.say(&json!({"MessageType": format!("{topic}Stop")})).await;
    }
    assert!(sam.rest().await.is_empty());
    server.leave().await;
}

#[tokio::test]
async fn a_key_may_subscribe_only_where_the_switch_says_so() {
    for allowed in [false, true] {
        let server = JellyfinFixture::with(|switches| switches.keys_may_subscribe = allowed).await;
        let mut key = FrameClient::open(&server, "key").await;
        key.say(&json!({"MessageType": "SessionsStart", "Data": "0,60000"})).await;
        let frames = key.rest().await;
        assert_eq!(types(&frames).contains(&"Sessions"), allowed);
        server.leave().await;
    }
}

#[tokio::test]
async fn a_refresh_and_the_end_of_a_task_are_told_to_administrators() {
    let server = JellyfinFixture::start().await;
    let mut owner = FrameClient::open(&server, "owner-a").await;
    let mut sam = FrameClient::open(&server, "sam").await;
    let film = server.first(MediaKind::Film);
    server.post(&format!("/Items/{film}/Refresh")).by("owner-a").expect(204).await;
    assert!(!types(&owner.rest().await).contains(&"RefreshProgress"), "one item is no library");
    let films = library_id(Section::Films);
    server.post(&format!("/Items/{films}/Refresh")).by("owner-a").expect(204).await;
    assert_eq!(owner.until("RefreshProgress").await["Data"], json!({"ItemId": films, "Progress": "0"}));
    assert!(!types(&sam.rest().await).contains(&"RefreshProgress"));
    server.leave().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_scan_is_told() {
    let server = JellyfinFixture::start().await;
    let mut owner = FrameClient::open(&server, "owner-a").await;
    server.post("/Library/Refresh").by("owner-a").expect(204).await;
    let ended = owner.until("ScheduledTaskEnded").await;
    assert_eq!((&ended["Data"]["Key"], &ended["Data"]["Status"]), (&json!("RefreshLibrary"), &json!("Completed")));
    server.leave().await;
}

#[tokio::test]
async fn the_header_opens_a_socket_too_and_a_wrong_token_does_not() {
    let server = JellyfinFixture::start().await;
    let address = server.running().address();
    let mut request = format!("ws://{address}/socket").into_client_request().expect("a request");
    let line = format!("MediaBrowser DeviceId=\"x\", Token=\"{}\"", server.token("sam"));
    request.headers_mut().insert("authorization", line.parse().expect("a header"));
    let (socket, _) = connect_async(request).await.expect("a socket");
    assert_eq!(FrameClient(socket).next().await["MessageType"], "ForceKeepAlive");
    assert!(connect_async(format!("ws://{address}/socket?api_key=wrong")).await.is_err());
    assert!(connect_async(format!("ws://{address}/socket")).await.is_err());
    server.leave().await;
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let server = JellyfinFixture::start().await;
    let mut line = FrameClient::open(&server, "sam").await;
    server.post("/Sessions/Logout").by("sam").expect(204).await;
    let end = line.0.next().await;
    assert!(matches!(end, None | Some(Ok(Message::Close(_)) | Err(_))), "{end:?}");
    server.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_reminded_and_then_gone() {
    let server = JellyfinFixture::start().await;
    let mut line = FrameClient::open(&server, "sam").await;
    assert_eq!(line.next().await["MessageType"], "ForceKeepAlive");
    let end = line.0.next().await;
    assert!(matches!(end, None | Some(Ok(Message::Close(_)) | Err(_))), "{end:?}");
    server.leave().await;
}
