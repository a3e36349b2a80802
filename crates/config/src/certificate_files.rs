//! Certificate files of a listener.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Paths of a listener's certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Modification times of the two files.
pub type CertificateFileTimes = (SystemTime, SystemTime);

impl CertificateFiles {
    /// TLS settings with this certificate.
    ///
    /// # Errors
    /// The file that cannot be used, and the reason.
    pub fn read(&self) -> Result<ServerConfig, String> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| explain(&self.key, "private key", &error))?;
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| format!("{} and {}: {error}", self.certificate.display(), self.key.display()))
    }

    /// A warning if users other than its owner and group may read the key.
    pub fn warning(&self) -> Option<String> {
        let mode = std::fs::metadata(&self.key).ok()?.permissions().mode();
        let key = self.key.display();
        (mode & 0o007 != 0).then(|| format!("everybody on this machine may read the private key; run: chmod o= {key}"))
    }

    /// Modification times of both; `None` if one cannot be accessed.
    pub fn modified(&self) -> Option<CertificateFileTimes> {
        let written = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        Some((written(&self.certificate)?, written(&self.key)?))
    }
}

/// The certificates of a file.
///
/// # Errors
/// The reason why there are none.
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
