//! Live state of both targets for the demo's page, and the outage switch of their servers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::DemoPlan;
use super::clock::DemoClock;
use super::live_stats::{TargetStats, TargetStatsView};
use super::outage_switch::{OutageSwitch, SwitchCommand, SwitchError};
use super::phase::DemoPhase;
use super::warmup::AppWarmup;

/// Max concurrent viewers.
const MAX_LOOKING: usize = 16;
/// The evening begins at half past seven.
const BEGINS_AT_MINUTE: u64 = 19 * 60 + 30;
const MINUTES_OF_A_DAY: u64 = 24 * 60;

/// Live state of the demo.
#[derive(Debug)]
pub(super) struct LiveView {
    minutes: u32,
    /// Clock of the whole demo; each evening's clock starts at zero.
    time: DemoClock,
    state: Mutex<LiveViewState>,
    viewers: watch::Sender<usize>,
}

#[derive(Debug)]
struct LiveViewState {
    phase: DemoPhase,
    /// Clock of the current or the last evening.
    evening: DemoClock,
    direct: Option<Arc<TargetStats>>,
    through: Option<Arc<TargetStats>>,
    outage_switch: OutageSwitch,
    switched_at: Option<ChangeTime>,
    apps: AppWarmup,
    /// Outages caused at the page before the evenings were over.
    pulled_in_the_evening: u32,
    greenroom: Option<GatewayPage>,
    outcome: Option<String>,
}

/// Time of a change.
#[derive(Debug, Clone)]
struct ChangeTime {
    /// Time of day on the evening's clock.
    clock: String,
    /// Elapsed time of the demo.
    passed: Duration,
}

/// Address of Greenroom's own page, and how to get its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct GatewayPage {
    pub(super) page: String,
    /// The command that prints its token.
    pub(super) token_command: String,
}

/// State at one moment: complete, so that a viewer who connects late misses nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LiveViewSnapshot {
    phase: DemoPhase,
    words: &'static str,
    /// Time of day on the evening's clock.
    clock: String,
    minute: u64,
    minutes: u32,
    time_factor: f64,
    plug: OutageSwitchView,
    /// `None` before its evening begins.
    direct: Option<TargetStatsView>,
    through: Option<TargetStatsView>,
    greenroom: Option<GatewayPage>,
    outcome: Option<String>,
}

/// State of the outage switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct OutageSwitchView {
    state: OutageSwitch,
    /// Time of the last change, on the evening's clock.
    since: Option<String>,
    since_s: Option<u64>,
    /// Whether an outage must wait because the apps are still warming up.
    is_waited_for: bool,
}

/// Counts one viewer until dropped.
#[derive(Debug)]
pub(super) struct ViewerGuard {
    live_view: Arc<LiveView>,
}

impl LiveView {
    /// State before anything has begun.
    pub(super) fn new(plan: &DemoPlan) -> Self {
        let time = DemoClock::start(plan.time_factor, Duration::ZERO);
        let told = LiveViewState {
            phase: DemoPhase::Preparing,
            evening: time.clone(),
            direct: None,
            through: None,
            outage_switch: OutageSwitch::In,
            switched_at: None,
            apps: AppWarmup::default(),
            pulled_in_the_evening: 0,
            greenroom: None,
            outcome: None,
        };
        Self { minutes: plan.minutes, time, state: Mutex::new(told), viewers: watch::Sender::new(0) }
    }

    /// Sets the phase.
    pub(super) fn set_phase(&self, phase: DemoPhase) {
        self.state.lock().phase = phase;
    }

    /// Begins the evening with the apps pointed at the servers.
    pub(super) fn begin_direct(&self, column: &Arc<TargetStats>, evening: &DemoClock) {
        let mut told = self.state.lock();
        told.direct = Some(Arc::clone(column));
        told.begin(DemoPhase::DirectEvening, column, evening);
    }

    /// Begins the evening with the apps pointed at Greenroom.
    pub(super) fn begin_through(&self, column: &Arc<TargetStats>, evening: &DemoClock) {
        let mut told = self.state.lock();
        told.through = Some(Arc::clone(column));
        told.begin(DemoPhase::ThroughEvening, column, evening);
    }

    /// Sets Greenroom's page; `None` during its restart.
    pub(super) fn set_gateway_page(&self, greenroom: Option<GatewayPage>) {
        self.state.lock().greenroom = greenroom;
    }

    /// Ends the evenings with this result.
    pub(super) fn finish(&self, outcome: String) {
        let mut told = self.state.lock();
        told.outcome = Some(outcome);
        told.phase = DemoPhase::Afterwards;
    }

