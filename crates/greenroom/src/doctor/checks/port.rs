//! Whether the ports are free.

use crate::doctor::facts::{MachineFacts, PortFacts, PortState};
use crate::doctor::finding::Finding;

const CHECK: &str = "port";

/// Reports ports that another program uses, and which program.
pub fn check(facts: &MachineFacts) -> Vec<Finding> {
    facts.ports.iter().map(|port| check_port(port, facts.runs_already)).collect()
}

fn check_port(port: &PortFacts, runs_already: bool) -> Finding {
    let PortFacts { purpose: whose, setting, address, state } = port;
    let number = address.port();
    match state {
        PortState::Free => Finding::ok(CHECK, format!("{address} is free for {whose}")),
        PortState::InUse(Some(holder)) if holder.is_greenroom => {
            Finding::ok(CHECK, format!("{address} is held by the Greenroom that runs already, for {whose}"))
        }
        PortState::InUse(None) if runs_already => {
            Finding::ok(CHECK, format!("{address} is taken, it seems by the Greenroom that runs already"))
        }
        PortState::InUse(Some(holder)) => Finding::problem(
            CHECK,
            format!("{address}, meant for {whose}, is taken by {} (process {})", holder.name, holder.pid),
            format!("stop that program, or choose another port with {setting}"),
        ),
        PortState::InUse(None) => Finding::problem(
            CHECK,
            format!("{address}, meant for {whose}, is taken, and this user may not see by which program"),
            format!("ask which: sudo ss -tanp 'sport = :{number}'; stop it, or choose another port with {setting}"),
        ),
        PortState::Denied => Finding::problem(
            CHECK,
            format!("this user may not listen on {address}, meant for {whose}"),
            format!("choose a port above 1023 with {setting}"),
        ),
        PortState::NoSuchAddress(ip) => Finding::problem(
            CHECK,
            format!("this machine has no address {ip}, meant for {whose}"),
            format!("choose one that `ip -brief address` shows, or 0.0.0.0 for all, with {setting}"),
        ),
        PortState::Other(reason) => Finding::problem(
            CHECK,
            format!("{address}, meant for {whose}, cannot be had: {reason}"),
            format!("choose another with {setting}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::fixtures::assert_says;
    use crate::doctor::facts::PortHolder;
    use crate::doctor::finding::FindingLevel;

    fn found(state: PortState, runs_already: bool) -> Finding {
        let address = "127.0.0.1:32500".parse().expect("an address");
        let port = PortFacts { purpose: "apps of \"home\"".into(), setting: "listen", address, state };
        check_port(&port, runs_already)
    }

    fn by(name: &str) -> PortState {
        PortState::InUse(Some(PortHolder { pid: 7, name: name.into(), is_greenroom: name == "greenroom" }))
    }

    #[test]
    fn a_taken_port_names_who_has_it_or_how_to_find_out() {
        let words = ["taken by nginx (process 7)", "another port with listen"];
        assert_says(found(by("nginx"), false), FindingLevel::Problem, &words);
        let words = ["may not see by which program", "sudo ss -tanp 'sport = :32500'"];
        assert_says(found(PortState::InUse(None), false), FindingLevel::Problem, &words);
    }

    #[test]
    fn a_greenroom_that_runs_is_no_problem() {
        assert_says(found(by("greenroom"), false), FindingLevel::Ok, &["runs already"]);
        assert_says(found(PortState::InUse(None), true), FindingLevel::Ok, &["it seems"]);
        assert_says(found(PortState::Free, false), FindingLevel::Ok, &["is free"]);
    }

    #[test]
    fn what_cannot_be_had_is_told_with_what_can() {
        assert_says(found(PortState::Denied, false), FindingLevel::Problem, &["above 1023"]);
        let none = PortState::NoSuchAddress("10.9.9.9".parse().expect("an address"));
        assert_says(found(none, false), FindingLevel::Problem, &["no address 10.9.9.9", "ip -brief address"]);
        assert_says(found(PortState::Other("odd".into()), false), FindingLevel::Problem, &["odd"]);
    }
}
