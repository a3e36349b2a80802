//! Settings of statistics and spot checks.

use std::time::Duration;

use super::section::Section;
use super::source::ConfigSource;

const MIB: u64 = 1024 * 1024;

/// Settings of statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsSettings {
    /// Max bytes in `state.db`; beyond, the oldest minutes are deleted first.
    pub max_bytes: u64,
    /// Interval of writes, which a crash may lose.
    pub write_every: Duration,
    /// One hit in this many is checked with the server; 0: none.
    pub spot_check_one_in: u64,
    /// Max spot checks per minute, for each server.
    pub spot_checks_per_minute: u64,
    /// Whether users are shown by name, where their server tells it; else by a keyed hash.
    pub user_names: bool,
}

impl Default for StatisticsSettings {
    fn default() -> Self {
        Self {
            max_bytes: 64 * MIB,
            write_every: Duration::from_secs(60),
            spot_check_one_in: 200,
            spot_checks_per_minute: 6,
            user_names: true,
        }
    }
}

impl StatisticsSettings {
    /// Reads the settings.
    pub(super) fn read(tree: &mut ConfigSource) -> Self {
        let usual = Self::default();
        let mut own = Section::new(tree, "statistics");
        Self {
            max_bytes: own.number("max_bytes", MIB..=1 << 40, usual.max_bytes),
            write_every: own.seconds("write_every_s", 1..=3600, usual.write_every),
            spot_check_one_in: own.number("spot_check_one_in", 0..=1_000_000, usual.spot_check_one_in),
            spot_checks_per_minute: own.number("spot_checks_per_minute", 0..=600, usual.spot_checks_per_minute),
            user_names: own.flag("user_names", usual.user_names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn read(more: &str) -> Result<StatisticsSettings, String> {
        let home = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("{more}\n{home}"));
        Settings::read(tree).map(|settings| settings.statistics).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn every_number_can_be_set() {
        assert_eq!(read(""), Ok(StatisticsSettings::default()));
        let told = read(
            "[statistics]\nmax_bytes = 2097152\nwrite_every_s = 1\nspot_check_one_in = 0\nspot_checks_per_minute = 9\nuser_names = false\n",
        );
        let wanted = StatisticsSettings {
            max_bytes: 2 * MIB,
            write_every: Duration::from_secs(1),
            spot_check_one_in: 0,
            spot_checks_per_minute: 9,
            user_names: false,
        };
        assert_eq!(told, Ok(wanted));
        assert!(read("[statistics]\nwrite_every_s = 0\n").expect_err("never").contains("write_every_s"));
    }
}
