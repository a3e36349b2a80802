//! Dry runs, and the limit on removals.

use std::collections::HashSet;

use super::super::plan::{self, CurrentEntry};
use super::super::report::{PlaylistDiff, PlaylistSyncStatus};
use super::{PlaylistWriter, WriteState, goal};
use greenroom_config::playlist_mode::PlaylistMode;

impl PlaylistWriter<'_> {
    /// Falls back to appending only if too much would be removed without permission.
    pub(super) fn limit_removals(&self, state: &mut WriteState) {
        if state.mode != PlaylistMode::Replace || self.may_shrink {
            return;
        }
        let wanted = goal(state.mode, &[], state);
        let wanted: HashSet<&str> = wanted.iter().map(String::as_str).collect();
        let leaving = state.before.iter().filter(|key| !wanted.contains(key.as_str())).count();
        if !wanted.is_empty() && plan::is_held_back(state.before.len(), leaving, self.is_doubtful) {
            state.mode = PlaylistMode::Append;
            state.report.held_back = leaving;
        }
    }

    /// What a dry run would change.
    pub(super) fn plan(&self, current: &[CurrentEntry], state: &mut WriteState) {
        let goal = goal(state.mode, current, state);
        let wanted: HashSet<&str> = goal.iter().map(String::as_str).collect();
        let present: HashSet<&str> = current.iter().map(|existing| existing.key.as_str()).collect();
        let add: Vec<String> = goal.iter().filter(|key| !present.contains(key.as_str())).cloned().collect();
        let mut seen = HashSet::new();
        let is_removed =
            |existing: &&CurrentEntry| !wanted.contains(existing.key.as_str()) || !seen.insert(existing.key.clone());
        let remove: Vec<String> = if goal.is_empty() || state.mode == PlaylistMode::Append {
            Vec::new()
        } else {
            current.iter().filter(is_removed).map(|existing| existing.key.clone()).collect()
        };
        let remaining: Vec<&String> =
            current.iter().map(|existing| &existing.key).filter(|key| wanted.contains(key.as_str())).collect();
        let in_order: Vec<&String> = goal.iter().filter(|key| present.contains(key.as_str())).collect();
        let limits = self.batch_limits(state);
        let writes = match state.mode {
            _ if goal.is_empty() => 0,
            PlaylistMode::Append => add.len().div_ceil(limits.add),
            PlaylistMode::Create | PlaylistMode::Replace => plan::requests(current, &goal, limits),
        };
        let reorder = state.mode != PlaylistMode::Append && remaining != in_order;
        let report = &mut state.report;
        (report.added, report.removed, report.length) = (add.len(), remove.len(), goal.len());
        report.standing = if writes > 0 { PlaylistSyncStatus::Planned } else { PlaylistSyncStatus::Unchanged };
        report.diff = Some(PlaylistDiff { add, remove, reorder, writes });
    }
}
