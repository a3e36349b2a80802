//! The control token while the process runs: when it was renewed beside it, the new one counts and the old one is
//! worth nothing.

use std::time::{Duration, SystemTime};

use greenroom_upstream::credential::Secret;
use parking_lot::Mutex;

use crate::keys::DataDir;

/// How often its file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The token, and where it is kept.
#[derive(Debug)]
pub struct Token {
    /// Where it is kept; a token that is kept nowhere stays what it is.
    dir: Option<DataDir>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    secret: Secret,
    written: Option<SystemTime>,
    looked_ms: u64,
}

impl Token {
    /// The token of this directory as it is now.
    ///
    /// # Errors
    /// If it can be neither read nor made.
    pub fn of(dir: DataDir) -> Result<Self, String> {
        let secret = dir.control_token()?.secret;
        let written = dir.control_token_written();
        Ok(Self { dir: Some(dir), held: Mutex::new(Held { secret, written, looked_ms: 0 }) })
    }

    /// A token that is kept nowhere.
    pub fn fixed(secret: Secret) -> Self {
        Self { dir: None, held: Mutex::new(Held { secret, written: None, looked_ms: 0 }) }
    }

    /// The token.
    pub(super) fn secret(&self) -> Secret {
        self.held.lock().secret.clone()
    }

    /// Whether another token counts since this was asked last.
    pub(super) fn was_renewed(&self, now_ms: u64) -> bool {
        let Some(dir) = &self.dir else { return false };
        let mut held = self.held.lock();
        let every_ms = u64::try_from(LOOK_EVERY.as_millis()).unwrap_or(u64::MAX);
        if now_ms.saturating_sub(held.looked_ms) < every_ms {
            return false;
        }
        held.looked_ms = now_ms;
        let written = dir.control_token_written();
        // A file that is gone for a moment is being written.
        if written.is_none() || written == held.written {
            return false;
        }
        let Ok(token) = dir.control_token() else { return false };
        held.written = written;
        let is_other = token.secret != held.secret;
        held.secret = token.secret;
        is_other
    }
}
