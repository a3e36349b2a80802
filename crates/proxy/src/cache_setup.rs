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
            let warning = absent(&reason);
            tracing::warn!(remedy = %warning.remedy, "{}", warning.text);
            warnings.raise(warning);
            Cache::new(memory.clone(), clock.clone(), tasks.clone())
        }
    }
}

fn absent(reason: &str) -> Warning {
    Warning {
        code: "no-disk",
        severity: Severity::Urgent,
        action: None,
        subject: None,
        text: format!("Nothing outlives a restart: {reason}.").into(),
        remedy: "Mend that and start again, or set disk.enabled = false; until then everything works from memory."
            .into(),
    }
}

/// Current warnings about the disk.
pub fn disk_warnings(cache: &Cache) -> Vec<Warning> {
    let mut troubles: Vec<Warning> = cache.disk_error().map(unwritten).into_iter().collect();
    if cache.disk_stats().is_some_and(|stats| stats.reads_off) {
        troubles.push(Warning {
            code: "disk-reads-off",
            severity: Severity::Notice,
            action: None,
            subject: None,
            text: "The disk is too slow to be asked for answers; they come from memory and the server.".into(),
            remedy: "Look at what keeps the disk busy, or set disk.dir to a faster one; it is tried again by itself."
                .into(),
        });
    }
    troubles
}

fn unwritten(trouble: StorageErrorKind) -> Warning {
    Warning {
        code: "disk-writes-off",
        severity: Severity::Notice,
        action: None,
        subject: None,
        text: format!("Nothing is written to disk for now ({trouble}); answers go on.").into(),
        remedy: format!("What to do: {}.", trouble.remedy()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_says_what_to_do() {
        for trouble in StorageErrorKind::EVERY {
            let warning = unwritten(trouble);
            assert!(warning.text.contains(trouble.name()) && warning.remedy.contains(trouble.remedy()));
        }
    }

    #[tokio::test]
    async fn a_place_that_is_no_directory_is_said_and_everything_works_without() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let warnings = Warnings::default();
        let disk = DiskSettings::new(file.path().join("cache"));
        let cache = open(&CacheSettings::default(), Some(disk), &Clock::system(), &TaskTracker::new(), &warnings);
        assert!(warnings.active().is_empty(), "it may come to be");
        let codes: Vec<_> = disk_warnings(&cache).iter().map(|warning| warning.code).collect();
        assert_eq!(codes, ["disk-writes-off"]);
    }
}
