//! The shapes of a simulated Plex against those of real ones.
//!
//! The built-in lists name the fields that clients read. Where `GREENROOM_REFERENCE` names a folder with recorded
//! answers (`fixtures/plex/…`), every field of those must be told as well, with the same type, unless it is listed
//! here as one that depends on the item or the server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "plex/harness.rs"]
mod harness;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use harness::{PlexFixture, XmlElement, rows};

/// Type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldType {
    Text,
    Number,
    Flag,
    List,
    Object,
}

fn type_of(value: &Value) -> FieldType {
    match value {
        Value::String(_) | Value::Null => FieldType::Text,
        Value::Number(_) => FieldType::Number,
        Value::Bool(_) => FieldType::Flag,
        Value::Array(_) => FieldType::List,
        Value::Object(_) => FieldType::Object,
    }
}

/// Fields by the way to them: `Metadata[movie].Media.Part.key`. Rows of one kind are taken together.
type FieldTypes = BTreeMap<String, Vec<FieldType>>;

fn shape_of(value: &Value) -> FieldTypes {
    let mut shape = FieldTypes::new();
    add(&mut shape, "", value);
    shape
}

fn add(shape: &mut FieldTypes, way: &str, value: &Value) {
    let Some(fields) = value.as_object() else { return };
    for (name, value) in fields {
        let here = if way.is_empty() { name.clone() } else { format!("{way}.{name}") };
        let types = shape.entry(here.clone()).or_default();
        if !types.contains(&type_of(value)) {
            types.push(type_of(value));
        }
        match value {
            Value::Array(list) => {
                for row in list {
                    let kind = row["type"].as_str().filter(|_| name == "Metadata");
                    add(shape, &kind.map_or(here.clone(), |kind| format!("{here}[{kind}]")), row);
                }
            }
            Value::Object(_) => add(shape, &here, value),
            _ => {}
        }
    }
}

/// The way XML leads to its fields; their types do not show there.
fn field_paths(element: &XmlElement) -> Vec<String> {
    fn walk(ways: &mut Vec<String>, way: &str, element: &XmlElement) {
        for (name, _) in &element.fields {
            ways.push(format!("{way}@{name}"));
        }
        for child in &element.children {
            let kind = child.get("type").filter(|_| child.get("ratingKey").is_some());
            let name = kind.map_or(child.name.clone(), |kind| format!("{}[{kind}]", child.name));
            walk(ways, &format!("{way}/{name}"), child);
        }
    }
    let mut ways = Vec::new();
    walk(&mut ways, "", element);
    ways.sort();
    ways.dedup();
    ways
}

/// A server on which everything there is to show is shown.
async fn lively() -> PlexFixture {
    let server = PlexFixture::with(|options| {
        options.size.films = 200;
        options.size.tracks = 600;
        options.plays_per_user = 400;
        options.switches.scan_takes = Duration::from_hours(1);
    })
    .await;
    server.put("/:/rate?key=1&rating=8").send().await;
    server.get("/:/progress?key=1&time=60000&state=stopped").send().await;
    server.get("/:/scrobble?key=1").send().await;
    server.get("/:/progress?key=1&time=60000&state=stopped").send().await;
    server.put("/library/sections/1/all?type=1&id=1&collection%5B0%5D.tag.tag=Shelf").send().await;
    server.get("/:/timeline?ratingKey=1&state=playing&time=5").send().await;
    server.get("/library/sections/1/refresh").send().await;
    for list in ["/library/sections/2/all?type=2", "/library/sections/3/all?type=8"] {
        let first = rows(&server.json(list).await)[0]["ratingKey"].as_str().unwrap().to_owned();
        server.get(&format!("/:/scrobble?key={first}")).send().await;
    }
    for playlist in rows(&server.json("/playlists").await) {
        let key = playlist["ratingKey"].as_str().unwrap();
        assert_eq!(server.get(&format!("/playlists/{key}/items")).status().await, 200);
    }
    server
}

