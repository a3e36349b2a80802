//! Faults look the way they do with the real server.

use greenroom_simulator::catalogue::MediaKind;
use greenroom_simulator::faults::Fault;
use serde_json::json;

use crate::server::JellyfinFixture;

#[tokio::test]
async fn while_it_starts_only_the_ping_is_answered() {
    let server = JellyfinFixture::start().await;
    server.running().faults().set(Fault::StartPage503);
    for target in ["/System/Info/Public", "/Items", "/web/index.html"] {
        let got = server.get(target).by("sam").expect(503).await;
        assert!(got.header("content-type").starts_with("text/html"));
    }
    server.get("/System/Ping").expect(200).await;
    server.running().faults().clear();
    server.get("/Items").by("sam").expect(200).await;
    server.leave().await;
}

#[tokio::test]
async fn a_server_that_has_not_loaded_its_library_shows_an_empty_one() {
    let server = JellyfinFixture::start().await;
    server.running().faults().set(Fault::EmptyWhileStarting);
    for target in ["/UserViews", "/Items?recursive=true", "/UserItems/Resume", "/Artists", "/Genres", "/Shows/NextUp"] {
        let listed = server.get(target).by("owner-a").value().await;
        assert_eq!((&listed["TotalRecordCount"], &listed["Items"]), (&json!(0), &json!([])), "{target}");
    }
    assert_eq!(server.get("/Items/Counts").by("sam").value().await["ItemCount"], 0);
    assert_eq!(server.get("/Items/Latest").by("sam").value().await, json!([]));
    server.leave().await;
}

#[tokio::test]
async fn a_cut_answer_is_noticed_and_a_foreign_page_is_html() {
    let server = JellyfinFixture::start().await;
    server.running().faults().set_times(Fault::Truncated, 1);
    assert!(server.get("/UserViews").by("sam").try_send().await.is_err());
    server.running().faults().set_times(Fault::HtmlInsteadOfJson, 1);
    assert!(server.get("/UserViews").by("sam").expect(200).await.header("content-type").starts_with("text/html"));
    server.get("/UserViews").by("sam").expect(200).await;
    server.leave().await;
}

#[tokio::test]
async fn a_lost_answer_was_a_write_all_the_same() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    server.running().faults().set_times(Fault::AnswerLost, 1);
    assert!(server.post(&format!("/UserFavoriteItems/{film}")).by("sam").try_send().await.is_err());
    let data = server.get(&format!("/UserItems/{film}/UserData")).by("sam").value().await;
    assert_eq!((&data["IsFavorite"], &data["GreenroomUserSeq"]), (&json!(true), &json!(1)));
    server.leave().await;
}
