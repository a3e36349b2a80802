//! Getting a token of the owner, without a hand on any token: a code is shown, a person agrees to it in a browser,
//! and what comes back goes straight into a file that only this user may read.
//!
//! Rooms: [`plex`], [`jellyfin`] (what is asked, in which order), [`trouble`] (what may go wrong, and what to do).

pub mod jellyfin;
pub mod plex;
pub mod trouble;

use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::ask::Kind;
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::{Device, Look, question};
use greenroom_dialect::rights::{Inquiry, Rights};

use crate::probe_client::{Enquirer, Heard, Silence, Trust};
use greenroom_config::Place;
pub use trouble::Trouble;

/// How often it is asked whether somebody agreed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks that may fail in a row: a network that hiccups does not end a login.
const MAX_ODD_LOOKS: u32 = 5;
/// How long one question may take, and how long its answer may be.
const PATIENCE: Duration = Duration::from_secs(15);
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What a login needs to ask: who asks, and how.
#[derive(Debug)]
pub struct Desk {
    /// Asks.
    pub enquirer: Enquirer,
    /// What is said of this device.
    pub device: Device,
    /// What time it is.
    pub clock: Clock,
}

impl Desk {
    /// A desk for this device, which believes whom the system believes.
    pub fn new(device: Device) -> Self {
        let clock = Clock::system();
        Self { enquirer: Enquirer::new(Trust::system(), clock.clone(), PATIENCE, MAX_BYTES), device, clock }
    }

    async fn ask(&self, place: &Place, request: http::Request<bytes::Bytes>) -> Result<Heard, Trouble> {
        self.enquirer.ask(place, request).await.map_err(|silence| Trouble::Silent(place.url(), silence))
    }

    /// Looks every second until somebody agreed or the time is over. `tick` is told how many seconds are left.
    async fn wait<T>(
        &self,
        lifetime_s: u64,
        mut tick: impl FnMut(u64),
        mut look: impl AsyncFnMut() -> Result<Look<T>, Trouble>,
    ) -> Result<T, Trouble> {
        let ends_ms = self.clock.now_ms().saturating_add(lifetime_s.saturating_mul(1_000));
        let mut odd = 0;
        loop {
            let left_ms = ends_ms.saturating_sub(self.clock.now_ms());
            if left_ms == 0 {
                return Err(Trouble::Expired);
            }
            tick(left_ms / 1_000);
            match look().await {
                Ok(Look::Agreed(given)) => return Ok(given),
                Ok(Look::Waiting) => odd = 0,
                Ok(Look::Gone) => return Err(Trouble::Expired),
                failed => {
                    odd += 1;
                    if odd >= MAX_ODD_LOOKS {
                        return Err(match failed {
                            Err(trouble) => trouble,
                            Ok(Look::Odd(status)) => Trouble::NotUnderstood(status),
                            Ok(_) => Trouble::Expired,
                        });
                    }
                }
            }
            self.clock.sleep(LOOK_EVERY).await;
        }
    }
}

/// What a token may do at a server.
///
/// # Errors
/// If the server does not answer.
pub async fn rights(
    enquirer: &Enquirer,
    kind: Kind,
    place: &Place,
    token: &Secret,
) -> Result<Rights, Silence> {
    let mut heard: Vec<Heard> = Vec::new();
    loop {
        let answers: Vec<(u16, &[u8])> = heard.iter().map(|one| (one.status, one.body.as_ref())).collect();
        match kind.rights(&answers) {
            Inquiry::Known(rights) => return Ok(rights),
            Inquiry::Ask(target) => {
                heard.push(enquirer.ask(place, question(kind, target, Some(token.clone()))).await?);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn desk() -> Desk {
        let device = Device { identifier: "d".into(), name: "n".into(), version: "0".into() };
        let clock = Clock::system();
        let trust = Trust::system();
        Desk { enquirer: Enquirer::new(trust, clock.clone(), PATIENCE, MAX_BYTES), device, clock }
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
                    Ok(Look::<()>::Waiting)
                },
            )
            .await;
        assert_eq!(waited, Err(Trouble::Expired));
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
                        1..4 => Err(Trouble::Silent("x".into(), Silence::BrokeOff)),
                        4 => Ok(Look::Odd(502)),
                        _ => Ok(Look::Agreed(7)),
                    }
                },
            )
            .await;
        assert_eq!(hiccup, Ok(7));
        let lasting = desk().wait(60, |_| (), async || Ok(Look::<()>::Odd(502))).await;
        assert_eq!(lasting, Err(Trouble::NotUnderstood(502)));
        let gone = desk().wait(60, |_| (), async || Ok(Look::<()>::Gone)).await;
        assert_eq!(gone, Err(Trouble::Expired));
    }
}
