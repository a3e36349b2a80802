//! Logging in at plex.tv, then finding the servers of the account.

use greenroom_dialect::ask::Kind;
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::plex;
use greenroom_dialect::login::plex::{AccountServer, Form, Pin};
use greenroom_dialect::server_identity::ServerIdentity;

use super::{Desk, Trouble};
use greenroom_config::Place;

/// A code a person is to agree to.
#[derive(Debug)]
pub struct Begun {
    pin: Pin,
    /// What to type, if it is to be typed.
    pub code: String,
    /// Where.
    pub address: String,
    /// How long it is good for.
    pub lifetime_s: u64,
}

/// Gets a code.
///
/// # Errors
/// If there is none to be had.
pub async fn begin(desk: &Desk, account: &Place, form: Form) -> Result<Begun, Trouble> {
    let heard = desk.ask(account, plex::begin(&desk.device, form)).await?;
    let pin = plex::begun(heard.status, &heard.body).ok_or(Trouble::NoCode(heard.status))?;
    Ok(Begun {
        address: plex::address(&desk.device, &pin, form),
        code: pin.code.clone(),
        lifetime_s: pin.lifetime_s,
        pin,
    })
}

/// Waits until somebody agreed; the token of the account. `tick` is told how many seconds are left.
///
/// # Errors
/// If nobody does in time, or nobody can be asked.
pub async fn wait(
    desk: &Desk,
    account: &Place,
    begun: &Begun,
    tick: impl FnMut(u64),
) -> Result<Secret, Trouble> {
    desk.wait(begun.lifetime_s, tick, async || {
        let heard = desk.ask(account, plex::look(&desk.device, &begun.pin)).await?;
        Ok(plex::looked(heard.status, &heard.body))
    })
    .await
}

/// The servers of the account, its own first.
///
/// # Errors
/// If they are not told.
pub async fn servers(desk: &Desk, account: &Place, token: &Secret) -> Result<Vec<AccountServer>, Trouble> {
    let heard = desk.ask(account, plex::servers(&desk.device, token)).await?;
    plex::servers_of(heard.status, &heard.body).ok_or(Trouble::NotUnderstood(heard.status))
}

/// Which server answers at an address, if anything does.
pub async fn identity(desk: &Desk, place: &Place) -> Option<ServerIdentity> {
    desk.enquirer.identify(Kind::Plex, place).await.ok()
}

/// The server at an address: the one that says it is, whatever the address is called; where none answers, the one
/// that has this address for the account.
pub fn at<'a>(
    servers: &'a [AccountServer],
    place: &Place,
    identifier: Option<&str>,
) -> Option<&'a AccountServer> {
    match identifier {
        Some(identifier) => servers.iter().find(|server| server.identifier == identifier),
        None => servers.iter().find(|server| is_at(server, place)),
    }
}

/// The only server the account owns.
pub fn only_owned(servers: &[AccountServer]) -> Option<&AccountServer> {
    let mut owned = servers.iter().filter(|server| server.owned);
    owned.next().filter(|_| owned.next().is_none())
}

fn is_at(server: &AccountServer, place: &Place) -> bool {
    server.addresses.iter().any(|address| {
        let by_name = Place::parse(&address.url).is_some_and(|other| other.host() == place.host());
        address.port == place.port() && (address.host == place.host() || by_name)
    })
}

/// The address to configure: at home without encryption, unless the server demands it.
pub fn url_of(server: &AccountServer) -> Option<String> {
    let nearest = server.addresses.first()?;
    if server.https_required {
        return Some(nearest.url.clone());
    }
    let host = if nearest.host.contains(':') { format!("[{}]", nearest.host) } else { nearest.host.clone() };
    match nearest.reach {
        plex::Reach::Home => Some(format!("http://{host}:{}", nearest.port)),
        plex::Reach::Public | plex::Reach::Relay => Some(nearest.url.clone()),
    }
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::login::plex::{Address, Reach};

    use super::*;

    fn server(name: &str, host: &str, owned: bool, https_required: bool) -> AccountServer {
        let url = format!("https://{}.abc.plex.direct:32400", host.replace('.', "-"));
        let address = Address { host: host.into(), port: 32400, url, reach: Reach::Home };
        AccountServer {
            identifier: format!("id-{name}"),
            name: name.into(),
            version: String::new(),
            owned,
            token: None,
            https_required,
            addresses: vec![address],
        }
    }

    #[test]
    fn the_server_is_the_one_that_answers_at_the_address_or_has_it_or_the_only_owned_one() {
        let servers = [server("a", "10.0.0.1", true, false), server("b", "10.0.0.2", false, false)];
        assert_eq!(only_owned(&servers).map(|one| one.name.as_str()), Some("a"));
        let place = |text| Place::parse(text).expect("an address");
        let named = |text, says| super::at(&servers, &place(text), says).map(|one| one.name.as_str());
        let at = |text| named(text, None);
        assert_eq!(named("http://nas.lan:32400", Some("id-b")), Some("b"));
        assert_eq!(named("http://10.0.0.2:32400", Some("id-of-another")), None, "another one answers there");
        assert_eq!(at("http://10.0.0.2:32400"), Some("b"));
        assert_eq!(at("https://10-0-0-1.abc.plex.direct:32400"), Some("a"));
        assert_eq!(at("http://10.0.0.1:1"), None);
        let two = [server("a", "10.0.0.1", true, false), server("c", "10.0.0.3", true, false)];
        assert!(only_owned(&two).is_none());
    }

    #[test]
    fn the_configured_address_is_plain_at_home_unless_encryption_is_demanded() {
        assert_eq!(url_of(&server("a", "10.0.0.1", true, false)).as_deref(), Some("http://10.0.0.1:32400"));
        assert_eq!(
            url_of(&server("a", "10.0.0.1", true, true)).as_deref(),
            Some("https://10-0-0-1.abc.plex.direct:32400")
        );
    }
}
