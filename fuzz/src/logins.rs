//! Properties of any response to a request for a token.

use std::fmt::Debug;

use greenroom_dialect::login::{LoginDevice, LoginStatus, jellyfin, plex};
use greenroom_dialect::permissions::PermissionProbe;
use greenroom_dialect::request::ServerKind;

use super::request::{SECRET, split_once, with_secret};

/// Checks what must hold of an answer: the first line is its status, the rest its body.
pub fn check(bytes: &[u8]) {
    let (status, body) = split_once(bytes, b"\n");
    let status = String::from_utf8_lossy(status).trim().parse::<u16>().unwrap_or(200);
    let body = with_secret(&String::from_utf8_lossy(body)).into_bytes();
    let device = LoginDevice { identifier: "abc".into(), name: "den".into(), version: "0.1.0".into() };
    of_plex(&device, status, &body);
    of_jellyfin(&device, status, &body);
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let (mut answers, mut asked) = (Vec::new(), 0);
        while let PermissionProbe::Request(path) = kind.permission_probe(&answers) {
            assert!(path.starts_with('/') && asked < 4, "an inquiry ends");
            answers.push((status, body.as_slice()));
            asked += 1;
        }
    }
}

fn of_plex(device: &LoginDevice, status: u16, body: &[u8]) {
    if let Some(pin) = plex::parse_pin(status, body) {
        let asked = plex::status_request(device, &pin);
        assert!(asked.uri().path().starts_with("/api/v2/pins/"), "{}", asked.uri());
        for form in [plex::PinFormat::Link, plex::PinFormat::ShortCode] {
            let address = plex::approval_url(device, &pin, form);
            assert!(address.starts_with("https://"), "{address}");
            assert!(address.bytes().all(|byte| byte.is_ascii_graphic()), "{address}");
        }
    }
    if let LoginStatus::Approved(token) = plex::parse_status(status, body) {
        assert!(status == 200 && !token.expose().is_empty());
        hides(&token);
        plex::servers_request(device, &token);
    }
    for server in plex::parse_servers(status, body).into_iter().flatten() {
        if server.token.as_ref().is_some_and(|token| token.expose() == SECRET) {
            hides(&server.token);
        }
        assert!(server.addresses.is_sorted_by_key(|address| address.scope), "the nearest come first");
    }
}

fn of_jellyfin(device: &LoginDevice, status: u16, body: &[u8]) {
    let _ = jellyfin::parse_enabled(status, body);
    if let Some(code) = jellyfin::parse_code(status, body) {
        let asked = jellyfin::status_request(device, &code);
        assert_eq!(asked.uri().path(), "/QuickConnect/Connect");
        jellyfin::redeem_request(device, &code);
        if code.code != SECRET {
            assert!(code.code.contains(SECRET) || !format!("{code:?}").contains(SECRET), "a code tells its secret");
        }
    }
    if let LoginStatus::Approved(()) = jellyfin::parse_status(status, body) {
        assert_eq!(status, 200);
    }
    if let Some(grant) = jellyfin::parse_grant(status, body) {
        hides(&grant.token);
    }
}

fn hides(secret: &impl Debug) {
    assert!(!format!("{secret:?}").contains(SECRET), "a token is printed");
}
