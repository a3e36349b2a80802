//! Pictures.

use crate::harness::{PlexFixture, rows};

#[tokio::test]
async fn an_item_has_its_own_picture_which_changes_with_it() {
    let server = PlexFixture::quick().await;
    let row = rows(&server.json("/library/metadata/1").await)[0].clone();
    let told = server.get(row["thumb"].as_str().unwrap()).send().await;
    assert_eq!((told.status, told.header("content-type")), (200, "image/png"));
    assert!(told.body.starts_with(b"\x89PNG\r\n"));
    assert_ne!(told.body, server.get("/library/metadata/2/thumb/1").send().await.body);
    assert_ne!(told.body, server.get(row["art"].as_str().unwrap()).send().await.body);
    assert_eq!(told.body, server.get(row["thumb"].as_str().unwrap()).by("sam").send().await.body);
    server.put("/library/metadata/1?title.value=x").send().await;
    let row = rows(&server.json("/library/metadata/1").await)[0].clone();
    assert_eq!(told.body, server.get(row["thumb"].as_str().unwrap()).send().await.body, "an edit of text is none");
    server.post("/library/metadata/1/posters?url=x").send().await;
    let row = rows(&server.json("/library/metadata/1").await)[0].clone();
    assert_ne!(told.body, server.get(row["thumb"].as_str().unwrap()).send().await.body);
    server.done().await;
}

#[tokio::test]
async fn a_scaled_picture_is_found_through_relative_and_loopback_addresses() {
    let server = PlexFixture::quick().await;
    let scaled = |url: &str| {
        let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
        format!("/photo/:/transcode?width=200&height=300&minSize=1&url={url}")
    };
    let plain = server.get(&scaled("/library/metadata/1/thumb/5")).send().await;
    assert_eq!(plain.status, 200);
    for url in ["http://127.0.0.1:32400/library/metadata/1/thumb/5", "/library/metadata/1/thumb/5?X-Plex-Token=plx-sam"]
    {
        assert_eq!(server.get(&scaled(url)).send().await.body, plain.body, "{url}");
    }
    let inner = scaled("http://localhost:32400/library/metadata/1/thumb/5?X-Plex-Token=plx-owner-a");
    assert_eq!(server.get(&inner).token(None).status().await, 200, "the token may be inside");
    assert_eq!(server.get(&scaled("/library/metadata/1/thumb/5")).token(None).status().await, 401);
    let larger = scaled("/library/metadata/1/thumb/5").replace("width=200", "width=800");
    assert_ne!(server.get(&larger).send().await.body, plain.body);
    for bad in ["http://10.1.2.3/x.png", "nonsense", "/library/metadata/x/thumb/1"] {
        assert_eq!(server.get(&scaled(bad)).status().await, 500, "{bad}");
    }
    assert_eq!(server.get(&scaled("/x").replace("width=200", "width=90000")).status().await, 500);
    server.done().await;
}
