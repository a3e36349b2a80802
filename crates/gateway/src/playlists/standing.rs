//! What is kept in step by itself: files and folders that are looked at now and then, and playlists of other servers.
//!
//! Nothing tells of a change on a network drive, so the folders are looked at. A file is taken when it looks the same
//! twice in a row: whoever writes it has ended by then. What came of it is written beside it, under names that are
//! never taken for playlists.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use greenroom_library::playlist;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Playlists;
use super::report::Failure;
use super::run::Ending;
use super::wish::{Source, Wish};
use crate::config::playlists::{Origin, Standing};

/// How often it is looked whether something has changed.
const LOOK: Duration = Duration::from_secs(30);
/// After a failure that may pass it is tried again so much later.
const RETRY_MS: u64 = 5 * 60_000;
const HOUR_MS: u64 = 3_600_000;
/// Files of one folder that are looked at.
const MAX_FILES: usize = 500;
/// Files with these endings may be playlists.
const ENDINGS: [&str; 7] = ["m3u", "m3u8", "csv", "tsv", "json", "jspf", "jsonl"];
/// What our own files end with.
const REPORT: &str = ".report.json";
const MISSING: &str = ".missing.csv";

/// How a file looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    modified_ms: u128,
    bytes: u64,
}

/// What is known of one playlist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    /// How it looked the last time; `None` for what is no file.
    seen: Option<Look>,
    /// How it looked when it was taken last, and when that was, in milliseconds.
    taken: Option<(Option<Look>, u64)>,
    /// When it is to be tried again, after a failure that may pass.
    retry_at_ms: Option<u64>,
}

/// Whether a playlist is to be taken now.
fn is_due(known: Option<&Known>, look: Option<Look>, now_ms: u64, every_ms: u64) -> bool {
    // A file that is seen for the first time may still be written; a playlist of a server is whole.
    let Some(known) = known else { return look.is_none() };
    let is_still = look == known.seen;
    let is_new = known.taken.is_none_or(|(taken, _)| taken != look);
    let is_old = known.taken.is_some_and(|(_, at_ms)| now_ms.saturating_sub(at_ms) >= every_ms);
    let is_again = known.retry_at_ms.is_some_and(|at_ms| now_ms >= at_ms);
    is_still && (is_new || is_old || is_again)
}

/// One of the things that are kept in step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    File(PathBuf),
    Server,
}

