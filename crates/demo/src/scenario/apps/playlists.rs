//! A tool that keeps a playlist equal to one from elsewhere: it searches every title, in fewer and fewer words until
//! something fits, creates the playlist, and adds the tracks one by one, as this server requires. A later scheduled run
//! finds the playlist and adds only missing tracks. The tool sends its token in the query.
//!
//! A sync that fails, because the server is down, is tried again.
//!
//! Where Greenroom syncs playlists, the tool hands it the list, and Greenroom uses its library index.

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::super::app_client::{AppClient, AppResponse, PlaylistEndpoint};
use super::super::comparison::{PlaylistResult, tenths};
use super::super::gateway::PLAYLIST_ACCOUNT;
use super::super::measure::ScaledStopwatch;
use super::super::workload::{SourceTrack, Workload};
use super::{MUSIC, encoded, rows};

const NAME: &str = "Songs from elsewhere";
/// Wait before a created playlist is expected in the list.
const SETTLING: Duration = Duration::from_secs(2);
/// Interval between two checks of a sync's progress.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Pause before a sync that failed is tried again, and max attempts.
const TRY_AGAIN: Duration = Duration::from_secs(3);
const MAX_ATTEMPTS: u32 = 20;
/// Max rows of a search.
const FOUND: &str = "500";

pub(super) async fn play(visitor: &AppClient, evening: &Workload) {
    for percent in [20, 70] {
        visitor.clock.sleep_until(evening.at(percent)).await;
        let watch = ScaledStopwatch::start(visitor.clock.factor());
        for _ in 0..MAX_ATTEMPTS {
            if let Some(tracks) = attempt(visitor, &evening.playlist_tracks).await {
                visitor.record_playlist(PlaylistResult { tracks, took_s: tenths(watch.ms() / 1_000.0) });
                break;
            }
            if evening.playlist_tracks.is_empty() {
                break;
            }
            visitor.clock.sleep(TRY_AGAIN).await;
        }
    }
}

/// One attempt; returns the number of tracks in the playlist, `None` if it failed.
async fn attempt(visitor: &AppClient, wanted: &[SourceTrack]) -> Option<u64> {
    match &visitor.playlist_endpoint {
        Some(keeper) => hand_over(visitor, keeper, wanted).await,
        None => sync(visitor, wanted).await,
    }
}

/// Lets Greenroom sync the playlist; returns the number of tracks in it.
async fn hand_over(visitor: &AppClient, keeper: &PlaylistEndpoint, wanted: &[SourceTrack]) -> Option<u64> {
    let track = |wanted: &SourceTrack| {
        json!({
            "title": wanted.title, "artist": wanted.artist, "album": wanted.album,
            "duration_ms": wanted.duration_s * 1_000,
        })
    };
    let tracks: Vec<Value> = wanted.iter().map(track).collect();
    let wish = json!({
        "source": {"tracks": tracks}, "server": "plex", "name": NAME, "mode": "replace",
        "accounts": [PLAYLIST_ACCOUNT], "wait": true,
    });
    let mut told = visitor.call_playlist_api(keeper, Method::POST, "/api/v1/playlists/sync", &wish).await.json();
    while told["report"].is_null() && told["error"].is_null() {
        let path = format!("/api/v1/playlists/runs/{}", told["run"].as_str()?);
        visitor.clock.sleep(LOOK_AGAIN).await;
        told = visitor.call_playlist_api(keeper, Method::GET, &path, &Value::Null).await.json();
    }
    told["report"]["accounts"][0]["length"].as_u64()
}

/// Syncs the playlist by searching the server; returns the number of tracks in it.
async fn sync(visitor: &AppClient, wanted: &[SourceTrack]) -> Option<u64> {
    let machine = get(visitor, "/").await.json()["MediaContainer"]["machineIdentifier"].as_str().map(str::to_owned);
    let machine = machine.unwrap_or_default();
    get(visitor, "/library/sections").await;
    let mut tracks = Vec::new();
    for track in wanted {
        tracks.extend(find(visitor, track).await);
    }
    let (first, rest) = tracks.split_first()?;
    match playlist(visitor).await {
        None => create(visitor, &machine, first, rest).await,
        Some(playlist) => Some(add_missing(visitor, &machine, &playlist, &tracks).await),
    }
}

