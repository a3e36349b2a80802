//! Result of an import.

use std::collections::BTreeMap;

use serde::Serialize;

/// Skipped entries that a report names; it counts all.
pub const MAX_NAMED: usize = 1000;
/// Reasons to skip an entry that are no loss.
const EXPECTED: [&str; 4] = ["expired", "there already", "another prefix", "a failed lookup"];

/// Entries imported (or importable, in a dry run), and skipped by reason.
#[derive(Debug, Default, Serialize)]
pub struct ImportReport {
    /// Entries imported.
    pub imported: u64,
    /// Entries skipped, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// The first of those that were skipped.
    pub named: Vec<NamedEntry>,
    /// Nothing was written.
    pub dry_run: bool,
}

/// A skipped entry.
#[derive(Debug, Serialize)]
pub struct NamedEntry {
    /// Its key as its store shows it.
    pub key: String,
    /// The reason.
    pub reason: String,
}

impl ImportReport {
    /// Records that an entry was skipped.
    pub fn skip(&mut self, key: String, reason: &str) {
        let kind = reason.split(" (").next().unwrap_or(reason);
        *self.skipped.entry(kind.to_owned()).or_default() += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(NamedEntry { key, reason: reason.to_owned() });
        }
    }

    /// Whether entries were lost: skipped for another reason than that they are not wanted.
    pub fn has_losses(&self) -> bool {
        self.skipped.keys().any(|reason| !EXPECTED.contains(&reason.as_str()))
    }
}
