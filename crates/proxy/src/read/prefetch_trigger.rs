//! Notices that a response was sent. If the client disconnects before, nothing is prefetched for it.

use std::sync::Arc;

use greenroom_cache::{HybridTimestamp, Value};
use greenroom_dialect::classification::Read;
use greenroom_dialect::prediction::{self, MAX_BODY_BYTES};
use http::{Method, Response, StatusCode};

use crate::http::on_sent;
use crate::prefetch::SentResponse;
use crate::proxy_request::ProxyRequest;
use crate::request::classified_request::ClassifiedRequest;
use crate::server::Server;
use greenroom_origin::body::Body;

/// Queues the value for prefetch once the response is sent, where prefetch applies. `created` is the stamp of a value
/// cached under this request's key.
pub fn watch(
    visit: &ProxyRequest,
    read: &Arc<Read>,
    (created, value): (Option<HybridTimestamp>, &Value),
    method: &Method,
    mut response: Response<Body>,
) -> Response<Body> {
    let server = &visit.server;
    let is_whole = method == Method::GET && response.status() == StatusCode::OK;
    // A body that is not read must not be held either.
    let is_screen = value.body.len() <= MAX_BODY_BYTES;
    let is_news =
        || created.is_none_or(|created| visit.last_seen_response.mark_if_new(created, server.origin.clock.now_ms()));
    if is_whole && is_screen && concerns(server, &visit.classified, read) && is_news() {
        let (server, meaning, read) = (Arc::clone(server), Arc::clone(&visit.classified), Arc::clone(read));
        let body = value.body.clone();
        on_sent::run_after(&mut response, move || {
            let at_ms = server.origin.clock.now_ms();
            server.prefetch.push_sent(SentResponse { classified: meaning, read, body, at_ms });
        });
    }
    response
}

/// Whether prefetch reads responses to this read.
fn concerns(server: &Server, meaning: &ClassifiedRequest, read: &Read) -> bool {
    server.origin.settings.prefetch.enabled
        && !meaning.identity.is_anonymous()
        && prediction::is_predictable(read.class)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use bytes::Bytes;
    use greenroom_cache::{Cache, CacheSettings as EngineSettings, Clock};
    use greenroom_dialect::classification::Classification;
    use greenroom_dialect::credential::Secret;
    use greenroom_dialect::request::RequestView;
    use http::{HeaderMap, HeaderValue};
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::http::connection::{ClientConnection, ClientStream};
    use crate::proxy_request::classify;
    use greenroom_config::{ConfigSource, Settings};
    use greenroom_state::secrets::HashKey;

    const BODY: &[u8] = &[b' '; 1000];
    /// Buffer size of the test connection.
    const BUFFER: usize = 64;

    fn server() -> Arc<Server> {
        let mut tree = ConfigSource::default();
        let home = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n";
        tree.add_toml("g.toml", &format!("{home}[server.prefetch]\nenabled = true\n"));
        let settings = Settings::read(tree).expect("it is valid").servers.remove(0);
        let (clock, tasks) = (Clock::system(), TaskTracker::new());
        let cache = Cache::new(EngineSettings::default(), clock.clone(), tasks.clone());
        let secrets = (HashKey([1; 32]), Secret::new("hook"));
        let server = Server::new(settings, cache, clock, tasks, CancellationToken::new(), secrets);
        Arc::new(server.expect("it can be had"))
    }

    /// A watched response.
    fn answer(server: &Arc<Server>) -> Response<Body> {
        let mut headers = HeaderMap::new();
        headers.insert("x-plex-token", HeaderValue::from_static("token-of-anna"));
        let ask = RequestView { method: &Method::GET, target: "/library/metadata/1", headers: &headers, body: &[] };
        let meaning = classify::classify(server, &ask, 1);
        let Classification::Read(read) = meaning.classification.clone() else { panic!("it is a read") };
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let visit =
            ProxyRequest { server: Arc::clone(server), classified: meaning, client, is_encrypted: false, origin: None };
        let response = Response::new(Body::from(Bytes::from_static(BODY)));
        watch(&visit, &read, (None, &Value::new(BODY)), &Method::GET, response)
    }

    /// While more bytes are unread than the buffer holds, some are not sent.
    #[tokio::test]
    async fn it_is_told_after_the_last_byte_has_left_and_not_before() {
        let server = server();
        let (mut client, gateway) = tokio::io::duplex(BUFFER);
        let conversation = Arc::new(ClientConnection::new());
        let stream = ClientStream::new(gateway, server.origin.clock.clone(), Arc::clone(&conversation));
        let owner = Arc::clone(&server);
        let service = service_fn(move |_| {
            let response = on_sent::bind(answer(&owner), Some(&conversation));
            async move { Ok::<_, std::convert::Infallible>(response) }
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
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
        let told = async {
            while server.prefetch.waiting() == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), told)
            .await
            .expect("it is told when all of it has left");
        drop(client);
        drop(connection.await);
        assert_eq!(server.prefetch.waiting(), 1);
    }

    #[test]
    fn an_answer_that_never_leaves_is_not_told() {
        let server = server();
        drop(on_sent::bind(answer(&server), Some(&Arc::new(ClientConnection::new()))));
        assert_eq!(server.prefetch.waiting(), 0);
    }
}
