//! How many jobs run at a time.

use super::tree::Tree;

/// Jobs that run at a time, unless it is configured.
pub const AT_ONCE: usize = 3;
/// More at a time is no order any more.
const MOST: u64 = 32;

/// Reads `jobs.at_once`.
pub(super) fn read_at_once(tree: &mut Tree) -> usize {
    let at_once = tree.number("jobs.at_once", 1, MOST, AT_ONCE as u64);
    usize::try_from(at_once).unwrap_or(AT_ONCE)
}
