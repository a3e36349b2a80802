//! Settings of the disk tier.

use std::path::{Path, PathBuf};

use greenroom_cache::disk::DiskSettings;

use super::section::Section;
use super::source::ConfigSource;

const MIB: u64 = 1024 * 1024;
/// Upper limit of every size.
const MOST_BYTES: u64 = 1 << 44;
/// Folder of the cache in the data directory.
pub const FOLDER: &str = "cache";

/// Reads the disk tier's settings; `None` if it is off.
pub(super) fn read(tree: &mut ConfigSource, data_dir: &Path) -> Option<DiskSettings> {
    let mut own = Section::new(tree, "disk");
    let is_on = own.flag("enabled", true);
    let dir = own.tree.take(&own.key("dir")).map_or_else(|| data_dir.join(FOLDER), |leaf| PathBuf::from(leaf.text));
    let usual = DiskSettings::new(dir);
    let settings = DiskSettings {
        max_bytes: own.number("max_bytes", 16 * MIB..=MOST_BYTES, usual.max_bytes),
        max_queued_bytes: own.number("max_queued_bytes", MIB..=MOST_BYTES, usual.max_queued_bytes),
        max_wal_bytes: own.number("max_wal_bytes", MIB..=MOST_BYTES, usual.max_wal_bytes),
        max_rewrite_keys: own.count("max_rewrite_keys", 0..=MOST_BYTES, usual.max_rewrite_keys),
        rewrite_after: own.seconds("rewrite_after_s", 0..=3_600, usual.rewrite_after),
        short_life: own.seconds("short_life_s", 0..=3_600, usual.short_life),
        write_linger: own.millis("write_linger_ms", 0..=60_000, usual.write_linger),
        read_timeout: own.millis("read_timeout_ms", 1..=60_000, usual.read_timeout),
        drain_timeout: own.millis("drain_timeout_ms", 0..=600_000, usual.drain_timeout),
        ..usual
    };
    is_on.then_some(settings)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Settings;
    use super::*;

    fn read(more: &str) -> Result<Option<DiskSettings>, String> {
        let home = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("data_dir = \"/data\"\n{more}\n{home}"));
        Settings::read(tree).map(|settings| settings.disk).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn without_a_word_there_is_one_beside_the_state() {
        let disk = read("").expect("valid").expect("on");
        assert_eq!(disk, DiskSettings::new("/data/cache"));
    }

    #[test]
    fn how_often_values_are_written_can_be_said() {
        let disk = read("[disk]\nrewrite_after_s = 0\nshort_life_s = 5\nwrite_linger_ms = 20\n");
        let disk = disk.expect("valid").expect("on");
        assert_eq!((disk.rewrite_after, disk.short_life), (Duration::ZERO, Duration::from_secs(5)));
        assert_eq!(disk.write_linger, Duration::from_millis(20));
    }

    #[test]
    fn it_can_be_moved_bounded_and_left_out() {
        let moved = read("[disk]\ndir = \"/fast\"\nmax_bytes = 33554432\nread_timeout_ms = 50\n");
        let moved = moved.expect("valid").expect("on");
        assert_eq!((moved.dir.as_path(), moved.max_bytes), (Path::new("/fast"), 32 * MIB));
        assert_eq!(moved.read_timeout, Duration::from_millis(50));
        assert_eq!(read("[disk]\nenabled = false\n"), Ok(None));
        let problem = read("[disk]\nmax_bytes = 5\n").expect_err("too small");
        assert!(problem.contains("disk.max_bytes"), "{problem}");
    }
}
