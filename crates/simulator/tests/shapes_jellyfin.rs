//! Every kind of answer of the simulated Jellyfin against the public description of the real one.
//!
//! Where the folder named by `GREENROOM_REFERENCE` exists, answers are validated against the API description and
//! recorded items in it. Without it a short list of fields no client can do without is checked instead.

#[path = "jellyfin/server.rs"]
#[expect(dead_code, reason = "the harness serves two suites")]
mod server;

mod schema;

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures_util::{SinkExt, StreamExt};
use greenroom_simulator::catalogue::{MediaKind, Section};
use greenroom_simulator::jellyfin::{item_id, library_id, user_id};
use greenroom_simulator::users::UserId;
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use schema::ApiSchema;
use server::{JellyfinFixture, JellyfinTestResponse, patiently};

/// A request whose answer is checked: method, path as the description has it, target, body.
struct SampleRequest {
    method: Method,
    template: &'static str,
    target: String,
    body: Value,
}

fn reference() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("GREENROOM_REFERENCE")?);
    folder.is_dir().then_some(folder)
}

fn description() -> Option<ApiSchema> {
    let path = reference()?.join("specs/jellyfin-openapi-10.11.json");
    Some(ApiSchema::parse(&std::fs::read_to_string(path).expect("the reference has the API description")))
}

/// The schema a list of samples is read with when there is no description.
const LEAST: &[(&str, &[&str])] = &[
    ("/Items/{itemId}", &["Id", "Name", "Type", "ServerId", "UserData", "ImageTags", "IsFolder", "MediaType"]),
    ("frame", &["MessageType", "MessageId", "Data"]),
    ("/Items", &["Items", "TotalRecordCount", "StartIndex"]),
    ("/System/Info/Public", &["Id", "ServerName", "Version", "ProductName", "LocalAddress"]),
    ("/Users/AuthenticateByName", &["User", "SessionInfo", "AccessToken", "ServerId"]),
    ("/UserItems/{itemId}/UserData", &["PlaybackPositionTicks", "PlayCount", "IsFavorite", "Played", "Key", "ItemId"]),
    ("/Playlists/{playlistId}", &["OpenAccess", "Shares", "ItemIds"]),
    ("/Items/Counts", &["MovieCount", "SeriesCount", "EpisodeCount", "SongCount", "AlbumCount", "ItemCount"]),
];

fn sample(method: Method, template: &'static str, target: String, body: Value) -> SampleRequest {
    SampleRequest { method, template, target, body }
}

fn reads(template: &'static str, targets: &[String]) -> Vec<SampleRequest> {
    targets.iter().map(|target| sample(Method::GET, template, target.clone(), Value::Null)).collect()
}

/// Plain reads whose target is the path of the description.
const PLAIN: &[&str] = &[
    "/UserViews",
    "/Items/Latest",
    "/UserItems/Resume",
    "/Shows/NextUp",
    "/Shows/Upcoming",
    "/Artists",
    "/Artists/AlbumArtists",
    "/Genres",
    "/Studios",
    "/Persons",
    "/Years",
    "/Items/Filters",
    "/Items/Filters2",
    "/Items/Counts",
    "/Library/VirtualFolders",
    "/Library/MediaFolders",
    "/Sessions",
    "/Devices",
    "/System/ActivityLog/Entries",
    "/ScheduledTasks",
    "/Branding/Configuration",
    "/Localization/Cultures",
    "/Localization/Countries",
    "/Localization/Options",
    "/Localization/ParentalRatings",
    "/System/Info/Public",
    "/System/Info",
    "/System/Ping",
    "/System/Endpoint",
    "/Users",
    "/Users/Me",
    "/Users/Public",
    "/QuickConnect/Enabled",
    "/Items/Suggestions",
    "/Movies/Recommendations",
    "/Plugins",
    "/Packages",
    "/Repositories",
    "/web/ConfigurationPages",
    "/Libraries/AvailableOptions",
    "/Channels",
    "/Channels/Features",
    "/Channels/Items/Latest",
    "/GetUtcTime",
    "/UserViews/GroupingOptions",
];

