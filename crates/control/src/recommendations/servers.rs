//! Recommendations on the setup of a media server.

use greenroom_dialect::request::ServerKind;

use greenroom_proxy::change_feed::EventStreamState;
use greenroom_proxy::server::Server;
use greenroom_proxy::trusted_proxies::ProxyTrust;
use greenroom_state::warnings::Warning;

pub(super) const CODES: [&str; 6] =
    ["token-rejected", "events-do-not-reach", "clock-skew", "proxy-not-trusted", "version-too-old", "version-untested"];

/// Smaller differences come from network delay and from dates with a precision of one second.
const LARGEST_SKEW_S: u64 = 30;

/// Facts about one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerRecommendationInput {
    pub(super) kind: ServerKind,
    /// State of its event stream.
    pub(super) events: EventStreamState,
    /// True if it rejected the configured token when last used.
    pub(super) refuses_token: bool,
    /// How far its clock was ahead of ours at its last response.
    pub(super) ahead_s: Option<i64>,
    /// Its reported version.
    pub(super) version: Option<String>,
    /// The proxies it trusts.
    pub(super) proxies: ProxyTrust,
    /// True if the configuration says that it trusts Greenroom.
    pub(super) is_known_proxy: bool,
}

impl ServerRecommendationInput {
    pub(super) fn from_server(server: &Server) -> Self {
        Self {
            kind: server.origin.settings.kind,
            events: server.events_state(),
            refuses_token: server.origin.refuses_own_token(),
            ahead_s: server.origin.clock_ahead_s(),
            version: server.origin.version(),
            proxies: server.proxy_trust.get(),
            is_known_proxy: server.origin.settings.listener_limits.known_proxy,
        }
    }
}

/// The recommendations for these facts.
pub(super) fn advise(facts: &ServerRecommendationInput) -> Vec<Warning> {
    let all = [events_warning(facts), clock_warning(facts), proxies_warning(facts), version_warning(facts)];
    all.into_iter().flatten().collect()
}

fn events_warning(facts: &ServerRecommendationInput) -> Option<Warning> {
    let name = facts.kind.name();
    match facts.events {
        _ if facts.refuses_token => Some(token_rejected(name)),
        EventStreamState::Unknown | EventStreamState::Subscribed => None,
        EventStreamState::Refused(401 | 498) => Some(token_rejected(name)),
        EventStreamState::Refused(status) => Some(Warning::notice(
            CODES[1],
            format!(
                "The server does not tell its events to the configured token (it answers {status}): changes made on the server are noticed late."
            ),
            format!("Use a token of the server's owner: greenroom login {name}."),
        )),
        EventStreamState::TokenWithoutUser => Some(Warning::notice(
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

fn clock_warning(facts: &ServerRecommendationInput) -> Option<Warning> {
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

fn proxies_warning(facts: &ServerRecommendationInput) -> Option<Warning> {
    let remedy = "In Jellyfin under Dashboard, Networking, add this machine's address to Known proxies, restart \
                  Jellyfin, then set known_proxy = true for the server.";
    match (facts.kind, facts.proxies, facts.is_known_proxy) {
        (ServerKind::Jellyfin, ProxyTrust::None, true) => Some(
            Warning::notice(
                CODES[3],
                "The configuration says that Jellyfin trusts this machine as a proxy, and it trusts none: it takes \
                 everybody who comes through here for a neighbour.",
                remedy,
            )
            .urgent(),
        ),
        (ServerKind::Jellyfin, ProxyTrust::None, false) => Some(Warning::notice(
            CODES[3],
            "Jellyfin trusts no proxy: it takes everybody who comes through here for this machine. Its limits for \
             clients from outside do not hold, and its lists of devices show one address.",
            remedy,
        )),
        _ => None,
    }
}

fn version_warning(facts: &ServerRecommendationInput) -> Option<Warning> {
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
        format!("{name} {version} was never tried with this version of Greenroom; {newest} is the newest that was."),
        "Most will work. If something looks odd, compare: greenroom doctor --compare; and look for a newer Greenroom.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: ServerRecommendationInput = ServerRecommendationInput {
        kind: ServerKind::Jellyfin,
        events: EventStreamState::Subscribed,
        refuses_token: false,
        ahead_s: Some(-2),
        version: None,
        proxies: ProxyTrust::Some,
        is_known_proxy: true,
    };

    fn codes(facts: &ServerRecommendationInput) -> Vec<&'static str> {
        advise(facts).iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn a_server_that_is_set_up_well_is_not_spoken_of() {
        assert_eq!(codes(&WELL), [""; 0]);
        let nothing = ServerRecommendationInput {
            events: EventStreamState::Unknown,
            ahead_s: None,
            proxies: ProxyTrust::Unknown,
            ..WELL
        };
        assert_eq!(codes(&nothing), [""; 0], "nor one nothing is known of");
    }

    #[test]
    fn each_fact_leads_to_its_warning() {
        let version = |version: &str| Some(version.to_owned());
        for (facts, code) in [
            (ServerRecommendationInput { events: EventStreamState::Refused(401), ..WELL }, "token-rejected"),
            (ServerRecommendationInput { refuses_token: true, ..WELL }, "token-rejected"),
            (
                ServerRecommendationInput { events: EventStreamState::Refused(401), refuses_token: true, ..WELL },
                "token-rejected",
            ),
            (ServerRecommendationInput { events: EventStreamState::Refused(403), ..WELL }, "events-do-not-reach"),
            (ServerRecommendationInput { events: EventStreamState::TokenWithoutUser, ..WELL }, "events-do-not-reach"),
            (ServerRecommendationInput { ahead_s: Some(31), ..WELL }, "clock-skew"),
            (ServerRecommendationInput { ahead_s: Some(-3_600), ..WELL }, "clock-skew"),
            (ServerRecommendationInput { proxies: ProxyTrust::None, ..WELL }, "proxy-not-trusted"),
            (
                ServerRecommendationInput { proxies: ProxyTrust::None, is_known_proxy: false, ..WELL },
                "proxy-not-trusted",
            ),
            (ServerRecommendationInput { version: version("10.8.13"), ..WELL }, "version-too-old"),
            (ServerRecommendationInput { version: version("13.0.0"), ..WELL }, "version-untested"),
            (
                ServerRecommendationInput { kind: ServerKind::Plex, version: version("2.0.0.1"), ..WELL },
                "version-untested",
            ),
        ] {
            assert_eq!(codes(&facts), [code], "{facts:?}");
            assert!(CODES.contains(&code));
        }
        let plex = ServerRecommendationInput { kind: ServerKind::Plex, proxies: ProxyTrust::None, ..WELL };
        assert_eq!(codes(&plex), [""; 0], "Plex has no such list");
        for version in ["10.11.0", "12.0.0"] {
            assert_eq!(
                codes(&ServerRecommendationInput { version: Some(version.into()), ..WELL }),
                [""; 0],
                "{version}"
            );
        }
    }
}
