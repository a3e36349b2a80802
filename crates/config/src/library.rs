//! What is kept whole of a server's libraries, and when that is done by itself.
//!
//! Some variables are named as other tools name them, so that who comes from there need not learn anything: they count
//! where our own key is not said.

use std::time::Duration;

use greenroom_dialect::ask::Kind;

use super::tree::Tree;

const FLAG: &str = "true or false";
/// Least and most that may be said.
const TIMEOUTS: (u64, u64) = (1, 7 * 24 * 60);
const SCHEDULES: (u64, u64) = (0, 365 * 24);
const LIMITS: (u64, u64) = (16, 1024 * 1024);
/// How long a build may take, unless it is said.
const TIMEOUT_MINUTES: u64 = 180;
/// After this long a library is compared with the server's as a whole, unless it is said.
const SCHEDULE_HOURS: u64 = 24;
/// What all snapshots together may take, unless it is said.
const MEMORY_LIMIT_MB: u64 = 1024;
const MIB: u64 = 1024 * 1024;

/// Which libraries are indexed as soon as the server answers. The others are at their first lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtStart {
    /// None.
    Nothing,
    /// Those with music.
    Music,
    /// All of them.
    Everything,
}

/// The libraries of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Whether any is kept, unless the user said otherwise of a single one.
    pub enabled: bool,
    /// Which are indexed at once.
    pub at_start: AtStart,
    /// How long one build may take, with everything that holds it up.
    pub timeout: Duration,
    /// After this long a library is compared with the server's as a whole. `None`: never by itself.
    pub schedule: Option<Duration>,
    /// The music library that is meant where none is named.
    pub music: Option<String>,
}

impl Default for Library {
    fn default() -> Self {
        Self {
            enabled: true,
            at_start: AtStart::Music,
            timeout: Duration::from_secs(TIMEOUT_MINUTES * 60),
            schedule: Some(Duration::from_secs(SCHEDULE_HOURS * 3600)),
            music: None,
        }
    }
}

impl Library {
    /// What holds for every server that does not say otherwise.
    pub(super) fn read(tree: &mut Tree) -> Self {
        let usual = Self::default();
        let enabled = tree.parse("library.enabled", FLAG);
        let other = tree.foreign_flag("AUTO_ENABLE_LIBRARY_CACHE");
        let at_start = tree.parse("library.index_at_start", FLAG).map(everything);
        let at_once = tree.foreign_flag("IMMEDIATE_CACHE_BUILD").map(music);
        let minutes = tree.foreign_number("CACHE_BUILD_TIMEOUT_MINUTES", TIMEOUTS).unwrap_or(TIMEOUT_MINUTES);
        let minutes = tree.number("library.timeout_minutes", TIMEOUTS.0, TIMEOUTS.1, minutes);
        let hours = tree.foreign_number("LIBRARY_CACHE_SCHEDULE_HOURS", SCHEDULES).unwrap_or(SCHEDULE_HOURS);
        let hours = tree.number("library.schedule_hours", SCHEDULES.0, SCHEDULES.1, hours);
        let named = tree.foreign("PLEX_LIBRARY_NAME");
        let music = tree.take("library.music").or(named).map(|leaf| leaf.text);
        Self {
            enabled: enabled.or(other).unwrap_or(usual.enabled),
            at_start: at_start.or(at_once).unwrap_or(usual.at_start),
            timeout: Duration::from_secs(minutes * 60),
            schedule: every(hours),
            music: music.filter(|name| !name.trim().is_empty()),
        }
    }

    /// What holds for one server.
    pub(super) fn of_server(tree: &mut Tree, server: &str, kind: Option<Kind>, common: &Self) -> Self {
        let key = |last: &str| format!("server.{server}.library.{last}");
        let of_kind = match kind {
            Some(Kind::Jellyfin) => "LIBRARY_CACHE_JELLYFIN_ENABLED",
            Some(Kind::Plex) | None => "LIBRARY_CACHE_PLEX_ENABLED",
        };
        let enabled = tree.parse(&key("enabled"), FLAG);
        // Somebody who says our own key for all servers means it.
        let of_kind = if tree.is_said("library.enabled") { None } else { tree.foreign_flag(of_kind) };
        let at_start = tree.parse(&key("index_at_start"), FLAG).map(everything);
        let minutes = common.timeout.as_secs() / 60;
        let minutes = tree.number(&key("timeout_minutes"), TIMEOUTS.0, TIMEOUTS.1, minutes);
        let hours = common.schedule.map_or(0, |every| every.as_secs() / 3600);
        let hours = tree.number(&key("schedule_hours"), SCHEDULES.0, SCHEDULES.1, hours);
        let music = tree.take(&key("music")).map(|leaf| leaf.text).or_else(|| common.music.clone());
        Self {
            enabled: enabled.or(of_kind).unwrap_or(common.enabled),
            at_start: at_start.unwrap_or(common.at_start),
            timeout: Duration::from_secs(minutes * 60),
            schedule: every(hours),
            music,
        }
    }
}

