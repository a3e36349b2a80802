//! Server endpoints: identity, accounts, devices, statistics, scheduled tasks (butler).

use super::home::root;
use super::{container, nothing};
use crate::node::Node;
use crate::request::{PlexReadRequest, PlexResponse, PlexResult};
use crate::server::{API_VERSION, PlexServer, VERSION};
use greenroom_simulator_backend::state::SimulatedActivity;

/// Scheduled tasks: name, interval in days, whether it is enabled.
const BUTLER: [(&str, u32, bool, &str); 9] = [
    ("BackupDatabase", 3, true, "Backup Database"),
    ("CleanOldBundles", 7, true, "Clean Old Bundles"),
    ("CleanOldCacheFiles", 7, true, "Clean Old Cache Files"),
    ("DeepMediaAnalysis", 1, true, "Deep Media Analysis"),
    ("GarbageCollectLibraryMedia", 1, true, "Remove Deleted Media"),
    ("LoudnessAnalysis", 1, true, "Loudness Analysis"),
    ("OptimizeDatabase", 7, true, "Optimize Database"),
    ("RefreshLibraries", 1, false, "Refresh Libraries"),
    ("RefreshPeriodicMetadata", 1, true, "Refresh Metadata Periodically"),
];

/// Max samples of statistics.
const SAMPLES: u64 = 30;

/// Whether this path needs no token.
pub(crate) fn is_public(path: &[&str]) -> bool {
    matches!(path, ["identity"])
}

pub(super) fn answer(call: &PlexReadRequest<'_>, path: &[&str]) -> PlexResult {
    match path {
        [] => PlexResponse::tree(root(call, false)),
        ["accounts"] => PlexResponse::tree(accounts(call)),
        ["devices"] => {
            call.owner_only()?;
            PlexResponse::tree(devices(call))
        }
        ["servers"] => PlexResponse::tree(container(1).with(me(call))),
        ["activities"] => PlexResponse::tree(activities(call)),
        ["butler"] => {
            call.owner_only()?;
            PlexResponse::tree(butler())
        }
        ["updater", "status"] => PlexResponse::tree(
            container(0).set("canInstall", false).set("checkedAt", call.server.started_at).set("status", 0),
        ),
        ["statistics", "bandwidth"] => PlexResponse::tree(bandwidth(call)),
        ["statistics", "resources"] => PlexResponse::tree(resources(call)),
        ["clients" | "sync"] | ["transcode", "sessions"] | ["livetv", "dvrs"] | ["channels", "all"] => {
            PlexResponse::tree(container(0))
        }
        ["system", "agents"] => PlexResponse::tree(agents()),
        _ => nothing(),
    }
}

/// Response of a server that has not loaded its library: 200, and empty.
pub(super) fn starting(call: &PlexReadRequest<'_>, path: &[&str]) -> PlexResult {
    match path {
        [] => PlexResponse::tree(root(call, true)),
        _ => PlexResponse::tree(container(0).set("totalSize", 0)),
    }
}

/// Identity of the server; needs no token.
pub(crate) fn identity(server: &PlexServer) -> Node {
    container(0)
        .set("apiVersion", API_VERSION)
        .set("claimed", server.switches.claimed)
        .set("machineIdentifier", &server.machine)
        .set("version", VERSION)
}

fn accounts(call: &PlexReadRequest<'_>) -> Node {
    let users: Vec<_> =
        call.view.users().into_iter().filter(|user| call.user.admin || user.id == call.user.id).collect();
    container(users.len()).set("identifier", "com.plexapp.system.accounts").with_all(users.into_iter().map(|user| {
        Node::new("Account")
            .set("id", user.id.0)
            .set("key", format!("/accounts/{}", user.id))
            .set("name", &user.name)
            .set("defaultAudioLanguage", "en")
            .set("autoSelectAudio", true)
            .set("defaultSubtitleLanguage", "en")
            .set("subtitleMode", 0)
            .set("thumb", format!("/accounts/{}/thumb", user.id))
    }))
}

fn devices(call: &PlexReadRequest<'_>) -> Node {
    let devices = call.view.devices();
    container(devices.len()).set("identifier", "com.plexapp.system.devices").with_all(devices.iter().map(|device| {
        Node::new("Device")
            .set("id", device.id)
            .set("name", &device.name)
            .set("platform", &device.platform)
            .set("clientIdentifier", &device.client)
            .set("createdAt", device.created_at)
    }))
}

