//! Notices that an answer has left. A client that hangs up before is not looked after.

use std::sync::Arc;

use greenroom_cache::{Stamp, Value};
use greenroom_upstream::verdict::Read;
use http::{Method, Response, StatusCode};
use parking_lot::Mutex;

use super::{Heard, concerns};
use crate::body::Body;
use crate::departure;
use crate::proxy::Visit;

/// The same answer to the same request is looked at again after this, in milliseconds. A client that polls teaches
/// nothing by it.
const AGAIN_MS: u64 = 30_000;

/// Which answer to a request was looked at last, and when.
#[derive(Debug, Default)]
pub struct Told(Mutex<(Stamp, u64)>);

impl Told {
    /// Whether this answer is worth a look; notes that it gets one.
    fn is_news(&self, created: Stamp, now_ms: u64) -> bool {
        let mut last = self.0.lock();
        let is_news = last.0 != created || now_ms.saturating_sub(last.1) >= AGAIN_MS;
        if is_news {
            *last = (created, now_ms);
        }
        is_news
    }
}

/// The response with this value, so that it is noticed when it has left, where that is of interest. `created` is the
/// stamp of a value that is kept under the key of this request.
pub fn watch(
    visit: &Visit,
    read: &Arc<Read>,
    (created, value): (Option<Stamp>, &Value),
    method: &Method,
    mut response: Response<Body>,
) -> Response<Body> {
    let server = &visit.server;
    let is_whole = method == Method::GET && response.status() == StatusCode::OK;
    let is_news = || created.is_none_or(|created| visit.told.is_news(created, server.clock.now_ms()));
    if is_whole && concerns(server, &visit.meaning, read) && is_news() {
        let (server, meaning, read) = (Arc::clone(server), Arc::clone(&visit.meaning), Arc::clone(read));
        let body = value.body.clone();
        departure::after(&mut response, move || {
            let at_ms = server.clock.now_ms();
            server.prefetch.hear(Heard { meaning, read, body, at_ms });
        });
    }
    response
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use greenroom_cache::{Cache, Clock, Settings as EngineSettings};
    use greenroom_upstream::ask::Ask;
    use greenroom_upstream::credential::Secret;
    use greenroom_upstream::verdict::Verdict;
    use http::{HeaderMap, HeaderValue};
    use http_body_util::BodyExt;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::config::{Settings, Tree};
    use crate::identity::HashKey;

    fn server() -> Arc<Server> {
        let mut tree = Tree::default();
        tree.add_toml(
            "g.toml",
            "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n",
        );
        let settings = Settings::read(tree).expect("it is valid").servers.remove(0);
        let (clock, tasks) = (Clock::system(), TaskTracker::new());
        let cache = Cache::new(EngineSettings::default(), clock.clone(), tasks.clone());
        let secrets = (HashKey([1; 32]), Secret::new("hook"));
        let server = Server::new(settings, cache, clock, tasks, CancellationToken::new(), secrets);
        Arc::new(server.expect("it can be had"))
    }

    fn watched(server: &Arc<Server>) -> Body {
        let mut headers = HeaderMap::new();
        headers.insert("x-plex-token", HeaderValue::from_static("token-of-anna"));
        let ask = Ask { method: &Method::GET, target: "/library/metadata/1", headers: &headers, body: &[] };
        let meaning = server.meanings.of(server, &ask, 1);
        let Verdict::Read(read) = &meaning.verdict else { panic!("it is a read") };
        let (read, body) = (Arc::clone(read), Bytes::from_static(b"{}"));
        let heard = Heard { meaning, read, body: body.clone(), at_ms: 0 };
        let farewell = Farewell { server: Arc::clone(server), heard: Some(heard), is_out: false };
        Body::Watched(Some(body), Box::new(farewell))
    }

    #[tokio::test]
    async fn it_is_told_when_the_last_byte_was_handed_over_and_the_body_ended_not_before() {
        let server = server();
        let mut body = watched(&server);
        assert_eq!(server.prefetch.waiting(), 0);
        let bytes = body.frame().await.expect("it comes").expect("it is whole").into_data().expect("bytes");
        assert_eq!((bytes.as_ref(), server.prefetch.waiting()), (&b"{}"[..], 0));
        drop(body);
        assert_eq!(server.prefetch.waiting(), 1);
    }

    #[test]
    fn a_client_that_is_gone_before_is_not_looked_after() {
        let server = server();
        drop(watched(&server));
        assert_eq!(server.prefetch.waiting(), 0);
    }

    #[test]
    fn the_same_answer_is_news_again_only_after_a_while() {
        let told = Told::default();
        let (one, other) = (Stamp::from_raw(1 << 20), Stamp::from_raw(2 << 20));
        assert!(told.is_news(one, 1_000));
        assert!(!told.is_news(one, 1_000 + AGAIN_MS - 1));
        assert!(told.is_news(other, 2_000));
        assert!(!told.is_news(other, 3_000));
        assert!(told.is_news(other, 2_000 + AGAIN_MS));
    }
}
