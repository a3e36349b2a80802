//! The certificate our own listeners show, read again when its files change.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use greenroom_cache::Clock;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// How long a client may take to agree on encryption.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the files are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Where a listener's certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate, with those that lead from it to an authority behind it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What a listener shows.
#[derive(Debug)]
pub struct Shown {
    files: Files,
    clock: Clock,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    of: Option<Age>,
    looked_ms: u64,
}

/// When the two files were written.
type Age = (SystemTime, SystemTime);

impl Files {
    /// What clients are to be shown.
    ///
    /// # Errors
    /// Which file cannot be used and why.
    pub fn read(&self) -> Result<ServerConfig, String> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| explain(&self.key, "private key", &error))?;
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| format!("{} and {}: {error}", self.certificate.display(), self.key.display()))
    }

    /// A warning if others than its owner and group may read the key.
    pub fn warning(&self) -> Option<String> {
        let mode = std::fs::metadata(&self.key).ok()?.permissions().mode();
        let key = self.key.display();
        (mode & 0o007 != 0)
            .then(|| format!("everybody on this machine may read the private key; run: chmod o= {key}"))
    }

    fn age(&self) -> Option<Age> {
        let written = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        Some((written(&self.certificate)?, written(&self.key)?))
    }
}

impl Shown {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`Files::read`].
    pub fn open(files: Files, clock: Clock) -> Result<Self, String> {
        let of = files.age();
        let config = Arc::new(files.read()?);
        let current = Current { config, of, looked_ms: clock.now_ms() };
        Ok(Self { files, clock, current: Mutex::new(current) })
    }

    /// Agrees on encryption with a client.
    ///
    /// # Errors
    /// If it does not, or takes too long.
    pub async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.config());
        let shaken = self.clock.timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
        shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// What is shown now; a changed pair of files is read, and one that cannot be used changes nothing.
    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock();
        let now_ms = self.clock.now_ms();
        let every_ms = u64::try_from(LOOK_EVERY.as_millis()).unwrap_or(u64::MAX);
        if now_ms.saturating_sub(current.looked_ms) >= every_ms {
            current.looked_ms = now_ms;
            let age = self.files.age();
            if age.is_some() && age != current.of {
                self.read_again(&mut current);
                current.of = age;
            }
        }
        Arc::clone(&current.config)
    }

    fn read_again(&self, current: &mut Current) {
        match self.files.read() {
            Ok(config) => {
                tracing::info!(file = %self.files.certificate.display(), "a new certificate is shown from now on");
                current.config = Arc::new(config);
            }
            Err(reason) => tracing::warn!("the new certificate cannot be used, the old one stays: {reason}"),
        }
    }
}

/// The certificates of a file.
///
/// # Errors
/// Why there are none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if chain.is_empty() => Err(explain(path, "certificate", &pem::Error::NoItemsFound)),
        Ok(chain) => Ok(chain),
        Err(error) => Err(explain(path, "certificate", &error)),
    }
}

fn explain(path: &Path, what: &str, error: &pem::Error) -> String {
    let path = path.display();
    match error {
        pem::Error::Io(error) => format!("{path} cannot be read: {error}"),
        pem::Error::NoItemsFound => format!("{path} holds no {what} in PEM form (-----BEGIN …)"),
        error => format!("{path} is damaged: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokio::net::TcpListener;

    use super::*;

    fn files() -> (TempDir, Files) {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
        write(&files, 0);
        (folder, files)
    }

    /// Writes a new pair, at a moment of its own.
    fn write(files: &Files, at_s: u64) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(&files.certificate, made.cert.pem()).expect("written");
        std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
        age(files, at_s);
    }

    fn age(files: &Files, at_s: u64) {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(at_s);
        let file = std::fs::File::open(&files.certificate);
        file.and_then(|file| file.set_modified(at)).expect("its time is set");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
        let (_folder, files) = files();
        let shown = Shown::open(files.clone(), Clock::system()).expect("it can be used");
        let first = shown.config();
        write(&files, 60);
        tokio::time::advance(LOOK_EVERY / 2).await;
        assert!(Arc::ptr_eq(&first, &shown.config()), "not looked at yet");
        tokio::time::advance(LOOK_EVERY / 2).await;
        let second = shown.config();
        assert!(!Arc::ptr_eq(&first, &second));
        std::fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nhalf").expect("written");
        age(&files, 120);
        tokio::time::advance(LOOK_EVERY).await;
        assert!(Arc::ptr_eq(&second, &shown.config()));
        write(&files, 180);
        tokio::time::advance(LOOK_EVERY).await;
        assert!(!Arc::ptr_eq(&second, &shown.config()), "a whole pair counts again");
    }

    #[tokio::test(start_paused = true)]
    async fn who_connects_and_says_nothing_is_not_waited_for() {
        let (_folder, files) = files();
        let shown = Shown::open(files, Clock::system()).expect("it can be used");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let silent =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a connection");
        let refused = shown.greet(stream).await.expect_err("nothing was agreed on");
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        drop(silent);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_the_reason() {
        let (_folder, files) = files();
        let swapped = Files { certificate: files.key.clone(), key: files.certificate.clone() };
        assert!(swapped.read().expect_err("swapped").contains("k.pem holds no certificate"));
        let (_other, others) = self::files();
        let mixed = Files { key: others.key, ..files.clone() };
        assert!(mixed.read().expect_err("another's key").contains("c.pem and "));
        std::fs::remove_file(&files.key).expect("removed");
        assert!(files.read().expect_err("no key").contains("k.pem cannot be read"));
    }

    #[test]
    fn a_key_that_everybody_may_read_is_warned_of() {
        let (_folder, files) = files();
        let mode =
            |mode| std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(mode)).expect("set");
        mode(0o640);
        assert_eq!(files.warning(), None);
        mode(0o644);
        assert!(files.warning().expect("a warning").contains("chmod o="));
    }
}
