//! Pages: by header, by query, and what is said about them.

use crate::harness::{PlexFixture, keys, rows};

const LISTS: [&str; 10] = [
    "/library/sections/1/all?type=1",
    "/library/sections/2/all?type=4&sort=addedAt:desc",
    "/library/sections/3/all?type=10&sort=titleSort",
    "/library/sections/3/all?type=10&title=the",
    "/library/sections/1/recentlyAdded?",
    "/library/all?type=4",
    "/library/onDeck?",
    "/status/sessions/history/all?sort=viewedAt:desc",
    "/library/sections/1/genre?",
    "/playlists?",
];

#[tokio::test]
async fn a_page_asked_by_header_is_the_page_asked_by_query() {
    let server = PlexFixture::quick().await;
    for list in LISTS {
        for (start, size) in [(0, 0), (0, 5), (3, 4), (25, 100), (1_000, 5)] {
            let by_query =
                server.json(&format!("{list}&X-Plex-Container-Start={start}&X-Plex-Container-Size={size}")).await;
            let by_header = server
                .get(list)
                .header("x-plex-container-start", &start.to_string())
                .header("x-plex-container-size", &size.to_string())
                .json()
                .await;
            assert_eq!(by_query, by_header, "{list} {start} {size}");
        }
    }
    server.done().await;
}

#[tokio::test]
async fn pages_put_together_are_the_whole() {
    let server = PlexFixture::quick().await;
    let list = "/library/sections/3/all?type=10";
    let whole = keys(&server.json(list).await);
    assert_eq!(whole.len(), 60);
    let mut together = Vec::new();
    for start in (0..60).step_by(7) {
        let page = server.json(&format!("{list}&X-Plex-Container-Start={start}&X-Plex-Container-Size=7")).await;
        assert_eq!(page["totalSize"], 60);
        assert_eq!(page["offset"], start);
        assert_eq!(page["size"], rows(&page).len());
        together.extend(keys(&page));
    }
    assert_eq!(together, whole);
    server.done().await;
}

#[tokio::test]
async fn size_zero_only_counts_and_says_so_in_the_headers() {
    let server = PlexFixture::quick().await;
    let told = server
        .get("/library/sections/1/all")
        .header("x-plex-container-size", "0")
        .header("accept", "application/json")
        .send()
        .await;
    assert_eq!(told.header("x-plex-container-start"), "0");
    assert_eq!(told.header("x-plex-container-total-size"), "30");
    let container = told.json();
    assert_eq!((container["size"].as_u64(), container["totalSize"].as_u64()), (Some(0), Some(30)));
    assert!(container.get("Metadata").is_none(), "an empty list is left out");
    server.done().await;
}

#[tokio::test]
async fn a_whole_list_says_nothing_of_pages() {
    let server = PlexFixture::quick().await;
    let told = server.get("/library/sections/1/all").header("accept", "application/json").send().await;
    assert!(!told.headers.contains_key("x-plex-container-start"));
    assert!(told.json().get("totalSize").is_none());
    server.done().await;
}

#[tokio::test]
async fn a_limit_hides_how_many_there_are() {
    let server = PlexFixture::quick().await;
    let page = server.json("/library/sections/1/all?limit=4&X-Plex-Container-Start=0&X-Plex-Container-Size=50").await;
    assert_eq!((page["size"].as_u64(), page["totalSize"].as_u64()), (Some(4), Some(4)));
    server.done().await;
}

#[tokio::test]
async fn head_tells_the_total_without_a_body() {
    let server = PlexFixture::quick().await;
    let told = server
        .ask(http::Method::HEAD, "/library/sections/2/all?type=4")
        .header("x-plex-container-size", "0")
        .send()
        .await;
    assert_eq!((told.status, told.body.len()), (200, 0));
    assert_eq!(told.header("x-plex-container-total-size"), "24");
    server.done().await;
}
