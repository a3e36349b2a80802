//! Resumes warming after a restart, for the configured token only: a client's credential is never stored.
//!
//! [`crate::warm_keys`] remembers the warm reads of that token, as sent to the server; [`greenroom_state`] stores them
//! with their rhythm. At the start each is classified again, and resumed only if it still has the same key.

use std::sync::Arc;

use greenroom_dialect::classification::{Classification, Read, SharingScope};
use greenroom_dialect::request::RequestView;
use http::{HeaderMap, Method};

use crate::read::origin_loader::ReadLoader;
use crate::server::Server;
use greenroom_state::grants::StoredWarmKey;

/// Resumes the stored warm keys of the configured token.
pub async fn resume(server: Arc<Server>) {
    let rows = std::mem::take(&mut *server.warm_keys.resumed.lock());
    let Some(credential) = server.origin.own_credential() else { return };
    let identity = server.identify(&credential);
    let headers =
        server.origin.settings.kind.credential_headers(&credential, server.origin.settings.translate_legacy_auth);
    let headers = Arc::new(headers);
    for row in rows {
        let Some(read) = classify_row(&server, &row, identity.account().as_deref()) else { continue };
        let policy = server.policy(&read, &identity);
        if !policy.warm || read.sharing != SharingScope::Identity {
            continue;
        }
        let key = server.key_of(&identity, &read);
        server.warm_keys.own_reads.record(&read);
        let app = Arc::clone(&server.own_app);
        let (server, identity, credential) = (Arc::clone(&server), Arc::clone(&identity), Arc::clone(&headers));
        let cache = server.cache.clone();
        let loader = ReadLoader { server, identity, partition: key.partition().clone(), credential, app, read };
        cache.resume_warm(&key, &policy, loader, row.rhythm).await;
    }
}

/// Classifies a row; `None` if its key has changed.
fn classify_row(server: &Server, row: &StoredWarmKey, account: Option<&str>) -> Option<Arc<Read>> {
    let mut headers = HeaderMap::new();
    for line in row.headers.lines() {
        let (name, value) = line.split_once(": ")?;
        headers.append(http::HeaderName::try_from(name).ok()?, value.parse().ok()?);
    }
    let view = RequestView { method: &Method::GET, target: &row.target, headers: &headers, body: &[] };
    match server.origin.settings.kind.classify(&view, account) {
        Classification::Read(read) if read.key == row.key => Some(read),
        _ => None,
    }
}
