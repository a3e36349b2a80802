//! The board: what the demo's page shows of both ways at this moment, and the plug of their servers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::Plan;
use super::column::{Column, ColumnShown};
use super::pace::Pace;
use super::phase::Phase;
use super::plug::{NotNow, Order, Plug};
use super::waking::Waking;

/// Pages that may look at a time.
const MAX_LOOKING: usize = 16;
/// The evening begins at half past seven.
const BEGINS_AT_MINUTE: u64 = 19 * 60 + 30;
const MINUTES_OF_A_DAY: u64 = 24 * 60;

/// What is shown.
#[derive(Debug)]
pub(super) struct Board {
    minutes: u32,
    /// The whole demo's time; each evening's clock begins anew.
    time: Pace,
    told: Mutex<Told>,
    looking: watch::Sender<usize>,
}

#[derive(Debug)]
struct Told {
    phase: Phase,
    /// The time the evening that is played, or was played last, runs by.
    evening: Pace,
    direct: Option<Arc<Column>>,
    through: Option<Arc<Column>>,
    plug: Plug,
    plug_since: Option<Since>,
    apps: Waking,
    /// How often somebody at the page pulled it before the evenings were over.
    pulled_in_the_evening: u32,
    greenroom: Option<Greenroom>,
    outcome: Option<String>,
}

/// Since when something is so.
#[derive(Debug, Clone)]
struct Since {
    /// What the evening's clock said.
    clock: String,
    /// How much of the demo had passed.
    passed: Duration,
}

/// Where Greenroom's own page is found, and what lets in there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Greenroom {
    pub(super) page: String,
    /// The command that prints its token.
    pub(super) token_command: String,
}

/// The board at one moment: whole, so that whoever comes late or comes again misses nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Shown {
    phase: Phase,
    words: &'static str,
    /// What the evening's clock says.
    clock: String,
    minute: u64,
    minutes: u32,
    time_factor: f64,
    plug: PlugShown,
    /// Nothing before its evening begins.
    direct: Option<ColumnShown>,
    through: Option<ColumnShown>,
    greenroom: Option<Greenroom>,
    outcome: Option<String>,
}

/// The plug at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct PlugShown {
    state: Plug,
    /// Since when, on the evening's clock.
    since: Option<String>,
    since_s: Option<u64>,
    /// Whether it may not be pulled yet, since the apps are only waking up.
    is_waited_for: bool,
}

/// Somebody who looks, as long as it is held.
#[derive(Debug)]
pub(super) struct Looking {
    board: Arc<Board>,
}

impl Board {
    /// Nothing has begun.
    pub(super) fn new(plan: &Plan) -> Self {
        let time = Pace::begin(plan.time_factor, Duration::ZERO);
        let told = Told {
            phase: Phase::Preparing,
            evening: time.clone(),
            direct: None,
            through: None,
            plug: Plug::In,
            plug_since: None,
            apps: Waking::default(),
            pulled_in_the_evening: 0,
            greenroom: None,
            outcome: None,
        };
        Self { minutes: plan.minutes, time, told: Mutex::new(told), looking: watch::Sender::new(0) }
    }

    /// From now on it is this far.
    pub(super) fn turn_to(&self, phase: Phase) {
        self.told.lock().phase = phase;
    }

    /// The evening begins whose apps ask the servers.
    pub(super) fn begin_direct(&self, column: &Arc<Column>, evening: &Pace) {
        let mut told = self.told.lock();
        told.direct = Some(Arc::clone(column));
        told.begin(Phase::DirectEvening, column, evening);
    }

    /// The evening begins whose apps ask Greenroom.
    pub(super) fn begin_through(&self, column: &Arc<Column>, evening: &Pace) {
        let mut told = self.told.lock();
        told.through = Some(Arc::clone(column));
        told.begin(Phase::ThroughEvening, column, evening);
    }

    /// From now on Greenroom is found there; nowhere, while it is started again.
    pub(super) fn place_greenroom(&self, greenroom: Option<Greenroom>) {
        self.told.lock().greenroom = greenroom;
    }

    /// The evenings are over: this came of them.
    pub(super) fn conclude(&self, outcome: String) {
        let mut told = self.told.lock();
        told.outcome = Some(outcome);
        told.phase = Phase::Afterwards;
    }

    /// How often somebody at the page pulled the plug before the evenings were over.
    pub(super) fn pulled_in_the_evening(&self) -> u32 {
        self.told.lock().pulled_in_the_evening
    }

