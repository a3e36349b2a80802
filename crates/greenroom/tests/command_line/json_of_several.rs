//! `--json` of commands that send several requests: one document, also if a later request fails.

use serde_json::{Value, json};

use crate::canned_gateway::CannedGateway;
use crate::program::{CommandOutput, folder, run};

fn document(output: &CommandOutput) -> Value {
    serde_json::from_str(&output.out)
        .unwrap_or_else(|error| panic!("{error}: {:?}, errors {:?}", output.out, output.errors))
}

/// A run that is complete.
fn done(name: &str) -> (u16, String) {
    let counts = json!({"rows": 1, "found": 1, "version": 0, "ambiguous": 0, "missing": 0, "duplicate": 0, "bad": 0});
    let account = json!({"standing": "written", "not_visible": []});
    let report =
        json!({"name": name, "server": "home", "counts": counts, "accounts": [account], "rows": [], "bad": []});
    (200, json!({"run": name, "state": "done", "report": report}).to_string())
}

fn problem(detail: &str) -> (u16, String) {
    (409, json!({"code": "not-ready", "title": "not ready", "detail": detail, "status": 409}).to_string())
}

/// A file with playlists of these names; a bad one has no row that can be read.
fn playlists(home: &tempfile::TempDir, names: &[&str]) -> String {
    let list = |name: &&str| {
        let row = if *name == "Bad" { json!(7) } else { json!({"title": "T", "artist": "A"}) };
        json!({"name": name, "tracks": [row]})
    };
    let lists: Vec<Value> = names.iter().map(list).collect();
    let path = home.path().join("lists.json").display().to_string();
    std::fs::write(&path, json!({ "playlists": lists }).to_string()).expect("write the file");
    path
}

#[test]
fn a_sync_of_several_playlists_prints_one_document_and_goes_on_after_a_failed_one() {
    let home = folder();
    let file = playlists(&home, &["Road", "Home", "Bad", "Road"]);
    let gateway = CannedGateway::start(vec![done("Road"), problem("the index is not ready"), done("Road (2)")]);
    let output = run(&home, &["sync", &file, "--to", "home", "--json", "--control", &gateway.address]);
    let targets = gateway.targets();
    assert!(targets[0].contains("name=Road&") && targets[2].contains("name=Road+%282%29&part=4"), "{targets:?}");
    let whole = document(&output);
    let runs = whole["runs"].as_array().expect("runs");
    assert_eq!((output.code, runs.len()), (1, 4), "{whole}");
    assert_eq!((&runs[0]["run"], &runs[3]["run"]), (&json!("Road"), &json!("Road (2)")));
    for (at, name, message) in [(1, "Home", "not ready"), (2, "Bad", "none of the 1 rows")] {
        assert_eq!((&runs[at]["name"], &runs[at]["error"]["exit_code"]), (&json!(name), &json!(1)));
        assert!(runs[at]["error"]["message"].as_str().is_some_and(|text| text.contains(message)), "{}", runs[at]);
    }
}

#[test]
fn a_sync_of_several_playlists_prints_text_and_goes_on_after_a_failed_one() {
    let home = folder();
    let file = playlists(&home, &["Home", "Bad", "Road"]);
    let gateway = CannedGateway::start(vec![problem("the index is not ready"), done("Road")]);
    let output = run(&home, &["sync", &file, "--to", "home", "--control", &gateway.address]);
    assert_eq!((output.code, gateway.targets().len()), (1, 2));
    assert!(output.out.starts_with("Road on home: 1 of 1 rows found"), "{}", output.out);
    assert!(
        output.errors.contains("not ready") && output.errors.contains("Bad: none of the 1 rows"),
        "{}",
        output.errors
    );
}

#[test]
fn a_sync_of_one_playlist_prints_its_run() {
    let home = folder();
    let file = playlists(&home, &["Road"]);
    let gateway = CannedGateway::start(vec![done("Road")]);
    let output = run(&home, &["sync", &file, "--to", "home", "--json", "--control", &gateway.address]);
    assert_eq!((output.code, &document(&output)["run"]), (0, &json!("Road")));
    gateway.targets();
}

#[test]
fn pages_of_a_match_are_one_document_also_if_the_second_fails() {
    let home = folder();
    let paths = home.path().join("paths.txt").display().to_string();
    std::fs::write(&paths, "/music/a.mp3\n".repeat(10_001)).expect("write the file");
    let page = |key: &str, next: Value| (200, json!({key: [1], "high": 1, "next": next}).to_string());
    let by_path: &[&str] = &["match", "--paths", &paths];
    for (command, key) in [(by_path, "paths"), (&["match", "--decisions"], "decisions")] {
        for is_broken in [true, false] {
            let second = if is_broken { problem("the index is not ready") } else { page(key, Value::Null) };
            let gateway = CannedGateway::start(vec![page(key, json!(1)), second]);
            let output = run(&home, &[command, &["--json", "--control", &gateway.address]].concat());
            let whole = document(&output);
            gateway.targets();
            if is_broken {
                assert_eq!((output.code, &whole["error"]["exit_code"]), (1, &json!(1)), "{whole}");
            } else {
                assert_eq!((output.code, &whole[key]), (0, &json!([1, 1])), "{whole}");
            }
        }
    }
}
