//! Whether both sides agree on encryption, and whose certificate it is.

use std::net::{IpAddr, SocketAddr};

use greenroom_dialect::server_identity::ServerIdentity;

use crate::doctor::facts::ServerFacts;
use crate::doctor::finding::Finding;
use greenroom_origin::certificate_error::Distrust;
use greenroom_origin::certificate_error::Fault;
use greenroom_origin::probe_client::Silence;

const CHECK: &str = "encryption";

/// A server that wants TLS, one that does not speak it, and certificates that are not believed.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    if facts.place.is_encrypted() { encrypted(facts) } else { plain(facts) }
}

fn plain(facts: &ServerFacts) -> Option<Finding> {
    let says_so = matches!(&facts.said, Ok(said) if said.identity == ServerIdentity::WantsEncryption);
    let speaks_it = matches!(facts.encryption, Some(Ok(()) | Err(Silence::Certificate(_))));
    if !says_so && !speaks_it {
        return None;
    }
    let url = facts.place.with_encryption(true).url();
    let mut remedy = format!("configure url = \"{url}\"");
    if let Some(Err(Silence::Certificate(certificate))) = &facts.encryption {
        remedy = format!("{remedy} and {}", mend(facts, certificate));
    }
    if facts.kind == greenroom_dialect::ask::Kind::Plex {
        remedy += "; or set \"Secure connections\" to \"Preferred\" in the server's settings under Network";
    }
    Some(Finding::problem(CHECK, "the server takes only encrypted requests, and url says http", remedy))
}

fn encrypted(facts: &ServerFacts) -> Option<Finding> {
    match facts.encryption.as_ref()? {
        Ok(()) => Some(Finding::ok(CHECK, "the server's certificate is believed")),
        Err(Silence::Certificate(distrust)) => Some(Finding::problem(
            CHECK,
            format!(
                "the server's certificate {} (its SHA-256 fingerprint is {})",
                flaw(&distrust.fault),
                distrust.certificate
            ),
            mend(facts, distrust),
        )),
        Err(Silence::NotEncrypted) => Some(Finding::problem(
            CHECK,
            "the server does not speak TLS, and url says https",
            format!("configure url = \"{}\"", facts.place.with_encryption(false).url()),
        )),
        Err(Silence::Encryption(reason)) => Some(Finding::problem(
            CHECK,
            format!("the two sides do not agree on encryption: {reason}"),
            "the server must speak TLS 1.2 or 1.3; where it is at home, url may say http",
        )),
        // Told by the check of the way there.
        Err(_) => None,
    }
}

/// What is wrong with a certificate, in a few words.
fn flaw(fault: &Fault) -> String {
    match fault {
        Fault::OtherName(names) if names.is_empty() => "is for no name".into(),
        Fault::OtherName(names) => format!("is for other names ({})", names.join(", ")),
        Fault::Expired => "has expired".into(),
        Fault::NotYetValid => "is not valid yet".into(),
        Fault::UnknownIssuer => "is signed by nobody who is trusted here".into(),
        Fault::OtherThanPinned => "is not the pinned one".into(),
        Fault::Other(reason) => format!("is not accepted ({reason})"),
    }
}

/// What makes a certificate believed.
fn mend(facts: &ServerFacts, distrust: &Distrust) -> String {
    let pin = format!(
        "pin it, if the fingerprint is the one the server itself shows: tls.pin_sha256 = \"{}\"",
        distrust.certificate
    );
    match &distrust.fault {
        Fault::OtherName(names) => match name_for(facts, names) {
            Some(name) => {
                format!("say which name it is for: tls.server_name = \"{name}\"; or use that name in url")
            }
            None => format!("use the name it is for in url; or {pin}"),
        },
        Fault::UnknownIssuer => format!(
            "if it is signed by your own authority, name that: tls.ca_file = \"/path/to/ca.pem\"; if it signed itself, {pin}"
        ),
        Fault::Expired => format!("renew it on the server; until then {pin}"),
        Fault::NotYetValid => "set the clock of this machine and of the server right".into(),
        Fault::OtherThanPinned => format!(
            "if the server's certificate was renewed, {pin}; if it was not, something else answers in its place: do not"
        ),
        Fault::Other(_) => format!("renew it on the server; or {pin}"),
    }
}

