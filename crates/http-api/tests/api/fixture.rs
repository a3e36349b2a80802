//! A scripted HTTP server, the cache in front of it, and a client, each on a free port of 127.0.0.1.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use greenroom_cache::{Cache, CacheSettings, Clock};
use greenroom_config::{ConfigSource, Settings};
use greenroom_http_api::ApiServer;
use greenroom_state::secrets::HashKey;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct SeenRequest {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

type Handler = Box<dyn Fn(&SeenRequest) -> Response<Full<Bytes>> + Send + Sync>;

struct Script {
    handler: Mutex<Handler>,
    seen: Mutex<Vec<SeenRequest>>,
    /// Answers are held back while it has no permits.
    gate: Semaphore,
}

/// All three.
pub(crate) struct Fixture {
    script: Arc<Script>,
    /// The cache's server.
    pub(crate) server: Arc<ApiServer>,
    address: SocketAddr,
    client: Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>,
    stop: CancellationToken,
    origin_stop: CancellationToken,
}

/// A response as the client saw it.
#[derive(Debug, Clone)]
pub(crate) struct ClientResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// Fields after the body.
    pub(crate) trailers: HeaderMap,
}

/// Fields that the server sends after the body of a response, as an extension of it.
#[derive(Debug, Clone)]
pub(crate) struct Trailers(pub(crate) HeaderMap);

impl ClientResponse {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether it says that it came from the cache.
    pub(crate) fn is_hit(&self) -> bool {
        self.header("cache-status").contains("; hit")
    }
}

/// A response with these fields and this body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into())).expect("a response")
}

impl Fixture {
    /// With these lines in `[[server]]`, in front of a server with this handler.
    pub(crate) async fn new(
        lines: &str,
        handler: impl Fn(&SeenRequest) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let clock = Clock::system();
        let tasks = TaskTracker::new();
        let cache = Cache::new(CacheSettings::default(), clock.clone(), tasks.clone());
        Self::with_cache(lines, handler, (cache, clock, tasks)).await
    }

    /// The same over this engine.
    pub(crate) async fn with_cache(
        lines: &str,
        handler: impl Fn(&SeenRequest) -> Response<Full<Bytes>> + Send + Sync + 'static,
        (cache, clock, tasks): (Cache, Clock, TaskTracker),
    ) -> Self {
        let script = Arc::new(Script {
            handler: Mutex::new(Box::new(handler)),
            seen: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let origin_stop = CancellationToken::new();
        let origin = serve_script(Arc::clone(&script), origin_stop.clone()).await;
        let mut tree = ConfigSource::default();
        let own = format!("[[server]]\nname = \"api\"\nkind = \"http\"\nurl = \"http://{origin}\"\n{lines}");
        tree.add_toml("test.toml", &own);
        let settings = Settings::read(tree).expect("valid settings").http_apis.remove(0);
        let stop = CancellationToken::new();
        let server = ApiServer::new(settings, (cache, clock), tasks, stop.clone(), (HashKey([7; 32]), Arc::default()));
        let server = Arc::new(server.expect("a server"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        server.tasks.spawn(greenroom_http_api::serve(Arc::clone(&server), listener, None, CancellationToken::new()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { script, server, address, client, stop, origin_stop }
    }

    /// Replaces what the server answers.
    pub(crate) fn script(&self, handler: impl Fn(&SeenRequest) -> Response<Full<Bytes>> + Send + Sync + 'static) {
        *self.script.handler.lock().expect("unpoisoned") = Box::new(handler);
    }

    /// Holds the server's answers back.
    pub(crate) fn hold(&self) {
        self.script.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets them go.
    pub(crate) fn release(&self) {
        self.script.gate.add_permits(Semaphore::MAX_PERMITS - self.script.gate.available_permits());
    }

    /// Ends the server: it accepts no connection any more, and closes those it has.
    pub(crate) fn stop_origin(&self) {
        self.origin_stop.cancel();
    }

    /// Requests that the server saw.
    pub(crate) fn seen(&self) -> Vec<SeenRequest> {
        self.script.seen.lock().expect("unpoisoned").clone()
    }

    /// Waits until the server saw so many.
    pub(crate) async fn wait_seen(&self, count: usize) {
        while self.seen().len() < count {
            tokio::task::yield_now().await;
        }
    }

    /// Sends a request through the cache.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> ClientResponse {
        let mut request = Request::builder().method(method).uri(format!("http://{}{target}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
        let response = self.client.request(request).await.expect("a response");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body");
        let trailers = body.trailers().cloned().unwrap_or_default();
        let body = body.to_bytes();
        ClientResponse {
            trailers,
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub(crate) async fn get(&self, target: &str) -> ClientResponse {
        self.send("GET", target, &[], "").await
    }

    pub(crate) async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> ClientResponse {
        self.send("GET", target, headers, "").await
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.cancel();
        self.origin_stop.cancel();
    }
}

async fn serve_script(script: Arc<Script>, stop: CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let tasks = TaskTracker::new();
    let owner = tasks.clone();
    tasks.spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, _) = accepted.expect("a connection");
            let (script, stop) = (Arc::clone(&script), stop.clone());
            owner.spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| answer_one(Arc::clone(&script), request));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = connection => {}
                }
            });
        }
    });
    address
}

async fn answer_one(
    script: Arc<Script>,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let seen = SeenRequest {
        method: parts.method,
        target: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    script.seen.lock().expect("unpoisoned").push(seen.clone());
    let _permit = script.gate.acquire().await.expect("the gate is never closed");
    let mut response = script.handler.lock().expect("unpoisoned")(&seen);
    let trailers = response.extensions_mut().remove::<Trailers>();
    Ok(response.map(|body| match trailers {
        Some(Trailers(trailers)) => body.with_trailers(std::future::ready(Some(Ok(trailers)))).boxed_unsync(),
        None => body.boxed_unsync(),
    }))
}

/// Numbers for bodies, so that each answer differs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bodies(Arc<Mutex<u32>>);

impl Bodies {
    pub(crate) fn next(&self) -> String {
        let mut count = self.0.lock().expect("unpoisoned");
        *count += 1;
        format!("v{count}")
    }
}
