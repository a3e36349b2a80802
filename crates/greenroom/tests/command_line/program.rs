//! Runs the program and returns what it printed.

use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Result of a finished command: its exit code, standard output and standard error.
pub(crate) struct CommandOutput {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) errors: String,
}

/// A new folder, which is also the user's home.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("create a folder")
}

/// The program with this home and no other variable.
pub(crate) fn command(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command.env_clear().env("HOME", home.path()).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(home: &TempDir, arguments: &[&str]) -> CommandOutput {
    finish(command(home).args(arguments))
}

/// Runs a prepared command to its end.
pub(crate) fn finish(command: &mut Command) -> CommandOutput {
    let output = command.output().expect("run the program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    CommandOutput {
        code: output.status.code().expect("it ends by itself"),
        out: text(&output.stdout),
        errors: text(&output.stderr),
    }
}
