//! Probe reads of a Plex server.

use super::rows::ProbeRow;
use super::{ProbeFormat, ReadProbe};

/// The first rows of a list.
const PAGE: &str = "X-Plex-Container-Start=0&X-Plex-Container-Size=20";
/// Reads that every server answers.
const EVERYWHERE: [&str; 27] = [
    "/library/sections",
    "/identity",
    "/",
    "/library",
    "/library/recentlyAdded?X-Plex-Container-Start=0&X-Plex-Container-Size=20",
    "/library/onDeck",
    "/hubs",
    "/hubs/promoted",
    "/hubs/continueWatching/items",
    "/hubs/home/recentlyAdded?type=1",
    "/hubs/search?query=a&limit=5",
    "/search?query=a",
    "/playlists",
    "/playlists?playlistType=audio",
    "/status/sessions",
    "/status/sessions/history/all?sort=viewedAt:desc&X-Plex-Container-Start=0&X-Plex-Container-Size=20",
    "/activities",
    "/accounts",
    "/devices",
    "/butler",
    "/channels/all",
    "/clients",
    "/servers",
    "/system/agents",
    "/media/providers",
    "/updater/status",
    "/statistics/bandwidth?timespan=3",
];

pub(super) fn first() -> Vec<ReadProbe> {
    EVERYWHERE.into_iter().map(|target| ReadProbe::new("server", ProbeFormat::Json, target.to_owned())).collect()
}

pub(super) fn further_probes(target: &str, rows: &[ProbeRow]) -> Vec<ReadProbe> {
    rows.iter()
        .flat_map(|row| match row.kind.strip_prefix("section/") {
            Some(kind) if target == "/library/sections" => of_section(&row.id, kind),
            Some(_) => Vec::new(),
            None => of_item(row),
        })
        .collect()
}

fn of_section(id: &str, kind: &str) -> Vec<ReadProbe> {
    let mut probes = Vec::new();
    let mut add = |category, rest: &str| {
        probes.push(ReadProbe::new(category, ProbeFormat::Json, format!("/library/sections/{id}{rest}")));
    };
    for number in numbers(kind) {
        add("lists", &format!("/all?type={number}&{PAGE}"));
        add("counts", &format!("/all?type={number}&X-Plex-Container-Start=0&X-Plex-Container-Size=0"));
        add("pages", &format!("/all?type={number}&X-Plex-Container-Start=20&X-Plex-Container-Size=20"));
        add("newest", &format!("/all?type={number}&sort=addedAt:desc&{PAGE}"));
        add("guids", &format!("/all?type={number}&includeGuids=1&{PAGE}"));
        add("searches", &format!("/all?type={number}&title=a&{PAGE}"));
    }
    for rest in ["", "/collections", "/onDeck", "/genre", "/year", "/firstCharacter"] {
        add("sections", rest);
    }
    add("newest", &format!("/recentlyAdded?{PAGE}"));
    probes.push(ReadProbe::new("hubs", ProbeFormat::Json, format!("/hubs/sections/{id}")));
    probes
}

/// Item types of a section.
fn numbers(kind: &str) -> &'static [u8] {
    match kind {
        "movie" => &[1],
        "show" => &[2, 3, 4],
        "artist" => &[8, 9, 10],
        _ => &[],
    }
}

fn of_item(row: &ProbeRow) -> Vec<ReadProbe> {
    let id = &row.id;
    if !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let json = |category, target: String| ReadProbe::new(category, ProbeFormat::Json, target);
    let mut probes = match row.kind.as_str() {
        "playlist" => {
            vec![json("playlists", format!("/playlists/{id}")), json("playlists", format!("/playlists/{id}/items"))]
        }
        "collection" => vec![json("collections", format!("/library/collections/{id}/children"))],
        _ => vec![
            json("items", format!("/library/metadata/{id}")),
            json("related", format!("/library/metadata/{id}/related")),
        ],
    };
    if matches!(row.kind.as_str(), "show" | "season" | "artist" | "album") {
        probes.push(json("children", format!("/library/metadata/{id}/children")));
    }
    if matches!(row.kind.as_str(), "show" | "artist") {
        probes.push(json("leaves", format!("/library/metadata/{id}/allLeaves")));
    }
    for picture in row.pictures.iter().filter(|path| path.starts_with("/library/")) {
        probes.push(ReadProbe::new("pictures", ProbeFormat::Any, picture.clone()));
        let scaled = format!("/photo/:/transcode?width=120&height=180&minSize=1&url={}", picture.replace('/', "%2F"));
        probes.push(ReadProbe::new("scaled pictures", ProbeFormat::Any, scaled));
    }
    probes
}
