//! 3. Storage at rest: files are readable by the owner only, and contain no token.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use greenroom_dialect::request::ServerKind;
use http::Method;

use super::{TOKEN, client, echo, end, play};

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn three_files_are_the_owners_alone_and_hold_no_token() {
    let (server, stage) = play(ServerKind::Plex, &format!("token = \"{TOKEN}-owner\""), echo(ServerKind::Plex)).await;
    let client = client(&stage, ServerKind::Plex, TOKEN);
    for target in ["/library/sections", "/library/metadata/1/thumb/2", "/myplex/account", "/security/token?type=x"] {
        client.get(target).await;
    }
    client.get(&format!("/photo/:/transcode?width=1&url=/library/metadata/1/thumb/2%3FX-Plex-Token%3D{TOKEN}")).await;
    client.send(Method::PUT, "/:/rate?key=1&rating=2", "").await;
    let files = files_below(stage.folder());
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
        let bytes = std::fs::read(&file).expect("it can be read");
        assert!(!bytes.windows(TOKEN.len()).any(|bytes| bytes == TOKEN.as_bytes()), "{}", file.display());
        assert!(!file.display().to_string().contains(TOKEN));
    }
    end(server, stage).await;
}
