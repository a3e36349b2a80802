//! Recommendations on memory and disk that are too small.

use std::path::{Path, PathBuf};

use greenroom_cache::CacheStats;

use super::window::RecentClassCounts;
use greenroom_state::warnings::{Warning, WarningAction};

pub(super) const CODES: [&str; 2] = ["disk-nearly-full", "memory-too-small"];

const MIB: u64 = 1024 * 1024;
/// A disk with less free space than this is nearly full, whatever its size.
const LOW_SPACE_BYTES: u64 = 1024 * MIB;
/// With less than this it is about to be full.
const CRITICAL_SPACE_BYTES: u64 = 128 * MIB;
/// With less than this share of its size, in percent, it is nearly full as well.
const LOW_SPACE_PERCENT: u64 = 5;
/// With more than this it is never nearly full, however large it is.
const MAX_LOW_SPACE_BYTES: u64 = 20 * 1024 * MIB;
/// A smaller cache is not worth purging.
const MIN_CLEARABLE_BYTES: u64 = 16 * MIB;
/// Memory is too small from this many early evictions in an hour on, if they also reach this percentage of requests.
const EARLY_EVICTIONS: (u64, u64) = (100, 5);

/// Free space of the file system of one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FreeSpace {
    pub(super) dir: PathBuf,
    pub(super) free_bytes: u64,
    pub(super) size_bytes: u64,
}

impl FreeSpace {
    /// Reads it from the file system; `None` if that reports nothing useful.
    pub(super) fn measure(dir: &Path) -> Option<Self> {
        let stats = rustix::fs::statvfs(dir).ok()?;
        let (free_bytes, size_bytes) = (stats.f_bavail * stats.f_frsize, stats.f_blocks * stats.f_frsize);
        (size_bytes > 0).then(|| Self { dir: dir.to_owned(), free_bytes, size_bytes })
    }
}

/// Size of the disk tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DiskTierUsage {
    pub(super) dir: PathBuf,
    pub(super) bytes: u64,
    pub(super) max_bytes: u64,
}

/// The warning clears once the free space reaches this percentage of the threshold.
const CLEAR_PERCENT: u64 = 125;

impl FreeSpace {
    /// Below this it is nearly full.
    fn low_space_bytes(&self) -> u64 {
        let share = self.size_bytes / 100 * LOW_SPACE_PERCENT;
        share.clamp(LOW_SPACE_BYTES, MAX_LOW_SPACE_BYTES)
    }

    fn is_nearly_full(&self, is_active: bool) -> bool {
        let percent = if is_active { CLEAR_PERCENT } else { 100 };
        self.free_bytes < self.low_space_bytes() / 100 * percent
    }
}

/// The recommendation for nearly full disks. It clears at a higher threshold than it is raised at. If the cache is on
/// one of them, it offers to purge it.
pub(super) fn advise_on_disk(
    free_space: &[FreeSpace],
    disk_usage: Option<&DiskTierUsage>,
    is_active: bool,
) -> Option<Warning> {
    let nearly_full: Vec<&FreeSpace> = free_space.iter().filter(|space| space.is_nearly_full(is_active)).collect();
    if nearly_full.is_empty() {
        return None;
    }
    let locations =
        nearly_full.iter().map(|space| format!("{} MiB for {}", space.free_bytes / MIB, space.dir.display()));
    let text = format!("The disk is nearly full: {} free.", locations.collect::<Vec<_>>().join(", "));
    let remedy = "Free some space, lower disk.max_bytes, or move data_dir to another disk. When the disk is full, no state \
            is saved; requests are still answered.";
    let disk_usage = disk_usage.filter(|disk_usage| nearly_full.iter().any(|space| space.dir == disk_usage.dir));
    let warning = Warning::notice(CODES[0], text, remedy).with(disk_usage.and_then(clear_action));
    let is_urgent = nearly_full.iter().any(|space| space.free_bytes < CRITICAL_SPACE_BYTES);
    Some(if is_urgent { warning.urgent() } else { warning })
}

/// The action that purges the cache, if that frees enough.
fn clear_action(disk_usage: &DiskTierUsage) -> Option<WarningAction> {
    if disk_usage.bytes < MIN_CLEARABLE_BYTES {
        return None;
    }
    let (now, max) = (disk_usage.bytes / MIB, disk_usage.max_bytes / MIB);
    let loss = format!(
        "This deletes all cached responses, about {now} MiB on this disk, and restarts the statistics. Nothing is lost \
         on the media servers; the next requests go to them. The cache may grow to {max} MiB again \
         (disk.max_bytes)."
    );
    Some(WarningAction::new("Clear the cache…", "POST", "cache/clear").with_loss(loss))
}

/// Usage of the memory tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoryTierUsage {
    pub(super) max_bytes: u64,
    pub(super) asked: u64,
    pub(super) early_evictions: u64,
}

