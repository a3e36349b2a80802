//! Logging: target, level and format.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sets the level: `info`, `debug`, `greenroom=debug` …
const LEVEL: &str = "GREENROOM_LOG";
/// Sets the format.
const FORMAT: &str = "GREENROOM_LOG_FORMAT";

/// Format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// Parses a format's name.
fn format_named(said: Option<&str>) -> Option<LogFormat> {
    match said.map(str::trim) {
        None | Some("" | "text") => Some(LogFormat::Text),
        Some("json") => Some(LogFormat::Json),
        Some(_) => None,
    }
}

/// Parses a filter.
fn filter_of(wanted: Option<&str>) -> Option<EnvFilter> {
    match wanted.map(str::trim) {
        None | Some("") => Some(EnvFilter::new("info")),
        Some(wanted) => EnvFilter::try_new(wanted).ok(),
    }
}

/// Silences socket frames even at the lowest level, because they contain tokens.
fn quiet(filter: EnvFilter) -> EnvFilter {
    ["tungstenite=info", "tokio_tungstenite=info"].into_iter().fold(filter, |filter, directive| {
        match directive.parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        }
    })
}

/// Starts logging to standard error.
pub(super) fn init() {
    let wanted = std::env::var(LEVEL).ok();
    let filter = filter_of(wanted.as_deref());
    if filter.is_none() {
        eprintln!("greenroom: {LEVEL} is not understood; the log is written as if it were info");
    }
    let filter = quiet(filter.unwrap_or_else(|| EnvFilter::new("info")));
    let said = std::env::var(FORMAT).ok();
    let format = format_named(said.as_deref());
    if format.is_none() {
        eprintln!("greenroom: {FORMAT} may be text or json; the log is written as text");
    }
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match format.unwrap_or(LogFormat::Text) {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    if begun.is_err() {
        eprintln!("greenroom: the log is already written elsewhere");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_over_sockets_is_never_logged() {
        for wanted in ["trace", "tungstenite=trace", "greenroom=debug"] {
            let said = quiet(filter_of(Some(wanted)).expect("it is understood")).to_string();
            assert!(said.contains("tungstenite=info") && !said.contains("tungstenite=trace"), "{said}");
        }
        assert!(filter_of(Some("greenroom=loud")).is_none(), "nobody takes it for something else");
        assert!(filter_of(None).is_some() && filter_of(Some(" ")).is_some());
    }

    #[test]
    fn a_line_is_text_unless_somebody_wants_json() {
        for (said, format) in [
            (None, Some(LogFormat::Text)),
            (Some(""), Some(LogFormat::Text)),
            (Some("text"), Some(LogFormat::Text)),
            (Some(" json "), Some(LogFormat::Json)),
            (Some("xml"), None),
        ] {
            assert_eq!(format_named(said), format, "{said:?}");
        }
    }
}
