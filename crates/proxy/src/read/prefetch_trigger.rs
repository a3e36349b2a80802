//! Notices that a response was sent. If the client disconnects before, nothing is prefetched for it.

use std::sync::Arc;

use greenroom_cache::{Entry, HybridTimestamp, Timestamp, Value};
use greenroom_dialect::classification::Read;
use greenroom_prefetch::prediction::{self, MAX_BODY_BYTES};
use http::{Method, Response, StatusCode};

use crate::prefetch::SentResponse;
use crate::proxy_request::ProxyRequest;
use crate::request::classified_request::ClassifiedRequest;
use crate::server::Server;
use greenroom_http_server::on_sent;
use greenroom_origin::body::Body;

/// Queues the value for prefetch once the response is sent, where prefetch applies. `created` is the stamp of a value
/// cached under this request's key.
pub fn watch(
    request: &ProxyRequest,
    read: &Arc<Read>,
    (created, value): (Option<HybridTimestamp>, &Value),
    method: &Method,
    mut response: Response<Body>,
) -> Response<Body> {
    let server = &request.server;
    let is_whole = method == Method::GET && response.status() == StatusCode::OK;
    // A body that is not read must not be held either.
    let is_screen = value.body.len() <= MAX_BODY_BYTES;
    let is_new = || {
        created
            .is_none_or(|created| request.classified.last_seen_response.mark_if_new(created, server.origin.clock.now()))
    };
    if is_whole && is_screen && is_prefetch_input(server, &request.classified, read) && is_new() {
        let (server, classified, read) = (Arc::clone(server), Arc::clone(&request.classified), Arc::clone(read));
        let body = value.body.clone();
        on_sent::run_after(&mut response, move || {
            let at_ms = server.origin.clock.now();
            server.prefetch.push_sent(SentResponse { classified, read, body, at_ms });
        });
    }
    response
}

/// Whether prefetch would read this response, cached under this request's key.
pub(super) fn is_wanted(
    server: &Server,
    classified: &ClassifiedRequest,
    read: &Read,
    entry: &Entry,
    now_ms: Timestamp,
) -> bool {
    is_prefetch_input(server, classified, read)
        && entry.body().len() <= MAX_BODY_BYTES
        && classified.last_seen_response.is_new(entry.created(), now_ms)
}

/// Whether prefetch reads responses to this read.
fn is_prefetch_input(server: &Server, classified: &ClassifiedRequest, read: &Read) -> bool {
    server.origin.settings.prefetch.enabled
        && !classified.identity.is_anonymous()
        && prediction::is_predictable(read.class)
}

#[cfg(test)]
mod tests {
    use greenroom_cache::Timestamp;
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
    use crate::proxy_request::classify;
    use greenroom_config::{ConfigSource, Settings};
    use greenroom_http_server::connection::{ClientConnection, ClientStream};
    use greenroom_state::secrets::HashKey;

    const BODY: &[u8] = &[b' '; 1000];
    /// Buffer size of the test connection.
    const BUFFER: usize = 64;

    fn server() -> Arc<Server> {
        let mut tree = ConfigSource::default();
        let home = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n";
        tree.add_toml("g.toml", &format!("{home}[server.prefetch]\nenabled = true\n"));
        let settings = Settings::read(tree).expect("valid configuration").servers.remove(0);
        let (clock, tasks) = (Clock::system(), TaskTracker::new());
        let cache = Cache::new(EngineSettings::default(), clock.clone(), tasks.clone());
        let secrets = (HashKey([1; 32]), Secret::new("hook"));
        let server = Server::new(settings, cache, clock, tasks, CancellationToken::new(), secrets);
        Arc::new(server.expect("a server"))
    }

    /// A watched response.
    fn answer(server: &Arc<Server>) -> Response<Body> {
        let mut headers = HeaderMap::new();
        headers.insert("x-plex-token", HeaderValue::from_static("token-of-anna"));
        let view = RequestView { method: &Method::GET, target: "/library/metadata/1", headers: &headers, body: &[] };
        let classified = classify::classify(server, &view, Timestamp::from_millis(1));
        let Classification::Read(read) = classified.classification.clone() else { panic!("not a read") };
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request =
            ProxyRequest { server: Arc::clone(server), classified, client, is_encrypted: false, origin: None };
        let response = Response::new(Body::from(Bytes::from_static(BODY)));
        watch(&request, &read, (None, &Value::new(BODY)), &Method::GET, response)
    }

    /// While more bytes are unread than the buffer holds, some are not sent.
    #[tokio::test]
    async fn a_response_is_queued_once_its_last_byte_is_sent_and_not_before() {
        let server = server();
        let (mut client, gateway) = tokio::io::duplex(BUFFER);
        let connection = Arc::new(ClientConnection::new());
        let stream = ClientStream::new(gateway, server.origin.clock.clone(), Arc::clone(&connection));
        let owner = Arc::clone(&server);
        let service = service_fn(move |_| {
            let response = on_sent::bind(answer(&owner), Some(&connection));
            async move { Ok::<_, std::convert::Infallible>(response) }
        });
        let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let serving = server.origin.tasks.spawn(serving);
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte).await.expect("a byte");
            head.extend(byte);
        }
        let mut first_part = vec![0; BODY.len() - BUFFER - 1];
        client.read_exact(&mut first_part).await.expect("most of it");
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.prefetch.waiting(), 0, "some of it is not sent");
        client.read_exact(&mut [0; BUFFER + 1]).await.expect("the rest");
        let until_queued = async {
            while server.prefetch.waiting() == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), until_queued)
            .await
            .expect("it is queued when all of it is sent");
        drop(client);
        let _ = serving.await; // the client has closed the connection
        assert_eq!(server.prefetch.waiting(), 1);
    }

    #[test]
    fn a_response_that_is_never_sent_is_not_queued() {
        let server = server();
        drop(on_sent::bind(answer(&server), Some(&Arc::new(ClientConnection::new()))));
        assert_eq!(server.prefetch.waiting(), 0);
    }
}
