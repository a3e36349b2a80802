//! The account and the app that a Jellyfin token belongs to, as the server names them.

use std::borrow::Cow;

use http::HeaderMap;
use serde::Deserialize;

use crate::credential::Secret;

/// Greenroom's name as an app and as a device.
const PRODUCT: &str = "Greenroom";
/// Target of the server's devices, for administrators.
pub const DEVICES_TARGET: &str = "/Devices";

/// Digits of a user's id without dashes.
const ID_DIGITS: usize = 32;

/// Owner of a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TokenOwner {
    /// The user with this id, without dashes.
    User(String),
    /// No user: it is an API key, and all of them have the same rights.
    ApiKeys,
}

/// The user's id from the JSON body of Jellyfin's `/Users/Me`, without dashes.
pub fn own_user(body: &[u8]) -> Option<String> {
    let response: UserResponse = serde_json::from_slice(body).ok()?;
    Some(plain(&response.id))
}

/// The owner of the token that `/Users/Me` was asked with, from the whole response. A user is named by an id; an API key
/// gets 400 with the error object of that status. Anything else, as of a proxy in between, proves nothing.
pub fn token_owner(status: u16, body: &[u8]) -> Option<TokenOwner> {
    #[derive(Deserialize)]
    struct ProblemResponse {
        title: String,
        status: u16,
    }
    match status {
        200 => own_user(body).filter(|id| is_id(id)).map(TokenOwner::User),
        400 => {
            let problem: ProblemResponse = serde_json::from_slice(body).ok()?;
            (problem.status == 400 && !problem.title.is_empty()).then_some(TokenOwner::ApiKeys)
        }
        _ => None,
    }
}

/// Whether a request with this method to this path is a log-in, whose response names a new token and its user.
pub fn is_login(method: &http::Method, target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default().trim_matches('/');
    *method == http::Method::POST
        && ["Users/AuthenticateByName", "Users/AuthenticateWithQuickConnect"]
            .iter()
            .any(|login| path.eq_ignore_ascii_case(login))
}

/// The token and its owner from the whole response to a log-in.
pub fn issued_token(status: u16, headers: &HeaderMap, body: &[u8]) -> Option<(Secret, TokenOwner)> {
    #[derive(Deserialize)]
    struct LoginResponse {
        #[serde(rename = "User")]
        user: UserResponse,
        #[serde(rename = "AccessToken")]
        token: String,
    }
    if status != 200 || headers.contains_key(http::header::CONTENT_ENCODING) {
        return None;
    }
    let response: LoginResponse = serde_json::from_slice(body).ok()?;
    let id = plain(&response.user.id);
    (is_id(&id) && !response.token.is_empty()).then(|| (Secret::new(response.token), TokenOwner::User(id)))
}

#[derive(Deserialize)]
struct UserResponse {
    #[serde(rename = "Id")]
    id: String,
}

fn plain(id: &str) -> String {
    id.replace('-', "").to_ascii_lowercase()
}

/// Whether this is a user's id without dashes.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() == ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && id.bytes().any(|byte| byte != b'0')
}

/// The app whose session a token belongs to, from the body of [`DEVICES_TARGET`], if it is not this program. A token's
/// device takes the name of the device that last sent the token, but always stays with the app that logged in.
pub fn borrowed_from(body: &[u8], device: &str, product: &str) -> Option<String> {
    let own = devices(body)?.into_iter().filter(|one| one.name.as_deref() == Some(device));
    let mut apps: Vec<String> = own.filter_map(|one| one.app_name).collect();
    if apps.iter().any(|app| app == product) { None } else { apps.pop() }
}

/// Whether Greenroom uses the token of an app and has none of its own, as far as the body of [`DEVICES_TARGET`] tells.
pub fn is_copied_from_app(body: &[u8]) -> bool {
    let has_own = devices(body).unwrap_or_default().iter().any(|one| one.app_name.as_deref() == Some(PRODUCT));
    !has_own && borrowed_from(body, PRODUCT, PRODUCT).is_some()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Device {
    name: Option<String>,
    app_name: Option<String>,
}

fn devices(body: &[u8]) -> Option<Vec<Device>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Devices {
        items: Vec<Device>,
    }
    Some(serde_json::from_slice::<Devices>(body).ok()?.items)
}

