//! Media files, whole and in part.

use greenroom_simulator::catalogue::MediaKind;
use greenroom_simulator::jellyfin::item_id;

use crate::server::JellyfinFixture;

#[tokio::test]
async fn a_part_of_a_file_is_the_same_however_it_is_asked_for() {
    let server = JellyfinFixture::start().await;
    let track = server.items(MediaKind::Track)[0];
    let length = server.state().view().record(track).and_then(|record| record.file).expect("a file").bytes;
    let target = format!("/Audio/{}/stream", item_id(track));
    let first = server.get(&target).header("range", "bytes=0-1023").expect(206).await;
    assert_eq!(first.header("content-range"), format!("bytes 0-1023/{length}"));
    assert_eq!((first.body.len(), first.header("accept-ranges")), (1_024, "bytes"));
    let second = server.get(&format!("{target}.mp3?static=true")).header("range", "bytes=512-1535").expect(206).await;
    assert_eq!(first.body[512..], second.body[..512]);
    let last = server.get(&target).header("range", "bytes=-10").expect(206).await;
    assert_eq!(last.header("content-range"), format!("bytes {}-{}/{length}", length - 10, length - 1));
    let beyond = server.get(&target).header("range", &format!("bytes={length}-")).expect(416).await;
    assert_eq!(beyond.header("content-range"), format!("bytes */{length}"));
    server.leave().await;
}

#[tokio::test]
async fn a_download_needs_a_token() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let target = format!("/Items/{film}/Download");
    server.get(&target).expect(401).await;
    server.get(&target).by("sam").header("range", "bytes=0-3").expect(206).await;
    server.leave().await;
}

#[tokio::test]
async fn folders_have_no_file() {
    let server = JellyfinFixture::start().await;
    let album = server.first(MediaKind::Album);
    server.get(&format!("/Audio/{album}/stream")).expect(404).await;
    server.leave().await;
}
