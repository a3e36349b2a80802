//! Warnings: what is set up badly around us, and what to do about it. Said once in the log, shown as long as it is so.

use parking_lot::Mutex;
use serde::Serialize;

/// Something a person should change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The word for it.
    pub code: &'static str,
    /// What is so.
    pub text: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// The warnings about one server that hold now.
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
    pub fn lower(&self, warning: Warning) {
        self.0.lock().retain(|held| held.code != warning.code);
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
        let warning = Warning { code: "odd", text: "It is odd.", remedy: "Mend it." };
        assert!(warnings.raise(warning));
        assert!(!warnings.raise(warning));
        assert_eq!(warnings.holding(), [warning]);
        warnings.lower(warning);
        assert!(warnings.holding().is_empty());
        assert!(warnings.raise(warning), "when it comes back it is news again");
    }
}
