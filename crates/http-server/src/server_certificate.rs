//! The TLS certificate of the listeners. Connections use it from memory; a task reloads the files when they change
//! ([`greenroom_state::file_watch`]).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use greenroom_config::Fingerprint;
use greenroom_config::certificate_files::{CertificateFileTimes, CertificateFiles, certificates};
use greenroom_state::file_watch::FileReloader;
/// Timeout for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Certificate of a listener.
#[derive(Debug)]
pub struct ServerCertificate {
    files: CertificateFiles,
    clock: Clock,
    /// Current certificate and its fingerprint. Never locked while a file is read.
    current: Mutex<(Arc<ServerConfig>, Option<Fingerprint>)>,
    /// Modification times of the loaded files. Locked while they are read, never by code that accepts connections.
    files_age: Mutex<Option<CertificateFileTimes>>,
}

impl ServerCertificate {
    /// Reads the files.
    ///
    /// # Errors
    /// If they cannot be read, or are no certificate and its key.
    pub fn open(files: CertificateFiles, clock: Clock) -> Result<Self, String> {
        let loaded = Mutex::new(files.modified());
        let current = Mutex::new((Arc::new(files.read()?), fingerprint_of(&files)));
        Ok(Self { files, clock, current, files_age: loaded })
    }

    /// Performs the TLS handshake.
    ///
    /// # Errors
    /// If it fails or times out.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.config());
        let handshake = self.clock.timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
        handshake.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Current TLS configuration.
    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.lock().0)
    }

    /// Fingerprint of the current certificate.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.current.lock().1
    }
}

fn fingerprint_of(files: &CertificateFiles) -> Option<Fingerprint> {
    certificates(&files.certificate).ok()?.first().map(|own| Fingerprint::sha256(own))
}

impl FileReloader for ServerCertificate {
    fn files(&self) -> String {
        format!("{} and {}", self.files.certificate.display(), self.files.key.display())
    }

