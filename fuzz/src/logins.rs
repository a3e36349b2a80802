//! What must hold of any answer to somebody who asks for a token.

use std::fmt::Debug;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::login::{Device, Look, jellyfin, plex};
use greenroom_dialect::rights::Inquiry;

use super::request::{SECRET, planted, split_once};

/// Checks what must hold of an answer: the first line is its status, the rest its body.
pub fn check(bytes: &[u8]) {
    let (status, body) = split_once(bytes, b"\n");
    let status = String::from_utf8_lossy(status).trim().parse::<u16>().unwrap_or(200);
    let body = planted(&String::from_utf8_lossy(body)).into_bytes();
    let device = Device { identifier: "abc".into(), name: "den".into(), version: "0.1.0".into() };
    of_plex(&device, status, &body);
    of_jellyfin(&device, status, &body);
    for kind in [Kind::Plex, Kind::Jellyfin] {
        let (mut answers, mut asked) = (Vec::new(), 0);
        while let Inquiry::Ask(path) = kind.rights(&answers) {
            assert!(path.starts_with('/') && asked < 4, "an inquiry ends");
            answers.push((status, body.as_slice()));
            asked += 1;
        }
    }
}

fn of_plex(device: &Device, status: u16, body: &[u8]) {
    if let Some(pin) = plex::begun(status, body) {
        let asked = plex::look(device, &pin);
        assert!(asked.uri().path().starts_with("/api/v2/pins/"), "{}", asked.uri());
        for form in [plex::Form::Followed, plex::Form::Typed] {
            let address = plex::address(device, &pin, form);
            assert!(address.starts_with("https://"), "{address}");
            assert!(address.bytes().all(|byte| byte.is_ascii_graphic()), "{address}");
        }
    }
    if let Look::Agreed(token) = plex::looked(status, body) {
        assert!(status == 200 && !token.expose().is_empty());
        hides(&token);
        plex::servers(device, &token);
    }
    for server in plex::servers_of(status, body).into_iter().flatten() {
        if server.token.as_ref().is_some_and(|token| token.expose() == SECRET) {
            hides(&server.token);
        }
        assert!(server.addresses.is_sorted_by_key(|address| address.reach), "the nearest come first");
    }
}

fn of_jellyfin(device: &Device, status: u16, body: &[u8]) {
    let _ = jellyfin::is_enabled(status, body);
    if let Some(code) = jellyfin::begun(status, body) {
        let asked = jellyfin::look(device, &code);
        assert_eq!(asked.uri().path(), "/QuickConnect/Connect");
        jellyfin::redeem(device, &code);
        if code.code != SECRET {
            assert!(
                code.code.contains(SECRET) || !format!("{code:?}").contains(SECRET),
                "a code tells its secret"
            );
        }
    }
    if let Look::Agreed(()) = jellyfin::looked(status, body) {
        assert_eq!(status, 200);
    }
    if let Some(grant) = jellyfin::granted(status, body) {
        hides(&grant.token);
    }
}

fn hides(secret: &impl Debug) {
    assert!(!format!("{secret:?}").contains(SECRET), "a token is printed");
}
