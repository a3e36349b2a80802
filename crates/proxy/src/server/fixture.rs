//! Servers and identities for tests; nothing listens at their addresses.

use std::sync::Arc;

use greenroom_cache::{Cache, CacheSettings, Clock};
use greenroom_config::{ConfigSource, Settings};
use greenroom_dialect::classification::{Classification, Read};
use greenroom_dialect::credential::{Credential, Secret};
use greenroom_dialect::own_user::TokenOwner;
use greenroom_dialect::request::RequestView;
use greenroom_state::secrets::HashKey;
use http::{HeaderMap, Method};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Server;
use crate::identity::Identity;

/// Jellyfin servers of these names, which share one cache, as in one process.
pub(crate) fn jellyfins<const N: usize>(names: [&str; N]) -> [Arc<Server>; N] {
    let (clock, tasks) = (Clock::system(), TaskTracker::new());
    let cache = Cache::new(CacheSettings::default(), clock.clone(), tasks.clone());
    names.map(|name| {
        let mut source = ConfigSource::default();
        source.add_toml(
            "g.toml",
            &format!("[[server]]\nname = \"{name}\"\nkind = \"jellyfin\"\nurl = \"http://127.0.0.1:9\"\n"),
        );
        let settings = Settings::read(source).expect("valid configuration").servers.remove(0);
        let secrets = (HashKey([1; 32]), Secret::new("hook"));
        let stop = CancellationToken::new();
        Arc::new(Server::new(settings, cache.clone(), clock.clone(), tasks.clone(), stop, secrets).expect("a server"))
    })
}

/// The identity of a token.
pub(crate) fn identity(server: &Server, token: &str) -> Arc<Identity> {
    server.identify(&Credential { token: Some(Secret::new(token)), ..Credential::default() })
}

/// A user.
pub(crate) fn user(id: &str) -> TokenOwner {
    TokenOwner::User(id.to_owned())
}

/// The read at this target by an app that names itself, or not.
pub(crate) fn read(server: &Server, target: &str, app: Option<&str>) -> Arc<Read> {
    let mut headers = HeaderMap::new();
    if let Some(app) = app {
        let text = format!("MediaBrowser Client=\"{app}\", DeviceId=\"d\"");
        headers.insert(http::header::AUTHORIZATION, text.parse().expect("a header"));
    }
    let view = RequestView { method: &Method::GET, target, headers: &headers, body: &[] };
    match server.origin.settings.kind.classify(&view, None) {
        Classification::Read(read) => read,
        other => panic!("{target} is no read: {other:?}"),
    }
}
