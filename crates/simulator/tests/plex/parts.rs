//! Media files and ranges of them.

use http::Method;

use crate::harness::{PlexFixture, rows};

/// The path of the file of the first film, and its length.
async fn part(server: &PlexFixture) -> (String, u64) {
    let row = rows(&server.json("/library/metadata/1").await)[0].clone();
    let part = row["Media"][0]["Part"][0].clone();
    (part["key"].as_str().unwrap().to_owned(), part["size"].as_u64().unwrap())
}

#[tokio::test]
async fn ranges_are_parts_of_one_file() {
    let server = PlexFixture::quick().await;
    let (path, length) = part(&server).await;
    assert!(length > 1 << 30, "a large file");
    let range = |text: &str| server.get(&path).header("range", text);
    let first = range("bytes=0-199999").send().await;
    assert_eq!((first.status, first.body.len()), (206, 200_000));
    assert_eq!(first.header("content-range"), format!("bytes 0-199999/{length}"));
    let inner = range("bytes=100000-100099").send().await;
    assert_eq!(inner.body, first.body[100_000..100_100]);
    let last = range("bytes=-10").send().await;
    assert_eq!(last.header("content-range"), format!("bytes {}-{}/{length}", length - 10, length - 1));
    assert_eq!(last.body, range(&format!("bytes={}-", length - 10)).send().await.body);
    let outside = range(&format!("bytes={length}-")).send().await;
    assert_eq!((outside.status, outside.header("content-range")), (416, &*format!("bytes */{length}")));
    server.done().await;
}

#[tokio::test]
async fn the_whole_length_is_told_before_a_byte_is_made() {
    let server = PlexFixture::quick().await;
    let (path, length) = part(&server).await;
    let told = server.ask(Method::HEAD, &path).send().await;
    assert_eq!((told.status, told.header("content-length")), (200, &*length.to_string()));
    assert_eq!(told.header("accept-ranges"), "bytes");
    assert_eq!(server.get(&path).token(None).header("range", "bytes=0-1").status().await, 401);
    server.done().await;
}
