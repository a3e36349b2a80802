//! Questions of a reader that was away: what changed since a moment, and whether anything did.

use greenroom_simulator::catalogue::{MediaKind, SortKey};
use greenroom_simulator::users::UserId;

use crate::harness::{PlexFixture, keys, rows};

async fn counter(server: &PlexFixture, section: usize) -> u64 {
    let sections = server.json("/library/sections").await;
    sections["Directory"][section - 1]["contentChangedAt"].as_u64().unwrap()
}

async fn total(server: &PlexFixture, query: &str) -> u64 {
    let target = format!("/library/sections/1/all?{query}&X-Plex-Container-Start=0&X-Plex-Container-Size=0");
    server.json(&target).await["totalSize"].as_u64().unwrap()
}

#[tokio::test]
async fn what_was_edited_or_added_since_a_moment_is_listed_and_user_state_is_not() {
    let server = PlexFixture::quick().await;
    let films = server.running.state().view().list(MediaKind::Film, SortKey::Title).to_vec();
    let since = server.running.state().clock().now_s();
    server.get(&format!("/:/scrobble?key={}", films[2])).send().await;
    server.get(&format!("/:/rate?key={}&rating=8", films[3])).send().await;
    let updated = format!("/library/sections/1/all?updatedAt>={since}");
    assert!(keys(&server.json(&updated).await).is_empty());
    server.put(&format!("/library/metadata/{}?title.value=x", films[0])).send().await;
    let added = server.running.add_film("Brand New", 2026);
    let mut changed = keys(&server.json(&updated).await);
    changed.sort();
    let mut expected = [films[0].to_string(), added.to_string()];
    expected.sort();
    assert_eq!(changed, expected);
    assert_eq!(keys(&server.json(&format!("/library/sections/1/all?addedAt>={since}")).await), [added.to_string()]);
    server.done().await;
}

#[tokio::test]
async fn user_state_since_a_moment_is_listed_for_its_user_and_the_counts_follow() {
    let server = PlexFixture::quick().await;
    let (unwatched, in_progress) = (total(&server, "unwatched=1").await, total(&server, "inProgress=1").await);
    let fresh = server.json("/library/sections/1/all?unwatched=1").await;
    let fresh: Vec<String> = rows(&fresh)
        .iter()
        .filter(|row| row.get("viewOffset").is_none())
        .map(|row| row["ratingKey"].as_str().unwrap().to_owned())
        .collect();
    let since = server.running.state().clock().now_s();
    server.get(&format!("/:/scrobble?key={}", fresh[0])).send().await;
    let timeline = format!("/:/timeline?ratingKey={}&state=playing&time=60000&X-Plex-Client-Identifier=tv", fresh[1]);
    server.get(&timeline).send().await;
    server.get(&format!("/:/rate?key={}&rating=8", fresh[2])).send().await;
    let viewed = format!("/library/sections/1/all?lastViewedAt>={since}");
    let mut seen = keys(&server.json(&viewed).await);
    seen.sort();
    let mut expected = vec![fresh[0].clone(), fresh[1].clone()];
    expected.sort();
    assert_eq!(seen, expected);
    assert!(keys(&server.get(&viewed).by("sam").json().await).is_empty());
    assert_eq!(keys(&server.json(&format!("/library/sections/1/all?lastRatedAt>={since}")).await), [fresh[2].clone()]);
    assert_eq!(total(&server, "unwatched=1").await, unwatched - 1);
    assert_eq!(total(&server, "inProgress=1").await, in_progress + 1);
    server.done().await;
}

#[tokio::test]
async fn the_counter_of_a_section_moves_with_its_content_and_not_with_user_state() {
    let server = PlexFixture::quick().await;
    let film = server.running.state().view().list(MediaKind::Film, SortKey::Title)[0];
    let mut before = (counter(&server, 1).await, counter(&server, 2).await);
    server.get(&format!("/:/scrobble?key={film}")).send().await;
    assert_eq!((counter(&server, 1).await, counter(&server, 2).await), before);
    let changes: [&dyn Fn(); 3] = [
        &|| assert!(server.running.edit_item(film, |record| record.summary = "Other".into())),
        &|| assert_ne!(server.running.add_film("New", 2026), film),
        &|| assert!(server.running.delete_item(film)),
    ];
    for change in changes {
        change();
        let now = (counter(&server, 1).await, counter(&server, 2).await);
        assert!(now.0 > before.0 && now.1 == before.1);
        before = now;
    }
    server.done().await;
}

#[tokio::test]
async fn marking_a_show_a_season_a_collection_or_a_playlist_marks_its_members() {
    let server = PlexFixture::quick().await;
    let state = server.running.state();
    let first = |kind| state.view().list(kind, SortKey::Title)[0];
    let films: Vec<_> = state.view().list(MediaKind::Film, SortKey::Title).to_vec();
    let playlist = state.write(UserId::OWNER, |write| write.create_playlist("Mine", "video", &films[..2]));
    for set in [first(MediaKind::Show), first(MediaKind::Season), first(MediaKind::Collection), playlist] {
        let members = state.view().leaves(set);
        assert!(!members.is_empty());
        for (path, played) in [("scrobble", true), ("unscrobble", false)] {
            assert_eq!(server.get(&format!("/:/{path}?key={set}")).status().await, 200);
            let view = state.view();
            assert!(members.iter().all(|member| view.watch(UserId::OWNER, *member).played() == played), "{path} {set}");
        }
    }
    assert_eq!(server.get(&format!("/:/scrobble?key={playlist}")).by("sam").status().await, 404, "it is not sam's");
    server.done().await;
}
