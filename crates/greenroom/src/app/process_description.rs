//! Lets commands find this process: the address of its control plane and the certificate it presents. Both are written
//! into the lock file of the data directory, which only its owner can read and write.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use greenroom_config::Fingerprint;
use greenroom_http_server::server_certificate::ServerCertificate;
use greenroom_state::file_watch::FileReloader;
use greenroom_state::ownership::{self, Ownership};

/// Description of this process in the lock file; updated when the certificate is renewed.
#[derive(Debug)]
pub(super) struct ProcessDescription {
    /// Dropped when another process owns the directory.
    ownership: Weak<Ownership>,
    address: String,
    certificate: Option<Arc<ServerCertificate>>,
    /// Last written fingerprint.
    written: Mutex<Option<Fingerprint>>,
}

impl ProcessDescription {
    pub(super) fn new(
        ownership: &Arc<Ownership>,
        address: String,
        certificate: Option<Arc<ServerCertificate>>,
    ) -> Self {
        let fingerprint = certificate.as_ref().and_then(|certificate| certificate.fingerprint());
        let ownership = Arc::downgrade(ownership);
        let description = Self { ownership, address, certificate, written: Mutex::new(fingerprint) };
        description.write(fingerprint);
        description
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
        self.certificate.as_ref().map_or_else(|| "the control plane".to_owned(), |certificate| certificate.files())
    }

    fn reload(&self) {
        let Some(certificate) = &self.certificate else { return };
        certificate.reload();
        let fingerprint = certificate.fingerprint();
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
    fn the_description_follows_a_renewed_certificate_until_another_process_owns_the_directory() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let files = CertificateFiles { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
        let renew = |at_s| {
            let made = rcgen::generate_simple_self_signed(["nas.example".to_owned()]).expect("generate a certificate");
            std::fs::write(&files.certificate, made.cert.pem()).expect("write the file");
            std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("write the file");
            let file = std::fs::File::open(&files.certificate).expect("open the certificate file");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at_s)).expect("set the modification time");
            Fingerprint::sha256(made.cert.der()).to_string()
        };
        let written = || {
            let holder = ownership::holder(folder.path())?;
            ownership::certificate_of(&holder).map(str::to_owned)
        };
        let first = renew(0);
        let certificate =
            Arc::new(ServerCertificate::open(files.clone(), Clock::system()).expect("load the certificate"));
        let own = Arc::new(ownership::try_lock_data_dir(folder.path()).expect("lock the data directory"));
        let description = ProcessDescription::new(&own, "https://127.0.0.1:8710".into(), Some(certificate));
        assert_eq!(written(), Some(first));
        let second = renew(60);
        description.reload();
        assert_eq!(written(), Some(second));
        drop(own);
        renew(120);
        description.reload();
        assert_eq!(written(), None, "the directory has no owner any more");
    }
}
