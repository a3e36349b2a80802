//! The command line against a running gateway.

use tokio_util::task::TaskTracker;

use crate::binary::{GatewayProgram, folder, identity, run, serve};
use crate::fixture::TestClient;
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, container};

const TOKEN: &str = "SECRET-token-0123456789";

fn parsed(json: &str) -> serde_json::Value {
    serde_json::from_str(json).expect("JSON")
}

async fn play(arguments: &[&str]) -> (ScriptedServer, GatewayProgram, TestClient, String) {
    let server = ScriptedServer::start(&TaskTracker::new(), |request| {
        ScriptedReply::Bytes(if request.target == "/identity" { identity() } else { container(1) })
    })
    .await;
    let url = format!("http://{}", server.address);
    let mut program = serve(&[&["--plex", &url][..], arguments].concat());
    let door = program.after("point your apps at http://").await;
    let page = program.after("page: http://").await;
    let client = TestClient::new(door.parse().expect("an address"));
    let client = client.with("x-plex-token", TOKEN).with("accept", "application/json");
    (server, program, client, page.trim_end_matches('/').to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_is_read_while_it_observes_and_printed_when_it_ends() {
    let (server, mut program, client, page) = play(&["--observe"]).await;
    for _ in 0..4 {
        client.get("/library/sections").await;
    }
    let arguments = ["observe", "--control", &page];
    let (code, out, errors) = run(&program.folder, &arguments, &[]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(out.starts_with("plex: Would have saved "), "{out}");
    assert!(out.contains("sections") && out.contains("requests"), "{out}");
    let (_, json, _) = run(&program.folder, &[&arguments[..], &["--json"]].concat(), &[]).await;
    assert_eq!(parsed(&json)[0]["mode"], "observe");
    program.stop();
    let last = program.after("plex: ").await;
    // Greenroom's own requests at the start reduce the saved share, so it is not 75 %.
    assert!(last.ends_with(" % of 4 requests; 0 would have differed"), "{last}");
    let (code, log) = program.end().await;
    assert_eq!(code, Some(0));
    assert!(!log.contains("SECRET"), "{log}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn bypass_why_status_stats_warm_and_clear_speak_to_the_gateway() {
    let (server, program, client, page) = play(&[]).await;
    client.get("/library/sections").await;
    let speak = async |arguments: &[&str]| {
        let (code, out, errors) = run(&program.folder, &[arguments, &["--control", &page]].concat(), &[]).await;
        assert!(!out.contains("SECRET") && !errors.contains("SECRET"), "{out}{errors}");
        assert_eq!(code, 0, "{arguments:?}: {errors}");
        out
    };
    let url = format!("/library/sections?X-Plex-Token={TOKEN}");
    let told = speak(&["why", &url]).await;
    assert!(told.contains("The cached response is served") && told.contains("server says  the same"), "{told}");
    assert_eq!(speak(&["bypass"]).await, "nothing is bypassed\n");
    assert_eq!(speak(&["bypass", "on", "--class", "sections"]).await, "bypassed: request type sections\n");
    assert!(!client.get("/library/sections").await.was_hit());
    assert_eq!(speak(&["bypass", "off"]).await, "nothing is bypassed\n");
    assert!(client.get("/library/sections").await.was_hit());
    let status = speak(&["status"]).await;
    assert!(status.contains("plex (plex)") && status.contains("cache"), "{status}");
    assert!(status.starts_with("today: hit rate ") && !status.contains("hit rate –"), "{status}");
    let warned = parsed(&speak(&["status", "--json"]).await)["warnings"].clone();
    let warned = warned.as_array().expect("a list");
    assert!(!warned.is_empty(), "this server was given no owner's token, or the like");
    for warning in warned {
        assert!(status.contains(warning["text"].as_str().expect("a text")), "{status}");
        assert!(status.contains(warning["remedy"].as_str().expect("a remedy")), "{status}");
    }
    let warmed = speak(&["warm"]).await;
    assert!(warmed.starts_with("Refreshed") || warmed.starts_with("Nothing to warm"), "{warmed}");
    assert!(parsed(&speak(&["warm", "--server", "plex", "--json"]).await)["warmed"].is_u64());
    assert!(speak(&["stats"]).await.contains("plex: sections"));
    assert!(speak(&["clear", "--class", "sections"]).await.contains("Cleared these cached responses"));
    assert!(!client.get("/library/sections").await.was_hit());
    program.end().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_or_refusing_gateway_is_reported_with_an_exit_code() {
    let folder = folder();
    let (code, _, errors) = run(&folder, &["status", "--control", "http://127.0.0.1:9"], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("no gateway answers at 127.0.0.1:9; start it"), "{errors}");
    let (code, _, errors) = run(&folder, &["status", "--control", "https://127.0.0.1:9"], &[]).await;
    assert_eq!(code, 2, "{errors}");
    let (code, _, _) = run(&folder, &["bypass", "maybe"], &[]).await;
    assert_eq!(code, 2);
    let (server, program, _, page) = play(&[]).await;
    let (code, _, errors) = run(&folder, &["bypass", "on", "--control", &page], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("Control token required"), "{errors}");
    let (code, _, errors) = run(&program.folder, &["bypass", "on", "--server", "attic", "--control", &page], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("No such server"), "{errors}");
    program.end().await;
    server.stop();
}
