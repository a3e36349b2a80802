//! Notices that an answer has left: its body was handed over to the connection to its last byte. A client that hangs
//! up before is not looked after.

use std::fmt;
use std::sync::Arc;

use greenroom_cache::{Stamp, Value};
use greenroom_upstream::verdict::Read;
use http::{Method, Response, StatusCode};
use parking_lot::Mutex;

use super::{Heard, concerns};
use crate::body::Body;
use crate::proxy::Visit;
use crate::server::Server;

/// The same answer to the same request is looked at again after this, in milliseconds. A client that polls teaches
/// nothing by it.
const AGAIN_MS: u64 = 30_000;

/// What is to be told when an answer has left. Dropping it before the last byte tells nothing.
pub struct Farewell {
    server: Arc<Server>,
    heard: Option<Heard>,
    is_out: bool,
}

impl fmt::Debug for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Farewell")
    }
}

impl Farewell {
    /// The last byte was handed over.
    pub fn last_byte(&mut self) {
        self.is_out = true;
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if let (true, Some(heard)) = (self.is_out, self.heard.take()) {
            let at_ms = self.server.clock.now_ms();
            self.server.prefetch.hear(Heard { at_ms, ..heard });
        }
    }
}

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
    response: Response<Body>,
) -> Response<Body> {
    let server = &visit.server;
    let is_whole = method == Method::GET && response.status() == StatusCode::OK;
    let is_news = || created.is_none_or(|created| visit.told.is_news(created, server.clock.now_ms()));
    if !is_whole || !concerns(server, &visit.meaning, read) || !is_news() {
        return response;
    }
    response.map(|body| match body {
        Body::Whole(Some(bytes)) => {
            let heard = Heard {
                meaning: Arc::clone(&visit.meaning),
                read: Arc::clone(read),
                body: value.body.clone(),
                at_ms: 0,
            };
            let farewell = Farewell { server: Arc::clone(server), heard: Some(heard), is_out: false };
            Body::Watched(Some(bytes), Box::new(farewell))
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
