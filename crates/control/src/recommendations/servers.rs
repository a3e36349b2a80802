//! Recommendations on the setup of a media server.

use greenroom_dialect::request::ServerKind;

use greenroom_origin::trusted_proxies::ProxyTrust;
use greenroom_proxy::feed::EventStreamState;
use greenroom_proxy::server::Server;
use greenroom_state::warnings::Warning;

pub(super) const CODES: [&str; 6] =
    ["token-rejected", "events-do-not-reach", "clock-skew", "proxy-not-trusted", "version-too-old", "version-untested"];

/// Smaller differences come from network delay and from dates with a precision of one second.
const MAX_SKEW_S: u64 = 30;

/// Facts about one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerRecommendationInput {
    pub(super) kind: ServerKind,
    /// State of its event stream.
    pub(super) events: EventStreamState,
    /// True if it rejected the configured token when last used.
    pub(super) rejects_token: bool,
    /// Time by which its clock was ahead of ours at its last response.
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
            rejects_token: server.origin.refuses_own_token(),
            ahead_s: server.origin.clock_ahead_s(),
            version: server.origin.version(),
            proxies: server.proxy_trust.get(),
            is_known_proxy: server.origin.settings.listener_limits.known_proxy,
        }
    }
}

/// The recommendations for these facts.
pub(super) fn advise(input: &ServerRecommendationInput) -> Vec<Warning> {
    let all = [events_warning(input), clock_warning(input), proxies_warning(input), version_warning(input)];
    all.into_iter().flatten().collect()
}

fn events_warning(input: &ServerRecommendationInput) -> Option<Warning> {
    let name = input.kind.name();
    match input.events {
        _ if input.rejects_token => Some(token_rejected(name)),
        EventStreamState::Unknown | EventStreamState::Subscribed | EventStreamState::Lost | EventStreamState::Deaf => {
            None
        }
        EventStreamState::Refused(401 | 498) => Some(token_rejected(name)),
        EventStreamState::Refused(status) => Some(Warning::notice(
            CODES[1],
            format!(
                "The server denies its event stream to the configured token (status {status}): changes made on the server are noticed late."
            ),
            format!("Use a token of the server's owner: greenroom login {name}."),
        )),
        EventStreamState::TokenWithoutUser => Some(Warning::notice(
            CODES[1],
            "The configured API key belongs to no user, so it receives no events of users: their changes are noticed late.",
            format!("Use a token of an administrator instead of an API key: greenroom login {name}."),
        )),
    }
}

fn token_rejected(kind: &str) -> Warning {
    Warning::notice(
        CODES[0],
        "The server rejects the configured token: nothing is warmed, no library is indexed, and changes made on \
            the server are noticed late.",
        format!("Get a new token with greenroom login {kind}, and set token_file to its file."),
    )
    .urgent()
}

fn clock_warning(input: &ServerRecommendationInput) -> Option<Warning> {
    let ahead_s = input.ahead_s.filter(|ahead_s| ahead_s.unsigned_abs() > MAX_SKEW_S)?;
    let direction = if ahead_s > 0 { "ahead of" } else { "behind" };
    Some(Warning::notice(
        CODES[2],
        format!(
            "The server's clock is {} s {direction} this machine's clock: added and played items show wrong times.",
            ahead_s.unsigned_abs()
        ),
        "Synchronise both clocks by NTP. If they agree, restart Greenroom: its clock continues from the time at \
            which it was started.",
    ))
}

fn proxies_warning(input: &ServerRecommendationInput) -> Option<Warning> {
    let remedy = "In Jellyfin under Dashboard, Networking, add this machine's address to Known proxies, restart \
                  Jellyfin, then set known_proxy = true for the server.";
    match (input.kind, input.proxies, input.is_known_proxy) {
        (ServerKind::Jellyfin, ProxyTrust::None, true) => Some(
            Warning::notice(
                CODES[3],
                "known_proxy is set, but Jellyfin trusts no proxy: it treats every client of Greenroom as one in the \
                    local network.",
                remedy,
            )
            .urgent(),
        ),
        (ServerKind::Jellyfin, ProxyTrust::None, false) => Some(Warning::notice(
            CODES[3],
            "Jellyfin trusts no proxy: it takes every client of Greenroom for this machine. Its limits for remote \
                clients have no effect, and its device list shows one address.",
            remedy,
        )),
        _ => None,
    }
}

