//! Instructions for giving Greenroom a token of a server's owner.

use std::path::Path;

use greenroom_dialect::request::ServerKind;

use crate::config_place::ConfigPlace;
use crate::shell_quote::quoted;
use crate::{Endpoint, ServerSettings};

/// Instructions for getting a token of the server's owner and for using it: a command, and a setting to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSetup {
    /// The command that writes the token to a file.
    pub command: String,
    /// Place of the setting: a file or the environment.
    pub place: String,
    /// The setting.
    pub setting: String,
}

impl TokenSetup {
    /// For a server, with the token's file in the data directory.
    pub fn new(server: &ServerSettings, data_dir: &Path) -> Self {
        Self::for_address(server.kind, &server.name, &Endpoint::from_server(server).url(), &server.url_place, data_dir)
    }

    /// For the server of this kind and name at `url`, which was configured at `url_place`.
    pub fn for_address(kind: ServerKind, name: &str, url: &str, url_place: &str, data_dir: &Path) -> Self {
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

    #[test]
    fn a_missing_token_is_answered_with_a_command_and_a_setting_to_copy() {
        let setup = |place: &str| {
            TokenSetup::for_address(ServerKind::Plex, "home", "http://nas:32400", place, Path::new("/my data"))
        };
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
