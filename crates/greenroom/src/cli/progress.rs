//! Progress on a terminal: one line that is overwritten, and that leaves nothing behind.

use indicatif::{ProgressBar, ProgressStyle};

use super::output::OutputFormat;

/// A step without a known end.
const SPINNER: &str = "{spinner} {msg}";
/// A step with a known end.
const BAR: &str = "[{bar:30}] {percent:>3} % {msg}";

/// A line of progress on standard error. Nothing is drawn where that is no terminal, nor with `--json`.
#[derive(Debug)]
pub(super) struct ProgressLine(ProgressBar);

impl ProgressLine {
    /// A line that shows nothing yet.
    pub(super) fn new() -> Self {
        Self(match OutputFormat::current() {
            OutputFormat::Text => ProgressBar::new_spinner(),
            OutputFormat::Json => ProgressBar::hidden(),
        })
    }

    /// Shows a step without a known end.
    pub(super) fn show_step(&self, message: &str) {
        self.set_style(SPINNER);
        self.0.set_message(message.to_owned());
        self.0.tick();
    }

    /// Shows how much of a step is done.
    pub(super) fn show_share(&self, done: u64, total: u64, message: &str) {
        self.set_style(BAR);
        // What is added meanwhile counts as done.
        self.0.set_length(total.max(done).max(1));
        self.0.set_message(message.to_owned());
        self.0.set_position(done);
        self.0.tick();
    }

    /// Removes the line, so that something else can be printed.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
        self.0.reset();
    }

    fn set_style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style.progress_chars("#> "));
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_line_are_valid() {
        for template in [SPINNER, BAR] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn a_share_never_exceeds_the_whole() {
        let line = ProgressLine(ProgressBar::hidden());
        line.show_share(11, 10, "entries");
        assert_eq!((line.0.position(), line.0.length()), (11, Some(11)));
        line.show_share(0, 0, "entries");
        assert_eq!((line.0.position(), line.0.length()), (0, Some(1)));
    }
}
