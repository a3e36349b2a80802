//! TLS settings: trust in a media server's certificate, and the certificate of a listener.

use std::path::PathBuf;

use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use super::certificate_files::{CertificateFiles, certificates};
use super::source::ConfigSource;
use super::{CertificateTrust, Fingerprint};

/// Trust in a media server.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// Trusted certificates.
    pub trust: CertificateTrust,
    /// Name in its certificate, if it differs from the URL's.
    pub server_name: Option<ServerName<'static>>,
}

impl UpstreamTls {
    /// Reads `server.NAME.tls`; `is_encrypted` says whether the URL uses TLS.
    pub(super) fn read(tree: &mut ConfigSource, server: &str, is_encrypted: bool) -> Self {
        let key = |last: &str| format!("server.{server}.tls.{last}");
        let keys = ["ca_file", "server_name", "pin_sha256"];
        if !is_encrypted && let Some(path) = keys.iter().map(|last| key(last)).find(|path| tree.has(path)) {
            let place = tree.place(&path);
            tree.problem(place, format!("{path} has no use: the url begins with http://, not with https://"));
        }
        let place = tree.place(&key("pin_sha256"));
        let pin: Option<Fingerprint> = tree.parse(&key("pin_sha256"), "a SHA-256 of 64 hexadecimal digits");
        let authorities = read_authorities(tree, &key("ca_file"));
        let server_name = read_server_name(tree, &key("server_name"));
        let trust = match (pin, authorities) {
            (Some(_), Some(_)) => {
                let message = "set either tls.pin_sha256 or tls.ca_file: a pinned certificate needs no authority";
                tree.problem(place, message.into());
                CertificateTrust::System
            }
            (Some(pin), None) => CertificateTrust::Pin(pin),
            (None, Some(authorities)) => CertificateTrust::Authorities(authorities),
            (None, None) => CertificateTrust::System,
        };
        Self { trust, server_name }
    }
}

fn read_authorities(tree: &mut ConfigSource, path: &str) -> Option<Vec<CertificateDer<'static>>> {
    let leaf = tree.take(path)?;
    match certificates(leaf.text.as_ref()) {
        Ok(authorities) => Some(authorities),
        Err(reason) => {
            tree.problem(leaf.place, reason);
            None
        }
    }
}

fn read_server_name(tree: &mut ConfigSource, path: &str) -> Option<ServerName<'static>> {
    let leaf = tree.take(path)?;
    let name = ServerName::try_from(leaf.text.clone()).ok();
    if name.is_none() {
        let message = format!("{path} must be a host name or an address, not \"{}\"", leaf.text);
        tree.problem(leaf.place, message);
    }
    name
}

/// Reads a listener's certificate; `prefix` is its table in the file.
pub(super) fn read_certificate_files(tree: &mut ConfigSource, prefix: &str) -> Option<CertificateFiles> {
    let (certificate, key) = (format!("{prefix}.cert_file"), format!("{prefix}.key_file"));
    match (tree.take(&certificate), tree.take(&key)) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            let files = CertificateFiles { certificate: PathBuf::from(certificate.text), key: PathBuf::from(key.text) };
            if let Err(reason) = files.read() {
                tree.problem(certificate.place, reason);
            }
            Some(files)
        }
        (Some(one), None) | (None, Some(one)) => {
            tree.problem(one.place, format!("{prefix} needs both cert_file and key_file"));
            None
        }
    }
}
