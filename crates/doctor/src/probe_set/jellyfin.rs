//! Probe reads of a Jellyfin server.

use serde_json::Value;

use super::rows::ProbeRow;
use super::{ProbeFormat, ReadProbe};

/// Reads that every server answers.
const EVERYWHERE: [&str; 22] = [
    "/Users/Me",
    "/Users",
    "/System/Info/Public",
    "/System/Info",
    "/UserViews",
    "/Items/Counts",
    "/Items/Latest?limit=20",
    "/UserItems/Resume?limit=20",
    "/Shows/NextUp?limit=20",
    "/Library/VirtualFolders",
    "/Library/MediaFolders",
    "/Genres?limit=20",
    "/Studios?limit=20",
    "/Persons?limit=20",
    "/Artists?limit=20",
    "/Artists/AlbumArtists?limit=20",
    "/Search/Hints?searchTerm=a&limit=10",
    "/Sessions",
    "/ScheduledTasks",
    "/System/ActivityLog/Entries?startIndex=0&limit=20",
    "/Branding/Configuration",
    "/Localization/Options",
];
/// Item types for lists.
const TYPES: [&str; 9] =
    ["Movie", "Series", "Season", "Episode", "Audio", "MusicAlbum", "MusicArtist", "Playlist", "BoxSet"];

pub(super) fn first() -> Vec<ReadProbe> {
    let everywhere = EVERYWHERE.into_iter().map(|target| json("server", target.to_owned()));
    everywhere.chain(TYPES.iter().flat_map(|of_type| lists(of_type, ""))).collect()
}

/// The user to read for, from the response to `/Users/Me` or, because an API key has no user, to the list of
/// users.
pub(super) fn user_in(target: &str, body: &Value) -> Option<String> {
    let user = match target {
        "/Users/Me" => Some(body),
        "/Users" => body.get(0),
        _ => None,
    }?;
    user.get("Id").and_then(Value::as_str).filter(|id| is_id(id)).map(str::to_owned)
}

/// Reads for a user, including legacy paths.
pub(super) fn of_user(user: &str) -> Vec<ReadProbe> {
    let mut probes = vec![
        json("user", format!("/Users/{user}")),
        json("user", format!("/UserViews?userId={user}")),
        json("old paths", format!("/Users/{user}/Views")),
        json("old paths", format!("/Users/{user}/Items/Resume?Limit=20")),
        json("old paths", format!("/Users/{user}/Items/Latest?Limit=20")),
    ];
    for of_type in TYPES {
        let target = format!("/Users/{user}/Items?Recursive=true&IncludeItemTypes={of_type}&StartIndex=0&Limit=20");
        probes.push(json("old paths", target));
        probes.extend(lists(of_type, &format!("&userId={user}")));
    }
    probes
}

pub(super) fn further_probes(rows: &[ProbeRow], user: Option<&str>) -> Vec<ReadProbe> {
    rows.iter().filter(|row| is_id(&row.id)).flat_map(|row| of_item(row, user)).collect()
}

fn lists(of_type: &str, user: &str) -> Vec<ReadProbe> {
    let list = |category, rest: &str| {
        json(category, format!("/Items?recursive=true&includeItemTypes={of_type}&startIndex=0&limit=20{rest}{user}"))
    };
    vec![
        list("lists", "&sortBy=SortName"),
        list("newest", "&sortBy=DateCreated&sortOrder=Descending"),
        list("fields", "&fields=Path,ProviderIds,Genres&enableUserData=true"),
        json("counts", format!("/Items?recursive=true&includeItemTypes={of_type}&limit=0{user}")),
    ]
}

fn of_item(row: &ProbeRow, user: Option<&str>) -> Vec<ReadProbe> {
    let id = &row.id;
    let name = |mark: &str| user.map(|user| format!("{mark}userId={user}")).unwrap_or_default();
    let mut probes = match row.kind.as_str() {
        "CollectionFolder" | "UserView" => {
            return vec![
                json("libraries", format!("/Items/{id}{}", name("?"))),
                json("libraries", format!("/Items?parentId={id}&startIndex=0&limit=20{}", name("&"))),
                json("newest", format!("/Items/Latest?parentId={id}&limit=20{}", name("&"))),
            ];
        }
        "Series" => vec![
            json("children", format!("/Shows/{id}/Seasons{}", name("?"))),
            json("leaves", format!("/Shows/{id}/Episodes?startIndex=0&limit=20{}", name("&"))),
        ],
        "Playlist" => {
            vec![json("playlists", format!("/Playlists/{id}/Items?startIndex=0&limit=20{}", name("&")))]
        }
        "Season" | "MusicAlbum" | "MusicArtist" | "BoxSet" => {
            vec![json("children", format!("/Items?parentId={id}&limit=20{}", name("&")))]
        }
        "Movie" | "Episode" | "Audio" => Vec::new(),
        _ => return Vec::new(),
    };
    probes.push(json("items", format!("/Items/{id}{}", name("?"))));
    probes.push(json("ancestors", format!("/Items/{id}/Ancestors{}", name("?"))));
    for tag in row.pictures.iter().filter(|tag| is_id(tag)) {
        probes.push(ReadProbe::new("pictures", ProbeFormat::Any, format!("/Items/{id}/Images/Primary?tag={tag}")));
        let scaled = format!("/Items/{id}/Images/Primary?maxWidth=120&quality=90&tag={tag}");
        probes.push(ReadProbe::new("scaled pictures", ProbeFormat::Any, scaled));
    }
    probes
}

fn json(category: &'static str, target: String) -> ReadProbe {
    ReadProbe::new(category, ProbeFormat::Json, target)
}

/// Whether the text is letters and digits, like ids and tags; anything else is not put into a path.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