fn samples(server: &JellyfinFixture, playlist: &str) -> Vec<SampleRequest> {
    let ids: Vec<(MediaKind, String)> = MediaKind::EVERY.into_iter().map(|kind| (kind, server.first(kind))).collect();
    let id =
        |wanted: MediaKind| ids.iter().find(|(kind, _)| *kind == wanted).map(|(_, id)| id.clone()).expect("every kind");
    let (film, show, track) = (id(MediaKind::Film), id(MediaKind::Show), id(MediaKind::Track));
    let every = || ids.iter().map(|(_, id)| id.clone()).chain([playlist.to_owned(), library_id(Section::Films)]);
    let under = |template: &'static str, tail: &str| {
        reads(template, &every().map(|id| format!("/Items/{id}{tail}")).collect::<Vec<_>>())
    };
    let all_fields =
        "Path,MediaSources,Genres,People,Overview,ProviderIds,Etag,DateCreated,ChildCount,SortName,ParentId";
    let mut samples: Vec<SampleRequest> = PLAIN.iter().flat_map(|path| reads(path, &[(*path).to_owned()])).collect();
    samples.extend(under("/Items/{itemId}", ""));
    samples.extend(reads(
        "/Items",
        &[
            format!("/Items?recursive=true&fields={all_fields}"),
            "/Items".into(),
            "/Items?includeItemTypes=Playlist&recursive=true&fields=DateCreated,Overview,CanDelete".into(),
        ],
    ));
    samples.extend(reads("/Search/Hints", &["/Search/Hints?searchTerm=a".into()]));
    for (template, tail) in [
        ("/Items/{itemId}/Similar", "/Similar"),
        ("/Items/{itemId}/Ancestors", "/Ancestors"),
        ("/Items/{itemId}/ThemeMedia", "/ThemeMedia"),
    ] {
        samples.extend(reads(template, &[format!("/Items/{film}{tail}"), format!("/Items/{track}{tail}")]));
    }
    samples.extend(reads(
        "/MediaSegments/{itemId}",
        &[format!("/MediaSegments/{film}"), format!("/MediaSegments/{track}")],
    ));
    samples.extend(reads("/Items/{itemId}/Images", &[format!("/Items/{film}/Images")]));
    samples.extend(reads(
        "/Items/{itemId}/PlaybackInfo",
        &[format!("/Items/{film}/PlaybackInfo"), format!("/Items/{track}/PlaybackInfo")],
    ));
    samples.extend(reads(
        "/UserItems/{itemId}/UserData",
        &[format!("/UserItems/{film}/UserData"), format!("/UserItems/{show}/UserData")],
    ));
    samples.extend(reads("/Shows/{seriesId}/Seasons", &[format!("/Shows/{show}/Seasons")]));
    samples.extend(reads("/Shows/{seriesId}/Episodes", &[format!("/Shows/{show}/Episodes?fields={all_fields}")]));
    samples.extend(reads("/Playlists/{playlistId}", &[format!("/Playlists/{playlist}")]));
    samples.extend(reads("/Playlists/{playlistId}/Items", &[format!("/Playlists/{playlist}/Items")]));
    samples.extend(reads("/Playlists/{playlistId}/Users", &[format!("/Playlists/{playlist}/Users")]));
    samples.extend(reads("/Users/{userId}", &[format!("/Users/{}", user_id(UserId(3)))]));
    samples.extend(reads(
        "/DisplayPreferences/{displayPreferencesId}",
        &["/DisplayPreferences/usersettings?client=emby".into()],
    ));
    samples.extend(writes(&film, &show));
    samples
}

