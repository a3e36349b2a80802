//! What Jellyfin's clients ask before they have a token.

use http::Method;

use super::address::Address;
use super::routes::{self, Body};
use crate::open::Open;

/// What a request without a token may do.
pub(crate) fn open(method: &Method, target: &str) -> Open {
    let Ok(address) = Address::split(target) else { return Open::No };
    let low = address.low();
    match *method {
        Method::GET | Method::HEAD => asking(&address, &low),
        Method::POST => posting(&low),
        _ => Open::No,
    }
}

/// What the server answers to whoever only asks whether it is there.
pub(crate) fn sign_of_life(target: &str) -> Option<(&'static str, &'static [u8])> {
    let address = Address::split(target).ok()?;
    let is_ping = address.low() == ["system", "ping"];
    is_ping.then_some(("application/json; charset=utf-8", b"\"Jellyfin Server\""))
}

fn asking(address: &Address<'_>, low: &[&str]) -> Open {
    match low {
        ["system", "info", "public"] => Open::Keep,
        []
        | ["web" | "branding" | "localization", ..]
        | ["system", "ping"]
        | ["quickconnect", "enabled" | "connect"]
        | ["users", "public"] => Open::Pass,
        _ => match routes::find(low, &address.raw()) {
            Some(route) if matches!(route.body, Body::Image(_)) => Open::Keep,
            _ => Open::No,
        },
    }
}

fn posting(low: &[&str]) -> Open {
    match low {
        ["users", "authenticatebyname" | "authenticatewithquickconnect"]
        | ["quickconnect", "initiate"]
        | ["system", "ping"] => Open::Pass,
        _ => Open::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_is_answered_in_the_servers_words_on_every_path_it_has() {
        for target in ["/System/Ping", "/system/ping?x=1", "/emby/System/Ping"] {
            assert_eq!(
                sign_of_life(target).map(|(_, body)| body),
                Some(&b"\"Jellyfin Server\""[..]),
                "{target}"
            );
        }
        assert_eq!(sign_of_life("/System/Info/Public"), None);
        assert_eq!(sign_of_life("/Sessions/Playing/Ping"), None);
    }
}
