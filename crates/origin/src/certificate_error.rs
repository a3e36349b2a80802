//! Why a certificate is not believed, and what to do about it.

use std::error::Error;
use std::fmt;
use std::io;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{self, CertificateError};

use greenroom_config::Fingerprint;

/// A certificate that is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// What is wrong with it.
    pub fault: Fault,
    /// Fingerprint of the certificate.
    pub certificate: Fingerprint,
    /// Fingerprint of the public key in it, where it could be read.
    pub key: Option<Fingerprint>,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is for other names: these.
    OtherName(Vec<String>),
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Nobody who is trusted has signed it: perhaps only it itself.
    UnknownIssuer,
    /// It is not the one that was pinned.
    OtherThanPinned,
    /// Something else.
    Other(String),
}

impl Distrust {
    /// Why the certificate `shown` was refused with `error`.
    pub(super) fn of(error: &rustls::Error, shown: &CertificateDer<'_>) -> Self {
        let fault = match error {
            rustls::Error::InvalidCertificate(error) => Fault::of(error),
            other => Fault::Other(other.to_string()),
        };
        Self::with(fault, shown)
    }

    pub(super) fn with(fault: Fault, shown: &CertificateDer<'_>) -> Self {
        Self { fault, certificate: Fingerprint::of(shown), key: key_of(shown) }
    }

    /// The reason within an error, if that is what it is about.
    pub fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) =
                error.downcast_ref()
                && let Some(distrust) = other.0.downcast_ref()
            {
                return Some(distrust);
            }
            // An input-output error hides what it wraps from `source`.
            cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
    }
}

/// Fingerprint of the public key in a certificate.
pub(super) fn key_of(shown: &CertificateDer<'_>) -> Option<Fingerprint> {
    let parsed = webpki::EndEntityCert::try_from(shown).ok()?;
    Some(Fingerprint::of(parsed.subject_public_key_info().as_ref()))
}

impl Fault {
    fn of(error: &CertificateError) -> Self {
        match error {
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::OtherName(presented.iter().map(|name| plain(name)).collect())
            }
            CertificateError::NotValidForName => Self::OtherName(Vec::new()),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            // A bad signature is one by somebody who only has the name of one who is trusted.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            // One that signed itself and says that it may sign others is not one for a server.
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                Self::UnknownIssuer
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// `DnsName("a.example")` is how the library writes a name.
fn plain(written: &str) -> String {
    let inner = written.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(written);
    inner.trim_matches('"').to_owned()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherName(names) if names.is_empty() => {
                f.write_str("its certificate names no host; pin it with tls.pin_sha256")
            }
            Self::OtherName(names) => write!(
                f,
                "its certificate is for other names ({}); use one of them in the url, or set tls.server_name to it",
                names.join(", ")
            ),
            Self::Expired => f.write_str("its certificate has expired; renew it, or pin it with tls.pin_sha256"),
            Self::NotYetValid => {
                f.write_str("its certificate is not valid yet; check the clocks of this machine and of the server")
            }
            Self::UnknownIssuer => f.write_str(
                "its certificate is signed by nobody who is trusted here; name the file of its authority with tls.ca_file, \
                 or pin it with tls.pin_sha256",
            ),
            Self::OtherThanPinned => f.write_str(
                "its certificate is not the pinned one; if it was renewed, change tls.pin_sha256, else something else \
                 answers in its place",
            ),
            Self::Other(reason) => write!(f, "its certificate is not accepted: {reason}"),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}. Its SHA-256, to be compared with the server's own: certificate {}",
            self.fault, self.certificate
        )?;
        self.key.map_or(Ok(()), |key| write!(f, ", public key {key}"))
    }
}

impl Error for Distrust {}
