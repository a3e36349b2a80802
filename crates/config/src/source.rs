//! Source of values: a flat tree of leaves, each with the place where it was written.
//!
//! A variable is looked up when its key is read, so every key has one, and no list is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::removed;
use super::toml_text::{TomlText, position_of};

/// Prefix of every environment variable that belongs to Greenroom.
const PREFIX: &str = "GREENROOM_";

/// Prefix of the variables of one server.
const SERVER_PREFIX: &str = "GREENROOM_SERVER_";

/// Environment variables that are not keys of the configuration.
const NOT_KEYS: [&str; 4] = ["GREENROOM_CONFIG", "GREENROOM_LOG", "GREENROOM_LOG_FORMAT", "GREENROOM_REFERENCE"];

/// An error in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Its place: `greenroom.toml:12:8` (line and column), `GREENROOM_CONTROL_LISTEN`, `--listen`.
    pub place: String,
    /// The error and its remedy.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Variables of other tools that are read as well.
const FOREIGN: [&str; 17] = [
    "AUTO_ENABLE_LIBRARY_CACHE",
    "IMMEDIATE_CACHE_BUILD",
    "CACHE_BUILD_TIMEOUT_MINUTES",
    "LIBRARY_CACHE_PLEX_ENABLED",
    "LIBRARY_CACHE_JELLYFIN_ENABLED",
    "LIBRARY_CACHE_MEMORY_LIMIT_MB",
    "LIBRARY_CACHE_SCHEDULE_HOURS",
    "PLEX_LIBRARY_NAME",
    "REDIS_ENABLED",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_DB",
    "REDIS_PASSWORD",
    "CACHE_ACTIVITIES_TTL",
    "CACHE_WATCH_HISTORY_TTL",
    "CACHE_LIBRARY_TTL",
    "STATS_REFRESH_INTERVAL",
];

/// A value and its place.
#[derive(Debug, Clone)]
pub struct ConfigValue {
    /// The value as text; numbers and booleans in TOML syntax.
    pub text: String,
    /// Its place.
    pub place: String,
}

/// All leaves by their dotted path (`control.listen`, `server.home.url`).
#[derive(Debug, Default)]
pub struct ConfigSource {
    leaves: BTreeMap<String, ConfigValue>,
    /// Variables not read yet.
    environment: BTreeMap<String, String>,
    /// Variables of other tools.
    foreign: BTreeMap<String, String>,
    /// Paths whose value was read.
    read_paths: BTreeSet<String>,
    /// Every path that was requested, with or without a value.
    #[cfg(test)]
    pub(super) asked: std::sync::Arc<parking_lot::Mutex<BTreeSet<String>>>,
    /// Names of the servers in the order they were written.
    servers: Vec<(String, String)>,
    /// Errors found while reading.
    pub errors: Vec<ConfigError>,
    /// Harmless problems that should be fixed.
    pub(super) remarks: Vec<ConfigError>,
}

impl ConfigSource {
    /// Adds the leaves of a TOML file; `name` is the file's name in errors.
    pub fn add_toml(&mut self, name: &str, text: &str) {
        match DeTable::parse(text) {
            Ok(table) => {
                let lines = TomlText { name, text };
                self.add_table(&lines, "", table.get_ref());
            }
            Err(error) => {
                let (line, column) = error.span().map_or((1, 1), |span| position_of(text, span.start));
                self.problem(format!("{name}:{line}:{column}"), error.message().to_owned());
            }
        }
    }

