//! Gathering what is known of a media server: a handful of questions, each bounded.

use std::time::{Duration, UNIX_EPOCH};

use greenroom_cache::Clock;
use greenroom_dialect::ask::Kind;
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::question;
use greenroom_dialect::server_identity::ServerIdentity;
use http::header::DATE;

use super::facts::{Said, ServerFacts};
use greenroom_config::Place;
use greenroom_origin::login;
use greenroom_origin::probe_client::{Enquirer, Heard, Silence};
use greenroom_state::secrets::new_token;

/// Paths before all paths that servers and their proxies usually have.
const USUAL_BASE_PATHS: [&str; 4] = ["", "/jellyfin", "/emby", "/plex"];

struct Asking<'a> {
    enquirer: &'a Enquirer,
    kind: Kind,
    clock: Clock,
}

/// Asks a server everything the checks want to know.
pub async fn gather(server: &greenroom_config::Server, enquirer: &Enquirer, container: bool) -> ServerFacts {
    let place = Place::of(server);
    let asking = Asking { enquirer, kind: server.kind, clock: Clock::system() };
    let said = asking.who_is_there(&place).await;
    let identity = said.as_ref().ok().map(|said| said.identity.clone());
    let mut facts = ServerFacts {
        name: server.name.clone(),
        kind: server.kind,
        addresses: enquirer.resolve(&place).await,
        encryption: asking.encryption(&place, &said).await,
        base_path_that_answers: None,
        has_token: server.token.is_some(),
        rights: None,
        without_token: None,
        with_invented_token: None,
        container,
        place,
        said,
    };
    match identity {
        Some(ServerIdentity::Expected(_)) => {
            asking.try_tokens(server.token.as_ref(), &mut facts).await;
        }
        Some(
            ServerIdentity::OtherKind(_)
            | ServerIdentity::Emby { .. }
            | ServerIdentity::Failing { .. }
            | ServerIdentity::SomethingElse(_),
        ) => facts.base_path_that_answers = asking.find_base_path(&facts.place).await,
        Some(ServerIdentity::Starting { .. } | ServerIdentity::WantsEncryption) | None => {}
    }
    facts
}

impl Asking<'_> {
    async fn who_is_there(&self, place: &Place) -> Result<Said, Silence> {
        let began_ms = self.clock.now_ms();
        let request = question(self.kind, self.kind.identity_path(), None);
        let first = self.enquirer.ask(place, request).await?;
        let now_ms = self.clock.now_ms();
        Ok(Said {
            identity: self.enquirer.identify_after(self.kind, place, &first).await,
            took_ms: now_ms.saturating_sub(began_ms),
            clock_ahead_s: clock_ahead_s(&first, began_ms.midpoint(now_ms)),
        })
    }

    /// With `https` what is wrong with it; with `http` whether the server would rather be asked so.
    async fn encryption(&self, place: &Place, said: &Result<Said, Silence>) -> Option<Result<(), Silence>> {
        let wanted = match said {
            _ if place.is_encrypted() => true,
            Ok(said) => said.identity == ServerIdentity::WantsEncryption,
            Err(silence) => matches!(silence, Silence::BrokeOff | Silence::NotHttp),
        };
        if !wanted {
            return None;
        }
        Some(self.enquirer.inspect(&place.with_encryption(true)).await)
    }

    async fn try_tokens(&self, token: Option<&Secret>, facts: &mut ServerFacts) {
        let invented = Secret::new(new_token());
        facts.without_token = self.guarded(&facts.place, None).await;
        facts.with_invented_token = self.guarded(&facts.place, Some(invented)).await;
        if let Some(token) = token {
            let rights = login::rights(self.enquirer, self.kind, &facts.place, token).await;
            facts.rights = Some(rights);
        }
    }

    async fn guarded(&self, place: &Place, token: Option<Secret>) -> Option<u16> {
        let request = question(self.kind, self.kind.guarded_path(), token);
        self.enquirer.ask(place, request).await.ok().map(|heard| heard.status)
    }

    async fn find_base_path(&self, place: &Place) -> Option<String> {
        for base_path in USUAL_BASE_PATHS {
            if base_path == place.base_path() {
                continue;
            }
            let request = question(self.kind, self.kind.identity_path(), None);
            let Ok(heard) = self.enquirer.ask(&place.with_base_path(base_path), request).await else {
                continue;
            };
            if heard.server_identity(self.kind).expected().is_some() {
                return Some(base_path.to_owned());
            }
        }
        None
    }
}

fn clock_ahead_s(heard: &Heard, our_ms: u64) -> Option<i64> {
    let date = httpdate::parse_http_date(heard.headers.get(DATE)?.to_str().ok()?).ok()?;
    let ours = UNIX_EPOCH + Duration::from_millis(our_ms);
    let ahead = date.duration_since(ours).map(|ahead| i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX));
    Some(ahead.unwrap_or_else(|error| -i64::try_from(error.duration().as_secs()).unwrap_or(i64::MAX)))
}
