//! Request types of reads and the default lifetime of their responses.
//!
//! The three windows add up: a response is fresh for `fresh_s`, then served stale with a background refresh
//! for `stale_s`, then served only if the load fails for `stale_on_error_s`.

use crate::request::ServerKind;

/// Request type of a read. Both dialects share the names; a type that only one dialect has says so.
///
/// A new type: decide about `SHOWN_TO_ANYONE` (proxy identity), `is_live` (origin scheduler) and `changes_by_itself`
/// (response comparison); none is a `match` over all types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Current work of the server (Plex activities, Jellyfin scheduled tasks).
    Activities,
    /// Current playback sessions.
    Sessions,
    /// Statistics that change every few seconds.
    LiveStatistics,
    /// Slower statistics.
    Statistics,
    /// Counts of items (Plex `Container-Size: 0`, Jellyfin `/Items/Counts`).
    Counts,
    /// The server's name, version, settings, devices.
    Server,
    /// The server's identity, readable without a token.
    Identity,
    /// The list of libraries, views, folders.
    Sections,
    /// Playback history.
    History,
    /// Recently added items.
    Recent,
    /// Hubs, next up: lists the server composes for a user.
    Hubs,
    /// On deck, continue watching, resume.
    Resume,
    /// Lists over a library.
    Lists,
    /// One item, or a few named by id, and their children.
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

/// Lifetime of a response, in seconds. The three windows add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Fresh: served without asking the server.
    pub fresh_s: u32,
    /// Then stale: served at once with a background refresh.
    pub stale_s: u32,
    /// Then expired: served only if a load fails.
    pub stale_on_error_s: u32,
    /// Whether the response is warmed: if it is read at a steady interval longer than its fresh and stale time, it
    /// is loaded just before the next read.
    pub warm: bool,
    /// Whether the bodies carry state of the requesting user. With a proven live signal for that user, such a
    /// body may be fresh for `fresh_with_signal_s`.
    pub user_state: bool,
    /// Fresh time, in seconds, if the body has no user state or a live signal for its user is proven.
    pub fresh_with_signal_s: u32,
    /// Bound on the response's age, whatever the settings say about its type.
    pub age_limit: Option<AgeLimit>,
}

/// Bound on a response's age, whatever the settings say about its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeLimit {
    /// At this age in seconds it is not served any more unless a load fails, such as in an outage.
    Current(u32),
    /// At this age in seconds it is not served any more, not even in an outage.
    Usable(u32),
}

impl Lifetime {
    /// The same with its windows within its age limit, also after settings changed them.
    #[must_use]
    pub fn within_age_limit(self) -> Self {
        let Some(AgeLimit::Current(limit_s) | AgeLimit::Usable(limit_s)) = self.age_limit else { return self };
        let fresh_s = self.fresh_s.min(limit_s);
        let fresh_with_signal_s = self.fresh_with_signal_s.min(limit_s);
        let after_s = limit_s - fresh_s.max(fresh_with_signal_s);
        let stale_s = self.stale_s.min(after_s);
        let stale_on_error_s = match self.age_limit {
            Some(AgeLimit::Usable(_)) => self.stale_on_error_s.min(after_s - stale_s),
            _ => self.stale_on_error_s,
        };
        Self { fresh_s, stale_s, stale_on_error_s, fresh_with_signal_s, ..self }
    }
}

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
pub(crate) const DAY: u32 = 24 * HOUR;

impl Class {
    /// All request types, in display order.
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

    /// Name used in configuration, headers, metrics and on the page.
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

    /// Parses a [`Class::name`](Self::name).
    pub fn parse(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|class| class.name() == name)
    }

    /// Default lifetime of responses of this type from a server of this kind.
    pub fn lifetime(self, kind: ServerKind) -> Lifetime {
        let plain = |fresh_s, stale_s, stale_on_error_s, warm| Lifetime {
            fresh_s,
            stale_s,
            stale_on_error_s,
            warm,
            user_state: false,
            fresh_with_signal_s: fresh_s,
            age_limit: None,
        };
        let personal = |fresh_s, stale_s, stale_on_error_s, warm| Lifetime {
            user_state: true,
            ..plain(fresh_s, stale_s, stale_on_error_s, warm)
        };
        match self {
            // Jellyfin's tasks seldom run; while one does, `inspect` shortens the lifetime to that of Plex.
            Self::Activities => plain(if kind == ServerKind::Plex { 5 } else { 30 }, 5, DAY, true),
            // Plex tells every change of a play; Jellyfin only its subscribers. Longer only where every change is told.
            Self::Sessions if kind == ServerKind::Plex => plain(10, 10, DAY, true),
            Self::Sessions => Lifetime { fresh_with_signal_s: 10, ..plain(2, 0, DAY, false) },
            Self::LiveStatistics => plain(30, 30, DAY, false),
            Self::Statistics | Self::Users => plain(60, 60, DAY, false),
            Self::Counts => plain(60, 5 * MINUTE, 30 * DAY, true),
            Self::Server => plain(60, 5 * MINUTE, DAY, true),
            Self::Identity => plain(60, 10 * MINUTE, 30 * DAY, true),
            Self::Sections => plain(if kind == ServerKind::Plex { 60 } else { 300 }, 5 * MINUTE, 7 * DAY, true),
            Self::History => plain(300, 300, 7 * DAY, true),
            Self::Recent => personal(300, 300, 7 * DAY, true),
            Self::Hubs => personal(if kind == ServerKind::Plex { 60 } else { 300 }, 300, 7 * DAY, false),
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
            assert_eq!(Class::parse(class.name()), Some(class));
        }
    }

    #[test]
    fn entries_of_every_class_are_usable_for_a_day_of_outage() {
        for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
            for class in Class::EVERY {
                assert!(class.lifetime(kind).stale_on_error_s >= DAY, "{}", class.name());
            }
        }
    }

    #[test]
    fn user_editable_lists_have_no_stale_time() {
        for class in [Class::Playlists, Class::Resume] {
            assert_eq!(class.lifetime(ServerKind::Plex).stale_s, 0);
            assert_eq!(class.lifetime(ServerKind::Jellyfin).stale_s, 0);
        }
    }
}
