//! Notices that an answer has left. A client that hangs up before is not looked after.

use std::sync::Arc;

use greenroom_cache::{Stamp, Value};
use greenroom_dialect::sequel::{self, MAX_BODY_BYTES};
use greenroom_dialect::verdict::Read;
use http::{Method, Response, StatusCode};

use crate::http::on_sent;
use crate::prefetch::Heard;
use crate::request::meaning::Meaning;
use crate::server::Server;
use crate::visit::Visit;
use greenroom_origin::body::Body;

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
    // What is not looked at shall not be held either.
    let is_screen = value.body.len() <= MAX_BODY_BYTES;
    let is_news = || created.is_none_or(|created| visit.told.is_news(created, server.origin.clock.now_ms()));
    if is_whole && is_screen && concerns(server, &visit.meaning, read) && is_news() {
        let (server, meaning, read) = (Arc::clone(server), Arc::clone(&visit.meaning), Arc::clone(read));
        let body = value.body.clone();
        on_sent::after(&mut response, move || {
            let at_ms = server.origin.clock.now_ms();
            server.prefetch.hear(Heard { meaning, read, body, at_ms });
        });
    }
    response
}

/// Whether answers to this read are looked at.
fn concerns(server: &Server, meaning: &Meaning, read: &Read) -> bool {
    server.origin.settings.prefetch.enabled
        && !meaning.identity.is_anonymous()
        && sequel::concerns(read.class)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use bytes::Bytes;
    use greenroom_cache::{Cache, Clock, Settings as EngineSettings};
    use greenroom_dialect::ask::Ask;
    use greenroom_dialect::credential::Secret;
    use greenroom_dialect::verdict::Verdict;
    use http::{HeaderMap, HeaderValue};
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::http::connection::{Conversation, Patient};
    use crate::visit::classify;
    use greenroom_config::{Settings, Tree};
    use greenroom_state::secrets::HashKey;

    const BODY: &[u8] = &[b' '; 1000];
    /// What lies between the two ends of the connection.
    const BUFFER: usize = 64;

    fn server() -> Arc<Server> {
        let mut tree = Tree::default();
        let home = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n";
        tree.add_toml("g.toml", &format!("{home}[server.prefetch]\nenabled = true\n"));
        let settings = Settings::read(tree).expect("it is valid").servers.remove(0);
        let (clock, tasks) = (Clock::system(), TaskTracker::new());
        let cache = Cache::new(EngineSettings::default(), clock.clone(), tasks.clone());
        let secrets = (HashKey([1; 32]), Secret::new("hook"));
        let server = Server::new(settings, cache, clock, tasks, CancellationToken::new(), secrets);
        Arc::new(server.expect("it can be had"))
    }

    /// An answer that is watched.
    fn answer(server: &Arc<Server>) -> Response<Body> {
        let mut headers = HeaderMap::new();
        headers.insert("x-plex-token", HeaderValue::from_static("token-of-anna"));
        let ask = Ask { method: &Method::GET, target: "/library/metadata/1", headers: &headers, body: &[] };
        let meaning = classify::of(server, &ask, 1);
        let Verdict::Read(read) = meaning.verdict.clone() else { panic!("it is a read") };
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let visit = Visit { server: Arc::clone(server), meaning, client, is_encrypted: false, origin: None };
        let response = Response::new(Body::from(Bytes::from_static(BODY)));
        watch(&visit, &read, (None, &Value::new(BODY)), &Method::GET, response)
    }

    /// As long as more of it is unread than lies between the two ends, some of it has not left.
    #[tokio::test]
    async fn it_is_told_after_the_last_byte_has_left_and_not_before() {
        let server = server();
        let (mut client, gateway) = tokio::io::duplex(BUFFER);
        let conversation = Arc::new(Conversation::new());
        let stream = Patient::new(gateway, server.origin.clock.clone(), Arc::clone(&conversation));
        let owner = Arc::clone(&server);
        let service = service_fn(move |_| {
            let response = on_sent::bind(answer(&owner), Some(&conversation));
            async move { Ok::<_, std::convert::Infallible>(response) }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let connection = server.origin.tasks.spawn(connection);
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is taken");
        let mut taken = Vec::new();
        let mut byte = [0];
        while !taken.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte).await.expect("a byte");
            taken.extend(byte);
        }
        let mut most = vec![0; BODY.len() - BUFFER - 1];
        client.read_exact(&mut most).await.expect("most of it");
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.prefetch.waiting(), 0, "some of it has not left");
        client.read_exact(&mut [0; BUFFER + 1]).await.expect("the rest");
        while server.prefetch.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        drop(client);
        drop(connection.await);
        assert_eq!(server.prefetch.waiting(), 1);
    }

    #[test]
    fn an_answer_that_never_leaves_is_not_told() {
        let server = server();
        drop(on_sent::bind(answer(&server), Some(&Arc::new(Conversation::new()))));
        assert_eq!(server.prefetch.waiting(), 0);
    }
}
