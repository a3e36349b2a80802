//! Playlists and collections, read and written.

use serde_json::Value;

use crate::harness::{PlexFixture, keys, rows};

/// Makes a playlist of these items and returns its id.
async fn create_playlist(server: &PlexFixture, title: &str, items: &str) -> String {
    let uri = format!("server://abc/com.plexapp.plugins.library/library/metadata/{items}");
    let told = server.post(&format!("/playlists?type=audio&title={title}&smart=0&uri={}", encoded(&uri))).json().await;
    rows(&told)[0]["ratingKey"].as_str().unwrap().to_owned()
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn items(server: &PlexFixture, id: &str) -> Value {
    server.json(&format!("/playlists/{id}/items")).await
}

/// The first tracks, as ids.
async fn tracks(server: &PlexFixture, count: usize) -> Vec<String> {
    keys(&server.json("/library/sections/3/all?type=10&sort=id").await).into_iter().take(count).collect()
}

#[tokio::test]
async fn a_new_playlist_is_in_the_list_at_once_and_only_in_its_owners() {
    let server = PlexFixture::quick().await;
    let tracks = tracks(&server, 3).await;
    let id = create_playlist(&server, "New", &tracks.join(",")).await;
    let list = server.json("/playlists").await;
    let row = rows(&list).iter().find(|row| row["ratingKey"] == id.as_str()).unwrap();
    assert_eq!((row["title"].as_str(), row["leafCount"].as_u64()), (Some("New"), Some(3)));
    assert_eq!(row["playlistType"], "audio");
    assert_eq!(row["smart"], false);
    assert_eq!(keys(&items(&server, &id).await), tracks);
    let others = server.get("/playlists").by("sam").json().await;
    assert!(!keys(&others).contains(&id));
    assert_eq!(server.get(&format!("/playlists/{id}/items")).by("sam").status().await, 404);
    assert_eq!(server.delete(&format!("/playlists/{id}")).by("sam").status().await, 404);
    server.done().await;
}

#[tokio::test]
async fn items_are_added_moved_and_removed() {
    let server = PlexFixture::quick().await;
    let all = tracks(&server, 4).await;
    let id = create_playlist(&server, "Order", &all[..2].join(",")).await;
    let uri = encoded(&format!("library://gate:1/item/%2Flibrary%2Fmetadata%2F{}", all[2]));
    let told = server.put(&format!("/playlists/{id}/items?uri={uri}")).json().await;
    assert_eq!(told["leafCountAdded"], 1);
    let now = items(&server, &id).await;
    assert_eq!(keys(&now), all[..3]);
    let entries: Vec<u64> = rows(&now).iter().map(|row| row["playlistItemID"].as_u64().unwrap()).collect();
    server.put(&format!("/playlists/{id}/items/{}/move", entries[2])).send().await;
    assert_eq!(keys(&items(&server, &id).await), [&all[2], &all[0], &all[1]].map(Clone::clone));
    server.put(&format!("/playlists/{id}/items/{}/move?after={}", entries[2], entries[0])).send().await;
    assert_eq!(keys(&items(&server, &id).await), [&all[0], &all[2], &all[1]].map(Clone::clone));
    assert_eq!(server.delete(&format!("/playlists/{id}/items/{}", entries[0])).status().await, 200);
    assert_eq!(keys(&items(&server, &id).await), [&all[2], &all[1]].map(Clone::clone));
    assert_eq!(server.delete(&format!("/playlists/{id}/items/{}", entries[0])).status().await, 404);
    server.delete(&format!("/playlists/{id}/items")).send().await;
    assert_eq!(items(&server, &id).await["size"], 0);
    server.done().await;
}

#[tokio::test]
async fn several_are_added_at_once_unless_the_server_takes_one_alone() {
    for takes_one in [false, true] {
        let server = PlexFixture::with(|options| options.switches.playlist_takes_one = takes_one).await;
        let all = tracks(&server, 60).await;
        let id = create_playlist(&server, "Many", &all[0]).await;
        let uri = encoded(&format!("server://x/com.plexapp.plugins.library/library/metadata/{}", all[1..].join(",")));
        let told = server.put(&format!("/playlists/{id}/items?uri={uri}")).json().await;
        let added = if takes_one { 1 } else { 59 };
        assert_eq!(told["leafCountAdded"], added);
        assert_eq!(keys(&items(&server, &id).await), all[..=added]);
        server.done().await;
    }
}

#[tokio::test]
async fn adding_an_album_adds_its_tracks() {
    let server = PlexFixture::quick().await;
    let album = server.json("/library/sections/3/all?type=9&sort=id").await;
    let id = create_playlist(&server, "Albums", rows(&album)[0]["ratingKey"].as_str().unwrap()).await;
    assert_eq!(items(&server, &id).await["size"], 6);
    server.done().await;
}

#[tokio::test]
async fn titles_and_texts_are_edited_in_both_forms() {
    let server = PlexFixture::quick().await;
    let id = create_playlist(&server, "Before", "1").await;
    server.put(&format!("/playlists/{id}?title=After&summary=Why")).send().await;
    let row = server.json(&format!("/playlists/{id}")).await["Metadata"][0].clone();
    assert_eq!((row["title"].as_str(), row["summary"].as_str()), (Some("After"), Some("Why")));
    let before = row["updatedAt"].as_u64().unwrap();
    server.put(&format!("/playlists/{id}?title.value=Later")).send().await;
    let row = server.json(&format!("/library/metadata/{id}")).await["Metadata"][0].clone();
    assert_eq!(row["title"], "Later");
    assert!(row["updatedAt"].as_u64().unwrap() > before);
    assert_eq!(server.delete(&format!("/playlists/{id}")).status().await, 200);
    assert_eq!(server.get(&format!("/playlists/{id}")).status().await, 404);
    server.done().await;
}

#[tokio::test]
async fn lists_of_playlists_are_filtered_and_ordered() {
    let server = PlexFixture::quick().await;
    let audio = server.json("/playlists?playlistType=audio").await;
    assert_eq!(rows(&audio).len(), 2);
    let named = server.json("/playlists?title=sunday").await;
    assert_eq!(rows(&named).len(), 1);
    let of = server.json("/playlists?sectionID=1").await;
    assert!(rows(&of).iter().all(|row| row["playlistType"] == "video"));
    let up = keys(&server.json("/playlists?sort=titleSort:asc").await);
    let mut down = keys(&server.json("/playlists?sort=titleSort:desc").await);
    down.reverse();
    assert_eq!(up, down);
    server.done().await;
}

#[tokio::test]
async fn a_smart_playlist_follows_the_library() {
    let server = PlexFixture::quick().await;
    let query = encoded("server://abc/com.plexapp.plugins.library/library/sections/1/all?type=1&title=zz");
    let told = server.post(&format!("/playlists?type=video&title=Smart&smart=1&uri={query}")).json().await;
    let id = rows(&told)[0]["ratingKey"].as_str().unwrap().to_owned();
    assert_eq!(items(&server, &id).await["size"], 0);
    let film = server.running.add_film("The zz Top of the Hill", 2_020);
    let now = items(&server, &id).await;
    assert_eq!(keys(&now), [film.to_string()]);
    assert!(rows(&now)[0].get("playlistItemID").is_none());
    server.done().await;
}

#[tokio::test]
async fn a_deleted_item_leaves_every_playlist() {
    let server = PlexFixture::quick().await;
    let id = create_playlist(&server, "Films", "1,2").await;
    server.delete("/library/metadata/1").send().await;
    assert_eq!(keys(&items(&server, &id).await), ["2"]);
    server.done().await;
}

#[tokio::test]
async fn a_collection_is_made_filled_and_deleted() {
    let server = PlexFixture::quick().await;
    let uri = encoded("server://abc/com.plexapp.plugins.library/library/metadata/1,2");
    let told =
        server.post(&format!("/library/collections?type=1&title=Shelf&smart=0&sectionId=1&uri={uri}")).json().await;
    let id = rows(&told)[0]["ratingKey"].as_str().unwrap().to_owned();
    assert_eq!(rows(&told)[0]["type"], "collection");
    let of = |list: Value| keys(&list);
    assert_eq!(of(server.json(&format!("/library/collections/{id}/children")).await), ["1", "2"]);
    assert!(of(server.json("/library/sections/1/collections").await).contains(&id));
    assert_eq!(of(server.json(&format!("/library/sections/1/all?collection={id}")).await).len(), 2);
    let more = encoded("server://abc/com.plexapp.plugins.library/library/metadata/3");
    server.put(&format!("/library/collections/{id}/items?uri={more}")).send().await;
    server.delete(&format!("/library/collections/{id}/items/1")).send().await;
    server.put(&format!("/library/collections/{id}/items/3/move")).send().await;
    assert_eq!(of(server.json(&format!("/library/collections/{id}/children")).await), ["3", "2"]);
    server.delete(&format!("/library/collections/{id}")).send().await;
    assert_eq!(server.get(&format!("/library/collections/{id}")).status().await, 404);
    assert_eq!(server.get("/library/metadata/2").status().await, 200, "what was in it stays");
    server.done().await;
}
