//! Whose certificate is believed: exactly whom the gateway itself believes. What was shown is told with a refusal; it
//! is never accepted for that.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error};

use super::silence::Silence;
use crate::config;
use crate::tls::shown::{Files, certificates};
use crate::tls::trust::client_config;
use crate::tls::{self, Distrust, Fingerprint};

/// Whose certificate is believed, and for which name.
#[derive(Debug, Clone)]
pub struct Trust {
    /// What a connection is encrypted with, or why there is nobody to trust.
    config: Result<Arc<ClientConfig>, String>,
    /// The name the certificate is for, where that is not the one that is asked.
    server_name: Option<ServerName<'static>>,
}

impl Trust {
    /// Whoever the system believes.
    pub fn system() -> Self {
        Self::of(&tls::Trust::System, None)
    }

    /// Whoever is configured to be believed for this media server: as in the way the gateway itself takes to it.
    pub fn of_server(server: &config::Server) -> Self {
        Self::of(&server.tls.trust, server.tls.server_name.clone())
    }

    /// Who shows the certificate of these files, whatever name that is for: a listener of this very configuration.
    pub fn of_shown(files: &Files) -> Self {
        let chain = certificates(&files.certificate);
        let own = chain.and_then(|chain| chain.first().cloned().ok_or("there is no certificate".into()));
        match own {
            Ok(own) => Self::of(&tls::Trust::Pin(Fingerprint::of(&own)), None),
            Err(reason) => Self { config: Err(reason), server_name: None },
        }
    }

    /// Whom this believes, for that name if it is given.
    pub fn of(trust: &tls::Trust, server_name: Option<ServerName<'static>>) -> Self {
        Self { config: client_config(trust).map(Arc::new), server_name }
    }

    pub(super) async fn shake_hands<W: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        wire: W,
    ) -> Result<TlsStream<W>, Silence> {
        let config = self.config.clone().map_err(Silence::Encryption)?;
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| Silence::Encryption(format!("{host} is no name a certificate can be for")))?,
        };
        TlsConnector::from(config).connect(name, wire).await.map_err(|error| explain(&error))
    }
}

fn explain(error: &io::Error) -> Silence {
    if let Some(distrust) = Distrust::within(error) {
        return Silence::Certificate(distrust.clone());
    }
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(_)) => Silence::NotEncrypted,
        Some(other) => Silence::Encryption(other.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof
            || error.kind() == io::ErrorKind::ConnectionReset =>
        {
            Silence::BrokeOff
        }
        None => Silence::Encryption(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, KeyPair, date_time_ymd};
    use tokio::io::duplex;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

    use super::*;
    use crate::tls::distrust::Fault;

    /// A certificate of an authority of its own, for these names and years.
    struct Signed {
        authority: Trust,
        acceptor: TlsAcceptor,
        fingerprint: Fingerprint,
    }

    fn signed(names: &[&str], years: (i32, i32)) -> Signed {
        let authority_key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.distinguished_name = DistinguishedName::new();
        let root = authority.self_signed(&authority_key).expect("a certificate");
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let certificate = params.signed_by(&key, &issuer).expect("a certificate").der().clone();
        let authority = Trust::of(&tls::Trust::Authorities(vec![root.der().clone()]), None);
        let fingerprint = Fingerprint::of(&certificate);
        Signed { authority, acceptor: accepting(certificate, &key), fingerprint }
    }

    fn accepting(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], private)
            .expect("a certificate with its key");
        TlsAcceptor::from(Arc::new(config))
    }

    async fn shaken(trust: &Trust, host: &str, acceptor: &TlsAcceptor) -> Result<(), Silence> {
        let (ours, theirs) = duplex(64 * 1024);
        let (shaken, _) = tokio::join!(trust.shake_hands(host, ours), acceptor.accept(theirs));
        shaken.map(drop)
    }

    fn fault(outcome: Result<(), Silence>) -> Distrust {
        match outcome {
            Err(Silence::Certificate(distrust)) => distrust,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_certificate_is_believed_for_its_names_in_its_time_from_its_authority() {
        let good = signed(&["nas.example"], (2020, 2090));
        let trust = good.authority;
        assert_eq!(shaken(&trust, "nas.example", &good.acceptor).await, Ok(()));
        let other = fault(shaken(&trust, "other.example", &good.acceptor).await);
        assert_eq!(other.fault, Fault::OtherName(vec!["nas.example".into()]));
        assert_eq!(other.certificate, good.fingerprint);
    }

    #[tokio::test]
    async fn a_pin_and_another_name_are_believed_as_configured() {
        let made = signed(&["media.example"], (2000, 2001));
        let pinned = Trust::of(&tls::Trust::Pin(made.fingerprint), None);
        assert_eq!(shaken(&pinned, "192.168.1.10", &made.acceptor).await, Ok(()));
        let other = Trust::of(&tls::Trust::Pin(Fingerprint::of(b"another")), None);
        assert_eq!(fault(shaken(&other, "192.168.1.10", &made.acceptor).await).fault, Fault::OtherThanPinned);
        let named = signed(&["media.example"], (2020, 2090));
        let name = ServerName::try_from("media.example").expect("a name");
        let trust = Trust { server_name: Some(name), ..named.authority };
        assert_eq!(shaken(&trust, "192.168.1.10", &named.acceptor).await, Ok(()));
    }

    #[tokio::test]
    async fn a_certificate_out_of_its_time_or_of_a_stranger_is_not_believed() {
        let old = signed(&["nas.example"], (2000, 2001));
        assert_eq!(fault(shaken(&old.authority, "nas.example", &old.acceptor).await).fault, Fault::Expired);
        let early = signed(&["nas.example"], (2080, 2090));
        assert_eq!(
            fault(shaken(&early.authority, "nas.example", &early.acceptor).await).fault,
            Fault::NotYetValid
        );
        let good = signed(&["nas.example"], (2020, 2090));
        let stranger = signed(&["nas.example"], (2020, 2090));
        assert_eq!(
            fault(shaken(&stranger.authority, "nas.example", &good.acceptor).await).fault,
            Fault::UnknownIssuer
        );
    }

    #[tokio::test]
    async fn a_certificate_that_signed_itself_is_not_believed() {
        let key = KeyPair::generate().expect("a key");
        for is_ca in [rcgen::IsCa::NoCa, rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)] {
            let mut params = CertificateParams::new(vec!["nas.example".into()]).expect("names");
            params.is_ca = is_ca;
            let own = params.self_signed(&key).expect("a certificate").der().clone();
            let acceptor = accepting(own, &key);
            let trust = signed(&["x"], (2020, 2090)).authority;
            let found = fault(shaken(&trust, "nas.example", &acceptor).await);
            assert_eq!(found.fault, Fault::UnknownIssuer);
        }
    }

    #[tokio::test]
    async fn a_side_that_does_not_speak_tls_is_told_from_one_that_hangs_up() {
        let trust = signed(&["x"], (2020, 2090)).authority;
        let (ours, mut theirs) = duplex(64 * 1024);
        let plain = async {
            use tokio::io::AsyncWriteExt;
            drop(theirs.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
            theirs
        };
        let (shaken, _) = tokio::join!(trust.shake_hands("nas.example", ours), plain);
        assert_eq!(shaken.map(drop), Err(Silence::NotEncrypted));
        let (ours, theirs) = duplex(64 * 1024);
        drop(theirs);
        let shaken = trust.shake_hands("nas.example", ours).await.map(drop);
        assert!(matches!(shaken, Err(Silence::BrokeOff | Silence::Encryption(_))), "{shaken:?}");
    }
}
