//! The certificate our own listeners show. Connections take it from memory; its files are read again by a task of its own
//! when they change ([`greenroom_state::file_watch`]).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use greenroom_config::certificate_files::{Age, Files};
use greenroom_state::file_watch::Watched;
/// How long a client may take to agree on encryption.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a listener shows.
#[derive(Debug)]
pub struct Shown {
    files: Files,
    clock: Clock,
    /// What is shown now. Never locked while a file is read.
    current: Mutex<Arc<ServerConfig>>,
    /// Of when the files were that were read last. Locked while they are read, and by nothing that accepts connections.
    of: Mutex<Option<Age>>,
}

impl Shown {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`Files::read`].
    pub fn open(files: Files, clock: Clock) -> Result<Self, String> {
        let of = Mutex::new(files.age());
        let current = Mutex::new(Arc::new(files.read()?));
        Ok(Self { files, clock, current, of })
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

    /// What is shown now.
    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.lock())
    }
}

impl Watched for Shown {
    fn files(&self) -> String {
        format!("{} and {}", self.files.certificate.display(), self.files.key.display())
    }

    /// A changed pair of files is read, and one that cannot be used changes nothing.
    fn reload(&self) {
        let mut of = self.of.lock();
        let age = self.files.age();
        if age.is_none() || age == *of {
            return;
        }
        match self.files.read() {
            Ok(config) => {
                tracing::info!(file = %self.files.certificate.display(), "a new certificate is shown from now on");
                *self.current.lock() = Arc::new(config);
            }
            Err(reason) => tracing::warn!("the new certificate cannot be used, the old one stays: {reason}"),
        }
        *of = age;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;
    use std::time::SystemTime;
    use tempfile::TempDir;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use greenroom_config::{Fingerprint, Trust};
    use greenroom_origin::certificate_verifier::client_config;
    use greenroom_state::file_watch::{self, EVERY};

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

    /// Follows the files of what is shown, as the process does.
    fn watch(shown: &Arc<Shown>, stop: &CancellationToken) -> TaskTracker {
        let tasks = TaskTracker::new();
        let watched: Vec<Arc<dyn Watched>> = vec![shown.clone()];
        tasks.spawn(file_watch::keep(watched, tasks.clone(), stop.clone()));
        tasks
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
        let (_folder, files) = files();
        let shown = Arc::new(Shown::open(files.clone(), Clock::system()).expect("it can be used"));
        watch(&shown, &CancellationToken::new());
        let first = shown.config();
        write(&files, 60);
        tokio::time::sleep(EVERY / 2).await;
        assert!(Arc::ptr_eq(&first, &shown.config()), "not looked at yet");
        tokio::time::sleep(EVERY).await;
        let second = shown.config();
        assert!(!Arc::ptr_eq(&first, &second));
        std::fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nhalf").expect("written");
        age(&files, 120);
        tokio::time::sleep(EVERY).await;
        assert!(Arc::ptr_eq(&second, &shown.config()));
        write(&files, 180);
        tokio::time::sleep(EVERY).await;
        assert!(!Arc::ptr_eq(&second, &shown.config()), "a whole pair counts again");
    }

    #[tokio::test(start_paused = true)]
    async fn certificate_files_that_hang_keep_no_client_waiting() {
        let (folder, files) = files();
        let shown = Arc::new(Shown::open(files.clone(), Clock::system()).expect("it can be used"));
        let certificate = greenroom_config::certificate_files::certificates(&files.certificate)
            .expect("it is there")
            .remove(0);
        let stop = CancellationToken::new();
        let tasks = watch(&shown, &stop);
        tokio::task::yield_now().await;
        let saved = folder.path().join("saved");
        std::fs::rename(&files.certificate, &saved).expect("moved");
        assert!(Command::new("mkfifo").arg(&files.certificate).status().expect("it runs").success());
        // As long as the other end is open and says nothing, whoever reads waits.
        let end = std::fs::File::options().read(true).write(true).open(&files.certificate).expect("it opens");
        tokio::time::advance(2 * EVERY).await;
        while !shown.of.is_locked() {
            tokio::task::yield_now().await;
        }
        let trust = Trust::Pin(Fingerprint::of(&certificate));
        let connector = TlsConnector::from(Arc::new(client_config(&trust).expect("it can be had")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let name = ServerName::try_from("localhost").expect("a name");
        let client = connector.connect(name, client.expect("it listens"));
        let (ours, theirs) = tokio::join!(shown.greet(accepted.expect("a connection").0), client);
        assert!(ours.is_ok() && theirs.is_ok(), "{ours:?} {theirs:?}");
        assert_eq!(tasks.len(), 2, "the watcher and one thread that reads");
        std::fs::rename(&saved, &files.certificate).expect("moved back");
        drop(end);
        stop.cancel();
        tasks.close();
        tasks.wait().await;
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