    /// Outages caused at the page before the evenings were over.
    pub(super) fn manual_outages(&self) -> u32 {
        self.state.lock().pulled_in_the_evening
    }

    /// Takes the servers of both targets down, on a viewer's request.
    pub(super) fn cut_servers(&self) -> Result<(), SwitchError> {
        self.order(SwitchCommand::Pull)
    }

    /// Restores them, on a viewer's request.
    pub(super) fn restore_servers(&self) -> Result<(), SwitchError> {
        self.order(SwitchCommand::PutBack)
    }

    /// Begins the measured outage of this phase.
    pub(super) fn begin_measured_outage(&self, phase: DemoPhase) {
        self.set_phase(phase);
        self.order(SwitchCommand::Hold).expect("the evening is never refused");
    }

    /// Ends the measured outage.
    pub(super) fn end_measured_outage(&self) {
        self.order(SwitchCommand::LetGo).expect("the evening is never refused");
    }

    fn order(&self, order: SwitchCommand) -> Result<(), SwitchError> {
        let mut told = self.state.lock();
        if order == SwitchCommand::Pull && told.are_apps_waking() {
            return Err(SwitchError::AppsWarmingUp);
        }
        let after = told.outage_switch.apply(order)?;
        if after == OutageSwitch::Pulled
            && told.outage_switch == OutageSwitch::In
            && told.phase != DemoPhase::Afterwards
        {
            told.pulled_in_the_evening += 1;
        }
        if after.is_in() != told.outage_switch.is_in() {
            let clock = clock(told.evening.passed());
            let passed = self.time.passed();
            told.switched_at = Some(ChangeTime { clock, passed });
            if after.is_in() {
                told.apps.servers_return(passed);
            }
            for column in told.direct.iter().chain(&told.through) {
                if after.is_in() { column.restore_servers() } else { column.take_servers_down() }
            }
        }
        told.outage_switch = after;
        Ok(())
    }

    /// Current state.
    pub(super) fn snapshot(&self) -> LiveViewSnapshot {
        let told = self.state.lock();
        let passed = told.evening.passed();
        let since_s = |since: &ChangeTime| self.time.passed().saturating_sub(since.passed).as_secs();
        LiveViewSnapshot {
            phase: told.phase,
            words: told.phase.description(),
            clock: clock(passed),
            minute: passed.as_secs() / 60,
            minutes: self.minutes,
            time_factor: self.time.factor(),
            plug: OutageSwitchView {
                state: told.outage_switch,
                since: told.switched_at.as_ref().map(|since| since.clock.clone()),
                since_s: told.switched_at.as_ref().map(since_s),
                is_waited_for: told.are_apps_waking(),
            },
            direct: told.direct.as_ref().map(|column| column.snapshot()),
            through: told.through.as_ref().map(|column| column.snapshot()),
            greenroom: told.greenroom.clone(),
            outcome: told.outcome.clone(),
        }
    }

    /// Waits for a viewer.
    pub(super) async fn wait_for_viewer(&self) {
        // The sender lives as long as `self`, so this ends only with a viewer.
        let _ = self.viewers.subscribe().wait_for(|looking| *looking > 0).await;
    }

    /// Begins a minute of reads by the apps of both targets. Returns the current time.
    pub(super) fn begin_round(&self) -> Duration {
        let now = self.time.passed();
        self.state.lock().apps.begin_round(now);
        now
    }

    /// Ends the round that began at `began`.
    pub(super) fn end_round(&self, began: Duration) {
        let now = self.time.passed();
        let told = &mut *self.state.lock();
        let servers_since =
            told.outage_switch.is_in().then(|| told.switched_at.as_ref().map_or(Duration::ZERO, |since| since.passed));
        told.apps.end_round((began, now), servers_since);
    }

    /// Whether the servers of both targets are up.
    #[cfg(test)]
    pub(super) fn are_servers_up(&self) -> bool {
        self.state.lock().outage_switch.is_in()
    }

    /// Adds a viewer; `None` above the limit.
    pub(super) fn add_viewer(self: &Arc<Self>) -> Option<ViewerGuard> {
        let is_free = self.viewers.send_if_modified(|looking| {
            let is_free = *looking < MAX_LOOKING;
            *looking += usize::from(is_free);
            is_free
        });
        is_free.then(|| ViewerGuard { live_view: Arc::clone(self) })
    }
}

