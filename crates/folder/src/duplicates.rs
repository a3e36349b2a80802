//! Files that seem to be duplicates: a proposal for a person to judge.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::file_entry::FileEntry;
use crate::index::FolderGeneration;
use crate::natural_key::natural_key;

/// Reason to take files for duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = FolderDuplicateReason)]
pub enum DuplicateReason {
    /// Size, beginning and end are equal.
    SameContent,
    /// Series, volume and number are equal.
    SameIssue,
}

/// Files that seem to be duplicates of each other.
#[derive(Debug, Clone)]
pub struct DuplicateGroup {
    /// The reason.
    pub reason: DuplicateReason,
    /// The files, ordered by path.
    pub files: Vec<Arc<FileEntry>>,
}

/// All groups of a generation.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// The generation.
    pub generation: u64,
    /// The groups; first those of equal content.
    pub groups: Vec<DuplicateGroup>,
    /// Numbers of all files in them.
    pub ids: HashSet<u64>,
}

impl Duplicates {
    /// Finds the groups of a generation.
    pub fn find(generation: &FolderGeneration) -> Self {
        let mut by_content: HashMap<(u64, u64), Vec<&Arc<FileEntry>>> = HashMap::new();
        let mut by_issue: HashMap<Box<[u8]>, Vec<&Arc<FileEntry>>> = HashMap::new();
        for file in &generation.files {
            let Some(details) = &file.details else { continue };
            if details.fingerprint != 0 {
                by_content.entry((file.stat.size, details.fingerprint)).or_default().push(file);
            }
            if let Some(key) = issue_key(file) {
                by_issue.entry(key).or_default().push(file);
            }
        }
        let mut groups = Vec::new();
        let mut add = |reason, found: Vec<Vec<&Arc<FileEntry>>>| {
            let mut found: Vec<_> = found.into_iter().filter(|files| files.len() > 1).collect();
            found.sort_by(|a, b| a[0].path.cmp(&b[0].path));
            let group =
                |files: Vec<&Arc<FileEntry>>| DuplicateGroup { reason, files: files.into_iter().cloned().collect() };
            groups.extend(found.into_iter().map(group));
        };
        let is_one_content = |files: &[&Arc<FileEntry>]| {
            let print = |file: &Arc<FileEntry>| file.details.as_ref().map(|details| details.fingerprint);
            files.iter().all(|file| print(file) == print(files[0]))
        };
        add(DuplicateReason::SameContent, by_content.into_values().collect());
        // What is equal is told once.
        add(DuplicateReason::SameIssue, by_issue.into_values().filter(|files| !is_one_content(files)).collect());
        let ids = groups.iter().flat_map(|group| group.files.iter().map(|file| file.id)).collect();
        Self { generation: generation.number, groups, ids }
    }
}

fn issue_key(file: &FileEntry) -> Option<Box<[u8]>> {
    let comic = file.details.as_ref()?.comic.as_deref()?;
    let (series, number) = (comic.series.as_deref()?, comic.number.as_deref()?);
    let parts =
        [series, comic.volume.as_deref().unwrap_or_default(), number, comic.language.as_deref().unwrap_or_default()];
    Some(parts.map(natural_key).join(&0).into())
}