    /// Somebody at the page pulls the plug of both sides' servers.
    pub(super) fn pull_plug(&self) -> Result<(), NotNow> {
        self.order(Order::Pull)
    }

    /// Somebody at the page puts it back in.
    pub(super) fn put_plug_back(&self) -> Result<(), NotNow> {
        self.order(Order::PutBack)
    }

    /// The evening pulls it for its minute, in this phase.
    pub(super) fn hold_plug(&self, phase: Phase) {
        self.turn_to(phase);
        self.order(Order::Hold).expect("the evening is never refused");
    }

    /// That minute is over.
    pub(super) fn let_go_of_plug(&self) {
        self.order(Order::LetGo).expect("the evening is never refused");
    }

    fn order(&self, order: Order) -> Result<(), NotNow> {
        let mut told = self.told.lock();
        if order == Order::Pull && told.are_apps_waking() {
            return Err(NotNow::AppsWake);
        }
        let after = told.plug.after(order)?;
        if after == Plug::Pulled && told.plug == Plug::In && told.phase != Phase::Afterwards {
            told.pulled_in_the_evening += 1;
        }
        if after.is_in() != told.plug.is_in() {
            let clock = clock(told.evening.passed());
            let passed = self.time.passed();
            told.plug_since = Some(Since { clock, passed });
            if after.is_in() {
                told.apps.servers_return(passed);
            }
            for column in told.direct.iter().chain(&told.through) {
                if after.is_in() { column.restore() } else { column.cut() }
            }
        }
        told.plug = after;
        Ok(())
    }

    /// What is to be seen now.
    pub(super) fn shown(&self) -> Shown {
        let told = self.told.lock();
        let passed = told.evening.passed();
        let since_s = |since: &Since| self.time.passed().saturating_sub(since.passed).as_secs();
        Shown {
            phase: told.phase,
            words: told.phase.words(),
            clock: clock(passed),
            minute: passed.as_secs() / 60,
            minutes: self.minutes,
            time_factor: self.time.factor(),
            plug: PlugShown {
                state: told.plug,
                since: told.plug_since.as_ref().map(|since| since.clock.clone()),
                since_s: told.plug_since.as_ref().map(since_s),
                is_waited_for: told.are_apps_waking(),
            },
            direct: told.direct.as_ref().map(|column| column.shown()),
            through: told.through.as_ref().map(|column| column.shown()),
            greenroom: told.greenroom.clone(),
            outcome: told.outcome.clone(),
        }
    }

    /// Waits until somebody looks.
    pub(super) async fn somebody_looks(&self) {
        // The sender lives as long as `self`, so this ends only by somebody who looks.
        let _ = self.looking.subscribe().wait_for(|looking| *looking > 0).await;
    }

    /// The apps of both sides begin to read for a minute. Tells when.
    pub(super) fn begin_round(&self) -> Duration {
        let now = self.time.passed();
        self.told.lock().apps.begin_round(now);
        now
    }

    /// They have, since `began`.
    pub(super) fn end_round(&self, began: Duration) {
        let now = self.time.passed();
        let told = &mut *self.told.lock();
        let servers_since =
            told.plug.is_in().then(|| told.plug_since.as_ref().map_or(Duration::ZERO, |since| since.passed));
        told.apps.end_round((began, now), servers_since);
    }

    /// Whether the servers of both sides can be reached.
    #[cfg(test)]
    pub(super) fn plug_is_in(&self) -> bool {
        self.told.lock().plug.is_in()
    }

    /// A place to look from; none if too many do.
    pub(super) fn look(self: &Arc<Self>) -> Option<Looking> {
        let is_free = self.looking.send_if_modified(|looking| {
            let is_free = *looking < MAX_LOOKING;
            *looking += usize::from(is_free);
            is_free
        });
        is_free.then(|| Looking { board: Arc::clone(self) })
    }
}

impl Told {
    /// Whether the plug is in and may not be pulled yet. In the evening it may: then the apps do what they do there.
    fn are_apps_waking(&self) -> bool {
        self.phase == Phase::Afterwards && self.plug.is_in() && !self.apps.is_awake()
    }