impl MemoryTierUsage {
    pub(super) fn from_stats(stats: &CacheStats, recent: &[RecentClassCounts]) -> Self {
        Self {
            max_bytes: stats.max_bytes,
            asked: recent.iter().map(|class| class.counts.asked).sum(),
            early_evictions: recent.iter().map(|class| class.counts.early_evictions).sum(),
        }
    }
}

/// The recommendation for memory.
pub(super) fn advise_on_memory(memory: &MemoryTierUsage) -> Option<Warning> {
    let (min_count, percent) = EARLY_EVICTIONS;
    if memory.early_evictions < min_count || memory.early_evictions * 100 < memory.asked * percent {
        return None;
    }
    let text = format!(
        "{} of the last {} requests went to the server only because their responses were evicted while they were \
         fresh.",
        memory.early_evictions, memory.asked
    );
    let now = memory.max_bytes / MIB;
    let remedy = format!(
        "Raise memory.max_bytes above {now} MiB (and memory.max_partition_bytes), or enable the disk tier: disk.enabled = true."
    );
    Some(Warning::notice(CODES[1], text, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_nearly_full_by_share_or_by_bytes() {
        use greenroom_state::warnings::Severity::{Notice, Urgent};
        let space = |free_mib: u64, size_mib: u64| FreeSpace {
            dir: "/data".into(),
            free_bytes: free_mib * MIB,
            size_bytes: size_mib * MIB,
        };
        let severity =
            |free_space: &[FreeSpace]| advise_on_disk(free_space, None, false).map(|warning| warning.severity);
        assert_eq!(severity(&[space(2_000, 10_000)]), None);
        assert_eq!(severity(&[space(1_000, 2_000)]), Some(Notice), "less than a GiB");
        assert_eq!(severity(&[space(4_000, 100_000)]), Some(Notice), "less than a twentieth");
        assert_eq!(severity(&[space(9_000, 10_000), space(100, 100_000)]), Some(Urgent), "the fullest counts");
        assert_eq!(severity(&[]), None);
        assert_eq!(severity(&[space(21_000, 10_000_000)]), None, "20 GiB are enough on any disk");
        assert_eq!(severity(&[space(20_000, 10_000_000)]), Some(Notice));
        let small_with_space = space(1_500, 2_000);
        assert_eq!(severity(&[small_with_space.clone(), space(4_000, 100_000)]), Some(Notice), "each disk is checked");
        let text = advise_on_disk(&[small_with_space, space(4_000, 100_000)], None, false).expect("a warning").text;
        assert!(text.contains("4000 MiB") && !text.contains("1500 MiB"), "{text}");
        let is_active = |free_mib| advise_on_disk(&[space(free_mib, 10_000)], None, true).is_some();
        assert!(is_active(1_100) && !is_active(1_300), "it clears at a higher threshold");
    }

    #[test]
    fn a_nearly_full_disk_offers_to_clear_the_cache_stored_on_it() {
        let space = |dir: &str| FreeSpace { dir: dir.into(), free_bytes: 100 * MIB, size_bytes: 10_000 * MIB };
        let disk_usage =
            |dir: &str, mib: u64| DiskTierUsage { dir: dir.into(), bytes: mib * MIB, max_bytes: 2_048 * MIB };
        let action = |disk_usage: &DiskTierUsage| {
            let warning =
                advise_on_disk(&[space("/data"), space("/fast")], Some(disk_usage), false).expect("a warning");
            warning.action
        };
        let clear = action(&disk_usage("/fast", 700)).expect("an action");
        assert_eq!((clear.method, clear.path.as_str()), ("POST", "cache/clear"));
        let loss = clear.takes.expect("a description of the loss");
        assert!(loss.contains("700 MiB") && loss.contains("2048 MiB"), "{loss}");
        assert_eq!(action(&disk_usage("/fast", 15)), None, "too small to be worth it");
        assert_eq!(action(&disk_usage("/elsewhere", 700)), None, "that disk is not full");
    }

    #[test]
    fn free_space_is_read_from_the_file_system() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let space = FreeSpace::measure(dir.path()).expect("free space");
        assert!(space.size_bytes >= space.free_bytes && space.size_bytes > 0);
        assert_eq!(FreeSpace::measure(&dir.path().join("absent")), None);
    }

    #[test]
    fn many_early_evictions_mean_too_little_memory() {
        let memory =
            |asked, early_evictions| advise_on_memory(&MemoryTierUsage { max_bytes: 64 * MIB, asked, early_evictions });
        assert!(memory(2_000, 100).expect("a warning").remedy.contains("64 MiB"));
        assert_eq!(memory(1_000, 99), None, "too few evictions");
        assert_eq!(memory(2_001, 100), None, "too small a share of the requests");
    }
}
