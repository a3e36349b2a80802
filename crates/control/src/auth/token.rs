//! The tokens of the control plane while the process runs: when one was renewed beside it, the new one counts and the old
//! one is worth nothing. Requests compare with what is in memory; the files are read by a task of its own
//! ([`greenroom_state::file_watch`]).

use std::time::SystemTime;

use greenroom_dialect::credential::Secret;
use parking_lot::Mutex;

use crate::Control;
use crate::auth::request::is_same_secret;
use greenroom_state::file_watch::Watched;
use greenroom_state::secrets::DataDir;

/// The tokens, and where they are kept.
#[derive(Debug)]
pub struct Token {
    /// Where they are kept; a token that is kept nowhere stays what it is.
    dir: Option<DataDir>,
    /// What counts. Never locked while a file is read.
    held: Mutex<Held>,
    /// Locked while the files are read, and by nothing that serves requests.
    written: Mutex<Written>,
}

/// When the files were written that were read last.
#[derive(Debug, Default)]
struct Written {
    control: Option<SystemTime>,
    reads: Option<SystemTime>,
}

#[derive(Debug)]
struct Held {
    /// What may everything.
    control: One,
    /// What only reads, where there is one.
    reads: Option<One>,
}

/// One token.
#[derive(Debug)]
struct One {
    secret: Secret,
    /// How often it was renewed since start.
    renewals: u64,
}

/// What a token is good for, and which one it was: worth nothing any more when it was renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
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
        // Made where they are not there yet; then when they were written, before what: a change in between is seen later.
        dir.control_token()?;
        dir.read_token()?;
        let written = Written { control: dir.control_token_written(), reads: dir.read_token_written() };
        let control = One::new(dir.control_token()?.secret);
        let reads = Some(One::new(dir.read_token()?));
        Ok(Self { dir: Some(dir), held: Mutex::new(Held { control, reads }), written: Mutex::new(written) })
    }

    /// A control token that is kept nowhere; there is none that only reads.
    pub fn fixed(secret: Secret) -> Self {
        let held = Held { control: One::new(secret), reads: None };
        Self { dir: None, held: Mutex::new(held), written: Mutex::default() }
    }

    /// Whether this is the control token.
    pub fn is_control(&self, shown: &[u8]) -> bool {
        self.held.lock().control.is(shown)
    }

    /// What a token that was shown is good for.
    pub(crate) fn worth(&self, shown: &[u8]) -> Option<Worth> {
        let held = self.held.lock();
        // Both are compared whatever comes of the first: time tells nothing.
        let (is_control, reads) = (held.control.is(shown), held.reads.as_ref().filter(|one| one.is(shown)));
        if is_control {
            return Some(Worth::Control(held.control.renewals));
        }
        reads.map(|one| Worth::Reads(one.renewals))
    }

    /// Whether a token that was shown earlier still counts.
    pub(crate) fn still_holds(&self, worth: Worth) -> bool {
        let held = self.held.lock();
        match worth {
            Worth::Control(renewals) => held.control.renewals == renewals,
            Worth::Reads(renewals) => held.reads.as_ref().is_some_and(|one| one.renewals == renewals),
        }
    }

    /// Whether the files are being read at this moment.
    #[cfg(test)]
    pub fn is_being_read(&self) -> bool {
        self.written.is_locked()
    }

    /// Reads the files that were written since they were read last. Returns whether another control token counts now. It
    /// reads files: it blocks.
    fn reload(&self) -> bool {
        let Some(dir) = &self.dir else { return false };
        let mut written = self.written.lock();
        let reads = reread(&mut written.reads, dir.read_token_written(), || dir.kept_read_token());
        let control = reread(&mut written.control, dir.control_token_written(), || dir.kept_control_token());
        let mut held = self.held.lock();
        if let (Some(one), Some(secret)) = (&mut held.reads, reads) {
            one.renew(secret);
        }
        control.is_some_and(|secret| held.control.renew(secret))
    }
}

/// What a file holds, if it was written since it was read last. One that is gone or holds no token is being written:
/// until it holds one, the token of before counts.
fn reread(
    known: &mut Option<SystemTime>,
    written: Option<SystemTime>,
    read: impl FnOnce() -> Option<Secret>,
) -> Option<Secret> {
    if written.is_none() || written == *known {
        return None;
    }
    let secret = read()?;
    *known = written;
    Some(secret)
}

impl One {
    fn new(secret: Secret) -> Self {
        Self { secret, renewals: 0 }
    }

    fn is(&self, shown: &[u8]) -> bool {
        is_same_secret(shown, self.secret.expose().as_bytes())
    }

    /// This secret counts from now on. Returns whether it is another one.
    fn renew(&mut self, secret: Secret) -> bool {
        let is_other = secret != self.secret;
        if is_other {
            self.secret = secret;
            self.renewals += 1;
        }
        is_other
    }
}

impl Watched for Control {
    fn files(&self) -> String {
        let dir = self.token.dir.as_ref().map(|dir| dir.path().display().to_string());
        format!("the tokens of the control plane in {}", dir.unwrap_or_default())
    }

    fn reload(&self) {
        if self.token.reload() {
            self.sessions.close_all();
            tracing::info!("the control token was renewed; whoever was logged in is logged out");
        }
    }
}
