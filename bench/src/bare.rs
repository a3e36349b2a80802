//! A minimal server on the same runtime as the gateway: the cost of HTTP itself.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::origin;

/// Answers `/library/sections/LENGTH/all` for the lengths of the bench with prepared bodies.
pub(crate) async fn serve(port: u16, lengths: &[usize]) -> Result<(), String> {
    let kept: Vec<(String, Bytes)> =
        lengths.iter().map(|bytes| (format!("/library/sections/{bytes}/all"), origin::body(*bytes))).collect();
    listen(port, move |request| {
        let found = kept.iter().find(|(path, _)| path == request.uri().path());
        let mut response = Response::new(Full::new(found.map_or_else(Bytes::new, |(_, body)| body.clone())));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        std::future::ready(Ok(response))
    })
    .await
}

/// Serves connections with `answer` until the process is killed.
pub(crate) async fn listen<A, F, B>(port: u16, answer: A) -> Result<(), String>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
    let tasks = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let answer = answer.clone();
        tasks.spawn(async move {
            let service = service_fn(answer);
            let connection = hyper::server::conn::http1::Builder::new();
            drop(connection.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
