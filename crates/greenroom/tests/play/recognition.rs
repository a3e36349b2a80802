//! Servers are recognised by one rule in all commands.

use std::collections::HashSet;

use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::binary::{folder, run, serve};
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer};

const JSON: &str = "application/json";
const PLEX_IDENTITY: &str = r#"{"MediaContainer":{"size":0,"machineIdentifier":"m","version":"1.43.2"}}"#;

/// A response: its name, path, status, content type, body, and the words all commands must print.
type IdentifyCase = (&'static str, &'static str, &'static str, &'static str, &'static str, [&'static str; 2]);

const NO_JELLYFINS: [IdentifyCase; 6] = [
    (
        "an Emby below its own prefix",
        "/emby/System/Info/Public",
        "200 OK",
        JSON,
        r#"{"ServerName":"D","Version":"4.8.1","Id":"x"}"#,
        ["Emby", "4.8.1"],
    ),
    (
        "an Emby of an old version",
        "/System/Info/Public",
        "200 OK",
        JSON,
        r#"{"ServerName":"D","Version":"3.5.2.0","Id":"x"}"#,
        ["Emby", "3.5.2.0"],
    ),
    (
        "a relative of both",
        "/System/Info/Public",
        "200 OK",
        JSON,
        r#"{"ServerName":"D","Version":"4.1","ProductName":"Router","Id":"x"}"#,
        ["ellyfin server", "Router"],
    ),
    ("a Plex", "/identity", "200 OK", JSON, PLEX_IDENTITY, ["ellyfin server", "plex server"]),
    ("a proxy whose server is away", "/", "502 Bad Gateway", "text/html", "<html>502</html>", ["502", ""]),
    ("a login", "/", "401 Unauthorized", "text/html", "<html>401</html>", ["ellyfin server", "demands a login"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_closes_between_two_probes_does_not_change_the_identity() {
    let tasks = TaskTracker::new();
    let used_connections = Mutex::new(HashSet::new());
    let server = ScriptedServer::start(&tasks, move |request| match request.target.as_str() {
        _ if !used_connections.lock().insert(request.connection) => ScriptedReply::Close,
        "/identity" => ScriptedReply::Bytes(answer("200 OK", JSON, PLEX_IDENTITY)),
        _ => ScriptedReply::Bytes(answer("404 Not Found", "text/plain", "nothing")),
    })
    .await;
    let mut program = serve(&["--jellyfin", &format!("http://{}", server.address)]);
    let line = program.line().await;
    program.end().await;
    assert!(line.contains("plex server"), "{line}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_doctor_and_login_say_the_same_of_what_answers() {
    let tasks = TaskTracker::new();
    for (what, path, status, content_type, body, words) in NO_JELLYFINS {
        let server = ScriptedServer::start(&tasks, move |request| {
            ScriptedReply::Last(if path == "/" || request.target == path {
                answer(status, content_type, body)
            } else {
                answer("404 Not Found", "text/plain", "nothing")
            })
        })
        .await;
        let url = format!("http://{}", server.address);
        let mut program = serve(&["--jellyfin", &url]);
        let served = program.line().await;
        program.end().await;
        let ports = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
        let (_, examined, _) = run(&folder(), &[&["doctor", "--jellyfin", &url][..], &ports].concat(), &[]).await;
        let login = ["login", "jellyfin", "--url", &url, "--user", "sam"];
        let (code, _, refused) = run(&folder(), &login, &[]).await;
        assert_eq!(code, 1, "{what}: {refused}");
        for (command, said) in [("serve", served), ("doctor", examined), ("login", refused)] {
            for word in words {
                assert!(said.contains(word), "{command} says of {what} no {word:?}: {said}");
            }
        }
        server.stop();
    }
}
