//! `/`: identity and capabilities of the server.

use super::container;
use crate::node::Node;
use crate::request::PlexReadRequest;
use crate::server::{API_VERSION, VERSION};

/// Directories that the root lists.
const BRANCHES: [&str; 25] = [
    "actions",
    "activities",
    "butler",
    "channels",
    "clients",
    "devices",
    "diagnostics",
    "downloadQueue",
    "hubs",
    "library",
    "livetv",
    "media",
    "metadata",
    "neighborhood",
    "playQueues",
    "player",
    "playlists",
    "resources",
    "search",
    "server",
    "servers",
    "statistics",
    "system",
    "transcode",
    "updater",
];

/// The response to `/`. While the server starts, it contains `startState`.
pub(crate) fn root(call: &PlexReadRequest<'_>, starting: bool) -> Node {
    let server = call.server;
    let playing = call.view.sessions().len();
    let mut node = container(BRANCHES.len())
        .set("allowCameraUpload", false)
        .set("allowChannelAccess", false)
        .set("allowMediaDeletion", call.user.admin)
        .set("allowSharing", false)
        .set("allowSync", false)
        .set("allowTuners", false)
        .set("apiVersion", API_VERSION)
        .set("backgroundProcessing", true)
        .set("certificate", false)
        .set("companionProxy", true)
        .set("countryCode", "")
        .set("diagnostics", "logs,databases,streaminglogs")
        .set("eventStream", true)
        .set("friendlyName", call.view.setting("FriendlyName").unwrap_or(&server.name).to_owned())
        .set("hubSearch", true)
        .set("itemClusters", true)
        .set("livetv", 7)
        .set("machineIdentifier", &server.machine)
        .set("mediaProviders", true)
        .set("multiuser", true)
        .set("musicAnalysis", 2)
        .set("myPlex", true)
        .set("myPlexMappingState", "mapped")
        .set("myPlexSigninState", "none")
        .set("myPlexSubscription", false)
        .set("ownerFeatures", "adaptive_bitrate,collections,federated-auth,home,radio")
        .set("platform", "Linux")
        .set("platformVersion", "6.1")
        .set("pluginHost", true)
        .set("pushNotifications", false)
        .set("readOnlyLibraries", false);
    if starting {
        node = node.set("startState", "startingPlugins");
    }
    node.set("streamingBrainABRVersion", 3)
        .set("streamingBrainVersion", 2)
        .set("sync", true)
        .set("transcoderActiveVideoSessions", playing)
        .set("transcoderAudio", true)
        .set("transcoderLyrics", true)
        .set("transcoderPhoto", true)
        .set("transcoderSubtitles", true)
        .set("transcoderVideo", true)
        .set("transcoderVideoBitrates", "64,96,208,320,720,1500,2000,3000,4000,8000,10000,12000,20000")
        .set("transcoderVideoQualities", "0,1,2,3,4,5,6,7,8,9,10,11,12")
        .set("transcoderVideoResolutions", "128,128,160,240,320,480,768,720,720,1080,1080,1080,1080")
        .set("updatedAt", server.started_at)
        .set("updater", true)
        .set("version", VERSION)
        .set("voiceSearch", true)
        .with_all(
            BRANCHES.into_iter().map(|name| Node::new("Directory").set("count", 1).set("key", name).set("title", name)),
        )
}
