//! Reads about the server itself: its information, sessions, tasks, log, libraries and looks.

use super::{Asks, Body, Route};
use crate::class::Class;
use crate::jellyfin::guid;
use crate::tag::Tag;

/// Reports of the playback statistics plugin that only read.
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

pub(super) fn find(low: &[&str], raw: &[&str]) -> Option<Route> {
    Some(match low {
        ["system", "info", "public"] => {
            server(&["System", "Info", "Public"], Class::Identity).asking(Asks::Nothing)
        }
        ["system", "info"] => server(&["System", "Info"], Class::Server),
        ["system", "info", "storage"] => server(&["System", "Info", "Storage"], Class::Statistics),
        ["system", "activitylog", "entries"] => {
            Route::at(&["System", "ActivityLog", "Entries"], Class::ActivityLog).tagged([Tag::history()])
        }
        ["sessions"] => {
            Route::at(&["Sessions"], Class::Sessions).asking(Asks::Devices).tagged([Tag::sessions()])
        }
        ["scheduledtasks"] => tasks(&["ScheduledTasks"]),
        ["scheduledtasks", id] => tasks(&["ScheduledTasks", &guid::normal(id)]),
        ["library", "virtualfolders"] => folders("VirtualFolders"),
        ["library", "mediafolders"] => folders("MediaFolders"),
        ["library", "physicalpaths"] => folders("PhysicalPaths"),
        ["branding", "configuration"] => server(&["Branding", "Configuration"], Class::Assets),
        ["branding", "css" | "css.css"] => {
            server(&["Branding", "Css"], Class::Assets).with_body(Body::Opaque)
        }
        ["branding", "splashscreen"] => {
            server(&["Branding", "Splashscreen"], Class::Assets).with_body(Body::Opaque)
        }
        ["localization", what] => localization(what)?,
        ["user_usage_stats", ..] => usage(low, raw)?,
        _ => return None,
    })
}

fn server(segments: &[&str], class: Class) -> Route {
    Route::at(segments, class).tagged([Tag::server()])
}

fn tasks(segments: &[&str]) -> Route {
    Route::at(segments, Class::Activities).tagged([Tag::activities()])
}

fn folders(what: &str) -> Route {
    Route::at(&["Library", what], Class::Sections).tagged([Tag::libraries(), Tag::server()])
}

fn localization(what: &str) -> Option<Route> {
    ["Countries", "Cultures", "Options", "ParentalRatings"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(what))
        .map(|known| server(&["Localization", known], Class::Assets))
}

/// The plugin spells some of its paths in its own way, so they are kept as they came.
fn usage(low: &[&str], raw: &[&str]) -> Option<Route> {
    let reads = match low {
        [_, report] => REPORTS.contains(report),
        [_, _, "breakdownreport"] | [_, _, _, "getitems"] => true,
        _ => false,
    };
    reads.then(|| Route::at(raw, Class::Statistics).tagged([Tag::history()]))
}
