//! Whether the server can be reached.

use greenroom_dialect::request::ServerKind;

use super::encryption;
use crate::facts::ServerFacts;
use crate::finding::{Finding, FindingLevel};
use greenroom_origin::probe_client::{ProbeError, ProbeStage};

const CHECK: &str = "connection";

/// Reports a server that does not answer, with the most likely reason.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    let Err(silence) = &facts.identity_response else { return None };
    let (host, port) = (facts.endpoint.host(), facts.endpoint.port());
    let at = facts.endpoint.authority();
    if facts.container
        && facts.endpoint.is_loopback()
        && matches!(silence, ProbeError::Refused | ProbeError::Unreachable)
    {
        return Some(Finding::problem(
            CHECK,
            format!(
                "{at} is this container itself, not the machine it runs on; or, if it has the machine's network, \
                 nothing listens there"
            ),
            format!(
                "check that the server runs; then use its address in url; or its container's name, with both on one network; or \
                 url = \"http://host.docker.internal:{port}\" with extra_hosts: [\"host.docker.internal:host-gateway\"]; \
                 or run this container with network_mode: host"
            ),
        ));
    }
    let found = |what: String, remedy: String| Some(Finding::problem(CHECK, what, remedy));
    match silence {
        ProbeError::Refused => found(
            format!("nothing listens at {at}"),
            format!(
                "check that the server runs, that its port is right (usually {}), and that it listens on more than its \
                 own loopback",
                usual_port(facts.kind)
            ),
        ),
        ProbeError::Unreachable => found(
            format!("there is no way to {at} from here"),
            "check the address, and that this machine or container is in a network that leads there".into(),
        ),
        ProbeError::TimedOut(ProbeStage::Connecting) => found(
            format!("{at} does not take the connection"),
            format!(
                "check that the machine is on and that {host} is still its address; then look for a firewall between: \
                 it must let port {port} through from here"
            ),
        ),
        ProbeError::TimedOut(ProbeStage::Answering | ProbeStage::Encrypting) => found(
            format!("{at} takes the connection, and then does not answer in time"),
            "the server is busy or hangs: look at its load and its log, and restart it if it does not recover; \
             load_timeout_s is how long apps wait for it"
                .into(),
        ),
        ProbeError::BrokeOff | ProbeError::NotHttp if is_explained_by_encryption(facts) => None,
        ProbeError::BrokeOff => found(
            format!("{at} cuts the connection without an answer"),
            "look into the server's log; a proxy or a list of allowed addresses may stand in between".into(),
        ),
        ProbeError::NotHttp => found(
            format!("what listens at {at} does not speak HTTP"),
            format!("check the port; it is usually {}", usual_port(facts.kind)),
        ),
        ProbeError::TooLong => found(
            format!("what answers at {at} says more than a media server would"),
            "check url: something else seems to be there".into(),
        ),
        ProbeError::Other(reason) => {
            found(format!("{at} cannot be asked: {reason}"), "check url, and that this machine can reach it".into())
        }
        // Reported by the check of names, or of encryption.
        ProbeError::NoSuchName(_)
        | ProbeError::TimedOut(ProbeStage::Resolving)
        | ProbeError::Certificate(_)
        | ProbeError::NotEncrypted
        | ProbeError::Encryption(_) => None,
    }
}

fn is_explained_by_encryption(facts: &ServerFacts) -> bool {
    encryption::check(facts).is_some_and(|finding| finding.level == FindingLevel::Problem)
}

