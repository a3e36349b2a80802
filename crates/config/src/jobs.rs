//! Limit on concurrent jobs.

use super::source::ConfigSource;

/// Default number of concurrent jobs.
pub const AT_ONCE: usize = 3;
/// Upper limit of the setting.
const MOST: u64 = 32;

/// Reads `jobs.at_once`.
pub(super) fn read_at_once(tree: &mut ConfigSource) -> usize {
    let at_once = tree.number("jobs.at_once", 1, MOST, AT_ONCE as u64);
    usize::try_from(at_once).unwrap_or(AT_ONCE)
}