fn writes(film: &str, show: &str) -> Vec<SampleRequest> {
    let post = |template, target: String, body: Value| sample(Method::POST, template, target, body);
    vec![
        post("/UserPlayedItems/{itemId}", format!("/UserPlayedItems/{show}"), Value::Null),
        sample(Method::DELETE, "/UserPlayedItems/{itemId}", format!("/UserPlayedItems/{film}"), Value::Null),
        post("/UserFavoriteItems/{itemId}", format!("/UserFavoriteItems/{film}"), Value::Null),
        post("/UserItems/{itemId}/Rating", format!("/UserItems/{film}/Rating?likes=true"), Value::Null),
        post(
            "/UserItems/{itemId}/UserData",
            format!("/UserItems/{film}/UserData"),
            json!({"PlaybackPositionTicks": 10_000_000}),
        ),
        post("/Playlists", "/Playlists".into(), json!({"Name": "Made", "Ids": [film]})),
        post("/Collections", format!("/Collections?name=Made&ids={film}"), Value::Null),
        post("/Users/AuthenticateByName", "/Users/AuthenticateByName".into(), json!({"Username": "sam", "Pw": "sam"})),
        post("/QuickConnect/Initiate", "/QuickConnect/Initiate".into(), Value::Null),
        post("/Items/{itemId}/PlaybackInfo", format!("/Items/{film}/PlaybackInfo"), json!({})),
    ]
}

/// A server with something in every list: one user plays, one subscribed, an item was edited and one added.
async fn lively() -> (JellyfinFixture, String) {
    let server = JellyfinFixture::start().await;
    for label in ["owner-a", "owner-b", "sam", "kim"] {
        server.get("/Users/Me").by(label).expect(200).await;
    }
    let film = server.first(MediaKind::Film);
    let body = json!({"ItemId": film, "PositionTicks": 90_000_000, "IsPaused": true});
    server.post("/Sessions/Playing").by("sam").json(&body).expect(204).await;
    server.post("/Library/Refresh").by("owner-a").expect(204).await;
    server.running().add_film("Added", 2024);
    let tracks: Vec<String> = server.items(MediaKind::Track).into_iter().take(3).map(item_id).collect();
    let body = json!({"Name": "Shared", "Ids": tracks, "Users": [{"UserId": user_id(UserId(2)), "CanEdit": true}]});
    let made = server.post("/Playlists").by("owner-a").json(&body).value().await;
    let playlist = made["Id"].as_str().expect("an id").to_owned();
    (server, playlist)
}

async fn send(server: &JellyfinFixture, sample: &SampleRequest) -> JellyfinTestResponse {
    let asking = server.ask(sample.method.clone(), &sample.target).by("owner-a");
    let got = if sample.body.is_null() { asking.send().await } else { asking.json(&sample.body).send().await };
    assert!(got.status.is_success(), "{} answered {}", sample.target, got.status);
    got
}

