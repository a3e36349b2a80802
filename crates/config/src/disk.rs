//! Settings of the disk tier.

use std::path::{Path, PathBuf};
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;

use super::source::ConfigSource;

const MIB: u64 = 1024 * 1024;
/// Folder of the cache in the data directory.
pub const FOLDER: &str = "cache";

/// Reads the disk tier's settings; `None` if it is off.
pub(super) fn read(tree: &mut ConfigSource, data_dir: &Path) -> Option<DiskSettings> {
    let is_on = tree.parse("disk.enabled", "true or false").unwrap_or(true);
    let dir = tree.take("disk.dir").map_or_else(|| data_dir.join(FOLDER), |leaf| PathBuf::from(leaf.text));
    let usual = DiskSettings::new(dir);
    let mut bytes = |key: &str, least: u64, usual: u64| tree.number(&format!("disk.{key}"), least, 1 << 44, usual);
    let max_bytes = bytes("max_bytes", 16 * MIB, usual.max_bytes);
    let max_queued_bytes = bytes("max_queued_bytes", MIB, usual.max_queued_bytes);
    let max_wal_bytes = bytes("max_wal_bytes", MIB, usual.max_wal_bytes);
    let max_rewrite_keys = bytes("max_rewrite_keys", 0, usual.max_rewrite_keys as u64);
    let mut seconds = |key: &str, usual: Duration| {
        Duration::from_secs(tree.number(&format!("disk.{key}"), 0, 3_600, usual.as_secs()))
    };
    let rewrite_after = seconds("rewrite_after_s", usual.rewrite_after);
    let short_life = seconds("short_life_s", usual.short_life);
    let mut pause = |key: &str, least: u64, most: u64, usual: Duration| {
        let usual = u64::try_from(usual.as_millis()).unwrap_or(most);
        Duration::from_millis(tree.number(&format!("disk.{key}"), least, most, usual))
    };
    let settings = DiskSettings {
        max_bytes,
        max_queued_bytes,
        max_wal_bytes,
        rewrite_after,
        short_life,
        max_rewrite_keys: usize::try_from(max_rewrite_keys).unwrap_or(usual.max_rewrite_keys),
        write_linger: pause("write_linger_ms", 0, 60_000, usual.write_linger),
        read_timeout: pause("read_timeout_ms", 1, 60_000, usual.read_timeout),
        drain_timeout: pause("drain_timeout_ms", 0, 600_000, usual.drain_timeout),
        ..usual
    };
    is_on.then_some(settings)
}

#[cfg(test)]
mod tests {
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
