//! One account's playlist: what is there, what should be, and the writes between them. Each round reads what is there,
//! decides one phase, and writes it; so an unknown outcome, a server that takes less than it was given, and a run that
//! was interrupted are all the same case: the next round sees what is so.

mod execute;
mod planning;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::playlists::{Entry, Listed, MAX_ITEMS, MAX_QUERY_BYTES};
use greenroom_library::tracks::Policy;

use super::plan::{self, Costs, Held, Phase};
use super::report::{AccountReport, Failure, Standing};
use super::run::Run;
use crate::index::Library;
use crate::matching::{Matching, Wanted};
use crate::playlists::client::Courier;
use crate::playlists::created::Made;
use crate::playlists::error::Trouble;
use greenroom_config::playlist_mode::Mode;

/// Rounds that one playlist takes at the most: four would do if nothing went wrong.
const MAX_ROUNDS: usize = 40;
/// Writes of unknown outcome, and writes that were not sent, that are borne.
const MAX_MISHAPS: usize = 3;
/// Requests that the server may refuse while it is found out which of the tracks it does not take.
const MAX_REFUSALS: usize = 50;
/// After one of them the server is left alone for so long, before it is asked what is so.
const PAUSE: Duration = Duration::from_secs(2);

/// A track that is to be in the playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// The item.
    pub key: String,
    /// What it is called in reports.
    pub label: String,
    /// What was looked for.
    pub wanted: Wanted,
}

/// What one run has learnt of a server while writing to it.
#[derive(Debug, Default)]
pub struct Habits {
    /// Of several items in one request it takes the first only.
    takes_one: AtomicBool,
    /// It does not let all of a playlist be set at once.
    sets_none: AtomicBool,
}

/// What one account's playlist is written with.
#[derive(Debug)]
pub struct Desk<'a> {
    /// Speaks for the account.
    pub courier: &'a Courier,
    /// How the server is.
    pub habits: &'a Habits,
    /// The run.
    pub run: &'a Run,
    /// The clock.
    pub clock: &'a Clock,
    /// Where the tracks are from.
    pub library: &'a Arc<Library>,
    /// Who found them.
    pub matching: &'a Matching,
    /// What counts as found.
    pub policy: Policy,
    /// The playlist's name.
    pub name: &'a str,
    /// What may happen to it.
    pub mode: Mode,
    /// Whether it may lose most of what is in it, or lose anything where few rows were found.
    pub may_shrink: bool,
    /// Few of the rows were found.
    pub is_doubtful: bool,
    /// What was made here before.
    pub made: &'a Made,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// The account's name.
    pub account: Option<&'a str>,
}

/// What is known while it is written.
struct State {
    picks: Vec<Pick>,
    /// What may happen: less than was wished where too much would leave.
    mode: Mode,
    /// What was in it at first.
    before: Vec<String>,
    /// Entries that are known to be in it.
    length: usize,
    /// What was sent without knowing what came of it: it may arrive twice.
    doubted: HashSet<String>,
    /// What did not arrive together with others, and is sent alone.
    alone: HashSet<String>,
    /// Requests that were refused.
    refusals: usize,
    report: AccountReport,
    /// What the account cannot have.
    lost: HashSet<String>,
    /// Tracks that were sent and ought to be seen in the next round.
    sent: Vec<Vec<String>>,
    /// Items that were looked for anew once.
    again: HashSet<String>,
    mishaps: usize,
    /// Items of a request at the most, while one that is refused is sought.
    narrow: Option<usize>,
    checked: HashSet<String>,
    has_written: bool,
}