/// Searches in fewer and fewer words until a row has the artist and the wanted title, its edition aside.
async fn find(visitor: &AppClient, wanted: &SourceTrack) -> Option<String> {
    for words in phrasings(&wanted.title) {
        let target =
            format!("/library/sections/{MUSIC}/all?type=10&title={}&X-Plex-Container-Size={FOUND}", encoded(&words));
        let found = get(visitor, &target).await.json();
        let fits = |row: &Value| {
            let said = |field: &str| row[field].as_str().unwrap_or_default();
            said("grandparentTitle") == wanted.artist && without_edition(&wanted.title) == said("title")
        };
        if let Some(row) = rows(&found).into_iter().find(fits) {
            return row["ratingKey"].as_str().map(str::to_owned);
        }
    }
    None
}

/// The whole title, its first three words, its first two, its last three.
fn phrasings(title: &str) -> Vec<String> {
    let words: Vec<&str> = title.split(' ').collect();
    let mut phrasings = vec![title.to_owned()];
    if words.len() > 2 {
        phrasings.push(words[..words.len().min(3)].join(" "));
        phrasings.push(words[..2].join(" "));
        phrasings.push(words[words.len() - 3..].join(" "));
    }
    phrasings.dedup();
    phrasings
}

fn without_edition(title: &str) -> &str {
    title.split_once(" - Remaster").map_or(title, |(title, _)| title)
}

async fn create(visitor: &AppClient, machine: &str, first: &str, rest: &[String]) -> Option<u64> {
    let uri = encoded(&item_uri(machine, first));
    let target = format!("/playlists?type=audio&title={}&smart=0&uri={uri}", encoded(NAME));
    send(visitor, Method::POST, &target).await;
    visitor.clock.sleep(SETTLING).await;
    let made = playlist(visitor).await?;
    Some(add(visitor, machine, &made, rest).await)
}

async fn add_missing(visitor: &AppClient, machine: &str, playlist: &str, tracks: &[String]) -> u64 {
    let held = get(visitor, &format!("/playlists/{playlist}/items")).await.json();
    let held: HashSet<String> =
        rows(&held).iter().filter_map(|row| row["ratingKey"].as_str().map(str::to_owned)).collect();
    let missing: Vec<String> = tracks.iter().filter(|track| !held.contains(*track)).cloned().collect();
    add(visitor, machine, playlist, &missing).await
}

async fn add(visitor: &AppClient, machine: &str, playlist: &str, tracks: &[String]) -> u64 {
    for track in tracks {
        let uri = encoded(&item_uri(machine, track));
        send(visitor, Method::PUT, &format!("/playlists/{playlist}/items?uri={uri}")).await;
    }
    rows(&get(visitor, &format!("/playlists/{playlist}/items")).await.json()).len() as u64
}

/// Key of the playlist, if it exists.
async fn playlist(visitor: &AppClient) -> Option<String> {
    let all = get(visitor, "/playlists").await.json();
    let found = rows(&all).into_iter().find(|row| row["title"].as_str() == Some(NAME))?;
    found["ratingKey"].as_str().map(str::to_owned)
}

fn item_uri(machine: &str, track: &str) -> String {
    format!("server://{machine}/com.plexapp.plugins.library/library/metadata/{track}")
}

async fn get(visitor: &AppClient, target: &str) -> AppResponse {
    send(visitor, Method::GET, target).await
}

async fn send(visitor: &AppClient, method: Method, target: &str) -> AppResponse {
    let glue = if target.contains('?') { '&' } else { '?' };
    let target = format!("{target}{glue}X-Plex-Token={}", visitor.token());
    visitor.send(method, &target, &[], bytes::Bytes::new()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_asked_for_in_fewer_and_fewer_words() {
        assert_eq!(phrasings("One"), ["One"]);
        assert_eq!(phrasings("One Two Three"), ["One Two Three", "One Two", "One Two Three"]);
        assert_eq!(phrasings("A B C D")[1..], ["A B C", "A B", "B C D"]);
        assert_eq!(without_edition("Song - Remastered 2011"), "Song");
        assert_eq!(without_edition("Song - Acoustic Version"), "Song - Acoustic Version");
    }
}
