//! Versions of HTTP that a server is spoken to in, over TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use greenroom_config::tls::UpstreamTls;
use greenroom_config::{CertificateTrust, Fingerprint};
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::client::{OriginClient, OriginProtocol, UpstreamRequestKind};
use http::header::{HOST, UPGRADE};
use http::{Method, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A server with a certificate, which says in which version it was asked.
struct TlsServer {
    address: SocketAddr,
    pin: Fingerprint,
    connections: Arc<AtomicUsize>,
    /// Closes all connections after their response; new ones are accepted.
    hang_up: Arc<std::sync::Mutex<CancellationToken>>,
    tasks: TaskTracker,
}

impl TlsServer {
    /// One that offers these protocols in the handshake.
    async fn start(offered: &[&str]) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let pin = Fingerprint::sha256(made.cert.der());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate with its key");
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let server = Self {
            address: listener.local_addr().expect("an address"),
            pin,
            connections: Arc::default(),
            hang_up: Arc::default(),
            tasks: TaskTracker::new(),
        };
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (tasks, connections, hang_up) =
            (server.tasks.clone(), Arc::clone(&server.connections), Arc::clone(&server.hang_up));
        server.tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                connections.fetch_add(1, Ordering::SeqCst);
                let (acceptor, hung_up) = (acceptor.clone(), hang_up.lock().expect("unpoisoned").clone());
                tasks.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let is_two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let (stream, service) = (TokioIo::new(stream), service_fn(answer));
                    if is_two {
                        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                            .serve_connection(stream, service);
                        tokio::select! { _ = connection => {}, () = hung_up.cancelled() => {} }
                    } else {
                        let connection = hyper::server::conn::http1::Builder::new()
                            .serve_connection(stream, service)
                            .with_upgrades();
                        tokio::select! { _ = connection => {}, () = hung_up.cancelled() => {} }
                    }
                });
            }
        });
        server
    }

    fn client(&self, protocol: OriginProtocol) -> OriginClient {
        let tls = UpstreamTls { trust: CertificateTrust::Pin(self.pin), server_name: None };
        let origin = format!("https://localhost:{}", self.address.port()).parse().expect("an address");
        OriginClient::open("api", &origin, "", (&tls, protocol)).expect("a client")
    }

    /// Closes all connections without a word.
    fn close_connections(&self) {
        let closing = std::mem::take(&mut *self.hang_up.lock().expect("unpoisoned"));
        closing.cancel();
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let host = parts.uri.authority().map(ToString::to_string);
    let host = host.or_else(|| parts.headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned));
    let text = format!("{:?} {} {} {}", parts.version, parts.uri.path(), host.unwrap_or_default(), body.len());
    Ok(Response::new(Full::new(text.into())))
}

async fn ask(client: &OriginClient, kind: UpstreamRequestKind, body: &str) -> String {
    let method = if body.is_empty() { Method::GET } else { Method::POST };
    let mut request = Request::new(Body::from(Bytes::copy_from_slice(body.as_bytes())));
    (*request.method_mut(), *request.uri_mut()) = (method, client.uri("/x?a=1").expect("a target"));
    let response = client.send(request, kind).await.expect("a response");
    match collect(response.into_body(), 1024).await {
        CollectedBody::Whole(body) => String::from_utf8(body.to_vec()).expect("text"),
        other => panic!("no body: {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_offers_http2_is_spoken_to_in_it_over_one_connection() {
    let server = TlsServer::start(&["h2", "http/1.1"]).await;
    let client = server.client(OriginProtocol::HTTP_API);
    let port = server.address.port();
    assert_eq!(ask(&client, UpstreamRequestKind::Read, "").await, format!("HTTP/2.0 /x localhost:{port} 0"));
    let reads: Vec<_> = (0..8).map(|_| ask(&client, UpstreamRequestKind::Stream, "body")).collect();
    for read in reads {
        assert_eq!(read.await, format!("HTTP/2.0 /x localhost:{port} 4"));
    }
    assert_eq!(server.connections(), 1);
    assert!(ask(&client, UpstreamRequestKind::Write, "body").await.starts_with("HTTP/2.0"));
}

#[tokio::test]
async fn a_server_that_does_not_offer_it_and_a_media_server_are_spoken_to_in_http_1_1() {
    for (offered, protocol) in [
        (&["http/1.1"][..], OriginProtocol::HTTP_API),
        (&[], OriginProtocol::HTTP_API),
        (&["h2", "http/1.1"], OriginProtocol::MEDIA_SERVER),
    ] {
        let server = TlsServer::start(offered).await;
        let client = server.client(protocol);
        for kind in [UpstreamRequestKind::Read, UpstreamRequestKind::Stream, UpstreamRequestKind::Write] {
            assert!(ask(&client, kind, "").await.starts_with("HTTP/1.1"), "{offered:?} {protocol:?} {kind:?}");
        }
    }
}

#[tokio::test]
async fn an_upgrade_is_asked_for_in_http_1_1() {
    let server = TlsServer::start(&["h2", "http/1.1"]).await;
    let client = server.client(OriginProtocol::HTTP_API);
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = client.uri("/socket").expect("a target");
    request.headers_mut().insert(UPGRADE, "websocket".parse().expect("a value"));
    let response = client.send(request, UpstreamRequestKind::Stream).await.expect("a response");
    assert_eq!(response.version(), Version::HTTP_11);
}

#[tokio::test]
async fn a_read_that_meets_a_closed_connection_of_http2_is_sent_again() {
    let server = TlsServer::start(&["h2"]).await;
    let client = server.client(OriginProtocol::HTTP_API);
    for _ in 0..20 {
        assert!(ask(&client, UpstreamRequestKind::Read, "").await.starts_with("HTTP/2.0"));
        server.close_connections();
    }
}
