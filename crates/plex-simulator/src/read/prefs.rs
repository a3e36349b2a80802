//! Settings.

use super::container;
use crate::node::{Node, NodeValue};
use crate::request::{PlexReadRequest, PlexResponse, PlexResult};

/// A setting of the server.
struct Setting {
    id: &'static str,
    label: &'static str,
    summary: &'static str,
    group: &'static str,
    default: SettingDefault,
    choices: &'static str,
}

enum SettingDefault {
    Text(&'static str),
    Number(i64),
    Flag(bool),
}

const SETTINGS: [Setting; 10] = [
    Setting {
        id: "FriendlyName",
        label: "Friendly name",
        summary: "What people call this server.",
        group: "general",
        default: SettingDefault::Text(""),
        choices: "",
    },
    Setting {
        id: "sendCrashReports",
        label: "Send crash reports",
        summary: "Tell the makers when something breaks.",
        group: "general",
        default: SettingDefault::Flag(false),
        choices: "",
    },
    Setting {
        id: "FSEventLibraryUpdatesEnabled",
        label: "Scan automatically",
        summary: "Scan a folder when something in it changes.",
        group: "library",
        default: SettingDefault::Flag(true),
        choices: "",
    },
    Setting {
        id: "ScheduledLibraryUpdatesEnabled",
        label: "Scan periodically",
        summary: "Scan all folders at an interval.",
        group: "library",
        default: SettingDefault::Flag(false),
        choices: "",
    },
    Setting {
        id: "ScheduledLibraryUpdateInterval",
        label: "Scan interval",
        summary: "How often all folders are scanned, in seconds.",
        group: "library",
        default: SettingDefault::Number(3_600),
        choices: "900:every 15 minutes|3600:hourly|86400:daily",
    },
    Setting {
        id: "allowMediaDeletion",
        label: "Allow media deletion",
        summary: "The owner may delete files.",
        group: "library",
        default: SettingDefault::Flag(true),
        choices: "",
    },
    Setting {
        id: "OnDeckWindow",
        label: "Weeks to consider for Continue Watching",
        summary: "What was not touched for longer is left out.",
        group: "library",
        default: SettingDefault::Number(16),
        choices: "",
    },
    Setting {
        id: "DatabaseCacheSize",
        label: "Database cache size",
        summary: "In megabytes.",
        group: "library",
        default: SettingDefault::Number(40),
        choices: "",
    },
    Setting {
        id: "TranscoderQuality",
        label: "Transcoder quality",
        summary: "Speed against quality.",
        group: "transcoder",
        default: SettingDefault::Number(0),
        choices: "0:Automatic|1:Prefer speed|2:Prefer quality",
    },
    Setting {
        id: "ButlerStartHour",
        label: "Time at which tasks start",
        summary: "The hour of the night.",
        group: "butler",
        default: SettingDefault::Number(2),
        choices: "",
    },
];

/// `/:/prefs`
pub(super) fn answer(call: &PlexReadRequest<'_>) -> PlexResult {
    call.owner_only()?;
    let rows = SETTINGS.iter().map(|setting| row(call, setting));
    PlexResponse::tree(container(SETTINGS.len()).with_all(rows))
}

/// Settings of a section.
pub(super) fn section_settings(call: &PlexReadRequest<'_>) -> PlexResult {
    call.owner_only()?;
    let rows = [("enableCinemaTrailers", "Enable trailers"), ("hidden", "Visibility")].map(|(id, label)| {
        Node::new("Setting")
            .set("id", id)
            .set("label", label)
            .set("summary", "")
            .set("type", "bool")
            .set("default", true)
            .set("value", true)
            .set("hidden", false)
            .set("advanced", false)
            .set("group", "")
    });
    PlexResponse::tree(container(rows.len()).with_all(rows))
}

fn row(call: &PlexReadRequest<'_>, setting: &Setting) -> Node {
    let chosen = call.view.setting(setting.id);
    let (word, default, value): (&str, NodeValue, NodeValue) = match setting.default {
        SettingDefault::Text(text) => ("text", text.into(), chosen.unwrap_or(text).to_owned().into()),
        SettingDefault::Number(number) => {
            ("int", number.into(), chosen.and_then(|text| text.parse().ok()).unwrap_or(number).into())
        }
        SettingDefault::Flag(flag) => {
            ("bool", flag.into(), chosen.map_or(flag, |text| matches!(text, "1" | "true")).into())
        }
    };
    let node = Node::new("Setting")
        .set("id", setting.id)
        .set("label", setting.label)
        .set("summary", setting.summary)
        .set("type", word.to_owned())
        .set("default", default)
        .set("value", value)
        .set("hidden", false)
        .set("advanced", false)
        .set("group", setting.group);
    if setting.choices.is_empty() { node } else { node.set("enumValues", setting.choices) }
}
