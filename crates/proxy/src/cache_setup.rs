//! Opens the cache engine with its configured tiers, and warns about its disk.
//!
//! An unusable disk does not prevent the start: the cache works from memory, and a warning says so.

use std::path::Path;

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::disk::error::StorageErrorKind;
use greenroom_cache::{Cache, CacheSettings, Clock};
use tokio_util::task::TaskTracker;

use greenroom_state::warnings::{Severity, Warning, Warnings};

/// Whether an earlier process left data in the disk tier's directory.
pub fn has_data(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

/// Opens the engine, with a disk tier if one is configured and usable.
pub fn open(
    memory: &CacheSettings,
    disk: Option<DiskSettings>,
    clock: &Clock,
    tasks: &TaskTracker,
    warnings: &Warnings,
) -> Cache {
    let Some(disk) = disk else { return Cache::new(memory.clone(), clock.clone(), tasks.clone()) };
    match Cache::with_disk(memory.clone(), disk, clock.clone(), tasks.clone()) {
        Ok(cache) => cache,
        Err(reason) => {
            let warning = no_disk_warning(&reason);
            tracing::warn!(remedy = %warning.remedy, "{}", warning.text);
            warnings.raise(warning);
            Cache::new(memory.clone(), clock.clone(), tasks.clone())
        }
    }
}

fn no_disk_warning(reason: &str) -> Warning {
    Warning {
        code: "no-disk",
        severity: Severity::Urgent,
        action: None,
        subject: None,
        text: format!("The cache does not survive a restart: {reason}.").into(),
        remedy: "Fix this and restart, or set disk.enabled = false; until then the cache works from memory.".into(),
    }
}

/// Current warnings about the disk.
pub fn disk_warnings(cache: &Cache) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = cache.disk_error().map(writes_off_warning).into_iter().collect();
    if cache.disk_stats().is_some_and(|stats| stats.reads_off) {
        warnings.push(Warning {
            code: "disk-reads-off",
            severity: Severity::Notice,
            action: None,
            subject: None,
            text: "The disk is too slow for reads; responses come from memory and the server.".into(),
            remedy: "Find out what keeps the disk busy, or set disk.dir to a faster one. It is retried automatically."
                .into(),
        });
    }
    warnings
}

fn writes_off_warning(error: StorageErrorKind) -> Warning {
    Warning {
        code: "disk-writes-off",
        severity: Severity::Notice,
        action: None,
        subject: None,
        text: format!("The cache is not written to disk at the moment ({error}); requests are still answered.").into(),
        remedy: format!("To fix this: {}.", error.remedy()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disk_error_has_a_remedy() {
        for error in StorageErrorKind::EVERY {
            let warning = writes_off_warning(error);
            assert!(warning.text.contains(error.name()) && warning.remedy.contains(error.remedy()));
        }
    }

    #[tokio::test]
    async fn a_disk_directory_that_is_a_file_raises_a_warning_and_the_cache_works() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let warnings = Warnings::default();
        let disk = DiskSettings::new(file.path().join("cache"));
        let cache = open(&CacheSettings::default(), Some(disk), &Clock::system(), &TaskTracker::new(), &warnings);
        assert!(warnings.active().is_empty(), "the directory may appear later");
        let codes: Vec<_> = disk_warnings(&cache).iter().map(|warning| warning.code).collect();
        assert_eq!(codes, ["disk-writes-off"]);
    }
}
