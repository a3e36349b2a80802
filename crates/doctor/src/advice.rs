//! Advice on changing a server's configuration where it was made: by an option of the command, a variable, or a line of
//! the file.

use greenroom_config::Endpoint;
use greenroom_config::config_place::ConfigPlace;
use greenroom_dialect::request::ServerKind;

use super::facts::ServerFacts;
use greenroom_config::shell_quote::quoted;

/// Advice to configure another address.
pub fn set_url(facts: &ServerFacts, endpoint: &Endpoint) -> String {
    let url = endpoint.url();
    match ConfigPlace::parse(&facts.url_place) {
        ConfigPlace::Option(option) => format!("type {option} {}", quoted(&url)),
        ConfigPlace::Variables(start) => format!("set {start}_URL={}", quoted(&url)),
        ConfigPlace::File => format!("configure url = \"{url}\""),
    }
}

/// Advice to configure another kind.
pub fn set_kind(facts: &ServerFacts, kind: ServerKind) -> String {
    let name = kind.name();
    match ConfigPlace::parse(&facts.url_place) {
        ConfigPlace::Option(_) => format!("type --{name} {}", quoted(&facts.endpoint.url())),
        ConfigPlace::Variables(start) => format!("set {start}_KIND={name}"),
        ConfigPlace::File => format!("configure kind = \"{name}\""),
    }
}

/// Advice to configure another kind at another address.
pub fn set_server(facts: &ServerFacts, kind: ServerKind, endpoint: &Endpoint) -> String {
    let (name, url) = (kind.name(), endpoint.url());
    match ConfigPlace::parse(&facts.url_place) {
        ConfigPlace::Option(_) => format!("type --{name} {}", quoted(&url)),
        ConfigPlace::Variables(start) => format!("set {start}_KIND={name} {start}_URL={}", quoted(&url)),
        ConfigPlace::File => format!("configure kind = \"{name}\" and url = \"{url}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::server;

    fn facts(url_place: &str) -> ServerFacts {
        ServerFacts { url_place: url_place.into(), ..server(ServerKind::Plex, "http://nas:32400/web") }
    }

    #[test]
    fn advice_names_what_was_typed() {
        let right = Endpoint::parse("http://nas:32400").expect("an address");
        for (place, url, kind) in [
            ("--plex", "type --plex http://nas:32400", "type --jellyfin http://nas:32400/web"),
            (
                "GREENROOM_SERVER_HOME_URL",
                "set GREENROOM_SERVER_HOME_URL=http://nas:32400",
                "set GREENROOM_SERVER_HOME_KIND=jellyfin",
            ),
            ("greenroom.toml:4", "configure url = \"http://nas:32400\"", "configure kind = \"jellyfin\""),
        ] {
            assert_eq!(set_url(&facts(place), &right), url);
            assert_eq!(set_kind(&facts(place), ServerKind::Jellyfin), kind);
        }
        let both = set_server(&facts("GREENROOM_SERVER_HOME_URL"), ServerKind::Jellyfin, &right);
        assert_eq!(both, "set GREENROOM_SERVER_HOME_KIND=jellyfin GREENROOM_SERVER_HOME_URL=http://nas:32400");
    }
}
