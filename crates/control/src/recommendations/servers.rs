//! What is so of a server.

use greenroom_dialect::ask::Kind;

use greenroom_proxy::change_feed::Events;
use greenroom_proxy::server::Server;
use greenroom_proxy::trusted_proxies::Proxies;
use greenroom_state::warnings::Warning;

pub(super) const CODES: [&str; 6] = [
    "token-rejected",
    "events-do-not-reach",
    "clock-skew",
    "proxy-not-trusted",
    "version-too-old",
    "version-untested",
];

/// Differences up to this come from the way there, and from dates that know only seconds.
const LARGEST_SKEW_S: u64 = 30;

/// What is known of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) kind: Kind,
    /// Whether its events reach us.
    pub(super) events: Events,
    /// Whether it refused the configured token when it was last shown.
    pub(super) refuses_token: bool,
    /// By how much its clock was ahead of ours when it answered last.
    pub(super) ahead_s: Option<i64>,
    /// What it says its version is.
    pub(super) version: Option<String>,
    /// Which proxies it trusts.
    pub(super) proxies: Proxies,
    /// Whether we were told that it trusts us.
    pub(super) is_known_proxy: bool,
}

impl Facts {
    pub(super) fn of(server: &Server) -> Self {
        Self {
            kind: server.origin.settings.kind,
            events: server.events(),
            refuses_token: server.origin.refuses_own_token(),
            ahead_s: server.origin.ahead_s(),
            version: server.origin.version(),
            proxies: server.proxies.said(),
            is_known_proxy: server.origin.settings.hygiene.known_proxy,
        }
    }
}

/// What follows from it.
pub(super) fn advise(facts: &Facts) -> Vec<Warning> {
    let all = [of_events(facts), of_clocks(facts), of_proxies(facts), of_version(facts)];
    all.into_iter().flatten().collect()
}

fn of_events(facts: &Facts) -> Option<Warning> {
    let name = facts.kind.name();
    match facts.events {
        _ if facts.refuses_token => Some(token_rejected(name)),
        Events::Unknown | Events::Followed => None,
        Events::Refused(401 | 498) => Some(token_rejected(name)),
        Events::Refused(status) => Some(Warning::notice(
            CODES[1],
            format!(
                "The server does not tell its events to the configured token (it answers {status}): changes made on the server are noticed late."
            ),
            format!("Use a token of the server's owner: greenroom login {name}."),
        )),
        Events::NobodysKey => Some(Warning::notice(
            CODES[1],
            "The configured key is nobody's, so what users change elsewhere is not told to it and is noticed late.",
            format!("Use a token of an administrator instead of an API key: greenroom login {name}."),
        )),
    }
}

fn token_rejected(kind: &str) -> Warning {
    Warning::notice(
        CODES[0],
        "The server does not accept the configured token (any more): nothing is kept warm, no library is indexed, and \
         changes made on the server are noticed late.",
        format!("Get a new one with greenroom login {kind}, and name its file with token_file."),
    )
    .urgent()
}

fn of_clocks(facts: &Facts) -> Option<Warning> {
    let ahead_s = facts.ahead_s.filter(|ahead_s| ahead_s.unsigned_abs() > LARGEST_SKEW_S)?;
    let way = if ahead_s > 0 { "ahead of" } else { "behind" };
    Some(Warning::notice(
        CODES[2],
        format!(
            "The server's clock is {} s {way} this one's: what was added or played shows at odd times.",
            ahead_s.unsigned_abs()
        ),
        "Let both machines set their clocks by the network (NTP). If they agree, restart Greenroom: it counts from the \
         time at which it began.",
    ))
}

fn of_proxies(facts: &Facts) -> Option<Warning> {
    let remedy = "In Jellyfin under Dashboard, Networking, add this machine's address to Known proxies, restart \
                  Jellyfin, then set known_proxy = true for the server.";
    match (facts.kind, facts.proxies, facts.is_known_proxy) {
        (Kind::Jellyfin, Proxies::None, true) => Some(
            Warning::notice(
                CODES[3],
                "The configuration says that Jellyfin trusts this machine as a proxy, and it trusts none: it takes \
                 everybody who comes through here for a neighbour.",
                remedy,
            )
            .urgent(),
        ),
        (Kind::Jellyfin, Proxies::None, false) => Some(Warning::notice(
            CODES[3],
            "Jellyfin trusts no proxy: it takes everybody who comes through here for this machine. Its limits for \
             clients from outside do not hold, and its lists of devices show one address.",
            remedy,
        )),
        _ => None,
    }
}

fn of_version(facts: &Facts) -> Option<Warning> {
    let version = facts.version.as_deref()?;
    let name = facts.kind.name();
    if let Some(oldest) = facts.kind.is_too_old(version) {
        return Some(
            Warning::notice(
                CODES[4],
                format!("{name} {version} is too old: some of what is asked for does not exist there."),
                format!("Update the server to {oldest} or later."),
            )
            .urgent(),
        );
    }
    let newest = facts.kind.is_untested(version)?;
    Some(Warning::notice(
        CODES[5],
        format!(
            "{name} {version} was never tried with this version of Greenroom; {newest} is the newest that was."
        ),
        "Most will work. If something looks odd, compare: greenroom doctor --compare; and look for a newer Greenroom.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Facts = Facts {
        kind: Kind::Jellyfin,
        events: Events::Followed,
        refuses_token: false,
        ahead_s: Some(-2),
        version: None,
        proxies: Proxies::Some,
        is_known_proxy: true,
    };

    fn codes(facts: &Facts) -> Vec<&'static str> {
        advise(facts).iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn a_server_that_is_set_up_well_is_not_spoken_of() {
        assert_eq!(codes(&WELL), [""; 0]);
        let nothing = Facts { events: Events::Unknown, ahead_s: None, proxies: Proxies::Unknown, ..WELL };
        assert_eq!(codes(&nothing), [""; 0], "nor one nothing is known of");
    }

    #[test]
    fn each_fact_leads_to_its_warning() {
        let version = |version: &str| Some(version.to_owned());
        for (facts, code) in [
            (Facts { events: Events::Refused(401), ..WELL }, "token-rejected"),
            (Facts { refuses_token: true, ..WELL }, "token-rejected"),
            (Facts { events: Events::Refused(401), refuses_token: true, ..WELL }, "token-rejected"),
            (Facts { events: Events::Refused(403), ..WELL }, "events-do-not-reach"),
            (Facts { events: Events::NobodysKey, ..WELL }, "events-do-not-reach"),
            (Facts { ahead_s: Some(31), ..WELL }, "clock-skew"),
            (Facts { ahead_s: Some(-3_600), ..WELL }, "clock-skew"),
            (Facts { proxies: Proxies::None, ..WELL }, "proxy-not-trusted"),
            (Facts { proxies: Proxies::None, is_known_proxy: false, ..WELL }, "proxy-not-trusted"),
            (Facts { version: version("10.8.13"), ..WELL }, "version-too-old"),
            (Facts { version: version("13.0.0"), ..WELL }, "version-untested"),
            (Facts { kind: Kind::Plex, version: version("2.0.0.1"), ..WELL }, "version-untested"),
        ] {
            assert_eq!(codes(&facts), [code], "{facts:?}");
            assert!(CODES.contains(&code));
        }
        let plex = Facts { kind: Kind::Plex, proxies: Proxies::None, ..WELL };
        assert_eq!(codes(&plex), [""; 0], "Plex has no such list");
        for version in ["10.11.0", "12.0.0"] {
            assert_eq!(codes(&Facts { version: Some(version.into()), ..WELL }), [""; 0], "{version}");
        }
    }
}