impl LiveViewState {
    /// Whether the servers are up and an outage must wait. Not during the evening: then the apps are active anyway.
    fn are_apps_waking(&self) -> bool {
        self.phase == DemoPhase::Afterwards && self.outage_switch.is_in() && !self.apps.is_awake()
    }

    fn begin(&mut self, phase: DemoPhase, column: &TargetStats, evening: &DemoClock) {
        self.phase = phase;
        self.evening = evening.clone();
        if self.outage_switch.is_in() {
            self.switched_at = None;
        } else {
            column.take_servers_down();
            // On the clock of this evening.
            self.switched_at.iter_mut().for_each(|since| since.clock = clock(Duration::ZERO));
        }
    }
}

impl ViewerGuard {
    /// The live state.
    pub(super) fn view(&self) -> &LiveView {
        &self.live_view
    }
}

impl Drop for ViewerGuard {
    fn drop(&mut self) {
        self.live_view.viewers.send_modify(|looking| *looking -= 1);
    }
}

/// Time of day at this elapsed time of the evening.
fn clock(passed: Duration) -> String {
    let minute = (BEGINS_AT_MINUTE + passed.as_secs() / 60) % MINUTES_OF_A_DAY;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::super::servers::DemoServers;
    use super::*;

    async fn column() -> Arc<TargetStats> {
        let started = DemoServers::start(&DemoPlan::SMALLEST, &TaskTracker::new()).await;
        Arc::new(TargetStats::new(started.expect("there are free ports")))
    }

    async fn board() -> Arc<LiveView> {
        let board = Arc::new(LiveView::new(&DemoPlan::SMALLEST));
        board.begin_direct(&column().await, &board.time);
        board.begin_through(&column().await, &board.time);
        board
    }

    /// Whether the servers are down, for each target.
    fn down(board: &LiveView) -> [bool; 2] {
        let shown = board.snapshot();
        [shown.direct, shown.through].map(|column| column.expect("its evening has begun").is_down())
    }

    /// Plays rounds of reads until the apps are warm.
    async fn rounds(board: &LiveView) {
        while board.snapshot().plug.is_waited_for {
            let began = board.begin_round();
            board.time.sleep(Duration::from_secs(60)).await;
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
        board.cut_servers().expect("no other reference is left");
        assert_eq!(down(&board), [true, true]);
        assert_eq!(board.snapshot().plug.state, OutageSwitch::Pulled);
        board.restore_servers().expect("no other reference is left");
        assert_eq!(down(&board), [false, false]);
        assert_eq!(board.manual_outages(), 1);
    }

    #[tokio::test]
    async fn a_plug_that_was_pulled_before_is_in_after_the_measured_minute() {
        let board = board().await;
        board.cut_servers().expect("no other reference is left");
        board.begin_measured_outage(DemoPhase::ThroughOutage);
        assert_eq!(board.restore_servers(), Err(SwitchError::Held));
        assert_eq!(board.snapshot().phase, DemoPhase::ThroughOutage);
        board.end_measured_outage();
        assert_eq!(board.snapshot().plug.state, OutageSwitch::In);
        board.finish("It is over.".into());
        assert_eq!(board.cut_servers(), Err(SwitchError::AppsWarmingUp));
        assert!(board.snapshot().plug.is_waited_for);
        rounds(&board).await;
        assert!(!board.snapshot().plug.is_waited_for);
        board.cut_servers().expect("no other reference is left");
        assert_eq!(board.manual_outages(), 1, "what is done afterwards changes no figure");
    }

    #[tokio::test]
    async fn an_evening_that_begins_without_servers_begins_in_the_dark() {
        let board = Arc::new(LiveView::new(&DemoPlan::SMALLEST));
        assert_eq!(board.snapshot().direct, None);
        board.begin_direct(&column().await, &board.time);
        board.cut_servers().expect("no other reference is left");
        board.begin_through(&column().await, &DemoClock::start(1.0, Duration::ZERO));
        assert_eq!(down(&board), [true, true]);
        assert_eq!(board.snapshot().plug.since.as_deref(), Some("19:30"));
        board.restore_servers().expect("no other reference is left");
        assert_eq!(down(&board), [false, false]);
    }

    #[tokio::test]
    async fn only_so_many_look_and_whoever_leaves_makes_room() {
        let board = Arc::new(LiveView::new(&DemoPlan::SMALLEST));
        let mut looking: Vec<ViewerGuard> = (0..MAX_LOOKING).filter_map(|_| board.add_viewer()).collect();
        assert_eq!(looking.len(), MAX_LOOKING);
        assert!(board.add_viewer().is_none());
        looking.pop();
        assert!(board.add_viewer().is_some());
    }
}
