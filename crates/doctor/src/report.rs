//! All findings, as text and JSON.

use std::fmt::Write as _;

use anstyle::Style;
use serde::Serialize;

use super::finding::{Finding, FindingLevel};

/// Style of a subject's name.
const HEADING_STYLE: Style = Style::new().bold();

/// Findings on one subject.
#[derive(Debug, Clone, Serialize)]
pub struct SubjectFindings {
    /// The subject.
    pub name: String,
    /// Its findings.
    pub findings: Vec<Finding>,
}

/// All findings.
#[derive(Debug, Clone, Serialize)]
pub struct DoctorReport {
    /// Findings by subject.
    pub subjects: Vec<SubjectFindings>,
}

impl DoctorReport {
    /// Number of findings of this level.
    pub fn count(&self, level: FindingLevel) -> usize {
        self.subjects.iter().flat_map(|subject| &subject.findings).filter(|one| one.level == level).count()
    }

    /// Whether nothing keeps Greenroom from working.
    pub fn has_no_problems(&self) -> bool {
        self.count(FindingLevel::Problem) == 0
    }

    /// The report as text for people, with colours as escape sequences.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for subject in &self.subjects {
            let _ = writeln!(text, "{HEADING_STYLE}{}{HEADING_STYLE:#}", subject.name);
            for finding in &subject.findings {
                let (style, level) = (finding.level.style(), finding.level.name());
                let _ = writeln!(text, "  {style}{level:<8}{style:#} {}: {}", finding.check, finding.what);
                if let Some(remedy) = &finding.remedy {
                    let _ = writeln!(text, "           -> {remedy}");
                }
            }
        }
        let (problems, warnings) = (self.count(FindingLevel::Problem), self.count(FindingLevel::Warning));
        let _ = match (problems, warnings) {
            (0, 0) => writeln!(text, "nothing is wrong"),
            (0, _) => writeln!(text, "it works; warnings: {warnings}"),
            _ => writeln!(text, "problems: {problems}; warnings: {warnings}"),
        };
        text
    }

    /// The report as JSON for programs.
    pub fn json(&self) -> String {
        serde_json::json!({
            "well": self.has_no_problems(),
            "problems": self.count(FindingLevel::Problem),
            "warnings": self.count(FindingLevel::Warning),
            "subjects": self.subjects,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_and_what_to_do_and_ends_with_a_verdict() {
        let findings = vec![Finding::ok("name", "good"), Finding::warning("clock", "late", "set it")];
        let mut report = DoctorReport { subjects: vec![SubjectFindings { name: "home".into(), findings }] };
        assert!(report.has_no_problems());
        let plain = |report: &DoctorReport| anstream::adapter::strip_str(&report.render()).to_string();
        assert!(report.render().contains("\u{1b}[33mwarning"), "{:?}", report.render());
        assert_eq!(
            plain(&report),
            "home\n  ok       name: good\n  warning  clock: late\n           -> set it\nit works; warnings: 1\n"
        );
        report.subjects[0].findings.push(Finding::problem("token", "refused", "log in"));
        assert!(!report.has_no_problems());
        assert!(plain(&report).ends_with("problems: 1; warnings: 1\n"));
        let json: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
        assert_eq!(json["subjects"][0]["findings"][2]["level"], "problem");
        assert!(json["subjects"][0]["findings"][0].get("remedy").is_none());
    }
}
