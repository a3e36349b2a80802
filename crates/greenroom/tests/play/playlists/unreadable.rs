//! Rows that could not be read: they count everywhere, and no track leaves because of them.

use greenroom_dialect::request::ServerKind;
use http::Method;
use serde_json::{Value, json};

use super::fixture::{BOTH, LibraryTrack, PlaylistFixture};

/// A table of these tracks with one unreadable row.
fn table(house: &PlaylistFixture, range: std::ops::Range<usize>) -> Value {
    let row = |track: &LibraryTrack| format!("\"{}\",\"{}\"\n", track.title, track.artist);
    let text = "title,artist\n".to_owned() + &house.tracks[range].iter().map(row).collect::<String>();
    json!(text + "\"never closed,Somebody\n")
}

#[tokio::test]
async fn replacing_never_removes_a_track_while_a_row_is_unreadable_even_if_it_may_shrink() {
    for kind in BOTH {
        let house = PlaylistFixture::open(kind).await;
        house.sync(house.rows(0..10), json!({})).await;
        for shrink in [false, true] {
            let wish = json!({"mode": "replace", "shrink": shrink});
            let report = house.sync(table(&house, 0..9), wish).await;
            assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..10)), "{report}");
            let account = &report["accounts"][0];
            assert_eq!((&account["held_back"], &account["held_back_reason"]), (&json!(1), &json!("unreadable")));
            assert!(report["warnings"][0].as_str().is_some_and(|told| told.contains("1 rows could not be read")));
        }
        house.sync(house.rows(0..9), json!({"mode": "replace"})).await;
        assert_eq!(house.playlist_keys("ann", "Weekly"), Some(house.keys(0..9)), "all rows are readable");
        house.close().await;
    }
}

#[tokio::test]
async fn an_unreadable_row_counts_in_the_rate() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let report = house.sync(table(&house, 0..3), json!({"dry_run": true})).await;
    assert_eq!((report["counts"]["rows"].as_u64(), report["counts"]["bad"].as_u64()), (Some(3), Some(1)));
    assert_eq!(report["match_rate"], 0.75);
    assert_eq!(report["bad"][0]["line"], 5);
    house.close().await;
}

#[tokio::test]
async fn the_report_says_which_encoding_was_taken_and_one_nul_costs_nothing() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let track = &house.tracks[0];
    let control = house.stage.control().with("content-type", "text/csv");
    let row = format!("\"{}\",\"{}\"\n", track.title, track.artist);
    let nul = format!("title,artist\n\0{row}");
    let answer = control.send(Method::POST, "/api/v1/playlists/sync?name=Nul", &nul).await;
    let report = answer.json()["report"].clone();
    assert_eq!((&report["counts"]["found"], &report["encoding"]), (&json!(1), &json!("utf-8")), "{report}");
    let token = house.stage.process.token.secret.expose().to_owned();
    let mut raw = crate::fixture::RawClient::connect(house.stage.process.control).await;
    let body = [b"Titel;K\xfcnstler\n".as_slice(), row.replace("\",\"", "\";\"").as_bytes()].concat();
    let head = format!(
        "POST /api/v1/playlists/sync?name=x HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\
         content-type: text/csv\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = raw.ask([head.as_bytes(), &body].concat()).await.expect("an answer");
    let report = serde_json::from_str::<Value>(&answer.text()).expect("JSON")["report"].clone();
    assert_eq!((&report["counts"]["found"], &report["encoding"]), (&json!(1), &json!("iso-8859-1")), "{report}");
    house.close().await;
}

#[tokio::test]
async fn an_error_names_the_wrong_key_and_no_value() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    for (more, told) in [
        (json!({"polcy": "secret"}), "the key polcy is unknown"),
        (json!({"live": "secret"}), "the value of live is not valid"),
        (json!({"mode": "secret"}), "the value of mode is not valid"),
    ] {
        let answer = house.ask(house.rows(0..1), more).await;
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == 400 && detail.contains(told), "{detail}");
    }
    let body = json!({"tracks": [{"title": "A", "artis": "secret"}]}).to_string();
    let answer = house.stage.control().send(Method::POST, "/api/v1/match/tracks", &body).await;
    let text = answer.text();
    assert!(answer.status == 400 && text.contains("tracks[0].artis") && !text.contains("secret"), "{text}");
    house.close().await;
}
