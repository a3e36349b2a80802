//! Images: tags, forms, conditions, replacement.

use greenroom_simulator::catalogue::MediaKind;

use crate::server::JellyfinFixture;

async fn tag(server: &JellyfinFixture, item: &str) -> String {
    let read = server.get(&format!("/Items/{item}")).by("sam").value().await;
    read["ImageTags"]["Primary"].as_str().expect("a tag").to_owned()
}

#[tokio::test]
async fn with_its_tag_an_image_is_kept_for_ever() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let tag = tag(&server, &film).await;
    let tagged = server.get(&format!("/Items/{film}/Images/Primary?tag={tag}&maxWidth=100")).send().await;
    assert_eq!(tagged.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(tagged.header("etag"), format!("\"{tag}\""));
    assert_eq!((tagged.header("vary"), tagged.header("content-type")), ("Accept", "image/jpeg"));
    assert!(!tagged.header("last-modified").is_empty());
    let plain = server.get(&format!("/Items/{film}/Images/Primary")).send().await;
    assert_eq!(plain.header("cache-control"), "public");
    let fresh = server.get(&format!("/Items/{film}/Images/Primary")).header("cache-control", "no-cache").send().await;
    assert_eq!(fresh.header("cache-control"), "no-store");
    server.leave().await;
}

#[tokio::test]
async fn an_image_that_is_known_is_not_sent_again() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let first = server.get(&format!("/Items/{film}/Images/Primary/0")).send().await;
    let again = |name: &str, value: &str| server.get(&format!("/Items/{film}/Images/Primary/0")).header(name, value);
    let same = again("if-none-match", first.header("etag")).expect(304).await;
    assert!(same.body.is_empty());
    again("if-modified-since", first.header("last-modified")).expect(304).await;
    again("if-none-match", "\"other\"").expect(200).await;
    again("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT").expect(200).await;
    server.leave().await;
}

#[tokio::test]
async fn the_form_follows_what_is_accepted_or_asked_for() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let target = format!("/Items/{film}/Images/Primary");
    let jpeg = server.get(&target).send().await;
    let webp = server.get(&target).header("accept", "image/avif,image/webp,*/*").send().await;
    let png = server.get(&format!("{target}?format=Png")).send().await;
    assert_eq!([&jpeg, &webp, &png].map(|got| got.header("content-type")), ["image/jpeg", "image/webp", "image/png"]);
    assert_ne!(jpeg.body, webp.body);
    let small = server.get(&format!("{target}?fillWidth=40")).send().await;
    assert!(small.body.len() < jpeg.body.len());
    server.leave().await;
}

#[tokio::test]
async fn a_replaced_image_has_another_tag_and_another_body() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let before = tag(&server, &film).await;
    let upload = |label: &str| {
        server
            .post(&format!("/Items/{film}/Images/Primary"))
            .by(label)
            .header("content-type", "image/png")
            .body(b"AQIDBA==")
    };
    upload("sam").expect(403).await;
    upload("owner-a").expect(204).await;
    assert_ne!(tag(&server, &film).await, before);
    let got = server.get(&format!("/Items/{film}/Images/Primary")).send().await;
    assert_eq!((&got.body[..], got.header("content-type")), (&[1, 2, 3, 4][..], "image/png"));
    server.delete(&format!("/Items/{film}/Images/Primary")).by("owner-a").expect(204).await;
    server.get(&format!("/Items/{film}/Images/Primary")).expect(404).await;
    server.leave().await;
}

#[tokio::test]
async fn a_full_refresh_renews_every_tag() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let before = tag(&server, &film).await;
    server.post(&format!("/Items/{film}/Refresh")).by("owner-a").expect(204).await;
    assert_eq!(tag(&server, &film).await, before);
    server.post(&format!("/Items/{film}/Refresh?replaceAllImages=true")).by("owner-a").expect(204).await;
    assert_ne!(tag(&server, &film).await, before);
    server.leave().await;
}

#[tokio::test]
async fn an_image_by_name_is_that_of_the_named_thing() {
    let server = JellyfinFixture::start().await;
    let genres = server.get("/Genres?limit=1").by("sam").value().await;
    let (name, id) = (genres["Items"][0]["Name"].as_str().unwrap(), genres["Items"][0]["Id"].as_str().unwrap());
    let by_name = format!("/Genres/{}/Images/Primary", name.replace(' ', "%20"));
    let before = server.get(&by_name).expect(200).await;
    assert_eq!(server.get(&format!("/Items/{id}/Images/Primary")).expect(200).await.body, before.body);
    let upload = server.post(&format!("/Items/{id}/Images/Primary")).by("owner-a").header("content-type", "image/png");
    upload.body(b"AQIDBA==").expect(204).await;
    assert_eq!(&server.get(&by_name).expect(200).await.body[..], &[1, 2, 3, 4]);
    server.post(&by_name).by("owner-a").expect(405).await;
    server.leave().await;
}

#[tokio::test]
async fn what_has_no_image_is_not_found() {
    let server = JellyfinFixture::start().await;
    let track = server.first(MediaKind::Track);
    server.get(&format!("/Items/{track}/Images/Backdrop")).expect(404).await;
    server.get("/Items/0123456789abcdef0123456789abcdef/Images/Primary").expect(404).await;
    server.get(&format!("/Items/{track}/Images/Nonsense")).expect(400).await;
    server.leave().await;
}