#[tokio::test]
async fn every_answer_fits_the_description() {
    let (server, playlist) = lively().await;
    let description = description();
    let mut faults = Vec::new();
    for sample in samples(&server, &playlist) {
        let got = send(&server, &sample).await;
        let value = got.value();
        let found = match &description {
            Some(description) => {
                let method = sample.method.as_str().to_lowercase();
                match description.answer(&method, sample.template, got.status.as_u16()) {
                    Some(schema) => description.faults(schema, &value),
                    None => vec!["the description has no such answer".into()],
                }
            }
            None => missing(sample.template, &value),
        };
        faults.extend(found.into_iter().map(|fault| format!("{} {}: {fault}", sample.method, sample.target)));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    server.leave().await;
}

fn missing(template: &str, value: &Value) -> Vec<String> {
    let wanted = LEAST.iter().find(|(known, _)| *known == template).map_or(&[][..], |(_, fields)| fields);
    wanted.iter().filter(|field| value[**field].is_null()).map(|field| format!("{field} is missing")).collect()
}

/// Refusals have the form of a problem document where the description says so.
#[tokio::test]
async fn problems_fit_the_description() {
    let server = JellyfinFixture::start().await;
    let got = server.get("/Items/0123456789abcdef0123456789abcdef/Ancestors").by("sam").expect(404).await;
    let value = got.value();
    match description() {
        Some(description) => {
            let faults = description.faults(description.named("ProblemDetails"), &value);
            assert!(faults.is_empty(), "{faults:?}");
        }
        None => assert!(value["title"].is_string() && value["status"].is_number()),
    }
    server.leave().await;
}

/// The frames of the socket have the form of their messages in the description.
#[tokio::test]
async fn frames_fit_the_description() {
    let (server, _) = lively().await;
    let address = server.running().address();
    let url = format!("ws://{address}/socket?api_key={}", server.token("owner-a"));
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a socket");
    for topic in ["Sessions", "ScheduledTasksInfo"] {
        let start = json!({"MessageType": format!("{topic}Start"), "Data": "0,60000"});
        socket.send(Message::text(start.to_string())).await.expect("an open socket");
    }
    server.running().add_film("Another", 2024);
    server.post(&format!("/UserPlayedItems/{}", server.first(MediaKind::Show))).by("owner-a").expect(200).await;
    let mut awaited: BTreeSet<&str> =
        ["ForceKeepAlive", "Sessions", "ScheduledTasksInfo", "LibraryChanged", "UserDataChanged"].into();
    let description = description();
    while !awaited.is_empty() {
        let message = patiently(&format!("{awaited:?}"), socket.next()).await;
        let message = message.expect("an open socket").expect("a frame");
        let frame: Value = serde_json::from_str(message.to_text().expect("text")).expect("JSON");
        let kind = frame["MessageType"].as_str().expect("a type");
        let faults = match &description {
            Some(description) => description.faults(description.named(&format!("{kind}Message")), &frame),
            None => missing("frame", &frame),
        };
        assert!(faults.is_empty(), "{kind}: {faults:?}");
        awaited.remove(kind);
    }
    drop(socket);
    server.leave().await;
}

/// Fields of recorded items that come from things the simulated library does not have.
const NOT_HERE: &[&str] = &[
    "NormalizationGain",
    "ParentLogoItemId",
    "ParentLogoImageTag",
    "CumulativeRunTimeTicks",
    "RunTimeTicks",
    "People",
    "Genres",
    "GenreItems",
];

/// Fields that all recorded items of a type have, ours have too.
#[tokio::test]
async fn items_have_the_fields_that_recorded_ones_have() {
    let server = JellyfinFixture::start().await;
    for (prefix, kind, type_name) in [
        ("ma_tracks", MediaKind::Track, "Audio"),
        ("ma_albums", MediaKind::Album, "MusicAlbum"),
        ("ma_artists", MediaKind::Artist, "MusicArtist"),
    ] {
        let ours = server.get(&format!("/Items/{}", server.first(kind))).by("sam").value().await;
        assert_eq!(ours["Type"], type_name);
        let lacking: Vec<String> = recorded_fields(prefix)
            .unwrap_or_else(|| ["Id", "Name", "Type", "UserData", "ImageTags"].map(str::to_owned).into())
            .into_iter()
            .filter(|field| !NOT_HERE.contains(&field.as_str()) && ours.get(field).is_none())
            .collect();
        assert!(lacking.is_empty(), "{type_name} lacks {lacking:?}");
    }
    server.leave().await;
}

/// The fields that all recorded items have whose file name begins with `prefix`.
fn recorded_fields(prefix: &str) -> Option<BTreeSet<String>> {
    let folder = std::fs::read_dir(reference()?.join("fixtures/jellyfin")).ok()?;
    folder
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .filter_map(|text| serde_json::from_str::<Value>(&text).ok())
        .filter_map(|item| Some(item.as_object()?.keys().cloned().collect::<BTreeSet<_>>()))
        .reduce(|one, other| one.intersection(&other).cloned().collect())
}
