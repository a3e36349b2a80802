//! What a request to a server means: who asks, with which app, and what for.

use std::sync::Arc;

use greenroom_cache::Key;
use greenroom_dialect::ask::{Ask, Kind};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::open::Open;
use greenroom_dialect::verdict::{Representation, Verdict};
use http::HeaderMap;
use http::header::ACCEPT;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::identity::Identity;
use crate::request::last_look::Told;
use crate::request::letterhead::Letterhead;
use crate::request::meaning::Meaning;
use crate::server::Server;
use greenroom_origin::client_apps;
use greenroom_origin::client_apps::App;

/// What `ask` means to `server`, remembered where the same head came lately.
pub fn of(server: &Server, ask: &Ask<'_>, now_ms: u64) -> Arc<Meaning> {
    server.meanings.of(ask, now_ms, || understand(server, ask, now_ms))
}

fn understand(server: &Server, ask: &Ask<'_>, now_ms: u64) -> Meaning {
    let credential = server.origin.settings.kind.credential(ask);
    let identity = server.identify(&credential);
    let app = server.apps.of(&credential, ask.headers, identity.is_member(), now_ms);
    let called = app.is_passing().then(|| client_apps::name_of(&credential, ask.headers));
    mean(server, ask, (credential, identity), (app, called))
}

/// What it means to ask with the configured token, in the words of an app and counted as its request, though it never
/// showed that token itself. `said` are the headers that say which app it is; without, it is no app but ourselves.
pub fn inside(server: &Server, ask: &Ask<'_>, credential: Credential, said: Option<&HeaderMap>) -> Meaning {
    let identity = server.identify(&credential);
    let now_ms = server.origin.clock.now_ms();
    let Some(said) = said else {
        return mean(server, ask, (credential, identity), (Arc::clone(&server.own_app), None));
    };
    let nobody = Credential::default();
    let app = server.apps.of(&nobody, said, identity.is_member(), now_ms);
    let called = app.is_passing().then(|| client_apps::name_of(&nobody, said));
    mean(server, ask, (credential, identity), (app, called))
}

fn mean(
    server: &Server,
    ask: &Ask<'_>,
    (credential, identity): (Credential, Arc<Identity>),
    (app, called): (Arc<App>, Option<String>),
) -> Meaning {
    let kind = server.origin.settings.kind;
    let account = identity.account();
    let verdict = kind.classify(ask, account.as_deref());
    let key = match &verdict {
        Verdict::Read(read) => Some(Key::new(server.name(), server.partition_of(&identity, read), &read.key)),
        _ => None,
    };
    let question = match &verdict {
        Verdict::Read(read) => {
            let whose = server.partition_of(&identity, read).as_str();
            Some(xxh3_64_with_seed(read.key.as_bytes(), xxh3_64(whose.as_bytes())))
        }
        _ => None,
    };
    let open = kind.open_without_token(ask);
    let has_token = credential.token.is_some();
    Meaning {
        key,
        user: server.identities.user_of(&identity),
        question,
        letterhead: Letterhead::default(),
        told: Told::default(),
        representation: representation_of(&verdict, ask.headers, kind),
        open: if has_token { Open::Keep } else { open },
        needs_token: has_token && open == Open::No,
        identity,
        account,
        credential: Arc::new(credential),
        app,
        called,
        verdict,
    }
}

/// The representation in which a client understands answers to this.
pub fn representation_of(verdict: &Verdict, headers: &HeaderMap, kind: Kind) -> Representation {
    if let Verdict::Read(read) = verdict {
        return read.representation;
    }
    let accepts_json = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("json"));
    match kind {
        Kind::Jellyfin => Representation::Json,
        Kind::Plex if accepts_json => Representation::Json,
        Kind::Plex => Representation::Xml,
    }
}
