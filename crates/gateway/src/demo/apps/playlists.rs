//! A tool that keeps a playlist like one from elsewhere: it searches every title, makes the playlist, and adds the
//! tracks one by one, as this server wants it. Its schedule has it do the same again later; then the playlist is
//! there, and only what is missing is added. It sends its token in the query.

use std::collections::HashSet;
use std::time::Duration;

use http::Method;

use super::super::evening::Evening;
use super::super::visitor::{Reply, Visitor};
use super::{MUSIC, encoded, rows};

const NAME: &str = "Songs from elsewhere";
/// How long it waits before it expects a playlist that it made in the list.
const SETTLING: Duration = Duration::from_secs(2);
/// Rows of a search.
const FOUND: &str = "500";

pub(super) async fn play(visitor: &Visitor, evening: &Evening) {
    for percent in [20, 70] {
        visitor.pace.until(evening.at(percent)).await;
        sync(visitor, &evening.wanted_titles).await;
    }
}

async fn sync(visitor: &Visitor, titles: &[String]) {
    let machine =
        get(visitor, "/").await.json()["MediaContainer"]["machineIdentifier"].as_str().map(str::to_owned);
    let machine = machine.unwrap_or_default();
    get(visitor, "/library/sections").await;
    let mut tracks = Vec::new();
    for title in titles {
        let target = format!(
            "/library/sections/{MUSIC}/all?type=10&title={}&X-Plex-Container-Size={FOUND}",
            encoded(title)
        );
        let found = get(visitor, &target).await.json();
        let exact = rows(&found).into_iter().find(|row| row["title"].as_str() == Some(title.as_str()));
        tracks.extend(exact.and_then(|row| row["ratingKey"].as_str().map(str::to_owned)));
    }
    let Some((first, rest)) = tracks.split_first() else { return };
    match playlist(visitor).await {
        None => create(visitor, &machine, first, rest).await,
        Some(playlist) => add_missing(visitor, &machine, &playlist, &tracks).await,
    }
}

async fn create(visitor: &Visitor, machine: &str, first: &str, rest: &[String]) {
    let uri = encoded(&item_uri(machine, first));
    let target = format!("/playlists?type=audio&title={}&smart=0&uri={uri}", encoded(NAME));
    send(visitor, Method::POST, &target).await;
    visitor.pace.rest(SETTLING).await;
    if let Some(made) = playlist(visitor).await {
        add(visitor, machine, &made, rest).await;
    }
}

async fn add_missing(visitor: &Visitor, machine: &str, playlist: &str, tracks: &[String]) {
    let held = get(visitor, &format!("/playlists/{playlist}/items")).await.json();
    let held: HashSet<String> =
        rows(&held).iter().filter_map(|row| row["ratingKey"].as_str().map(str::to_owned)).collect();
    let missing: Vec<String> = tracks.iter().filter(|track| !held.contains(*track)).cloned().collect();
    add(visitor, machine, playlist, &missing).await;
}

async fn add(visitor: &Visitor, machine: &str, playlist: &str, tracks: &[String]) {
    for track in tracks {
        let uri = encoded(&item_uri(machine, track));
        send(visitor, Method::PUT, &format!("/playlists/{playlist}/items?uri={uri}")).await;
    }
    get(visitor, &format!("/playlists/{playlist}/items")).await;
}

/// The key of the playlist, if it is there.
async fn playlist(visitor: &Visitor) -> Option<String> {
    let all = get(visitor, "/playlists").await.json();
    let found = rows(&all).into_iter().find(|row| row["title"].as_str() == Some(NAME))?;
    found["ratingKey"].as_str().map(str::to_owned)
}

fn item_uri(machine: &str, track: &str) -> String {
    format!("server://{machine}/com.plexapp.plugins.library/library/metadata/{track}")
}

async fn get(visitor: &Visitor, target: &str) -> Reply {
    send(visitor, Method::GET, target).await
}

async fn send(visitor: &Visitor, method: Method, target: &str) -> Reply {
    let glue = if target.contains('?') { '&' } else { '?' };
    let target = format!("{target}{glue}X-Plex-Token={}", visitor.token());
    visitor.send(method, &target, &[], bytes::Bytes::new()).await
}
