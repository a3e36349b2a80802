//! Dependence of Plex responses on the client's device: it is in the key, or the request passes through. A Plex
//! server names no token's account, so that no two tokens share anything; the table holds for one token on two devices.

use greenroom_dialect::classification::{Classification, TokenDependence};

use crate::test_request::get;

/// Part of a request in which the device makes a difference.
#[derive(Debug, PartialEq, Eq)]
enum Device {
    /// Nowhere.
    Nothing,
    /// On what the client can do (`X-Plex-Features`, `X-Plex-Provider-Version`), which is in the key.
    Abilities,
    /// On that and on the client itself (`X-Plex-Client-Identifier`), which is in the key.
    Client,
    /// Everywhere: it passes through.
    Passes,
}

const ROUTES: [(&str, Device); 29] = [
    ("/", Device::Nothing),
    ("/accounts", Device::Nothing),
    ("/devices", Device::Nothing),
    ("/clients", Device::Nothing),
    ("/:/prefs", Device::Nothing),
    ("/activities", Device::Nothing),
    ("/status/sessions", Device::Nothing),
    ("/transcode/sessions", Device::Nothing),
    ("/status/sessions/history/all", Device::Nothing),
    ("/statistics/bandwidth", Device::Nothing),
    ("/media/providers", Device::Abilities),
    ("/library/sections", Device::Nothing),
    ("/library/sections/1/all", Device::Nothing),
    ("/library/sections/1/onDeck", Device::Nothing),
    ("/library/metadata/1", Device::Nothing),
    ("/library/metadata/1/children", Device::Nothing),
    ("/library/onDeck", Device::Nothing),
    ("/hubs", Device::Abilities),
    ("/hubs/promoted", Device::Client),
    ("/hubs/sections/1", Device::Abilities),
    ("/hubs/search", Device::Abilities),
    ("/hubs/continueWatching", Device::Nothing),
    ("/playlists", Device::Nothing),
    ("/playlists/1/items", Device::Nothing),
    ("/playQueues/1", Device::Passes),
    ("/player/timeline/poll", Device::Passes),
    ("/video/:/transcode/universal/decision", Device::Passes),
    ("/hubs/metadata/1/postplay", Device::Passes),
    ("/myplex/account", Device::Passes),
];

#[test]
fn what_depends_on_the_device_is_in_the_key_or_passes_through() {
    for (route, expected) in ROUTES {
        let key = |name: &str, value: &str| match get(route).header(name, value).classification() {
            Classification::Read(read) => {
                assert_eq!(read.token_dependence, TokenDependence::Nothing, "{route}");
                Some(read.key.clone())
            }
            Classification::Stream(_) => None,
            other => panic!("{route}: {other:?}"),
        };
        let varies = |name: &str| key(name, "one") != key(name, "two");
        let found =
            match (key("accept", "application/json"), varies("x-plex-client-identifier"), varies("x-plex-features")) {
                (None, ..) => Device::Passes,
                (_, true, true) => Device::Client,
                (_, false, true) => Device::Abilities,
                (_, false, false) => Device::Nothing,
                (_, true, false) => panic!("{route} depends on the client and not on what it can do"),
            };
        assert_eq!(found, expected, "{route}");
        assert!(!varies("x-plex-session-identifier") && !varies("x-plex-device"), "{route}");
    }
}
