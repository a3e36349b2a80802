//! Lists that are only repeated, their types of segments and sort keys; the cutoff of the next episodes.

use greenroom_simulator::catalogue::MediaKind;
use serde_json::{Value, json};

use crate::server::JellyfinFixture;

fn column(list: &Value, name: &str) -> Vec<String> {
    let rows = list["Items"].as_array().expect("a list");
    rows.iter().map(|row| row[name].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn segment_types_are_repeated_and_never_joined() {
    for joined_lose in [false, true] {
        let server = JellyfinFixture::with(|switches| switches.joined_enums_lose = joined_lose).await;
        let path = format!("/MediaSegments/{}", server.first(MediaKind::Episode));
        let read = |query: &str| server.get(&format!("{path}{query}")).by("sam");
        let types = async |query: &str| column(&read(query).value().await, "Type");
        assert_eq!(types("").await, ["Recap", "Intro", "Outro"]);
        assert_eq!(types("?includeSegmentTypes=outro&includeSegmentTypes=Intro").await, ["Intro", "Outro"]);
        if joined_lose {
            assert_eq!(types("?includeSegmentTypes=Intro,Outro").await, ["Intro"], "4 and 5 are 5");
        } else {
            read("?includeSegmentTypes=Intro,Outro").expect(400).await;
        }
        read("?includeSegmentTypes=Intro,Recap").expect(400).await;
        let track = format!("/MediaSegments/{}", server.first(MediaKind::Track));
        assert_eq!(server.get(&track).by("sam").value().await["TotalRecordCount"], 0);
        server.leave().await;
    }
}

#[tokio::test]
async fn the_log_is_sorted_by_repeated_keys_and_its_type_is_one_text() {
    let server = JellyfinFixture::start().await;
    let log = async |query: &str| {
        server.get(&format!("/System/ActivityLog/Entries?limit=200&{query}")).by("owner-a").value().await
    };
    let sorted = log("sortBy=Type&sortBy=Name&sortOrder=Descending&sortOrder=Ascending").await;
    let pairs: Vec<(String, String)> = column(&sorted, "Type").into_iter().zip(column(&sorted, "Name")).collect();
    let in_order =
        |one: &(String, String), next: &(String, String)| one.0 > next.0 || (one.0 == next.0 && one.1 <= next.1);
    assert!(pairs.len() > 1 && pairs.is_sorted_by(in_order), "{pairs:?}");
    let refused = server.get("/System/ActivityLog/Entries?sortBy=Type,Name").by("owner-a").expect(400).await;
    assert_eq!(refused.value()["status"], 400);
    assert!(log("type=VideoPlaybackStopped").await["TotalRecordCount"].as_u64() > Some(0));
    assert_eq!(log("type=VideoPlaybackStopped,AudioPlaybackStopped").await["TotalRecordCount"], json!(0));
    server.leave().await;
}

#[tokio::test]
async fn a_cutoff_leaves_out_shows_that_were_last_played_before() {
    let server = JellyfinFixture::start().await;
    let total = async |query: &str| {
        server.get(&format!("/Shows/NextUp{query}")).by("sam").value().await["TotalRecordCount"].clone()
    };
    let all = total("").await;
    assert!(all.as_u64() > Some(0), "{all}");
    assert_eq!(total("?nextUpDateCutoff=2000-01-01T00:00:00Z").await, all);
    assert_eq!(total("?nextUpDateCutoff=2100-01-01").await, json!(0));
    server.get("/Shows/NextUp?nextUpDateCutoff=never").by("sam").expect(400).await;
    server.leave().await;
}

#[tokio::test]
async fn a_cutoff_is_a_moment_and_before_a_day() {
    for is_moment in [true, false] {
        let server = JellyfinFixture::with(|switches| switches.cutoff_is_moment = is_moment).await;
        let episode = server.first(MediaKind::Episode);
        let played = format!("/UserPlayedItems/{episode}?datePlayed=2099-01-10T12:00:00Z");
        server.post(&played).by("sam").expect(200).await;
        let total = async |cutoff: &str| {
            let next = format!("/Shows/NextUp?nextUpDateCutoff={cutoff}");
            server.get(&next).by("sam").value().await["TotalRecordCount"].as_u64()
        };
        assert_eq!(total("2099-01-10T08:00:00Z").await, Some(u64::from(is_moment)));
        assert_eq!(total("2099-01-10T12:00:01Z").await, Some(0));
        assert_eq!(total("2099-01-10T00:00:00Z").await, Some(1));
        assert_eq!(total("2099-01-11").await, Some(0));
        server.leave().await;
    }
}
