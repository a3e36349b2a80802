//! Whether both sides agree on TLS, and whose certificate it is.

use std::net::{IpAddr, SocketAddr};

use greenroom_dialect::server_identity::ServerIdentity;

use crate::advice;
use crate::facts::ServerFacts;
use crate::finding::Finding;
use greenroom_origin::certificate_error::CertificateFault;
use greenroom_origin::certificate_error::CertificateRejection;
use greenroom_origin::probe_client::ProbeError;

const CHECK: &str = "encryption";

/// Reports a server that requires TLS, one that does not support it, and untrusted certificates.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    if facts.endpoint.is_encrypted() { encrypted(facts) } else { plain(facts) }
}

fn plain(facts: &ServerFacts) -> Option<Finding> {
    let says_so = matches!(&facts.identity_response, Ok(said) if said.identity == ServerIdentity::EncryptionRequired);
    let speaks_it = matches!(facts.encryption, Some(Ok(()) | Err(ProbeError::Certificate(_))));
    if !says_so && !speaks_it {
        return None;
    }
    let mut remedy = advice::set_url(facts, &facts.endpoint.with_encryption(true));
    if let Some(Err(ProbeError::Certificate(certificate))) = &facts.encryption {
        remedy = format!("{remedy} and {}", remedy_for(facts, certificate));
    }
    if facts.kind == greenroom_dialect::request::ServerKind::Plex {
        remedy += "; or set \"Secure connections\" to \"Preferred\" in the server's settings under Network";
    }
    Some(Finding::problem(CHECK, "the server takes only encrypted requests, and url says http", remedy))
}

fn encrypted(facts: &ServerFacts) -> Option<Finding> {
    match facts.encryption.as_ref()? {
        Ok(()) => Some(Finding::ok(CHECK, "the server's certificate is trusted")),
        Err(ProbeError::Certificate(distrust)) => Some(Finding::problem(
            CHECK,
            format!(
                "the server's certificate {} (its SHA-256 fingerprint is {})",
                flaw(&distrust.fault),
                distrust.certificate
            ),
            remedy_for(facts, distrust),
        )),
        Err(ProbeError::NotEncrypted) => Some(Finding::problem(
            CHECK,
            "the server does not speak TLS, and url says https",
            advice::set_url(facts, &facts.endpoint.with_encryption(false)),
        )),
        Err(ProbeError::Encryption(reason)) => Some(Finding::problem(
            CHECK,
            format!("the two sides do not agree on encryption: {reason}"),
            "the server must speak TLS 1.2 or 1.3; where it is at home, url may say http",
        )),
        // Reported by the check of connectivity.
        Err(_) => None,
    }
}

/// The fault of a certificate in a few words.
fn flaw(fault: &CertificateFault) -> String {
    match fault {
        CertificateFault::OtherName(names) if names.is_empty() => "is for no name".into(),
        CertificateFault::OtherName(names) => format!("is for other names ({})", names.join(", ")),
        CertificateFault::Expired => "has expired".into(),
        CertificateFault::NotYetValid => "is not valid yet".into(),
        CertificateFault::UnknownIssuer => "is signed by a CA that is not among the trusted CAs".into(),
        CertificateFault::OtherThanPinned => "is not the pinned one".into(),
        CertificateFault::Other(reason) => format!("is not accepted ({reason})"),
    }
}

/// Advice on making a certificate trusted.
fn remedy_for(facts: &ServerFacts, distrust: &CertificateRejection) -> String {
    let pin = format!(
        "pin it, if the fingerprint is the one the server itself shows: tls.pin_sha256 = \"{}\"",
        distrust.certificate
    );
    match &distrust.fault {
        CertificateFault::OtherName(names) => match name_for(facts, names) {
            Some(name) => {
                format!("say which name it is for: tls.server_name = \"{name}\"; or use that name in url")
            }
            None => format!("use the name it is for in url; or {pin}"),
        },
        CertificateFault::UnknownIssuer => format!(
            "if it is signed by your own CA, add that to the trusted CAs: tls.ca_file = \"/path/to/ca.pem\"; if it signed itself, {pin}"
        ),
        CertificateFault::Expired => format!("renew it on the server; until then {pin}"),
        CertificateFault::NotYetValid => "set the clock of this machine and of the server right".into(),
        CertificateFault::OtherThanPinned => format!(
            "if the server's certificate was renewed, {pin}; if it was not, something else answers in its place: do not"
        ),
        CertificateFault::Other(_) => format!("renew it on the server; or {pin}"),
    }
}

