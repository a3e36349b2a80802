//! Logging: target, level and format.
//!
//! A thread of its own writes to standard error, because a pipe that is not read blocks its writer. When its queue is full,
//! lines are dropped and counted (`greenroom_log_lines_dropped_total`).

use std::io::Write;

use greenroom_api::set_log_error_counter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Sets the level: `info`, `debug`, `greenroom=debug` …
const LEVEL_VARIABLE: &str = "GREENROOM_LOG";
/// Sets the format.
const FORMAT_VARIABLE: &str = "GREENROOM_LOG_FORMAT";

/// Max lines that wait to be written.
const MAX_QUEUED_LINES: usize = 4_096;

/// The log of the process. Dropping it writes what is queued, for a second at most.
#[derive(Debug)]
pub(super) struct Log {
    writer: NonBlocking,
    _guard: WorkerGuard,
}

impl Log {
    /// Writes a line for people, after the lines before it and without waiting for them.
    pub(super) fn print(&self, line: &str) {
        let _ = self.writer.clone().write_all(format!("greenroom: {line}\n").as_bytes()); // Dropped lines are counted.
    }
}

/// Format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// Parses a format's name.
fn parse_format(name: Option<&str>) -> Option<LogFormat> {
    match name.map(str::trim) {
        None | Some("" | "text") => Some(LogFormat::Text),
        Some("json") => Some(LogFormat::Json),
        Some(_) => None,
    }
}

/// Parses a filter.
fn parse_filter(level: Option<&str>) -> Option<EnvFilter> {
    match level.map(str::trim) {
        None | Some("") => Some(EnvFilter::new("info")),
        Some(level) => EnvFilter::try_new(level).ok(),
    }
}

/// Silences socket frames even at the lowest level, because they contain tokens.
fn silence_sockets(filter: EnvFilter) -> EnvFilter {
    ["tungstenite=info", "tokio_tungstenite=info"].into_iter().fold(filter, |filter, directive| {
        match directive.parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        }
    })
}

/// Starts logging to standard error, for as long as the result lives.
pub(super) fn init() -> Log {
    let level = std::env::var(LEVEL_VARIABLE).ok();
    let filter = parse_filter(level.as_deref());
    if filter.is_none() {
        eprintln!("greenroom: {LEVEL_VARIABLE} is not a filter such as debug or greenroom=debug; using info");
    }
    let filter = silence_sockets(filter.unwrap_or_else(|| EnvFilter::new("info")));
    let name = std::env::var(FORMAT_VARIABLE).ok();
    let format = parse_format(name.as_deref());
    if format.is_none() {
        eprintln!("greenroom: {FORMAT_VARIABLE} must be text or json; using text");
    }
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MAX_QUEUED_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    set_log_error_counter(writer.error_counter());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer.clone());
    let result = match format.unwrap_or(LogFormat::Text) {
        LogFormat::Text => log.with_ansi(has_colours()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    if result.is_err() {
        eprintln!("greenroom: the log was already initialised");
    }
    Log { writer, _guard: guard }
}

/// Whether standard error is a terminal that shows colours, and the user wants them (`NO_COLOR`).
fn has_colours() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_sockets_are_never_logged() {
        for level in ["trace", "tungstenite=trace", "greenroom=debug"] {
            let name = silence_sockets(parse_filter(Some(level)).expect("parse the filter")).to_string();
            assert!(name.contains("tungstenite=info") && !name.contains("tungstenite=trace"), "{name}");
        }
        assert!(parse_filter(Some("greenroom=loud")).is_none(), "an invalid filter is rejected");
        assert!(parse_filter(None).is_some() && parse_filter(Some(" ")).is_some());
    }

    #[test]
    fn a_line_is_text_unless_json_is_configured() {
        for (name, format) in [
            (None, Some(LogFormat::Text)),
            (Some(""), Some(LogFormat::Text)),
            (Some("text"), Some(LogFormat::Text)),
            (Some(" json "), Some(LogFormat::Json)),
            (Some("xml"), None),
        ] {
            assert_eq!(parse_format(name), format, "{name:?}");
        }
    }
}
