//! Warnings: what is set up badly around us, and what to do about it. Said once in the log, shown as long as it is so.

use std::borrow::Cow;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

/// Something a person should change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// The word for it.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is so.
    #[schema(value_type = String)]
    pub text: Cow<'static, str>,
    /// What to do.
    #[schema(value_type = String)]
    pub remedy: Cow<'static, str>,
    /// What the program can do about it.
    pub action: Option<Action>,
    /// What of a server it is about, where the same may be so of several things.
    #[serde(skip)]
    pub subject: Option<String>,
}

/// How much a warning matters. The more urgent comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something does not work, is not safe, or will be lost.
    Urgent,
    /// It works, but worse than it could.
    Notice,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Notice => "notice",
        }
    }
}

/// What the program can do: a request of its own API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WarningAction)]
pub struct Action {
    /// What a button says.
    pub label: String,
    /// The request's method.
    pub method: &'static str,
    /// Its path, below `/api/v1/`.
    pub path: String,
    /// Its body.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
    /// What it takes away, for a person to read before it is done; `null` if nothing is lost by it.
    pub takes: Option<String>,
}

impl Warning {
    /// Something that works worse than it could.
    pub fn notice(
        code: &'static str,
        text: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (text, remedy) = (text.into(), remedy.into());
        Self { code, severity: Severity::Notice, text, remedy, action: None, subject: None }
    }

    /// The same, of something that does not work, is not safe, or will be lost.
    #[must_use]
    pub fn urgent(self) -> Self {
        Self { severity: Severity::Urgent, ..self }
    }

    /// The same, of one thing among several.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// The same, which the program can do something about.
    #[must_use]
    pub fn with(self, action: Option<Action>) -> Self {
        Self { action, ..self }
    }

    /// What it goes by among those of a server: the word, and what it is about.
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

impl Action {
    /// A request.
    pub fn new(label: impl Into<String>, method: &'static str, path: impl Into<String>) -> Self {
        Self { label: label.into(), method, path: path.into(), body: serde_json::json!({}), takes: None }
    }

    /// The same, with a body.
    #[must_use]
    pub fn saying(self, body: serde_json::Value) -> Self {
        Self { body, ..self }
    }

    /// The same, which takes this away.
    #[must_use]
    pub fn taking(self, what: impl Into<String>) -> Self {
        Self { takes: Some(what.into()), ..self }
    }
}

/// The warnings that hold now, about one server or about the process.
#[derive(Debug, Default)]
pub struct Warnings(Mutex<Vec<Warning>>);

impl Warnings {
    /// This is so from now on. Returns whether it is news.
    pub fn raise(&self, warning: Warning) -> bool {
        let mut holding = self.0.lock();
        let is_news = !holding.iter().any(|held| held.is_the_same_as(&warning));
        if is_news {
            holding.push(warning);
        }
        is_news
    }

    /// This is not so any more, whatever it is about.
    pub fn lower(&self, code: &str) {
        self.0.lock().retain(|held| held.code != code);
    }

    /// Of these codes exactly these hold now, in these words. Returns what is news.
    pub fn settle(&self, codes: &[&str], now: Vec<Warning>) -> Vec<Warning> {
        let mut holding = self.0.lock();
        let is_new = |warning: &&Warning| !holding.iter().any(|held| held.is_the_same_as(warning));
        let news: Vec<Warning> = now.iter().filter(is_new).cloned().collect();
        holding.retain(|held| !codes.contains(&held.code));
        holding.extend(now);
        news
    }

    /// Those of this code hold on only where it is still so.
    pub fn keep_only(&self, code: &str, is_so: impl Fn(&Warning) -> bool) {
        self.0.lock().retain(|held| held.code != code || is_so(held));
    }

    /// What holds now.
    pub fn holding(&self) -> Vec<Warning> {
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
        assert_eq!(warnings.holding().len(), 1);
        warnings.lower("odd");
        assert!(warnings.holding().is_empty());
        assert!(warnings.raise(warning("odd")), "when it comes back it is news again");
    }

    #[test]
    fn the_same_of_two_things_is_two_warnings() {
        let warnings = Warnings::default();
        assert!(warnings.raise(warning("odd").about("one")));
        assert!(warnings.raise(warning("odd").about("other")));
        assert_eq!(warnings.holding()[1].name(), "odd/other");
        warnings.keep_only("odd", |held| held.subject.as_deref() == Some("one"));
        assert_eq!(warnings.holding().len(), 1);
    }

    #[test]
    fn what_is_judged_anew_takes_the_place_of_what_was_and_leaves_the_rest_alone() {
        let warnings = Warnings::default();
        warnings.raise(warning("of others"));
        let judged = |words: &'static str| vec![Warning { text: words.into(), ..warning("judged") }];
        assert_eq!(warnings.settle(&["judged"], judged("a")).len(), 1);
        assert_eq!(warnings.settle(&["judged"], judged("b")).len(), 0, "other words are no news");
        assert_eq!(warnings.holding()[1].text, "b");
        warnings.settle(&["judged"], Vec::new());
        assert_eq!(warnings.holding().len(), 1);
    }
}
