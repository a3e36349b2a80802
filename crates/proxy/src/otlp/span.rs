//! The span of one request, as sent to a collector.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::otlp::traceparent::TraceParent;
use greenroom_origin::Origin;
use greenroom_request_log::Decision;

/// Span kind: server.
const KIND_SERVER: u8 = 2;
/// Span status: error.
const STATUS_ERROR: u8 = 2;

/// Span of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OtlpSpan {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    parent: Option<[u8; 8]>,
    server: String,
    kind: &'static str,
    class: &'static str,
    result: &'static str,
    reason: Option<&'static str>,
    status: u16,
    started_us: u64,
    ended_us: u64,
}

impl OtlpSpan {
    /// Span of a decision; `None` if no random id is available.
    pub(super) fn from_decision(origin: &Origin, decision: &Decision, parent: Option<TraceParent>) -> Option<Self> {
        let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
        getrandom::fill(&mut span_id).ok()?;
        match parent {
            Some(parent) => trace_id = parent.trace_id,
            None => getrandom::fill(&mut trace_id).ok()?,
        }
        let ended_us = origin.clock.wall_us(origin.clock.now_us());
        Some(Self {
            trace_id,
            span_id,
            parent: parent.map(|parent| parent.span_id),
            server: origin.name().to_owned(),
            kind: origin.settings.kind.name(),
            class: decision.category.name(),
            result: decision.outcome.result.name(),
            reason: decision.outcome.reason.map(greenroom_request_log::DecisionReason::name),
            status: decision.status,
            started_us: ended_us.saturating_sub(decision.elapsed_us),
            ended_us,
        })
    }

    fn to_json(&self) -> Value {
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let mut attributes = vec![
            text("greenroom.server", &self.server),
            text("greenroom.kind", self.kind),
            text("greenroom.class", self.class),
            text("greenroom.verdict", self.result),
            json!({"key": "http.response.status_code", "value": {"intValue": self.status.to_string()}}),
        ];
        attributes.extend(self.reason.map(|reason| text("greenroom.reason", reason)));
        let mut span = json!({
            "traceId": HEXLOWER.encode(&self.trace_id),
            "spanId": HEXLOWER.encode(&self.span_id),
            "name": format!("{} {}", self.class, self.result),
            "kind": KIND_SERVER,
            "startTimeUnixNano": nanos(self.started_us),
            "endTimeUnixNano": nanos(self.ended_us),
            "attributes": attributes,
        });
        if let Some(parent) = &self.parent {
            span["parentSpanId"] = HEXLOWER.encode(parent).into();
        }
        if self.status >= 500 {
            span["status"] = json!({"code": STATUS_ERROR});
        }
        span
    }
}

/// All spans as one request to a collector.
pub(super) fn batch(spans: &[OtlpSpan]) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let resource = [text("service.name", "greenroom"), text("service.version", env!("CARGO_PKG_VERSION"))];
    let spans: Vec<Value> = spans.iter().map(OtlpSpan::to_json).collect();
    let scope = json!({"scope": {"name": "greenroom"}, "spans": spans});
    json!({"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [scope]}]})
}

/// OTLP's JSON has 64-bit numbers as strings.
fn nanos(us: u64) -> String {
    format!("{us}000")
}