    /// Adds environment variables. `GREENROOM_SERVER_<NAME>_KIND` defines a server.
    pub fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        for (name, value) in variables {
            if FOREIGN.contains(&name.as_str()) {
                self.foreign.insert(name, value);
            } else if name.starts_with(PREFIX) && !NOT_KEYS.contains(&name.as_str()) {
                self.environment.insert(name, value);
            }
        }
        let servers: Vec<(String, String)> = self
            .environment
            .keys()
            .filter_map(|variable| {
                let name = variable.strip_prefix(SERVER_PREFIX)?.strip_suffix("_KIND")?;
                Some((name.to_ascii_lowercase().replace('_', "-"), variable.clone()))
            })
            .collect();
        for (name, place) in servers {
            if is_server_name(&name) {
                self.add_server(&name, &place);
            }
        }
    }

    /// Sets one leaf from the command line.
    pub fn set(&mut self, path: &str, text: String, place: String) {
        self.environment.remove(&variable(path));
        self.leaves.insert(path.to_owned(), ConfigValue { text, place });
    }

    /// Adds a server from the command line.
    pub fn add_server(&mut self, name: &str, place: &str) {
        if !self.servers.iter().any(|(known, _)| known == name) {
            self.servers.push((name.to_owned(), place.to_owned()));
        }
    }

    /// Whether there is such a leaf.
    pub fn has(&self, path: &str) -> bool {
        self.leaf(path).is_some()
    }

    /// Place of a value. If it is missing: the place of a value below it, or else beside it, or else its path.
    pub fn place(&self, path: &str) -> String {
        let table = path.rsplit_once('.').map(|(table, _)| table);
        self.leaf(path)
            .map(|leaf| leaf.place)
            .or_else(|| self.place_below(path))
            .or_else(|| self.place_below(table?))
            .unwrap_or_else(|| path.to_owned())
    }

    /// Place of the first value of a table.
    fn place_below(&self, table: &str) -> Option<String> {
        let prefix = format!("{}_", variable(table));
        let set = self.environment.range(prefix.clone()..).next().map(|(name, _)| name);
        let set = set.filter(|name| name.starts_with(&prefix)).cloned();
        let prefix = format!("{table}.");
        let written = || self.leaves.range(prefix.clone()..).next().filter(|(path, _)| path.starts_with(&prefix));
        set.or_else(|| written().map(|(_, leaf)| leaf.place.clone()))
    }

    /// Takes a leaf out, so that the leaves left at the end are unknown keys.
    pub fn take(&mut self, path: &str) -> Option<ConfigValue> {
        let leaf = self.leaf(path);
        self.environment.remove(&variable(path));
        self.leaves.remove(path);
        if leaf.is_some() {
            self.read_paths.insert(path.to_owned());
        }
        leaf
    }

    /// Whether a value was read from this path.
    pub fn is_set(&self, path: &str) -> bool {
        self.read_paths.contains(path)
    }

    /// Value of another tool's variable; empty counts as unset.
    pub fn foreign(&self, name: &str) -> Option<ConfigValue> {
        let text = self.foreign.get(name).filter(|text| !text.trim().is_empty())?;
        Some(ConfigValue { text: text.clone(), place: name.to_owned() })
    }

    /// The same as a boolean, in any of the words those tools accept.
    pub fn foreign_flag(&mut self, name: &str) -> Option<bool> {
        let leaf = self.foreign(name)?;
        match leaf.text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => {
                let message = format!("must be true or false, not \"{}\"", leaf.text);
                self.problem(leaf.place, message);
                None
            }
        }
    }

    /// The same as a number within bounds.
    pub fn foreign_number(&mut self, name: &str, (least, most): (u64, u64)) -> Option<u64> {
        let leaf = self.foreign(name)?;
        let number = leaf.text.trim().parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let message = format!("must be a whole number from {least} to {most}, not \"{}\"", leaf.text);
            self.problem(leaf.place, message);
        }
        number
    }

    /// The environment wins over the file; the command line has removed the variable.
    fn leaf(&self, path: &str) -> Option<ConfigValue> {
        #[cfg(test)]
        self.asked.lock().insert(path.to_owned());
        let variable = variable(path);
        match self.environment.get(&variable) {
            Some(text) => Some(ConfigValue { text: text.clone(), place: variable }),
            None => self.leaves.get(path).cloned(),
        }
    }

    /// Takes a leaf and parses it; a parse error names what was `expected`.
    pub fn parse<T: std::str::FromStr>(&mut self, path: &str, expected: &str) -> Option<T> {
        let leaf = self.take(path)?;
        let parsed = leaf.text.trim().parse().ok();
        if parsed.is_none() {
            self.problem(leaf.place, format!("{path} must be {expected}, not \"{}\"", leaf.text));
        }
        parsed
    }

    /// Takes a leaf as a number within bounds.
    pub fn number(&mut self, path: &str, least: u64, most: u64, default: u64) -> u64 {
        let Some(leaf) = self.leaf(path) else { return default };
        let expected = format!("a whole number from {least} to {most}");
        match self.parse::<u64>(path, &expected) {
            Some(number) if (least..=most).contains(&number) => number,
            Some(number) => {
                self.problem(leaf.place, format!("{path} must be {expected}, not {number}"));
                default
            }
            None => default,
        }
    }

    /// Names of the servers, each with the place of its first mention.
    pub fn servers(&self) -> Vec<(String, String)> {
        self.servers.clone()
    }

    /// Whether a server is one of any HTTP API.
    pub fn is_http_api(&self, server: &str) -> bool {
        self.leaf(&format!("server.{server}.kind")).is_some_and(|leaf| leaf.text == "http")
    }

    /// Names of the tables below a path (`server.home.accounts`), in the file or in variables with one of these keys as
    /// suffix.
    pub fn names_below(&self, path: &str, keys: &[&str]) -> Vec<String> {
        let prefix = format!("{path}.");
        let written = self.leaves.keys().filter_map(|leaf| leaf.strip_prefix(&prefix)?.split('.').next());
        let mut names: std::collections::BTreeSet<String> = written.map(str::to_owned).collect();
        let prefix = format!("{}_", variable(path));
        for told in self.environment.keys().filter_map(|name| name.strip_prefix(&prefix)) {
            // The longest key first: `TOKEN_FILE` is not the `FILE` of an account TOKEN.
            let ends = keys.iter().filter_map(|key| told.strip_suffix(&format!("_{}", key.to_ascii_uppercase())));
            if let Some(name) = ends.min_by_key(|name| name.len()) {
                let name = name.to_ascii_lowercase().replace('_', "-");
                if is_server_name(&name) {
                    names.insert(name);
                }
            }
        }
        names.into_iter().collect()
    }

    /// Adds an error.
    pub fn problem(&mut self, place: String, message: String) {
        self.errors.push(ConfigError { place, message });
    }

    /// Adds an error for every leaf that was not taken, or a remark if it is a removed setting.
    pub fn reject_unknown(&mut self) {
        for path in removed::paths() {
            let name = variable(path);
            let said = self.environment.remove(&name).map(|_| name);
            let written = self.leaves.remove(path).map(|leaf| leaf.place);
            if let (Some(place), Some(message)) = (said.or(written), removed::remark(path)) {
                self.remarks.push(ConfigError { place, message });
            }
        }
        for (path, leaf) in std::mem::take(&mut self.leaves) {
            self.problem(leaf.place, format!("unknown key {path}"));
        }
        for (name, _) in std::mem::take(&mut self.environment) {
            let why = if name.starts_with(SERVER_PREFIX) {
                "no such key, or its server is not named: GREENROOM_SERVER_<NAME>_KIND does"
            } else {
                "no such key"
            };
            self.problem(name, why.into());
        }
    }

    fn add_table(&mut self, lines: &TomlText<'_>, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = join(prefix, key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.add_table(lines, &path, inner),
                DeValue::Array(rows) if ["server", "notice", "folder", "app_cache"].contains(&path.as_str()) => {
                    for row in rows {
                        self.add_named_row(lines, &path, row);
                    }
                }
                DeValue::Array(rows) if path.ends_with(".path_map") || is_route_list(&path) => {
                    for (index, row) in rows.iter().enumerate() {
                        let path = format!("{path}.{}", index + 1);
                        match row.get_ref() {
                            DeValue::Table(inner) => self.add_table(lines, &path, inner),
                            _ => self.problem(lines.place(row), format!("{path} must be a table")),
                        }
                    }
                }
                DeValue::Array(texts) if texts.iter().all(|text| text.get_ref().as_str().is_some()) => {
                    let texts: Vec<&str> = texts.iter().filter_map(|text| text.get_ref().as_str()).collect();
                    self.set(&path, texts.join(","), lines.place(value));
                }
                DeValue::Array(_) | DeValue::Datetime(_) => {
                    self.problem(lines.place(value), format!("{path} must be a single value"));
                }
                DeValue::String(text) => self.set(&path, text.to_string(), lines.place(value)),
                DeValue::Integer(number) => self.set(&path, number.to_string(), lines.place(value)),
                DeValue::Float(number) => self.set(&path, number.to_string(), lines.place(value)),
                DeValue::Boolean(flag) => self.set(&path, flag.to_string(), lines.place(value)),
            }
        }
    }

    /// Adds a row of `[[server]]`, `[[notice]]`, `[[folder]]` or `[[app_cache]]`, which has a name of its own.
    fn add_named_row(&mut self, lines: &TomlText<'_>, kind: &str, row: &Spanned<DeValue<'_>>) {
        let (place, is_server) = (lines.place(row), kind == "server");
        let DeValue::Table(table) = row.get_ref() else {
            self.problem(place, format!("{kind} must be a list of tables: [[{kind}]]"));
            return;
        };
        let name = table.get("name").and_then(|value| value.get_ref().as_str()).unwrap_or_default();
        let prefix = format!("{kind}.{name}");
        if !is_server_name(name) {
            let example = if is_server { "home" } else { "phone" };
            let message = "needs a name of letters, digits and \"-\", such as name =";
            self.problem(place, format!("each [[{kind}]] {message} \"{example}\""));
            return;
        }
        let is_known = self.servers.iter().any(|(known, _)| is_server && known == name)
            || self.leaves.keys().any(|path| !is_server && path.starts_with(&format!("{prefix}.")));
        if is_known {
            self.problem(place, format!("there are two {kind}s with the name \"{name}\""));
            return;
        }
        if is_server {
            self.add_server(name, &place);
        }
        self.add_table(lines, &prefix, table);
        if is_server {
            self.leaves.remove(&format!("{prefix}.name"));
        }
    }
}