fn me(call: &PlexReadRequest<'_>) -> Node {
    Node::new("Server")
        .set("name", &call.server.name)
        .set("host", "127.0.0.1")
        .set("address", "127.0.0.1")
        .set("port", u32::from(call.server.port))
        .set("machineIdentifier", &call.server.machine)
        .set("version", VERSION)
}

fn activities(call: &PlexReadRequest<'_>) -> Node {
    let running = call.server.activities();
    container(running.len()).with_all(running.iter().map(activity))
}

/// An activity as a row.
fn activity(activity: &SimulatedActivity) -> Node {
    let node = Node::new("Activity")
        .set("uuid", &activity.uuid)
        .set("type", &activity.kind)
        .set("cancellable", false)
        .set("userID", 1)
        .set("title", &activity.title)
        .set("subtitle", &activity.subtitle)
        .set("progress", u32::from(activity.progress));
    match activity.section {
        Some(section) => node.with(Node::single("Context").set("librarySectionID", section.number().to_string())),
        None => node,
    }
}

fn butler() -> Node {
    Node::new("ButlerTasks").with_all(BUTLER.into_iter().map(|(name, interval, enabled, title)| {
        Node::new("ButlerTask")
            .set("name", name)
            .set("interval", interval)
            .set("scheduleRandomized", false)
            .set("enabled", enabled)
            .set("title", title)
            .set("description", format!("{title}, every {interval} days"))
    }))
}

fn agents() -> Node {
    let agents = ["tv.plex.agents.movie", "tv.plex.agents.series", "tv.plex.agents.music"];
    container(agents.len()).with_all(agents.into_iter().map(|name| {
        Node::new("Agent").set("hasAttribution", false).set("hasPrefs", true).set("identifier", name).set("name", name)
    }))
}

/// Seconds between samples of each timespan: months, weeks, days, hours, seconds.
fn step(timespan: u32) -> u64 {
    match timespan {
        1 => 30 * 86_400,
        2 => 7 * 86_400,
        3 => 86_400,
        4 => 3_600,
        _ => 10,
    }
}

fn bandwidth(call: &PlexReadRequest<'_>) -> Node {
    let timespan = call.params.number("timespan").unwrap_or(3);
    let wanted: Option<u32> = call.params.number("accountID");
    let (now, step) = (call.server.now_s(), step(timespan));
    let chance = call.catalogue().rng();
    let samples: Vec<Node> = call
        .view
        .users()
        .into_iter()
        .filter(|user| wanted.is_none_or(|id| id == user.id.0))
        .flat_map(|user| (0..SAMPLES).map(move |back| (user.id.0, (now / step - back) * step)))
        .map(|(account, at)| {
            Node::new("StatisticsBandwidth")
                .set("accountID", account)
                .set("deviceID", account)
                .set("timespan", timespan)
                .set("at", at)
                .set("lan", account == 1)
                .set("bytes", chance.below("bandwidth", at ^ u64::from(account), 4_000_000_000))
        })
        .collect();
    let devices = call.view.devices().iter().map(|device| {
        Node::new("Device")
            .set("id", device.id)
            .set("name", &device.name)
            .set("platform", &device.platform)
            .set("clientIdentifier", &device.client)
            .set("createdAt", device.created_at)
    });
    let accounts = call.view.users().into_iter().map(|user| {
        Node::new("Account").set("id", user.id.0).set("key", format!("/accounts/{}", user.id)).set("name", &user.name)
    });
    container(samples.len()).with_all(devices).with_all(accounts).with_all(samples)
}

fn resources(call: &PlexReadRequest<'_>) -> Node {
    let (now, chance) = (call.server.now_s(), call.catalogue().rng());
    let percent = |stream: &str, at: u64, most: u64| chance.between(stream, at, 10, most * 100) as f64 / 100.0;
    let step = step(6);
    container(usize::try_from(SAMPLES).unwrap_or(0)).with_all((0..SAMPLES).rev().map(|back| {
        let at = (now / step - back) * step;
        Node::new("StatisticsResources")
            .set("timespan", 6)
            .set("at", at)
            .set("hostCpuUtilization", percent("cpu", at, 40))
            .set("processCpuUtilization", percent("cpu/own", at, 10))
            .set("hostMemoryUtilization", percent("memory", at, 60))
            .set("processMemoryUtilization", percent("memory/own", at, 5))
    }))
}
