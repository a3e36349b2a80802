//! What a request means, remembered: companion apps send the same head over and over.
//!
//! Who asks, with which app, and what for follows from method, target and headers alone, and from the account the
//! token is proven to belong to. So the meaning of a read is found again under the whole head as it was sent, compared
//! byte by byte, and only while the identity is still the one that is known and its account the same. Whether the
//! answer may be had is not part of it: proof, modes and bounds are looked at for every request. A head holds a token, so
//! it goes with a refusal, and is not remembered for longer than it is of use.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::Key;
use greenroom_dialect::ask::Ask;
use greenroom_dialect::credential::Credential;
use greenroom_dialect::open::Open;
use greenroom_dialect::verdict::{Representation, Verdict};
use http::Method;
use quick_cache::sync::Cache;

use super::last_look::Told;
use super::letterhead::Letterhead;
use crate::identity::Identity;
use crate::record::User;
use greenroom_origin::client_apps::App;

/// Heads remembered per server.
const MAX_HEADS: usize = 2048;
/// A longer head is understood anew every time. With what it means it takes some four times its length.
const MAX_HEAD_BYTES: usize = 2048;
/// Room for most heads, and little enough for the allocator's quick ways.
const USUAL_HEAD_BYTES: usize = 1000;

/// A head that was not seen for so long is forgotten …
const IDLE_MS: u64 = 10 * 60 * 1000;
/// … at the latest so long after that, if anybody asks anything.
const SWEEP_MS: u64 = 60 * 1000;

/// Who asks, with which app, and what for. Shows nothing of the head.
pub struct Meaning {
    /// Who asks.
    pub identity: Arc<Identity>,
    /// The account the identity was proven to be when this was understood.
    pub account: Option<Arc<str>>,
    /// Who that is in statistics.
    pub user: Option<User>,
    /// Which question it is, by hash, if its answer may be kept.
    pub question: Option<u64>,
    /// What they showed.
    pub credential: Arc<Credential>,
    /// Which app it is.
    pub app: Arc<App>,
    /// How it is called, where it has no place of its own.
    pub called: Option<String>,
    /// What is asked for.
    pub verdict: Verdict,
    /// Under which key its answer is kept, if it is a read.
    pub key: Option<Key>,
    /// The head of its last answer.
    pub letterhead: Letterhead,
    /// Which of its answers was looked at for what comes next.
    pub told: Told,
    /// What it may do without a token.
    pub open: Open,
    /// Whether being let in shows that its token is valid: it has one, and nobody is let in without.
    pub needs_token: bool,
    /// The representation the client understands.
    pub representation: Representation,
}

impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meaning({})", word_of(&self.verdict))
    }
}

/// The meanings of the heads seen lately. Shows nothing of them: they hold tokens.
pub struct Meanings {
    heads: Cache<Box<[u8]>, Arc<Remembered>>,
    swept_ms: AtomicU64,
}

struct Remembered {
    meaning: Arc<Meaning>,
    /// The identity's when this was understood.
    generation: u64,
    seen_ms: AtomicU64,
}

impl Default for Meanings {
    fn default() -> Self {
        Self { heads: Cache::new(MAX_HEADS), swept_ms: AtomicU64::new(0) }
    }
}

impl fmt::Debug for Meanings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanings(…)")
    }
}

impl Meanings {
    /// What `ask` means; `understand` finds it out where it is not remembered.
    pub fn of(&self, ask: &Ask<'_>, now_ms: u64, understand: impl FnOnce() -> Meaning) -> Arc<Meaning> {
        self.sweep(now_ms);
        let Some(head) = head_of(ask) else { return Arc::new(understand()) };
        if let Some(remembered) = self.heads.get(head.as_slice()) {
            if remembered.is_seen_again(now_ms) {
                return Arc::clone(&remembered.meaning);
            }
            self.heads.remove(head.as_slice());
        }
        let meaning = Arc::new(understand());
        // What was refused and never let in since is not worth keeping a token for. An app without a place of its own may
        // get one.
        if matches!(meaning.verdict, Verdict::Read(_))
            && !meaning.identity.is_refused()
            && !meaning.app.is_passing()
        {
            let generation = meaning.identity.generation();
            let remembered =
                Remembered { meaning: Arc::clone(&meaning), generation, seen_ms: AtomicU64::new(now_ms) };
            self.heads.insert(head.into(), Arc::new(remembered));
        }
        meaning
    }

    /// Forgets the heads of an identity.
    pub fn forget(&self, identity: &Identity) {
        self.heads.retain(|_, remembered| !std::ptr::eq(Arc::as_ptr(&remembered.meaning.identity), identity));
    }

