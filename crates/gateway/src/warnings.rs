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
    /// What is so.
    #[schema(value_type = String)]
    pub text: Cow<'static, str>,
    /// What to do.
    #[schema(value_type = String)]
    pub remedy: Cow<'static, str>,
}

/// The warnings that hold now, about one server or about the process.
#[derive(Debug, Default)]
pub struct Warnings(Mutex<Vec<Warning>>);

impl Warnings {
    /// This is so from now on. Returns whether it is news.
    pub fn raise(&self, warning: Warning) -> bool {
        let mut holding = self.0.lock();
        let is_news = !holding.iter().any(|held| held.code == warning.code);
        if is_news {
            holding.push(warning);
        }
        is_news
    }

    /// This is not so any more.
    pub fn lower(&self, code: &str) {
        self.0.lock().retain(|held| held.code != code);
    }

    /// What holds now.
    pub fn holding(&self) -> Vec<Warning> {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_news_once_and_holds_until_it_is_lowered() {
        let warnings = Warnings::default();
        let warning = Warning { code: "odd", text: "It is odd.".into(), remedy: "Mend it.".into() };
        assert!(warnings.raise(warning.clone()));
        assert!(!warnings.raise(warning.clone()));
        assert_eq!(warnings.holding().len(), 1);
        warnings.lower(warning.code);
        assert!(warnings.holding().is_empty());
        assert!(warnings.raise(warning), "when it comes back it is news again");
    }
}
