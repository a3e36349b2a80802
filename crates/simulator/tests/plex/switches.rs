//! Every switch, in both positions.

use std::io::Read;
use std::time::Duration;

use futures_util::StreamExt;
use greenroom_simulator::plex::{PlexSwitches, SharedSessionsPolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;

use crate::harness::{PlexFixture, keys, rows};

async fn switched(change: impl Fn(&mut PlexSwitches)) -> [PlexFixture; 2] {
    [PlexFixture::quick().await, PlexFixture::with(|options| change(&mut options.switches)).await]
}

async fn end(servers: [PlexFixture; 2]) {
    for server in servers {
        server.done().await;
    }
}

async fn counter(server: &PlexFixture) -> u64 {
    server.json("/library/sections").await["Directory"][0]["contentChangedAt"].as_u64().unwrap()
}

/// The text of the first frame after this write and an addition.
async fn first_frame(server: &PlexFixture, write: &str) -> String {
    let url = format!("ws://{}/:/websockets/notifications?X-Plex-Token=plx-owner-a", server.running.address());
    let mut socket = connect_async(url).await.unwrap().0;
    server.get(write).send().await;
    server.running.add_film("Marker", 2_000);
    socket.next().await.unwrap().unwrap().into_text().unwrap().to_string()
}

#[tokio::test]
async fn scrobbles_are_announced_or_not() {
    let servers = switched(|switches| switches.scrobble_announced = true).await;
    assert!(first_frame(&servers[0], "/:/scrobble?key=1").await.contains("Marker"));
    assert!(first_frame(&servers[1], "/:/scrobble?key=1").await.contains("\"itemID\":1,"));
    end(servers).await;
}

#[tokio::test]
async fn edits_move_the_change_counter_or_do_not() {
    let servers = switched(|switches| switches.content_changed_by_edits = false).await;
    for (server, moves) in servers.iter().zip([true, false]) {
        let before = counter(server).await;
        server.put("/library/metadata/1?title.value=x").send().await;
        assert_eq!(counter(server).await > before, moves);
    }
    end(servers).await;
}

#[tokio::test]
async fn shared_users_are_refused_the_sessions_or_see_their_own() {
    let servers = switched(|switches| switches.shared_sessions = SharedSessionsPolicy::OwnOnly).await;
    for server in &servers {
        for (user, client) in [("owner-a", "one"), ("sam", "two")] {
            let report = server.get("/:/timeline?ratingKey=1&state=playing&time=1").by(user);
            report.header("x-plex-client-identifier", client).send().await;
        }
        assert_eq!(server.json("/status/sessions").await["size"], 2);
    }
    assert_eq!(servers[0].get("/status/sessions").by("sam").status().await, 403);
    let own = servers[1].get("/status/sessions").by("sam").json().await;
    assert_eq!((rows(&own).len(), rows(&own)[0]["User"]["title"].as_str()), (1, Some("sam")));
    end(servers).await;
}

#[tokio::test]
async fn sockets_are_for_all_or_for_the_owner() {
    let servers = switched(|switches| switches.sockets_for_owner_only = true).await;
    for (server, open) in servers.iter().zip([true, false]) {
        let url = format!("ws://{}/:/websockets/notifications?X-Plex-Token=plx-sam", server.running.address());
        assert_eq!(connect_async(url).await.is_ok(), open);
    }
    end(servers).await;
}

#[tokio::test(start_paused = true)]
async fn what_plays_is_told_every_second_or_once() {
    let servers = switched(|switches| switches.playing_every_second = true).await;
    for (server, again) in servers.iter().zip([false, true]) {
        let url = format!("ws://{}/:/websockets/notifications?X-Plex-Token=plx-owner-a", server.running.address());
        let mut socket = connect_async(url).await.unwrap().0;
        server.get("/:/timeline?ratingKey=1&state=playing&time=7").send().await;
        let first = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(first.contains("playing"));
        let second = tokio::time::timeout(Duration::from_secs(5), socket.next()).await;
        assert_eq!(second.is_ok(), again);
    }
    end(servers).await;
}

#[tokio::test]
async fn bodies_are_compressed_for_those_who_accept_it_or_never() {
    let servers = switched(|switches| switches.gzip = true).await;
    let path = "/library/sections/1/all";
    let plain = servers[0].get(path).header("accept-encoding", "gzip").send().await;
    assert!(!plain.headers.contains_key("content-encoding"));
    assert!(!servers[1].get(path).send().await.headers.contains_key("content-encoding"));
    let packed = servers[1].get(path).header("accept-encoding", "gzip").send().await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("x-plex-content-original-length"), plain.body.len().to_string());
    assert_eq!(packed.header("x-plex-content-compressed-length"), packed.body.len().to_string());
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    end(servers).await;
}

