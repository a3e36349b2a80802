//! Properties of whatever a server says of itself.

use greenroom_dialect::own_user::own_user;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::{
    IdentityProbe, IdentityProbeResponse, ServerIdentity, identify_server, next_probe,
};
use greenroom_dialect::session_list::{SessionFilter, SessionList, SessionViewer};
use greenroom_dialect::user_list::UserList;
use http::HeaderMap;
use serde::de::IgnoredAny;

/// Checks what must hold of a body that should be a server's word about itself.
pub fn check(body: &[u8]) {
    let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    let is_xml = std::str::from_utf8(body).is_ok_and(|text| text.contains("<MediaContainer"));
    for status in [200, 204, 302, 400, 401, 404, 500, 503] {
        let answer = IdentityProbeResponse { status, headers: &HeaderMap::new(), body };
        let [plex, jellyfin] = [ServerKind::Plex, ServerKind::Jellyfin].map(|kind| identify_server(kind, &answer));
        assert_eq!(plex, identify_server(ServerKind::Plex, &answer));
        match (&plex, &jellyfin) {
            (ServerIdentity::Expected(one), ServerIdentity::OtherKind(other))
            | (ServerIdentity::OtherKind(one), ServerIdentity::Expected(other)) => {
                assert_eq!(one, other, "a server is the same, whichever is expected");
                assert!(status == 200 && (is_json || is_xml), "what says nothing is no server");
                one.kind.is_too_old(&one.version);
                let texts = [one.name.as_ref(), Some(&one.version), one.id.as_ref()];
                let length: usize = texts.into_iter().flatten().map(String::len).sum();
                assert!(length <= 2 * body.len());
            }
            (one, other) => {
                assert_eq!(one, other, "what is no such server is so for both");
                assert!(!matches!(one, ServerIdentity::Emby { .. }) || (status == 200 && is_json));
            }
        }
        assert!(plex.to_string().len() < 200 + 2 * body.len());
        let asked = next_probe(ServerKind::Plex, &[plex.clone(), jellyfin.clone(), jellyfin]);
        assert!(matches!(asked, IdentityProbe::Done(_)), "questions end");
    }
    if let Some(user) = own_user(body) {
        assert!(is_json && !user.contains('-') && !user.bytes().any(|byte| byte.is_ascii_uppercase()));
    }
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        if let Ok(counters) = kind.change_counters(body) {
            assert!(is_json && counters.len() <= body.len());
        }
        if let Ok(changed) = kind.changed_since(body) {
            assert!(is_json && changed.items.len() <= body.len());
            assert!(serde_json::from_slice::<IgnoredAny>(&kind.change_event(&changed, |_| false)).is_ok());
        }
    }
    if let Some(users) = UserList::parse(body) {
        assert!(is_json && users.changes_since(&users).is_empty());
    }
    let viewer = SessionViewer::parse(400, body);
    if let (Some(list), Some(viewer)) = (SessionList::parse_frame(body), viewer)
        && let Some(answer) = list.body(&viewer, &SessionFilter::default(), 0)
    {
        assert!(serde_json::from_slice::<IgnoredAny>(&answer).is_ok());
    }
}