/// Reads of clients: path, way, fields with their types (t text, n number, f flag, l list, o object).
const READ: [(&str, &str, &str); 26] = [
    (
        "/",
        "",
        "size:n machineIdentifier:t friendlyName:t version:t apiVersion:t myPlex:f platform:t updatedAt:n \
               transcoderActiveVideoSessions:n eventStream:f Directory:l",
    ),
    ("/identity", "", "size:n claimed:f machineIdentifier:t version:t apiVersion:t"),
    (
        "/library/sections",
        "Directory",
        "key:t type:t title:t agent:t scanner:t language:t uuid:t updatedAt:n \
               createdAt:n scannedAt:n content:f directory:f contentChangedAt:n hidden:n refreshing:f filters:f \
               composite:t art:t thumb:t allowSync:f Location:l Location.id:n Location.path:t",
    ),
    (
        "/library/sections/1/all?includeGuids=1&X-Plex-Container-Start=0&X-Plex-Container-Size=500",
        "",
        "size:n totalSize:n offset:n allowSync:f librarySectionID:n librarySectionTitle:t librarySectionUUID:t \
         viewGroup:t title1:t title2:t mediaTagVersion:n identifier:t",
    ),
    (
        "/library/sections/1/all?includeGuids=1",
        "Metadata[movie]",
        "ratingKey:t key:t guid:t type:t title:t \
               titleSort:t summary:t year:n thumb:t art:t duration:n addedAt:n updatedAt:n originallyAvailableAt:t \
               viewCount:n viewOffset:n lastViewedAt:n userRating:n rating:n audienceRating:n contentRating:t \
               studio:t Genre:l Genre.tag:t Country:l Director:l Writer:l Role:l Collection:l Guid:l Guid.id:t \
               Media:l Media.id:n Media.duration:n Media.bitrate:n Media.width:n Media.height:n Media.audioCodec:t \
               Media.videoCodec:t Media.videoResolution:t Media.container:t Media.Part:l Media.Part.id:n \
               Media.Part.key:t Media.Part.file:t Media.Part.size:n Media.Part.duration:n",
    ),
    (
        "/library/metadata/1",
        "Metadata[movie]",
        "librarySectionID:n librarySectionKey:t librarySectionTitle:t \
               Rating:l Image:l Genre.id:n Genre.filter:t Role.role:t Media.Part.Stream:l \
               Media.Part.Stream.streamType:n Media.Part.Stream.codec:t Media.Part.Stream.selected:f",
    ),
    (
        "/library/sections/2/all?type=2",
        "Metadata[show]",
        "ratingKey:t key:t leafCount:n viewedLeafCount:n \
               childCount:n index:n theme:t viewCount:n lastViewedAt:n",
    ),
    (
        "/library/sections/2/all?type=3",
        "Metadata[season]",
        "parentRatingKey:t parentKey:t parentTitle:t \
               parentGuid:t parentThumb:t index:n parentIndex:n leafCount:n viewedLeafCount:n",
    ),
    (
        "/library/sections/2/all?type=4",
        "Metadata[episode]",
        "parentRatingKey:t grandparentRatingKey:t parentKey:t \
               grandparentKey:t parentTitle:t grandparentTitle:t grandparentGuid:t parentGuid:t index:n parentIndex:n \
               grandparentThumb:t grandparentArt:t parentThumb:t originallyAvailableAt:t Media:l",
    ),
    ("/library/sections/3/all?type=8", "Metadata[artist]", "ratingKey:t key:t title:t index:n Genre:l"),
    (
        "/library/sections/3/all?type=9",
        "Metadata[album]",
        "parentRatingKey:t parentTitle:t leafCount:n year:n \
               studio:t originallyAvailableAt:t",
    ),
    (
        "/library/sections/3/all?type=10",
        "Metadata[track]",
        "ratingKey:t title:t parentTitle:t grandparentTitle:t \
               parentRatingKey:t grandparentRatingKey:t index:n parentIndex:n duration:n ratingCount:n Media:l \
               Media.Part.file:t",
    ),
    ("/library/sections/1/collections", "Metadata[collection]", "ratingKey:t key:t title:t subtype:t childCount:t"),
    ("/library/metadata/201/children", "", "key:t parentTitle:t parentIndex:n nocache:f title1:t title2:t Directory:l"),
    (
        "/hubs",
        "Hub",
        "hubKey:t key:t title:t type:t hubIdentifier:t context:t size:n more:f style:t promoted:f \
               Metadata:l",
    ),
    ("/hubs/search?query=the", "Hub", "type:t hubIdentifier:t size:n title:t Metadata:l"),
    (
        "/playlists",
        "Metadata[playlist]",
        "ratingKey:t key:t guid:t title:t summary:t smart:f playlistType:t \
               composite:t duration:n leafCount:n addedAt:n updatedAt:n",
    ),
    (
        "/status/sessions",
        "Metadata[movie]",
        "sessionKey:t viewOffset:n User:o User.id:t User.title:t Player:o \
               Player.state:t Player.title:t Player.product:t Player.platform:t Player.machineIdentifier:t \
               Player.address:t Player.local:f Session:o Session.id:t Session.bandwidth:n Session.location:t",
    ),
    (
        "/status/sessions/history/all",
        "Metadata[track]",
        "historyKey:t key:t ratingKey:t librarySectionID:t title:t \
               parentTitle:t grandparentTitle:t thumb:t viewedAt:n accountID:n deviceID:n",
    ),
    (
        "/accounts",
        "Account",
        "id:n key:t name:t defaultAudioLanguage:t autoSelectAudio:f \
               defaultSubtitleLanguage:t subtitleMode:n thumb:t",
    ),
    ("/devices", "Device", "id:n name:t platform:t clientIdentifier:t createdAt:n"),
    ("/activities", "Activity", "uuid:t type:t cancellable:f userID:n title:t subtitle:t progress:n Context:o"),
    ("/butler", "ButlerTasks.ButlerTask", "name:t interval:n scheduleRandomized:f enabled:f title:t description:t"),
    ("/:/prefs", "Setting", "id:t label:t summary:t type:t hidden:f advanced:f group:t"),
    (
        "/statistics/resources",
        "StatisticsResources",
        "timespan:n at:n hostCpuUtilization:n \
               processCpuUtilization:n hostMemoryUtilization:n processMemoryUtilization:n",
    ),
    (
        "/statistics/bandwidth?timespan=3",
        "StatisticsBandwidth",
        "accountID:n deviceID:n timespan:n at:n lan:f \
               bytes:n",
    ),
];