    fn begin(&mut self, phase: Phase, column: &Column, evening: &Pace) {
        self.phase = phase;
        self.evening = evening.clone();
        if self.plug.is_in() {
            self.plug_since = None;
        } else {
            column.cut();
            // Said by the clock of this evening.
            self.plug_since.iter_mut().for_each(|since| since.clock = clock(Duration::ZERO));
        }
    }
}

impl Looking {
    /// What is to be seen.
    pub(super) fn board(&self) -> &Board {
        &self.board
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.board.looking.send_modify(|looking| *looking -= 1);
    }
}

/// What a clock on the wall says when so much of the evening has passed.
fn clock(passed: Duration) -> String {
    let minute = (BEGINS_AT_MINUTE + passed.as_secs() / 60) % MINUTES_OF_A_DAY;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::super::servers::Servers;
    use super::*;

    async fn column() -> Arc<Column> {
        let started = Servers::start(&Plan::SMALLEST, &TaskTracker::new()).await;
        Arc::new(Column::new(started.expect("there are free ports")))
    }

    async fn board() -> Arc<Board> {
        let board = Arc::new(Board::new(&Plan::SMALLEST));
        board.begin_direct(&column().await, &board.time);
        board.begin_through(&column().await, &board.time);
        board
    }

    /// Whether the servers are down, on each side.
    fn down(board: &Board) -> [bool; 2] {
        let shown = board.shown();
        [shown.direct, shown.through].map(|column| column.expect("its evening has begun").is_dark())
    }

    /// Lets a minute of reading go by until the apps are awake.
    async fn rounds(board: &Board) {
        while board.shown().plug.is_waited_for {
            let began = board.begin_round();
            board.time.rest(Duration::from_secs(60)).await;
            board.end_round(began);
        }
    }

    #[test]
    fn the_clock_goes_on_after_midnight() {
        let minutes = |minutes: u64| clock(Duration::from_secs(minutes * 60 + 59));
        assert_eq!([minutes(0), minutes(30), minutes(270)], ["19:30", "20:00", "00:00"]);
    }

    #[tokio::test]
    async fn the_plug_takes_both_sides_down_and_brings_both_back() {
        let board = board().await;
        assert_eq!(down(&board), [false, false]);
        board.pull_plug().expect("nobody holds it");
        assert_eq!(down(&board), [true, true]);
        assert_eq!(board.shown().plug.state, Plug::Pulled);
        board.put_plug_back().expect("nobody holds it");
        assert_eq!(down(&board), [false, false]);
        assert_eq!(board.pulled_in_the_evening(), 1);
    }

    #[tokio::test]
    async fn a_plug_that_was_pulled_before_is_in_after_the_measured_minute() {
        let board = board().await;
        board.pull_plug().expect("nobody holds it");
        board.hold_plug(Phase::ThroughOutage);
        assert_eq!(board.put_plug_back(), Err(NotNow::Held));
        assert_eq!(board.shown().phase, Phase::ThroughOutage);
        board.let_go_of_plug();
        assert_eq!(board.shown().plug.state, Plug::In);
        board.conclude("It is over.".into());
        assert_eq!(board.pull_plug(), Err(NotNow::AppsWake));
        assert!(board.shown().plug.is_waited_for);
        rounds(&board).await;
        assert!(!board.shown().plug.is_waited_for);
        board.pull_plug().expect("nobody holds it");
        assert_eq!(board.pulled_in_the_evening(), 1, "what is done afterwards changes no figure");
    }

    #[tokio::test]
    async fn an_evening_that_begins_without_servers_begins_in_the_dark() {
        let board = Arc::new(Board::new(&Plan::SMALLEST));
        assert_eq!(board.shown().direct, None);
        board.begin_direct(&column().await, &board.time);
        board.pull_plug().expect("nobody holds it");
        board.begin_through(&column().await, &Pace::begin(1.0, Duration::ZERO));
        assert_eq!(down(&board), [true, true]);
        assert_eq!(board.shown().plug.since.as_deref(), Some("19:30"));
        board.put_plug_back().expect("nobody holds it");
        assert_eq!(down(&board), [false, false]);
    }

    #[tokio::test]
    async fn only_so_many_look_and_whoever_leaves_makes_room() {
        let board = Arc::new(Board::new(&Plan::SMALLEST));
        let mut looking: Vec<Looking> = (0..MAX_LOOKING).filter_map(|_| board.look()).collect();
        assert_eq!(looking.len(), MAX_LOOKING);
        assert!(board.look().is_none());
        looking.pop();
        assert!(board.look().is_some());
    }
}