/// Why it goes no further.
enum Stop {
    Trouble(Trouble),
    Cancelled,
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Desk<'_> {
    /// Brings the account's playlist to what it should be. Returns also what is in it then, as far as it is known.
    pub async fn write(&self, picks: &[Pick]) -> (AccountReport, Vec<String>) {
        let mut state = State {
            picks: picks.to_vec(),
            mode: self.mode,
            before: Vec::new(),
            length: 0,
            doubted: HashSet::new(),
            alone: HashSet::new(),
            refusals: 0,
            report: AccountReport {
                account: self.account.map(str::to_owned),
                standing: Standing::Unchanged,
                ..AccountReport::default()
            },
            lost: HashSet::new(),
            sent: Vec::new(),
            again: HashSet::new(),
            mishaps: 0,
            narrow: None,
            checked: HashSet::new(),
            has_written: false,
        };
        let held = match self.bring(&mut state).await {
            Ok(held) => held,
            Err(Stop::Cancelled) => {
                state.report.standing = Standing::Cancelled;
                Vec::new()
            }
            Err(Stop::Trouble(trouble)) => {
                state.report.standing = Standing::Failed;
                state.report.error = Some(Failure::from(trouble));
                Vec::new()
            }
        };
        let is_lost = |pick: &&Pick| state.lost.contains(&pick.key);
        state.report.not_visible =
            state.picks.iter().filter(is_lost).map(|pick| pick.label.clone()).collect();
        (state.report, held)
    }

    async fn bring(&self, state: &mut State) -> Result<Vec<String>, Stop> {
        let listed = self.find_patiently().await?;
        if state.picks.is_empty() {
            state.report.standing = Standing::NothingFound;
            state.report.length = listed
                .and_then(|listed| listed.length)
                .and_then(|length| usize::try_from(length).ok())
                .unwrap_or(0);
            return Ok(Vec::new());
        }
        let (playlist, mut current) = if let Some(listed) = listed {
            let current = self.read(&listed.id).await?;
            self.check_mode(&current, state)?;
            (listed.id, current)
        } else {
            state.report.is_new = true;
            self.check_visible(&[], state).await?;
            if goal(state.mode, &[], state).is_empty() {
                state.report.standing = Standing::NothingFound;
                state.report.is_new = false;
                return Ok(Vec::new());
            }
            if self.dry_run {
                self.plan(&[], state);
                return Ok(Vec::new());
            }
            self.create(state).await?
        };
        state.report.playlist = Some(playlist.clone());
        if !state.report.is_new {
            let wanted: HashSet<&str> = state.picks.iter().map(|pick| pick.key.as_str()).collect();
            state.report.already = current.iter().filter(|held| wanted.contains(held.key.as_str())).count();
        }
        state.before = if state.report.is_new { Vec::new() } else { keys(&current) };
        for _ in 0..MAX_ROUNDS {
            self.note_arrivals(&current, state).await?;
            self.check_visible(&current, state).await?;
            self.hold_back(state);
            if self.dry_run {
                self.plan(&current, state);
                return Ok(keys(&current));
            }
            let goal = goal(state.mode, &current, state);
            state.length = current.len();
            // What cannot be had must not cost what is there.
            let phase = if goal.is_empty() { Phase::Done } else { self.next(&current, &goal, state) };
            if phase == Phase::Done {
                Self::sum_up(&current, state);
                return Ok(keys(&current));
            }
            self.carry_out(&playlist, phase, &goal, state).await?;
            current = self.read(&playlist).await?;
        }
        Err(Trouble::Unsteady.into())
    }

    /// The playlist of this name, if there is one.
    async fn find(&self) -> Result<Option<Listed>, Stop> {
        let mut named = self.courier.playlists_named(self.name, self.made).await?;
        match named.len() {
            0 | 1 => {}
            _ => return Err(Trouble::SeveralPlaylists.into()),
        }
        match named.pop() {
            Some(listed) if listed.is_smart => Err(Trouble::Smart.into()),
            found => Ok(found),
        }
    }