    /// Reloads changed files; an unusable pair changes nothing.
    fn reload(&self) {
        let mut loaded = self.files_age.lock();
        let modified = self.files.modified();
        if modified.is_none() || modified == *loaded {
            return;
        }
        match self.files.read() {
            Ok(config) => {
                tracing::info!(file = %self.files.certificate.display(), "a new certificate is in use");
                let fingerprint = fingerprint_of(&self.files);
                *self.current.lock() = (Arc::new(config), fingerprint);
            }
            Err(reason) => tracing::warn!("the new certificate cannot be used, the old one stays: {reason}"),
        }
        *loaded = modified;
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
    use greenroom_config::CertificateTrust;
    use greenroom_origin::certificate_verifier::client_config;
    use greenroom_state::file_watch::{self, EVERY};

    fn files() -> (TempDir, CertificateFiles) {
        let folder = tempfile::tempdir().expect("a folder");
        let files = CertificateFiles { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
        write(&files, 0);
        (folder, files)
    }

    /// Writes a new pair with its own modification time.
    fn write(files: &CertificateFiles, at_s: u64) {
        let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(&files.certificate, generated.cert.pem()).expect("written");
        std::fs::write(&files.key, generated.signing_key.serialize_pem()).expect("written");
        set_modified(files, at_s);
    }

    fn set_modified(files: &CertificateFiles, at_s: u64) {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(at_s);
        let file = std::fs::File::open(&files.certificate);
        file.and_then(|file| file.set_modified(at)).expect("its time is set");
    }

    /// Watches the files, as the process does.
    fn watch_files(server_certificate: &Arc<ServerCertificate>, stop: &CancellationToken) -> TaskTracker {
        let tasks = TaskTracker::new();
        let watched: Vec<Arc<dyn FileReloader>> = vec![server_certificate.clone()];
        tasks.spawn(file_watch::watch_files(watched, tasks.clone(), stop.clone()));
        tasks
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_certificate_is_used_without_a_restart_and_an_invalid_one_is_not() {
        let (_folder, files) = files();
        let server_certificate =
            Arc::new(ServerCertificate::open(files.clone(), Clock::system()).expect("a usable pair"));
        watch_files(&server_certificate, &CancellationToken::new());
        let first = server_certificate.config();
        write(&files, 60);
        tokio::time::sleep(EVERY / 2).await;
        assert!(Arc::ptr_eq(&first, &server_certificate.config()), "not checked yet");
        tokio::time::sleep(EVERY).await;
        let second = server_certificate.config();
        assert!(!Arc::ptr_eq(&first, &second));
        std::fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nhalf").expect("written");
        set_modified(&files, 120);
        tokio::time::sleep(EVERY).await;
        assert!(Arc::ptr_eq(&second, &server_certificate.config()));
        write(&files, 180);
        tokio::time::sleep(EVERY).await;
        assert!(!Arc::ptr_eq(&second, &server_certificate.config()), "a complete pair is used again");
    }

    #[tokio::test(start_paused = true)]
    async fn unreadable_certificate_files_delay_no_handshake() {
        let (folder, files) = files();
        let server_certificate =
            Arc::new(ServerCertificate::open(files.clone(), Clock::system()).expect("a usable pair"));
        let certificate =
            greenroom_config::certificate_files::certificates(&files.certificate).expect("readable").remove(0);
        let stop = CancellationToken::new();
        let tasks = watch_files(&server_certificate, &stop);
        tokio::task::yield_now().await;
        let saved = folder.path().join("saved");
        std::fs::rename(&files.certificate, &saved).expect("moved");
        assert!(Command::new("mkfifo").arg(&files.certificate).status().expect("it runs").success());
        // Reading blocks while the other end of the pipe is open and silent.
        let writer = std::fs::File::options().read(true).write(true).open(&files.certificate).expect("it opens");
        tokio::time::advance(2 * EVERY).await;
        while !server_certificate.files_age.is_locked() {
            tokio::task::yield_now().await;
        }
        let trust = CertificateTrust::Pin(Fingerprint::sha256(&certificate));
        let connector = TlsConnector::from(Arc::new(client_config(&trust).expect("a client configuration")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let name = ServerName::try_from("localhost").expect("a name");
        let client = connector.connect(name, client.expect("it listens"));
        let (accepted_stream, connected_stream) =
            tokio::join!(server_certificate.accept(accepted.expect("a connection").0), client);
        assert!(accepted_stream.is_ok() && connected_stream.is_ok(), "{accepted_stream:?} {connected_stream:?}");
        assert_eq!(tasks.len(), 2, "the watcher and one thread that reads");
        std::fs::rename(&saved, &files.certificate).expect("moved back");
        drop(writer);
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_with_a_silent_client_times_out() {
        let (_folder, files) = files();
        let server_certificate = ServerCertificate::open(files, Clock::system()).expect("a usable pair");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let silent = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a connection");
        let error = server_certificate.accept(stream).await.expect_err("no handshake");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(silent);
    }

    #[test]
    fn an_unusable_file_is_named_with_the_reason() {
        let (_folder, files) = files();
        let swapped = CertificateFiles { certificate: files.key.clone(), key: files.certificate.clone() };
        assert!(swapped.read().expect_err("swapped").contains("k.pem holds no certificate"));
        let (_other, others) = self::files();
        let mixed = CertificateFiles { key: others.key, ..files.clone() };
        assert!(mixed.read().expect_err("another's key").contains("c.pem and "));
        std::fs::remove_file(&files.key).expect("removed");
        assert!(files.read().expect_err("no key").contains("k.pem cannot be read"));
    }

    #[test]
    fn a_world_readable_key_causes_a_warning() {
        let (_folder, files) = files();
        let mode = |mode| std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(mode)).expect("set");
        mode(0o640);
        assert_eq!(files.warning(), None);
        mode(0o644);
        assert!(files.warning().expect("a warning").contains("chmod o="));
    }
}
