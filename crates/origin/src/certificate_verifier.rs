//! Whose certificate is believed.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::certificate_error::{Distrust, Fault, key_of};
use greenroom_config::{Fingerprint, Trust};

/// What a connection to a server is encrypted with: nothing is believed that `trust` does not vouch for.
///
/// # Errors
/// If there is nobody to trust.
pub fn client_config(trust: &Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(trust, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// For connections that are never encrypted: whatever certificate came, it would not be believed.
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
struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
    /// What was said last, so that the log says it once.
    said: Mutex<String>,
}

#[derive(Debug)]
enum Judge {
    Authorities(Arc<WebPkiServerVerifier>),
    Pin(Fingerprint),
}

impl Verifier {
    fn new(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let judge = match trust {
            Trust::Pin(pin) => Judge::Pin(*pin),
            Trust::System => {
                // What of that cannot be read is left out: then less is believed.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                judge_by(roots, provider)?
            }
            Trust::Authorities(authorities) => {
                roots.add_parsable_certificates(authorities.iter().cloned());
                judge_by(roots, provider)?
            }
        };
        Ok(Self { judge, provider: Arc::clone(provider), said: Mutex::default() })
    }

    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Distrust> {
        match &self.judge {
            Judge::Authorities(authorities) => authorities
                .verify_server_cert(shown, chain, name, &[], now)
                .map(drop)
                .map_err(|error| Distrust::of(&error, shown)),
            Judge::Pin(pin) if Fingerprint::of(shown) == *pin || key_of(shown) == Some(*pin) => Ok(()),
            Judge::Pin(_) => Err(Distrust::with(Fault::OtherThanPinned, shown)),
        }
    }

    fn say_once(&self, distrust: &Distrust, name: &ServerName<'_>) {
        let text = distrust.to_string();
        let mut said = self.said.lock();
        if *said != text {
            tracing::error!(server_name = %name.to_str(), "a media server is not believed: {text}");
            *said = text;
        }
    }
}

fn judge_by(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Judge, String> {
    if roots.is_empty() {
        return Err(
            "there is no authority to trust: install this machine's certificates (ca-certificates), or set \
                    tls.ca_file or tls.pin_sha256"
                .into(),
        );
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    verifier.map(Judge::Authorities).map_err(|error| error.to_string())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.judge(end_entity, intermediates, server_name, now) {
            Ok(()) => {
                self.said.lock().clear();
                Ok(ServerCertVerified::assertion())
            }
            Err(distrust) => {
                self.say_once(&distrust, server_name);
                Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrust)))))
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