    async fn read(&self, playlist: &str) -> Result<Vec<Held>, Stop> {
        let mut mishaps = 0;
        loop {
            match self.courier.entries(playlist).await {
                Ok(entries) => return Ok(entries.into_iter().filter_map(held).collect()),
                Err(Trouble::Unreachable | Trouble::Slow | Trouble::Busy | Trouble::Down)
                    if mishaps < MAX_MISHAPS =>
                {
                    mishaps += 1;
                    self.pause().await?;
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }

    /// One that is there may be finished where it was begun from the same rows.
    fn check_mode(&self, current: &[Held], state: &State) -> Result<(), Stop> {
        if self.mode != Mode::Create {
            return Ok(());
        }
        let mut picks = state.picks.iter();
        let is_begun = current.iter().all(|held| picks.any(|pick| pick.key == held.key));
        if is_begun { Ok(()) } else { Err(Trouble::Exists.into()) }
    }

    /// What a restricted account cannot see is not asked for: it would be asked for again in every run.
    async fn check_visible(&self, current: &[Held], state: &mut State) -> Result<(), Stop> {
        if self.courier.is_own() {
            return Ok(());
        }
        let there: HashSet<&str> = current.iter().map(|held| held.key.as_str()).collect();
        let is_open = |pick: &&Pick| {
            !there.contains(pick.key.as_str())
                && !state.checked.contains(&pick.key)
                && !state.lost.contains(&pick.key)
        };
        let open: Vec<String> = state.picks.iter().filter(is_open).map(|pick| pick.key.clone()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let seen: HashSet<String> = self.courier.seen(&open).await?.into_iter().collect();
        for key in open {
            if !seen.contains(&key) {
                state.lost.insert(key.clone());
            }
            state.checked.insert(key);
        }
        Ok(())
    }

    /// What is next. What is only added to stays as it is otherwise.
    fn next(&self, current: &[Held], goal: &[String], state: &State) -> Phase {
        if state.mode != Mode::Append {
            return plan::next(current, goal, self.costs(state));
        }
        // What was sent again because nobody knew of it, and has come twice since.
        let mut seen = HashSet::new();
        let is_twice = |held: &&Held| state.doubted.contains(&held.key) && !seen.insert(held.key.clone());
        let twice: Vec<String> = current.iter().filter(is_twice).map(|held| held.entry.clone()).collect();
        if !twice.is_empty() {
            return Phase::Remove(twice);
        }
        match goal.get(current.len()..) {
            Some(missing) if !missing.is_empty() => Phase::Add(missing.to_vec()),
            _ => Phase::Done,
        }
    }

    fn sum_up(current: &[Held], state: &mut State) {
        let was: HashSet<&str> = state.before.iter().map(String::as_str).collect();
        let report = &mut state.report;
        report.added = current.iter().filter(|held| !was.contains(held.key.as_str())).count();
        report.removed = (state.before.len() + report.added).saturating_sub(current.len());
        report.length = current.len();
        report.standing = if state.has_written { Standing::Written } else { Standing::Unchanged };
    }

    fn costs(&self, state: &State) -> Costs {
        let kind = self.courier.kind();
        let sample: Vec<String> = state.picks.iter().map(|pick| pick.key.clone()).collect();
        let add = if self.habits.takes_one.load(Ordering::Relaxed) {
            1
        } else {
            let fit = kind.fitting(&sample, MAX_QUERY_BYTES, MAX_ITEMS).max(1);
            state.narrow.map_or(fit, |narrow| narrow.min(fit))
        };
        let can_set = state.mode == Mode::Replace
            && !self.habits.sets_none.load(Ordering::Relaxed)
            && sample.len() <= MAX_ITEMS
            && kind.set_playlist("", &[]).is_some();
        Costs { add, remove: kind.fitting_out(&sample, MAX_QUERY_BYTES, MAX_ITEMS).max(1), can_set }
    }
}

/// What the playlist is to hold, given what it holds.
fn goal(mode: Mode, current: &[Held], state: &State) -> Vec<String> {
    let mut seen = HashSet::new();
    let picks = state.picks.iter().map(|pick| &pick.key).filter(|key| !state.lost.contains(*key));
    let picks: Vec<String> = picks.filter(|key| seen.insert(key.as_str())).cloned().collect();
    if mode != Mode::Append {
        return picks;
    }
    // Whatever is there stays as it is, also what is there twice.
    let there: HashSet<&str> = current.iter().map(|held| held.key.as_str()).collect();
    let missing = picks.into_iter().filter(|key| !there.contains(key.as_str()));
    keys(current).into_iter().chain(missing).collect()
}

fn held(entry: Entry) -> Option<Held> {
    Some(Held { entry: entry.entry?, key: entry.key })
}

fn keys(current: &[Held]) -> Vec<String> {
    current.iter().map(|held| held.key.clone()).collect()
}

fn wanted_word(wanted: &Wanted) -> String {
    format!("{}\n{}\n{}\n{:?}", wanted.title, wanted.artist, wanted.album, wanted.ids)
}