/// Whether a frame of the socket reports user state.
pub fn is_user_data(frame: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(rename = "MessageType", borrow)]
        kind: Cow<'a, str>,
    }
    serde_json::from_slice::<Message<'_>>(frame).is_ok_and(|message| message.kind == "UserDataChanged")
}

#[cfg(test)]
mod tests {
    use http::Method;
    use http::header::{CONTENT_ENCODING, HeaderValue};

    use super::*;

    const ID: &str = "08ca909f6d1044aa9930be392943948f";

    #[test]
    fn an_id_has_one_spelling() {
        let response = br#"{"Name":"a","Id":"08CA909F-6D10-44AA-9930-BE392943948F"}"#;
        assert_eq!(own_user(response).as_deref(), Some(ID));
        assert_eq!(own_user(b"<html>"), None);
    }

    #[test]
    fn a_token_copied_from_an_app_belongs_to_that_app() {
        let devices =
            |rows: &str| borrowed_from(format!(r#"{{"Items":[{rows}]}}"#).as_bytes(), "Greenroom", "Greenroom");
        let browser = r#"{"Name":"Greenroom","Id":"web-1","AppName":"Jellyfin Web"}"#;
        let own = r#"{"Name":"Greenroom","Id":"own-1","AppName":"Greenroom"}"#;
        let other = r#"{"Name":"rig","Id":"rig-1","AppName":"Live Check"}"#;
        assert_eq!(devices(&format!("{other},{browser}")).as_deref(), Some("Jellyfin Web"));
        assert_eq!(devices(&format!("{browser},{own}")), None, "it was copied once, and is its own now");
        assert_eq!(devices(other), None);
        assert_eq!(borrowed_from(b"<html>", "Greenroom", "Greenroom"), None);
    }

    #[test]
    fn only_reports_of_user_state_are_heard_as_such() {
        assert!(is_user_data(br#"{"MessageType":"UserDataChanged","Data":{}}"#));
        assert!(!is_user_data(br#"{"MessageType":"LibraryChanged"}"#) && !is_user_data(b"x"));
    }

    #[test]
    fn a_token_is_the_users_that_the_server_names_or_an_api_key() {
        let me = format!(r#"{{"Name":"a","Id":"{ID}"}}"#);
        assert_eq!(token_owner(200, me.as_bytes()), Some(TokenOwner::User(ID.to_owned())));
        let problem = br#"{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"Bad Request","status":400,"traceId":"00-1"}"#;
        assert_eq!(token_owner(400, problem), Some(TokenOwner::ApiKeys));
    }

    #[test]
    fn what_a_proxy_or_another_program_answers_proves_nothing() {
        for (status, body) in [
            (200, "<html>"),
            (200, r#"{"Id":"1"}"#),
            (200, r#"{"Id":"00000000-0000-0000-0000-000000000000"}"#),
            (400, "<html><h1>400 Bad Request</h1>nginx"),
            (400, "Error processing request."),
            (400, r#"{"title":"Bad Request","status":500}"#),
            (401, ""),
            (404, r#"{"title":"Not Found","status":404}"#),
            (503, r#"{"title":"Bad Request","status":400}"#),
        ] {
            assert_eq!(token_owner(status, body.as_bytes()), None, "{status} {body}");
        }
    }

    #[test]
    fn a_login_names_its_token_and_user() {
        let body = format!(r#"{{"User":{{"Name":"a","Id":"{ID}"}},"AccessToken":"t0","ServerId":"s"}}"#);
        let (token, owner) = issued_token(200, &HeaderMap::new(), body.as_bytes()).unwrap();
        assert_eq!((token.expose(), owner), ("t0", TokenOwner::User(ID.to_owned())));
        assert!(issued_token(401, &HeaderMap::new(), body.as_bytes()).is_none());
        let compressed = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        assert!(issued_token(200, &compressed, body.as_bytes()).is_none());
        assert!(issued_token(200, &HeaderMap::new(), br#"{"User":{"Id":"1"},"AccessToken":"t0"}"#).is_none());
    }

    #[test]
    fn a_login_is_known_by_its_path() {
        assert!(is_login(&Method::POST, "/Users/AuthenticateByName"));
        assert!(is_login(&Method::POST, "/users/authenticatewithquickconnect?x=1"));
        assert!(!is_login(&Method::GET, "/Users/AuthenticateByName"));
        assert!(!is_login(&Method::POST, "/Users/Me"));
    }
}