/// Environment variable of a key.
pub(super) fn variable(path: &str) -> String {
    let upper = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(path.chars().map(upper)).collect()
}

/// Whether a name is valid for a server: it appears in metrics, paths and variables.
pub fn is_server_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 40 && name.bytes().all(fits)
}

/// Whether this is `server.NAME.route`, or `server.NAME.route.NUMBER.prefetch`.
fn is_route_list(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("server.") else { return false };
    let is_route = |rest: &str| rest.strip_suffix(".route").is_some_and(|name| !name.contains('.'));
    let rules = || rest.strip_suffix(".prefetch").and_then(|rest| rest.rsplit_once('.'));
    is_route(rest) || rules().is_some_and(|(route, _)| is_route(route))
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_knows_its_line_and_column() {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", "data_dir = \"/d\"\n\n[control]\nlisten = \"x\"\n");
        assert_eq!(tree.take("control.listen").expect("it is there").place, "g.toml:4:10");
    }

    #[test]
    fn the_place_of_a_missing_value_is_that_of_a_value_beside_it() {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", "[[notice]]\nname = \"den\"\nevents = \"outage\"\n");
        assert_eq!(tree.place("notice.den.url"), "g.toml:3:10");
        assert_eq!(tree.place("notice"), "g.toml:3:10", "or below it");
        assert_eq!(tree.place("notice.study.url"), "notice.study.url", "nothing is known of that one");
        let tree = environment(&[("GREENROOM_NOTICE_DEN_TOKEN", "t")]);
        assert_eq!(tree.place("notice.den.url"), "GREENROOM_NOTICE_DEN_TOKEN");
    }

    fn environment(variables: &[(&str, &str)]) -> ConfigSource {
        let mut tree = ConfigSource::default();
        tree.add_environment(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        tree
    }

    #[test]
    fn a_server_of_the_environment_needs_no_file() {
        let mut tree = environment(&[
            ("GREENROOM_SERVER_LIVING_ROOM_TOKEN_FILE", "/t"),
            ("GREENROOM_SERVER_LIVING_ROOM_KIND", "plex"),
        ]);
        assert_eq!(tree.take("server.living-room.token_file").expect("it is there").text, "/t");
        assert_eq!(tree.servers()[0].0, "living-room");
    }

    #[test]
    fn a_variable_of_a_server_that_is_not_named_says_what_names_it() {
        let mut tree = environment(&[("GREENROOM_SERVER_HOME_URL", "http://h"), ("GREENROOM_COLOUR", "red")]);
        tree.reject_unknown();
        let problems: Vec<String> = tree.errors.iter().map(ConfigError::to_string).collect();
        assert_eq!(problems[0], "GREENROOM_COLOUR: no such key");
        assert!(problems[1].contains("GREENROOM_SERVER_<NAME>_KIND"), "{problems:?}");
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let mut tree = environment(&[("GREENROOM_CONTROL_LISTEN", "of the environment")]);
        tree.set("control.listen", "typed".into(), "--control".into());
        assert_eq!(tree.take("control.listen").expect("it is there").text, "typed");
        tree.reject_unknown();
        assert!(tree.errors.is_empty());
    }

    #[test]
    fn a_list_of_texts_is_one_value_with_commas() {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", "a = [\"x\", \"y\"]\nb = [1]\n");
        assert_eq!(tree.take("a").expect("it is there").text, "x,y");
        assert_eq!(tree.errors[0].to_string(), "g.toml:2:5: b must be a single value");
    }

    #[test]
    fn an_unknown_key_is_a_problem_with_its_place() {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", "[control]\nlissten = \"x\"\n");
        tree.reject_unknown();
        assert_eq!(tree.errors[0].to_string(), "g.toml:2:11: unknown key control.lissten");
    }

    #[test]
    fn broken_toml_is_a_problem_with_its_line_and_column() {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", "a = 1\nb = = 2\n");
        assert_eq!(tree.errors[0].place, "g.toml:2:5");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", "data_dir = \"/file\"");
        tree.add_environment([("GREENROOM_DATA_DIR".to_owned(), "/env".to_owned())].into_iter());
        assert_eq!(tree.take("data_dir").expect("it is there").text, "/env");
    }
}
