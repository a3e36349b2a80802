//! Result of a check.

use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingLevel {
    /// As it should be.
    Ok,
    /// It works, but something is lost or at risk.
    Warning,
    /// It does not work, or is unsafe.
    Problem,
}

/// Result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// Severity.
    pub level: FindingLevel,
    /// The observed fact.
    pub what: String,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl FindingLevel {
    /// Name of the level.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    /// Style of its name on a terminal.
    pub fn style(self) -> Style {
        match self {
            Self::Ok => AnsiColor::Green.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Problem => AnsiColor::Red.on_default().bold(),
        }
    }
}

impl Finding {
    /// A finding of level `Ok`.
    pub fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, level: FindingLevel::Ok, what: what.into(), remedy: None }
    }

    /// A finding of level `Warning`.
    pub fn warning(check: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: FindingLevel::Warning, what: what.into(), remedy: Some(remedy.into()) }
    }

    /// A finding of level `Problem`.
    pub fn problem(check: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: FindingLevel::Problem, what: what.into(), remedy: Some(remedy.into()) }
    }

    /// The fact, and what to do about it on a line of its own.
    pub fn sentence(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{}\n  -> {remedy}", self.what),
            None => self.what.clone(),
        }
    }

    /// Adds optional advice.
    #[must_use]
    pub fn with_advice(self, advice: impl Into<String>) -> Self {
        Self { remedy: Some(advice.into()), ..self }
    }
}