    fn sweep(&self, now_ms: u64) {
        let swept_ms = self.swept_ms.load(Ordering::Relaxed);
        let is_due = now_ms.saturating_sub(swept_ms) >= SWEEP_MS;
        let (set, load) = (Ordering::Relaxed, Ordering::Relaxed);
        if is_due && self.swept_ms.compare_exchange(swept_ms, now_ms, set, load).is_ok() {
            self.heads.retain(|_, remembered| remembered.is_good(now_ms));
        }
    }
}

impl Remembered {
    /// Notes that the head came again. `false`: it is to be understood anew.
    fn is_seen_again(&self, now_ms: u64) -> bool {
        if !self.is_good(now_ms) || !self.meaning.identity.is_seen_again(now_ms) {
            return false;
        }
        if now_ms.saturating_sub(self.seen_ms.load(Ordering::Relaxed)) >= 1000 {
            self.seen_ms.store(now_ms, Ordering::Relaxed);
        }
        true
    }

    fn is_good(&self, now_ms: u64) -> bool {
        let identity = &self.meaning.identity;
        now_ms.saturating_sub(self.seen_ms.load(Ordering::Relaxed)) < IDLE_MS
            && self.generation == identity.generation()
            && !identity.is_forgotten()
            && !self.meaning.app.is_passing()
            && self.meaning.account == identity.account()
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

/// What a request is, in one word for people.
pub fn word_of(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Read(read) => read.class.name(),
        Verdict::Write(_) => "write",
        Verdict::Stream(reason) => reason.name(),
        Verdict::Refuse(_) => "refused",
    }
}

#[cfg(test)]
mod tests {
    use greenroom_cache::{Cache as Engine, Clock};
    use greenroom_dialect::credential::Secret;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::server::Server;
    use crate::visit::classify;
    use greenroom_config::{Settings, Tree};
    use greenroom_state::secrets::HashKey;

    const TARGET: &str = "/library/sections/1/all?type=1";

    fn server() -> Server {
        let mut tree = Tree::default();
        tree.add_toml(
            "g.toml",
            "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n",
        );
        let settings = Settings::read(tree).expect("it is valid").servers.remove(0);
        let (clock, tasks) = (Clock::system(), TaskTracker::new());
        let cache = Engine::new(greenroom_cache::Settings::default(), clock.clone(), tasks.clone());
        let secrets = (HashKey([1; 32]), Secret::new("hook"));
        Server::new(settings, cache, clock, tasks, CancellationToken::new(), secrets).expect("it can be had")
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("a value");
        lines.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
    }

    fn meaning(server: &Server, method: &Method, target: &str, headers: &HeaderMap) -> Arc<Meaning> {
        classify::of(server, &Ask { method, target, headers, body: &[] }, 1)
    }

    #[test]
    fn a_read_is_understood_once() {
        let (server, headers) = (server(), headers(&[("x-plex-token", "token-of-anna")]));
        let first = meaning(&server, &Method::GET, TARGET, &headers);
        assert!(Arc::ptr_eq(&first, &meaning(&server, &Method::GET, TARGET, &headers)));
        let Verdict::Read(read) = &first.verdict else { panic!("it is a read") };
        let key = Key::new("home", first.identity.partition(), &read.key);
        assert_eq!(first.key.as_ref(), Some(&key));
    }

    #[test]
    fn whatever_differs_in_a_head_is_understood_for_itself() {
        let server = server();
        let heads = [
            (Method::GET, TARGET, headers(&[("x-plex-token", "token-of-anna")])),
            (Method::HEAD, TARGET, headers(&[("x-plex-token", "token-of-anna")])),
            (Method::GET, "/library/sections/1/all?type=2", headers(&[("x-plex-token", "token-of-anna")])),
            (Method::GET, TARGET, headers(&[("x-plex-token", "token-of-bert")])),
            (
                Method::GET,
                TARGET,
                headers(&[("x-plex-token", "token-of-anna"), ("accept", "application/json")]),
            ),
            (Method::GET, TARGET, headers(&[("x-plex-token", "token-of-anna"), ("accept", "text/xml")])),
            (Method::GET, TARGET, headers(&[("accept", "text/xml"), ("x-plex-token", "token-of-anna")])),
        ];
        let of =
            |(method, target, headers): &(Method, &str, HeaderMap)| meaning(&server, method, target, headers);
        let meanings: Vec<_> = heads.iter().map(of).collect();
        for (at, (head, own)) in heads.iter().zip(&meanings).enumerate() {
            assert!(Arc::ptr_eq(own, &of(head)), "{at} is remembered");
            assert!(meanings[..at].iter().all(|other| !Arc::ptr_eq(own, other)), "{at} stands for itself");
        }
        assert_ne!(meanings[0].key, meanings[3].key);
    }

