//! Colours and progress: on a terminal that wants them, and nowhere else.

use std::process::Command;

use crate::program::{command, finish, folder, run};

/// Start of an escape sequence.
const ESCAPE: &str = "\u{1b}[";

const DOCTOR: [&str; 7] =
    ["doctor", "--plex", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];

#[test]
fn colours_are_shown_where_they_are_wanted_and_nowhere_else() {
    let home = folder();
    let output = run(&home, &DOCTOR);
    assert!(!output.out.contains(ESCAPE), "no terminal: {:?}", output.out);
    let with = |variables: &[(&str, &str)], arguments: &[&str]| {
        finish(command(&home).args(arguments).envs(variables.iter().copied()))
    };
    let forced = with(&[("CLICOLOR_FORCE", "1")], &DOCTOR);
    assert!(forced.out.contains("\u{1b}[1m\u{1b}[31mproblem"), "{:?}", forced.out);
    let file = home.path().join("report.txt");
    let path = file.display().to_string();
    let to_file = [&DOCTOR[..], &["--output", &path]].concat();
    let refused = with(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &to_file);
    assert!(!refused.out.contains(ESCAPE), "NO_COLOR: {:?}", refused.out);
    with(&[("CLICOLOR_FORCE", "1")], &to_file);
    let report = std::fs::read_to_string(&file).expect("read the report");
    assert!(report.contains("problem") && !report.contains(ESCAPE), "a file has no colours: {report:?}");
    let error = with(&[("CLICOLOR_FORCE", "1")], &["token", "show"]);
    assert!(error.errors.starts_with(ESCAPE) && error.errors.contains("no Greenroom data"), "{:?}", error.errors);
    let error = with(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &["token", "show"]);
    assert!(error.errors.starts_with("greenroom: no Greenroom data"), "{:?}", error.errors);
}

/// Output of a command on a terminal, which `script` makes; `None` where that program is not installed.
fn on_a_terminal(arguments: &[&str], variables: &[(&str, &str)]) -> Option<String> {
    let home = folder();
    let line = format!("{} {}", env!("CARGO_BIN_EXE_greenroom"), arguments.join(" "));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("HOME", home.path()).env("TERM", "xterm").env_remove("NO_COLOR");
    let output = script.envs(variables.iter().copied()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn progress_is_shown_on_a_terminal_and_leaves_nothing_behind() {
    let Some(shown) = on_a_terminal(&DOCTOR, &[]) else {
        eprintln!("script is not installed: not tried");
        return;
    };
    assert!(shown.contains("checking this machine"), "{shown:?}");
    assert!(shown.contains("\u{1b}[31mproblem"), "{shown:?}");
    let json = on_a_terminal(&[&DOCTOR[..], &["--json"]].concat(), &[]).expect("script runs");
    assert!(!json.contains("checking") && serde_json::from_str::<serde_json::Value>(json.trim()).is_ok(), "{json:?}");
    let plain = on_a_terminal(&DOCTOR, &[("NO_COLOR", "1")]).expect("script runs");
    assert!(plain.contains("problem") && !plain.contains("\u{1b}[31m"), "{plain:?}");
    assert!(!run(&folder(), &DOCTOR).errors.contains("checking"), "no terminal, no progress");
}