#[tokio::test]
async fn everything_clients_read_is_told() {
    let server = lively().await;
    let mut missing = Vec::new();
    for (path, way, fields) in READ {
        let shape = shape_of(&server.json(path).await);
        for field in fields.split_whitespace() {
            let (name, letter) = field.split_once(':').unwrap();
            let wanted = match letter {
                "t" => FieldType::Text,
                "n" => FieldType::Number,
                "f" => FieldType::Flag,
                "l" => FieldType::List,
                _ => FieldType::Object,
            };
            let here = if way.is_empty() { name.to_owned() } else { format!("{way}.{name}") };
            if shape.get(&here).is_none_or(|types| *types != [wanted]) {
                missing.push(format!("{path}: {here} is {:?}, not {wanted:?}", shape.get(&here)));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    server.done().await;
}

/// Recorded answers and what to compare them with.
const RECORDED_JSON: [(&str, &str, &str); 9] = [
    ("watchstate_plex_data.json", "/sections_get_200/response/body/MediaContainer", "/library/sections"),
    (
        "watchstate_plex_data.json",
        "/library_movie_get_200/response/body/MediaContainer",
        "/library/sections/1/all?includeGuids=1&X-Plex-Container-Start=0&X-Plex-Container-Size=500",
    ),
    (
        "watchstate_plex_data.json",
        "/library_show_get_200/response/body/MediaContainer",
        "/library/sections/2/all?includeGuids=1&X-Plex-Container-Start=0&X-Plex-Container-Size=500",
    ),
    (
        "watchstate_plex_data.json",
        "/library_episodes_get_200/response/body/MediaContainer",
        "/library/sections/2/all?type=4&includeGuids=1&X-Plex-Container-Start=0&X-Plex-Container-Size=500",
    ),
    ("plexapirs_server_media_movie_library.json", "/MediaContainer", "/library/sections/1/all"),
    ("plexapirs_server_media_tv_seasons.json", "/MediaContainer", "/library/metadata/201/children"),
    ("plexapirs_server_media_music_albums.json", "/MediaContainer", "an artist's children"),
    ("plexapirs_transcode_metadata_157786.json", "/MediaContainer", "a track"),
    ("plexapirs_server_prefs.json", "/MediaContainer", "/:/prefs"),
];

const RECORDED_XML: [(&str, &str); 14] = [
    ("pms1.43.2_root.xml", "/"),
    ("pms1.43.2_identity.xml", "/identity"),
    ("pms1.43.2_library.xml", "/library"),
    ("pms1.43.2_library_sections.xml", "/library/sections"),
    ("pms1.43.2_accounts.xml", "/accounts"),
    ("pms1.43.2_devices.xml", "/devices"),
    ("pms1.43.2_servers.xml", "/servers"),
    ("pms1.43.2_activities.xml", "/activities"),
    ("pms1.43.2_butler.xml", "/butler"),
    ("pms1.43.2_updater_status.xml", "/updater/status"),
    ("ha_playlists.xml", "/playlists"),
    ("ha_session_base.xml", "/status/sessions"),
    ("ha_show_seasons.xml", "/library/metadata/201/children"),
    (
        "ha_library_movies_filtertypes.xml",
        "/library/sections/1/all?includeMeta=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0",
    ),
];

/// Fields that real servers tell of some items or on some machines only, as parts of the way to it.
const SOMETIMES: [(&str, &str); 12] = [
    ("primaryExtraKey", "films with extras"),
    ("hasPremiumPrimaryExtra", "films with extras"),
    ("originalTitle", "foreign titles"),
    ("skipChildren", "shows of a single season that was asked to be hidden"),
    ("Mood", "music that was analysed"),
    ("track].Media.Part.Stream", "music that was analysed, and lyrics"),
    ("Producer", "films whose producers are known"),
    ("@count", "tags in answers to older clients"),
    ("Role@thumb", "people whose pictures are known"),
    ("/Playlist[playlist]@", "playlists that were played"),
    ("/Video[movie]/Media", "sessions that are transcoded"),
    ("/Video[movie]/Player@", "players that tell their maker"),
];

fn sometimes(way: &str) -> bool {
    SOMETIMES.iter().any(|(part, _)| way.contains(part))
}

fn reference() -> Option<PathBuf> {
    std::env::var_os("GREENROOM_REFERENCE").map(PathBuf::from).filter(|folder| folder.join("fixtures/plex").is_dir())
}

async fn target(server: &PlexFixture, named: &str) -> String {
    let first = async |list: &str| rows(&server.json(list).await)[0]["ratingKey"].as_str().unwrap().to_owned();
    match named {
        "an artist's children" => {
            format!("/library/metadata/{}/children", first("/library/sections/3/all").await)
        }
        "a track" => format!("/library/metadata/{}", first("/library/sections/3/all?type=10").await),
        path => path.to_owned(),
    }
}

#[tokio::test]
async fn everything_that_was_recorded_is_told_where_recordings_are_at_hand() {
    let Some(folder) = reference() else { return };
    let server = lively().await;
    let read = |name: &str| std::fs::read(folder.join("fixtures/plex").join(name)).unwrap();
    let mut missing = Vec::new();
    for (file, pointer, named) in RECORDED_JSON {
        let recorded: Value = serde_json::from_slice(&read(file)).unwrap();
        let wanted = shape_of(recorded.pointer(pointer).unwrap());
        let told = shape_of(&server.json(&target(&server, named).await).await);
        for (way, types) in wanted {
            let own = told.get(&way).map_or(&[][..], Vec::as_slice);
            if !types.iter().all(|one| own.contains(one)) && !sometimes(&way) {
                missing.push(format!("{file} {named}: {way} is {own:?}, not {types:?}"));
            }
        }
    }
    for (file, path) in RECORDED_XML {
        let wanted = field_paths(&XmlElement::parse(&read(file)));
        let told = field_paths(&server.get(path).xml().await);
        for way in wanted {
            if !told.contains(&way) && !sometimes(&way) {
                missing.push(format!("{file} {path}: {way}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    server.done().await;
}
