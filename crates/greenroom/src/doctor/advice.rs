//! What to type to change a server's configuration, in the words of where it was configured: an option of the command, a
//! variable, or a line of the file.

use std::path::Path;

use greenroom_config::Endpoint;
use greenroom_dialect::request::ServerKind;

use super::facts::ServerFacts;
use crate::shell_quote::quoted;

/// End of the variable that sets a server's URL.
const URL_VARIABLE_END: &str = "_URL";

/// Where a server was configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConfigPlace<'a> {
    /// By an option: `--plex`, `--jellyfin`.
    Option(&'a str),
    /// By variables with this start: `GREENROOM_SERVER_HOME`.
    Variables(&'a str),
    /// In a file.
    File,
}

impl<'a> ConfigPlace<'a> {
    fn parse(url_place: &'a str) -> Self {
        match url_place.strip_suffix(URL_VARIABLE_END) {
            _ if url_place.starts_with("--") => Self::Option(url_place),
            Some(start) => Self::Variables(start),
            None => Self::File,
        }
    }
}

/// How to configure another address.
pub fn set_url(facts: &ServerFacts, endpoint: &Endpoint) -> String {
    let url = endpoint.url();
    match ConfigPlace::parse(&facts.url_place) {
        ConfigPlace::Option(option) => format!("type {option} {}", quoted(&url)),
        ConfigPlace::Variables(start) => format!("set {start}_URL={}", quoted(&url)),
        ConfigPlace::File => format!("configure url = \"{url}\""),
    }
}

/// How to configure another kind.
pub fn set_kind(facts: &ServerFacts, kind: ServerKind) -> String {
    let name = kind.name();
    match ConfigPlace::parse(&facts.url_place) {
        ConfigPlace::Option(_) => format!("type --{name} {}", quoted(&facts.endpoint.url())),
        ConfigPlace::Variables(start) => format!("set {start}_KIND={name}"),
        ConfigPlace::File => format!("configure kind = \"{name}\""),
    }
}

/// How to configure another kind at another address.
pub fn set_server(facts: &ServerFacts, kind: ServerKind, endpoint: &Endpoint) -> String {
    let (name, url) = (kind.name(), endpoint.url());
    match ConfigPlace::parse(&facts.url_place) {
        ConfigPlace::Option(_) => format!("type --{name} {}", quoted(&url)),
        ConfigPlace::Variables(start) => format!("set {start}_KIND={name} {start}_URL={}", quoted(&url)),
        ConfigPlace::File => format!("configure kind = \"{name}\" and url = \"{url}\""),
    }
}

/// How to get a token of the server's owner, and how to use it: a command, and a setting to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSetup {
    /// The command that writes the token to a file.
    pub command: String,
    /// Where the setting belongs.
    pub place: String,
    /// The setting.
    pub setting: String,
}

impl TokenSetup {
    /// For the server of this kind and name at `url`, which was configured at `url_place`.
    pub fn new(kind: ServerKind, name: &str, url: &str, url_place: &str, data_dir: &Path) -> Self {
        let folder = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        let file = folder.join(format!("{name}.token"));
        let file = file.to_string_lossy();
        let url_option = match kind {
            ServerKind::Plex => "plex --server-url",
            ServerKind::Jellyfin => "jellyfin --url",
        };
        let url = quoted(url);
        let (place, setting) = match ConfigPlace::parse(url_place) {
            ConfigPlace::Option(_) => ("add to the command".to_owned(), format!("--token-file {}", quoted(&file))),
            ConfigPlace::Variables(start) => ("set".to_owned(), format!("{start}_TOKEN_FILE={}", quoted(&file))),
            ConfigPlace::File => (
                format!("add to the [[server]] named \"{name}\""),
                format!("token_file = {}", toml::Value::from(file.as_ref())),
            ),
        };
        let command = format!("greenroom login {url_option} {url} --name {name} --output {}", quoted(&file));
        Self { command, place, setting }
    }

    /// Both on a line.
    pub fn sentence(&self) -> String {
        format!("{}; then {}: {}", self.command, self.place, self.setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::fixtures::server;

    fn facts(url_place: &str) -> ServerFacts {
        ServerFacts { url_place: url_place.into(), ..server(ServerKind::Plex, "http://nas:32400/web") }
    }

    #[test]
    fn advice_names_what_was_typed() {
        let right = Endpoint::parse("http://nas:32400").expect("an address");
        for (place, url, kind) in [
            ("--plex", "type --plex http://nas:32400", "type --jellyfin http://nas:32400/web"),
            (
                "GREENROOM_SERVER_HOME_URL",
                "set GREENROOM_SERVER_HOME_URL=http://nas:32400",
                "set GREENROOM_SERVER_HOME_KIND=jellyfin",
            ),
            ("greenroom.toml:4", "configure url = \"http://nas:32400\"", "configure kind = \"jellyfin\""),
        ] {
            assert_eq!(set_url(&facts(place), &right), url);
            assert_eq!(set_kind(&facts(place), ServerKind::Jellyfin), kind);
        }
        let both = set_server(&facts("GREENROOM_SERVER_HOME_URL"), ServerKind::Jellyfin, &right);
        assert_eq!(both, "set GREENROOM_SERVER_HOME_KIND=jellyfin GREENROOM_SERVER_HOME_URL=http://nas:32400");
    }

    #[test]
    fn a_missing_token_is_answered_with_a_command_and_a_setting_to_copy() {
        let setup =
            |place: &str| TokenSetup::new(ServerKind::Plex, "home", "http://nas:32400", place, Path::new("/my data"));
        let file = setup("greenroom.toml:4");
        assert_eq!(
            file.command,
            "greenroom login plex --server-url http://nas:32400 --name home --output '/my data/home.token'"
        );
        assert_eq!(file.setting, "token_file = \"/my data/home.token\"");
        assert!(file.place.contains("[[server]] named \"home\""));
        assert_eq!(setup("--plex").setting, "--token-file '/my data/home.token'");
        assert_eq!(
            setup("GREENROOM_SERVER_HOME_URL").setting,
            "GREENROOM_SERVER_HOME_TOKEN_FILE='/my data/home.token'"
        );
    }
}
