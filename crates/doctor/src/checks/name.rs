//! Whether the server's name resolves to it.

use std::net::{IpAddr, Ipv4Addr};

use crate::facts::ServerFacts;
use crate::finding::Finding;
use greenroom_origin::probe_client::ProbeError;

const CHECK: &str = "name";
/// Domain of names that Plex gives to addresses, so that a certificate can be for them.
const PLEX_DIRECT: &str = ".plex.direct";

/// Reports a name that does not resolve, or that a router rewrites.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    let host = facts.endpoint.host();
    if host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let meant = address_in(host);
    match &facts.addresses {
        Ok(addresses) => {
            let found: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            let found = found.join(", ");
            match meant {
                Some(meant) if !addresses.iter().any(|address| address.ip() == meant) => {
                    Some(rebinding(facts, meant, &format!("{host} leads to {found} instead of {meant}")))
                }
                _ => Some(Finding::ok(CHECK, format!("{host} leads to {found}"))),
            }
        }
        Err(ProbeError::NoSuchName(_)) => Some(match meant {
            Some(meant) => rebinding(facts, meant, &format!("{host} leads nowhere, although it is a good name")),
            None => unknown(facts, host),
        }),
        Err(silence) => Some(Finding::problem(
            CHECK,
            format!("{host} cannot be looked up: {silence}"),
            "check the name servers in /etc/resolv.conf of this machine, or use the server's address in url",
        )),
    }
}

/// The address in a name: `192-168-1-10.abc.plex.direct`.
fn address_in(host: &str) -> Option<Ipv4Addr> {
    let rest = host.strip_suffix(PLEX_DIRECT)?;
    let (address, _) = rest.split_once('.')?;
    address.replace('-', ".").parse().ok()
}

fn rebinding(facts: &ServerFacts, meant: Ipv4Addr, what: &str) -> Finding {
    let (host, port) = (facts.endpoint.host(), facts.endpoint.port());
    Finding::problem(
        CHECK,
        format!("{what}: the router or name server protects against DNS rebinding, and drops names that lead home"),
        format!(
            "let plex.direct through: in dnsmasq `rebind-domain-ok=/plex.direct/`, in unbound `private-domain: \
             \"plex.direct\"`, in a router under \"DNS rebind protection\", exceptions; or configure \
             url = \"https://{meant}:{port}\" together with tls.server_name = \"{host}\""
        ),
    )
}

fn unknown(facts: &ServerFacts, host: &str) -> Finding {
    let what = format!("the name {host} is unknown to this machine");
    let remedy = if host.rsplit('.').next() == Some("local") {
        "names that end in .local are known only where mDNS is spoken, and in containers it is not: \
         use the server's address in url"
    } else if facts.container && !host.contains('.') {
        "in a container, only containers on the same network are known by name: put both on one network, or use the \
         server's address in url"
    } else {
        "check it for typing errors and try `getent hosts NAME`; or use the server's address in url"
    };
    Finding::problem(CHECK, what, remedy)
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::request::ServerKind;

    use super::*;
    use crate::checks::fixtures::{assert_says, server};
    use crate::finding::FindingLevel;

    const DIRECT: &str = "https://192-168-1-10.abc.plex.direct:32400";

    fn unknown_name(url: &str) -> ServerFacts {
        let mut facts = server(ServerKind::Plex, url);
        facts.addresses = Err(ProbeError::NoSuchName(facts.endpoint.host().to_owned()));
        facts
    }

    #[test]
    fn an_address_needs_no_name_and_a_good_name_is_told() {
        assert_eq!(check(&server(ServerKind::Plex, "http://192.168.1.10:32400")), None);
        assert_says(check(&server(ServerKind::Plex, DIRECT)), FindingLevel::Ok, &["leads to 192.168.1.10"]);
    }

    #[test]
    fn a_plex_direct_name_that_leads_nowhere_or_elsewhere_is_rebinding_protection() {
        let words = [
            "DNS rebinding",
            "rebind-domain-ok=/plex.direct/",
            "private-domain: \"plex.direct\"",
            "url = \"https://192.168.1.10:32400\"",
            "tls.server_name = \"192-168-1-10.abc.plex.direct\"",
        ];
        assert_says(check(&unknown_name(DIRECT)), FindingLevel::Problem, &words);
        let mut bent = server(ServerKind::Plex, DIRECT);
        bent.addresses = Ok(vec!["0.0.0.0:32400".parse().expect("an address")]);
        assert_says(check(&bent), FindingLevel::Problem, &words);
    }

    #[test]
    fn an_unknown_name_has_a_remedy_for_where_it_is_looked_up() {
        assert_says(check(&unknown_name("http://nas.lan:1")), FindingLevel::Problem, &["getent hosts NAME"]);
        assert_says(check(&unknown_name("http://nas.local:1")), FindingLevel::Problem, &["mDNS", "address in url"]);
        let mut boxed = unknown_name("http://plex:32400");
        boxed.container = true;
        assert_says(check(&boxed), FindingLevel::Problem, &["put both on one network"]);
        let mut slow = server(ServerKind::Plex, "http://nas.lan:1");
        slow.addresses = Err(ProbeError::TimedOut(greenroom_origin::probe_client::ProbeStage::Resolving));
        assert_says(check(&slow), FindingLevel::Problem, &["/etc/resolv.conf"]);
    }
}
