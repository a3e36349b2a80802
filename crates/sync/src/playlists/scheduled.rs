//! What is kept in step by itself: files and folders that are looked at now and then, and playlists of other servers.
//!
//! Nothing tells of a change on a network drive, so the folders are looked at. A file is taken when it looks the same
//! twice in a row: whoever writes it has ended by then. What came of it is written beside it, under names that are
//! never taken for playlists. Of several gateways on one data directory one does all this.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Playlists;
use super::report::Failure;
use super::report_files;
use super::run::Ending;
use crate::index::State;
use crate::playlists::request::{Source, Wish};
use crate::playlists::schedule::{HOUR_MS, Known, is_due, retry_after_ms};
use crate::playlists::sync_status::{Entry, Kept, Last};
use crate::playlists::watch;
use crate::playlists::watch::{Look, Looked};
use greenroom_config::playlists::{Origin, Standing};
use greenroom_state::warnings::{Severity, Warning};

/// How often it is looked whether something has changed.
const LOOK: Duration = Duration::from_secs(30);
/// One playlist may take so long; the others wait for it.
const LONGEST_RUN: Duration = Duration::from_secs(3600);
/// A drive may take so long to tell what is on it, or to give a file.
const DRIVE_PATIENCE: Duration = Duration::from_secs(60);
/// A server may take so long to tell which libraries it has.
const LIBRARIES_PATIENCE_MS: u64 = 10 * 60_000;
/// The warning that something that is to be kept in step cannot be read.
const UNREADABLE: &str = "playlist-unreadable";

/// One of the things that are kept in step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    File(PathBuf),
    Server,
}

impl Place {
    fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server => None,
        }
    }
}

