//! Libraries of any size.

use greenroom_simulator::catalogue::CatalogueSize;

use crate::harness::{PlexFixture, rows};

#[tokio::test]
async fn a_million_tracks_are_served_from_the_start() {
    let server = PlexFixture::with(|options| options.size = CatalogueSize::with_tracks(1_000_000)).await;
    let list = "/library/sections/3/all?type=10&sort=addedAt";
    let page = server.json(&format!("{list}&X-Plex-Container-Start=999999&X-Plex-Container-Size=10")).await;
    assert_eq!((page["totalSize"].as_u64(), rows(&page).len()), (Some(1_000_000), 1));
    let id = rows(&page)[0]["ratingKey"].as_str().unwrap();
    let one = server.json(&format!("/library/metadata/{id}")).await;
    assert_eq!(rows(&one)[0]["title"], rows(&page)[0]["title"]);
    server.done().await;
}

#[tokio::test]
async fn an_empty_library_is_a_library() {
    let server = PlexFixture::with(|options| {
        options.size = CatalogueSize { films: 0, shows: 0, tracks: 0, ..CatalogueSize::tiny() };
    })
    .await;
    assert_eq!(server.json("/library/sections").await["size"], 3);
    for path in ["/library/sections/1/all", "/library/onDeck", "/hubs", "/status/sessions/history/all", "/playlists"] {
        assert_eq!(server.json(path).await["size"], 0, "{path}");
    }
    let id = server.running.add_film("The First", 2_020);
    assert_eq!(server.json(&format!("/library/metadata/{id}")).await["Metadata"][0]["title"], "The First");
    server.done().await;
}
