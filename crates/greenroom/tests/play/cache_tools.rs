//! `greenroom cache`, through the program: on a directory with and without a gateway.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::binary::{folder, identity, run};
use crate::fixture::TestClient;
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::with_deadline;
use crate::kept::RestartableProgram;

const TOKEN: &str = "SECRET-token-0123456789";

async fn plex() -> ScriptedServer {
    ScriptedServer::start(&TaskTracker::new(), |request| {
        ScriptedReply::Bytes(match request.target.as_str() {
            "/identity" => identity(),
            target if target.contains("/thumb/") => {
                answer("200 OK", "image/gif", &format!("GIF89a \u{1}{};", "x".repeat(100_000)))
            }
            _ => container(request.before),
        })
    })
    .await
}

struct CacheToolsFixture {
    server: ScriptedServer,
    home: TempDir,
}

impl CacheToolsFixture {
    async fn build() -> Self {
        Self { server: plex().await, home: folder() }
    }

    fn start(&self) -> RestartableProgram {
        RestartableProgram::start(&self.home, &format!("http://{}", self.server.address))
    }

    /// Runs `greenroom cache …` and asserts that no token is shown.
    async fn cache(&self, arguments: &[&str]) -> (i32, String, String) {
        let all: Vec<&str> = ["cache"].iter().chain(arguments).copied().collect();
        let (code, out, errors) = run(&self.home, &all, &[]).await;
        assert!(!out.contains("SECRET") && !errors.contains("SECRET"), "{out}{errors}");
        (code, out, errors)
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let (_, out, errors) = self.cache(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{errors}"))
    }

    fn store(&self) -> PathBuf {
        self.home.path().join(".local/state/greenroom/cache/cache.db")
    }

    /// Waits until this many entries are on disk.
    async fn until(&self, answers: u64) {
        let kept = async {
            while !self.store().exists() || self.json(&["stats"]).await["answers"].as_u64() < Some(answers) {}
        };
        with_deadline(format!("{answers} answers on disk"), kept).await;
    }
}

async fn read(client: &TestClient) {
    for target in ["/library/sections", "/library/metadata/1", "/library/metadata/1/thumb/2"] {
        assert_eq!(client.get(target).await.status, 200, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_responses_are_listed_shown_and_counted_with_and_without_a_running_gateway() {
    let house = CacheToolsFixture::build().await;
    let (code, _, errors) = house.cache(&["ls"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("no disk tier in this directory"), "{errors}");
    let mut program = house.start();
    let client = program.client(TOKEN).await;
    read(&client).await;
    house.until(3).await;
    let mut running = Some(program);
    for is_running in [true, false] {
        let (code, out, errors) = house.cache(&["ls"]).await;
        assert_eq!(code, 0, "{errors}");
        assert!(out.starts_with("server  class") && out.lines().count() == 4, "{out}");
        assert!(out.contains("plex    sections") && out.contains("/library/sections json"), "{out}");
        let (_, out, _) = house.cache(&["ls", "--limit", "1"]).await;
        assert!(out.ends_with("2 more entries; --limit 0 lists all\n"), "{out}");
        let images = house.json(&["ls", "--class", "images"]).await;
        assert!(images[0]["in_file"] == true && images[0]["state"] == "fresh", "{images}");
        assert_eq!(house.json(&["ls", "--server", "attic"]).await, serde_json::json!([]));
        assert_eq!(house.json(&["ls", "--expired"]).await, serde_json::json!([]));
        let url = format!("http://127.0.0.1:32500/library/sections?X-Plex-Token={TOKEN}");
        let (code, out, errors) = house.cache(&["show", &url]).await;
        assert_eq!(code, 0, "{errors}");
        for part in ["class      sections", "bytes of application/json", "invalid    no", "left       fresh for"] {
            assert!(out.contains(part), "{part} is missing in {out}");
        }
        assert!(!out.contains("MediaContainer"), "the content is not asked for: {out}");
        let (_, out, _) = house.cache(&["show", &url, "--body"]).await;
        assert!(out.contains("MediaContainer"), "{out}");
        let (code, _, errors) = house.cache(&["show", "/nothing"]).await;
        assert!(code == 1 && errors.contains("no entry is stored for /nothing"), "{errors}");
        let stats = house.json(&["stats"]).await;
        assert_eq!((&stats["answers"], &stats["files"]), (&3.into(), &1.into()), "{stats}");
        let (_, out, _) = house.cache(&["stats"]).await;
        assert!(out.contains("3 entries") && out.contains("plex: sections"), "{out}");
        let (code, out, _) = house.cache(&["verify"]).await;
        assert!(code == 0 && out.contains("none is damaged"), "{out}");
        let (code, out, errors) = house.cache(&["vacuum"]).await;
        // A running gateway returns pages to the system only if the file was created for it.
        assert!(
            (code == 0 && out.contains("freed")) || (is_running && errors.contains("stop the gateway")),
            "{errors}"
        );
        if is_running {
            running.take().expect("it runs").stop_well().await;
        }
    }
    house.server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_entries_are_named_and_removed() {
    let house = CacheToolsFixture::build().await;
    let mut program = house.start();
    read(&program.client(TOKEN).await).await;
    program.stop_well().await;
    let db = rusqlite::Connection::open(house.store()).expect("it opens");
    db.execute("UPDATE entry SET length = length + 1 WHERE key LIKE '%/library/sections %'", []).expect("changed");
    drop(db);
    let (code, out, _) = house.cache(&["verify"]).await;
    assert_eq!(code, 1);
    assert!(out.contains("damaged: plex|") && out.contains("1 damaged; --repair removes them"), "{out}");
    let (code, out, _) = house.cache(&["verify", "--repair"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("1 damaged, 1 removed"), "{out}");
    let (code, out, _) = house.cache(&["verify"]).await;
    assert!(code == 0 && out.contains("2 entries"), "{out}");
    house.server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn cleared_entries_are_not_served_any_more_with_and_without_a_running_gateway() {
    let house = CacheToolsFixture::build().await;
    let mut program = house.start();
    let (client, control) = program.client_and_control(TOKEN).await;
    read(&client).await;
    assert!(client.get("/library/sections").await.was_hit());
    let (code, out, errors) = house.cache(&["clear", "--class", "sections", "--control", &control]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("Cleared these cached responses"), "{out}");
    assert!(!client.get("/library/sections").await.was_hit());
    assert!(client.get("/library/metadata/1").await.was_hit());
    let (code, _, errors) = house.cache(&["clear", "--control", "127.0.0.1:9"]).await;
    assert!(code == 1 && errors.contains("no gateway answers at"), "one runs, but not there: {errors}");
    program.stop_well().await;

    let (code, _, errors) = house.cache(&["clear", "--class", "nonsense"]).await;
    assert!(code == 2 && errors.contains("nonsense is not a class; the classes are: "), "{errors}");
    let (code, out, errors) = house.cache(&["clear", "--class", "sections"]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("1 entries deleted"), "{out}");
    let mut program = house.start();
    let client = program.client(TOKEN).await;
    let kept = client.get("/library/metadata/1").await;
    assert!(
        kept.header("cache-status").contains("unconfirmed"),
        "another class is kept: {}",
        kept.header("cache-status")
    );
    assert!(!client.get("/library/sections").await.was_hit());
    program.stop_well().await;
    let (code, out, errors) = house.cache(&["clear"]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("entries deleted"), "{out}");
    let mut program = house.start();
    let client = program.client(TOKEN).await;
    assert!(!client.get("/library/metadata/1").await.was_hit());
    program.kill().await;
    house.server.stop();
}
