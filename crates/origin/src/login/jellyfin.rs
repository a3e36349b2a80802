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
pub async fn verify_server(desk: &LoginClient, place: &Endpoint) -> Result<(), LoginError> {
    let identified = desk.probe_client.identify(ServerKind::Jellyfin, place).await;
    match identified.map_err(|silence| LoginError::NoResponse(place.url(), silence))? {
        ServerIdentity::Expected(_) => Ok(()),
        other => Err(LoginError::NotJellyfin(place.url(), other)),
    }
}

/// Requests a code.
///
/// # Errors
/// [`LoginError::CodesOff`] if the server issues none; other login errors.
pub async fn begin(desk: &LoginClient, place: &Endpoint) -> Result<QuickConnectCode, LoginError> {
    let heard = desk.ask(place, jellyfin::enabled_request(&desk.device)).await?;
    match jellyfin::parse_enabled(heard.status, &heard.body) {
        Some(true) => {}
        Some(false) => return Err(LoginError::CodesOff),
        None => return Err(LoginError::UnexpectedResponse(heard.status)),
    }
    let heard = desk.ask(place, jellyfin::code_request(&desk.device)).await?;
    jellyfin::parse_code(heard.status, &heard.body).ok_or(LoginError::NoCode(heard.status))
}

/// Waits until the code is approved, then gets the token. `tick` receives the seconds left.
///
/// # Errors
/// The code is not approved in time, or the server does not answer.
pub async fn wait(
    desk: &LoginClient,
    place: &Endpoint,
    code: &QuickConnectCode,
    tick: impl FnMut(u64),
) -> Result<LoginGrant, LoginError> {
    desk.wait(LIFETIME_S, tick, async || {
        let heard = desk.ask(place, jellyfin::status_request(&desk.device, code)).await?;
        Ok(jellyfin::parse_status(heard.status, &heard.body))
    })
    .await?;
    let heard = desk.ask(place, jellyfin::redeem_request(&desk.device, code)).await?;
    jellyfin::parse_grant(heard.status, &heard.body).ok_or(LoginError::UnexpectedResponse(heard.status))
}

/// Gets a token for a name and a password.
///
/// # Errors
/// The server does not accept them.
pub async fn by_name(
    desk: &LoginClient,
    place: &Endpoint,
    name: &str,
    password: &Secret,
) -> Result<LoginGrant, LoginError> {
    let heard = desk.ask(place, jellyfin::password_request(&desk.device, name, password)).await?;
    match heard.status {
        401 | 403 => Err(LoginError::WrongPassword),
        status => jellyfin::parse_grant(status, &heard.body).ok_or(LoginError::UnexpectedResponse(status)),
    }
}