/// A name the certificate is for: as it stands, or with the address put in for the asterisk of a plex.direct name.
fn name_for(facts: &ServerFacts, names: &[String]) -> Option<String> {
    let whole = names.iter().find(|name| !name.contains('*') && name.parse::<IpAddr>().is_err());
    if let Some(name) = whole {
        return Some(name.clone());
    }
    let rest = names
        .iter()
        .find_map(|name| name.strip_prefix("*.").filter(|rest| rest.ends_with(".plex.direct")))?;
    let addresses = facts.addresses.as_ref().ok()?;
    let address = addresses.iter().map(SocketAddr::ip).find(IpAddr::is_ipv4)?;
    Some(format!("{}.{rest}", address.to_string().replace('.', "-")))
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::ask::Kind;

    use super::*;
    use crate::doctor::checks::sample::{assert_says, server};
    use crate::doctor::facts::Said;
    use crate::doctor::finding::Level;
    use greenroom_config::Fingerprint;

    fn distrust(fault: Fault) -> Distrust {
        Distrust { fault, certificate: Fingerprint::of(b""), key: None }
    }

    fn refused(fault: Fault) -> ServerFacts {
        let mut facts = server(Kind::Plex, "https://192.168.1.10:32400");
        facts.encryption = Some(Err(Silence::Certificate(distrust(fault.clone()))));
        facts.said = Err(Silence::Certificate(distrust(fault)));
        facts
    }

    #[test]
    fn a_server_that_wants_tls_is_to_be_asked_with_https() {
        let mut facts = server(Kind::Plex, "http://192.168.1.10:32400");
        facts.said = Ok(Said { identity: ServerIdentity::WantsEncryption, took_ms: 1, clock_ahead_s: None });
        let words = ["url = \"https://192.168.1.10:32400\"", "\"Secure connections\" to \"Preferred\""];
        assert_says(check(&facts), Level::Problem, &words);
        let other = distrust(Fault::OtherName(vec!["*.abc.plex.direct".into()]));
        facts.said = Err(Silence::BrokeOff);
        facts.encryption = Some(Err(Silence::Certificate(other)));
        assert_says(check(&facts), Level::Problem, &["tls.server_name = \"192-168-1-10.abc.plex.direct\""]);
    }

    #[test]
    fn a_certificate_for_another_name_is_mended_by_that_name() {
        let facts = refused(Fault::OtherName(vec!["media.example".into()]));
        let words = [
            "is for other names (media.example)",
            "fingerprint is e3b0c442",
            "tls.server_name = \"media.example\"",
        ];
        assert_says(check(&facts), Level::Problem, &words);
        let nameless = refused(Fault::OtherName(Vec::new()));
        assert_says(check(&nameless), Level::Problem, &["tls.pin_sha256 = \"e3b0c442"]);
    }

    #[test]
    fn a_certificate_that_nobody_signed_is_mended_by_its_authority_or_a_pin() {
        let words = ["tls.ca_file = \"/path/to/ca.pem\"", "tls.pin_sha256 = \"e3b0c442", "itself shows"];
        assert_says(check(&refused(Fault::UnknownIssuer)), Level::Problem, &words);
    }

    #[test]
    fn a_certificate_out_of_its_time_is_renewed_or_the_clock_is_set() {
        let words = ["has expired", "renew it", "tls.pin_sha256 = \"e3b0c442"];
        assert_says(check(&refused(Fault::Expired)), Level::Problem, &words);
        assert_says(check(&refused(Fault::NotYetValid)), Level::Problem, &["set the clock"]);
    }

    #[test]
    fn a_certificate_that_is_not_the_pinned_one_may_be_somebody_elses() {
        let words = ["is not the pinned one", "was renewed", "something else answers in its place"];
        assert_says(check(&refused(Fault::OtherThanPinned)), Level::Problem, &words);
    }

    #[test]
    fn a_server_without_tls_is_to_be_asked_with_http() {
        let mut facts = server(Kind::Jellyfin, "https://nas:8096/jellyfin");
        facts.encryption = Some(Err(Silence::NotEncrypted));
        assert_says(check(&facts), Level::Problem, &["url = \"http://nas:8096/jellyfin\""]);
        facts.encryption = Some(Err(Silence::Encryption("no common version".into())));
        assert_says(check(&facts), Level::Problem, &["no common version", "TLS 1.2 or 1.3"]);
        facts.encryption = Some(Ok(()));
        assert_says(check(&facts), Level::Ok, &["believed"]);
    }
}
