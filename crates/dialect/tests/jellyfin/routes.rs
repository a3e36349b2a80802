//! Every GET route of the server, 10.10 to 12, and what becomes of it: its request type, or in brackets why it passes
//! through.

use std::sync::Arc;

use greenroom_dialect::classification::{Classification, Read, SharingScope, TokenDependence};
use http::Method;

use super::{ME, classify, got, headers};

/// A route with a value of its kind for each parameter.
fn filled_route(route: &str) -> String {
    let mut target = String::new();
    let mut rest = route;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        target.push_str(before);
        target.push_str(match name {
            "imageType" => "Primary",
            "userId" => "{me}",
            name if name.to_lowercase().ends_with("index") => "1",
            name if name.ends_with("Id") => "{item}",
            _ => "some",
        });
        rest = after;
    }
    target + rest
}

#[test]
fn every_route_of_the_server_has_its_place() {
    let mut others = Vec::new();
    for (route, wanted) in ROUTES {
        let found = match got(&filled_route(route)) {
            Classification::Read(read) => read.class.name().to_owned(),
            Classification::Stream(reason) => format!("({})", reason.name()),
            Classification::Refuse(_) => "(refused)".to_owned(),
            Classification::Write(_) => "(write)".to_owned(),
        };
        if found != wanted {
            others.push(format!("{route} is {found}, not {wanted}"));
        }
    }
    assert_eq!(others, Vec::<String>::new());
}

/// The routes whose rows have counts by the name of the client's app (up to 10.11). The server takes the name from the
/// token where the request names none, and from an API key in any case. Of all others, and where the request names its
/// app and device, tokens of one account get the same: what depends on the device beside this is in the query or the
/// path (`client` of display preferences, `deviceId` of sessions), in the key (the device of `/Users/Public`, the counts
/// of rows by app), or passes through (playback information, capabilities, live television, SyncPlay, instant mixes).
const BY_APP: [&str; 47] = [
    "/Artists",
    "/Artists/AlbumArtists",
    "/Artists/{name}",
    "/Channels",
    "/Channels/{channelId}/Items",
    "/Channels/Items/Latest",
    "/Genres",
    "/Genres/{genreName}",
    "/Items",
    "/Users/{userId}/Items",
    "/UserItems/Resume",
    "/Users/{userId}/Items/Resume",
    "/UserItems/{itemId}/UserData",
    "/Users/{userId}/Items/{itemId}/UserData",
    "/Items/{itemId}/ThemeSongs",
    "/Items/{itemId}/ThemeVideos",
    "/Items/{itemId}/ThemeMedia",
    "/Items/{itemId}/Ancestors",
    "/Items/{itemId}/Collections",
    "/MusicGenres",
    "/MusicGenres/{genreName}",
    "/Persons",
    "/Persons/{name}",
    "/Playlists/{playlistId}/Items",
    "/Studios",
    "/Studios/{name}",
    "/Trailers",
    "/Shows/NextUp",
    "/Shows/Upcoming",
    "/Shows/{seriesId}/Episodes",
    "/Shows/{seriesId}/Seasons",
    "/Items/{itemId}",
    "/Users/{userId}/Items/{itemId}",
    "/Items/Root",
    "/Users/{userId}/Items/Root",
    "/Items/{itemId}/Intros",
    "/Users/{userId}/Items/{itemId}/Intros",
    "/Items/{itemId}/LocalTrailers",
    "/Users/{userId}/Items/{itemId}/LocalTrailers",
    "/Items/{itemId}/SpecialFeatures",
    "/Users/{userId}/Items/{itemId}/SpecialFeatures",
    "/Items/Latest",
    "/Users/{userId}/Items/Latest",
    "/UserViews",
    "/Users/{userId}/Views",
    "/Years",
    "/Years/{year}",
];

#[test]
fn tokens_of_one_account_share_what_does_not_depend_on_their_device() {
    let said = |text: &str| headers(&[("authorization", &format!("MediaBrowser {text}"))]);
    let of = |route: &str, text: &str| -> Option<Arc<Read>> {
        let target = filled_route(route);
        match classify(&Method::GET, &target, &said(text), &[], Some(ME)) {
            Classification::Read(read) if read.sharing == SharingScope::Identity => Some(read),
            _ => None,
        }
    };
    let mut by_app = Vec::new();
    for (route, _) in ROUTES {
        let (Some(named), Some(nameless)) = (of(route, "Client=\"App\", DeviceId=\"d\""), of(route, "Version=\"1\""))
        else {
            continue;
        };
        match (named.token_dependence, nameless.token_dependence) {
            (TokenDependence::Nothing, TokenDependence::Nothing) => {}
            (TokenDependence::KeyName, TokenDependence::Device) => by_app.push(route),
            (TokenDependence::Nothing, TokenDependence::Device) => {
                assert_eq!(route, "/Users/Public", "its users depend on the device");
                assert!(named.key.contains("@d"), "{}", named.key);
            }
            other => panic!("{route}: {other:?}"),
        }
    }
    assert_eq!(by_app, BY_APP);
}

