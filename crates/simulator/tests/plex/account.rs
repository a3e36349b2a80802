//! Logging in by a code, and the servers of an account.

use crate::harness::PlexFixture;

const CLIENT: &str = "X-Plex-Client-Identifier=c1&X-Plex-Product=Test";

#[tokio::test]
async fn a_device_gets_a_token_after_somebody_agreed_to_its_code() {
    let server = PlexFixture::quick().await;
    let begun = server.post(&format!("/api/v2/pins?strong=true&{CLIENT}")).token(None).send().await;
    assert_eq!(begun.status, 201);
    let pin = begun.json();
    assert!(pin["authToken"].is_null());
    assert_eq!(pin["expiresIn"], 1_800);
    let look = format!("/api/v2/pins/{}?{CLIENT}", pin["id"]);
    assert!(server.get(&look).token(None).send().await.json()["authToken"].is_null());
    let code = pin["code"].as_str().unwrap();
    assert_eq!(server.post("/__simulator/link?code=wrong").status().await, 404);
    assert_eq!(server.post(&format!("/__simulator/link?code={code}&token=sam")).status().await, 204);
    assert_eq!(server.get(&look).token(None).send().await.json()["authToken"], "plx-sam");
    server.done().await;
}

#[tokio::test]
async fn a_code_is_shown_only_to_the_device_that_began_it() {
    let server = PlexFixture::quick().await;
    let pin = server.post(&format!("/api/v2/pins?{CLIENT}")).token(None).send().await.json();
    assert_eq!(pin["code"].as_str().map(str::len), Some(4));
    let id = &pin["id"];
    let other = format!("/api/v2/pins/{id}?X-Plex-Client-Identifier=other");
    assert_eq!(server.get(&other).token(None).status().await, 404);
    let nameless = server.post("/api/v2/pins").token(None).send().await;
    assert_eq!((nameless.status, nameless.json()["errors"][0]["code"].clone()), (400, 1000.into()));
    server.done().await;
}

#[tokio::test]
async fn an_account_is_told_its_servers_and_whether_they_are_its_own() {
    let server = PlexFixture::quick().await;
    let target = format!("/api/v2/resources?includeHttps=1&{CLIENT}");
    assert_eq!(server.get(&target).token(None).status().await, 401);
    for (who, owned) in [("owner-a", true), ("sam", false)] {
        let told = server.get(&target).by(who).send().await.json();
        assert_eq!(told[0]["owned"], owned);
        assert_eq!(told[0]["connections"][0]["address"], "127.0.0.1");
        assert_eq!(told[0]["connections"][0]["port"], server.running.address().port());
    }
    server.done().await;
}

#[tokio::test]
async fn a_server_that_trusts_its_neighbours_takes_them_for_the_owner() {
    let server = PlexFixture::with(|options| options.switches.trusts_neighbours = true).await;
    assert_eq!(server.get("/library/sections").token(None).status().await, 200);
    assert_eq!(server.get("/library/sections").token(Some("wrong")).status().await, 401);
    server.done().await;
}

#[tokio::test]
async fn a_server_without_an_account_says_so() {
    let server = PlexFixture::with(|options| options.switches.claimed = false).await;
    assert_eq!(server.json("/identity").await["claimed"], false);
    server.done().await;
}