fn version_warning(input: &ServerRecommendationInput) -> Option<Warning> {
    let version = input.version.as_deref()?;
    let name = input.kind.name();
    if let Some(oldest) = input.kind.is_too_old(version) {
        return Some(
            Warning::notice(
                CODES[4],
                format!("{name} {version} is too old: it lacks parts of the API that Greenroom uses."),
                format!("Update the server to {oldest} or later."),
            )
            .urgent(),
        );
    }
    let newest = input.kind.is_untested(version)?;
    Some(Warning::notice(
        CODES[5],
        format!(
            "{name} {version} is not tested with this version of Greenroom; the newest tested version is {newest}."
        ),
        "Most of it will work. If something looks wrong, run greenroom doctor --compare, and look for an update of Greenroom.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTHY: ServerRecommendationInput = ServerRecommendationInput {
        kind: ServerKind::Jellyfin,
        events: EventStreamState::Subscribed,
        rejects_token: false,
        ahead_s: Some(-2),
        version: None,
        proxies: ProxyTrust::Some,
        is_known_proxy: true,
    };

    fn codes(input: &ServerRecommendationInput) -> Vec<&'static str> {
        advise(input).iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn a_well_configured_server_has_no_warning() {
        assert_eq!(codes(&HEALTHY), [""; 0]);
        let unknown = ServerRecommendationInput {
            events: EventStreamState::Unknown,
            ahead_s: None,
            proxies: ProxyTrust::Unknown,
            ..HEALTHY
        };
        assert_eq!(codes(&unknown), [""; 0], "no warning without facts");
    }

    #[test]
    fn each_fact_leads_to_its_warning() {
        let version = |version: &str| Some(version.to_owned());
        for (input, code) in [
            (ServerRecommendationInput { events: EventStreamState::Refused(401), ..HEALTHY }, "token-rejected"),
            (ServerRecommendationInput { rejects_token: true, ..HEALTHY }, "token-rejected"),
            (
                ServerRecommendationInput { events: EventStreamState::Refused(401), rejects_token: true, ..HEALTHY },
                "token-rejected",
            ),
            (ServerRecommendationInput { events: EventStreamState::Refused(403), ..HEALTHY }, "events-do-not-reach"),
            (
                ServerRecommendationInput { events: EventStreamState::TokenWithoutUser, ..HEALTHY },
                "events-do-not-reach",
            ),
            (ServerRecommendationInput { ahead_s: Some(31), ..HEALTHY }, "clock-skew"),
            (ServerRecommendationInput { ahead_s: Some(-3_600), ..HEALTHY }, "clock-skew"),
            (ServerRecommendationInput { proxies: ProxyTrust::None, ..HEALTHY }, "proxy-not-trusted"),
            (
                ServerRecommendationInput { proxies: ProxyTrust::None, is_known_proxy: false, ..HEALTHY },
                "proxy-not-trusted",
            ),
            (ServerRecommendationInput { version: version("10.8.13"), ..HEALTHY }, "version-too-old"),
            (ServerRecommendationInput { version: version("13.0.0"), ..HEALTHY }, "version-untested"),
            (
                ServerRecommendationInput { kind: ServerKind::Plex, version: version("2.0.0.1"), ..HEALTHY },
                "version-untested",
            ),
        ] {
            assert_eq!(codes(&input), [code], "{input:?}");
            assert!(CODES.contains(&code));
        }
        let plex = ServerRecommendationInput { kind: ServerKind::Plex, proxies: ProxyTrust::None, ..HEALTHY };
        assert_eq!(codes(&plex), [""; 0], "Plex has no such list");
        for version in ["10.11.0", "12.0.0"] {
            assert_eq!(
                codes(&ServerRecommendationInput { version: Some(version.into()), ..HEALTHY }),
                [""; 0],
                "{version}"
            );
        }
    }
}
