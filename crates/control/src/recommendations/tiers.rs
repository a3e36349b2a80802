//! Recommendations on memory and disk that are too small.

use std::path::{Path, PathBuf};

use greenroom_cache::CacheStats;

use super::window::RecentClassCounts;
use greenroom_state::warnings::{Warning, WarningAction};

pub(super) const CODES: [&str; 2] = ["disk-nearly-full", "memory-too-small"];

const MIB: u64 = 1024 * 1024;
/// A disk with less free space than this is nearly full, whatever its size.
const LITTLE_BYTES: u64 = 1024 * MIB;
/// With less than this it is about to be full.
const NOTHING_BYTES: u64 = 128 * MIB;
/// With less than this share of its size, in percent, it is nearly full as well.
const LITTLE_PERCENT: u64 = 5;
/// With more than this it is never nearly full, however large it is.
const MOST_LITTLE_BYTES: u64 = 20 * 1024 * MIB;
/// A smaller cache is not worth purging.
const WORTH_CLEARING_BYTES: u64 = 16 * MIB;
/// Memory is too small from this many early evictions in an hour on, if they also reach this percentage of requests.
const REGRETS: (u64, u64) = (100, 5);

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
        let said = rustix::fs::statvfs(dir).ok()?;
        let (free_bytes, size_bytes) = (said.f_bavail * said.f_frsize, said.f_blocks * said.f_frsize);
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
const RELIEF_PERCENT: u64 = 125;

impl FreeSpace {
    /// Below this it is nearly full.
    fn little_bytes(&self) -> u64 {
        let share = self.size_bytes / 100 * LITTLE_PERCENT;
        share.clamp(LITTLE_BYTES, MOST_LITTLE_BYTES)
    }

    fn is_nearly_full(&self, is_said: bool) -> bool {
        let percent = if is_said { RELIEF_PERCENT } else { 100 };
        self.free_bytes < self.little_bytes() / 100 * percent
    }
}

/// The recommendation for nearly full disks. It clears at a higher threshold than it is raised at. If the cache is on
/// one of them, it offers to purge it.
pub(super) fn advise_on_disk(rooms: &[FreeSpace], kept: Option<&DiskTierUsage>, is_said: bool) -> Option<Warning> {
    let little: Vec<&FreeSpace> = rooms.iter().filter(|room| room.is_nearly_full(is_said)).collect();
    if little.is_empty() {
        return None;
    }
    let places = little.iter().map(|room| format!("{} MiB where {} lies", room.free_bytes / MIB, room.dir.display()));
    let text = format!("Little room is left: {}.", places.collect::<Vec<_>>().join(", "));
    let remedy = "Make room there, or set disk.max_bytes lower, or data_dir to another disk. When it is full, nothing \
                  more is remembered; answers go on.";
    let kept = kept.filter(|kept| little.iter().any(|room| room.dir == kept.dir));
    let warning = Warning::notice(CODES[0], text, remedy).with(kept.and_then(clearing));
    let is_urgent = little.iter().any(|room| room.free_bytes < NOTHING_BYTES);
    Some(if is_urgent { warning.urgent() } else { warning })
}

/// The action that purges the cache, if that frees enough.
fn clearing(kept: &DiskTierUsage) -> Option<WarningAction> {
    if kept.bytes < WORTH_CLEARING_BYTES {
        return None;
    }
    let (now, most) = (kept.bytes / MIB, kept.max_bytes / MIB);
    let takes = format!(
        "All answers that are kept go, about {now} MiB on this disk, and counting begins anew. Nothing is lost on the \
         media servers; the next questions go to them again. The cache may grow to {most} MiB again: disk.max_bytes says \
         so."
    );
    Some(WarningAction::new("Clear the cache…", "POST", "cache/clear").with_loss(takes))
}

/// Usage of the memory tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoryTierUsage {
    pub(super) max_bytes: u64,
    pub(super) asked: u64,
    pub(super) regrets: u64,
}

impl MemoryTierUsage {
    pub(super) fn from_stats(stats: &CacheStats, lately: &[RecentClassCounts]) -> Self {
        Self {
            max_bytes: stats.max_bytes,
            asked: lately.iter().map(|class| class.counts.asked).sum(),
            regrets: lately.iter().map(|class| class.counts.regrets).sum(),
        }
    }
}

