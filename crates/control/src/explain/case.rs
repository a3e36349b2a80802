//! One read that is looked at: who asks, what is kept for it, and what the server says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_cache::{Cause, Diagnosis, Entry, Key, Marking, Value};
use greenroom_dialect::ask::{Ask, Kind};
use greenroom_dialect::credential::{Credential, Form, Secret};
use greenroom_dialect::redact;
use greenroom_dialect::verdict::{Read, Representation, Sharing, Verdict};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::outcome::{Outcome, Situation};
use super::told::{Asker, Invalidated, Kept, KeyParts, Said, Told};
use super::{Question, difference};
use greenroom_config::Mode;
use greenroom_origin::body::{Collected, collect};
use greenroom_origin::client_apps::App;
use greenroom_origin::scheduler::Errand;
use greenroom_proxy::identity::Identity;
use greenroom_proxy::read::origin_loader::{ReadLoader, heed};
use greenroom_proxy::read::{Proof, prove};
use greenroom_proxy::response;
use greenroom_proxy::server::Server;

/// One read that is looked at.
pub(super) struct Case {
    pub(super) read: Arc<Read>,
    credential: Credential,
    token: &'static str,
    /// Who asks, if they were seen before.
    identity: Option<Arc<Identity>>,
    key: Option<Key>,
    diagnosis: Option<Diagnosis>,
}

/// What it is if it is no read: its kind, its class, and what happens to it.
pub(super) type NoRead = (&'static str, &'static str, String);

/// Looks at what the request is. Where the app's representation was not said, the one is taken for which something is
/// kept.
pub(super) fn look(server: &Server, question: &Question, target: &str) -> Result<Box<Case>, NoRead> {
    let mut first = None;
    for headers in ways_to_ask(server.origin.settings.kind, &question.headers) {
        let case = look_as(server, question, target, headers)?;
        if case.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.entry.is_some()) {
            return Ok(case);
        }
        first.get_or_insert(case);
    }
    first.ok_or_else(|| ("refused", "", "the request could not be looked at".to_owned()))
}

fn ways_to_ask(kind: Kind, said: &HeaderMap) -> Vec<HeaderMap> {
    if kind == Kind::Jellyfin || said.contains_key(ACCEPT) {
        return vec![said.clone()];
    }
    let with = |accept| {
        let mut headers = said.clone();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers
    };
    vec![with("application/json"), with("application/xml")]
}

/// Looks at what it is with these headers.
pub(super) fn look_as(
    server: &Server,
    question: &Question,
    target: &str,
    headers: HeaderMap,
) -> Result<Box<Case>, NoRead> {
    let kind = server.origin.settings.kind;
    let method = Method::GET;
    let bare = kind.credential(&Ask { method: &method, target, headers: &headers, body: &[] });
    let (credential, token) = whose(server, question, bare);
    let identity = server.identities.known(&credential);
    let account = identity.as_ref().and_then(|identity| identity.account());
    // The token is no part of the question: it may have come with it, or not.
    let mut headers = headers;
    headers.extend(kind.credential_headers(&credential, true));
    let ask = Ask { method: &method, target, headers: &headers, body: &[] };
    let read = match kind.classify(&ask, account.as_deref()) {
        Verdict::Read(read) => read,
        Verdict::Write(write) => {
            let sentence = "It changes something: it is forwarded once and never kept.";
            return Err(("write", write.name, sentence.to_owned()));
        }
        Verdict::Stream(reason) => {
            let sentence = "It passes through as it comes and is never kept.";
            return Err(("stream", reason.name(), sentence.to_owned()));
        }
        Verdict::Refuse(refusal) => {
            return Err(("refused", "", format!("It is not forwarded: {}.", refusal.message())));
        }
    };
    // Of somebody never seen only what is everybody's can be kept.
    let is_known = identity.is_some() || read.sharing != Sharing::Identity;
    let asker = identity.as_deref().unwrap_or_else(|| server.identities.anonymous());
    let key = is_known.then(|| Key::new(server.name(), server.partition_of(asker, &read), &read.key));
    // While observing, what is known is what was overheard.
    let observation = server.modes.switch.observation();
    let cache = observation.as_ref().map_or(&server.cache, |observation| &observation.cache);
    let diagnosis = key.as_ref().map(|key| cache.diagnose(key));
    Ok(Box::new(Case { read, credential, token, identity, key, diagnosis }))
}