/// A name the certificate is for: as it is, or with the address in place of the asterisk of a plex.direct name.
fn name_for(facts: &ServerFacts, names: &[String]) -> Option<String> {
    let whole = names.iter().find(|name| !name.contains('*') && name.parse::<IpAddr>().is_err());
    if let Some(name) = whole {
        return Some(name.clone());
    }
    let rest = names.iter().find_map(|name| name.strip_prefix("*.").filter(|rest| rest.ends_with(".plex.direct")))?;
    let addresses = facts.addresses.as_ref().ok()?;
    let address = addresses.iter().map(SocketAddr::ip).find(IpAddr::is_ipv4)?;
    Some(format!("{}.{rest}", address.to_string().replace('.', "-")))
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::request::ServerKind;

    use super::*;
    use crate::checks::fixtures::{assert_says, server};
    use crate::facts::IdentityResponse;
    use crate::finding::FindingLevel;
    use greenroom_config::Fingerprint;

    fn distrust(fault: CertificateFault) -> CertificateRejection {
        CertificateRejection { fault, certificate: Fingerprint::sha256(b""), key: None }
    }

    fn refused(fault: CertificateFault) -> ServerFacts {
        let mut facts = server(ServerKind::Plex, "https://192.168.1.10:32400");
        facts.encryption = Some(Err(ProbeError::Certificate(distrust(fault.clone()))));
        facts.identity_response = Err(ProbeError::Certificate(distrust(fault)));
        facts
    }

    #[test]
    fn a_server_that_wants_tls_is_to_be_asked_with_https() {
        let mut facts = server(ServerKind::Plex, "http://192.168.1.10:32400");
        facts.identity_response =
            Ok(IdentityResponse { identity: ServerIdentity::EncryptionRequired, took_ms: 1, clock_ahead_s: None });
        let words = ["url = \"https://192.168.1.10:32400\"", "\"Secure connections\" to \"Preferred\""];
        assert_says(check(&facts), FindingLevel::Problem, &words);
        let other = distrust(CertificateFault::OtherName(vec!["*.abc.plex.direct".into()]));
        facts.identity_response = Err(ProbeError::BrokeOff);
        facts.encryption = Some(Err(ProbeError::Certificate(other)));
        assert_says(check(&facts), FindingLevel::Problem, &["tls.server_name = \"192-168-1-10.abc.plex.direct\""]);
    }

    #[test]
    fn a_certificate_for_another_name_is_mended_by_that_name() {
        let facts = refused(CertificateFault::OtherName(vec!["media.example".into()]));
        let words =
            ["is for other names (media.example)", "fingerprint is e3b0c442", "tls.server_name = \"media.example\""];
        assert_says(check(&facts), FindingLevel::Problem, &words);
        let nameless = refused(CertificateFault::OtherName(Vec::new()));
        assert_says(check(&nameless), FindingLevel::Problem, &["tls.pin_sha256 = \"e3b0c442"]);
    }

    #[test]
    fn a_certificate_that_nobody_signed_is_mended_by_its_authority_or_a_pin() {
        let words = ["tls.ca_file = \"/path/to/ca.pem\"", "tls.pin_sha256 = \"e3b0c442", "itself shows"];
        assert_says(check(&refused(CertificateFault::UnknownIssuer)), FindingLevel::Problem, &words);
    }

    #[test]
    fn a_certificate_out_of_its_time_is_renewed_or_the_clock_is_set() {
        let words = ["has expired", "renew it", "tls.pin_sha256 = \"e3b0c442"];
        assert_says(check(&refused(CertificateFault::Expired)), FindingLevel::Problem, &words);
        assert_says(check(&refused(CertificateFault::NotYetValid)), FindingLevel::Problem, &["set the clock"]);
    }

    #[test]
    fn a_certificate_that_is_not_the_pinned_one_may_be_another_servers() {
        let words = ["is not the pinned one", "was renewed", "something else answers in its place"];
        assert_says(check(&refused(CertificateFault::OtherThanPinned)), FindingLevel::Problem, &words);
    }

    #[test]
    fn a_server_without_tls_is_to_be_asked_with_http() {
        let mut facts = server(ServerKind::Jellyfin, "https://nas:8096/jellyfin");
        facts.encryption = Some(Err(ProbeError::NotEncrypted));
        assert_says(check(&facts), FindingLevel::Problem, &["url = \"http://nas:8096/jellyfin\""]);
        facts.encryption = Some(Err(ProbeError::Encryption("no common version".into())));
        assert_says(check(&facts), FindingLevel::Problem, &["no common version", "TLS 1.2 or 1.3"]);
        facts.encryption = Some(Ok(()));
        assert_says(check(&facts), FindingLevel::Ok, &["trusted"]);
    }
}
