//! Who vouches for a media server's certificate.

use tokio_rustls::rustls::pki_types::CertificateDer;

use super::fingerprint::Fingerprint;

/// Who vouches for a server's certificate.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Whoever this machine trusts.
    System,
    /// These authorities and no others.
    Authorities(Vec<CertificateDer<'static>>),
    /// Nobody: it has this fingerprint, or the public key in it has. Names and dates do not matter then, as with a
    /// host key; that the other side holds the key is proven as always.
    Pin(Fingerprint),
}
