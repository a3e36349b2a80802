//! Gets an owner token without handling one: it shows a code, a person approves it in a browser, and the token goes
//! straight into a file that only this user may read.
//!
//! Modules: [`plex`], [`jellyfin`] (the requests and their order), [`error`] (errors and remedies).

pub mod error;
pub mod jellyfin;
pub mod plex;

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
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Max consecutive failed polls: a brief network failure does not end a login.
const MAX_ODD_LOOKS: u32 = 5;
/// Timeout of one request, and max bytes of its response.
const PATIENCE: Duration = Duration::from_secs(15);
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
        Self { probe_client: ProbeClient::new(ProbeTrust::system(), clock.clone(), PATIENCE, MAX_BYTES), device, clock }
    }

    async fn ask(&self, place: &Endpoint, request: http::Request<bytes::Bytes>) -> Result<ProbeResponse, LoginError> {
        self.probe_client.send(place, request).await.map_err(|silence| LoginError::NoResponse(place.url(), silence))
    }

    /// Polls every second until the code is approved or expires. `tick` receives the seconds left.
    async fn wait<T>(
        &self,
        lifetime_s: u64,
        mut tick: impl FnMut(u64),
        mut look: impl AsyncFnMut() -> Result<LoginStatus<T>, LoginError>,
    ) -> Result<T, LoginError> {
        let ends_ms = self.clock.now_ms().saturating_add(lifetime_s.saturating_mul(1_000));
        let mut odd = 0;
        loop {
            let left_ms = ends_ms.saturating_sub(self.clock.now_ms());
            if left_ms == 0 {
                return Err(LoginError::Expired);
            }
            tick(left_ms / 1_000);
            match look().await {
                Ok(LoginStatus::Approved(given)) => return Ok(given),
                Ok(LoginStatus::Pending) => odd = 0,
                Ok(LoginStatus::Expired) => return Err(LoginError::Expired),
                failed => {
                    odd += 1;
                    if odd >= MAX_ODD_LOOKS {
                        return Err(match failed {
                            Err(trouble) => trouble,
                            Ok(LoginStatus::Unexpected(status)) => LoginError::UnexpectedResponse(status),
                            Ok(_) => LoginError::Expired,
                        });
                    }
                }
            }
            self.clock.sleep(LOOK_EVERY).await;
        }
    }
}

/// Permissions of a token at a server.
///
/// # Errors
/// The server does not answer.
pub async fn permissions(
    enquirer: &ProbeClient,
    kind: ServerKind,
    place: &Endpoint,
    token: &Secret,
) -> Result<Permissions, ProbeError> {
    let mut heard: Vec<ProbeResponse> = Vec::new();
    loop {
        let answers: Vec<(u16, &[u8])> = heard.iter().map(|one| (one.status, one.body.as_ref())).collect();
        match kind.permission_probe(&answers) {
            PermissionProbe::Done(rights) => return Ok(rights),
            PermissionProbe::Request(target) => {
                heard.push(enquirer.send(place, authenticated_get(kind, target, Some(token.clone()))).await?);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn desk() -> LoginClient {
        let device = LoginDevice { identifier: "d".into(), name: "n".into(), version: "0".into() };
        let clock = Clock::system();
        let trust = ProbeTrust::system();
        LoginClient { probe_client: ProbeClient::new(trust, clock.clone(), PATIENCE, MAX_BYTES), device, clock }
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_that_nobody_agrees_to_is_waited_for_until_its_time_is_over() {
        let (ticks, looks) = (RefCell::new(Vec::new()), RefCell::new(0));
        let waited = desk()
            .wait(
                5,
                |left_s| ticks.borrow_mut().push(left_s),
                async || {
                    *looks.borrow_mut() += 1;
                    Ok(LoginStatus::<()>::Pending)
                },
            )
            .await;
        assert_eq!(waited, Err(LoginError::Expired));
        assert_eq!(*looks.borrow(), 5);
        assert_eq!(*ticks.borrow(), [5, 4, 3, 2, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hiccup_does_not_end_a_login_and_a_lasting_fault_does() {
        let looks = RefCell::new(0);
        let hiccup = desk()
            .wait(
                60,
                |_| (),
                async || {
                    *looks.borrow_mut() += 1;
                    match *looks.borrow() {
                        1..4 => Err(LoginError::NoResponse("x".into(), ProbeError::BrokeOff)),
                        4 => Ok(LoginStatus::Unexpected(502)),
                        _ => Ok(LoginStatus::Approved(7)),
                    }
                },
            )
            .await;
        assert_eq!(hiccup, Ok(7));
        let lasting = desk().wait(60, |_| (), async || Ok(LoginStatus::<()>::Unexpected(502))).await;
        assert_eq!(lasting, Err(LoginError::UnexpectedResponse(502)));
        let gone = desk().wait(60, |_| (), async || Ok(LoginStatus::<()>::Expired)).await;
        assert_eq!(gone, Err(LoginError::Expired));
    }
}
