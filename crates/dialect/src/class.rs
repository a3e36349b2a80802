//! The classes of reads and how long an answer of each lives by default.
//!
//! Windows add up: an answer is fresh for `fresh_s`, then may be served stale while one refresh runs for
//! `stale_s`, then may be served for `stale_on_error_s` if the server cannot be asked.

use crate::ask::Kind;

/// A class of reads. Both dialects share the words; a class that only one has says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// What the server is busy with (Plex activities, Jellyfin scheduled tasks).
    Activities,
    /// Who plays what now.
    Sessions,
    /// Statistics that move every few seconds.
    LiveStatistics,
    /// Slower statistics.
    Statistics,
    /// Counts of items (Plex `Container-Size: 0`, Jellyfin `/Items/Counts`).
    Counts,
    /// The server's name, version, settings, devices.
    Server,
    /// Who the server is, asked without a token.
    Identity,
    /// The list of libraries, views, folders.
    Sections,
    /// What was played.
    History,
    /// What was added lately.
    Recent,
    /// Hubs, suggestions, next up: lists the server composes for a user.
    Hubs,
    /// On deck, continue watching, resume.
    Resume,
    /// Lists over a library.
    Lists,
    /// One item, or a few named by id, and what hangs below.
    Item,
    /// Search results.
    Search,
    /// Playlists and their items.
    Playlists,
    /// Collections.
    Collections,
    /// Users, devices, display settings.
    Users,
    /// The activity log (Jellyfin).
    ActivityLog,
    /// Images.
    Images,
    /// The web client's own files, branding, localisation.
    Assets,
}

/// How long an answer lives, in seconds. The three windows add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Answered without asking the server.
    pub fresh_s: u32,
    /// Then answered at once while one refresh runs behind.
    pub stale_s: u32,
    /// Then answered only if the server cannot be asked.
    pub stale_on_error_s: u32,
    /// Refreshed at 80 % of its fresh time without a read, while somebody asked for it lately.
    pub warm: bool,
    /// Whether the bodies carry state of the user who asked. Where a live signal for that user is proven, such a
    /// body may be fresh for `fresh_with_signal_s`.
    pub user_state: bool,
    /// The fresh time where the body has no user state, or a live signal for the identity is proven.
    pub fresh_with_signal_s: u32,
}

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

impl Class {
    /// Every class, in the order they are shown.
    pub const EVERY: [Self; 21] = [
        Self::Activities,
        Self::Sessions,
        Self::LiveStatistics,
        Self::Statistics,
        Self::Counts,
        Self::Server,
        Self::Identity,
        Self::Sections,
        Self::History,
        Self::Recent,
        Self::Hubs,
        Self::Resume,
        Self::Lists,
        Self::Item,
        Self::Search,
        Self::Playlists,
        Self::Collections,
        Self::Users,
        Self::ActivityLog,
        Self::Images,
        Self::Assets,
    ];

    /// The word used in configuration, headers, metrics and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Activities => "activities",
            Self::Sessions => "sessions",
            Self::LiveStatistics => "live-statistics",
            Self::Statistics => "statistics",
            Self::Counts => "counts",
            Self::Server => "server",
            Self::Identity => "identity",
            Self::Sections => "sections",
            Self::History => "history",
            Self::Recent => "recent",
            Self::Hubs => "hubs",
            Self::Resume => "resume",
            Self::Lists => "lists",
            Self::Item => "item",
            Self::Search => "search",
            Self::Playlists => "playlists",
            Self::Collections => "collections",
            Self::Users => "users",
            Self::ActivityLog => "activity-log",
            Self::Images => "images",
            Self::Assets => "assets",
        }
    }

    /// The class of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|class| class.name() == name)
    }

    /// The default lifetime of this class of answers from a server of this kind.
    pub fn lifetime(self, kind: Kind) -> Lifetime {
        let plain = |fresh_s, stale_s, stale_on_error_s, warm| Lifetime {
            fresh_s,
            stale_s,
            stale_on_error_s,
            warm,
            user_state: false,
            fresh_with_signal_s: fresh_s,
        };
        let personal = |fresh_s, stale_s, stale_on_error_s, warm| Lifetime {
            user_state: true,
            ..plain(fresh_s, stale_s, stale_on_error_s, warm)
        };
        match self {
            // Jellyfin's tasks seldom run; while one does, its answers say so and live as long as on Plex.
            Self::Activities => plain(if kind == Kind::Plex { 5 } else { 30 }, 5, DAY, true),
            Self::Sessions => plain(10, 10, DAY, true),
            Self::LiveStatistics => plain(30, 30, DAY, false),
            Self::Statistics | Self::Users => plain(60, 60, DAY, false),
            Self::Counts => plain(60, 5 * MINUTE, 30 * DAY, true),
            Self::Server => plain(60, 5 * MINUTE, DAY, true),
            Self::Identity => plain(60, 10 * MINUTE, 30 * DAY, true),
            Self::Sections => plain(if kind == Kind::Plex { 60 } else { 300 }, 5 * MINUTE, 7 * DAY, true),
            Self::History => plain(300, 300, 7 * DAY, true),
            Self::Recent => personal(300, 300, 7 * DAY, true),
            Self::Hubs => personal(if kind == Kind::Plex { 60 } else { 300 }, 300, 7 * DAY, false),
            Self::Resume => personal(60, 0, 7 * DAY, false),
            Self::Lists => Lifetime { fresh_with_signal_s: HOUR, ..personal(300, HOUR, 30 * DAY, false) },
            Self::Item => Lifetime { fresh_with_signal_s: HOUR, ..personal(60, HOUR, 30 * DAY, false) },
            Self::Search => personal(300, 10 * MINUTE, 7 * DAY, false),
            Self::Playlists => personal(300, 0, 30 * DAY, true),
            Self::Collections => personal(300, 300, 7 * DAY, false),
            Self::ActivityLog => plain(60, 60, 7 * DAY, false),
            Self::Images => plain(30 * DAY, 30 * DAY, 365 * DAY, false),
            Self::Assets => plain(HOUR, HOUR, 30 * DAY, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_class() {
        for class in Class::EVERY {
            assert_eq!(Class::named(class.name()), Some(class));
        }
    }

    #[test]
    fn every_class_survives_a_day_of_outage() {
        for kind in [Kind::Plex, Kind::Jellyfin] {
            for class in Class::EVERY {
                assert!(class.lifetime(kind).stale_on_error_s >= DAY, "{}", class.name());
            }
        }
    }

    #[test]
    fn what_a_user_changes_by_hand_is_never_served_stale_by_age() {
        for class in [Class::Playlists, Class::Resume] {
            assert_eq!(class.lifetime(Kind::Plex).stale_s, 0);
            assert_eq!(class.lifetime(Kind::Jellyfin).stale_s, 0);
        }
    }
}