/// Keeps all of them in step until the process stops.
pub async fn keep(playlists: Arc<Playlists>, standing: Vec<Standing>, stop: CancellationToken) {
    let mut known = HashMap::new();
    let keeps = async {
        loop {
            look(&playlists, &standing, &mut known).await;
            playlists.clock.sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = keeps => {}
    }
}

/// Looks at all of them once, and takes those that are due, one after the other.
async fn look(playlists: &Arc<Playlists>, standing: &[Standing], known: &mut HashMap<(usize, Place), Known>) {
    let mut there = HashSet::new();
    for (number, one) in standing.iter().enumerate() {
        for (place, look) in places(playlists, one).await {
            let key = (number, place);
            let every_ms = one.every_hours.saturating_mul(HOUR_MS);
            let is_due = is_due(known.get(&key), look, playlists.clock.now_ms(), every_ms);
            let held = known.entry(key.clone()).or_default();
            held.seen = look;
            if is_due {
                let may_pass = take(playlists, one, &key.1).await;
                let now_ms = playlists.clock.now_ms();
                held.taken = Some((look, now_ms));
                held.retry_at_ms = may_pass.then(|| now_ms.saturating_add(RETRY_MS));
            }
            there.insert(key);
        }
    }
    known.retain(|key, _| there.contains(key));
}

/// What there is to be looked at, and how it looks.
async fn places(playlists: &Playlists, standing: &Standing) -> Vec<(Place, Option<Look>)> {
    let origin = standing.origin.clone();
    let looked = playlists.tasks.spawn_blocking(move || match origin {
        Origin::Server { .. } => vec![(Place::Server, None)],
        Origin::File(path) => files([path]),
        Origin::Folder(folder) => {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
            let mut paths: Vec<PathBuf> =
                entries.map(|entry| entry.path()).filter(|path| is_playlist(path)).collect();
            paths.sort();
            paths.truncate(MAX_FILES);
            files(paths)
        }
    });
    looked.await.unwrap_or_default()
}

fn files(paths: impl IntoIterator<Item = PathBuf>) -> Vec<(Place, Option<Look>)> {
    let look = |path: PathBuf| {
        let about = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        let modified = about.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let look = Look { modified_ms: modified.as_millis(), bytes: about.len() };
        Some((Place::File(path), Some(look)))
    };
    paths.into_iter().filter_map(look).collect()
}

/// Whether a file in a folder may be a playlist, and is none of ours.
fn is_playlist(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !name.starts_with('.') && !name.ends_with(REPORT) && !name.ends_with(MISSING) && ENDINGS.contains(&ending)
}

/// Takes one, and writes down what came of it. Returns whether it failed in a way that may pass.
async fn take(playlists: &Arc<Playlists>, standing: &Standing, place: &Place) -> bool {
    let ended = attempt(playlists, standing, place).await;
    let may_pass = match &ended {
        Ok(Ending::Done(report)) => report.has_failed(),
        Ok(Ending::Failed(failure)) | Err(failure) => !matches!(
            failure.code.as_str(),
            "unreadable" | "no-rows" | "no-name" | "unknown-account" | "unknown-library" | "no-playlist"
        ),
        // Somebody did not want it.
        Ok(Ending::Cancelled) => false,
    };
    let Some((folder, stem)) = results(standing, place) else { return may_pass };
    let title = standing.title.clone();
    let written = playlists.tasks.spawn_blocking(move || write_down(&folder, &stem, &ended));
    if let Ok(Err(error)) = written.await {
        tracing::warn!(playlist = title, %error, "what came of a playlist cannot be written beside it");
    }
    may_pass
}

async fn attempt(playlists: &Arc<Playlists>, standing: &Standing, place: &Place) -> Result<Ending, Failure> {
    let (source, stem) = match (place, &standing.origin) {
        (Place::File(path), _) => {
            let opened = path.clone();
            let read = playlists.tasks.spawn_blocking(move || read(&opened)).await;
            let broke_off = |_| Failure::new("unreadable", "reading it broke off");
            let playlist = read.map_err(broke_off)?.map_err(|message| Failure::new("unreadable", message))?;
            (
                Source::Rows(Box::new(playlist)),
                path.file_stem().map(|stem| stem.to_string_lossy().into_owned()),
            )
        }
        (Place::Server, Origin::Server { server, playlist }) => {
            let (server, playlist) = (server.clone(), playlist.clone());
            (Source::Server { server, playlist, account: None }, None)
        }
        (Place::Server, _) => return Err(Failure::new("no-rows", "there is no playlist")),
    };
    let own_name = match &source {
        Source::Rows(playlist) => playlist.name.clone(),
        Source::Server { .. } => None,
    };
    let wish = Wish {
        source,
        server: standing.server.clone(),
        library: standing.library.clone(),
        name: standing.name.clone().or(own_name).or(stem),
        mode: standing.mode,
        accounts: standing.accounts.clone(),
        policy: standing.policy,
        dry_run: false,
        live: 0,
        wait: false,
    };
    Ok(playlists.begin(wish)?.ended().await)
}

fn read(path: &Path) -> Result<playlist::Playlist, String> {
    let cannot = |error: io::Error| format!("it cannot be read: {error}");
    let most = playlist::MAX_BYTES as u64;
    let file = File::open(path).map_err(cannot)?;
    if file.metadata().map_err(cannot)?.len() > most {
        return Err(playlist::Unreadable::TooLong.to_string());
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    let hint = path.file_name().unwrap_or_default().to_string_lossy();
    playlist::read(&bytes, &hint).map_err(|unreadable| unreadable.to_string())
}

/// Where results go, and what they are called.
fn results(standing: &Standing, place: &Place) -> Option<(PathBuf, String)> {
    let stem = match place {
        Place::File(path) => path.file_stem()?.to_string_lossy().into_owned(),
        Place::Server => standing.title.clone(),
    };
    let beside = match place {
        Place::File(path) => path.parent().map(Path::to_owned),
        Place::Server => None,
    };
    Some((standing.results.clone().or(beside)?, stem))
}

fn write_down(folder: &Path, stem: &str, ended: &Result<Ending, Failure>) -> io::Result<()> {
    let (told, missing) = match ended {
        Ok(Ending::Done(report)) => {
            let state = if report.has_failed() { "failed" } else { "done" };
            let missing = (!report.missing.is_empty()).then(|| report.missing_csv());
            (json!({"state": state, "report": **report}), missing)
        }
        Ok(Ending::Failed(failure)) | Err(failure) => (json!({"state": "failed", "error": failure}), None),
        Ok(Ending::Cancelled) => (json!({"state": "cancelled"}), None),
    };
    std::fs::create_dir_all(folder)?;
    replace(&folder.join(format!("{stem}{REPORT}")), &pretty(&told))?;
    let table = folder.join(format!("{stem}{MISSING}"));
    match missing {
        Some(missing) => replace(&table, &missing),
        None => match std::fs::remove_file(&table) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

fn pretty(told: &Value) -> String {
    serde_json::to_string_pretty(told).unwrap_or_default() + "\n"
}

/// Whoever reads the file has the old one or the new one, whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.new"));
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: u64 = 24 * HOUR_MS;

    const EARLY: Option<Look> = Some(Look { modified_ms: 1, bytes: 9 });
    const LATE: Option<Look> = Some(Look { modified_ms: 2, bytes: 9 });

    #[test]
    fn a_file_is_taken_when_it_looks_the_same_twice() {
        assert!(!is_due(None, EARLY, 0, EVERY), "it may still be written");
        let seen = Known { seen: EARLY, ..Known::default() };
        assert!(is_due(Some(&seen), EARLY, 30_000, EVERY));
        assert!(!is_due(Some(&seen), LATE, 30_000, EVERY), "it is being written");
        let taken = Known { taken: Some((EARLY, 30_000)), ..seen };
        assert!(!is_due(Some(&taken), EARLY, 60_000, EVERY), "and not again");
        assert!(is_due(Some(&taken), EARLY, 30_000 + EVERY, EVERY), "but now and then");
        let changed = Known { seen: LATE, ..taken };
        assert!(is_due(Some(&changed), LATE, 60_000, EVERY), "it has changed");
        let failed = Known { retry_at_ms: Some(90_000), ..taken };
        assert!(!is_due(Some(&failed), EARLY, 60_000, EVERY));
        assert!(is_due(Some(&failed), EARLY, 90_000, EVERY));
    }

    #[test]
    fn a_playlist_of_a_server_is_taken_at_once_and_then_on_schedule() {
        assert!(is_due(None, None, 0, EVERY));
        let taken = Known { taken: Some((None, 5)), ..Known::default() };
        assert!(!is_due(Some(&taken), None, EVERY, EVERY));
        assert!(is_due(Some(&taken), None, EVERY + 5, EVERY));
    }

    #[test]
    fn our_own_files_are_never_taken_for_playlists() {
        for name in ["a.report.json", "a.missing.csv", ".a.report.json.new", ".hidden.csv", "notes.txt", "a"]
        {
            assert!(!is_playlist(Path::new(name)), "{name}");
        }
        for name in ["a.m3u8", "A.CSV", "list.jspf", "report.json"] {
            assert!(is_playlist(Path::new(name)), "{name}");
        }
    }
}
