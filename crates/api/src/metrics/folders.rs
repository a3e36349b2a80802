//! Metrics of each folder of files.

use std::fmt;

use greenroom_folder::folder_status::{FolderReport, FolderState};

use crate::metrics::encoder::MetricsEncoder;

impl MetricsEncoder<'_> {
    pub(super) fn folders(&mut self, folders: &[FolderReport]) -> fmt::Result {
        let each = |value: fn(&FolderReport) -> u64| {
            folders.iter().map(move |folder| ([("folder", folder.name.as_str())], value(folder)))
        };
        self.gauges("folder_files", "Files of the folder's list", each(|folder| folder.files as u64))?;
        let enriched = each(|folder| folder.enriched.done as u64);
        self.gauges("folder_enriched_files", "Files whose metadata is read, or known to be unreadable", enriched)?;
        let ages = each(|folder| folder.age_ms.unwrap_or_default() / 1000);
        self.gauges("folder_age_seconds", "Time since the folder's list was compared with the tree", ages)?;
        let states = folders.iter().flat_map(|folder| {
            STATES.map(|(state, name)| {
                let labels = [("folder", folder.name.as_str()), ("state", name)];
                (labels, u64::from(folder.state == state))
            })
        });
        self.gauges("folder_state", "State of the folder's list: 1 for the current state", states)?;
        self.counters("folder_scans", "Complete scans of the folder", each(|folder| folder.counters.scans))?;
        let suspicious = each(|folder| folder.counters.suspicious_scans);
        self.counters(
            "folder_suspicious_scans",
            "Scans of the folder that failed or that the shrink guard holds back",
            suspicious,
        )?;
        let changes = folders.iter().flat_map(|folder| {
            let counters = &folder.counters;
            let labels = |kind| [("folder", folder.name.as_str()), ("kind", kind)];
            [
                (labels("added"), counters.added),
                (labels("removed"), counters.removed),
                (labels("renamed"), counters.renamed),
                (labels("changed"), counters.changed),
            ]
        });
        self.counters("folder_changes", "Files that changed, by kind of change", changes)?;
        let unreadable = each(|folder| folder.counters.archives_unreadable);
        self.counters("folder_unreadable_archives", "Archives that could not be read", unreadable)?;
        self.counters("folder_lists", "Lists answered", each(|folder| folder.counters.lists))
    }
}

const STATES: [(FolderState, &str); 4] = [
    (FolderState::Fresh, "fresh"),
    (FolderState::Confirming, "confirming"),
    (FolderState::Rebuilding, "rebuilding"),
    (FolderState::Suspicious, "suspicious"),
];
