//! Jellyfin's sessions as its socket tells them, and the answers to `/Sessions` made of them.
//!
//! The server's own rules: `SessionManager.GetSessions` and `SessionInfoWebSocketListener` of Jellyfin 12.

use std::borrow::Cow;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::crawl::timestamp;
use crate::jellyfin::guid;
use crate::own_user::{self, TokenOwner};

/// Longest message in bytes that is stored.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// The message that subscribes to sessions: at once, then at most once a second.
pub const SUBSCRIPTION: &str = r#"{"MessageType":"SessionsStart","Data":"0,1000"}"#;
/// The target that names a token's user. An API key belongs to no user and gets status 400.
pub const VIEWER_TARGET: &str = "/Users/Me";

/// All sessions of a server, as last told.
#[derive(Debug, Clone, Default)]
pub struct SessionList(Vec<SessionRow>);

/// A session: its JSON, and what answers are selected by.
#[derive(Debug, Clone)]
struct SessionRow {
    json: Box<RawValue>,
    facts: SessionFacts,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct SessionFacts {
    user_id: Option<String>,
    device_id: Option<String>,
    last_activity_date: Option<String>,
    supports_remote_control: bool,
    additional_users: Option<Vec<SessionUser>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SessionUser {
    user_id: Option<String>,
}

/// The filters of one request for sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    device_id: Option<String>,
    active_within_s: Option<u64>,
    controllable_by: Option<String>,
}

/// A token that sees all sessions: an administrator's, or an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionViewer {
    /// Its user; `None` for an API key.
    user: Option<String>,
    controls_others: bool,
    shares_devices: bool,
}

impl SessionList {
    /// The sessions in a frame of the socket; `None` if it tells something else.
    pub fn parse_frame(frame: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(rename = "MessageType", borrow)]
            kind: Cow<'a, str>,
            #[serde(rename = "Data", borrow, default)]
            data: Option<&'a RawValue>,
        }
        if frame.len() > MAX_MESSAGE_BYTES {
            return None;
        }
        let message: Message<'_> = serde_json::from_slice(frame).ok()?;
        if message.kind != "Sessions" {
            return None;
        }
        let rows: Vec<Box<RawValue>> = serde_json::from_str(message.data?.get()).ok()?;
        let row = |json: Box<RawValue>| Some(SessionRow { facts: serde_json::from_str(json.get()).ok()?, json });
        rows.into_iter().map(row).collect::<Option<Vec<SessionRow>>>().map(Self)
    }

    /// Whether a frame of the socket tells sessions, readable or not.
    pub fn is_told_by(frame: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(rename = "MessageType", borrow)]
            kind: Cow<'a, str>,
        }
        serde_json::from_slice::<Message<'_>>(frame).is_ok_and(|message| message.kind == "Sessions")
    }

    /// The answer to a request of this viewer; `None` if it depends on what is not known here.
    pub fn body(&self, viewer: &SessionViewer, filter: &SessionFilter, server_now_s: u64) -> Option<Bytes> {
        if let Some(user) = &filter.controllable_by
            && viewer.user.as_ref() != Some(user)
        {
            // Depends on the rights of that user.
            return None;
        }
        let rows = self.0.iter().filter(|row| filter.matches(&row.facts, viewer, server_now_s));
        let texts: Vec<&str> = rows.map(|row| row.json.get()).collect();
        Some(format!("[{}]", texts.join(",")).into())
    }

    /// User and device of each session.
    pub fn devices(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        self.0
            .iter()
            .filter_map(|row| Some((guid::normalize(row.facts.user_id.as_deref()?), row.facts.device_id.as_deref()?)))
    }
}

impl SessionFilter {
    /// The filters in a target; `None` if it requests something else than sessions, or has other parameters.
    pub fn parse(target: &str) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != "/Sessions" {
            return None;
        }
        let mut filter = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value).decode_utf8().ok()?;
            match name.to_ascii_lowercase().as_str() {
                "deviceid" => filter.device_id = Some(value.into_owned()).filter(|id| !id.is_empty()),
                "activewithinseconds" => filter.active_within_s = Some(value.parse().ok()?),
                "controllablebyuserid" => filter.controllable_by = Some(guid::normalize(&value).into_owned()),
                _ => return None,
            }
        }
        Some(filter)
    }

    fn matches(&self, row: &SessionFacts, viewer: &SessionViewer, server_now_s: u64) -> bool {
        let has_device = |id: &String| row.device_id.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(id));
        let is_active = |within_s: u64| {
            let active_s = row.last_activity_date.as_deref().and_then(timestamp::parse);
            within_s == 0 || active_s.is_some_and(|active_s| active_s >= server_now_s.saturating_sub(within_s))
        };
        self.device_id.as_ref().is_none_or(has_device)
            && self.active_within_s.is_none_or(is_active)
            && (self.controllable_by.is_none() || row.is_controllable_by(viewer))
    }
}

impl SessionFacts {
    fn users(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let more = self.additional_users.iter().flatten().filter_map(|user| user.user_id.as_deref());
        self.user_id.as_deref().into_iter().chain(more).map(guid::normalize).filter(|user| user != guid::NO_USER)
    }

