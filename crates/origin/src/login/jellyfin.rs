//! Logging in at a Jellyfin: by a code, or by name and password where codes are switched off.

use greenroom_dialect::ask::Kind;
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::jellyfin;
use greenroom_dialect::login::jellyfin::{Code, Grant, LIFETIME_S};
use greenroom_dialect::server_identity::ServerIdentity;

use super::{Desk, Trouble};
use greenroom_config::Place;

/// Makes sure that a Jellyfin answers, before anybody is asked for a code or a password.
///
/// # Errors
/// [`Trouble::NotJellyfin`] if something else answers; [`Trouble::Silent`] if nothing does.
pub async fn recognise(desk: &Desk, place: &Place) -> Result<(), Trouble> {
    let identified = desk.enquirer.identify(Kind::Jellyfin, place).await;
    match identified.map_err(|silence| Trouble::Silent(place.url(), silence))? {
        ServerIdentity::Expected(_) => Ok(()),
        other => Err(Trouble::NotJellyfin(place.url(), other)),
    }
}

/// Gets a code.
///
/// # Errors
/// [`Trouble::CodesOff`] if the server gives none; what else may go wrong.
pub async fn begin(desk: &Desk, place: &Place) -> Result<Code, Trouble> {
    let heard = desk.ask(place, jellyfin::enabled(&desk.device)).await?;
    match jellyfin::is_enabled(heard.status, &heard.body) {
        Some(true) => {}
        Some(false) => return Err(Trouble::CodesOff),
        None => return Err(Trouble::NotUnderstood(heard.status)),
    }
    let heard = desk.ask(place, jellyfin::begin(&desk.device)).await?;
    jellyfin::begun(heard.status, &heard.body).ok_or(Trouble::NoCode(heard.status))
}

/// Waits until somebody agreed, then takes the token. `tick` is told how many seconds are left.
///
/// # Errors
/// If nobody does in time, or nobody can be asked.
pub async fn wait(desk: &Desk, place: &Place, code: &Code, tick: impl FnMut(u64)) -> Result<Grant, Trouble> {
    desk.wait(LIFETIME_S, tick, async || {
        let heard = desk.ask(place, jellyfin::look(&desk.device, code)).await?;
        Ok(jellyfin::looked(heard.status, &heard.body))
    })
    .await?;
    let heard = desk.ask(place, jellyfin::redeem(&desk.device, code)).await?;
    jellyfin::granted(heard.status, &heard.body).ok_or(Trouble::NotUnderstood(heard.status))
}

/// Takes a token for a name and a password.
///
/// # Errors
/// If the server does not accept them.
pub async fn by_name(desk: &Desk, place: &Place, name: &str, password: &Secret) -> Result<Grant, Trouble> {
    let heard = desk.ask(place, jellyfin::by_name(&desk.device, name, password)).await?;
    match heard.status {
        401 | 403 => Err(Trouble::WrongPassword),
        status => jellyfin::granted(status, &heard.body).ok_or(Trouble::NotUnderstood(status)),
    }
}
