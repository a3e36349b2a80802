//! A read while the cache only watches: the server answers, and beside that the engine that nobody is answered from is
//! asked the same at the same moment. What it would load, it overhears.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{
    Answer, Entry, Failure, FailureKind, Fill, Load, LoadReason, Loader, Reason, Served, Verdict, judge,
};
use greenroom_dialect::verdict::Read;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, Method, Response, StatusCode, request};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::offline;
use crate::access_log::saves;
use crate::forward;
use crate::read::bypass_read;
use crate::read::origin_loader;
use crate::read::origin_loader::ReadLoader;
use crate::read::{consult, loader};
use crate::response;
use crate::shadow::comparison::{Kept, Real, compare};
use crate::shadow::{Comparison, Observation, Prediction};
use crate::visit::Visit;
use greenroom_config::Mode;
use greenroom_origin::body::{Body, Collected, collect};

/// How long an answer may take to come in whole. A client that waits for it waits as long as without Greenroom.
const PATIENCE: Duration = Duration::from_secs(180);
/// Under this name the words of the question are remembered beside an answer that was overheard.
const QUESTION: &str = "x-greenroom-question";
/// Headers that differ from request to request without changing the answer, or that say who asks.
const IDLE_WORDS: [&str; 14] = [
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "if-modified-since",
    "if-none-match",
    "origin",
    "pragma",
    "referer",
    "x-emby-authorization",
    "x-emby-token",
    "x-mediabrowser-token",
    "x-plex-token",
];

