//! Tokens of the control plane, reloaded when another process rotates them: the new one is valid from then on, the old
//! one is not. Requests compare with memory; a task of its own reads the files ([`crate::file_watch`]).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use greenroom_dialect::credential::Secret;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use subtle::ConstantTimeEq as _;

use crate::secrets::DataDir;

/// Max wait of a request with an unknown token for a reload, because the token may be new.
const PATIENCE: Duration = Duration::from_millis(500);
/// Min pause between two such reloads, however many requests ask.
const PAUSE: Duration = Duration::from_millis(200);

/// The tokens and their files.
#[derive(Debug)]
pub struct TokenStore {
    /// Directory of the files; a token without one never changes.
    dir: Option<DataDir>,
    /// The valid tokens. Never locked during file access.
    current: Mutex<CurrentTokens>,
    /// Locked during file access, and never by requests.
    file_times: Mutex<TokenFileTimes>,
    reload_requests: ReloadRequests,
}

/// Reloads requested by requests with an unknown token.
#[derive(Debug, Default)]
struct ReloadRequests {
    /// Whether a task serves them.
    are_served: AtomicBool,
    wanted: Notify,
    begun: AtomicU64,
    /// Number of the last completed one.
    ended: watch::Sender<u64>,
}

/// Modification times of the files last read.
#[derive(Debug, Default)]
struct TokenFileTimes {
    control: Option<SystemTime>,
    reads: Option<SystemTime>,
}

#[derive(Debug)]
struct CurrentTokens {
    /// The control token.
    control: IssuedToken,
    /// The read-only token, if any.
    reads: Option<IssuedToken>,
}

/// One token.
#[derive(Debug)]
struct IssuedToken {
    secret: Secret,
    /// Rotations since start.
    renewals: u64,
}

/// Scope of a token and its rotation number: void after the next rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenScope {
    /// Full access.
    Control(u64),
    /// Read access.
    Reads(u64),
}

impl TokenStore {
    /// The current tokens of this directory.
    ///
    /// # Errors
    /// A token can be neither read nor created.
    pub fn open(dir: DataDir) -> Result<Self, String> {
        // Creates missing files first; reads times before contents, so that a change in between is noticed later.
        dir.control_token()?;
        dir.read_token()?;
        let written = TokenFileTimes { control: dir.control_token_written(), reads: dir.read_token_written() };
        let control = IssuedToken::new(dir.control_token()?.secret);
        let reads = Some(IssuedToken::new(dir.read_token()?));
        let held = Mutex::new(CurrentTokens { control, reads });
        Ok(Self {
            dir: Some(dir),
            current: held,
            file_times: Mutex::new(written),
            reload_requests: ReloadRequests::default(),
        })
    }

    /// A control token without a file, and no read-only token.
    pub fn fixed(secret: Secret) -> Self {
        let held = CurrentTokens { control: IssuedToken::new(secret), reads: None };
        Self {
            dir: None,
            current: Mutex::new(held),
            file_times: Mutex::default(),
            reload_requests: ReloadRequests::default(),
        }
    }

    /// Whether this is the control token.
    pub fn is_control(&self, shown: &[u8]) -> bool {
        self.current.lock().control.matches(shown)
    }

    /// Scope of a presented token.
    pub fn scope_of(&self, shown: &[u8]) -> Option<TokenScope> {
        let held = self.current.lock();
        // Both are always compared, so that the time reveals nothing.
        let (is_control, reads) = (held.control.matches(shown), held.reads.as_ref().filter(|one| one.matches(shown)));
        if is_control {
            return Some(TokenScope::Control(held.control.renewals));
        }
        reads.map(|one| TokenScope::Reads(one.renewals))
    }

    /// Whether a scope granted earlier is still valid.
    pub fn is_valid(&self, worth: TokenScope) -> bool {
        let held = self.current.lock();
        match worth {
            TokenScope::Control(renewals) => held.control.renewals == renewals,
            TokenScope::Reads(renewals) => held.reads.as_ref().is_some_and(|one| one.renewals == renewals),
        }
    }

    /// Waits for a reload that begins from now on, for a limited time. The caller accesses no file.
    pub async fn reload_and_wait(&self) {
        if !self.reload_requests.are_served.load(Ordering::Acquire) {
            return;
        }
        let begun = self.reload_requests.begun.load(Ordering::Acquire);
        let mut ended = self.reload_requests.ended.subscribe();
        self.reload_requests.wanted.notify_one();
        drop(tokio::time::timeout(PATIENCE, ended.wait_for(|ended| *ended > begun)).await);
    }

    /// Reloads the files for requests with an unknown token, until `stop`: `reload` runs on a blocking thread of
    /// `tasks`. One at a time: a disk that hangs blocks one thread.
    pub async fn serve_reload_requests(
        &self,
        reload: impl Fn() + Clone + Send + 'static,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) {
        let requests = &self.reload_requests;
        requests.are_served.store(true, Ordering::Release);
        loop {
            let number = requests.begun.load(Ordering::Acquire) + 1;
            let look = async {
                requests.wanted.notified().await;
                requests.begun.store(number, Ordering::Release);
                drop(tasks.spawn_blocking(reload.clone()).await);
                requests.ended.send_replace(number);
                tokio::time::sleep(PAUSE).await;
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = look => {}
            }
        }
    }

    /// Whether the files are being read now.
    pub fn is_being_read(&self) -> bool {
        self.file_times.is_locked()
    }

    /// Directory of the files, for the log.
    pub fn directory(&self) -> String {
        self.dir.as_ref().map(|dir| dir.path().display().to_string()).unwrap_or_default()
    }

    /// Reads the files that changed. Returns whether the control token changed. Blocks on files.
    pub fn reload(&self) -> bool {
        let Some(dir) = &self.dir else { return false };
        let mut written = self.file_times.lock();
        let reads = reload_file(&mut written.reads, dir.read_token_written(), || dir.stored_read_token());
        let control = reload_file(&mut written.control, dir.control_token_written(), || dir.stored_control_token());
        let mut held = self.current.lock();
        if let (Some(one), Some(secret)) = (&mut held.reads, reads) {
            one.renew(secret);
        }
        control.is_some_and(|secret| held.control.renew(secret))
    }
}

/// Contents of a file, if it changed. A file that is missing or has no token is being written: until then the old token
/// stays valid.
fn reload_file(
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

impl IssuedToken {
    fn new(secret: Secret) -> Self {
        Self { secret, renewals: 0 }
    }

    fn matches(&self, shown: &[u8]) -> bool {
        is_same_secret(shown, self.secret.expose().as_bytes())
    }

    /// Sets a new secret. Returns whether it differs.
    fn renew(&mut self, secret: Secret) -> bool {
        let is_other = secret != self.secret;
        if is_other {
            self.secret = secret;
            self.renewals += 1;
        }
        is_other
    }
}

/// Compares in constant time.
fn is_same_secret(one: &[u8], other: &[u8]) -> bool {
    blake3::hash(one).as_bytes().ct_eq(blake3::hash(other).as_bytes()).into()
}

#[test]
fn secrets_are_the_same_only_as_a_whole() {
    assert!(is_same_secret(b"abc", b"abc"));
    assert!(!is_same_secret(b"abc", b"abcd"));
    assert!(!is_same_secret(b"", b"abc"));
}
