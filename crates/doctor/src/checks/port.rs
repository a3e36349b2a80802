//! Whether the ports are free.

use crate::facts::{GatewayFacts, MachineFacts, PortFacts, PortState};
use crate::finding::Finding;

const CHECK: &str = "port";

/// Reports ports that another program uses, and which program.
pub fn check(facts: &MachineFacts) -> Vec<Finding> {
    facts.ports.iter().map(|port| check_port(port, facts.gateway.as_ref())).collect()
}

fn check_port(port: &PortFacts, gateway: Option<&GatewayFacts>) -> Finding {
    let PortFacts { purpose: whose, setting, address, state } = port;
    let number = address.port();
    let gateway_pid = gateway.and_then(|gateway| gateway.pid);
    let is_gateway_address = gateway.is_some_and(|gateway| gateway.addresses.contains(address));
    match state {
        PortState::Free => Finding::ok(CHECK, format!("{address} is free for {whose}")),
        PortState::InUse(Some(holder))
            if gateway_pid == Some(holder.pid)
                || gateway_pid.is_none() && holder.is_greenroom && is_gateway_address =>
        {
            Finding::ok(CHECK, format!("{address} is held by the Greenroom that runs already, for {whose}"))
        }
        PortState::InUse(None) if is_gateway_address => {
            Finding::ok(CHECK, format!("{address} is taken, it seems by the Greenroom that runs already"))
        }
        PortState::InUse(Some(holder)) if holder.is_greenroom => Finding::problem(
            CHECK,
            format!(
                "{address}, meant for {whose}, is taken by another greenroom (process {}), which does not use this data \
                 directory",
                holder.pid
            ),
            format!(
                "run this with the configuration of that process; or stop it, or choose another port with {setting}"
            ),
        ),
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
    use crate::checks::fixtures::assert_says;
    use crate::facts::PortHolder;
    use crate::finding::FindingLevel;

    /// A gateway of process 7 that listens at these addresses.
    fn gateway(pid: Option<u32>, addresses: &[&str]) -> GatewayFacts {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        GatewayFacts { pid, addresses }
    }

    fn found(state: PortState, gateway: Option<&GatewayFacts>) -> Finding {
        let address = "127.0.0.1:32500".parse().expect("an address");
        let port = PortFacts { purpose: "apps of \"home\"".into(), setting: "listen", address, state };
        check_port(&port, gateway)
    }

    fn by(name: &str) -> PortState {
        PortState::InUse(Some(PortHolder { pid: 7, name: name.into(), is_greenroom: name == "greenroom" }))
    }

    #[test]
    fn a_taken_port_names_who_has_it_or_how_to_find_out() {
        let words = ["taken by nginx (process 7)", "another port with listen"];
        assert_says(found(by("nginx"), None), FindingLevel::Problem, &words);
        let words = ["may not see by which program", "sudo ss -tanp 'sport = :32500'"];
        assert_says(found(PortState::InUse(None), None), FindingLevel::Problem, &words);
    }

    #[test]
    fn a_greenroom_that_runs_is_no_problem() {
        let ours = gateway(Some(7), &[]);
        assert_says(found(by("greenroom"), Some(&ours)), FindingLevel::Ok, &["runs already"]);
        let unlocked = gateway(None, &["127.0.0.1:8710", "127.0.0.1:32500"]);
        assert_says(found(by("greenroom"), Some(&unlocked)), FindingLevel::Ok, &["runs already"]);
        assert_says(found(PortState::InUse(None), Some(&unlocked)), FindingLevel::Ok, &["it seems"]);
        assert_says(found(PortState::Free, None), FindingLevel::Ok, &["is free"]);
    }

    #[test]
    fn a_foreign_program_on_our_port_is_not_called_ours() {
        let elsewhere = gateway(Some(8), &["127.0.0.1:8710"]);
        let unlocked = gateway(None, &["127.0.0.1:8710"]);
        for gateway in [None, Some(&elsewhere), Some(&unlocked)] {
            let words = ["another greenroom (process 7)", "does not use this data directory"];
            assert_says(found(by("greenroom"), gateway), FindingLevel::Problem, &words);
            assert_says(found(by("nginx"), gateway), FindingLevel::Problem, &["taken by nginx"]);
            assert_says(found(PortState::InUse(None), gateway), FindingLevel::Problem, &["may not see"]);
        }
    }

    #[test]
    fn what_cannot_be_had_is_told_with_what_can() {
        assert_says(found(PortState::Denied, None), FindingLevel::Problem, &["above 1023"]);
        let none = PortState::NoSuchAddress("10.9.9.9".parse().expect("an address"));
        assert_says(found(none, None), FindingLevel::Problem, &["no address 10.9.9.9", "ip -brief address"]);
        assert_says(found(PortState::Other("odd".into()), None), FindingLevel::Problem, &["odd"]);
    }
}
