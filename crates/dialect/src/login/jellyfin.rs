//! Logging in at a Jellyfin: by a code that a person agrees to (Quick Connect), or by name and password.

use bytes::Bytes;
use http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use super::{Device, Look};
use crate::ask::Kind;
use crate::credential::Secret;

/// A code is good for so long; the server does not say.
pub const LIFETIME_S: u64 = 600;

/// A code that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// What the person types.
    pub code: String,
    /// What the device asks with.
    secret: Secret,
}

/// What was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The token.
    pub token: Secret,
    /// Whose it is.
    pub user: String,
    /// Whether that user may administer the server.
    pub admin: bool,
}

#[derive(Deserialize)]
struct SaidCode {
    #[serde(rename = "Authenticated", default)]
    authenticated: bool,
    #[serde(rename = "Secret")]
    secret: String,
    #[serde(rename = "Code")]
    code: String,
}

#[derive(Deserialize)]
struct SaidGrant {
    #[serde(rename = "AccessToken")]
    token: String,
    #[serde(rename = "User")]
    user: SaidUser,
}

#[derive(Deserialize)]
struct SaidUser {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Policy")]
    policy: Option<SaidPolicy>,
}

#[derive(Deserialize)]
struct SaidPolicy {
    #[serde(rename = "IsAdministrator", default)]
    admin: bool,
}

/// Asks whether codes are possible.
pub fn enabled(device: &Device) -> Request<Bytes> {
    device.request(Kind::Jellyfin, Method::GET, "/QuickConnect/Enabled", None, None)
}

/// What the answer to [`enabled`] says; nothing if it is not understood.
pub fn is_enabled(status: u16, body: &[u8]) -> Option<bool> {
    (status == 200).then(|| serde_json::from_slice(body).ok())?
}

/// Asks for a code.
pub fn begin(device: &Device) -> Request<Bytes> {
    device.request(Kind::Jellyfin, Method::POST, "/QuickConnect/Initiate", None, None)
}

/// The code, out of the answer to [`begin`].
pub fn begun(status: u16, body: &[u8]) -> Option<Code> {
    let said: SaidCode = (status == 200).then(|| serde_json::from_slice(body).ok())??;
    Some(Code { code: said.code, secret: Secret::new(said.secret) })
}

/// Asks how it stands with a code.
pub fn look(device: &Device, code: &Code) -> Request<Bytes> {
    let secret = utf8_percent_encode(code.secret.expose(), NON_ALPHANUMERIC);
    let target = format!("/QuickConnect/Connect?secret={secret}");
    device.request(Kind::Jellyfin, Method::GET, &target, None, None)
}

/// What the answer to [`look`] says.
pub fn looked(status: u16, body: &[u8]) -> Look<()> {
    if status == 404 {
        return Look::Gone;
    }
    let said: Option<SaidCode> = serde_json::from_slice(body).ok().filter(|_| status == 200);
    match said {
        Some(said) if said.authenticated => Look::Agreed(()),
        Some(_) => Look::Waiting,
        None => Look::Odd(status),
    }
}

/// Turns a code that was agreed to into a token.
pub fn redeem(device: &Device, code: &Code) -> Request<Bytes> {
    let body = json!({ "Secret": code.secret.expose() });
    device.request(Kind::Jellyfin, Method::POST, "/Users/AuthenticateWithQuickConnect", None, Some(&body))
}

/// Asks for a token by name and password.
pub fn by_name(device: &Device, name: &str, password: &Secret) -> Request<Bytes> {
    let body = json!({ "Username": name, "Pw": password.expose() });
    device.request(Kind::Jellyfin, Method::POST, "/Users/AuthenticateByName", None, Some(&body))
}

/// What was given, out of the answer to [`redeem`] or [`by_name`].
pub fn granted(status: u16, body: &[u8]) -> Option<Grant> {
    let said: SaidGrant = (status == 200).then(|| serde_json::from_slice(body).ok())??;
    let admin = said.user.policy.is_some_and(|policy| policy.admin);
    Some(Grant { token: Secret::new(said.token), user: said.user.name, admin })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        Device { identifier: "id1".into(), name: "attic".into(), version: "0.1".into() }
    }

    #[test]
    fn a_device_says_who_it_is_without_a_token() {
        let request = begin(&device());
        assert_eq!(request.method(), Method::POST);
        let said = request.headers()["authorization"].to_str().unwrap();
        assert!(said.contains("Client=\"Greenroom\"") && said.contains("DeviceId=\"id1\""), "{said}");
        assert!(!said.contains("Token"), "{said}");
    }

    #[test]
    fn a_code_waits_then_is_agreed_to_or_ends() {
        let body = |agreed| format!(r#"{{"Authenticated":{agreed},"Secret":"s&1","Code":"123456"}}"#);
        let code = begun(200, body(false).as_bytes()).unwrap();
        assert_eq!(code.code, "123456");
        assert_eq!(look(&device(), &code).uri(), "/QuickConnect/Connect?secret=s%261");
        assert_eq!(looked(200, body(false).as_bytes()), Look::Waiting);
        assert_eq!(looked(200, body(true).as_bytes()), Look::Agreed(()));
        assert_eq!(looked(404, b"{}"), Look::Gone);
        assert_eq!(looked(502, b"<html>"), Look::Odd(502));
        assert!(!format!("{code:?}").contains("s&1"));
    }

    #[test]
    fn whether_codes_are_possible_is_a_bare_word() {
        assert_eq!(is_enabled(200, b"true"), Some(true));
        assert_eq!(is_enabled(200, b"false"), Some(false));
        assert_eq!(is_enabled(200, b"<html>"), None);
        assert_eq!(is_enabled(404, b"true"), None);
    }

    #[test]
    fn a_grant_says_whose_it_is() {
        let body = br#"{"AccessToken":"t","User":{"Name":"olga","Policy":{"IsAdministrator":true}}}"#;
        let grant = granted(200, body).unwrap();
        assert!(grant.admin && grant.user == "olga");
        assert!(!format!("{grant:?}").contains("\"t\""));
        assert_eq!(granted(401, body), None);
    }

    #[test]
    fn a_password_travels_in_the_body_alone() {
        let request = by_name(&device(), "olga", &Secret::new("p\"w"));
        assert_eq!(request.uri(), "/Users/AuthenticateByName");
        assert_eq!(request.body(), &r#"{"Pw":"p\"w","Username":"olga"}"#);
    }
}
