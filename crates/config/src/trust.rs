//! Trust in a media server's certificate.

use tokio_rustls::rustls::pki_types::CertificateDer;

use super::fingerprint::Fingerprint;

/// Rule for trusting a certificate of a server.
#[derive(Debug, Clone)]
pub enum CertificateTrust {
    /// Those of the system's authorities.
    System,
    /// Those of these authorities only.
    Authorities(Vec<CertificateDer<'static>>),
    /// Only the certificate, or public key, with this fingerprint. Name and dates do not matter then, as with an SSH
    /// host key; TLS still proves that the server holds the key.
    Pin(Fingerprint),
}
