//! Users that may send requests, and what each sees.

use crate::harness::{PlexFixture, keys, rows};

#[tokio::test]
async fn without_a_good_token_only_the_identity_is_told() {
    let server = PlexFixture::quick().await;
    for (token, status) in [(None, 401), (Some("wrong"), 401), (Some("plx-key"), 401), (Some("plx-expired"), 498)] {
        assert_eq!(server.get("/identity").token(token).status().await, 200);
        for path in ["/", "/library/sections", "/library/metadata/1/thumb/1", "/nowhere"] {
            assert_eq!(server.get(path).token(token).status().await, status, "{path}");
        }
    }
    let told = server.get("/").token(None).send().await;
    assert_eq!(told.header("content-type"), "text/html");
    assert!(told.text().contains("<h1>401 Unauthorized</h1>"));
    server.done().await;
}

#[tokio::test]
async fn a_token_counts_in_the_query_as_in_the_header() {
    let server = PlexFixture::quick().await;
    for name in ["X-Plex-Token", "x-plex-token"] {
        let told = server.get(&format!("/library/sections?{name}=plx-sam")).token(None).json().await;
        assert_eq!(told["greenroomUser"], "sam");
    }
    server.done().await;
}

#[tokio::test]
async fn a_revoked_token_is_refused_until_it_is_restored() {
    let server = PlexFixture::quick().await;
    server.running.revoke_token("sam");
    assert_eq!(server.get("/library/sections").by("sam").status().await, 401);
    assert_eq!(server.get("/library/sections").status().await, 200);
    server.running.restore_token("sam");
    assert_eq!(server.get("/library/sections").by("sam").status().await, 200);
    server.done().await;
}

#[tokio::test]
async fn both_tokens_of_an_account_are_told_the_same() {
    let server = PlexFixture::quick().await;
    assert_eq!(server.put("/:/scrobble?key=1&identifier=x").by("owner-b").status().await, 200);
    for path in ["/library/metadata/1", "/playlists", "/library/onDeck", "/status/sessions"] {
        let (one, two) = (server.get(path).by("owner-a").json().await, server.get(path).by("owner-b").json().await);
        assert_eq!(one, two, "{path}");
    }
    server.done().await;
}

#[tokio::test]
async fn a_body_says_for_whom_it_was_made_and_after_how_many_writes() {
    let server = PlexFixture::quick().await;
    let stamp = |body: &serde_json::Value| {
        (
            body["greenroomUser"].as_str().unwrap().to_owned(),
            body["greenroomSeq"].as_u64().unwrap(),
            body["greenroomUserSeq"].as_u64().unwrap(),
        )
    };
    server.get("/:/scrobble?key=1").send().await;
    server.get("/:/scrobble?key=2").by("sam").send().await;
    server.get("/:/scrobble?key=3").by("sam").send().await;
    assert_eq!(stamp(&server.json("/library/sections").await), ("olga".into(), 3, 1));
    assert_eq!(stamp(&server.get("/library/sections").by("sam").json().await), ("sam".into(), 3, 2));
    let xml = server.get("/library/sections").by("kim").xml().await;
    assert_eq!((xml.get("greenroomUser"), xml.get("greenroomUserSeq")), (Some("kim"), Some("0")));
    server.done().await;
}

#[tokio::test]
async fn who_may_not_see_a_section_sees_nothing_of_it_anywhere() {
    let server = PlexFixture::quick().await;
    let sections = server.get("/library/sections").by("kim").json().await;
    let shown: Vec<&str> =
        sections["Directory"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect();
    assert_eq!(shown, ["1", "3"]);
    // 31 is the first show.
    for path in [
        "/library/sections/2/all",
        "/library/metadata/31",
        "/library/metadata/31/children",
        "/library/metadata/31/thumb/1",
        "/hubs/sections/2",
        "/photo/:/transcode?width=10&height=10&url=/library/metadata/31/thumb/1",
    ] {
        assert_eq!(server.get(path).by("kim").status().await, 404, "{path}");
        assert_eq!(server.get(path).by("sam").status().await, 200, "{path}");
    }
    let mixed = [
        "/library/recentlyAdded",
        "/library/onDeck",
        "/library/all",
        "/hubs/continueWatching/items",
        "/status/sessions/history/all",
        "/hubs/home/recentlyAdded?type=2",
    ];
    for path in mixed {
        let told = server.get(path).by("kim").json().await;
        let hidden = ["show", "season", "episode"];
        assert!(rows(&told).iter().all(|row| !hidden.contains(&row["type"].as_str().unwrap())), "{path}");
    }
    let some = server.get("/library/metadata/1,31,2").by("kim").json().await;
    assert_eq!(keys(&some), ["1", "2"], "what is not seen is left out of several");
    assert_eq!(server.get("/:/scrobble?key=31").by("kim").status().await, 404);
    server.done().await;
}

#[tokio::test]
async fn only_the_owner_changes_the_server() {
    let server = PlexFixture::quick().await;
    for path in ["/butler", "/devices", "/:/prefs", "/hubs/sections/1/manage"] {
        assert_eq!(server.get(path).by("sam").status().await, 403, "{path}");
        assert_eq!(server.get(path).status().await, 200, "{path}");
    }
    for path in ["/library/metadata/1?title.value=x", "/library/sections/1/all?id=1&title.value=x", "/:/prefs?a=b"] {
        assert_eq!(server.put(path).by("sam").status().await, 403, "{path}");
    }
    assert_eq!(server.get("/library/sections/1/refresh").by("sam").status().await, 403);
    assert_eq!(server.delete("/library/metadata/1").by("sam").status().await, 403);
    assert_eq!(server.running.state().seq(), 0, "nothing was written");
    server.done().await;
}

#[tokio::test]
async fn users_know_their_own_history_and_the_owner_everybodys() {
    let server = PlexFixture::quick().await;
    let all = server.json("/status/sessions/history/all").await;
    let own = server.get("/status/sessions/history/all").by("sam").json().await;
    assert_eq!((rows(&all).len(), rows(&own).len()), (120, 40));
    assert!(rows(&own).iter().all(|row| row["accountID"] == 2));
    let filtered = server.json("/status/sessions/history/all?accountID=2").await;
    assert_eq!(rows(&filtered), rows(&own));
    server.done().await;
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_makes_no_sense_400() {
    let server = PlexFixture::quick().await;
    for path in
        ["/nowhere", "/library/metadata/999999", "/library/sections/9/all", "/library//sections", "/playlists/5"]
    {
        let told = server.get(path).send().await;
        assert_eq!((told.status, told.body.len()), (404, 0), "{path}");
    }
    for path in ["/hubs/search", "/library/metadata/x", "/library/sections/1/all?type=99"] {
        assert_eq!(server.get(path).status().await, 400, "{path}");
    }
    server.done().await;
}
