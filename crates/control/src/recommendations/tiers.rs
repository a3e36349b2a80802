//! Memory and disk that are too small.

use std::path::{Path, PathBuf};

use greenroom_cache::Stats;

use super::window::Lately;
use greenroom_state::warnings::{Action, Warning};

pub(super) const CODES: [&str; 2] = ["disk-nearly-full", "memory-too-small"];

const MIB: u64 = 1024 * 1024;
/// A disk with less room than this is nearly full, whatever its size.
const LITTLE_BYTES: u64 = 1024 * MIB;
/// One with less than this will be full any moment.
const NOTHING_BYTES: u64 = 128 * MIB;
/// One with less than this share of its size as well, in percent.
const LITTLE_PERCENT: u64 = 5;
/// So much is enough, however large it is.
const MOST_LITTLE_BYTES: u64 = 20 * 1024 * MIB;
/// Less than this is not worth clearing.
const WORTH_CLEARING_BYTES: u64 = 16 * MIB;
/// From so many regrets in an hour on, memory is too small, if they are this share of what was asked, in percent.
const REGRETS: (u64, u64) = (100, 5);

/// How much room there is where something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) dir: PathBuf,
    pub(super) free_bytes: u64,
    pub(super) size_bytes: u64,
}

impl Room {
    /// What the file system says; `None` if it says nothing of use.
    pub(super) fn of(dir: &Path) -> Option<Self> {
        let said = rustix::fs::statvfs(dir).ok()?;
        let (free_bytes, size_bytes) = (said.f_bavail * said.f_frsize, said.f_blocks * said.f_frsize);
        (size_bytes > 0).then(|| Self { dir: dir.to_owned(), free_bytes, size_bytes })
    }
}

/// What the cache keeps on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) dir: PathBuf,
    pub(super) bytes: u64,
    pub(super) max_bytes: u64,
}

/// So much more room than is little has to be there until the warning goes, in percent.
const RELIEF_PERCENT: u64 = 125;

impl Room {
    /// With less than this it is nearly full.
    fn little_bytes(&self) -> u64 {
        let share = self.size_bytes / 100 * LITTLE_PERCENT;
        share.clamp(LITTLE_BYTES, MOST_LITTLE_BYTES)
    }

    fn is_nearly_full(&self, is_said: bool) -> bool {
        let percent = if is_said { RELIEF_PERCENT } else { 100 };
        self.free_bytes < self.little_bytes() / 100 * percent
    }
}

/// What is to be said of disks with little room; it goes with some more room than it comes. Where the cache is on one
/// of them, it can be cleared.
pub(super) fn advise_on_disk(rooms: &[Room], kept: Option<&Kept>, is_said: bool) -> Option<Warning> {
    let little: Vec<&Room> = rooms.iter().filter(|room| room.is_nearly_full(is_said)).collect();
    if little.is_empty() {
        return None;
    }
    let places =
        little.iter().map(|room| format!("{} MiB where {} lies", room.free_bytes / MIB, room.dir.display()));
    let text = format!("Little room is left: {}.", places.collect::<Vec<_>>().join(", "));
    let remedy = "Make room there, or set disk.max_bytes lower, or data_dir to another disk. When it is full, nothing \
                  more is remembered; answers go on.";
    let kept = kept.filter(|kept| little.iter().any(|room| room.dir == kept.dir));
    let warning = Warning::notice(CODES[0], text, remedy).with(kept.and_then(clearing));
    let is_urgent = little.iter().any(|room| room.free_bytes < NOTHING_BYTES);
    Some(if is_urgent { warning.urgent() } else { warning })
}

/// Clears the cache, if that makes room worth speaking of.
fn clearing(kept: &Kept) -> Option<Action> {
    if kept.bytes < WORTH_CLEARING_BYTES {
        return None;
    }
    let (now, most) = (kept.bytes / MIB, kept.max_bytes / MIB);
    let takes = format!(
        "All answers that are kept go, about {now} MiB on this disk, and counting begins anew. Nothing is lost on the \
         media servers; the next questions go to them again. The cache may grow to {most} MiB again: disk.max_bytes says \
         so."
    );
    Some(Action::new("Clear the cache…", "POST", "cache/clear").taking(takes))
}

/// How memory does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) max_bytes: u64,
    pub(super) asked: u64,
    pub(super) regrets: u64,
}

impl Memory {
    pub(super) fn of(stats: &Stats, lately: &[Lately]) -> Self {
        Self {
            max_bytes: stats.max_bytes,
            asked: lately.iter().map(|class| class.counts.asked).sum(),
            regrets: lately.iter().map(|class| class.counts.regrets).sum(),
        }
    }
}

/// What is to be said of memory.
pub(super) fn advise_on_memory(memory: &Memory) -> Option<Warning> {
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
        let room = |free_mib: u64, size_mib: u64| Room {
            dir: "/data".into(),
            free_bytes: free_mib * MIB,
            size_bytes: size_mib * MIB,
        };
        let severity = |rooms: &[Room]| advise_on_disk(rooms, None, false).map(|warning| warning.severity);
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
        let room = |dir: &str| Room { dir: dir.into(), free_bytes: 100 * MIB, size_bytes: 10_000 * MIB };
        let kept = |dir: &str, mib: u64| Kept { dir: dir.into(), bytes: mib * MIB, max_bytes: 2_048 * MIB };
        let action = |kept: &Kept| {
            let warning =
                advise_on_disk(&[room("/data"), room("/fast")], Some(kept), false).expect("it is full");
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
        let room = Room::of(folder.path()).expect("it says so");
        assert!(room.size_bytes >= room.free_bytes && room.size_bytes > 0);
        assert_eq!(Room::of(&folder.path().join("absent")), None);
    }

    #[test]
    fn memory_is_too_small_where_much_was_let_go_too_soon() {
        let memory = |asked, regrets| advise_on_memory(&Memory { max_bytes: 64 * MIB, asked, regrets });
        assert!(memory(2_000, 100).expect("it is").remedy.contains("64 MiB"));
        assert_eq!(memory(1_000, 99), None, "too few to tell");
        assert_eq!(memory(2_001, 100), None, "next to nothing of what was asked");
    }
}
