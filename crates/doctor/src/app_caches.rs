//! Gathers facts on the caches for apps: the socket, the tokens, and how full the caches are.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use greenroom_config::{AppCachesSettings, Settings};
use greenroom_origin::probe_client::ProbeClient;
use greenroom_state::app_tokens;
use greenroom_state::secrets::DataDir;
use serde::Deserialize;

use super::control;
use super::facts::{AppCacheFacts, AppCacheFill, AppSocketFacts, AppSocketState, AppTokenFacts};

/// System's list of groups.
const GROUPS: &str = "/etc/group";

/// Response of the control plane.
#[derive(Debug, Deserialize)]
struct CachesResponse {
    caches: Vec<AppCacheFill>,
}

/// Gathers the facts. What the running process knows is asked of it, if there is one.
pub async fn inspect(settings: &Settings, enquirer: &ProbeClient) -> AppCacheFacts {
    let tokens = app_tokens::list(&settings.data_dir).unwrap_or_default();
    let tokens: Vec<_> = tokens
        .into_iter()
        .filter(|token| !token.access.caches.is_empty())
        .map(|token| AppTokenFacts { name: token.name, caches: token.access.caches })
        .collect();
    let (listen, certificate) = (settings.control.listen, settings.control.certificate.as_ref());
    let enquirer = enquirer.with_trust(control::trust_own_certificate(certificate));
    let caches = match control::endpoint(listen, certificate.is_some()) {
        Some(endpoint) if listen.port() != 0 => {
            let token = DataDir::control_token_in(&settings.data_dir);
            let told = control::fetch::<CachesResponse>(&enquirer, &endpoint, token.as_ref(), "/api/v1/caches").await;
            told.ok().map(|told| told.caches)
        }
        _ => None,
    };
    AppCacheFacts { socket: socket(&settings.app_caches), tokens, caches }
}

fn socket(settings: &AppCachesSettings) -> Option<AppSocketFacts> {
    let path = settings.socket.clone()?;
    let unknown_group = settings.socket_group.clone().filter(|group| !is_group(group));
    Some(AppSocketFacts { state: socket_state(&path), path, unknown_group })
}

fn socket_state(path: &Path) -> AppSocketState {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => AppSocketState::OtherFile,
        Ok(found) => AppSocketState::Present { mode: found.permissions().mode() & 0o777 },
        Err(_) if path.parent().is_some_and(Path::is_dir) => AppSocketState::Absent,
        Err(_) => AppSocketState::NoDirectory,
    }
}

fn is_group(group: &str) -> bool {
    let names = fs::read_to_string(GROUPS).unwrap_or_default();
    group.parse::<u32>().is_ok() || names.lines().any(|line| line.split(':').next() == Some(group))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_is_told_from_other_files_and_from_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        assert_eq!(socket_state(&at("apps.sock")), AppSocketState::Absent);
        assert_eq!(socket_state(&at("none/apps.sock")), AppSocketState::NoDirectory);
        fs::write(at("file"), "").expect("written");
        assert_eq!(socket_state(&at("file")), AppSocketState::OtherFile);
        let _listener = UnixListener::bind(at("apps.sock")).expect("bound");
        fs::set_permissions(at("apps.sock"), fs::Permissions::from_mode(0o660)).expect("set");
        assert_eq!(socket_state(&at("apps.sock")), AppSocketState::Present { mode: 0o660 });
        assert!(is_group("root") && is_group("77") && !is_group("no such group"));
    }
}
