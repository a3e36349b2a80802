//! What would be done, and what is not done because too much would leave.

use std::collections::HashSet;

use super::super::plan::{self, Held};
use super::super::report::{Diff, Standing};
use super::{Desk, State, goal};
use greenroom_config::playlist_mode::Mode;

impl Desk<'_> {
    /// Where too much would leave, and nobody said that this is meant, it is only added to.
    pub(super) fn hold_back(&self, state: &mut State) {
        if state.mode != Mode::Replace || self.may_shrink {
            return;
        }
        let wanted = goal(state.mode, &[], state);
        let wanted: HashSet<&str> = wanted.iter().map(String::as_str).collect();
        let leaving = state.before.iter().filter(|key| !wanted.contains(key.as_str())).count();
        if !wanted.is_empty() && plan::is_held_back(state.before.len(), leaving, self.is_doubtful) {
            state.mode = Mode::Append;
            state.report.held_back = leaving;
        }
    }

    /// What a dry run would do.
    pub(super) fn plan(&self, current: &[Held], state: &mut State) {
        let goal = goal(state.mode, current, state);
        let wanted: HashSet<&str> = goal.iter().map(String::as_str).collect();
        let there: HashSet<&str> = current.iter().map(|held| held.key.as_str()).collect();
        let add: Vec<String> = goal.iter().filter(|key| !there.contains(key.as_str())).cloned().collect();
        let mut seen = HashSet::new();
        let leaves = |held: &&Held| !wanted.contains(held.key.as_str()) || !seen.insert(held.key.clone());
        let remove: Vec<String> = if goal.is_empty() || state.mode == Mode::Append {
            Vec::new()
        } else {
            current.iter().filter(leaves).map(|held| held.key.clone()).collect()
        };
        let stays: Vec<&String> =
            current.iter().map(|held| &held.key).filter(|key| wanted.contains(key.as_str())).collect();
        let in_order: Vec<&String> = goal.iter().filter(|key| there.contains(key.as_str())).collect();
        let costs = self.costs(state);
        let writes = match state.mode {
            _ if goal.is_empty() => 0,
            Mode::Append => add.len().div_ceil(costs.add),
            Mode::Create | Mode::Replace => plan::requests(current, &goal, costs),
        };
        let reorder = state.mode != Mode::Append && stays != in_order;
        let report = &mut state.report;
        (report.added, report.removed, report.length) = (add.len(), remove.len(), goal.len());
        report.standing = if writes > 0 { Standing::Planned } else { Standing::Unchanged };
        report.diff = Some(Diff { add, remove, reorder, writes });
    }
}
