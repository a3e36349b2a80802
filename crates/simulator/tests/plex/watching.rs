//! Playing, rating, continuing: by every method clients use, and seen in every read that tells of it.

use http::Method;
use serde_json::Value;

use crate::harness::{PlexFixture, keys, rows};

async fn item(server: &PlexFixture, id: u32) -> Value {
    rows(&server.json(&format!("/library/metadata/{id}")).await)[0].clone()
}

/// The first film the owner has never touched.
async fn untouched(server: &PlexFixture) -> u32 {
    let all = server.json("/library/sections/1/all?unwatched=1").await;
    let fresh = rows(&all).iter().find(|row| row.get("viewOffset").is_none() && row.get("lastViewedAt").is_none());
    fresh.unwrap()["ratingKey"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn scrobbling_works_by_every_method() {
    let server = PlexFixture::quick().await;
    let id = untouched(&server).await;
    for (count, method) in [(1, Method::GET), (2, Method::PUT), (3, Method::POST)] {
        let target = format!("/:/scrobble?identifier=com.plexapp.plugins.library&key={id}");
        assert_eq!(server.ask(method, &target).status().await, 200);
        assert_eq!(item(&server, id).await["viewCount"], count);
    }
    assert_eq!(server.get(&format!("/:/unscrobble?key={id}")).status().await, 200);
    let row = item(&server, id).await;
    assert!(row.get("viewCount").is_none() && row.get("lastViewedAt").is_none());
    server.done().await;
}

#[tokio::test]
async fn what_one_user_plays_others_have_not_played() {
    let server = PlexFixture::quick().await;
    let id = untouched(&server).await;
    let before = server.get(&format!("/library/metadata/{id}")).by("sam").json().await["Metadata"].take();
    server.get(&format!("/:/scrobble?key={id}")).send().await;
    let after = server.get(&format!("/library/metadata/{id}")).by("sam").json().await["Metadata"].take();
    assert_eq!(before, after);
    server.done().await;
}

#[tokio::test]
async fn a_play_shows_in_the_history_and_leaves_the_unwatched() {
    let server = PlexFixture::quick().await;
    let id = untouched(&server).await;
    server.get(&format!("/:/scrobble?key={id}")).send().await;
    let newest = server.json("/status/sessions/history/all?sort=viewedAt:desc").await;
    assert_eq!(rows(&newest)[0]["ratingKey"], id.to_string());
    assert_eq!(rows(&newest)[0]["accountID"], 1);
    let unwatched = server.json("/library/sections/1/all?unwatched=1").await;
    assert!(!keys(&unwatched).contains(&id.to_string()));
    let play = rows(&newest)[0]["historyKey"].as_str().unwrap();
    assert_eq!(server.delete(play).status().await, 200);
    let now = server.json("/status/sessions/history/all?sort=viewedAt:desc").await;
    assert_ne!(rows(&now)[0]["historyKey"], play);
    server.done().await;
}

#[tokio::test]
async fn playing_a_show_plays_all_of_it_and_counts_upwards() {
    let server = PlexFixture::quick().await;
    server.get("/:/scrobble?key=31").send().await;
    let show = item(&server, 31).await;
    assert_eq!((show["leafCount"].as_u64(), show["viewedLeafCount"].as_u64()), (Some(6), Some(6)));
    let seasons = server.json("/library/metadata/31/children").await;
    assert!(rows(&seasons).iter().all(|season| season["viewedLeafCount"] == 3));
    let episode = server.json("/library/metadata/31/allLeaves").await["Metadata"][0]["ratingKey"].clone();
    server.get(&format!("/:/unscrobble?key={}", episode.as_str().unwrap())).send().await;
    assert_eq!(item(&server, 31).await["viewedLeafCount"], 5);
    server.done().await;
}

#[tokio::test]
async fn ratings_are_given_and_taken_away() {
    let server = PlexFixture::quick().await;
    server.put("/:/rate?key=1&identifier=x&rating=7.5").send().await;
    assert_eq!(item(&server, 1).await["userRating"], 7.5);
    assert!(server.get("/library/metadata/1").by("sam").json().await["Metadata"][0].get("userRating").is_none());
    server.put("/:/rate?key=1&identifier=x&rating=-1").send().await;
    assert!(item(&server, 1).await.get("userRating").is_none());
    assert_eq!(server.put("/:/rate?key=1&rating=11").status().await, 400);
    server.done().await;
}

#[tokio::test]
async fn what_is_left_in_the_middle_is_continued_until_it_is_hidden() {
    let server = PlexFixture::quick().await;
    let id = untouched(&server).await;
    server.get(&format!("/:/progress?key={id}&time=600000&state=stopped")).send().await;
    assert_eq!(item(&server, id).await["viewOffset"], 600_000);
    for path in ["/library/onDeck", "/hubs/continueWatching/items", "/library/sections/1/onDeck"] {
        assert_eq!(keys(&server.json(path).await)[0], id.to_string(), "{path}");
    }
    server.put(&format!("/actions/removeFromContinueWatching?ratingKey={id}")).send().await;
    assert!(!keys(&server.json("/library/onDeck").await).contains(&id.to_string()));
    server.done().await;
}

#[tokio::test]
async fn a_player_is_a_session_until_it_stops() {
    let server = PlexFixture::quick().await;
    let id = untouched(&server).await;
    let report = |state: &str, at: u64| {
        server
            .post(&format!("/:/timeline?ratingKey={id}&key=/library/metadata/{id}&state={state}&time={at}&duration=1"))
            .by("sam")
            .header("x-plex-client-identifier", "tv-1")
            .header("x-plex-product", "Telly")
    };
    let told = report("playing", 75_000).header("accept", "application/json").send().await;
    let told = told.json();
    assert_eq!((told["playbackState"].as_str(), told["viewOffset"].as_u64()), (Some("playing"), Some(75_000)));
    let playing = server.json("/status/sessions").await;
    let session = &rows(&playing)[0];
    assert_eq!(session["User"]["title"], "sam");
    assert_eq!(session["Player"]["state"], "playing");
    assert_eq!(session["Player"]["machineIdentifier"], "tv-1");
    assert_eq!(session["viewOffset"], 75_000);
    report("paused", 80_000).send().await;
    let paused = server.json("/status/sessions").await;
    assert_eq!(rows(&paused)[0]["Player"]["state"], "paused");
    assert_eq!(rows(&paused)[0]["sessionKey"], session["sessionKey"], "it is still the same session");
    report("stopped", 90_000).send().await;
    assert_eq!(server.json("/status/sessions").await["size"], 0);
    let left = server.get(&format!("/library/metadata/{id}")).by("sam").json().await;
    assert_eq!(left["Metadata"][0]["viewOffset"], 90_000);
    server.done().await;
}

#[tokio::test]
async fn stopping_near_the_end_is_a_play() {
    let server = PlexFixture::quick().await;
    let id = untouched(&server).await;
    let duration = item(&server, id).await["duration"].as_u64().unwrap();
    server.get(&format!("/:/timeline?ratingKey={id}&state=playing&time=0")).send().await;
    server.get(&format!("/:/timeline?ratingKey={id}&state=stopped&time={}", duration * 95 / 100)).send().await;
    let row = item(&server, id).await;
    assert_eq!(row["viewCount"], 1);
    assert!(row.get("viewOffset").is_none());
    server.done().await;
}

#[tokio::test]
async fn the_owner_can_end_a_session() {
    let server = PlexFixture::quick().await;
    server.get("/:/timeline?ratingKey=1&state=playing&time=5").by("sam").send().await;
    let id = server.json("/status/sessions").await["Metadata"][0]["Session"]["id"].clone();
    let target = format!("/status/sessions/terminate?sessionId={}&reason=enough", id.as_str().unwrap());
    assert_eq!(server.get(&target).by("sam").status().await, 403);
    assert_eq!(server.get(&target).status().await, 200);
    assert_eq!(server.json("/status/sessions").await["size"], 0);
    assert_eq!(server.get(&target).status().await, 404);
    server.done().await;
}
