//! Reads about the server itself: information, sessions, tasks, log, libraries and branding.

use super::{AllowedParams, JellyfinRoute, RouteBody};
use crate::class::Class;
use crate::jellyfin::guid;
use crate::tag::Tag;

/// Read-only reports of the playback statistics plugin.
const REPORTS: [&str; 8] = [
    "playactivity",
    "hourlyreport",
    "durationhistogramreport",
    "gettvshowsreport",
    "moviesreport",
    "user_activity",
    "user_list",
    "type_filter_list",
];

/// Age in seconds up to which the list of devices is served while the server can be asked: the times of last activity in
/// it change with every request.
const DEVICES_CURRENT_S: u32 = 60;

pub(super) fn find(lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    Some(match lowercase {
        ["system", "info", "public"] => {
            server(&["System", "Info", "Public"], Class::Identity).with_params(AllowedParams::Nothing)
        }
        ["system", "info"] => server(&["System", "Info"], Class::Server),
        ["system", "endpoint"] => server(&["System", "Endpoint"], Class::Server),
        ["quickconnect", "enabled"] => {
            server(&["QuickConnect", "Enabled"], Class::Server).with_params(AllowedParams::Nothing)
        }
        ["devices"] => JellyfinRoute::new(&["Devices"], Class::Users)
            .with_tags([Tag::users(), Tag::sessions()])
            .current_for(DEVICES_CURRENT_S),
        ["system", "info", "storage"] => server(&["System", "Info", "Storage"], Class::Statistics),
        ["system", "activitylog", "entries"] => {
            JellyfinRoute::new(&["System", "ActivityLog", "Entries"], Class::ActivityLog).with_tags([Tag::history()])
        }
        ["sessions"] => JellyfinRoute::new(&["Sessions"], Class::Sessions)
            .with_params(AllowedParams::Devices)
            .with_tags([Tag::sessions()]),
        ["scheduledtasks"] => tasks(&["ScheduledTasks"]),
        ["scheduledtasks", id] => tasks(&["ScheduledTasks", &guid::normalize(id)]),
        ["library", "virtualfolders"] => folders("VirtualFolders"),
        ["library", "mediafolders"] => folders("MediaFolders"),
        ["library", "physicalpaths"] => folders("PhysicalPaths"),
        ["branding", "configuration"] => server(&["Branding", "Configuration"], Class::Assets),
        ["branding", "css" | "css.css"] => server(&["Branding", "Css"], Class::Assets).with_body(RouteBody::Opaque),
        ["branding", "splashscreen"] => {
            server(&["Branding", "Splashscreen"], Class::Assets).with_body(RouteBody::Opaque)
        }
        ["localization", what] => localization(what)?,
        ["user_usage_stats", ..] => usage(lowercase, raw)?,
        _ => return None,
    })
}

/// A read about the server itself.
pub(super) fn server(segments: &[&str], class: Class) -> JellyfinRoute {
    JellyfinRoute::new(segments, class).with_tags([Tag::server()])
}

fn tasks(segments: &[&str]) -> JellyfinRoute {
    JellyfinRoute::new(segments, Class::Activities).with_tags([Tag::activities()])
}

fn folders(what: &str) -> JellyfinRoute {
    JellyfinRoute::new(&["Library", what], Class::Sections).with_tags([Tag::libraries(), Tag::server()])
}

fn localization(what: &str) -> Option<JellyfinRoute> {
    ["Countries", "Cultures", "Options", "ParentalRatings"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(what))
        .map(|known| server(&["Localization", known], Class::Assets))
}

/// Paths of the plugin keep their case, because the plugin spells some of them its own way.
fn usage(lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    let reads = match lowercase {
        [_, report] => REPORTS.contains(report),
        [_, _, "breakdownreport"] | [_, _, _, "getitems"] => true,
        _ => false,
    };
    reads.then(|| JellyfinRoute::new(raw, Class::Statistics).with_tags([Tag::history()]))
}
