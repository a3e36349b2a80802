//! Login at Jellyfin: by Quick Connect code, or by name and password where codes are disabled.

use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::jellyfin;
use greenroom_dialect::login::jellyfin::{LIFETIME_S, LoginGrant, QuickConnectCode};
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::ServerIdentity;

use super::{LoginClient, LoginError};
use greenroom_config::Endpoint;

/// Checks that a Jellyfin answers, before a person is asked for a code or a password.
///
/// # Errors
/// [`LoginError::NotJellyfin`] if another server answers; [`LoginError::NoResponse`] if none does.
pub async fn verify_server(login: &LoginClient, endpoint: &Endpoint) -> Result<(), LoginError> {
    let identity = login.probe_client.identify(ServerKind::Jellyfin, endpoint).await;
    match identity.map_err(|error| LoginError::NoResponse(endpoint.url(), error))? {
        ServerIdentity::Expected(_) => Ok(()),
        other => Err(LoginError::NotJellyfin(endpoint.url(), other)),
    }
}

/// Requests a code.
///
/// # Errors
/// [`LoginError::CodesOff`] if the server issues none; other login errors.
pub async fn begin(login: &LoginClient, endpoint: &Endpoint) -> Result<QuickConnectCode, LoginError> {
    let response = login.send(endpoint, jellyfin::enabled_request(&login.device)).await?;
    match jellyfin::parse_enabled(response.status, &response.body) {
        Some(true) => {}
        Some(false) => return Err(LoginError::CodesOff),
        None => return Err(LoginError::UnexpectedResponse(response.status)),
    }
    let response = login.send(endpoint, jellyfin::code_request(&login.device)).await?;
    jellyfin::parse_code(response.status, &response.body).ok_or(LoginError::NoCode(response.status))
}

/// Waits until the code is approved, then gets the token. `on_tick` receives the seconds left.
///
/// # Errors
/// The code is not approved in time, or the server does not answer.
pub async fn wait(
    login: &LoginClient,
    endpoint: &Endpoint,
    code: &QuickConnectCode,
    on_tick: impl FnMut(u64),
) -> Result<LoginGrant, LoginError> {
    login
        .wait(LIFETIME_S, on_tick, async || {
            let response = login.send(endpoint, jellyfin::status_request(&login.device, code)).await?;
            Ok(jellyfin::parse_status(response.status, &response.body))
        })
        .await?;
    let response = login.send(endpoint, jellyfin::redeem_request(&login.device, code)).await?;
    jellyfin::parse_grant(response.status, &response.body).ok_or(LoginError::UnexpectedResponse(response.status))
}

/// Gets a token for a name and a password.
///
/// # Errors
/// The server does not accept them.
pub async fn by_name(
    login: &LoginClient,
    endpoint: &Endpoint,
    name: &str,
    password: &Secret,
) -> Result<LoginGrant, LoginError> {
    let response = login.send(endpoint, jellyfin::password_request(&login.device, name, password)).await?;
    match response.status {
        401 | 403 => Err(LoginError::WrongPassword),
        status => jellyfin::parse_grant(status, &response.body).ok_or(LoginError::UnexpectedResponse(status)),
    }
}
