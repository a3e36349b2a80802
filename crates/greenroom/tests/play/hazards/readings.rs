//! At least one read of every request type of both dialects; a type without one fails the suites that go over them.

use std::collections::BTreeSet;

use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Classification, Read};
use greenroom_dialect::request::{RequestView, ServerKind};
use http::{HeaderMap, Method};

pub const PLEX: [&str; 51] = [
    "/",
    "/identity",
    "/accounts",
    "/activities",
    "/butler",
    "/channels/all",
    "/devices",
    "/hubs",
    "/hubs/continueWatching/items",
    "/hubs/home/recentlyAdded?type=1",
    "/hubs/metadata/7/related",
    "/hubs/promoted",
    "/hubs/search?query=a",
    "/hubs/sections/1",
    "/hubs/sections/1/manage",
    "/library",
    "/library/all?type=4",
    "/library/collections/9/items",
    "/library/metadata/7",
    "/library/metadata/7,8,9",
    "/library/metadata/7/allLeaves",
    "/library/metadata/7/children",
    "/library/metadata/7/posters",
    "/library/metadata/7/thumb/1700000000",
    "/library/onDeck",
    "/library/recentlyAdded",
    "/library/sections",
    "/library/sections/1/all?type=1&sort=addedAt:desc",
    "/library/sections/1/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0",
    "/library/sections/1/all?addedAt%3E%3E=5&title%3D=x",
    "/library/sections/1/collections",
    "/library/sections/1/genre",
    "/library/sections/1/search?query=a",
    "/library/sections/1/unwatched",
    "/library/tags?type=1",
    "/livetv/dvrs",
    "/media/providers",
    "/photo/:/transcode?width=10&height=10&url=/library/metadata/7/thumb/1700000000",
    "/playlists",
    "/playlists/5/composite/1700000000",
    "/playlists/5/items",
    "/search?query=a",
    "/statistics/bandwidth?timespan=4",
    "/statistics/resources?timespan=6",
    "/status/sessions",
    "/status/sessions/history/all?sort=viewedAt:desc",
    "/system/agents",
    "/transcode/sessions",
    "/updater/status",
    "/web/js/main.js",
    "/:/prefs",
];

pub const JELLYFIN: [&str; 51] = [
    "/Artists?userId=0123456789abcdef0123456789abcdef",
    "/Branding/Configuration",
    "/Branding/Css",
    "/Channels?limit=3",
    "/Devices",
    "/DisplayPreferences/usersettings?client=emby",
    "/Genres",
    "/Items/0123456789abcdef0123456789abcdef",
    "/Items/0123456789abcdef0123456789abcdef/Ancestors",
    "/Items/0123456789abcdef0123456789abcdef/Collections",
    "/Items/0123456789abcdef0123456789abcdef/Images",
    "/Items/0123456789abcdef0123456789abcdef/Images/Primary",
    "/Items/0123456789abcdef0123456789abcdef/Images/Primary/0?tag=abc&maxWidth=100",
    "/Items/0123456789abcdef0123456789abcdef/Intros",
    "/Items/Counts",
    "/Items/Filters2",
    "/Items/Latest?limit=3",
    "/Items?ids=0123456789abcdef0123456789abcdef",
    "/Items?includeItemTypes=BoxSet&recursive=true",
    "/Items?includeItemTypes=Playlist&recursive=true",
    "/Items?recursive=true&includeItemTypes=Movie&fields=Genres,Path",
    "/Items?recursive=true&limit=0",
    "/Items?searchTerm=a&recursive=true",
    "/Library/MediaFolders",
    "/Library/VirtualFolders",
    "/Localization/Cultures",
    "/Persons/Some%20Body",
    "/Playlists/0123456789abcdef0123456789abcdef/Items?userId=0123456789abcdef0123456789abcdef",
    "/Plugins",
    "/Plugins/0123456789abcdef0123456789abcdef/1.0/Image",
    "/ScheduledTasks",
    "/Search/Hints?searchTerm=a",
    "/Sessions",
    "/Shows/0123456789abcdef0123456789abcdef/Episodes",
    "/Shows/NextUp",
    "/Shows/NextUp?limit=3&nextUpDateCutoff=2026-11-22T08:00:00Z",
    "/Studios",
    "/System/ActivityLog/Entries?limit=3",
    "/System/Endpoint",
    "/System/Info",
    "/System/Info/Public",
    "/System/Info/Storage",
    "/UserImage?userId=0123456789abcdef0123456789abcdef",
    "/UserItems/Resume",
    "/UserViews",
    "/Users",
    "/Users/0123456789abcdef0123456789abcdef/Items?recursive=true",
    "/Users/Me",
    "/Users/Public",
    "/emby/Items?Recursive=true",
    "/user_usage_stats/PlayActivity?days=3",
];

/// Whether a dialect has reads of this request type.
fn has(kind: ServerKind, class: Class) -> bool {
    match kind {
        ServerKind::Plex => !matches!(class, Class::Users | Class::ActivityLog),
        ServerKind::Jellyfin => !matches!(class, Class::LiveStatistics | Class::History),
    }
}

/// Every target of a dialect.
pub fn targets(kind: ServerKind) -> &'static [&'static str] {
    match kind {
        ServerKind::Plex => &PLEX,
        ServerKind::Jellyfin => &JELLYFIN,
    }
}

/// The classified read, if the request is one.
pub fn read(kind: ServerKind, target: &str, headers: &HeaderMap) -> Option<Read> {
    match kind.classify(&RequestView { method: &Method::GET, target, headers, body: &[] }, None) {
        Classification::Read(read) => Some(std::sync::Arc::unwrap_or_clone(read)),
        _ => None,
    }
}

#[test]
fn every_class_has_a_read() {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let read = |target: &&str| {
            read(kind, target, &HeaderMap::new()).unwrap_or_else(|| panic!("{target} is no read")).class
        };
        let seen: BTreeSet<Class> = targets(kind).iter().map(read).collect();
        let wanted: BTreeSet<Class> = Class::EVERY.into_iter().filter(|class| has(kind, *class)).collect();
        assert_eq!(seen, wanted, "{kind:?}");
    }
}