#[tokio::test]
async fn the_length_is_told_once_or_twice() {
    let servers = switched(|switches| switches.double_content_length = true).await;
    for (server, times) in servers.iter().zip([1, 2]) {
        let mut stream = TcpStream::connect(server.running.address()).await.unwrap();
        stream.write_all(b"GET /identity HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let lengths: Vec<&str> =
            head.lines().filter(|line| line.to_lowercase().starts_with("content-length:")).collect();
        assert_eq!(lengths.len(), times);
        assert!(lengths.iter().all(|line| line.ends_with(&format!(" {}", body.len()))));
    }
    end(servers).await;
}

#[tokio::test]
async fn vary_is_sent_or_not() {
    let servers = switched(|switches| switches.vary = true).await;
    assert_eq!(servers[0].get("/").send().await.header("vary"), "");
    assert_eq!(servers[1].get("/").send().await.header("vary"), "Origin, X-Plex-Token");
    end(servers).await;
}

#[tokio::test]
async fn pictures_have_a_validator_or_none() {
    let servers = switched(|switches| switches.etag_on_images = true).await;
    let path = "/photo/:/transcode?width=100&height=100&url=/library/metadata/1/thumb/1";
    assert!(!servers[0].get(path).send().await.headers.contains_key("etag"));
    let tag = servers[1].get(path).send().await.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag == servers[1].get(path).send().await.header("etag"));
    end(servers).await;
}

#[tokio::test]
async fn unknown_filters_are_ignored_or_refused() {
    let servers = switched(|switches| switches.unknown_filter_refused = true).await;
    let path = "/library/sections/1/all?grumpiness=5";
    assert_eq!(keys(&servers[0].json(path).await).len(), 30);
    assert_eq!(servers[1].get(path).status().await, 400);
    let usual = "/library/sections/1/all?includeGuids=1&X-Plex-Platform=x&checkFiles=0&sort=year&type=1&limit=5";
    assert_eq!(servers[1].get(usual).status().await, 200);
    end(servers).await;
}

#[tokio::test]
async fn a_playlist_takes_all_items_or_the_first() {
    let servers = switched(|switches| switches.playlist_takes_one = true).await;
    for (server, taken) in servers.iter().zip([3, 1]) {
        let id = keys(&server.json("/playlists?playlistType=video").await)[0].clone();
        let before = rows(&server.json(&format!("/playlists/{id}/items")).await).len();
        let uri = "server%3A%2F%2Fx%2Fcom.plexapp.plugins.library%2Flibrary%2Fmetadata%2F1%2C2%2C3";
        server.put(&format!("/playlists/{id}/items?uri={uri}")).send().await;
        assert_eq!(rows(&server.json(&format!("/playlists/{id}/items")).await).len() - before, taken);
    }
    end(servers).await;
}

#[tokio::test]
async fn promoted_hubs_are_the_same_for_all_clients_or_differ() {
    let servers = switched(|switches| switches.hubs_differ_by_client = true).await;
    for (server, differ) in servers.iter().zip([false, true]) {
        let mut orders = std::collections::HashSet::new();
        for client in ["a", "b", "c", "d"] {
            let told = server.get("/hubs/promoted").header("x-plex-client-identifier", client).json().await;
            orders.insert(told["Hub"].to_string());
        }
        assert_eq!(orders.len() > 1, differ);
    }
    end(servers).await;
}

#[tokio::test]
async fn a_search_is_the_same_for_all_features_or_differs() {
    let servers = switched(|switches| switches.search_differs_by_features = true).await;
    for (server, more) in servers.iter().zip([0, 1]) {
        for path in ["/hubs/search?query=the", "/hubs/search/voice?query=the"] {
            let plain = server.json(path).await["size"].as_u64().unwrap();
            let able = server.get(path).header("x-plex-features", "indirect-media,external-media").json().await;
            assert_eq!(able["size"].as_u64().unwrap() - plain, more, "{path}");
        }
    }
    end(servers).await;
}

#[tokio::test]
async fn paging_is_read_in_both_forms_or_in_one() {
    let list = "/library/sections/1/all?type=1";
    let size_of = async |server: &PlexFixture, form: &str| {
        let page = "X-Plex-Container-Start=10&X-Plex-Container-Size=5";
        let told = if form == "query" {
            server.json(&format!("{list}&{page}")).await
        } else {
            let request = server.get(list).header("x-plex-container-start", "10");
            request.header("x-plex-container-size", "5").json().await
        };
        (told["size"].as_u64(), told["offset"].as_u64())
    };
    let (page, whole) = ((Some(5), Some(10)), (Some(30), None));
    let servers = switched(|switches| switches.ignores_paging_in_query = true).await;
    for (server, [by_query, by_header]) in servers.iter().zip([[page, page], [whole, page]]) {
        assert_eq!(size_of(server, "query").await, by_query);
        assert_eq!(size_of(server, "headers").await, by_header);
    }
    end(servers).await;
    let servers = switched(|switches| switches.ignores_paging_in_headers = true).await;
    for (server, [by_query, by_header]) in servers.iter().zip([[page, page], [page, whole]]) {
        assert_eq!(size_of(server, "query").await, by_query);
        assert_eq!(size_of(server, "headers").await, by_header);
    }
    end(servers).await;
}

#[tokio::test]
async fn forwarded_addresses_are_believed_or_not() {
    let servers = switched(|switches| switches.trusts_forwarded_for = true).await;
    for (server, address) in servers.iter().zip(["127.0.0.1", "203.0.113.9"]) {
        let report = server.get("/:/timeline?ratingKey=1&state=playing&time=1");
        report.header("x-forwarded-for", "203.0.113.9, 10.0.0.1").send().await;
        assert_eq!(rows(&server.json("/status/sessions").await)[0]["Player"]["address"], address);
    }
    end(servers).await;
}
