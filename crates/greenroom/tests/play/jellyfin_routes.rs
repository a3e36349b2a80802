//! Routes of a Jellyfin through Greenroom: what is kept, what is drawn anew, and what needs no token.

use greenroom_dialect::classification::Classification;
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_simulator::catalogue::MediaKind;
use http::{HeaderMap, Method};

use crate::bound::BoundFixture;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_draws_anew_is_drawn_anew_for_everybody() {
    let house = BoundFixture::new(|_| ()).await;
    let film = house.first(MediaKind::Film);
    for target in [
        "/Items/Suggestions?limit=20".to_owned(),
        "/Movies/Recommendations".into(),
        format!("/Items/{film}/Similar?limit=50"),
        format!("/Movies/{film}/Similar?limit=50"),
    ] {
        let mut drawn = Vec::new();
        for _ in 0..3 {
            let answer = house.client.get(&target).await;
            let served = answer.header("cache-status").to_owned();
            assert!(answer.status == 200 && !answer.was_hit() && !served.contains("stored"), "{target}: {served}");
            drawn.push(answer.json());
        }
        assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2], "{target}");
    }
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_client_asks_at_its_start_is_kept() {
    let house = BoundFixture::new(|_| ()).await;
    let film = house.first(MediaKind::Film);
    for target in [
        "/QuickConnect/Enabled".to_owned(),
        "/System/Endpoint".into(),
        "/Users/Public".into(),
        "/Devices".into(),
        format!("/Items/{film}/Intros"),
    ] {
        let direct = house.direct.get(&target).await;
        let first = house.client.get(&target).await;
        assert!(first.status == 200 && !first.was_hit(), "{target}: {}", first.header("cache-status"));
        assert_eq!(first.header("content-type"), direct.header("content-type"), "{target}");
        if target != "/Devices" {
            assert_eq!(first.body, direct.body, "{target}");
        }
        let second = house.client.get(&target).await;
        assert!(second.was_hit() && second.body == first.body, "{target}: {}", second.header("cache-status"));
    }
    // The first of them is asked for before there is a token.
    assert!(house.stage.client().get("/QuickConnect/Enabled").await.was_hit());
    let users = house.stage.client().get("/Users/Public").await;
    assert!(users.status == 200 && !users.was_hit(), "what is shown to a token is shown to that token");
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dashboard_reads_is_kept() {
    let house = BoundFixture::new(|_| ()).await;
    let plugins = house.direct.get("/Plugins").await.json();
    let (plugin, version) = (plugins[0]["Id"].as_str(), plugins[0]["Version"].as_str());
    let image = format!("/Plugins/{}/{}/Image", plugin.expect("an id"), version.expect("a version"));
    for target in [
        "/Plugins",
        &format!("/Items/{}/Collections", house.first(MediaKind::Film)),
        &image,
        "/Packages",
        "/Repositories",
        "/web/ConfigurationPages",
        "/Libraries/AvailableOptions",
        "/Channels",
        "/Channels/Features",
        "/Channels/Items/Latest",
    ] {
        let direct = house.direct.get(target).await;
        let (first, second) = (house.client.get(target).await, house.client.get(target).await);
        assert!(first.status == 200 && !first.was_hit() && second.was_hit(), "{target}");
        for answer in [first, second] {
            assert_eq!(answer.body, direct.body, "{target}");
            for name in ["content-type", "content-disposition"] {
                assert_eq!(answer.header(name), direct.header(name), "{target}");
            }
        }
    }
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_films_collections_follow_a_write_to_one() {
    let house = BoundFixture::new(|_| ()).await;
    let film = house.first(MediaKind::Film);
    let target = format!("/Items/{film}/Collections");
    let count = async || house.client.get(&target).await.json()["TotalRecordCount"].as_u64().expect("a number");
    let before = count().await;
    assert_eq!(count().await, before);
    let new = format!("/Collections?name=New&ids={film}");
    assert_eq!(house.client.send(Method::POST, &new, "").await.status, 200);
    assert_eq!(count().await, before + 1);
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_setting_makes_a_segment_older_than_a_day() {
    let house = BoundFixture::new(|_| ()).await;
    let longer = r#"{"class":"item","fresh_s":31536000,"stale_on_error_s":31536000}"#;
    let changed = house.stage.control().send(Method::PUT, "/api/v1/cache/policies", longer).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let server = &house.stage.process.servers[0].0;
    let usable_s = |target: &str| {
        let view = RequestView { method: &Method::GET, target, headers: &HeaderMap::new(), body: &[] };
        let Classification::Read(read) = ServerKind::Jellyfin.classify(&view, None) else { panic!("{target}") };
        let lifetime = server.lifetime(read.class, read.lifetime);
        lifetime.fresh_s.max(lifetime.fresh_with_signal_s) + lifetime.stale_s + lifetime.stale_on_error_s
    };
    let film = house.first(MediaKind::Film);
    assert_eq!(usable_s(&format!("/MediaSegments/{film}")), 24 * 60 * 60);
    assert!(usable_s(&format!("/Items/{film}/Intros")) > 31_536_000, "in an outage they are as good as others");
    assert!(usable_s(&format!("/Items/{film}")) > 2 * 31_536_000, "it holds of all others");
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fonts_and_plugin_pictures_need_no_token() {
    let house = BoundFixture::new(|_| ()).await;
    let film = house.first(MediaKind::Film);
    let plugins = house.direct.get("/Plugins").await.json();
    let (plugin, version) = (plugins[0]["Id"].as_str(), plugins[0]["Version"].as_str());
    let image = format!("/Plugins/{}/{}/Image", plugin.expect("an id"), version.expect("a version"));
    for target in ["/GetUtcTime", &image, &format!("/Videos/{film}/{film}/Attachments/0")] {
        let (got, direct) = (house.stage.client().get(target).await, house.direct.get(target).await);
        assert_eq!(got.status, 200, "{target}");
        assert_eq!(got.header("content-type"), direct.header("content-type"), "{target}");
        assert!(target == "/GetUtcTime" || got.body == direct.body, "{target}");
    }
    let stream = format!("/Videos/{film}/stream");
    assert_eq!(house.stage.client().get(&stream).await.status, 401);
    house.down().await;
}

/// Its members are nowhere said to be its own: neither by the write nor by any response about them.
#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_marked_as_played_marks_its_members_at_once() {
    let house = BoundFixture::new(|_| ()).await;
    let films = house.direct.get("/Items?recursive=true&includeItemTypes=Movie&isPlayed=false&limit=3").await.json();
    let ids: Vec<String> =
        (0..3_usize).map(|at| films["Items"][at]["Id"].as_str().expect("an id").to_owned()).collect();
    let new = house.direct.send(Method::POST, &format!("/Collections?name=Two&ids={},{}", ids[0], ids[1]), "").await;
    let collection = new.json()["Id"].as_str().expect("an id").to_owned();
    let paths: Vec<String> = ids.iter().map(|id| format!("/Items/{id}")).collect();
    for path in [&format!("/Items/{collection}")].into_iter().chain(&paths) {
        house.client.get(path).await;
        assert!(house.client.get(path).await.was_hit(), "{path}");
    }
    let mark = async |id: &str| house.client.send(Method::POST, &format!("/UserPlayedItems/{id}"), "").await.status;
    assert_eq!(mark(&ids[2]).await, 200);
    assert!(house.client.get(&paths[0]).await.was_hit(), "a film has no members");
    assert_eq!(mark(&collection).await, 200);
    for path in &paths[..2] {
        let film = house.client.get(path).await;
        assert!(!film.was_hit() && film.json()["UserData"]["Played"] == true, "{path}: {}", film.text());
    }
    house.down().await;
}
