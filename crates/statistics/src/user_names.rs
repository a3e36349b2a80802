//! Names of users in statistics and the request log, which know them by a keyed hash only.
//!
//! Names come from what is stored anyway: the users of the playback history, and the configured accounts. No request is
//! sent for them.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::request::ServerKind;
use greenroom_proxy::server::Server;
use greenroom_request_log::UserHash;
use parking_lot::RwLock;

/// Names are read again after this time.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// The owner's id on every Plex server.
const PLEX_OWNER_ID: &str = "1";

/// Names by server and hash.
#[derive(Debug)]
pub struct UserNames {
    is_enabled: bool,
    by_server: RwLock<HashMap<String, HashMap<UserHash, String>>>,
    read_ms: AtomicTimestamp,
}

impl UserNames {
    /// No names yet; none ever if they are not to be shown.
    pub fn new(is_enabled: bool) -> Self {
        Self { is_enabled, by_server: RwLock::default(), read_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH) }
    }

    /// The name of a user of this server, if it is known.
    pub fn get(&self, server: &str, user: UserHash) -> Option<String> {
        self.by_server.read().get(server)?.get(&user).cloned()
    }

    /// Whether the names are to be read again now; says so once for each interval.
    pub fn is_due(&self, now_ms: Timestamp) -> bool {
        let read_ms = self.read_ms.load(Ordering::Relaxed);
        let is_due =
            self.is_enabled && (read_ms == Timestamp::UNIX_EPOCH || now_ms.duration_since(read_ms) >= REFRESH_INTERVAL);
        if is_due {
            self.read_ms.store(now_ms, Ordering::Relaxed);
        }
        is_due
    }

    /// Replaces the names of a server by those of its users, pairs of the server's id and the name.
    pub fn set(&self, server: &Server, users: &[(String, String)]) {
        self.by_server.write().insert(server.name().to_owned(), names_of(server, users));
    }
}

/// Names by hash, from pairs of the server's id and the name.
fn names_of(server: &Server, users: &[(String, String)]) -> HashMap<UserHash, String> {
    let settings = &server.origin.settings;
    let of_accounts =
        users.iter().map(|(id, name)| (server.identities.user_of_account(&id.replace('-', "")), name.clone()));
    let mut names: HashMap<UserHash, String> = of_accounts.collect();
    let mut insert = |token: &str, name: &str| {
        if let Some(user) = server.identities.user_of_token(token) {
            names.insert(user, name.to_owned());
        }
    };
    // Plex does not tell the user of a token: only configured ones are known.
    if let (ServerKind::Plex, Some(token)) = (settings.kind, &settings.token) {
        let owner = users.iter().find(|(id, _)| id == PLEX_OWNER_ID);
        if let Some((_, name)) = owner {
            insert(token.expose(), name);
        }
    }
    for (name, account) in &settings.accounts {
        if let Some(token) = &account.token {
            insert(token.expose(), name);
        }
    }
    names
}
