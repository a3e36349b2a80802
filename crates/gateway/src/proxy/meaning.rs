//! What a request means, remembered: companion apps send the same head over and over.
//!
//! Who asks, with which app, and what for follows from method, target and headers alone, and from the account the
//! token is proven to belong to. So the meaning of a read is found again under the whole head as it was sent, compared
//! byte by byte, and only while the identity is still the one that is known and its account the same. Whether the
//! answer may be had is not part of it: proof, modes and bounds are looked at for every request.

use std::fmt;
use std::sync::Arc;

use greenroom_cache::Key;
use greenroom_upstream::ask::Ask;
use greenroom_upstream::credential::Credential;
use greenroom_upstream::open::Open;
use greenroom_upstream::verdict::{Representation, Verdict};
use http::Method;
use quick_cache::sync::Cache;

use super::answer::Letterhead;
use super::read::partition_of;
use super::representation_of;
use crate::apps::App;
use crate::identity::Identity;
use crate::server::Server;

/// Heads remembered per server.
const MAX_HEADS: usize = 2048;
/// A longer head is understood anew every time. With what it means it takes some four times its length.
const MAX_HEAD_BYTES: usize = 2048;
/// Room for most heads, and little enough for the allocator's quick ways.
const USUAL_HEAD_BYTES: usize = 1000;

/// Who asks, with which app, and what for.
#[derive(Debug)]
pub struct Meaning {
    /// Who asks.
    pub identity: Arc<Identity>,
    /// The account the identity was proven to be when this was understood.
    account: Option<Arc<str>>,
    /// What they showed.
    pub credential: Arc<Credential>,
    /// Which app it is.
    pub app: Arc<App>,
    /// What is asked for.
    pub verdict: Verdict,
    /// Under which key its answer is kept, if it is a read.
    pub key: Option<Key>,
    /// The head of its last answer.
    pub letterhead: Letterhead,
    /// What it may do without a token.
    pub open: Open,
    /// The representation the client understands.
    pub representation: Representation,
}

/// The meanings of the heads seen lately. Shows nothing of them: they hold tokens.
pub struct Meanings(Cache<Box<[u8]>, Arc<Meaning>>);

impl Default for Meanings {
    fn default() -> Self {
        Self(Cache::new(MAX_HEADS))
    }
}

impl fmt::Debug for Meanings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanings(…)")
    }
}

impl Meanings {
    /// What `ask` means to `server`.
    pub fn of(&self, server: &Server, ask: &Ask<'_>) -> Arc<Meaning> {
        let Some(head) = head_of(ask) else { return Arc::new(understand(server, ask)) };
        if let Some(meaning) = self.0.get(head.as_slice())
            && meaning.identity.is_seen_again(server.clock.now_ms())
            && meaning.account == meaning.identity.account()
        {
            return meaning;
        }
        let meaning = Arc::new(understand(server, ask));
        if matches!(meaning.verdict, Verdict::Read(_)) {
            self.0.insert(head.into(), Arc::clone(&meaning));
        }
        meaning
    }
}

/// Everything a meaning follows from, in a form in which two that differ never meet: no part can hold a line feed.
fn head_of(ask: &Ask<'_>) -> Option<Vec<u8>> {
    if !matches!(*ask.method, Method::GET | Method::HEAD) || !ask.body.is_empty() {
        return None;
    }
    let mut head = Vec::with_capacity(USUAL_HEAD_BYTES);
    let lines =
        ask.headers.iter().map(|(name, value)| [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"]);
    let first = [ask.method.as_str().as_bytes(), b" ", ask.target.as_bytes(), b"\n"];
    for line in std::iter::once(first).chain(lines) {
        if head.len() + line.iter().map(|part| part.len()).sum::<usize>() > MAX_HEAD_BYTES {
            return None;
        }
        for part in line {
            head.extend_from_slice(part);
        }
    }
    Some(head)
}

fn understand(server: &Server, ask: &Ask<'_>) -> Meaning {
    let kind = server.settings.kind;
    let credential = kind.credential(ask);
    let identity = server.identify(&credential);
    let account = identity.account();
    let verdict = kind.classify(ask, account.as_deref());
    let (name, app, is_new) = server.apps.of(&credential, ask.headers);
    if is_new {
        tracing::info!(server = server.name(), app = name, "first request of an app");
    }
    let key = match &verdict {
        Verdict::Read(read) => {
            Some(Key::new(server.name(), partition_of(server, &identity, read), &read.key))
        }
        _ => None,
    };
    Meaning {
        key,
        letterhead: Letterhead::default(),
        representation: representation_of(&verdict, ask.headers, kind),
        open: if credential.token.is_some() { Open::Keep } else { kind.open_without_token(ask) },
        identity,
        account,
        credential: Arc::new(credential),
        app,
        verdict,
    }
}
