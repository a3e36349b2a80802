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
