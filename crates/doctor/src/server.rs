//! Gathers facts on a media server by a handful of requests, each with a timeout.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use greenroom_cache::Clock;
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::authenticated_get;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::ServerIdentity;
use http::header::DATE;

use super::facts::{IdentityResponse, ServerFacts};
use greenroom_config::Endpoint;
use greenroom_origin::login;
use greenroom_origin::probe_client::{ProbeClient, ProbeError, ProbeResponse};
use greenroom_state::secrets::new_token;

/// Folder of the servers' own web page, which is often copied from a browser along with the address.
const WEB_PAGE: &str = "/web";
/// Base paths that servers and their reverse proxies commonly use.
const USUAL_BASE_PATHS: [&str; 4] = ["", "/jellyfin", "/emby", "/plex"];

struct ServerProbe<'a> {
    probe_client: &'a ProbeClient,
    kind: ServerKind,
    clock: Clock,
}

/// Gathers the facts that the checks need.
pub async fn gather(
    server: &greenroom_config::ServerSettings,
    enquirer: &ProbeClient,
    data_dir: &Path,
    container: bool,
) -> ServerFacts {
    let place = Endpoint::from_server(server);
    let asking = ServerProbe { probe_client: enquirer, kind: server.kind, clock: Clock::system() };
    let said = asking.identify(&place).await;
    let identity = said.as_ref().ok().map(|said| said.identity.clone());
    let mut facts = ServerFacts {
        name: server.name.clone(),
        kind: server.kind,
        url_place: server.url_place.clone(),
        data_dir: data_dir.to_owned(),
        addresses: enquirer.resolve(&place).await,
        encryption: asking.encryption(&place, &said).await,
        server_elsewhere: None,
        has_token: server.token.is_some(),
        permissions: None,
        without_token: None,
        with_invented_token: None,
        container,
        endpoint: place,
        identity_response: said,
    };
    let is_unknown = matches!(identity, Some(ServerIdentity::Unrecognized(_)));
    match identity {
        Some(ServerIdentity::Expected(_)) => {
            asking.try_tokens(server.token.as_ref(), &mut facts).await;
        }
        Some(
            ServerIdentity::OtherKind(_)
            | ServerIdentity::Emby { .. }
            | ServerIdentity::Failing { .. }
            | ServerIdentity::Unrecognized(_),
        ) => facts.server_elsewhere = asking.find_base_path(&facts.endpoint, is_unknown).await,
        Some(ServerIdentity::Starting { .. } | ServerIdentity::EncryptionRequired) | None => {}
    }
    facts
}

impl ServerProbe<'_> {
    async fn identify(&self, place: &Endpoint) -> Result<IdentityResponse, ProbeError> {
        let began_ms = self.clock.now_ms();
        let request = authenticated_get(self.kind, self.kind.identity_path(), None);
        let first = self.probe_client.send(place, request).await?;
        let now_ms = self.clock.now_ms();
        Ok(IdentityResponse {
            identity: self.probe_client.identify_after(self.kind, place, &first).await,
            took_ms: now_ms.saturating_sub(began_ms),
            clock_ahead_s: clock_ahead_s(&first, began_ms.midpoint(now_ms)),
        })
    }

    /// With `https` the fault of the TLS connection; with `http` whether the server requires TLS.
    async fn encryption(
        &self,
        place: &Endpoint,
        said: &Result<IdentityResponse, ProbeError>,
    ) -> Option<Result<(), ProbeError>> {
        let wanted = match said {
            _ if place.is_encrypted() => true,
            Ok(said) => said.identity == ServerIdentity::EncryptionRequired,
            Err(silence) => matches!(silence, ProbeError::BrokeOff | ProbeError::NotHttp),
        };
        if !wanted {
            return None;
        }
        Some(self.probe_client.check_certificate(&place.with_encryption(true)).await)
    }

    async fn try_tokens(&self, token: Option<&Secret>, facts: &mut ServerFacts) {
        let invented = Secret::new(new_token());
        facts.without_token = self.status_of_protected_read(&facts.endpoint, None).await;
        facts.with_invented_token = self.status_of_protected_read(&facts.endpoint, Some(invented)).await;
        if let Some(token) = token {
            let rights = login::permissions(self.probe_client, self.kind, &facts.endpoint, token).await;
            facts.permissions = Some(rights);
        }
    }

    async fn status_of_protected_read(&self, place: &Endpoint, token: Option<Secret>) -> Option<u16> {
        let request = authenticated_get(self.kind, self.kind.authenticated_path(), token);
        self.probe_client.send(place, request).await.ok().map(|heard| heard.status)
    }

    /// The base path at which the server answers, or, if `any_kind` may, one of the other kind.
    async fn find_base_path(&self, place: &Endpoint, any_kind: bool) -> Option<(String, ServerKind)> {
        let before_web_page = place.base_path().split_once(WEB_PAGE).map(|(before, _)| before);
        let candidates = before_web_page.into_iter().chain(USUAL_BASE_PATHS);
        for base_path in candidates.filter(|base_path| *base_path != place.base_path()) {
            let request = authenticated_get(self.kind, self.kind.identity_path(), None);
            let elsewhere = place.with_base_path(base_path);
            let Ok(heard) = self.probe_client.send(&elsewhere, request).await else { continue };
            match self.probe_client.identify_after(self.kind, &elsewhere, &heard).await {
                ServerIdentity::Expected(_) => return Some((base_path.to_owned(), self.kind)),
                ServerIdentity::OtherKind(found) if any_kind => return Some((base_path.to_owned(), found.kind)),
                _ => {}
            }
        }
        None
    }
}

/// Seconds by which the `Date` of a response is ahead of our time, in milliseconds since 1970.
pub(crate) fn clock_ahead_s(heard: &ProbeResponse, our_ms: u64) -> Option<i64> {
    let date = httpdate::parse_http_date(heard.headers.get(DATE)?.to_str().ok()?).ok()?;
    let ours = UNIX_EPOCH + Duration::from_millis(our_ms);
    let ahead = date.duration_since(ours).map(|ahead| i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX));
    Some(ahead.unwrap_or_else(|error| -i64::try_from(error.duration().as_secs()).unwrap_or(i64::MAX)))
}
