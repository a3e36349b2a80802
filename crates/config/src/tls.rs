//! Encryption: who vouches for a media server's certificate, and which certificate a listener shows.

use std::path::PathBuf;

use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use super::certificate_files::{Files, certificates};
use super::tree::Tree;
use super::{Fingerprint, Trust};

/// How a media server is known.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Who vouches for its certificate.
    pub trust: Trust,
    /// The name its certificate is for, where that is not the one in the url.
    pub server_name: Option<ServerName<'static>>,
}

impl Upstream {
    /// Reads `server.NAME.tls`; `is_encrypted` says whether the url asks for encryption at all.
    pub(super) fn read(tree: &mut Tree, server: &str, is_encrypted: bool) -> Self {
        let key = |last: &str| format!("server.{server}.tls.{last}");
        let keys = ["ca_file", "server_name", "pin_sha256"];
        if !is_encrypted && let Some(path) = keys.iter().map(|last| key(last)).find(|path| tree.has(path)) {
            let place = tree.place(&path);
            tree.problem(place, format!("{path} has no use: the url begins with http://, not with https://"));
        }
        let pin: Option<Fingerprint> = tree.parse(&key("pin_sha256"), "a SHA-256 of 64 hexadecimal digits");
        let authorities = read_authorities(tree, &key("ca_file"));
        let server_name = read_server_name(tree, &key("server_name"));
        let trust = match (pin, authorities) {
            (Some(_), Some(_)) => {
                let message = "set either tls.pin_sha256 or tls.ca_file: a pinned certificate needs nobody to vouch for it";
                tree.problem(format!("server.{server}.tls"), message.into());
                Trust::System
            }
            (Some(pin), None) => Trust::Pin(pin),
            (None, Some(authorities)) => Trust::Authorities(authorities),
            (None, None) => Trust::System,
        };
        Self { trust, server_name }
    }
}

fn read_authorities(tree: &mut Tree, path: &str) -> Option<Vec<CertificateDer<'static>>> {
    let leaf = tree.take(path)?;
    match certificates(leaf.text.as_ref()) {
        Ok(authorities) => Some(authorities),
        Err(reason) => {
            tree.problem(leaf.place, reason);
            None
        }
    }
}

fn read_server_name(tree: &mut Tree, path: &str) -> Option<ServerName<'static>> {
    let leaf = tree.take(path)?;
    let name = ServerName::try_from(leaf.text.clone()).ok();
    if name.is_none() {
        let message = format!("{path} must be a host name or an address, not \"{}\"", leaf.text);
        tree.problem(leaf.place, message);
    }
    name
}

/// Reads the certificate a listener shows; `prefix` names the table it is written in.
pub(super) fn read_shown(tree: &mut Tree, prefix: &str) -> Option<Files> {
    let (certificate, key) = (format!("{prefix}.cert_file"), format!("{prefix}.key_file"));
    match (tree.take(&certificate), tree.take(&key)) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            let files = Files { certificate: PathBuf::from(certificate.text), key: PathBuf::from(key.text) };
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
