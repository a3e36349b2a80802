//! Login at plex.tv, and search for the account's servers.

use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::plex;
use greenroom_dialect::login::plex::{AccountServer, LoginPin, PinFormat};
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::ServerIdentity;

use super::{LoginClient, LoginError};
use greenroom_config::Endpoint;

/// A code to be approved by a person.
#[derive(Debug)]
pub struct PendingLogin {
    pin: LoginPin,
    /// The code to type, where it has to be typed.
    pub code: String,
    /// The address to open.
    pub address: String,
    /// Seconds until the code expires.
    pub lifetime_s: u64,
}

/// Requests a code.
///
/// # Errors
/// No code is issued.
pub async fn begin(login: &LoginClient, account: &Endpoint, format: PinFormat) -> Result<PendingLogin, LoginError> {
    let response = login.send(account, plex::pin_request(&login.device, format)).await?;
    let pin = plex::parse_pin(response.status, &response.body).ok_or(LoginError::NoCode(response.status))?;
    Ok(PendingLogin {
        address: plex::approval_url(&login.device, &pin, format),
        code: pin.code.clone(),
        lifetime_s: pin.lifetime_s,
        pin,
    })
}

/// Waits until the code is approved; returns the account's token. `on_tick` receives the seconds left.
///
/// # Errors
/// The code is not approved in time, or plex.tv does not answer.
pub async fn wait(
    login: &LoginClient,
    account: &Endpoint,
    pending: &PendingLogin,
    on_tick: impl FnMut(u64),
) -> Result<Secret, LoginError> {
    login
        .wait(pending.lifetime_s, on_tick, async || {
            let response = login.send(account, plex::status_request(&login.device, &pending.pin)).await?;
            Ok(plex::parse_status(response.status, &response.body))
        })
        .await
}

/// The account's servers, its own first.
///
/// # Errors
/// plex.tv does not list them.
pub async fn servers(
    login: &LoginClient,
    account: &Endpoint,
    token: &Secret,
) -> Result<Vec<AccountServer>, LoginError> {
    let response = login.send(account, plex::servers_request(&login.device, token)).await?;
    plex::parse_servers(response.status, &response.body).ok_or(LoginError::UnexpectedResponse(response.status))
}

/// Identity of the server at an address, if one answers.
pub async fn identity(login: &LoginClient, endpoint: &Endpoint) -> Option<ServerIdentity> {
    login.probe_client.identify(ServerKind::Plex, endpoint).await.ok()
}

/// The server at an address: by its identity, whatever the address; without an identity, the one the account lists at
/// this address.
pub fn at<'a>(
    servers: &'a [AccountServer],
    endpoint: &Endpoint,
    identifier: Option<&str>,
) -> Option<&'a AccountServer> {
    match identifier {
        Some(identifier) => servers.iter().find(|server| server.identifier == identifier),
        None => servers.iter().find(|server| is_at(server, endpoint)),
    }
}

/// The only server the account owns.
pub fn only_owned(servers: &[AccountServer]) -> Option<&AccountServer> {
    let mut owned = servers.iter().filter(|server| server.owned);
    owned.next().filter(|_| owned.next().is_none())
}

fn is_at(server: &AccountServer, endpoint: &Endpoint) -> bool {
    server.addresses.iter().any(|address| {
        let by_name = Endpoint::parse(&address.url).is_some_and(|other| other.host() == endpoint.host());
        address.port == endpoint.port() && (address.host == endpoint.host() || by_name)
    })
}

/// The URL to configure: in the local network without encryption, unless the server requires it.
pub fn url_of(server: &AccountServer) -> Option<String> {
    let nearest = server.addresses.first()?;
    if server.https_required {
        return Some(nearest.url.clone());
    }
    let host = if nearest.host.contains(':') { format!("[{}]", nearest.host) } else { nearest.host.clone() };
    match nearest.scope {
        plex::AddressScope::Home => Some(format!("http://{host}:{}", nearest.port)),
        plex::AddressScope::Public | plex::AddressScope::Relay => Some(nearest.url.clone()),
    }
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::login::plex::{AddressScope, ServerAddress};

    use super::*;

    fn server(name: &str, host: &str, owned: bool, https_required: bool) -> AccountServer {
        let url = format!("https://{}.abc.plex.direct:32400", host.replace('.', "-"));
        let address = ServerAddress { host: host.into(), port: 32400, url, scope: AddressScope::Home };
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
    fn the_server_is_found_by_identity_address_or_as_the_only_owned_one() {
        let servers = [server("a", "10.0.0.1", true, false), server("b", "10.0.0.2", false, false)];
        assert_eq!(only_owned(&servers).map(|server| server.name.as_str()), Some("a"));
        let endpoint = |text| Endpoint::parse(text).expect("an address");
        let named =
            |text, identifier| super::at(&servers, &endpoint(text), identifier).map(|server| server.name.as_str());
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
