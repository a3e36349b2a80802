//! The simulator's own pages: request counts, fault injection, and authorization of a device. Neither counted nor ever
//! at fault.

use http::Method;

use super::{Dialect, SimulatedRequest, SimulatedResponse, SimulatorContext};
use crate::faults::FaultRule;

const PREFIX: &str = "/__simulator/";

pub(super) fn is_own_page(asked: &SimulatedRequest) -> bool {
    asked.path.starts_with(PREFIX)
}

pub(super) fn answer(asked: &SimulatedRequest, dialect: &impl Dialect, ground: &SimulatorContext) -> SimulatedResponse {
    let page = asked.path.strip_prefix(PREFIX).unwrap_or("");
    match (&asked.method, page) {
        (&Method::GET, "ledger") => json(&ledger(ground)),
        (&Method::DELETE, "ledger") => {
            ground.request_log.reset();
            SimulatedResponse::empty(204)
        }
        (&Method::GET, "requests") => json(&serde_json::json!(ground.request_log.requests())),
        (&Method::GET, "faults") => json(&serde_json::json!(ground.faults.rule())),
        (&Method::PUT, "faults") => match serde_json::from_slice::<FaultRule>(&asked.body) {
            Ok(rule) => {
                ground.faults.set_rule(rule);
                SimulatedResponse::empty(204)
            }
            Err(_) => {
                SimulatedResponse::text(400, "text/plain", "a rule is {\"fault\": …, \"path_prefix\"?, \"times\"?}")
            }
        },
        (&Method::DELETE, "faults") => {
            ground.faults.clear();
            SimulatedResponse::empty(204)
        }
        _ => dialect
            .own_page(asked, page, ground)
            .unwrap_or_else(|| SimulatedResponse::text(404, "text/plain", "ledger, requests, faults or link")),
    }
}

fn ledger(ground: &SimulatorContext) -> serde_json::Value {
    let ledger = &ground.request_log;
    let mut page = serde_json::json!(ledger.stats());
    page["in_flight"] = ledger.in_flight().into();
    page["max_in_flight"] = ledger.max_in_flight().into();
    page["connections"] = ledger.connections().into();
    page["sockets_opened"] = ledger.sockets_opened().into();
    page["sockets_open"] = ledger.sockets_open().into();
    page["writes"] = ground.state.seq().into();
    page
}

fn json(value: &serde_json::Value) -> SimulatedResponse {
    SimulatedResponse::new(200, "application/json", value.to_string())
}
