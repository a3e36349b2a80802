//! What must hold of whatever a server says of itself.

use greenroom_upstream::ask::Kind;
use greenroom_upstream::greeting::{Introduced, change_counters, own_user};
use greenroom_upstream::introduction::Introduction;
use serde::de::IgnoredAny;

/// Checks what must hold of a body that should be a server's word about itself.
pub fn check(body: &[u8]) {
    let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    for kind in [Kind::Plex, Kind::Jellyfin] {
        let said = kind.greeting(body);
        assert_eq!(said, kind.greeting(body));
        assert!(!kind.is_starting(body) || is_json);
        let length = match said {
            Introduced::AsExpected { name, version } => {
                kind.is_too_old(&version);
                name.map_or(0, |name| name.len()) + version.len()
            }
            Introduced::Emby { version } => version.len(),
            Introduced::Foreign => continue,
        };
        assert!(is_json, "what is no JSON says nothing");
        assert!(length <= 2 * body.len());
    }
    for status in [200, 400, 404, 503] {
        match Kind::introduction(status, body) {
            Introduction::Served { .. } | Introduction::Emby(_) => {
                assert!(is_json, "what is no JSON is nobody");
            }
            _ => {}
        }
    }
    if let Some(user) = own_user(body) {
        assert!(is_json && !user.contains('-') && !user.bytes().any(|byte| byte.is_ascii_uppercase()));
    }
    if let Some(counters) = change_counters(body) {
        assert!(is_json && counters.len() <= body.len());
    }
}
