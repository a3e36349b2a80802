//! Warnings: problems of the setup with their remedies. Each is logged once, and shown while it lasts.

use std::borrow::Cow;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

/// A problem for a person to fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// Its code.
    pub code: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// The problem.
    #[schema(value_type = String)]
    pub text: Cow<'static, str>,
    /// The remedy.
    #[schema(value_type = String)]
    pub remedy: Cow<'static, str>,
    /// Action that Greenroom offers.
    pub action: Option<WarningAction>,
    /// Its subject, where one server can have several such warnings.
    #[serde(skip)]
    pub subject: Option<String>,
}

/// Severity of a warning, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something does not work, is not safe, or will be lost.
    Urgent,
    /// It works, but worse than it could.
    Notice,
}

impl Severity {
    /// Its name in API and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Notice => "notice",
        }
    }
}

/// An action Greenroom can take: a request of its own API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WarningAction)]
pub struct WarningAction {
    /// Label of its button.
    pub label: String,
    /// Method of the request.
    pub method: &'static str,
    /// Its path, below `/api/v1/`.
    pub path: String,
    /// Its body.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
    /// The loss that a person has to confirm; `null` if nothing is.
    pub takes: Option<String>,
}

impl Warning {
    /// A warning of severity `notice`.
    pub fn notice(
        code: &'static str,
        text: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (text, remedy) = (text.into(), remedy.into());
        Self { code, severity: Severity::Notice, text, remedy, action: None, subject: None }
    }

    /// The warning with severity `urgent`.
    #[must_use]
    pub fn urgent(self) -> Self {
        Self { severity: Severity::Urgent, ..self }
    }

    /// The warning with this subject.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// The warning with this action.
    #[must_use]
    pub fn with(self, action: Option<WarningAction>) -> Self {
        Self { action, ..self }
    }

    /// Its unique name among those of a server: code and subject.
    pub fn name(&self) -> String {
        match &self.subject {
            Some(subject) => format!("{}/{subject}", self.code),
            None => self.code.to_owned(),
        }
    }

    fn is_the_same_as(&self, other: &Self) -> bool {
        self.code == other.code && self.subject == other.subject
    }
}

impl WarningAction {
    /// An action without a body.
    pub fn new(label: impl Into<String>, method: &'static str, path: impl Into<String>) -> Self {
        Self { label: label.into(), method, path: path.into(), body: serde_json::json!({}), takes: None }
    }

    /// The action with this body.
    #[must_use]
    pub fn with_body(self, body: serde_json::Value) -> Self {
        Self { body, ..self }
    }

    /// The action with this loss.
    #[must_use]
    pub fn with_loss(self, what: impl Into<String>) -> Self {
        Self { takes: Some(what.into()), ..self }
    }
}

/// The current warnings of one server or of the process.
#[derive(Debug, Default)]
pub struct Warnings(Mutex<Vec<Warning>>);

impl Warnings {
    /// Sets a warning. Returns whether it is new.
    pub fn raise(&self, warning: Warning) -> bool {
        let mut holding = self.0.lock();
        let is_news = !holding.iter().any(|held| held.is_the_same_as(&warning));
        if is_news {
            holding.push(warning);
        }
        is_news
    }

    /// Clears a warning, for all subjects.
    pub fn lower(&self, code: &str) {
        self.0.lock().retain(|held| held.code != code);
    }

    /// Replaces all warnings of these codes. Returns the new ones.
    pub fn replace(&self, codes: &[&str], now: Vec<Warning>) -> Vec<Warning> {
        let mut holding = self.0.lock();
        let is_new = |warning: &&Warning| !holding.iter().any(|held| held.is_the_same_as(warning));
        let news: Vec<Warning> = now.iter().filter(is_new).cloned().collect();
        holding.retain(|held| !codes.contains(&held.code));
        holding.extend(now);
        news
    }

    /// Keeps the warnings of this code only where the condition holds.
    pub fn retain(&self, code: &str, is_so: impl Fn(&Warning) -> bool) {
        self.0.lock().retain(|held| held.code != code || is_so(held));
    }

    /// The current warnings.
    pub fn active(&self) -> Vec<Warning> {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(code: &'static str) -> Warning {
        Warning::notice(code, "It is odd.", "Mend it.")
    }

    #[test]
    fn a_warning_is_news_once_and_holds_until_it_is_lowered() {
        let warnings = Warnings::default();
        assert!(warnings.raise(warning("odd")));
        assert!(!warnings.raise(warning("odd")));
        assert_eq!(warnings.active().len(), 1);
        warnings.lower("odd");
        assert!(warnings.active().is_empty());
        assert!(warnings.raise(warning("odd")), "when it comes back it is news again");
    }

    #[test]
    fn the_same_of_two_things_is_two_warnings() {
        let warnings = Warnings::default();
        assert!(warnings.raise(warning("odd").about("one")));
        assert!(warnings.raise(warning("odd").about("other")));
        assert_eq!(warnings.active()[1].name(), "odd/other");
        warnings.retain("odd", |held| held.subject.as_deref() == Some("one"));
        assert_eq!(warnings.active().len(), 1);
    }

    #[test]
    fn what_is_judged_anew_takes_the_place_of_what_was_and_leaves_the_rest_alone() {
        let warnings = Warnings::default();
        warnings.raise(warning("of others"));
        let judged = |words: &'static str| vec![Warning { text: words.into(), ..warning("judged") }];
        assert_eq!(warnings.replace(&["judged"], judged("a")).len(), 1);
        assert_eq!(warnings.replace(&["judged"], judged("b")).len(), 0, "other words are no news");
        assert_eq!(warnings.active()[1].text, "b");
        warnings.replace(&["judged"], Vec::new());
        assert_eq!(warnings.active().len(), 1);
    }
}
