//! Settings of match overrides, live searches and path maps.

use greenroom_library::files::path_map::MAX_RULES;
use greenroom_library::files::{PathMaps, PathRule};

use super::section::Section;
use super::source::ConfigSource;

/// Settings of matching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchingSettings {
    /// Max match overrides: pins, rejections, confirmed matches.
    pub max_decisions: usize,
    /// Live searches per call.
    pub live_per_call: usize,
    /// Live searches per minute, for each server.
    pub live_per_minute: usize,
}

impl Default for MatchingSettings {
    fn default() -> Self {
        Self { max_decisions: 100_000, live_per_call: 50, live_per_minute: 60 }
    }
}

impl MatchingSettings {
    /// Reads the settings.
    pub(super) fn read(tree: &mut ConfigSource) -> Self {
        let (mut own, usual) = (Section::new(tree, "matching"), Self::default());
        Self {
            max_decisions: own.count("max_decisions", 100..=1_000_000, usual.max_decisions),
            live_per_call: own.count("live_per_call", 0..=10_000, usual.live_per_call),
            live_per_minute: own.count("live_per_minute", 0..=10_000, usual.live_per_minute),
        }
    }
}

/// Reads the path maps of a server: `[[server.path_map]]`, counted from one.
pub(super) fn read_path_maps(tree: &mut ConfigSource, server: &str) -> PathMaps {
    let key = |number: usize, last: &str| format!("server.{server}.path_map.{number}.{last}");
    let mut rules: Vec<(String, String)> = Vec::new();
    let mut places = Vec::new();
    for number in 1..=MAX_RULES {
        let place = tree.place(&key(number, "from"));
        let from = tree.take(&key(number, "from")).map(|leaf| leaf.text);
        let to = tree.take(&key(number, "to")).map(|leaf| leaf.text);
        match (from, to) {
            (Some(from), Some(to)) => {
                rules.push((from, to));
                places.push(place);
            }
            (None, None) => break,
            _ => {
                tree.problem(place, "a path map needs from and to".into());
                return PathMaps::default();
            }
        }
    }
    let written = rules.iter().map(|(from, to)| PathRule { from, to });
    PathMaps::new(written).unwrap_or_else(|error| {
        let place = error.rule().and_then(|rule| places.get(rule - 1).cloned()).unwrap_or_default();
        tree.problem(place, error.to_string());
        PathMaps::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn read(more: &str) -> Result<Settings, String> {
        let home = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("{home}{more}"));
        Settings::read(tree).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn path_maps_are_read_in_their_order_and_a_bad_one_is_said_with_its_line() {
        let maps = read(
            "[[server.path_map]]\nfrom = '^/data/{1,2}(.*)$'\nto = '/mnt/$1'\n[[server.path_map]]\nfrom = '^/data/'\nto = '/never/'\n",
        );
        let maps = maps.expect("valid").servers[0].path_maps.clone();
        assert_eq!(maps.map("/data/a,b").as_deref(), Some("/mnt/a,b"));
        let bad = read("[[server.path_map]]\nfrom = '('\nto = ''\n").expect_err("no expression");
        assert!(bad.starts_with("g.toml:6:8: rule 1: from is not a valid regular expression"), "{bad}");
        let half = read("[[server.path_map]]\nfrom = 'a'\n").expect_err("half a map");
        assert!(half.contains("needs from and to"), "{half}");
        assert!(read("").expect("valid").servers[0].path_maps.is_empty());
    }

    #[test]
    fn every_number_can_be_set() {
        let settings =
            read("[matching]\nmax_decisions = 500\nlive_per_call = 1\nlive_per_minute = 2\n").expect("valid");
        let wanted = MatchingSettings { max_decisions: 500, live_per_call: 1, live_per_minute: 2 };
        assert_eq!(settings.matching, wanted);
        assert_eq!(read("").expect("valid").matching, MatchingSettings::default());
    }
}
