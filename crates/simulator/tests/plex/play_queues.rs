//! Play queues, read and written.

use serde_json::Value;

use crate::harness::{PlexFixture, keys, rows};

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn uri(items: &[String]) -> String {
    encoded(&format!("server://abc/com.plexapp.plugins.library/library/metadata/{}", items.join(",")))
}

/// The first tracks, as ids.
async fn tracks(server: &PlexFixture, count: usize) -> Vec<String> {
    keys(&server.json("/library/sections/3/all?type=10&sort=id").await).into_iter().take(count).collect()
}

/// Makes a queue of these items.
async fn create(server: &PlexFixture, items: &[String], rest: &str) -> Value {
    server.post(&format!("/playQueues?type=audio&uri={}{rest}", uri(items))).json().await
}

/// Ids of the entries of a queue.
fn entries(queue: &Value) -> Vec<u64> {
    rows(queue).iter().map(|row| row["playQueueItemID"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_play_queue_says_what_plays_and_is_read_by_its_owner_alone() {
    let server = PlexFixture::quick().await;
    let tracks = tracks(&server, 3).await;
    let made = create(&server, &tracks, &format!("&key=/library/metadata/{}", tracks[1])).await;
    assert_eq!(keys(&made), tracks);
    assert_eq!((&made["playQueueTotalCount"], &made["playQueueVersion"]), (&3.into(), &1.into()));
    assert_eq!(made["playQueueSelectedItemOffset"], 1);
    assert_eq!(made["playQueueSelectedItemID"], entries(&made)[1]);
    assert_eq!(made["playQueueSelectedMetadataItemID"].to_string(), tracks[1]);
    let path = format!("/playQueues/{}", made["playQueueID"]);
    let mut read = server.json(&path).await;
    read["greenroomSeq"] = made["greenroomSeq"].clone();
    assert_eq!(read, made);
    assert_eq!(server.get(&path).xml().await.items().count(), 3);
    assert_eq!(server.get(&path).by("sam").status().await, 404);
    assert_eq!(server.post("/playQueues?type=audio").status().await, 400);
    server.done().await;
}

#[tokio::test]
async fn a_play_queue_is_filled_ordered_and_emptied() {
    let server = PlexFixture::quick().await;
    let tracks = tracks(&server, 4).await;
    let made = create(&server, &tracks[..2], "").await;
    let path = format!("/playQueues/{}", made["playQueueID"]);
    let added = server.put(&format!("{path}?uri={}", uri(&tracks[2..3]))).json().await;
    assert_eq!(keys(&added), [&tracks[0], &tracks[2], &tracks[1]].map(Clone::clone));
    let next = server.put(&format!("{path}?uri={}&next=1", uri(&tracks[3..]))).json().await;
    assert_eq!(keys(&next), [&tracks[0], &tracks[3], &tracks[2], &tracks[1]].map(Clone::clone));
    assert_eq!(next["playQueueVersion"], 3);
    let ids = entries(&next);
    let moved = server.put(&format!("{path}/items/{}/move?after={}", ids[3], ids[0])).json().await;
    assert_eq!(entries(&moved), [ids[0], ids[3], ids[1], ids[2]]);
    let rest = server.delete(&format!("{path}/items/{}", ids[0])).json().await;
    assert_eq!((entries(&rest), &rest["playQueueSelectedItemID"]), (vec![ids[3], ids[1], ids[2]], &ids[3].into()));
    assert_eq!(server.delete(&format!("{path}/items/{}", ids[0])).status().await, 404);
    let none = server.delete(&format!("{path}/items")).json().await;
    assert_eq!((rows(&none).len(), &none["playQueueTotalCount"]), (0, &0.into()));
    server.done().await;
}

#[tokio::test]
async fn a_window_of_a_play_queue_is_centered_where_it_is_asked_to_be() {
    let server = PlexFixture::quick().await;
    let tracks = tracks(&server, 9).await;
    let made = create(&server, &tracks, "").await;
    let (path, ids) = (format!("/playQueues/{}", made["playQueueID"]), entries(&made));
    let window = server.json(&format!("{path}?center={}&window=2", ids[4])).await;
    assert_eq!(entries(&window), ids[2..=6]);
    assert_eq!(window["playQueueTotalCount"], 9);
    let after = server.json(&format!("{path}?center={}&window=2&includeBefore=0", ids[4])).await;
    assert_eq!(entries(&after), ids[5..=6]);
    server.done().await;
}

#[tokio::test]
async fn an_episode_goes_on_with_its_show_and_a_playlist_is_queued_whole() {
    let server = PlexFixture::quick().await;
    let episode = keys(&server.json("/library/sections/2/all?type=4&sort=id").await)[1].clone();
    let show = server.json(&format!("/library/metadata/{episode}")).await;
    let show = rows(&show)[0]["grandparentRatingKey"].as_str().unwrap().to_owned();
    let whole = keys(&server.json(&format!("/library/metadata/{show}/allLeaves")).await);
    let target = format!("/playQueues?type=video&continuous=1&uri={}", uri(std::slice::from_ref(&episode)));
    let queue = server.post(&target).json().await;
    assert_eq!(queue["playQueueTotalCount"], whole.len());
    assert_eq!(queue["playQueueSelectedMetadataItemID"].to_string(), episode);
    let playlist = rows(&server.json("/playlists?playlistType=audio&smart=0").await)[0]["ratingKey"].clone();
    let items = server.json(&format!("/playlists/{}/items", playlist.as_str().unwrap())).await;
    let target = format!("/playQueues?type=audio&playlistID={}", playlist.as_str().unwrap());
    assert_eq!(server.post(&target).json().await["playQueueTotalCount"], rows(&items).len());
    server.done().await;
}
