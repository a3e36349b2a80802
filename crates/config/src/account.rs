//! Further users of a server, to whom playlists may be written.

use std::collections::BTreeMap;

use greenroom_dialect::credential::Secret;
use greenroom_dialect::request::ServerKind;

use super::section::Section;
use super::source::ConfigSource;

/// Keys of an account.
const ACCOUNT_KEYS: [&str; 3] = ["token", "token_file", "user"];

/// A user to whom playlists may be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountSettings {
    /// The user's token; without one the owner's is used, on the user's behalf.
    pub token: Option<Secret>,
    /// Jellyfin: name of the user, where the token has none.
    pub user: Option<String>,
}

impl AccountSettings {
    /// Reads the accounts of one server.
    pub(super) fn read_all(tree: &mut ConfigSource, server: &str, kind: Option<ServerKind>) -> BTreeMap<String, Self> {
        let path = format!("server.{server}.accounts");
        let mut accounts = BTreeMap::new();
        for name in tree.names_below(&path, &ACCOUNT_KEYS) {
            let mut own = Section::new(tree, format!("{path}.{name}"));
            let place = own.tree.place(&own.key("token"));
            let token = own.token("token");
            let user =
                own.tree.take(&own.key("user")).map(|leaf| leaf.text.trim().to_owned()).filter(|user| !user.is_empty());
            if token.is_none() && (user.is_none() || kind == Some(ServerKind::Plex)) && tree.errors.is_empty() {
                tree.problem(place, format!("account \"{name}\" needs a token or a token_file"));
            }
            accounts.insert(name, Self { token, user });
        }
        accounts
    }
}
