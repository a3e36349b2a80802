//! Finds out a token's permissions by harmless reads: pure functions of the responses so far.

use serde::Deserialize;

use crate::own_user;
use crate::request::ServerKind;

/// Permissions of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permissions {
    /// Those of the owner or an administrator.
    Owner,
    /// Those of the owner, but the token was copied from an app: events go to whichever of the two connected last.
    App,
    /// Those of a user; events about other users do not reach it.
    Member,
    /// An API key: it may administer but has no user, so no user's events reach it.
    Key,
    /// None: the server does not know the token, or no longer.
    Refused,
    /// Unknown; the status of the last response.
    Unclear(u16),
}

/// Next step of the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionProbe {
    /// Request this path with the token, then call again with the response.
    Request(&'static str),
    /// The permissions are known.
    Done(Permissions),
}

#[derive(Deserialize)]
struct MeResponse {
    #[serde(rename = "Policy")]
    policy: Option<UserPolicy>,
}

#[derive(Deserialize)]
struct UserPolicy {
    #[serde(rename = "IsAdministrator", default)]
    admin: bool,
}

impl ServerKind {
    /// The next step after these responses (status and body), in the order they were requested.
    pub fn permission_probe(self, responses: &[(u16, &[u8])]) -> PermissionProbe {
        match self {
            Self::Plex => plex(responses),
            Self::Jellyfin => jellyfin(responses),
        }
    }

    /// A path that needs a token: a server that answers it without one trusts the local network.
    pub fn authenticated_path(self) -> &'static str {
        match self {
            Self::Plex => "/library/sections",
            Self::Jellyfin => "/System/Info",
        }
    }
}

fn plex(responses: &[(u16, &[u8])]) -> PermissionProbe {
    match responses {
        [] => PermissionProbe::Request("/library/sections"),
        [(200, _)] => PermissionProbe::Request("/butler"),
        [(401 | 403 | 498, _)] => PermissionProbe::Done(Permissions::Refused),
        [_, (200, _)] => PermissionProbe::Done(Permissions::Owner),
        [_, (401 | 403, _)] => PermissionProbe::Done(Permissions::Member),
        [.., (status, _)] => PermissionProbe::Done(Permissions::Unclear(*status)),
    }
}

fn jellyfin(responses: &[(u16, &[u8])]) -> PermissionProbe {
    match responses {
        [] => PermissionProbe::Request("/Users/Me"),
        [(200, body)] => match serde_json::from_slice::<MeResponse>(body).ok().and_then(|response| response.policy) {
            Some(policy) if policy.admin => PermissionProbe::Request(own_user::DEVICES_TARGET),
            Some(_) => PermissionProbe::Done(Permissions::Member),
            None => PermissionProbe::Done(Permissions::Unclear(200)),
        },
        [(200, _), (_, devices)] => {
            let is_copied = own_user::is_copied_from_app(devices);
            PermissionProbe::Done(if is_copied { Permissions::App } else { Permissions::Owner })
        }
        [(401, _)] | [_, (401 | 403, _)] => PermissionProbe::Done(Permissions::Refused),
        // An API key has no user, so the first path fails.
        [(400 | 403 | 404, _)] => PermissionProbe::Request("/System/Info"),
        [_, (200, _)] => PermissionProbe::Done(Permissions::Key),
        [.., (status, _)] => PermissionProbe::Done(Permissions::Unclear(*status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plex_token_is_the_owners_if_it_may_see_the_butler() {
        let probe = |responses: &[(u16, &[u8])]| ServerKind::Plex.permission_probe(responses);
        assert_eq!(probe(&[]), PermissionProbe::Request("/library/sections"));
        assert_eq!(probe(&[(401, b"")]), PermissionProbe::Done(Permissions::Refused));
        assert_eq!(probe(&[(200, b"")]), PermissionProbe::Request("/butler"));
        assert_eq!(probe(&[(200, b""), (200, b"")]), PermissionProbe::Done(Permissions::Owner));
        assert_eq!(probe(&[(200, b""), (403, b"")]), PermissionProbe::Done(Permissions::Member));
        assert_eq!(probe(&[(503, b"")]), PermissionProbe::Done(Permissions::Unclear(503)));
    }

    #[test]
    fn a_jellyfin_token_has_a_user_and_an_api_key_has_none() {
        let probe = |responses: &[(u16, &[u8])]| ServerKind::Jellyfin.permission_probe(responses);
        let response = |admin| format!(r#"{{"Name":"x","Policy":{{"IsAdministrator":{admin}}}}}"#);
        let owner = response(true);
        assert_eq!(probe(&[(200, owner.as_bytes())]), PermissionProbe::Request("/Devices"));
        let devices = |app| format!(r#"{{"Items":[{{"Name":"Greenroom","AppName":"{app}"}},{{"AppName":"x"}}]}}"#);
        for (app, permissions) in [("Greenroom", Permissions::Owner), ("Jellyfin Web", Permissions::App)] {
            let devices = devices(app);
            let responses = [(200, owner.as_bytes()), (200, devices.as_bytes())];
            assert_eq!(probe(&responses), PermissionProbe::Done(permissions), "{app}");
        }
        assert_eq!(probe(&[(200, owner.as_bytes()), (403, b"")]), PermissionProbe::Done(Permissions::Owner));
        assert_eq!(probe(&[(200, response(false).as_bytes())]), PermissionProbe::Done(Permissions::Member));
        assert_eq!(probe(&[(400, b"")]), PermissionProbe::Request("/System/Info"));
        assert_eq!(probe(&[(400, b""), (200, b"{}")]), PermissionProbe::Done(Permissions::Key));
        assert_eq!(probe(&[(401, b"")]), PermissionProbe::Done(Permissions::Refused));
        assert_eq!(probe(&[(200, b"<html>")]), PermissionProbe::Done(Permissions::Unclear(200)));
    }
}
