//! A simulated GraphQL API and a plain client for it.

use bytes::Bytes;
use greenroom_graphql_simulator::{GraphQl, GraphQlOptions};
use greenroom_simulator_backend::simulated_server::SimulatedServer;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

pub(crate) struct GraphQlFixture {
    pub(crate) running: SimulatedServer,
    tracker: TaskTracker,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl GraphQlFixture {
    /// A tiny library without latency.
    pub(crate) async fn quick() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, set up otherwise.
    pub(crate) async fn with(change: impl FnOnce(&mut GraphQlOptions)) -> Self {
        let mut options = GraphQlOptions::quick();
        change(&mut options);
        let tracker = TaskTracker::new();
        let running = GraphQl::new(options).start("127.0.0.1:0".parse().unwrap(), &tracker).await.unwrap();
        Self { running, tracker, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Status, content type and body of the response.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        token: Option<&str>,
        body: &str,
    ) -> (u16, String, Bytes) {
        let mut request = Request::builder().method(method).uri(format!("{}{target}", self.running.url()));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let response = self.client.request(request).await.unwrap();
        let kind = response.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
        (response.status().as_u16(), kind, response.into_body().collect().await.unwrap().to_bytes())
    }

    /// Status and JSON of the response to a body.
    pub(crate) async fn post(&self, token: Option<&str>, body: &Value) -> (u16, Value) {
        let (status, _, bytes) = self.send(Method::POST, "/graphql", token, &body.to_string()).await;
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// Data of a document that must succeed, asked as the owner.
    pub(crate) async fn data(&self, document: &str, variables: Value) -> Value {
        self.data_of("gql-owner-a", document, variables).await
    }

    /// The same as another user.
    pub(crate) async fn data_of(&self, token: &str, document: &str, variables: Value) -> Value {
        let (status, body) = self.post(Some(token), &json!({"query": document, "variables": variables})).await;
        assert_eq!((status, &body["errors"]), (200, &Value::Null), "{body}");
        body["data"].clone()
    }

    /// Stops the server and looks whether it left anything behind.
    pub(crate) async fn done(self) {
        self.running.stop().await;
        self.tracker.close();
        assert!(self.tracker.is_empty(), "a task outlived the server");
    }
}
