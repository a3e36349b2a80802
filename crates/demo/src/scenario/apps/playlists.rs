//! A tool that keeps a playlist like one from elsewhere: it searches every title, in fewer and fewer words until
//! something fits, makes the playlist, and adds the tracks one by one, as this server wants it. Its schedule has it do
//! the same again later; then the playlist is there, and only what is missing is added. It sends its token in the query.
//!
//! Where Greenroom keeps playlists, the list is handed to it, and it does all that with what it knows of the library.

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::super::evening::{Evening, Wanted};
use super::super::figures::{Kept, tenths};
use super::super::gateway::PLAYLIST_ACCOUNT;
use super::super::measure::Stopwatch;
use super::super::visitor::{ListKeeper, Reply, Visitor};
use super::{MUSIC, encoded, rows};

const NAME: &str = "Songs from elsewhere";
/// How long it waits before it expects a playlist that it made in the list.
const SETTLING: Duration = Duration::from_secs(2);
/// How long it waits before it looks again how far its playlist is.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Rows of a search.
const FOUND: &str = "500";

pub(super) async fn play(visitor: &Visitor, evening: &Evening) {
    for percent in [20, 70] {
        visitor.pace.until(evening.at(percent)).await;
        let watch = Stopwatch::start(visitor.pace.factor());
        let tracks = match &visitor.list_keeper {
            Some(keeper) => hand_over(visitor, keeper, &evening.wanted).await,
            None => sync(visitor, &evening.wanted).await,
        };
        if let Some(tracks) = tracks {
            visitor.note_kept(Kept { tracks, took_s: tenths(watch.ms() / 1_000.0) });
        }
    }
}

/// Has the playlist kept by Greenroom; how many tracks are in it then.
async fn hand_over(visitor: &Visitor, keeper: &ListKeeper, wanted: &[Wanted]) -> Option<u64> {
    let track = |wanted: &Wanted| {
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
    let mut told = visitor.ask(keeper, Method::POST, "/api/v1/playlists/sync", &wish).await.json();
    while told["report"].is_null() && told["error"].is_null() {
        let path = format!("/api/v1/playlists/runs/{}", told["run"].as_str()?);
        visitor.pace.rest(LOOK_AGAIN).await;
        told = visitor.ask(keeper, Method::GET, &path, &Value::Null).await.json();
    }
    told["report"]["accounts"][0]["length"].as_u64()
}

/// Keeps the playlist by searching the server; how many tracks are in it then.
async fn sync(visitor: &Visitor, wanted: &[Wanted]) -> Option<u64> {
    let machine =
        get(visitor, "/").await.json()["MediaContainer"]["machineIdentifier"].as_str().map(str::to_owned);
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

/// Asks the server in fewer and fewer words until a row has the artist and a title that is the wanted one, its edition
/// aside.
async fn find(visitor: &Visitor, wanted: &Wanted) -> Option<String> {
    for words in phrasings(&wanted.title) {
        let target = format!(
            "/library/sections/{MUSIC}/all?type=10&title={}&X-Plex-Container-Size={FOUND}",
            encoded(&words)
        );
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

async fn create(visitor: &Visitor, machine: &str, first: &str, rest: &[String]) -> Option<u64> {
    let uri = encoded(&item_uri(machine, first));
    let target = format!("/playlists?type=audio&title={}&smart=0&uri={uri}", encoded(NAME));
    send(visitor, Method::POST, &target).await;
    visitor.pace.rest(SETTLING).await;
    let made = playlist(visitor).await?;
    Some(add(visitor, machine, &made, rest).await)
}

async fn add_missing(visitor: &Visitor, machine: &str, playlist: &str, tracks: &[String]) -> u64 {
    let held = get(visitor, &format!("/playlists/{playlist}/items")).await.json();
    let held: HashSet<String> =
        rows(&held).iter().filter_map(|row| row["ratingKey"].as_str().map(str::to_owned)).collect();
    let missing: Vec<String> = tracks.iter().filter(|track| !held.contains(*track)).cloned().collect();
    add(visitor, machine, playlist, &missing).await
}

async fn add(visitor: &Visitor, machine: &str, playlist: &str, tracks: &[String]) -> u64 {
    for track in tracks {
        let uri = encoded(&item_uri(machine, track));
        send(visitor, Method::PUT, &format!("/playlists/{playlist}/items?uri={uri}")).await;
    }
    rows(&get(visitor, &format!("/playlists/{playlist}/items")).await.json()).len() as u64
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
