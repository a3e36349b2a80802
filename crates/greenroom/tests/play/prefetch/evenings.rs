//! Evenings with simulated servers: the next response is ready, and prefetch adds no request.

use super::{ON, loaded, server, until, useful};
use crate::fixture::GatewayConfigBuilder;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::plex::{self, Plex};
use tokio_util::task::TaskTracker;

/// The simulated Plex in XML: seasons, episodes and scaled images, as a television add-on requests them.
#[tokio::test(flavor = "multi_thread")]
async fn a_plex_evening_costs_no_request_more_and_the_second_show_is_there() {
    let tasks = TaskTracker::new();
    let upstream = Plex::new(plex::PlexOptions::quick()).start("127.0.0.1:0".parse().expect("it is"), &tasks).await;
    let upstream = upstream.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("home", "plex", &upstream.url(), ON).start().await;
    let client = stage.client().with("x-plex-token", upstream.tokens().owner_a()).with("x-plex-product", "Kodi");
    let ids = |body: &str| -> Vec<String> {
        let rows = body.split("ratingKey=\"").skip(1);
        let mut ids: Vec<String> = rows.filter_map(|row| row.split('"').next().map(str::to_owned)).collect();
        ids.dedup();
        ids
    };
    let shows = ids(&client.get("/library/sections/2/all?type=2").await.text());
    let mut hits = Vec::new();
    for show in &shows[..2] {
        let seasons = client.get(&format!("/library/metadata/{show}/children")).await.text();
        if !hits.is_empty() {
            until(&stage, |server| loaded(server) == 1).await;
        }
        let first = &ids(&seasons)[0];
        let episodes = client.get(&format!("/library/metadata/{first}/children?includeGuids=1")).await;
        assert_eq!(episodes.status, 200);
        hits.push(episodes.was_hit());
    }
    assert_eq!(hits, [false, true]);
    stage.stop().await;
    let asked = upstream.request_log().total();
    assert_eq!(asked, 5, "{asked}: a list, two times seasons, two times episodes");
    upstream.stop().await;
}

/// The simulated Jellyfin: seasons, episodes and their images.
#[tokio::test(flavor = "multi_thread")]
async fn a_jellyfin_evening_finds_episodes_and_pictures_of_the_second_show() {
    let tasks = TaskTracker::new();
    let options = jellyfin::JellyfinOptions::quick();
    let upstream = Jellyfin::new(options).start("127.0.0.1:0".parse().expect("it is"), &tasks).await;
    let upstream = upstream.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("den", "jellyfin", &upstream.url(), ON).start().await;
    let token = upstream.tokens().owner_a();
    let authorization =
        format!("MediaBrowser Client=\"Kodi\", Device=\"tv\", DeviceId=\"1\", Version=\"1\", Token=\"{token}\"");
    let client = stage.client().with("authorization", &authorization);
    let me = client.get("/Users/Me").await.json()["Id"].as_str().expect("an id").to_owned();
    let shows = format!("/Items?userId={me}&includeItemTypes=Series&recursive=true&sortBy=SortName&limit=50");
    let shows = client.get(&shows).await.json();
    let mut hits = Vec::new();
    for show in shows["Items"].as_array().expect("a list").iter().take(2) {
        let show = show["Id"].as_str().expect("an id");
        let seasons = client.get(&format!("/Shows/{show}/Seasons?userId={me}&fields=Overview")).await.json();
        if !hits.is_empty() {
            until(&stage, |server| loaded(server) == 2).await;
        }
        let season = &seasons["Items"][0];
        let (id, tag) = (season["Id"].as_str().expect("an id"), season["ImageTags"]["Primary"].as_str());
        let picture = format!("/Items/{id}/Images/Primary?maxWidth=400&quality=90&tag={}", tag.expect("a tag"));
        hits.push(client.get(&picture).await.was_hit());
        let episodes = format!("/Shows/{show}/Episodes?userId={me}&seasonId={id}&fields=Overview");
        hits.push(client.get(&episodes).await.was_hit());
    }
    assert_eq!(hits, [false, false, true, true]);
    assert_eq!(useful(&server(&stage)), 2);
    stage.stop().await;
    upstream.stop().await;
}
