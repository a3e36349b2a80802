//! Warming goes on after a restart, for the configured token only: a client's credential is never kept.
//!
//! What is read with that token and kept warm is remembered here in the words in which the server is asked; the
//! [`crate::state`] keeps it, with the rhythm in which it is read. At the start each of it is understood anew, and
//! taken up only if it still means the same key.

use std::collections::HashMap;
use std::sync::Arc;

use greenroom_cache::{Key, Rhythm};
use greenroom_upstream::ask::Ask;
use greenroom_upstream::verdict::{Read, Sharing, Verdict};
use http::{HeaderMap, Method};
use parking_lot::Mutex;

use crate::proxy::load::ReadLoader;
use crate::server::Server;

/// Reads that are remembered per server.
const MAX_READS: usize = 256;

/// The reads of the configured token that are kept warm, by the text of their key.
#[derive(Debug, Default)]
pub struct OwnReads(Mutex<HashMap<String, Arc<Read>>>);

/// A read that is kept warm, as it is kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmRead {
    /// The text of its key.
    pub key: String,
    /// What the server is asked for. Holds no credential.
    pub target: String,
    /// The headers that go with it, a line each. None is a credential.
    pub headers: String,
    /// When it is read.
    pub rhythm: Rhythm,
}

impl OwnReads {
    /// Remembers what is read with the configured token.
    pub fn note(&self, read: &Arc<Read>) {
        let mut reads = self.0.lock();
        if reads.len() < MAX_READS && !reads.contains_key(&read.key) {
            reads.insert(read.key.clone(), Arc::clone(read));
        }
    }
}

/// What is kept warm for the configured token now, in order of its keys.
pub fn warm_reads(server: &Server) -> Vec<WarmRead> {
    let Some(own) = server.own_partition() else { return Vec::new() };
    let mut reads = server.own_reads.0.lock();
    let warm = server.cache.warm_keys(server.name(), &own);
    // What is not kept warm any more makes room.
    reads.retain(|text, _| warm.iter().any(|(key, _)| key.text() == text));
    let row = |(key, rhythm): &(Key, Rhythm)| {
        let read = reads.get(key.text())?;
        let line = |(name, value): &(http::HeaderName, http::HeaderValue)| {
            Some(format!("{}: {}\n", name.as_str(), value.to_str().ok()?))
        };
        let headers = read.headers.iter().map(line).collect::<Option<String>>()?;
        Some(WarmRead { key: read.key.clone(), target: read.target.clone(), headers, rhythm: *rhythm })
    };
    let mut rows: Vec<WarmRead> = warm.iter().filter_map(row).collect();
    rows.sort_by(|one, two| one.key.cmp(&two.key));
    rows
}

/// Keeps warm what was kept warm for the configured token before.
pub async fn resume(server: Arc<Server>) {
    let rows = std::mem::take(&mut *server.resumed.lock());
    let Some(credential) = server.own_credential() else { return };
    let identity = server.identify(&credential);
    let headers = server.settings.kind.credential_headers(&credential, server.settings.translate_legacy_auth);
    let headers = Arc::new(headers);
    for row in rows {
        let Some(read) = understand(&server, &row, identity.account().as_deref()) else { continue };
        let policy = server.policy(&read, &identity);
        if !policy.warm || read.sharing != Sharing::Identity {
            continue;
        }
        let key = Key::new(server.name(), identity.partition(), &read.key);
        server.own_reads.note(&read);
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
    match server.settings.kind.classify(&ask, account) {
        Verdict::Read(read) if read.key == row.key => Some(read),
        _ => None,
    }
}
