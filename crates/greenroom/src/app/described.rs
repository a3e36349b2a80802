//! Lets commands find this process: the address of its control plane and the certificate it presents. Both are written
//! into the lock file of the data directory, which only its owner can read and write.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use greenroom_config::Fingerprint;
use greenroom_proxy::http::server_certificate::ServerCertificate;
use greenroom_state::file_watch::FileReloader;
use greenroom_state::ownership::{self, Ownership};

/// Description of this process in the lock file; updated when the certificate is renewed.
#[derive(Debug)]
pub(super) struct ProcessDescription {
    /// Dropped when another process owns the directory.
    ownership: Weak<Ownership>,
    address: String,
    shown: Option<Arc<ServerCertificate>>,
    /// Last written fingerprint.
    written: Mutex<Option<Fingerprint>>,
}

impl ProcessDescription {
    pub(super) fn new(ownership: &Arc<Ownership>, address: String, shown: Option<Arc<ServerCertificate>>) -> Self {
        let fingerprint = shown.as_ref().and_then(|shown| shown.fingerprint());
        let ownership = Arc::downgrade(ownership);
        let described = Self { ownership, address, shown, written: Mutex::new(fingerprint) };
        described.write(fingerprint);
        described
    }

    fn write(&self, fingerprint: Option<Fingerprint>) {
        if let Some(ownership) = self.ownership.upgrade() {
            let fingerprint = fingerprint.map(|fingerprint| fingerprint.to_string());
            ownership.describe(&ownership::note(&self.address, fingerprint.as_deref()));
        }
    }
}

impl FileReloader for ProcessDescription {
    fn files(&self) -> String {
        self.shown.as_ref().map_or_else(|| "the control plane".to_owned(), |shown| shown.files())
    }

    fn reload(&self) {
        let Some(shown) = &self.shown else { return };
        shown.reload();
        let fingerprint = shown.fingerprint();
        let mut written = self.written.lock();
        if *written != fingerprint {
            self.write(fingerprint);
            *written = fingerprint;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use greenroom_cache::Clock;
    use greenroom_config::certificate_files::CertificateFiles;

    use super::*;

    #[test]
    fn the_description_follows_a_renewed_certificate_until_the_directory_is_anothers() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = CertificateFiles { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
        let renew = |at_s| {
            let made = rcgen::generate_simple_self_signed(["nas.example".to_owned()]).expect("a certificate");
            std::fs::write(&files.certificate, made.cert.pem()).expect("written");
            std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
            let file = std::fs::File::open(&files.certificate).expect("it is there");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at_s)).expect("its time is set");
            Fingerprint::sha256(made.cert.der()).to_string()
        };
        let written = || {
            let holder = ownership::holder(folder.path())?;
            ownership::certificate_of(&holder).map(str::to_owned)
        };
        let first = renew(0);
        let shown = Arc::new(ServerCertificate::open(files.clone(), Clock::system()).expect("it can be used"));
        let own = Arc::new(ownership::try_lock_data_dir(folder.path()).expect("it is free"));
        let described = ProcessDescription::new(&own, "https://127.0.0.1:8710".into(), Some(shown));
        assert_eq!(written(), Some(first));
        let second = renew(60);
        described.reload();
        assert_eq!(written(), Some(second));
        drop(own);
        renew(120);
        described.reload();
        assert_eq!(written(), None, "nobody holds it any more");
    }
}
