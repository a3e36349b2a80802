//! Dry runs, the limits of requests, and the limit on removals.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use greenroom_dialect::playlists::{MAX_ITEMS, MAX_QUERY_BYTES};

use super::super::plan::{self, BatchLimits, CurrentEntry, PlanStep, RemovalInputs};
use super::super::report::{PlannedAction, PlannedRequests, PlaylistDiff, PlaylistSyncStatus};
use super::{MAX_ROUNDS, PlaylistWriter, WriteState, goal};
use greenroom_config::playlist_mode::PlaylistMode;

impl PlaylistWriter<'_> {
    /// Falls back to appending only if entries would be removed that must stay.
    pub(super) fn limit_removals(&self, state: &mut WriteState) {
        if state.mode != PlaylistMode::Replace {
            return;
        }
        let wanted = goal(state.mode, &[], state);
        if wanted.is_empty() {
            return;
        }
        let wanted: HashSet<&str> = wanted.iter().map(String::as_str).collect();
        let inputs = RemovalInputs {
            before: state.before.len(),
            leaving: state.before.iter().filter(|key| !wanted.contains(key.as_str())).count(),
            unreadable: self.unreadable,
            is_changing: self.is_changing,
            is_doubtful: self.is_doubtful,
            may_shrink: self.may_shrink,
        };
        if let Some(reason) = plan::held_back_reason(inputs) {
            state.mode = PlaylistMode::Append;
            (state.report.held_back, state.report.held_back_reason) = (inputs.leaving, Some(reason));
        }
    }

    /// Changes that a dry run reports.
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
        let requests = if goal.is_empty() { Vec::new() } else { self.planned_requests(current, &goal, state) };
        let writes = requests.iter().map(|planned| planned.requests).sum();
        let reorder = state.mode != PlaylistMode::Append && remaining != in_order;
        let report = &mut state.report;
        (report.added, report.removed, report.length) = (add.len(), remove.len(), goal.len());
        report.standing = if writes > 0 { PlaylistSyncStatus::Planned } else { PlaylistSyncStatus::Unchanged };
        report.diff = Some(PlaylistDiff { add, remove, reorder, writes, requests });
    }

    /// The requests that bring this content to the goal, as [`PlaylistWriter::write`] would send them.
    fn planned_requests(&self, current: &[CurrentEntry], goal: &[String], state: &WriteState) -> Vec<PlannedRequests> {
        let kind = self.client.kind();
        let mut planned = RequestPlan::default();
        let mut content = current.to_vec();
        if state.report.is_new {
            let first = self.create_batch(goal, state);
            planned.count(PlannedAction::Create, first);
            content = entries_of(&goal[..first]);
        }
        let add_limit = self.batch_limits(state).add;
        let add = |keys: &[String]| kind.max_add_batch(keys, MAX_QUERY_BYTES, add_limit);
        for _ in 0..MAX_ROUNDS {
            match self.next(&content, goal, state) {
                PlanStep::Done => break,
                PlanStep::Add(keys) => {
                    planned.count_batches(PlannedAction::Add, &keys, add);
                    content.extend(entries_of(&keys));
                }
                PlanStep::Remove(entries) => {
                    let batch = |rest: &[String]| kind.max_remove_batch(rest, MAX_QUERY_BYTES, MAX_ITEMS);
                    planned.count_batches(PlannedAction::Remove, &entries, batch);
                    let removed: HashSet<String> = entries.into_iter().collect();
                    content.retain(|existing| !removed.contains(&existing.entry));
                }
                PlanStep::Arrange(moves) => {
                    for _ in &moves {
                        planned.count(PlannedAction::Move, 1);
                    }
                    content = entries_of(goal);
                }
                PlanStep::Set => {
                    planned.count(PlannedAction::Set, goal.len());
                    content = entries_of(goal);
                }
                PlanStep::Swap => {
                    let first = self.create_batch(goal, state);
                    planned.count(PlannedAction::Create, first);
                    planned.count_batches(PlannedAction::Add, &goal[first..], add);
                    if state.summary.is_some() {
                        planned.count(PlannedAction::Rename, 0);
                    }
                    planned.count(PlannedAction::Delete, content.len());
                    planned.count(PlannedAction::Rename, 0);
                    content = entries_of(goal);
                }
            }
        }
        planned.0
    }

    /// Number of these items with which a playlist is created.
    pub(super) fn create_batch(&self, goal: &[String], state: &WriteState) -> usize {
        match state.max_batch {
            Some(limit) => limit.min(goal.len()),
            None if self.quirks.one_item_per_request.load(Ordering::Relaxed) => 1,
            None => self.client.kind().max_create_batch(goal, MAX_QUERY_BYTES, MAX_ITEMS),
        }
    }

    /// Limits of one request.
    pub(super) fn batch_limits(&self, state: &WriteState) -> BatchLimits {
        let kind = self.client.kind();
        let sample: Vec<String> = state.tracks.iter().map(|track| track.key.clone()).collect();
        let add = if self.quirks.one_item_per_request.load(Ordering::Relaxed) {
            1
        } else {
            let batch_size = kind.max_add_batch(&sample, MAX_QUERY_BYTES, MAX_ITEMS).max(1);
            state.max_batch.map_or(batch_size, |limit| limit.min(batch_size))
        };
        let can_set = state.mode == PlaylistMode::Replace
            && !self.quirks.rejects_set.load(Ordering::Relaxed)
            && sample.len() <= MAX_ITEMS
            && kind.set_playlist("", &[]).is_some();
        let can_swap = state.mode == PlaylistMode::Replace
            && !state.keeps_entries
            && !self.quirks.rejects_swap.load(Ordering::Relaxed)
            && kind.can_swap_playlists();
        let create = self.create_batch(&sample, state);
        BatchLimits {
            create,
            add,
            can_swap,
            remove: kind.max_remove_batch(&sample, MAX_QUERY_BYTES, MAX_ITEMS).max(1),
            can_set,
            keeps_entries: state.keeps_entries,
        }
    }
}

/// Entries as a server would number them.
fn entries_of(keys: &[String]) -> Vec<CurrentEntry> {
    keys.iter().map(|key| CurrentEntry { entry: format!("new-{key}"), key: key.clone() }).collect()
}

/// Requests in their order; equal ones in a row are counted together.
#[derive(Default)]
struct RequestPlan(Vec<PlannedRequests>);

impl RequestPlan {
    fn count(&mut self, action: PlannedAction, tracks: usize) {
        match self.0.last_mut() {
            Some(last) if last.action == action => {
                last.requests += 1;
                last.tracks += tracks;
            }
            _ => self.0.push(PlannedRequests { action, requests: 1, tracks }),
        }
    }

    fn count_batches(&mut self, action: PlannedAction, keys: &[String], batch: impl Fn(&[String]) -> usize) {
        let mut rest = keys;
        while !rest.is_empty() {
            let (sent, after) = rest.split_at(batch(rest).clamp(1, rest.len()));
            self.count(action, sent.len());
            rest = after;
        }
    }
}
