//! `--json`: one document on standard output, whatever happens.

use serde_json::Value;

use crate::program::{CommandOutput, folder, run};

/// A control plane's address at which nothing listens.
const NOWHERE: &str = "127.0.0.1:9";

fn document(output: &CommandOutput) -> Value {
    serde_json::from_str(&output.out)
        .unwrap_or_else(|error| panic!("{error}: {:?}, errors {:?}", output.out, output.errors))
}

#[test]
fn a_failure_is_json_on_standard_output_where_json_is_asked_for() {
    let home = folder();
    let junk = home.path().join("junk.html").display().to_string();
    std::fs::write(&junk, "<html></html>").expect("write the file");
    let gateway = ["--control", NOWHERE];
    for command in [
        ["status"].as_slice(),
        &["stats"],
        &["observe"],
        &["bypass"],
        &["why", "/library/sections"],
        &["match", "A - B"],
        &["warm"],
        &["clear"],
        &["build"],
        &["jobs"],
        &["policies"],
        &["invalidate", "--all"],
        &["notices", "test"],
        &["sync", "--from", "a/b", "--to", "c"],
        &["sync", &junk, "--to", "home"],
    ] {
        let output = run(&home, &[command, &gateway, &["--json"]].concat());
        let error = &document(&output)["error"];
        assert_eq!((output.code, error["exit_code"].as_i64()), (1, Some(1)), "{command:?}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains("no gateway answers") || message.contains("a web page"), "{message}");
    }
    for command in [
        ["token", "show"].as_slice(),
        &["token", "rotate"],
        &["token", "webhook"],
        &["backup", "to"],
        &["restore", "from"],
        &["cache", "show", "/x"],
    ] {
        let output = run(&home, &[command, &["--json"]].concat());
        assert!(document(&output)["error"]["message"].is_string(), "{command:?}: {}", output.out);
        assert_eq!(output.code, 1, "{command:?}");
    }
}

#[test]
fn a_wrong_command_line_or_configuration_is_json_as_well() {
    let home = folder();
    let output = run(&home, &["status", "--json", "--colour"]);
    let error = document(&output)["error"].clone();
    assert_eq!((output.code, error["exit_code"].as_i64()), (2, Some(2)));
    assert!(
        error["message"].as_str().is_some_and(|text| text.contains("--colour") && !text.contains("Usage")),
        "{error}"
    );
    let file = home.path().join("greenroom.toml").display().to_string();
    std::fs::write(&file, "colour = 1\n[[server]]\nname = \"a\"\nkind = \"tape\"\nurl = \"nowhere\"\n").expect("write");
    for command in [["config", "check", &file].as_slice(), &["doctor", "-c", &file], &["healthcheck", "-c", &file]] {
        let output = run(&home, &[command, &["--json"]].concat());
        let error = document(&output)["error"].clone();
        assert_eq!((output.code, &error["exit_code"]), (2, &Value::from(2)), "{command:?}");
        let problems = error["problems"].as_array().expect("problems").clone();
        assert_eq!(problems.len(), 3, "{command:?}: {problems:?}");
        assert!(problems.iter().all(|problem| problem["place"].is_string() && problem["message"].is_string()));
    }
}

#[test]
fn outcomes_are_json() {
    let home = folder();
    let file = home.path().join("greenroom.toml");
    let dir = home.path().join("data");
    std::fs::create_dir(&dir).expect("create the folder");
    std::fs::write(dir.join("control.token"), "0123456789abcdef0123456789abcdef").expect("write the token");
    let text = format!(
        "data_dir = \"{}\"\n[[server]]\nname = \"den\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n",
        dir.display()
    );
    std::fs::write(&file, text).expect("write the file");
    let file = file.display().to_string();
    let checked = document(&run(&home, &["config", "check", &file, "--json"]));
    assert_eq!((&checked["valid"], &checked["servers"][0]["name"]), (&Value::Bool(true), &"den".into()));
    let shown = document(&run(&home, &["token", "show", "-c", &file, "--json"]));
    assert_eq!(shown["token"], "0123456789abcdef0123456789abcdef");
    let webhook = document(&run(&home, &["token", "webhook", "-c", &file, "--json"]));
    assert!(webhook["path"].as_str().is_some_and(|path| path.starts_with("/hooks/plex/")), "{webhook}");
    let backup = home.path().join("saved.backup").display().to_string();
    let saved = document(&run(&home, &["backup", &backup, "-c", &file, "--json"]));
    assert!(saved["files"].as_array().is_some_and(|files| files.contains(&"control.token".into())), "{saved}");
    let restored = document(&run(&home, &["restore", &backup, "-c", &file, "--json"]));
    assert!(restored["files"].as_array().is_some_and(|files| files.contains(&"control.token".into())), "{restored}");
}
