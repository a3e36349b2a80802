//! Configuration of a user, and what it changes in what that user reads.

use greenroom_simulator::catalogue::{MediaKind, Section};
use greenroom_simulator::jellyfin::{item_id, library_id, user_id};
use greenroom_simulator::users::UserId;
use serde_json::{Value, json};

use crate::frames::FrameClient;
use crate::server::{JellyfinFixture, ids};

async fn configuration(server: &JellyfinFixture, label: &str) -> Value {
    server.get("/Users/Me").by(label).value().await["Configuration"].clone()
}

#[tokio::test]
async fn a_configuration_is_written_whole_by_its_user_or_an_administrator() {
    let server = JellyfinFixture::start().await;
    let mut socket = FrameClient::open(&server, "sam").await;
    let before = configuration(&server, "sam").await;
    let mut wanted = before.clone();
    wanted["SubtitleMode"] = json!("Always");
    wanted["AudioLanguagePreference"] = json!("ger");
    server.post("/Users/Configuration").by("sam").json(&wanted).expect(204).await;
    assert_eq!(configuration(&server, "sam").await, wanted);
    assert_eq!(configuration(&server, "kim").await, before);
    assert!(socket.rest().await.is_empty(), "a configuration is told to nobody");
    let of_sam = format!("/Users/Configuration?userId={}", user_id(UserId(2)));
    server.post(&of_sam).by("kim").json(&before).expect(403).await;
    let legacy = format!("/Users/{}/Configuration", user_id(UserId(2)));
    server.post(&legacy).by("kim").json(&before).expect(403).await;
    server.post(&legacy).by("owner-a").json(&json!({"PlayDefaultAudioTrack": false})).expect(204).await;
    let now = configuration(&server, "sam").await;
    assert_eq!((&now["PlayDefaultAudioTrack"], &now["SubtitleMode"]), (&json!(false), &before["SubtitleMode"]));
    server.leave().await;
}

#[tokio::test]
async fn views_and_latest_items_follow_the_configuration_of_their_user() {
    let server = JellyfinFixture::start().await;
    let [films, shows, music] = [Section::Films, Section::Shows, Section::Music].map(library_id);
    let kinds = |rows: Value| -> Vec<String> {
        let rows = rows.as_array().expect("an array");
        rows.iter().map(|row| row["Type"].as_str().expect("a type").to_owned()).collect()
    };
    let film = *server.items(MediaKind::Film).iter().max_by_key(|id| id.0).expect("a film");
    server.state().write(UserId(2), |write| write.mark_played(film));
    let newest = format!("/Items/Latest?parentId={films}&limit=1000");
    assert!(!ids(&server.get(&newest).by("sam").value().await).contains(&item_id(film)));
    let wanted = json!({
        "OrderedViews": [music], "MyMediaExcludes": [shows], "LatestItemsExcludes": [music], "HidePlayedInLatest": false,
    });
    server.post("/Users/Configuration").by("sam").json(&wanted).expect(204).await;
    let views = ids(&server.get("/UserViews").by("sam").value().await);
    assert_eq!((&views[0], views.contains(&shows)), (&music, false));
    assert!(ids(&server.get("/UserViews?includeHidden=true").by("sam").value().await).contains(&shows));
    assert!(ids(&server.get(&newest).by("sam").value().await).contains(&item_id(film)));
    let latest = kinds(server.get("/Items/Latest?limit=1000").by("sam").value().await);
    assert!(latest.contains(&"Movie".to_owned()) && !latest.contains(&"MusicAlbum".to_owned()));
    assert_eq!(ids(&server.get("/UserViews").by("owner-a").value().await)[0], films);
    server.leave().await;
}

#[tokio::test]
async fn upcoming_episodes_are_those_released_since_yesterday() {
    let server = JellyfinFixture::start().await;
    let read = || async { ids(&server.get("/Shows/Upcoming?limit=1000").by("sam").value().await) };
    let before = read().await;
    let episode = server.items(MediaKind::Episode)[0];
    assert!(!before.contains(&item_id(episode)));
    server.state().write(UserId::OWNER, |write| {
        write.edit(episode, |record| {
            if let Some(day) = &mut record.released {
                day.year = 2199;
            }
        })
    });
    assert_eq!(read().await.last(), Some(&item_id(episode)));
    assert!(ids(&server.get("/Shows/Upcoming").by("kim").value().await).is_empty(), "kim does not see the shows");
    server.leave().await;
}