    fn is_controllable_by(&self, viewer: &SessionViewer) -> bool {
        let owner = self.user_id.as_deref().map(guid::normalize).filter(|user| user != guid::NO_USER);
        let is_own = || owner.is_none() || self.users().any(|user| viewer.user.as_deref() == Some(&*user));
        self.supports_remote_control
            && (viewer.shares_devices || owner.is_some())
            && (viewer.controls_others || is_own())
    }
}

impl SessionViewer {
    /// The viewer by the response to [`VIEWER_TARGET`] with its token; `None` if it does not see all sessions.
    pub fn parse(status: u16, body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct User {
            id: String,
            policy: Policy,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        #[derive(Default)]
        struct Policy {
            is_administrator: bool,
            enable_remote_control_of_other_users: bool,
            enable_shared_device_control: bool,
        }
        if status == 400 {
            let is_key = own_user::token_owner(status, body) == Some(TokenOwner::ApiKeys);
            return is_key.then_some(Self { user: None, controls_others: true, shares_devices: true });
        }
        let user: User = serde_json::from_slice(body).ok().filter(|_| status == 200)?;
        user.policy.is_administrator.then(|| Self {
            user: Some(guid::normalize(&user.id).into_owned()),
            controls_others: user.policy.enable_remote_control_of_other_users,
            shares_devices: user.policy.enable_shared_device_control,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three sessions as a server of version 12.0.0 told them, shortened.
    const FRAME: &str = r#"{"MessageId":"a","MessageType":"Sessions","Data":[
        {"Id":"ca63","UserId":"632ddb007a894321ba188dcc88cede0e","UserName":"kid","Client":"Live Check",
         "LastActivityDate":"2026-11-22T11:49:53.5335375Z","DeviceId":"rec-kid","SupportsRemoteControl":false},
        {"Id":"cfc8","UserId":"98b4acde8b594602bafa474bea95cd94","AdditionalUsers":[],"DeviceId":"rec-anna",
         "LastActivityDate":"2026-11-22T11:40:53.2989707Z","SupportsRemoteControl":true},
        {"Id":"3847","UserId":"f9de0287451f4556a7990bf5cd9f3656","DeviceId":"Rec-Root",
         "LastActivityDate":"2026-11-22T11:49:53.0832006Z","SupportsRemoteControl":true}]}"#;
    /// 2026-11-22 11:50:00.
    const NOW_S: u64 = 1_795_348_200;

    fn ids(target: &str, viewer: &SessionViewer) -> Option<Vec<String>> {
        let list = SessionList::parse_frame(FRAME.as_bytes()).unwrap();
        let body = list.body(viewer, &SessionFilter::parse(target)?, NOW_S)?;
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
        Some(rows.iter().map(|row| row["Id"].as_str().unwrap().to_owned()).collect())
    }

    fn root() -> SessionViewer {
        let me = r#"{"Name":"root","Id":"f9de0287-451f-4556-a799-0bf5cd9f3656","Policy":{"IsAdministrator":true,
            "EnableRemoteControlOfOtherUsers":true,"EnableSharedDeviceControl":true}}"#;
        SessionViewer::parse(200, me.as_bytes()).unwrap()
    }

    #[test]
    fn sessions_are_filtered_as_the_server_does() {
        let all = ["ca63", "cfc8", "3847"].map(str::to_owned).to_vec();
        for viewer in [root(), SessionViewer::parse(400, br#"{"title":"Bad Request","status":400}"#).unwrap()] {
            assert_eq!(ids("/Sessions", &viewer), Some(all.clone()));
            assert_eq!(ids("/Sessions?deviceId=rec-root", &viewer), Some(vec!["3847".into()]), "in any case");
            assert_eq!(ids("/Sessions?activeWithinSeconds=60", &viewer), Some(vec!["ca63".into(), "3847".into()]));
            assert_eq!(ids("/Sessions?activeWithinSeconds=0", &viewer), Some(all.clone()));
        }
        let own = "/Sessions?controllableByUserId=f9de0287451f4556a7990bf5cd9f3656";
        assert_eq!(ids(own, &root()), Some(vec!["cfc8".into(), "3847".into()]));
        let alone = SessionViewer { controls_others: false, ..root() };
        assert_eq!(ids(own, &alone), Some(vec!["3847".into()]), "it may control its own only");
    }

    #[test]
    fn what_depends_on_more_than_was_told_is_not_answered() {
        let other = "/Sessions?controllableByUserId=98b4acde8b594602bafa474bea95cd94";
        assert_eq!(ids(other, &root()), None, "another user's rights");
        assert_eq!(SessionFilter::parse("/Sessions?somethingNew=1"), None);
        assert_eq!(SessionFilter::parse("/Sessions/Playing"), None);
        assert!(SessionList::parse_frame(br#"{"MessageType":"LibraryChanged","Data":{}}"#).is_none());
        assert!(SessionList::parse_frame(br#"{"MessageType":"Sessions","Data":7}"#).is_none());
    }

    #[test]
    fn others_than_administrators_and_keys_do_not_see_all_sessions() {
        let me = br#"{"Id":"98b4acde8b594602bafa474bea95cd94","Policy":{"IsAdministrator":false}}"#;
        assert_eq!(SessionViewer::parse(200, me), None);
        assert_eq!(SessionViewer::parse(401, me), None);
        assert_eq!(SessionViewer::parse(200, b"<html>"), None);
    }
}
