//! Warming goes on after a restart, for the configured token only: a client's credential is never kept.
//!
//! What is read with that token and kept warm is remembered in [`crate::warm_keys`], in the words in which the server is
//! asked; [`greenroom_state`] keeps it, with the rhythm in which it is read. At the start each of it is understood anew,
//! and taken up only if it still means the same key.

use std::sync::Arc;

use greenroom_cache::Key;
use greenroom_dialect::ask::Ask;
use greenroom_dialect::verdict::{Read, Sharing, Verdict};
use http::{HeaderMap, Method};

use crate::read::origin_loader::ReadLoader;
use crate::server::Server;
use greenroom_state::grants::WarmRead;

/// Keeps warm what was kept warm for the configured token before.
pub async fn resume(server: Arc<Server>) {
    let rows = std::mem::take(&mut *server.warm.resumed.lock());
    let Some(credential) = server.origin.own_credential() else { return };
    let identity = server.identify(&credential);
    let headers = server
        .origin
        .settings
        .kind
        .credential_headers(&credential, server.origin.settings.translate_legacy_auth);
    let headers = Arc::new(headers);
    for row in rows {
        let Some(read) = understand(&server, &row, identity.account().as_deref()) else { continue };
        let policy = server.policy(&read, &identity);
        if !policy.warm || read.sharing != Sharing::Identity {
            continue;
        }
        let key = Key::new(server.name(), identity.partition(), &read.key);
        server.warm.own_reads.note(&read);
        let app = Arc::clone(&server.own_app);
        let (server, identity, credential) =
            (Arc::clone(&server), Arc::clone(&identity), Arc::clone(&headers));
        let cache = server.cache.clone();
        let loader = ReadLoader { server, identity, credential, app, read };
        cache.resume_warm(&key, &policy, loader, row.rhythm).await;
    }
}

/// What a row means today; nothing if that is another key than before.
fn understand(server: &Server, row: &WarmRead, account: Option<&str>) -> Option<Arc<Read>> {
    let mut headers = HeaderMap::new();
    for line in row.headers.lines() {
        let (name, value) = line.split_once(": ")?;
        headers.append(http::HeaderName::try_from(name).ok()?, value.parse().ok()?);
    }
    let ask = Ask { method: &Method::GET, target: &row.target, headers: &headers, body: &[] };
    match server.origin.settings.kind.classify(&ask, account) {
        Verdict::Read(read) if read.key == row.key => Some(read),
        _ => None,
    }
}