/// Keeps all of them in step until the process stops.
pub async fn keep(playlists: Arc<Playlists>, standing: Vec<Standing>, stop: CancellationToken) {
    for one in &standing {
        playlists.keeping.tell(entry_of(one));
    }
    let mut keeper = Keeper {
        began_ms: playlists.clock.now_ms(),
        playlists,
        known: HashMap::new(),
        problems: HashMap::new(),
        hanging: HashMap::new(),
    };
    let keeps = async {
        loop {
            keeper.look(&standing).await;
            tokio::select! {
                () = keeper.playlists.clock.sleep(LOOK) => {}
                () = keeper.playlists.keeping.wake.notified() => {}
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = keeps => {}
    }
}

fn entry_of(standing: &Standing) -> Entry {
    let from = match &standing.origin {
        Origin::File(path) | Origin::Folder(path) => path.display().to_string(),
        Origin::Server { server, playlist } => format!("{server}/{playlist}"),
    };
    let (name, server, every_hours) = (standing.title.clone(), standing.server.clone(), standing.every_hours);
    Entry { name, server, from, every_hours, ..Entry::default() }
}

/// What it keeps them with.
struct Keeper {
    playlists: Arc<Playlists>,
    began_ms: u64,
    known: HashMap<(usize, Place), Known>,
    /// What a person should change, by the server that shows it.
    problems: HashMap<String, Vec<String>>,
    /// Drives that have not answered yet.
    hanging: HashMap<usize, JoinHandle<Option<Looked>>>,
}

impl Keeper {
    /// Looks at all of them once, and takes those that are due, one after the other.
    async fn look(&mut self, standing: &[Standing]) {
        let mut there = HashSet::new();
        let mut problems: HashMap<String, Vec<String>> = HashMap::new();
        for (number, one) in standing.iter().enumerate() {
            let (places, wrong) = self.places(number, one).await;
            if self.hanging.contains_key(&number) {
                // What is there is not known at the moment, and nothing of it has gone for that.
                there.extend(self.known.keys().filter(|(of, _)| *of == number).cloned());
            }
            let is_asked = self.playlists.keeping.take_asked(&one.title);
            let mut entry = Entry { problems: wrong.clone(), ..entry_of(one) };
            problems.entry(one.server.clone()).or_default().extend(wrong);
            for (place, look) in places {
                let key = (number, place);
                there.insert(key.clone());
                let kept = self.look_at(one, &key, look, is_asked).await;
                entry.playlists.push(kept);
            }
            self.playlists.keeping.tell(entry);
        }
        self.known.retain(|key, _| there.contains(key));
        self.warn(problems);
    }

    /// What there is to be looked at, how it looks, and what is wrong with it.
    async fn places(
        &mut self,
        number: usize,
        standing: &Standing,
    ) -> (Vec<(Place, Option<Look>)>, Vec<String>) {
        let silent = || vec![format!("{}: it does not answer", entry_of(standing).from)];
        // One that hangs is not asked a second time meanwhile: each question holds a thread.
        if self.hanging.get(&number).is_some_and(|asked| !asked.is_finished()) {
            return (Vec::new(), silent());
        }
        self.hanging.remove(&number);
        let origin = standing.origin.clone();
        let mut looking = self.playlists.tasks.spawn_blocking(move || match origin {
            Origin::Server { .. } => None,
            Origin::File(path) => Some(watch::look_at_file(&path)),
            Origin::Folder(folder) => Some(watch::look_at_folder(&folder)),
        });
        let Ok(looked) = self.playlists.clock.timeout(DRIVE_PATIENCE, &mut looking).await else {
            self.hanging.insert(number, looking);
            return (Vec::new(), silent());
        };
        match looked.unwrap_or_default() {
            None => (vec![(Place::Server, None)], Vec::new()),
            Some(looked) => {
                let places = looked.files.into_iter().map(|(path, look)| (Place::File(path), Some(look)));
                (places.collect(), looked.problems)
            }
        }
    }

    /// Looks at one, and takes it if it is due.
    async fn look_at(
        &mut self,
        one: &Standing,
        key: &(usize, Place),
        look: Option<Look>,
        is_asked: bool,
    ) -> Kept {
        let playlists = Arc::clone(&self.playlists);
        let every_ms = one.every_hours.saturating_mul(HOUR_MS);
        let is_due = is_asked || is_due(self.known.get(key), look, playlists.clock.now_ms(), every_ms);
        let awaits_library = is_due && self.awaits_library(one);
        let held = self.known.entry(key.clone()).or_default();
        held.seen = look;
        if is_due && !awaits_library {
            playlists.keeping.take(Some(&one.title));
            let (last, may_pass) = take(&playlists, one, &key.1).await;
            playlists.keeping.take(None);
            let now_ms = last.at_ms;
            held.taken = Some((look, now_ms));
            held.failures = if may_pass { held.failures.saturating_add(1) } else { 0 };
            held.retry_at_ms = may_pass.then(|| now_ms.saturating_add(retry_after_ms(held.failures)));
            held.last = Some(last);
        }
        let regular_ms = held.taken.map(|(_, at_ms)| at_ms.saturating_add(every_ms));
        Kept {
            file: key.1.file().map(|path| path.display().to_string()),
            awaits_library,
            last: held.last.clone(),
            next_ms: held.retry_at_ms.into_iter().chain(regular_ms).min(),
        }
    }

    /// Whether the library is not known yet and will be: then it is taken later, and the others do not wait for it.
    fn awaits_library(&self, one: &Standing) -> bool {
        let Ok(server) = self.playlists.server(&one.server) else { return false };
        let Some(library) = self.playlists.library(&server, one.library.as_deref()) else {
            let age_ms = self.playlists.clock.now_ms().saturating_sub(self.began_ms);
            return server.origin.settings.token.is_some() && age_ms < LIBRARIES_PATIENCE_MS;
        };
        if library.generation().is_some() || matches!(library.state(), State::Off | State::Failed) {
            return false;
        }
        library.look_up();
        true
    }

    /// What cannot be read is shown as long as it is so, and said once.
    fn warn(&mut self, problems: HashMap<String, Vec<String>>) {
        for (name, problems) in problems {
            if self.problems.get(&name).map_or(&[][..], Vec::as_slice) == problems.as_slice() {
                continue;
            }
            if let Ok(server) = self.playlists.server(&name) {
                server.origin.warnings.lower(UNREADABLE);
                if let Some(first) = problems.first() {
                    let more = match problems.len() {
                        1 => String::new(),
                        all => format!(" (and {} more)", all - 1),
                    };
                    tracing::warn!(
                        server = name,
                        first,
                        problems = problems.len(),
                        "a playlist cannot be kept in step"
                    );
                    server.origin.warnings.raise(Warning {
                        code: UNREADABLE,
                        severity: Severity::Notice,
                        action: None,
                        subject: None,
                        text: format!("A playlist that is to be kept in step cannot be: {first}{more}.")
                            .into(),
                        remedy:
                            "Put the file there and let Greenroom read it, or take [playlist.*] out of the \
                                 configuration; GET /api/v1/playlists/standing lists all of them."
                                .into(),
                    });
                }
            }
            self.problems.insert(name, problems);
        }
    }
}

/// Takes one, and writes down what came of it. Returns also whether it failed in a way that may pass.
async fn take(playlists: &Arc<Playlists>, standing: &Standing, place: &Place) -> (Last, bool) {
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
    let last = Last {
        at_ms: playlists.clock.now_ms(),
        state: report_files::word(&ended),
        counts: match &ended {
            Ok(Ending::Done(report)) => Some(report.counts),
            _ => None,
        },
        error: match &ended {
            Ok(Ending::Done(report)) => report.accounts.iter().find_map(|account| account.error.clone()),
            Ok(Ending::Failed(failure)) | Err(failure) => Some(failure.clone()),
            Ok(Ending::Cancelled) => None,
        },
    };
    let Some((folder, name)) = report_files::place_of(standing, place.file()) else {
        return (last, may_pass);
    };
    let title = standing.title.clone();
    let written = playlists.tasks.spawn_blocking(move || report_files::write_down(&folder, &name, &ended));
    if let Ok(Err(error)) = written.await {
        tracing::warn!(playlist = title, %error, "what came of a playlist cannot be written beside it");
    }
    (last, may_pass)
}

async fn attempt(playlists: &Arc<Playlists>, standing: &Standing, place: &Place) -> Result<Ending, Failure> {
    let (source, stem) = match (place, &standing.origin) {
        (Place::File(path), _) => {
            let opened = path.clone();
            let reading = playlists.tasks.spawn_blocking(move || watch::read(&opened));
            let read = playlists.clock.timeout(DRIVE_PATIENCE, reading).await;
            let read =
                read.map_err(|_| Failure::new("slow-file", "the file is not given within a minute"))?;
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
        shrink: standing.shrink,
        accounts: standing.accounts.clone(),
        policy: standing.policy,
        dry_run: false,
        live: 0,
        wait: false,
    };
    let run = playlists.begin(wish)?;
    let ended = playlists.clock.timeout(LONGEST_RUN, run.ended()).await;
    ended.map_err(|_| {
        run.cancel.cancel();
        Failure::new(
            "too-slow",
            "it took longer than an hour and was told to stop; the next run goes on from there",
        )
    })
}
