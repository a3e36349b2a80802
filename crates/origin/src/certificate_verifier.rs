//! Verifies certificates of media servers.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::certificate_error::{CertificateFault, CertificateRejection, key_of};
use greenroom_config::{CertificateTrust, Fingerprint};

/// TLS settings for a server: only certificates covered by `trust` are accepted.
///
/// # Errors
/// There is no trusted authority.
pub fn client_config(trust: &CertificateTrust) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = OriginCertificateVerifier::new(trust, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// TLS settings for connections that are never encrypted: any certificate would be rejected.
///
/// # Errors
/// None in practice: the protocol versions are built in.
pub fn no_trust() -> Result<ClientConfig, String> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
        .map(|builder| builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

#[derive(Debug)]
struct OriginCertificateVerifier {
    anchor: TrustAnchor,
    provider: Arc<CryptoProvider>,
    /// Last logged rejection, so that each is logged once.
    last_logged: Mutex<String>,
}

#[derive(Debug)]
enum TrustAnchor {
    Authorities(Arc<WebPkiServerVerifier>),
    Pin(Fingerprint),
}

impl OriginCertificateVerifier {
    fn new(trust: &CertificateTrust, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let anchor = match trust {
            CertificateTrust::Pin(pin) => TrustAnchor::Pin(*pin),
            CertificateTrust::System => {
                // Unreadable certificates are skipped, which only reduces trust.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                webpki_anchor(roots, provider)?
            }
            CertificateTrust::Authorities(authorities) => {
                roots.add_parsable_certificates(authorities.iter().cloned());
                webpki_anchor(roots, provider)?
            }
        };
        Ok(Self { anchor, provider: Arc::clone(provider), last_logged: Mutex::default() })
    }

    fn anchor(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), CertificateRejection> {
        match &self.anchor {
            TrustAnchor::Authorities(authorities) => authorities
                .verify_server_cert(certificate, chain, name, &[], now)
                .map(drop)
                .map_err(|error| CertificateRejection::from_rustls(&error, certificate)),
            TrustAnchor::Pin(pin) if Fingerprint::sha256(certificate) == *pin || key_of(certificate) == Some(*pin) => {
                Ok(())
            }
            TrustAnchor::Pin(_) => Err(CertificateRejection::new(CertificateFault::OtherThanPinned, certificate)),
        }
    }

    fn log_once(&self, rejection: &CertificateRejection, name: &ServerName<'_>) {
        let text = rejection.to_string();
        let mut last_logged = self.last_logged.lock();
        if *last_logged != text {
            tracing::error!(server_name = %name.to_str(), "the certificate of a media server was rejected: {text}");
            *last_logged = text;
        }
    }
}

fn webpki_anchor(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<TrustAnchor, String> {
    if roots.is_empty() {
        return Err("no trusted certificate authority was found: install this machine's certificates (ca-certificates), or set \
                    tls.ca_file or tls.pin_sha256"
            .into());
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    verifier.map(TrustAnchor::Authorities).map_err(|error| error.to_string())
}

impl ServerCertVerifier for OriginCertificateVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.anchor(end_entity, intermediates, server_name, now) {
            Ok(()) => {
                self.last_logged.lock().clear();
                Ok(ServerCertVerified::assertion())
            }
            Err(rejection) => {
                self.log_once(&rejection, server_name);
                Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(rejection)))))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
