//! Whether there is a way to the server.

use greenroom_dialect::ask::Kind;

use super::encryption;
use crate::doctor::facts::ServerFacts;
use crate::doctor::finding::{Finding, Level};
use greenroom_origin::probe_client::{Silence, Stage};

const CHECK: &str = "way";

/// Silence, and the most likely reason for it.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    let Err(silence) = &facts.said else { return None };
    let (host, port) = (facts.place.host(), facts.place.port());
    let at = facts.place.authority();
    if facts.container
        && facts.place.is_loopback()
        && matches!(silence, Silence::Refused | Silence::Unreachable)
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
        Silence::Refused => found(
            format!("nothing listens at {at}"),
            format!(
                "check that the server runs, that its port is right (usually {}), and that it listens on more than its \
                 own loopback",
                usual_port(facts.kind)
            ),
        ),
        Silence::Unreachable => found(
            format!("there is no way to {at} from here"),
            "check the address, and that this machine or container is in a network that leads there".into(),
        ),
        Silence::TimedOut(Stage::Connecting) => found(
            format!("{at} does not take the connection"),
            format!(
                "check that the machine is on and that {host} is still its address; then look for a firewall between: \
                 it must let port {port} through from here"
            ),
        ),
        Silence::TimedOut(Stage::Answering | Stage::Encrypting) => found(
            format!("{at} takes the connection, and then does not answer in time"),
            "the server is busy or hangs: look at its load and its log, and restart it if it does not recover; \
             load_timeout_s is how long apps wait for it"
                .into(),
        ),
        Silence::BrokeOff | Silence::NotHttp if is_explained_by_encryption(facts) => None,
        Silence::BrokeOff => found(
            format!("{at} cuts the connection without an answer"),
            "look into the server's log; a proxy or a list of allowed addresses may stand in between".into(),
        ),
        Silence::NotHttp => found(
            format!("what listens at {at} does not speak HTTP"),
            format!("check the port; it is usually {}", usual_port(facts.kind)),
        ),
        Silence::TooLong => found(
            format!("what answers at {at} says more than a media server would"),
            "check url: something else seems to be there".into(),
        ),
        Silence::Other(reason) => found(
            format!("{at} cannot be asked: {reason}"),
            "check url, and that this machine can reach it".into(),
        ),
        // Told by the check of names, or of encryption.
        Silence::NoSuchName(_)
        | Silence::TimedOut(Stage::Resolving)
        | Silence::Certificate(_)
        | Silence::NotEncrypted
        | Silence::Encryption(_) => None,
    }
}

fn is_explained_by_encryption(facts: &ServerFacts) -> bool {
    encryption::check(facts).is_some_and(|finding| finding.level == Level::Problem)
}

fn usual_port(kind: Kind) -> u16 {
    match kind {
        Kind::Plex => 32400,
        Kind::Jellyfin => 8096,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::sample::{assert_says, server};
    use greenroom_config::Fingerprint;
    use greenroom_origin::certificate_error::Distrust;
    use greenroom_origin::certificate_error::Fault;

    fn silent(url: &str, silence: Silence) -> ServerFacts {
        let mut facts = server(Kind::Jellyfin, url);
        facts.said = Err(silence);
        facts
    }

    #[test]
    fn loopback_in_a_container_is_the_container() {
        for url in ["http://127.0.0.1:8096", "http://localhost:8096", "http://[::1]:8096"] {
            let mut facts = silent(url, Silence::Refused);
            facts.container = true;
            let words = [
                "this container itself",
                "if it has the machine's network, nothing listens there",
                "http://host.docker.internal:8096",
                "network_mode: host",
            ];
            assert_says(check(&facts), Level::Problem, &words);
        }
        let mut elsewhere = silent("http://10.0.0.2:8096", Silence::Refused);
        elsewhere.container = true;
        assert_says(check(&elsewhere), Level::Problem, &["nothing listens at 10.0.0.2:8096"]);
    }

    #[test]
    fn every_silence_has_a_remedy_of_its_own() {
        for (silence, words) in [
            (Silence::Refused, ["nothing listens", "usually 8096"]),
            (Silence::Unreachable, ["no way", "in a network that leads there"]),
            (Silence::TimedOut(Stage::Connecting), ["does not take the connection", "firewall"]),
            (Silence::TimedOut(Stage::Answering), ["does not answer in time", "load_timeout_s"]),
            (Silence::BrokeOff, ["cuts the connection", "list of allowed addresses"]),
            (Silence::NotHttp, ["does not speak HTTP", "usually 8096"]),
            (Silence::TooLong, ["says more", "something else"]),
            (Silence::Other("odd".into()), ["odd", "can reach it"]),
        ] {
            assert_says(check(&silent("http://nas:8096", silence)), Level::Problem, &words);
        }
    }

    /// What comes of trying encryption, for each way a server may be silent.
    fn tried(silence: &Silence, silences: &[Silence]) -> Vec<Option<Result<(), Silence>>> {
        match silence {
            Silence::Certificate(_) | Silence::NotEncrypted | Silence::Encryption(_) => {
                vec![Some(Err(silence.clone()))]
            }
            Silence::BrokeOff | Silence::NotHttp => {
                silences.iter().map(|other| Some(Err(other.clone()))).chain([Some(Ok(()))]).collect()
            }
            _ => vec![None],
        }
    }

    #[test]
    fn no_silence_goes_without_a_word() {
        let certificate =
            Distrust { fault: Fault::UnknownIssuer, certificate: Fingerprint::of(b""), key: None };
        let silences = [
            Silence::NoSuchName("nas".into()),
            Silence::Refused,
            Silence::Unreachable,
            Silence::TimedOut(Stage::Resolving),
            Silence::TimedOut(Stage::Connecting),
            Silence::TimedOut(Stage::Encrypting),
            Silence::TimedOut(Stage::Answering),
            Silence::NotHttp,
            Silence::BrokeOff,
            Silence::TooLong,
            Silence::Other("odd".into()),
            Silence::Certificate(certificate),
            Silence::NotEncrypted,
            Silence::Encryption("odd".into()),
        ];
        for (at, silence) in silences.iter().enumerate() {
            // The last three come only of encryption.
            let url = if at + 3 >= silences.len() { "https://nas:8096" } else { "http://nas:8096" };
            for encryption in tried(silence, &silences) {
                let mut facts = silent(url, silence.clone());
                if matches!(silence, Silence::NoSuchName(_) | Silence::TimedOut(Stage::Resolving)) {
                    facts.addresses = Err(silence.clone());
                }
                facts.encryption = encryption;
                let found = super::super::SERVER.iter().filter_map(|check| check(&facts));
                let problems = found.filter(|finding| finding.level == Level::Problem).count();
                assert_eq!(problems, 1, "{url}: {silence:?}, {:?}", facts.encryption);
            }
        }
    }

    #[test]
    fn what_another_check_explains_is_left_to_it() {
        for silence in [Silence::NoSuchName("nas".into()), Silence::NotEncrypted] {
            assert_eq!(check(&silent("http://nas:8096", silence)), None);
        }
        let mut encrypted = silent("http://nas:8096", Silence::BrokeOff);
        encrypted.encryption = Some(Ok(()));
        assert_eq!(check(&encrypted), None);
        assert_eq!(check(&server(Kind::Plex, "http://nas:32400")), None);
    }
}