impl Case {
    /// Tells what it is, what is kept for it, and what a request gets now.
    pub(super) fn describe(&self, server: &Server, told: &mut Told) {
        let now_ms = server.origin.clock.now_ms();
        let proof = match &self.identity {
            Some(identity) => prove(server, identity, &self.read, server.origin.clock.now_ms()),
            None if self.read.sharing == Sharing::Public => Proof::Holds,
            None => Proof::Missing,
        };
        let entry = self.diagnosis.as_ref().and_then(|diagnosis| diagnosis.entry.as_deref());
        let asker = self.identity.as_deref().unwrap_or_else(|| server.identities.anonymous());
        let situation = Situation {
            proof,
            diagnosis: self.diagnosis.as_ref(),
            policy: server.policy(&self.read, asker),
            now_ms,
        };
        let outcome = Outcome::of(&situation);
        told.kind = "read";
        self.read.class.name().clone_into(&mut told.class);
        told.outcome = outcome.name();
        let instead = match server.manner(self.read.class, &App::default()) {
            Mode::Cache => "",
            Mode::Observe => "The server is asked every time: the cache only observes. With the cache: ",
            Mode::Bypass => "The server is asked every time: this is bypassed. Without that: ",
        };
        told.sentence = format!("{instead}{}", outcome.sentence());
        told.identity = Some(Asker {
            token: self.token,
            known: self.identity.is_some(),
            proof: proof_word(proof),
            live_signal: self.identity.as_ref().is_some_and(|identity| identity.has_signal()),
        });
        told.key = self.key.as_ref().map(|key| KeyParts {
            partition: key.partition().as_str().to_owned(),
            text: redact::target(key.text()),
            representation: representation_word(self.read.representation),
        });
        let warm = self.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.warm);
        told.entry = entry.map(|entry| kept(entry, warm, now_ms));
        told.invalidation = self.diagnosis.as_ref().and_then(|diagnosis| invalidated(diagnosis, now_ms));
    }

    /// Asks the server once, as a load would.
    pub(super) async fn ask_the_server(&self, server: &Arc<Server>) -> Said {
        let began_us = server.origin.clock.now_us();
        let asked = server.origin.clock.timeout(server.origin.settings.load_timeout, self.ask(server)).await;
        let took_ms = server.origin.clock.since_ms(began_us);
        let kept = self.diagnosis.as_ref().and_then(|diagnosis| diagnosis.entry.as_ref());
        let said = |word, status, detail| Said { word, status, detail, took_ms };
        match asked {
            Err(_) => said("no-answer", None, Some("the server takes too long".to_owned())),
            Ok(Err(reason)) => said("no-answer", None, Some(reason)),
            Ok(Ok((status, body))) => {
                let code = Some(status.as_u16());
                match kept.map(|entry| parting(entry.value(), status, &body)) {
                    None => said("nothing-kept", code, None),
                    Some(None) => said("same", code, None),
                    Some(detail) => said("different", code, detail),
                }
            }
        }
    }

    async fn ask(&self, server: &Arc<Server>) -> Result<(StatusCode, bytes::Bytes), String> {
        if !server.origin.breaker.admits() {
            return Err("the server is down".to_owned());
        }
        server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let settings = &server.origin.settings;
        let identity = self.identity.clone().unwrap_or_else(|| Arc::clone(server.identities.anonymous()));
        let headers = settings.kind.credential_headers(&self.credential, settings.translate_legacy_auth);
        let loader = ReadLoader {
            server: Arc::clone(server),
            identity: Arc::clone(&identity),
            credential: Arc::new(headers),
            app: Arc::default(),
            read: Arc::clone(&self.read),
        };
        let errand = Errand::own(None, self.read.class);
        let Ok(_place) = server.origin.queue.place(errand).await else {
            return Err("too many requests wait for the server".to_owned());
        };
        let response =
            loader.ask(&AtomicBool::new(false)).await.map_err(|failure| failure.message.to_string())?;
        let status = response.status();
        heed(server, &identity, &self.read, status);
        match collect(response.into_body(), settings.max_body_bytes).await {
            Collected::Whole(body) => Ok((status, body)),
            Collected::TooLong(..) => Err("the answer is longer than what is kept".to_owned()),
            Collected::Broken(_) => Err("the answer broke off".to_owned()),
        }
    }
}