    #[test]
    fn a_line_cannot_pass_for_two() {
        let of = |lines: &[(&'static str, &str)]| {
            let headers = headers(lines);
            head_of(&Ask { method: &Method::GET, target: TARGET, headers: &headers, body: &[] })
        };
        assert_ne!(of(&[("a", "1"), ("b", "2")]), of(&[("a", "1b:2")]));
        assert_ne!(of(&[("a", "1"), ("a", "2")]), of(&[("a", "12")]));
        assert_ne!(of(&[("ab", "")]), of(&[("a", "b")]));
        assert!(HeaderValue::from_bytes(b"1\nb:2").is_err());
    }

    #[test]
    fn a_token_whose_identity_was_forgotten_is_somebody_new() {
        let (server, headers) = (server(), headers(&[("x-plex-token", "token-of-anna")]));
        let before = meaning(&server, &Method::GET, TARGET, &headers);
        for index in 0..5000 {
            let token = Some(Secret::new(format!("token-{index}")));
            server.identify(&Credential { token, ..Credential::default() });
        }
        let after = meaning(&server, &Method::GET, TARGET, &headers);
        assert!(!Arc::ptr_eq(&before.identity, &after.identity), "no write would reach the old one");
    }

    #[test]
    fn an_account_proven_since_changes_the_meaning() {
        let (server, headers) = (server(), headers(&[("x-plex-token", "token-of-anna")]));
        let before = meaning(&server, &Method::GET, TARGET, &headers);
        before.identity.prove_account("1");
        let after = meaning(&server, &Method::GET, TARGET, &headers);
        assert!(!Arc::ptr_eq(&before, &after));
        assert!(Arc::ptr_eq(&after, &meaning(&server, &Method::GET, TARGET, &headers)));
    }

    #[test]
    fn writes_streams_and_long_heads_are_understood_every_time() {
        let server = server();
        let long = "x".repeat(MAX_HEAD_BYTES);
        for (method, target, lines) in [
            (Method::PUT, "/library/metadata/1?title.value=x", vec![("x-plex-token", "token-of-anna")]),
            (Method::GET, "/:/scrobble?key=1", vec![("x-plex-token", "token-of-anna")]),
            (Method::GET, "/library/parts/1/2/file.mkv", vec![("x-plex-token", "token-of-anna")]),
            (Method::GET, TARGET, vec![("x-plex-token", "token-of-anna"), ("x-long", &long)]),
        ] {
            let headers = headers(&lines);
            let first = meaning(&server, &method, target, &headers);
            assert!(!Arc::ptr_eq(&first, &meaning(&server, &method, target, &headers)), "{target}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_not_shown() {
        let server = server();
        for index in 0..3 * MAX_HEADS {
            let headers = headers(&[("x-plex-token", &format!("SECRET-token-{}", index % 7))]);
            meaning(&server, &Method::GET, &format!("/library/sections/{index}/all"), &headers);
        }
        assert!(server.meanings.heads.len() <= MAX_HEADS);
        assert!(!format!("{:?}", server.meanings).contains("SECRET"));
    }

    #[test]
    fn a_head_is_forgotten_with_its_token_or_when_nobody_sends_it() {
        let server = server();
        let of = |token: &str, now_ms| {
            let headers = headers(&[("x-plex-token", token)]);
            classify::of(
                &server,
                &Ask { method: &Method::GET, target: TARGET, headers: &headers, body: &[] },
                now_ms,
            )
        };
        let [anna, _] = ["token-of-anna", "token-of-bert"].map(|token| of(token, 1));
        assert!(!format!("{anna:?}").contains("token-of"));
        assert_eq!(server.meanings.heads.len(), 2);
        server.meanings.forget(&anna.identity);
        assert_eq!(server.meanings.heads.len(), 1);
        let again = of("token-of-anna", 2);
        again.identity.refuse();
        assert!(!Arc::ptr_eq(&again, &of("token-of-anna", 3)), "refused");
        assert_eq!(server.meanings.heads.len(), 1, "what is refused is not remembered");
        of("token-of-carl", IDLE_MS);
        of("token-of-carl", IDLE_MS + SWEEP_MS);
        assert_eq!(server.meanings.heads.len(), 1, "nobody sent the other");
    }
}