const ROUTES: [(&str, &str); 219] = [
    ("/System/ActivityLog/Entries", "activity-log"),
    ("/Auth/Keys", "(account)"),
    ("/Artists", "lists"),
    ("/Artists/AlbumArtists", "lists"),
    ("/Artists/{name}", "item"),
    ("/Audio/{itemId}/stream", "(media)"),
    ("/Audio/{itemId}/stream.{container}", "(media)"),
    ("/Backup", "(account)"),
    ("/Backup/Manifest", "(account)"),
    ("/Branding/Configuration", "assets"),
    ("/Branding/Css", "assets"),
    ("/Branding/Css.css", "assets"),
    ("/Channels", "lists"),
    ("/Channels/Features", "server"),
    ("/Channels/{channelId}/Features", "server"),
    ("/Channels/{channelId}/Items", "hubs"),
    ("/Channels/Items/Latest", "recent"),
    ("/System/Configuration", "(account)"),
    ("/System/Configuration/{key}", "(account)"),
    ("/System/Configuration/MetadataOptions/Default", "(account)"),
    ("/web/ConfigurationPages", "server"),
    ("/web/ConfigurationPage", "(unknown)"),
    ("/Devices", "users"),
    ("/Devices/Info", "(account)"),
    ("/Devices/Options", "(account)"),
    ("/DisplayPreferences/{displayPreferencesId}", "users"),
    ("/Videos/{itemId}/live.m3u8", "(media)"),
    ("/Videos/{itemId}/master.m3u8", "(media)"),
    ("/Audio/{itemId}/master.m3u8", "(media)"),
    ("/Videos/{itemId}/main.m3u8", "(media)"),
    ("/Audio/{itemId}/main.m3u8", "(media)"),
    ("/Videos/{itemId}/hls1/{playlistId}/{segmentId}.{container}", "(media)"),
    ("/Audio/{itemId}/hls1/{playlistId}/{segmentId}.{container}", "(media)"),
    ("/Environment/DirectoryContents", "(account)"),
    ("/Environment/Drives", "(account)"),
    ("/Environment/ParentPath", "(account)"),
    ("/Environment/DefaultDirectoryBrowser", "(account)"),
    ("/Environment/NetworkShares", "(account)"),
    ("/Items/Filters", "lists"),
    ("/Items/Filters2", "lists"),
    ("/Genres", "lists"),
    ("/Genres/{genreName}", "item"),
    ("/Audio/{itemId}/hls/{segmentId}/stream.mp3", "(media)"),
    ("/Audio/{itemId}/hls/{segmentId}/stream.aac", "(media)"),
    ("/Videos/{itemId}/hls/{playlistId}/stream.m3u8", "(media)"),
    ("/Videos/{itemId}/hls/{playlistId}/{segmentId}.{segmentContainer}", "(media)"),
    ("/Items/{itemId}/Images", "item"),
    ("/Items/{itemId}/Images/{imageType}", "images"),
    ("/Items/{itemId}/Images/{imageType}/{imageIndex}", "images"),
    (
        "/Items/{itemId}/Images/{imageType}/{imageIndex}/{tag}/{format}/{maxWidth}/{maxHeight}/{percentPlayed}/{unplayedCount}",
        "images",
    ),
    ("/Artists/{name}/Images/{imageType}/{imageIndex}", "images"),
    ("/Genres/{name}/Images/{imageType}", "images"),
    ("/Genres/{name}/Images/{imageType}/{imageIndex}", "images"),
    ("/MusicGenres/{name}/Images/{imageType}", "images"),
    ("/MusicGenres/{name}/Images/{imageType}/{imageIndex}", "images"),
    ("/Persons/{name}/Images/{imageType}", "images"),
    ("/Persons/{name}/Images/{imageType}/{imageIndex}", "images"),
    ("/Studios/{name}/Images/{imageType}", "images"),
    ("/Studios/{name}/Images/{imageType}/{imageIndex}", "images"),
    ("/UserImage", "images"),
    ("/Users/{userId}/Images/{imageType}", "images"),
    ("/Users/{userId}/Images/{imageType}/{imageIndex}", "images"),
    ("/Branding/Splashscreen", "assets"),
    ("/Songs/{itemId}/InstantMix", "(moment)"),
    ("/Albums/{itemId}/InstantMix", "(moment)"),
    ("/Playlists/{itemId}/InstantMix", "(moment)"),
    ("/MusicGenres/{name}/InstantMix", "(moment)"),
    ("/Artists/{itemId}/InstantMix", "(moment)"),
    ("/Items/{itemId}/InstantMix", "(moment)"),
    ("/Artists/InstantMix", "(moment)"),
    ("/MusicGenres/InstantMix", "(moment)"),
    ("/Items/{itemId}/ExternalIdInfos", "item"),
    ("/Items/{itemId}/MetadataEditor", "(moment)"),
    ("/Items", "lists"),
    ("/Users/{userId}/Items", "lists"),
    ("/UserItems/Resume", "resume"),
    ("/Users/{userId}/Items/Resume", "resume"),
    ("/UserItems/{itemId}/UserData", "item"),
    ("/Users/{userId}/Items/{itemId}/UserData", "item"),
    ("/Items/{itemId}/File", "(media)"),
    ("/Items/{itemId}/ThemeSongs", "item"),
    ("/Items/{itemId}/ThemeVideos", "item"),
    ("/Items/{itemId}/ThemeMedia", "item"),
    ("/Items/Counts", "counts"),
    ("/Items/{itemId}/Ancestors", "item"),
    ("/Library/PhysicalPaths", "sections"),
    ("/Library/MediaFolders", "sections"),
    ("/Items/{itemId}/Download", "(media)"),
    ("/Items/{itemId}/Collections", "collections"),
    ("/Artists/{itemId}/Similar", "(moment)"),
    ("/Items/{itemId}/Similar", "(moment)"),
    ("/Albums/{itemId}/Similar", "(moment)"),
    ("/Shows/{itemId}/Similar", "(moment)"),
    ("/Movies/{itemId}/Similar", "(moment)"),
    ("/Trailers/{itemId}/Similar", "(moment)"),
    ("/Libraries/AvailableOptions", "server"),
    ("/Library/VirtualFolders", "sections"),
    ("/LiveTv/Info", "(moment)"),
    ("/LiveTv/Channels", "(moment)"),
    ("/LiveTv/Channels/{channelId}", "(moment)"),
    ("/LiveTv/Recordings", "(moment)"),
    ("/LiveTv/Recordings/Groups/{groupId}", "(moment)"),
    ("/LiveTv/Recordings/Series", "(moment)"),
    ("/Items/{itemId}/CriticReviews", "item"),
    ("/Tmdb/ClientConfiguration", "(unknown)"),
    ("/LiveTv/Recordings/Groups", "(moment)"),
    ("/LiveTv/Recordings/Folders", "(moment)"),
    ("/LiveTv/Recordings/{recordingId}", "(moment)"),
    ("/LiveTv/Timers/{timerId}", "(moment)"),
    ("/LiveTv/Timers/Defaults", "(moment)"),
    ("/LiveTv/Timers", "(moment)"),
    ("/LiveTv/Programs", "(moment)"),
    ("/LiveTv/Programs/Recommended", "(moment)"),
    ("/LiveTv/Programs/{programId}", "(moment)"),
    ("/LiveTv/SeriesTimers/{timerId}", "(moment)"),
    ("/LiveTv/SeriesTimers", "(moment)"),
    ("/LiveTv/GuideInfo", "(moment)"),
    ("/LiveTv/ListingProviders/Default", "(moment)"),
    ("/LiveTv/ListingProviders/Lineups", "(moment)"),
    ("/LiveTv/ListingProviders/SchedulesDirect/Countries", "(moment)"),
    ("/LiveTv/ChannelMappingOptions", "(moment)"),
    ("/LiveTv/TunerHosts/Types", "(moment)"),
    ("/LiveTv/Tuners/Discvover", "(moment)"),
    ("/LiveTv/Tuners/Discover", "(moment)"),
    ("/LiveTv/LiveRecordings/{recordingId}/stream", "(media)"),
    ("/LiveTv/LiveStreamFiles/{streamId}/stream.{container}", "(media)"),
    ("/Localization/Cultures", "assets"),
    ("/Localization/Countries", "assets"),
    ("/Localization/ParentalRatings", "assets"),
    ("/Localization/Options", "assets"),
    ("/Audio/{itemId}/Lyrics", "item"),
    ("/Audio/{itemId}/RemoteSearch/Lyrics", "(media)"),
    ("/Providers/Lyrics/{lyricId}", "(unknown)"),
    ("/Items/{itemId}/PlaybackInfo", "(moment)"),
    ("/Playback/BitrateTest", "(media)"),
    ("/MediaSegments/{itemId}", "item"),
    ("/Movies/Recommendations", "(moment)"),
    ("/MusicGenres", "lists"),
    ("/MusicGenres/{genreName}", "item"),
    ("/Packages/{name}", "server"),
    ("/Packages", "server"),
    ("/Repositories", "server"),
    ("/Persons", "lists"),
    ("/Persons/{name}", "item"),
    ("/Playlists/{playlistId}", "playlists"),
    ("/Playlists/{playlistId}/Users", "playlists"),
    ("/Playlists/{playlistId}/Users/{userId}", "playlists"),
    ("/Playlists/{playlistId}/Items", "playlists"),
    ("/Plugins", "server"),
    ("/Plugins/{pluginId}/Configuration", "(account)"),
    ("/Plugins/{pluginId}/{version}/Image", "assets"),
    ("/QuickConnect/Enabled", "server"),
    ("/QuickConnect/Connect", "(account)"),
    ("/Items/{itemId}/RemoteImages", "(moment)"),
    ("/Items/{itemId}/RemoteImages/Providers", "(moment)"),
    ("/ScheduledTasks", "activities"),
    ("/ScheduledTasks/{taskId}", "activities"),
    ("/Search/Hints", "search"),
    ("/Sessions", "sessions"),
    ("/Auth/Providers", "(account)"),
    ("/Auth/PasswordResetProviders", "(account)"),
    ("/Startup/Configuration", "(refused)"),
    ("/Startup/User", "(refused)"),
    ("/Startup/FirstUser", "(refused)"),
    ("/Studios", "lists"),
    ("/Studios/{name}", "item"),
    ("/Items/{itemId}/RemoteSearch/Subtitles/{language}", "(moment)"),
    ("/Providers/Subtitles/Subtitles/{subtitleId}", "(unknown)"),
    ("/Videos/{routeItemId}/{routeMediaSourceId}/Subtitles/{routeIndex}/Stream.{routeFormat}", "(media)"),
    (
        "/Videos/{routeItemId}/{routeMediaSourceId}/Subtitles/{routeIndex}/{routeStartPositionTicks}/Stream.{routeFormat}",
        "(media)",
    ),
    ("/Videos/{itemId}/{mediaSourceId}/Subtitles/{index}/subtitles.m3u8", "(media)"),
    ("/FallbackFont/Fonts", "(media)"),
    ("/FallbackFont/Fonts/{name}", "(media)"),
    ("/Items/Suggestions", "(moment)"),
    ("/Users/{userId}/Suggestions", "(moment)"),
    ("/SyncPlay/List", "(moment)"),
    ("/SyncPlay/{id:guid}", "(moment)"),
    ("/System/Info", "server"),
    ("/System/Info/Storage", "statistics"),
    ("/System/Info/Public", "identity"),
    ("/System/Ping", "(moment)"),
    ("/System/Logs", "(account)"),
    ("/System/Endpoint", "server"),
    ("/System/Logs/Log", "(account)"),
    ("/GetUtcTime", "(moment)"),
    ("/Trailers", "lists"),
    ("/Videos/{itemId}/Trickplay/{width}/tiles.m3u8", "(media)"),
    ("/Videos/{itemId}/Trickplay/{width}/{index}.jpg", "(media)"),
    ("/Shows/NextUp", "hubs"),
    ("/Shows/Upcoming", "hubs"),
    ("/Shows/{seriesId}/Episodes", "lists"),
    ("/Shows/{seriesId}/Seasons", "lists"),
    ("/Audio/{itemId}/universal", "(media)"),
    ("/Users", "users"),
    ("/Users/Public", "assets"),
    ("/Users/{userId}", "users"),
    ("/Users/Me", "users"),
    ("/Items/{itemId}", "item"),
    ("/Users/{userId}/Items/{itemId}", "item"),
    ("/Items/Root", "item"),
    ("/Users/{userId}/Items/Root", "item"),
    ("/Items/{itemId}/Intros", "item"),
    ("/Users/{userId}/Items/{itemId}/Intros", "item"),
    ("/Items/{itemId}/LocalTrailers", "item"),
    ("/Users/{userId}/Items/{itemId}/LocalTrailers", "item"),
    ("/Items/{itemId}/SpecialFeatures", "item"),
    ("/Users/{userId}/Items/{itemId}/SpecialFeatures", "item"),
    ("/Items/Latest", "recent"),
    ("/Users/{userId}/Items/Latest", "recent"),
    ("/UserViews", "sections"),
    ("/Users/{userId}/Views", "sections"),
    ("/UserViews/GroupingOptions", "sections"),
    ("/Users/{userId}/GroupingOptions", "sections"),
    ("/Videos/{videoId}/{mediaSourceId}/Attachments/{index}", "(media)"),
    ("/Videos/{itemId}/AdditionalParts", "(media)"),
    ("/Videos/{itemId}/stream", "(media)"),
    ("/Videos/{itemId}/stream.{container}", "(media)"),
    ("/Years", "lists"),
    ("/Years/{year}", "item"),
];