/// The token in the address, else the one that was given, else the configured one.
fn whose(server: &Server, question: &Question, in_address: Credential) -> (Credential, &'static str) {
    if in_address.token.is_some() {
        return (in_address, "address");
    }
    let form = if server.origin.settings.kind == Kind::Plex { Form::PlexHeader } else { Form::Authorization };
    let with = |token: &Secret| Credential { token: Some(token.clone()), form, ..in_address.clone() };
    match (&question.token, &server.origin.settings.token) {
        (Some(given), _) => (with(given), "given"),
        (None, Some(configured)) => (with(configured), "configured"),
        (None, None) => (in_address, "none"),
    }
}

/// Where the server's answer parts from what is kept; `None` if it is the same.
fn parting(kept: &Value, status: StatusCode, body: &bytes::Bytes) -> Option<String> {
    let (kept_status, _) = response::head_of(&kept.meta);
    if kept_status == status {
        difference::first(&kept.body, body)
    } else {
        Some(format!("it answers {} now", status.as_u16()))
    }
}

fn kept(entry: &Entry, warm: bool, now_ms: u64) -> Kept {
    let left = |until_ms: u64| {
        let until = i64::try_from(until_ms).unwrap_or(i64::MAX);
        until.saturating_sub(i64::try_from(now_ms).unwrap_or(i64::MAX))
    };
    let horizons = entry.horizons();
    Kept {
        bytes: entry.body().len(),
        tier: "memory",
        age_ms: u64::try_from(entry.age(now_ms).as_millis()).unwrap_or(u64::MAX),
        loaded_because: entry.why().name(),
        fresh_left_ms: left(horizons.fresh_until_ms),
        stale_left_ms: left(horizons.stale_until_ms),
        stale_on_error_left_ms: left(horizons.error_until_ms),
        warm,
        tags: entry.tags().iter().map(|tag| tag.as_str().to_owned()).collect(),
    }
}

fn invalidated(diagnosis: &Diagnosis, now_ms: u64) -> Option<Invalidated> {
    let at_ms = diagnosis.invalidated?.ms();
    let by = match diagnosis.cause.as_ref()? {
        Cause::All => "everything was invalidated".to_owned(),
        Cause::Namespace => "everything of this server was".to_owned(),
        Cause::Partition => "everything of this token was".to_owned(),
        Cause::Key => "this very answer was".to_owned(),
        Cause::Prefix => "everything below a path was".to_owned(),
        Cause::Tag(tag) => format!("the tag {} was", tag.as_str()),
    };
    let effect = match diagnosis.marking {
        Marking::Clear => "none",
        Marking::Marked => "marked",
        Marking::Purged => "purged",
    };
    Some(Invalidated { at_ms, ago_ms: now_ms.saturating_sub(at_ms), by, effect })
}

fn proof_word(proof: Proof) -> &'static str {
    match proof {
        Proof::Holds => "holds",
        Proof::Expired => "expired",
        Proof::Missing => "missing",
    }
}

fn representation_word(representation: Representation) -> &'static str {
    match representation {
        Representation::Xml => "xml",
        Representation::Json => "json",
        Representation::JsonCamel => "json-camel",
        Representation::Opaque => "opaque",
    }
}
