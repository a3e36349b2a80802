//! Settings of the library indexes.
//!
//! Some variables of other tools are also read, for users of those tools; our own key wins.

use std::time::Duration;

use greenroom_dialect::request::ServerKind;

use super::source::ConfigSource;

const FLAG: &str = "true or false";
/// Min and max of the timeout (minutes), the interval (hours) and the memory limit (MiB).
const TIMEOUTS: (u64, u64) = (1, 7 * 24 * 60);
const SCHEDULES: (u64, u64) = (0, 365 * 24);
const LIMITS: (u64, u64) = (16, 1024 * 1024);
/// Default timeout of a build.
const TIMEOUT_MINUTES: u64 = 180;
/// Default interval of full comparisons.
const SCHEDULE_HOURS: u64 = 24;
/// Default memory limit of all snapshots together.
const MEMORY_LIMIT_MB: u64 = 1024;
const MIB: u64 = 1024 * 1024;

/// Libraries indexed as soon as the server is up. The others wait for their first lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialIndexing {
    /// None.
    Nothing,
    /// Music libraries.
    Music,
    /// All libraries.
    Everything,
}

/// Settings of one server's libraries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibrarySettings {
    /// Whether libraries are indexed, unless the user chose otherwise for one.
    pub enabled: bool,
    /// Libraries indexed at once.
    pub at_start: InitialIndexing,
    /// Timeout of one build, including all waits.
    pub timeout: Duration,
    /// Interval of full comparisons; `None`: no schedule.
    pub schedule: Option<Duration>,
    /// The default music library.
    pub music: Option<String>,
}

impl Default for LibrarySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            at_start: InitialIndexing::Music,
            timeout: Duration::from_secs(TIMEOUT_MINUTES * 60),
            schedule: Some(Duration::from_secs(SCHEDULE_HOURS * 3600)),
            music: None,
        }
    }
}

impl LibrarySettings {
    /// Reads the settings for all servers.
    pub(super) fn read(tree: &mut ConfigSource) -> Self {
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

    /// Reads the settings of one server.
    pub(super) fn read_for_server(
        tree: &mut ConfigSource,
        server: &str,
        kind: Option<ServerKind>,
        common: &Self,
    ) -> Self {
        let key = |last: &str| format!("server.{server}.library.{last}");
        let of_kind = match kind {
            Some(ServerKind::Jellyfin) => "LIBRARY_CACHE_JELLYFIN_ENABLED",
            Some(ServerKind::Plex) | None => "LIBRARY_CACHE_PLEX_ENABLED",
        };
        let enabled = tree.parse(&key("enabled"), FLAG);
        // Our own key for all servers wins.
        let of_kind = if tree.is_set("library.enabled") { None } else { tree.foreign_flag(of_kind) };
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

/// Reads the memory limit of all snapshots, in bytes.
pub(super) fn read_memory_limit(tree: &mut ConfigSource) -> u64 {
    let usual = tree.foreign_number("LIBRARY_CACHE_MEMORY_LIMIT_MB", LIMITS).unwrap_or(MEMORY_LIMIT_MB);
    tree.number("library.memory_limit_mb", LIMITS.0, LIMITS.1, usual) * MIB
}

/// Our own key means all libraries.
fn everything(is_wanted: bool) -> InitialIndexing {
    if is_wanted { InitialIndexing::Everything } else { InitialIndexing::Nothing }
}

/// Other tools' variables mean music libraries.
fn music(is_wanted: bool) -> InitialIndexing {
    if is_wanted { InitialIndexing::Music } else { InitialIndexing::Nothing }
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
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("{more}\n{HOME}"));
        tree.add_environment(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Settings::read(tree).map_err(|problems| problems[0].to_string())
    }

    fn library(more: &str, variables: &[(&str, &str)]) -> LibrarySettings {
        read(more, variables).expect("it is valid").servers.remove(0).library
    }

    #[test]
    fn without_a_word_music_is_kept_and_indexed_at_once() {
        assert_eq!(library("", &[]), LibrarySettings::default());
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
        let wanted = LibrarySettings {
            enabled: false,
            at_start: InitialIndexing::Nothing,
            timeout: Duration::from_secs(1800),
            schedule: Some(Duration::from_secs(6 * 3600)),
            music: Some("Tunes".into()),
        };
        assert_eq!(library("", &theirs), wanted);
        assert_eq!(read("", &theirs).expect("it is valid").library_memory_bytes, 64 * MIB);
        let ours = "[library]\nenabled = true\nindex_at_start = true\ntimeout_minutes = 9\nschedule_hours = 0\nmusic = \"Songs\"\n";
        let wanted = LibrarySettings {
            enabled: true,
            at_start: InitialIndexing::Everything,
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
