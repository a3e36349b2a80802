//! Traces as a collector receives them.

use std::sync::Arc;

use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};
use crate::outages::{SwitchableServer, json as app};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn collector(status: &'static str) -> ScriptedServer {
    let script = move |_: &ReceivedRequest| ScriptedReply::Last(answer(status, "application/json", "{}"));
    ScriptedServer::start(&TaskTracker::new(), script).await
}

async fn stage(plex: &SwitchableServer, collector: &ScriptedServer, one_in: u64) -> GatewayFixture {
    let url = format!("http://{}", plex.server.address);
    let table = format!("[tracing]\notlp_url = \"http://{}/base/\"\nsample_one_in = {one_in}", collector.address);
    GatewayConfigBuilder::new().server("home", "plex", &url, "").table(&table).start().await
}

/// All received spans; asserts that their requests are well-formed.
fn spans(collector: &ScriptedServer) -> Vec<Value> {
    let mut spans = Vec::new();
    for arrived in collector.received() {
        assert_eq!((arrived.method.as_str(), arrived.target.as_str()), ("POST", "/base/v1/traces"));
        assert_eq!(arrived.header("content-type"), ["application/json"]);
        let body: Value = serde_json::from_slice(&arrived.body).expect("it is JSON");
        let resource = &body["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "greenroom");
        spans.extend(resource["scopeSpans"][0]["spans"].as_array().expect("a list").clone());
    }
    spans
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a str {
    let attributes = span["attributes"].as_array().expect("a list");
    let found = attributes.iter().find(|one| one["key"] == key).map(|one| &one["value"]);
    found.and_then(|value| value["stringValue"].as_str().or(value["intValue"].as_str())).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_a_span_with_its_result_and_without_its_target() {
    let (plex, collector) = (SwitchableServer::start().await, collector("200 OK").await);
    let stage = stage(&plex, &collector, 1).await;
    let app = app(&stage, "a-token-of-somebody").with("traceparent", PARENT);
    for _ in 0..2 {
        assert_eq!(app.get("/library/sections").await.status, 200);
    }
    stage.stop().await;
    let spans = spans(&collector);
    assert_eq!(spans.len(), 2, "what waits at the end is sent");
    for (span, verdict) in spans.iter().zip(["loaded", "hit"]) {
        assert_eq!((attribute(span, "greenroom.class"), attribute(span, "greenroom.verdict")), ("sections", verdict));
        assert_eq!(attribute(span, "greenroom.server"), "home");
        assert_eq!(attribute(span, "greenroom.kind"), "plex");
        assert_eq!(attribute(span, "http.response.status_code"), "200");
        assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span["parentSpanId"], "00f067aa0ba902b7");
        assert_eq!(span["spanId"].as_str().map(str::len), Some(16));
        let time = |name: &str| span[name].as_str().and_then(|text| text.parse::<u64>().ok()).expect("a time");
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
        let whole = span.to_string();
        assert!(!whole.contains("library") && !whole.contains("a-token"), "{whole}");
    }
    assert_ne!(spans[0]["spanId"], spans[1]["spanId"]);
    for arrived in plex.server.received() {
        assert!(arrived.header("traceparent").is_empty(), "the media server hears nothing of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_in_so_many_requests_is_a_span() {
    let (plex, collector) = (SwitchableServer::start().await, collector("200 OK").await);
    let stage = stage(&plex, &collector, 10).await;
    let app = app(&stage, "somebody");
    for _ in 0..30 {
        app.get("/library/sections").await;
    }
    stage.stop().await;
    let spans = spans(&collector);
    assert_eq!(spans.len(), 3);
    assert_ne!(spans[0]["traceId"], spans[1]["traceId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_or_hangs_changes_nothing_for_apps() {
    let plex = SwitchableServer::start().await;
    let never = Arc::new(tokio::sync::Notify::new());
    let hanging = ScriptedServer::start(&TaskTracker::new(), move |_: &ReceivedRequest| {
        ScriptedReply::Held(never.clone(), Vec::new())
    })
    .await;
    for collector in [collector("503 Service Unavailable").await, hanging] {
        let stage = stage(&plex, &collector, 1).await;
        let app = app(&stage, "somebody");
        for _ in 0..20 {
            assert_eq!(app.get("/library/sections").await.status, 200);
        }
        stage.stop().await;
        assert!(collector.received().len() <= 20);
    }
}