/// Passes a read through, and judges what the cache would have answered.
pub async fn answer(
    visit: Visit,
    read: Arc<Read>,
    observation: Arc<Observation>,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    let (speaker, heard) = watch::channel(None);
    let asked = Asked {
        question: question(target, &forward::headers_for_server(&visit, &parts.headers)),
        headers: parts.headers.clone(),
        has_body: parts.method != Method::HEAD,
        generation: visit.identity.generation(),
        heard,
    };
    let judge = Judge { visit: visit.clone(), read: Arc::clone(&read), observation, asked: Arc::new(asked) };
    let (reply, replied) = oneshot::channel();
    let (owner, target) = (visit.clone(), target.to_owned());
    let tasks = visit.server.origin.tasks.clone();
    tasks.spawn(judge.judge());
    // A task of its own, as a load would have: the client's hang-up changes nothing for who asked the same.
    tasks.spawn(async move {
        let response = pass(&owner, &read, &target, parts, body, &speaker).await;
        // The client may have hung up: then nobody takes it.
        drop(reply.send(response));
    });
    match replied.await {
        Ok(response) => response,
        Err(_) => {
            response::problem(&visit, StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log")
        }
    }
}

/// What the server said, as far as it was overheard.
#[derive(Debug)]
enum Said {
    /// All of it.
    Whole(StatusCode, HeaderMap, Bytes),
    /// More than is kept, or something without an end.
    Beyond(StatusCode),
    /// Nothing, or it broke off.
    Nothing,
}

/// Asks the server, tells what it said to whoever listens, and makes the client's answer of it.
async fn pass(
    visit: &Visit,
    read: &Read,
    target: &str,
    parts: request::Parts,
    body: Incoming,
    speaker: &watch::Sender<Option<Arc<Said>>>,
) -> Response<Body> {
    let tell = |said| drop(speaker.send_replace(Some(Arc::new(said))));
    let response = match bypass_read::ask(visit, read, target, parts, body).await {
        Ok(response) => response,
        Err(problem) => {
            tell(Said::Nothing);
            return problem;
        }
    };
    let status = response.status();
    if forward::is_event_stream(&response) {
        tell(Said::Beyond(status));
        return response::passed(forward::open(visit, response), Mode::Observe.name());
    }
    let (head, body) = response.into_parts();
    let collected = collect(body, visit.server.origin.settings.max_body_bytes);
    let body = match visit.server.origin.clock.timeout(PATIENCE, collected).await {
        Ok(Collected::Whole(bytes)) => {
            tell(Said::Whole(status, head.headers.clone(), bytes.clone()));
            bytes.into()
        }
        Ok(Collected::TooLong(read, rest)) => {
            tell(Said::Beyond(status));
            Body::Resumed { read, rest }
        }
        Ok(Collected::Broken(_)) => {
            tell(Said::Nothing);
            return response::problem(visit, StatusCode::BAD_GATEWAY, "the media server's answer broke off");
        }
        Err(_) => {
            tell(Said::Nothing);
            return response::problem(
                visit,
                StatusCode::GATEWAY_TIMEOUT,
                "the media server's answer does not end",
            );
        }
    };
    response::passed(Response::from_parts(head, body), Mode::Observe.name())
}

/// What a client asked, and where the server's answer to it can be heard.
#[derive(Debug)]
struct Asked {
    question: u64,
    headers: HeaderMap,
    has_body: bool,
    generation: u64,
    heard: watch::Receiver<Option<Arc<Said>>>,
}

impl Asked {
    /// Waits for the server's answer.
    async fn said(&self) -> Arc<Said> {
        let mut heard = self.heard.clone();
        match heard.wait_for(Option::is_some).await {
            Ok(said) => said.clone().unwrap_or_else(|| Arc::new(Said::Nothing)),
            Err(_) => Arc::new(Said::Nothing),
        }
    }
}

/// Who judges one read.
struct Judge {
    visit: Visit,
    read: Arc<Read>,
    observation: Arc<Observation>,
    asked: Arc<Asked>,
}

impl Judge {
    async fn judge(self) {
        let Self { visit, read, observation, asked } = &self;
        let overhearing = || Overhearing {
            inner: loader(visit, read),
            observation: Arc::clone(observation),
            asked: Arc::new(Mutex::new(Some(Arc::clone(asked)))),
        };
        let answer = match visit.server.origin.breaker.outage() {
            Some(outage) => offline::consult(&observation.cache, visit, read, &outage, overhearing).await,
            None => consult(&observation.cache, visit, read, &asked.headers, overhearing).await,
        };
        let (prediction, kept) = self.predicted(&answer);
        let comparison = match kept {
            Some(kept) => Some(compare(read.class, &kept, &self.real().await)),
            None => None,
        };
        if comparison.is_some_and(Comparison::is_unexplained) {
            tracing::info!(
                server = visit.server.name(),
                class = read.class.name(),
                app = visit.app.name,
                key = greenroom_dialect::redact::target(&read.key),
                "the cache would have answered otherwise than the server, and no rule explains it"
            );
        }
        observation.tally.judged(read.class.name(), &visit.app.name, prediction, comparison);
    }

    /// What the cache would have done, and the answer it would have given without asking the server.
    fn predicted(&self, answer: &Result<Answer<()>, Failure>) -> (Prediction, Option<Kept>) {
        match answer {
            Ok(Answer::Kept { entry, served, reason, .. }) if saves(*served, *reason) => {
                (prediction(*served), Some(self.kept(entry, *served)))
            }
            Ok(Answer::Shared { served: Served::Joined, .. }) => (Prediction::Joined, None),
            Ok(Answer::Kept { served: Served::StaleOnError, .. }) | Err(_) => (Prediction::Failed, None),
            Ok(Answer::Kept { reason: Some(Reason::NotStored(_)), .. } | Answer::Passed(())) => {
                (Prediction::Uncacheable, None)
            }
            Ok(_) => (Prediction::Miss, None),
        }
    }

    fn kept(&self, entry: &Entry, served: Served) -> Kept {
        let (status, headers) = response::head_of(entry.meta());
        let is_known = status == StatusCode::OK && entry.why() != LoadReason::Warm;
        let policy = self.visit.server.policy(&self.read, &self.visit.identity);
        let now_ms = self.visit.server.origin.clock.now_ms();
        let verdict = judge(entry, &policy, now_ms, greenroom_cache::Marking::Clear);
        Kept {
            body: is_known.then(|| entry.body().clone()),
            question: headers.get(QUESTION).and_then(|value| value.to_str().ok()?.parse().ok()),
            is_in_time: served == Served::Joined || matches!(verdict, Verdict::Fresh { .. } | Verdict::Stale),
        }
    }

    async fn real(&self) -> Real {
        let said = self.asked.said().await;
        let (status, body) = match &*said {
            Said::Whole(status, _, body) => (Some(*status), self.asked.has_body.then(|| body.clone())),
            Said::Beyond(status) => (Some(*status), None),
            Said::Nothing => (None, None),
        };
        Real { status, body, question: self.asked.question }
    }
}

fn prediction(served: Served) -> Prediction {
    match served {
        Served::Hit => Prediction::Hit,
        Served::Stale => Prediction::Stale,
        Served::Joined => Prediction::Joined,
        Served::Loaded | Served::Refreshed => Prediction::Miss,
        Served::StaleOnError => Prediction::Failed,
    }
}

/// A loader that asks nothing: it listens to what passes to the client.
#[derive(Clone)]
struct Overhearing {
    inner: ReadLoader,
    observation: Arc<Observation>,
    /// Taken by the one load a read causes. The engine keeps loaders for warming, and nothing passes then.
    asked: Arc<Mutex<Option<Arc<Asked>>>>,
}

impl Loader for Overhearing {
    type Pass = ();

    async fn load(&self, why: LoadReason, old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
        let is_own = matches!(why, LoadReason::Refresh | LoadReason::Warm | LoadReason::Ahead);
        let (class, app) = (self.inner.read.class.name(), &self.inner.app.name);
        self.observation.tally.would_ask(class, app, is_own);
        let asked = self.asked.lock().take();
        match asked {
            Some(asked) => {
                let said = asked.said().await;
                self.understand(&asked, &said, old.as_deref())
            }
            None => self.assume(old.as_deref()),
        }
    }
}

impl Overhearing {
    /// What the load would have come to.
    fn understand(&self, asked: &Asked, said: &Said, old: Option<&Entry>) -> Result<Load<()>, Failure> {
        let (status, headers, body) = match said {
            Said::Whole(status, headers, body) => (*status, headers, body),
            Said::Beyond(_) => return Ok(Load::Pass(())),
            Said::Nothing => {
                return Err(Failure::new(FailureKind::Unreachable, "the server gave no answer"));
            }
        };
        let load = match status {
            StatusCode::NOT_MODIFIED => self.unread(asked, headers, old),
            StatusCode::OK if !asked.has_body => self.unread(asked, headers, old),
            _ if origin_loader::may_be_kept(status, headers) => {
                self.inner.keep(headers, body.clone(), asked.generation, old)
            }
            _ if status.is_client_error() || status.is_server_error() => {
                self.inner.refuse(status, headers, body.clone())
            }
            _ => return Ok(Load::Pass(())),
        };
        Ok(match load? {
            Load::Store(fill) => Load::Store(with_question(fill, asked.question)),
            Load::Share(value) => Load::Share(value),
            Load::Gone(value) => Load::Gone(value),
            Load::Pass(_) => Load::Pass(()),
        })
    }

    /// The cache would have got the bytes that did not pass: the client has them, or wanted none.
    fn unread(
        &self,
        asked: &Asked,
        headers: &HeaderMap,
        old: Option<&Entry>,
    ) -> Result<Load<Response<Body>>, Failure> {
        if let Some(old) = old.filter(|old| is_known_to_client(old, &asked.headers)) {
            let (_, headers) = response::head_of(old.meta());
            return self.inner.keep(&headers, old.body().clone(), asked.generation, Some(old));
        }
        let tags = self.inner.read.tags.iter().map(|tag| tag.as_str().into()).collect();
        let value = response::value(StatusCode::NOT_MODIFIED, headers, Bytes::new());
        let policy = self.inner.server.policy(&self.inner.read, &self.inner.identity);
        Ok(Load::Store(Fill { value, tags, policy: Some(policy) }))
    }

    /// Greenroom would have asked by itself, and nothing passes: what is kept lives on, as if asked again.
    fn assume(&self, old: Option<&Entry>) -> Result<Load<()>, Failure> {
        let Some(old) = old else {
            return Err(Failure::new(FailureKind::NotCached, "nothing is kept that could live on"));
        };
        let policy = self.inner.server.policy(&self.inner.read, &self.inner.identity);
        let fill = Fill { value: old.value().clone(), tags: old.tags().to_vec(), policy: Some(policy) };
        Ok(Load::Store(fill))
    }
}

/// Whether the client's copy, which the server just called unchanged, is the one that is kept.
fn is_known_to_client(old: &Entry, asked: &HeaderMap) -> bool {
    let (status, kept) = response::head_of(old.meta());
    let own = kept.get(ETAG);
    status == StatusCode::OK
        && own.is_some()
        && asked.get_all(IF_NONE_MATCH).iter().any(|tag| Some(tag) == own)
}

fn with_question(mut fill: Fill, question: u64) -> Fill {
    let mut meta = fill.value.meta.to_vec();
    meta.extend_from_slice(format!("\n{QUESTION}: {question}").as_bytes());
    fill.value.meta = meta.into();
    fill
}

/// The words of a question, by hash: everything the server gets that may change its answer.
fn question(target: &str, headers: &HeaderMap) -> u64 {
    let mut words: Vec<String> = headers
        .iter()
        .filter(|(name, _)| !IDLE_WORDS.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    words.sort_unstable();
    words.push(greenroom_dialect::redact::target(target));
    xxhash_rust::xxh3::xxh3_64(words.join("\n").as_bytes())
}