/// The recommendation for memory.
pub(super) fn advise_on_memory(memory: &MemoryTierUsage) -> Option<Warning> {
    let (enough, percent) = REGRETS;
    if memory.regrets < enough || memory.regrets * 100 < memory.asked * percent {
        return None;
    }
    let text = format!(
        "{} of the last {} questions went to the server only because their answers had to make room while they were \
         fresh.",
        memory.regrets, memory.asked
    );
    let now = memory.max_bytes / MIB;
    let remedy = format!(
        "Set memory.max_bytes higher than {now} MiB (and memory.max_partition_bytes), or let the disk help: disk.enabled = true."
    );
    Some(Warning::notice(CODES[1], text, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_nearly_full_by_share_or_by_bytes() {
        use greenroom_state::warnings::Severity::{Notice, Urgent};
        let room = |free_mib: u64, size_mib: u64| FreeSpace {
            dir: "/data".into(),
            free_bytes: free_mib * MIB,
            size_bytes: size_mib * MIB,
        };
        let severity = |rooms: &[FreeSpace]| advise_on_disk(rooms, None, false).map(|warning| warning.severity);
        assert_eq!(severity(&[room(2_000, 10_000)]), None);
        assert_eq!(severity(&[room(1_000, 2_000)]), Some(Notice), "less than a GiB");
        assert_eq!(severity(&[room(4_000, 100_000)]), Some(Notice), "less than a twentieth");
        assert_eq!(severity(&[room(9_000, 10_000), room(100, 100_000)]), Some(Urgent), "the fullest counts");
        assert_eq!(severity(&[]), None);
        assert_eq!(severity(&[room(21_000, 10_000_000)]), None, "20 GiB are enough on any disk");
        assert_eq!(severity(&[room(20_000, 10_000_000)]), Some(Notice));
        let small_and_well = room(1_500, 2_000);
        assert_eq!(severity(&[small_and_well.clone(), room(4_000, 100_000)]), Some(Notice), "each is judged");
        let text = advise_on_disk(&[small_and_well, room(4_000, 100_000)], None, false).expect("one is").text;
        assert!(text.contains("4000 MiB") && !text.contains("1500 MiB"), "{text}");
        let is_said = |free_mib| advise_on_disk(&[room(free_mib, 10_000)], None, true).is_some();
        assert!(is_said(1_100) && !is_said(1_300), "it does not come and go with every file");
    }

    #[test]
    fn a_full_disk_can_be_cleared_of_the_cache_where_that_lies_on_it_and_is_worth_it() {
        let room = |dir: &str| FreeSpace { dir: dir.into(), free_bytes: 100 * MIB, size_bytes: 10_000 * MIB };
        let kept = |dir: &str, mib: u64| DiskTierUsage { dir: dir.into(), bytes: mib * MIB, max_bytes: 2_048 * MIB };
        let action = |kept: &DiskTierUsage| {
            let warning = advise_on_disk(&[room("/data"), room("/fast")], Some(kept), false).expect("it is full");
            warning.action
        };
        let clear = action(&kept("/fast", 700)).expect("it can");
        assert_eq!((clear.method, clear.path.as_str()), ("POST", "cache/clear"));
        let takes = clear.takes.expect("it says what goes");
        assert!(takes.contains("700 MiB") && takes.contains("2048 MiB"), "{takes}");
        assert_eq!(action(&kept("/fast", 15)), None, "it would be in vain");
        assert_eq!(action(&kept("/elsewhere", 700)), None, "that disk is not full");
    }

    #[test]
    fn the_file_system_says_how_much_room_there_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let room = FreeSpace::measure(folder.path()).expect("it says so");
        assert!(room.size_bytes >= room.free_bytes && room.size_bytes > 0);
        assert_eq!(FreeSpace::measure(&folder.path().join("absent")), None);
    }

    #[test]
    fn memory_is_too_small_where_much_was_let_go_too_soon() {
        let memory = |asked, regrets| advise_on_memory(&MemoryTierUsage { max_bytes: 64 * MIB, asked, regrets });
        assert!(memory(2_000, 100).expect("it is").remedy.contains("64 MiB"));
        assert_eq!(memory(1_000, 99), None, "too few to tell");
        assert_eq!(memory(2_001, 100), None, "next to nothing of what was asked");
    }
}
