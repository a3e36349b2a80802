//! The log: where it goes, how much of it there is, and in which form.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Chooses how much: `info`, `debug`, `greenroom=debug` …
const LEVEL: &str = "GREENROOM_LOG";
/// Chooses the form.
const FORMAT: &str = "GREENROOM_LOG_FORMAT";

/// The forms of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// The form of this name; nothing if there is no such form.
fn format_named(said: Option<&str>) -> Option<Format> {
    match said.map(str::trim) {
        None | Some("" | "text") => Some(Format::Text),
        Some("json") => Some(Format::Json),
        Some(_) => None,
    }
}

/// The filter that is wanted; nothing if it is not understood.
fn filter_of(wanted: Option<&str>) -> Option<EnvFilter> {
    match wanted.map(str::trim) {
        None | Some("") => Some(EnvFilter::new("info")),
        Some(wanted) => EnvFilter::try_new(wanted).ok(),
    }
}

/// Whoever wants to see everything does not want to see secrets: what is said over sockets has tokens in it.
fn quiet(filter: EnvFilter) -> EnvFilter {
    ["tungstenite=info", "tokio_tungstenite=info"].into_iter().fold(filter, |filter, directive| {
        match directive.parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        }
    })
}

/// Begins to write the log, to standard error.
pub(super) fn begin() {
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
    let begun = match format.unwrap_or(Format::Text) {
        Format::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => {
            log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
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
            (None, Some(Format::Text)),
            (Some(""), Some(Format::Text)),
            (Some("text"), Some(Format::Text)),
            (Some(" json "), Some(Format::Json)),
            (Some("xml"), None),
        ] {
            assert_eq!(format_named(said), format, "{said:?}");
        }
    }
}
