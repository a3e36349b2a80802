//! Output of commands: text for people, or with `--json` one JSON document on standard output, an error included.

use std::ffi::OsString;
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use greenroom_config::ConfigError;
use serde_json::{Value, json};

use super::USAGE_ERROR;

/// Style of an error.
pub(super) const ERROR_STYLE: Style = AnsiColor::Red.on_default().bold();
/// Style of a warning.
pub(super) const WARNING_STYLE: Style = AnsiColor::Yellow.on_default();

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The form of this process's output: a process runs one command.
static FORMAT: OnceLock<OutputFormat> = OnceLock::new();

impl OutputFormat {
    /// The form that a command line asks for, also if it is wrong otherwise.
    pub(super) fn from_arguments(arguments: &[OsString]) -> Self {
        let options = arguments.iter().take_while(|argument| *argument != "--");
        if options.into_iter().any(|argument| argument == "--json") { Self::Json } else { Self::Text }
    }

    /// Sets the form for the rest of the process.
    pub(super) fn set(self) {
        // Only the first call counts; there is one.
        let _ = FORMAT.set(self);
    }

    /// The form of this process's output.
    pub(super) fn current() -> Self {
        FORMAT.get().copied().unwrap_or(Self::Text)
    }
}

/// Prints an error. Returns the exit code.
pub(super) fn print_error(message: &str, code: u8) -> u8 {
    match OutputFormat::current() {
        OutputFormat::Text => anstream::eprintln!("{ERROR_STYLE}greenroom:{ERROR_STYLE:#} {message}"),
        OutputFormat::Json => println!("{}", error_json(message, code)),
    }
    code
}

/// Prints the errors of the configuration. Returns the exit code.
pub(super) fn print_config_errors(errors: &[ConfigError]) -> u8 {
    match OutputFormat::current() {
        OutputFormat::Text => print_remarks(errors),
        OutputFormat::Json => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let mut document = error_json(&lines.join("\n"), USAGE_ERROR);
            let errors = errors.iter().map(|error| json!({"place": error.place, "message": error.message}));
            document["error"]["problems"] = errors.collect();
            println!("{document}");
        }
    }
    USAGE_ERROR
}

/// Prints what is odd in the configuration, a line each.
pub(super) fn print_remarks(remarks: &[ConfigError]) {
    for remark in remarks {
        eprintln!("{remark}");
    }
}

/// Prints a line for people: where standard output is for programs, to standard error.
pub(super) fn print_note(text: &str) {
    match OutputFormat::current() {
        OutputFormat::Text => println!("{text}"),
        OutputFormat::Json => eprintln!("{text}"),
    }
}

/// [`print_note`] with the arguments of `format!`.
macro_rules! note {
    ($($argument:tt)*) => {
        $crate::cli::output::print_note(&format!($($argument)*))
    };
}
pub(super) use note;

/// Prints the outcome of a command: text for people, or JSON.
pub(super) fn print_outcome(text: &str, document: &Value, as_json: bool) {
    if as_json {
        println!("{document}");
    } else {
        println!("{text}");
    }
}

/// An error for programs.
pub(super) fn error_json(message: &str, code: u8) -> Value {
    json!({"error": {"message": message, "exit_code": code}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_asked_for_by_an_option_and_not_by_a_name() {
        let format = |line: &str| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            OutputFormat::from_arguments(&arguments)
        };
        assert_eq!(format("greenroom status --json"), OutputFormat::Json);
        assert_eq!(format("greenroom --json status --unknown"), OutputFormat::Json);
        assert_eq!(format("greenroom match -- --json"), OutputFormat::Text);
        assert_eq!(format("greenroom status"), OutputFormat::Text);
    }
}