fn usual_port(kind: ServerKind) -> u16 {
    match kind {
        ServerKind::Plex => 32400,
        ServerKind::Jellyfin => 8096,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::{assert_says, server};
    use greenroom_config::Fingerprint;
    use greenroom_origin::certificate_error::CertificateFault;
    use greenroom_origin::certificate_error::CertificateRejection;

    fn silent(url: &str, silence: ProbeError) -> ServerFacts {
        let mut facts = server(ServerKind::Jellyfin, url);
        facts.identity_response = Err(silence);
        facts
    }

    #[test]
    fn loopback_in_a_container_is_the_container() {
        for url in ["http://127.0.0.1:8096", "http://localhost:8096", "http://[::1]:8096"] {
            let mut facts = silent(url, ProbeError::Refused);
            facts.container = true;
            let words = [
                "this container itself",
                "if it has the machine's network, nothing listens there",
                "http://host.docker.internal:8096",
                "network_mode: host",
            ];
            assert_says(check(&facts), FindingLevel::Problem, &words);
        }
        let mut elsewhere = silent("http://10.0.0.2:8096", ProbeError::Refused);
        elsewhere.container = true;
        assert_says(check(&elsewhere), FindingLevel::Problem, &["nothing listens at 10.0.0.2:8096"]);
    }

    #[test]
    fn every_silence_has_a_remedy_of_its_own() {
        for (silence, words) in [
            (ProbeError::Refused, ["nothing listens", "usually 8096"]),
            (ProbeError::Unreachable, ["no way", "in a network that leads there"]),
            (ProbeError::TimedOut(ProbeStage::Connecting), ["does not take the connection", "firewall"]),
            (ProbeError::TimedOut(ProbeStage::Answering), ["does not answer in time", "load_timeout_s"]),
            (ProbeError::BrokeOff, ["cuts the connection", "list of allowed addresses"]),
            (ProbeError::NotHttp, ["does not speak HTTP", "usually 8096"]),
            (ProbeError::TooLong, ["says more", "something else"]),
            (ProbeError::Other("odd".into()), ["odd", "can reach it"]),
        ] {
            assert_says(check(&silent("http://nas:8096", silence)), FindingLevel::Problem, &words);
        }
    }

    /// Results of a TLS attempt, for each way a server may fail to answer.
    fn tried(silence: &ProbeError, silences: &[ProbeError]) -> Vec<Option<Result<(), ProbeError>>> {
        match silence {
            ProbeError::Certificate(_) | ProbeError::NotEncrypted | ProbeError::Encryption(_) => {
                vec![Some(Err(silence.clone()))]
            }
            ProbeError::BrokeOff | ProbeError::NotHttp => {
                silences.iter().map(|other| Some(Err(other.clone()))).chain([Some(Ok(()))]).collect()
            }
            _ => vec![None],
        }
    }

    #[test]
    fn no_silence_goes_without_a_word() {
        let certificate = CertificateRejection {
            fault: CertificateFault::UnknownIssuer,
            certificate: Fingerprint::sha256(b""),
            key: None,
        };
        let silences = [
            ProbeError::NoSuchName("nas".into()),
            ProbeError::Refused,
            ProbeError::Unreachable,
            ProbeError::TimedOut(ProbeStage::Resolving),
            ProbeError::TimedOut(ProbeStage::Connecting),
            ProbeError::TimedOut(ProbeStage::Encrypting),
            ProbeError::TimedOut(ProbeStage::Answering),
            ProbeError::NotHttp,
            ProbeError::BrokeOff,
            ProbeError::TooLong,
            ProbeError::Other("odd".into()),
            ProbeError::Certificate(certificate),
            ProbeError::NotEncrypted,
            ProbeError::Encryption("odd".into()),
        ];
        for (at, silence) in silences.iter().enumerate() {
            // The last three occur only with TLS.
            let url = if at + 3 >= silences.len() { "https://nas:8096" } else { "http://nas:8096" };
            for encryption in tried(silence, &silences) {
                let mut facts = silent(url, silence.clone());
                if matches!(silence, ProbeError::NoSuchName(_) | ProbeError::TimedOut(ProbeStage::Resolving)) {
                    facts.addresses = Err(silence.clone());
                }
                facts.encryption = encryption;
                let found = super::super::SERVER.iter().filter_map(|check| check(&facts));
                let problems = found.filter(|finding| finding.level == FindingLevel::Problem).count();
                assert_eq!(problems, 1, "{url}: {silence:?}, {:?}", facts.encryption);
            }
        }
    }

    #[test]
    fn what_another_check_explains_is_left_to_it() {
        for silence in [ProbeError::NoSuchName("nas".into()), ProbeError::NotEncrypted] {
            assert_eq!(check(&silent("http://nas:8096", silence)), None);
        }
        let mut encrypted = silent("http://nas:8096", ProbeError::BrokeOff);
        encrypted.encryption = Some(Ok(()));
        assert_eq!(check(&encrypted), None);
        assert_eq!(check(&server(ServerKind::Plex, "http://nas:32400")), None);
    }
}
