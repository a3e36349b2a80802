//! `greenroom sync`, as a person or a script types it.

use std::process::Output;

use greenroom_dialect::request::ServerKind;
use tokio::process::Command;

use super::fixture::PlaylistFixture;

async fn typed(house: &PlaylistFixture, arguments: &[&str]) -> Output {
    let token = house.stage.folder().join("typed.token");
    std::fs::write(&token, house.stage.process.token.secret.expose()).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command.arg("sync").args(arguments).env_remove("GREENROOM_CONFIG");
    command.args(["--control", &format!("http://{}", house.stage.process.control), "--control-token-file"]);
    command.arg(&token).output().await.expect("it runs")
}

#[tokio::test]
async fn the_result_is_in_the_exit_code_and_in_words() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("Road Trip.csv");
    let track = &house.tracks[0];
    let row = format!("\"{}\",\"{}\",\"{}\"\n", track.title, track.artist, track.album);
    std::fs::write(&file, format!("title,artist,album\n{row}Nobody,No One,\n")).expect("written");
    let path = file.display().to_string();
    let planned = typed(&house, &[&path, "--dry-run"]).await;
    let text = String::from_utf8_lossy(&planned.stdout);
    assert_eq!(planned.status.code(), Some(3), "{text}");
    assert!(text.contains("owner: would be written with 1 requests"), "{text}");
    assert_eq!(house.writes(), 0);
    let missing = folder.path().join("missing.csv");
    let written = missing.display().to_string();
    let done = typed(&house, &[&path, "--to", "home", "--account", "ben", "--missing", &written]).await;
    let text = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(3), "{text}{}", String::from_utf8_lossy(&done.stderr));
    assert!(text.starts_with("Road Trip on home: 1 of 2 rows found, 1 not found\n  ben: written, 1 added"), "{text}");
    assert!(text.contains("not found: line 3: No One - Nobody"), "{text}");
    assert!(std::fs::read_to_string(&missing).expect("a table").contains("Nobody,No One"));
    assert_eq!(house.playlist_keys("ben", "Road Trip"), Some(house.keys([0])));
    std::fs::write(&file, format!("title,artist,album\n{row}")).expect("written");
    let whole = typed(&house, &[&path, "--name", "Whole", "--json"]).await;
    assert_eq!(whole.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&whole.stdout).expect("JSON");
    assert_eq!(json["report"]["counts"]["found"], 1);
    let copied = typed(&house, &["--from", "home/Whole", "--to", "home", "--name", "Copy"]).await;
    assert_eq!(copied.status.code(), Some(0), "{}", String::from_utf8_lossy(&copied.stderr));
    assert_eq!(house.playlist_keys("ann", "Copy"), Some(house.keys([0])));
    house.close().await;
}

#[tokio::test]
async fn wrong_arguments_are_reported() {
    let house = PlaylistFixture::open(ServerKind::Plex).await;
    let folder = tempfile::tempdir().expect("a folder");
    let huge = folder.path().join("huge.csv");
    std::fs::File::create(&huge).and_then(|file| file.set_len(1 << 30)).expect("it takes no room");
    let picture = folder.path().join("cover.png");
    std::fs::write(&picture, b"\x89PNG\r\n\x1a\n").expect("written");
    let cases = [
        (vec![huge.display().to_string()], 1, "longer than 16 MiB"),
        (vec![picture.display().to_string()], 1, "a picture"),
        (vec!["/nowhere/x.csv".into()], 1, "cannot be read"),
        (vec!["--from".into(), "attic".into()], 2, "SERVER/PLAYLIST"),
        (vec![], 2, "required"),
    ];
    for (arguments, code, words) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = typed(&house, &arguments).await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    house.close().await;
}
