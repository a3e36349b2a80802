//! Reasons for which a certificate is rejected, and their remedies.

use std::error::Error;
use std::fmt;
use std::io;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{self, CertificateError};

use greenroom_config::Fingerprint;

/// A rejected certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRejection {
    /// Its fault.
    pub fault: CertificateFault,
    /// Fingerprint of the certificate.
    pub certificate: Fingerprint,
    /// Fingerprint of its public key, if it could be read.
    pub key: Option<Fingerprint>,
}

/// Fault of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFault {
    /// It is for these other names.
    OtherName(Vec<String>),
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// No trusted authority signed it; it may be self-signed.
    UnknownIssuer,
    /// It is not the pinned one.
    OtherThanPinned,
    /// Another fault.
    Other(String),
}

impl CertificateRejection {
    /// The rejection of `certificate` with `error`.
    pub(super) fn from_rustls(error: &rustls::Error, certificate: &CertificateDer<'_>) -> Self {
        let fault = match error {
            rustls::Error::InvalidCertificate(error) => CertificateFault::from_rustls(error),
            other => CertificateFault::Other(other.to_string()),
        };
        Self::new(fault, certificate)
    }

    pub(super) fn new(fault: CertificateFault, certificate: &CertificateDer<'_>) -> Self {
        Self { fault, certificate: Fingerprint::sha256(certificate), key: key_of(certificate) }
    }

    /// The rejection inside an error, if it is the cause.
    pub fn find_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) = error.downcast_ref()
                && let Some(rejection) = other.0.downcast_ref()
            {
                return Some(rejection);
            }
            // An I/O error hides the error it wraps from `source`.
            cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
    }
}

/// Fingerprint of a certificate's public key.
pub(super) fn key_of(certificate: &CertificateDer<'_>) -> Option<Fingerprint> {
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    Some(Fingerprint::sha256(parsed.subject_public_key_info().as_ref()))
}

impl CertificateFault {
    fn from_rustls(error: &CertificateError) -> Self {
        match error {
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::OtherName(presented.iter().map(|name| unwrap_debug_name(name)).collect())
            }
            CertificateError::NotValidForName => Self::OtherName(Vec::new()),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            // A bad signature comes from an issuer that only has the name of a trusted one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            // A self-signed CA certificate is not a server certificate.
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Self::UnknownIssuer,
            other => Self::Other(other.to_string()),
        }
    }
}

/// The library writes a name as `DnsName("a.example")`.
fn unwrap_debug_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"').to_owned()
}

impl fmt::Display for CertificateFault {
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
                "its certificate is signed by a CA that is not among the trusted CAs; set tls.ca_file to the CA's \
                 certificate, or pin it with tls.pin_sha256",
            ),
            Self::OtherThanPinned => f.write_str(
                "its certificate is not the pinned one; if it was renewed, change tls.pin_sha256, otherwise another \
                 server answers at this address",
            ),
            Self::Other(reason) => write!(f, "its certificate is not accepted: {reason}"),
        }
    }
}

impl fmt::Display for CertificateRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}. Its SHA-256, to be compared with the server's own: certificate {}",
            self.fault, self.certificate
        )?;
        self.key.map_or(Ok(()), |key| write!(f, ", public key {key}"))
    }
}

impl Error for CertificateRejection {}
