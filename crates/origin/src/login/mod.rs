//! Gets an owner token without handling one: it shows a code, a person approves it in a browser, and the token goes
//! straight into a file that only this user may read.
//!
//! Modules: [`plex`], [`jellyfin`] (the requests and their order), [`error`] (errors and remedies).

pub mod error;
pub mod jellyfin;
pub mod plex;

use greenroom_cache::clock::millis;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::{LoginDevice, LoginStatus, authenticated_get};
use greenroom_dialect::permissions::{PermissionProbe, Permissions};
use greenroom_dialect::request::ServerKind;

use crate::probe_client::{ProbeClient, ProbeError, ProbeResponse, ProbeTrust};
pub use error::LoginError;
use greenroom_config::Endpoint;

/// Interval of polls for the approval.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Max consecutive failed polls: a brief network failure does not end a login.
const MAX_UNEXPECTED: u32 = 5;
/// Timeout of one request, and max bytes of its response.
const TIMEOUT: Duration = Duration::from_secs(15);
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Client of a login.
#[derive(Debug)]
pub struct LoginClient {
    /// Sends the requests.
    pub probe_client: ProbeClient,
    /// Describes this device.
    pub device: LoginDevice,
    /// The clock.
    pub clock: Clock,
}

impl LoginClient {
    /// A client for this device, with the system's trusted authorities.
    pub fn new(device: LoginDevice) -> Self {
        let clock = Clock::system();
        Self { probe_client: ProbeClient::new(ProbeTrust::system(), clock.clone(), TIMEOUT, MAX_BYTES), device, clock }
    }

    async fn send(
        &self,
        endpoint: &Endpoint,
        request: http::Request<bytes::Bytes>,
    ) -> Result<ProbeResponse, LoginError> {
        self.probe_client.send(endpoint, request).await.map_err(|error| LoginError::NoResponse(endpoint.url(), error))
    }

    /// Polls every second until the code is approved or expires. `on_tick` receives the seconds left.
    async fn wait<T>(
        &self,
        lifetime_s: u64,
        mut on_tick: impl FnMut(u64),
        mut poll: impl AsyncFnMut() -> Result<LoginStatus<T>, LoginError>,
    ) -> Result<T, LoginError> {
        let deadline_ms = self.clock.now().saturating_add(Duration::from_millis(lifetime_s.saturating_mul(1_000)));
        let mut unexpected = 0;
        loop {
            let remaining_ms = deadline_ms.duration_since(self.clock.now());
            if remaining_ms == Duration::ZERO {
                return Err(LoginError::Expired);
            }
            on_tick(millis(remaining_ms / 1_000));
            match poll().await {
                Ok(LoginStatus::Approved(grant)) => return Ok(grant),
                Ok(LoginStatus::Pending) => unexpected = 0,
                Ok(LoginStatus::Expired) => return Err(LoginError::Expired),
                result => {
                    unexpected += 1;
                    if unexpected >= MAX_UNEXPECTED {
                        return Err(match result {
                            Err(error) => error,
                            Ok(LoginStatus::Unexpected(status)) => LoginError::UnexpectedResponse(status),
                            Ok(_) => LoginError::Expired,
                        });
                    }
                }
            }
            self.clock.sleep(POLL_INTERVAL).await;
        }
    }
}

/// Permissions of a token at a server.
///
/// # Errors
/// The server does not answer.
pub async fn permissions(
    probe_client: &ProbeClient,
    kind: ServerKind,
    endpoint: &Endpoint,
    token: &Secret,
) -> Result<Permissions, ProbeError> {
    let mut responses: Vec<ProbeResponse> = Vec::new();
    loop {
        let read: Vec<(u16, &[u8])> = responses.iter().map(|one| (one.status, one.body.as_ref())).collect();
        match kind.permission_probe(&read) {
            PermissionProbe::Done(permissions) => return Ok(permissions),
            PermissionProbe::Request(target) => {
                responses
                    .push(probe_client.send(endpoint, authenticated_get(kind, target, Some(token.clone()))).await?);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn login_client() -> LoginClient {
        let device = LoginDevice { identifier: "d".into(), name: "n".into(), version: "0".into() };
        let clock = Clock::system();
        let trust = ProbeTrust::system();
        LoginClient { probe_client: ProbeClient::new(trust, clock.clone(), TIMEOUT, MAX_BYTES), device, clock }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unapproved_code_is_polled_until_it_expires() {
        let (ticks, polls) = (RefCell::new(Vec::new()), RefCell::new(0));
        let waited = login_client()
            .wait(
                5,
                |left_s| ticks.borrow_mut().push(left_s),
                async || {
                    *polls.borrow_mut() += 1;
                    Ok(LoginStatus::<()>::Pending)
                },
            )
            .await;
        assert_eq!(waited, Err(LoginError::Expired));
        assert_eq!(*polls.borrow(), 5);
        assert_eq!(*ticks.borrow(), [5, 4, 3, 2, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_failure_does_not_end_a_login_and_a_lasting_one_does() {
        let polls = RefCell::new(0);
        let hiccup = login_client()
            .wait(
                60,
                |_| (),
                async || {
                    *polls.borrow_mut() += 1;
                    match *polls.borrow() {
                        1..4 => Err(LoginError::NoResponse("x".into(), ProbeError::BrokeOff)),
                        4 => Ok(LoginStatus::Unexpected(502)),
                        _ => Ok(LoginStatus::Approved(7)),
                    }
                },
            )
            .await;
        assert_eq!(hiccup, Ok(7));
        let lasting = login_client().wait(60, |_| (), async || Ok(LoginStatus::<()>::Unexpected(502))).await;
        assert_eq!(lasting, Err(LoginError::UnexpectedResponse(502)));
        let gone = login_client().wait(60, |_| (), async || Ok(LoginStatus::<()>::Expired)).await;
        assert_eq!(gone, Err(LoginError::Expired));
    }
}