/// Bytes that all snapshots together may take.
pub(super) fn read_memory_limit(tree: &mut Tree) -> u64 {
    let usual = tree.foreign_number("LIBRARY_CACHE_MEMORY_LIMIT_MB", LIMITS).unwrap_or(MEMORY_LIMIT_MB);
    tree.number("library.memory_limit_mb", LIMITS.0, LIMITS.1, usual) * MIB
}

/// Our own key means all libraries.
fn everything(is_wanted: bool) -> AtStart {
    if is_wanted { AtStart::Everything } else { AtStart::Nothing }
}

/// Whoever says so to other tools means music.
fn music(is_wanted: bool) -> AtStart {
    if is_wanted { AtStart::Music } else { AtStart::Nothing }
}

fn every(hours: u64) -> Option<Duration> {
    (hours > 0).then(|| Duration::from_secs(hours * 3600))
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    const HOME: &str = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";

    fn read(more: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let mut tree = Tree::default();
        tree.add_toml("g.toml", &format!("{more}\n{HOME}"));
        tree.add_environment(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Settings::read(tree).map_err(|problems| problems[0].to_string())
    }

    fn library(more: &str, variables: &[(&str, &str)]) -> Library {
        read(more, variables).expect("it is valid").servers.remove(0).library
    }

    #[test]
    fn without_a_word_music_is_kept_and_indexed_at_once() {
        assert_eq!(library("", &[]), Library::default());
        let settings = read("", &[]).expect("it is valid");
        assert_eq!(settings.library_memory_bytes, 1024 * MIB);
    }

    #[test]
    fn the_names_of_other_tools_count_where_ours_are_not_said() {
        let theirs = [
            ("IMMEDIATE_CACHE_BUILD", "false"),
            ("CACHE_BUILD_TIMEOUT_MINUTES", "30"),
            ("LIBRARY_CACHE_PLEX_ENABLED", "False"),
            ("LIBRARY_CACHE_JELLYFIN_ENABLED", "true"),
            ("LIBRARY_CACHE_SCHEDULE_HOURS", "6"),
            ("LIBRARY_CACHE_MEMORY_LIMIT_MB", "64"),
            ("PLEX_LIBRARY_NAME", "Tunes"),
        ];
        let wanted = Library {
            enabled: false,
            at_start: AtStart::Nothing,
            timeout: Duration::from_secs(1800),
            schedule: Some(Duration::from_secs(6 * 3600)),
            music: Some("Tunes".into()),
        };
        assert_eq!(library("", &theirs), wanted);
        assert_eq!(read("", &theirs).expect("it is valid").library_memory_bytes, 64 * MIB);
        let ours = "[library]\nenabled = true\nindex_at_start = true\ntimeout_minutes = 9\nschedule_hours = 0\nmusic = \"Songs\"\n";
        let wanted = Library {
            enabled: true,
            at_start: AtStart::Everything,
            timeout: Duration::from_secs(540),
            schedule: None,
            music: Some("Songs".into()),
        };
        assert_eq!(library(ours, &theirs), wanted);
    }

    #[test]
    fn who_does_not_want_it_by_itself_can_want_it_for_one_server() {
        let off = [("AUTO_ENABLE_LIBRARY_CACHE", "false")];
        assert!(!library("", &off).enabled);
        assert!(library("", &[off[0], ("LIBRARY_CACHE_PLEX_ENABLED", "true")]).enabled);
        assert!(library("", &[off[0], ("GREENROOM_SERVER_HOME_LIBRARY_ENABLED", "true")]).enabled);
    }

    #[test]
    fn a_value_that_means_nothing_is_a_problem_with_its_name() {
        let said = read("", &[("CACHE_BUILD_TIMEOUT_MINUTES", "soon")]).expect_err("no number");
        assert!(said.starts_with("CACHE_BUILD_TIMEOUT_MINUTES: "), "{said}");
        let said = read("", &[("IMMEDIATE_CACHE_BUILD", "maybe")]).expect_err("no flag");
        assert!(said.starts_with("IMMEDIATE_CACHE_BUILD: "), "{said}");
    }
}
