//! Login to a Jellyfin server: by a code that a user approves (Quick Connect), or by name and password.

use bytes::Bytes;
use http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use super::{LoginDevice, LoginStatus};
use crate::credential::Secret;
use crate::request::ServerKind;

/// Lifetime of a code in seconds; the server does not state it.
pub const LIFETIME_S: u64 = 600;

/// A code waiting for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickConnectCode {
    /// The code the user types.
    pub code: String,
    /// Secret with which the device polls and redeems the code.
    secret: Secret,
}

/// A granted login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginGrant {
    /// The token.
    pub token: Secret,
    /// Name of the token's user.
    pub user: String,
    /// Whether that user is an administrator.
    pub admin: bool,
}

#[derive(Deserialize)]
struct CodeResponse {
    #[serde(rename = "Authenticated", default)]
    authenticated: bool,
    #[serde(rename = "Secret")]
    secret: String,
    #[serde(rename = "Code")]
    code: String,
}

#[derive(Deserialize)]
struct GrantResponse {
    #[serde(rename = "AccessToken")]
    token: String,
    #[serde(rename = "User")]
    user: UserResponse,
}

#[derive(Deserialize)]
struct UserResponse {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Policy")]
    policy: Option<PolicyResponse>,
}

#[derive(Deserialize)]
struct PolicyResponse {
    #[serde(rename = "IsAdministrator", default)]
    admin: bool,
}

/// Request: whether Quick Connect is enabled.
pub fn enabled_request(device: &LoginDevice) -> Request<Bytes> {
    device.request(ServerKind::Jellyfin, Method::GET, "/QuickConnect/Enabled", None, None)
}

/// Parses the response to [`enabled_request`]; `None` if it is not understood.
pub fn parse_enabled(status: u16, body: &[u8]) -> Option<bool> {
    (status == 200).then(|| serde_json::from_slice(body).ok())?
}

/// Request for a code.
pub fn code_request(device: &LoginDevice) -> Request<Bytes> {
    device.request(ServerKind::Jellyfin, Method::POST, "/QuickConnect/Initiate", None, None)
}

/// Parses the response to [`code_request`].
pub fn parse_code(status: u16, body: &[u8]) -> Option<QuickConnectCode> {
    let response: CodeResponse = (status == 200).then(|| serde_json::from_slice(body).ok())??;
    Some(QuickConnectCode { code: response.code, secret: Secret::new(response.secret) })
}

/// Request for the status of a code.
pub fn status_request(device: &LoginDevice, code: &QuickConnectCode) -> Request<Bytes> {
    let secret = utf8_percent_encode(code.secret.expose(), NON_ALPHANUMERIC);
    let target = format!("/QuickConnect/Connect?secret={secret}");
    device.request(ServerKind::Jellyfin, Method::GET, &target, None, None)
}

/// Parses the response to [`status_request`].
pub fn parse_status(status: u16, body: &[u8]) -> LoginStatus<()> {
    if status == 404 {
        return LoginStatus::Expired;
    }
    let response: Option<CodeResponse> = serde_json::from_slice(body).ok().filter(|_| status == 200);
    match response {
        Some(response) if response.authenticated => LoginStatus::Approved(()),
        Some(_) => LoginStatus::Pending,
        None => LoginStatus::Unexpected(status),
    }
}

/// Request that redeems an approved code for a token.
pub fn redeem_request(device: &LoginDevice, code: &QuickConnectCode) -> Request<Bytes> {
    let body = json!({ "Secret": code.secret.expose() });
    device.request(ServerKind::Jellyfin, Method::POST, "/Users/AuthenticateWithQuickConnect", None, Some(&body))
}

/// Request for a token by name and password.
pub fn password_request(device: &LoginDevice, name: &str, password: &Secret) -> Request<Bytes> {
    let body = json!({ "Username": name, "Pw": password.expose() });
    device.request(ServerKind::Jellyfin, Method::POST, "/Users/AuthenticateByName", None, Some(&body))
}

/// Parses the response to [`redeem_request`] or [`password_request`].
pub fn parse_grant(status: u16, body: &[u8]) -> Option<LoginGrant> {
    let response: GrantResponse = (status == 200).then(|| serde_json::from_slice(body).ok())??;
    let admin = response.user.policy.is_some_and(|policy| policy.admin);
    Some(LoginGrant { token: Secret::new(response.token), user: response.user.name, admin })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> LoginDevice {
        LoginDevice { identifier: "id1".into(), name: "attic".into(), version: "0.1".into() }
    }

    #[test]
    fn a_device_identifies_itself_without_a_token() {
        let request = code_request(&device());
        assert_eq!(request.method(), Method::POST);
        let response = request.headers()["authorization"].to_str().unwrap();
        assert!(response.contains("Client=\"Greenroom\"") && response.contains("DeviceId=\"id1\""), "{response}");
        assert!(!response.contains("Token"), "{response}");
    }

    #[test]
    fn a_code_is_pending_then_approved_or_expires() {
        let body = |agreed| format!(r#"{{"Authenticated":{agreed},"Secret":"s&1","Code":"123456"}}"#);
        let code = parse_code(200, body(false).as_bytes()).unwrap();
        assert_eq!(code.code, "123456");
        assert_eq!(status_request(&device(), &code).uri(), "/QuickConnect/Connect?secret=s%261");
        assert_eq!(parse_status(200, body(false).as_bytes()), LoginStatus::Pending);
        assert_eq!(parse_status(200, body(true).as_bytes()), LoginStatus::Approved(()));
        assert_eq!(parse_status(404, b"{}"), LoginStatus::Expired);
        assert_eq!(parse_status(502, b"<html>"), LoginStatus::Unexpected(502));
        assert!(!format!("{code:?}").contains("s&1"));
    }

    #[test]
    fn quick_connect_availability_is_a_bare_boolean() {
        assert_eq!(parse_enabled(200, b"true"), Some(true));
        assert_eq!(parse_enabled(200, b"false"), Some(false));
        assert_eq!(parse_enabled(200, b"<html>"), None);
        assert_eq!(parse_enabled(404, b"true"), None);
    }

    #[test]
    fn a_login_grant_names_its_user() {
        let body = br#"{"AccessToken":"t","User":{"Name":"olga","Policy":{"IsAdministrator":true}}}"#;
        let grant = parse_grant(200, body).unwrap();
        assert!(grant.admin && grant.user == "olga");
        assert!(!format!("{grant:?}").contains("\"t\""));
        assert_eq!(parse_grant(401, body), None);
    }

    #[test]
    fn a_password_is_sent_in_the_body_only() {
        let request = password_request(&device(), "olga", &Secret::new("p\"w"));
        assert_eq!(request.uri(), "/Users/AuthenticateByName");
        assert_eq!(request.body(), &r#"{"Pw":"p\"w","Username":"olga"}"#);
    }
}
