//! The tokens of the control plane while the process runs: when one was renewed beside it, the new one counts and the old
//! one is worth nothing.

use std::time::{Duration, SystemTime};

use greenroom_upstream::credential::Secret;
use parking_lot::Mutex;

use super::facts::is_same_secret;
use crate::keys::DataDir;

/// How often their files are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The tokens, and where they are kept.
#[derive(Debug)]
pub struct Token {
    /// Where they are kept; a token that is kept nowhere stays what it is.
    dir: Option<DataDir>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    /// What may everything.
    control: One,
    /// What only reads, where there is one.
    reads: Option<One>,
    looked_ms: u64,
}

/// One token, and when its file was written.
#[derive(Debug)]
struct One {
    secret: Secret,
    written: Option<SystemTime>,
    /// How often it was renewed since start.
    renewals: u64,
}

/// What a token is good for, and which one it was: worth nothing any more when it was renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// Everything.
    Control(u64),
    /// Reading.
    Reads(u64),
}

impl Token {
    /// The tokens of this directory as they are now.
    ///
    /// # Errors
    /// If one can be neither read nor made.
    pub fn of(dir: DataDir) -> Result<Self, String> {
        let control = One::new(dir.control_token()?.secret, dir.control_token_written());
        let reads = Some(One::new(dir.read_token()?, dir.read_token_written()));
        Ok(Self { dir: Some(dir), held: Mutex::new(Held { control, reads, looked_ms: 0 }) })
    }

    /// A control token that is kept nowhere; there is none that only reads.
    pub fn fixed(secret: Secret) -> Self {
        let held = Held { control: One::new(secret, None), reads: None, looked_ms: 0 };
        Self { dir: None, held: Mutex::new(held) }
    }

    /// Whether this is the control token.
    pub(super) fn is_control(&self, shown: &[u8]) -> bool {
        self.held.lock().control.is(shown)
    }

    /// What a token that was shown is good for.
    pub(super) fn worth(&self, shown: &[u8]) -> Option<Worth> {
        let held = self.held.lock();
        // Both are compared whatever comes of the first: time tells nothing.
        let (is_control, reads) = (held.control.is(shown), held.reads.as_ref().filter(|one| one.is(shown)));
        if is_control {
            return Some(Worth::Control(held.control.renewals));
        }
        reads.map(|one| Worth::Reads(one.renewals))
    }

    /// Whether a token that was shown earlier still counts.
    pub(super) fn still_holds(&self, worth: Worth) -> bool {
        let held = self.held.lock();
        match worth {
            Worth::Control(renewals) => held.control.renewals == renewals,
            Worth::Reads(renewals) => held.reads.as_ref().is_some_and(|one| one.renewals == renewals),
        }
    }

    /// Looks whether they were renewed. Tells whether another control token counts since this was asked last.
    pub(super) fn was_renewed(&self, now_ms: u64) -> bool {
        let Some(dir) = &self.dir else { return false };
        let mut held = self.held.lock();
        let every_ms = u64::try_from(LOOK_EVERY.as_millis()).unwrap_or(u64::MAX);
        if now_ms.saturating_sub(held.looked_ms) < every_ms {
            return false;
        }
        held.looked_ms = now_ms;
        if let Some(reads) = &mut held.reads {
            reads.look(dir.read_token_written(), || dir.read_token());
        }
        held.control.look(dir.control_token_written(), || dir.control_token().map(|token| token.secret))
    }
}

impl One {
    fn new(secret: Secret, written: Option<SystemTime>) -> Self {
        Self { secret, written, renewals: 0 }
    }

    fn is(&self, shown: &[u8]) -> bool {
        is_same_secret(shown, self.secret.expose().as_bytes())
    }

    /// Reads its file again if it was written since. Whether it is another token now.
    fn look(&mut self, written: Option<SystemTime>, read: impl FnOnce() -> Result<Secret, String>) -> bool {
        // A file that is gone for a moment is being written.
        if written.is_none() || written == self.written {
            return false;
        }
        let Ok(secret) = read() else { return false };
        self.written = written;
        let is_other = secret != self.secret;
        if is_other {
            self.secret = secret;
            self.renewals += 1;
        }
        is_other
    }
}
