//! One request as a collector sees it.

use serde_json::{Value, json};

use crate::identity::hex;
use crate::otlp::traceparent::Parent;
use crate::record::Decision;
use greenroom_origin::Origin;

/// The kind of a span: this is the side that is asked.
const KIND_SERVER: u8 = 2;
/// The status of a span: it failed.
const STATUS_ERROR: u8 = 2;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    trace: [u8; 16],
    own: [u8; 8],
    parent: Option<[u8; 8]>,
    server: String,
    kind: &'static str,
    class: &'static str,
    verdict: &'static str,
    reason: Option<&'static str>,
    status: u16,
    began_us: u64,
    ended_us: u64,
}

impl Span {
    /// What is said of a request; nothing if no number can be drawn for it.
    pub(super) fn of(origin: &Origin, decision: &Decision, parent: Option<Parent>) -> Option<Self> {
        let (mut trace, mut own) = ([0; 16], [0; 8]);
        getrandom::fill(&mut own).ok()?;
        match parent {
            Some(parent) => trace = parent.trace,
            None => getrandom::fill(&mut trace).ok()?,
        }
        let ended_us = origin.clock.moment_us(origin.clock.now_us());
        Some(Self {
            trace,
            own,
            parent: parent.map(|parent| parent.span),
            server: origin.name().to_owned(),
            kind: origin.settings.kind.name(),
            class: decision.subject.name(),
            verdict: decision.outcome.verdict.name(),
            reason: decision.outcome.why.map(crate::record::Why::name),
            status: decision.status,
            began_us: ended_us.saturating_sub(decision.elapsed_us),
            ended_us,
        })
    }

    fn written(&self) -> Value {
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let mut attributes = vec![
            text("greenroom.server", &self.server),
            text("greenroom.kind", self.kind),
            text("greenroom.class", self.class),
            text("greenroom.verdict", self.verdict),
            json!({"key": "http.response.status_code", "value": {"intValue": self.status.to_string()}}),
        ];
        attributes.extend(self.reason.map(|reason| text("greenroom.reason", reason)));
        let mut span = json!({
            "traceId": hex(&self.trace),
            "spanId": hex(&self.own),
            "name": format!("{} {}", self.class, self.verdict),
            "kind": KIND_SERVER,
            "startTimeUnixNano": nanos(self.began_us),
            "endTimeUnixNano": nanos(self.ended_us),
            "attributes": attributes,
        });
        if let Some(parent) = &self.parent {
            span["parentSpanId"] = hex(parent).into();
        }
        if self.status >= 500 {
            span["status"] = json!({"code": STATUS_ERROR});
        }
        span
    }
}

/// All of these as one request to a collector.
pub(super) fn batch(spans: &[Span]) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let resource = [text("service.name", "greenroom"), text("service.version", env!("CARGO_PKG_VERSION"))];
    let spans: Vec<Value> = spans.iter().map(Span::written).collect();
    let scope = json!({"scope": {"name": "greenroom"}, "spans": spans});
    json!({"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [scope]}]})
}

/// Numbers of 64 bits are texts there.
fn nanos(us: u64) -> String {
    format!("{us}000")
}
