//! Logging: target, level and format.

use tracing_subscriber::EnvFilter;

/// Sets the level: `info`, `debug`, `greenroom=debug` …
const LEVEL_VARIABLE: &str = "GREENROOM_LOG";
/// Sets the format.
const FORMAT_VARIABLE: &str = "GREENROOM_LOG_FORMAT";

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

/// Starts logging to standard error.
pub(super) fn init() {
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
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match format.unwrap_or(LogFormat::Text) {
        LogFormat::Text => log.with_ansi(has_colours()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    if result.is_err() {
        eprintln!("greenroom: the log was already initialised");
    }
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
