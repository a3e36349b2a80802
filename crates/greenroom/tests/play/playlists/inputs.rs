//! Playlist inputs: every format, and every kind of damage.

use greenroom_dialect::request::ServerKind;
use http::Method;
use serde_json::json;

use super::fixture::PlaylistFixture;

const SYNC: &str = "/api/v1/playlists/sync";

#[tokio::test]
async fn a_playlist_may_be_the_body_itself() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let track = &house.tracks[0];
    let control = house.stage.control();
    let bodies = [
        ("text/csv", format!("title,artist\n\"{}\",\"{}\"\n", track.title, track.artist)),
        ("audio/x-mpegurl", format!("#EXTM3U\n#EXTINF:-1,{} - {}\n/m/x.mp3\n", track.artist, track.title)),
        (
            "application/json",
            json!({"playlist": {"track": [{"title": track.title, "creator": track.artist}]}}).to_string(),
        ),
    ];
    for (at, (media_type, body)) in bodies.iter().enumerate() {
        let target = format!("{SYNC}?name=List%20{at}&accounts=ann-is-none");
        let refused = control.with("content-type", media_type).send(Method::POST, &target, body).await;
        assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (404, Some("unknown-account")));
        let target = format!("{SYNC}?name=List%20{at}&accounts=ben");
        let done = control.with("content-type", media_type).send(Method::POST, &target, body).await;
        assert_eq!(done.json()["report"]["counts"]["found"], 1, "{media_type}: {}", done.text());
        assert_eq!(house.playlist_keys("ben", &format!("List {at}")), Some(house.keys([0])));
    }
    house.close().await;
}

#[tokio::test]
async fn a_file_path_outweighs_its_metadata() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let key = &house.tracks[4].key;
    let listed = house.client("ann").get(&format!("/library/metadata/{key}")).await.json();
    let file = listed["MediaContainer"]["Metadata"][0]["Media"][0]["Part"][0]["file"].as_str().expect("a file");
    let list = format!("#EXTM3U\n#EXTINF:3,Nobody - Whatever\n{file}\n");
    let report = house.sync(json!(list), json!({})).await;
    assert_eq!(
        (report["rows"][0]["outcome"].as_str(), report["rows"][0]["source"].as_str()),
        (Some("found"), Some("file")),
        "{report}"
    );
    assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys([4])));
    house.close().await;
}

#[tokio::test]
async fn broken_playlists_are_refused_in_a_sentence_and_write_nothing() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let cases = [
        (json!("colour,taste\nred,sweet\n"), 422, "the columns are colour, taste"),
        (json!(""), 422, "the playlist is empty"),
        (json!("a\u{0}b"), 422, "not a text file"),
        (json!([]), 422, "no rows"),
        (json!({"songlist": []}), 422, "no list of tracks"),
        (json!({"server": "home"}), 400, "needs \"server\" and \"playlist\""),
        (json!({"server": "cellar", "playlist": "x"}), 404, "no such server"),
        (json!(null), 400, "needs a source"),
    ];
    for (source, status, sentence) in cases {
        let answer = house.ask(source.clone(), json!({"mode": "replace"})).await;
        assert_eq!(answer.status, status, "{source}: {}", answer.text());
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(sentence), "{source}: {detail}");
    }
    for (more, status) in [
        (json!({"mode": "swap"}), 400),
        (json!({"policy": "lax"}), 400),
        (json!({"colour": 1}), 400),
        (json!({"server": "cellar"}), 404),
        (json!({"library": "99"}), 404),
    ] {
        assert_eq!(house.ask(house.rows(0..1), more.clone()).await.status, status, "{more}");
    }
    let latin = [b"title,artist\n\xcf\xf0\xe8\xe2\xe5\xf2,\xcc\xe8\xf0\n".as_slice()].concat();
    let token = house.stage.process.token.secret.expose().to_owned();
    let mut raw = crate::fixture::RawClient::connect(house.stage.process.control).await;
    let head = format!(
        "POST {SYNC}?name=x HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-type: text/csv\r\n\
         content-length: {}\r\n\r\n",
        latin.len()
    );
    let answer = raw.ask([head.as_bytes(), &latin].concat()).await.expect("an answer");
    assert_eq!(answer.status(), 422, "{}", answer.text());
    assert!(answer.text().contains("UTF-8"), "{}", answer.text());
    assert_eq!(house.writes(), 0);
    house.close().await;
}

#[tokio::test]
async fn a_gigabyte_is_refused_without_being_read() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let token = house.stage.process.token.secret.expose().to_owned();
    let mut raw = crate::fixture::RawClient::connect(house.stage.process.control).await;
    let head = format!(
        "POST {SYNC}?name=x HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-type: text/csv\r\n\
         content-length: 1073741824\r\n\r\ntitle,artist\n"
    );
    let answer = raw.ask(head).await.expect("an answer before the body has come");
    assert!(answer.head.starts_with("HTTP/1.1 413"), "{}", answer.head);
    assert_eq!(house.writes(), 0);
    house.close().await;
}

#[tokio::test]
async fn without_the_token_nothing_is_written() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let stranger = house.stage.control().without("authorization");
    let wish = json!({"source": house.rows(0..1), "server": "home", "name": "x"}).to_string();
    assert_eq!(stranger.send(Method::POST, SYNC, &wish).await.status, 401);
    assert_eq!(house.writes(), 0);
    house.close().await;
}
