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
