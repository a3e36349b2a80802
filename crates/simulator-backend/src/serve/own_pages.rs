//! The simulator's own pages: what it counted, the switchboard of faults, and letting a device in. Neither counted nor ever at fault.

use http::Method;

use super::{Answer, Asked, Dialect, Ground};
use crate::faults::Rule;

const PREFIX: &str = "/__simulator/";

pub(super) fn are_asked(asked: &Asked) -> bool {
    asked.path.starts_with(PREFIX)
}

pub(super) fn answer(asked: &Asked, dialect: &impl Dialect, ground: &Ground) -> Answer {
    let page = asked.path.strip_prefix(PREFIX).unwrap_or("");
    match (&asked.method, page) {
        (&Method::GET, "ledger") => json(&ledger(ground)),
        (&Method::DELETE, "ledger") => {
            ground.ledger.reset();
            Answer::empty(204)
        }
        (&Method::GET, "requests") => json(&serde_json::json!(ground.ledger.requests())),
        (&Method::GET, "faults") => json(&serde_json::json!(ground.faults.rule())),
        (&Method::PUT, "faults") => match serde_json::from_slice::<Rule>(&asked.body) {
            Ok(rule) => {
                ground.faults.set_rule(rule);
                Answer::empty(204)
            }
            Err(_) => {
                Answer::text(400, "text/plain", "a rule is {\"fault\": …, \"path_prefix\"?, \"times\"?}")
            }
        },
        (&Method::DELETE, "faults") => {
            ground.faults.clear();
            Answer::empty(204)
        }
        _ => dialect
            .own_page(asked, page, ground)
            .unwrap_or_else(|| Answer::text(404, "text/plain", "ledger, requests, faults or link")),
    }
}

fn ledger(ground: &Ground) -> serde_json::Value {
    let ledger = &ground.ledger;
    let mut page = serde_json::json!(ledger.figures());
    page["in_flight"] = ledger.in_flight().into();
    page["max_in_flight"] = ledger.max_in_flight().into();
    page["connections"] = ledger.connections().into();
    page["sockets_opened"] = ledger.sockets_opened().into();
    page["sockets_open"] = ledger.sockets_open().into();
    page["writes"] = ground.state.seq().into();
    page
}

fn json(value: &serde_json::Value) -> Answer {
    Answer::new(200, "application/json", value.to_string())
}
