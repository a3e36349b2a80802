//! Live state of the race for the demo's page, and the outage switch of both targets' servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::clock::DemoClock;
use super::live_stats::{TargetStats, TargetStatsView};
use super::outage_switch::{OutageSwitch, SwitchCommand, SwitchError};
use super::phase::DemoPhase;
use super::race_verdict::RaceVerdict;
use super::warmup::AppWarmup;

/// Max concurrent viewers.
const MAX_LOOKING: usize = 16;

/// Live state of the race. All times are real.
#[derive(Debug)]
pub(super) struct LiveView {
    /// Start of this program's demo: tells its page from that of an earlier one on the same port.
    run: u64,
    length: Duration,
    time: DemoClock,
    state: Mutex<LiveViewState>,
    viewers: watch::Sender<usize>,
}

#[derive(Debug)]
struct LiveViewState {
    phase: DemoPhase,
    race: Option<RunningRace>,
    outage_switch: OutageSwitch,
    /// Time of the last change of the switch.
    switched_at: Option<Duration>,
    /// Time without servers in the outages that have ended.
    downtime: Duration,
    apps: AppWarmup,
    gateway: Option<GatewayPage>,
    result: Option<String>,
    evening: Option<String>,
}

/// Both targets, since the race began.
#[derive(Debug)]
struct RunningRace {
    direct: Arc<TargetStats>,
    through: Arc<TargetStats>,
    began: Duration,
}

/// Address of Greenroom's control plane, and how to get its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GatewayPage {
    pub(super) address: SocketAddr,
    /// The command that prints its token.
    pub(super) token_command: String,
}

/// State at one moment: complete, so that a viewer who connects late misses nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LiveViewSnapshot {
    run: u64,
    phase: DemoPhase,
    words: &'static str,
    /// Time since the race began, up to its length.
    elapsed_s: u64,
    length_s: u64,
    plug: OutageSwitchView,
    /// `None` before the race begins, like everything of the race.
    direct: Option<TargetStatsView>,
    through: Option<TargetStatsView>,
    percent_fewer: Option<f64>,
    token_command: Option<String>,
    /// Result of the race, once it is over.
    result: Option<String>,
    /// Result of the scaled evening, once it is over.
    evening: Option<String>,
}

/// State of the outage switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct OutageSwitchView {
    state: OutageSwitch,
    /// Time since the last change.
    since_s: Option<u64>,
    /// Time without servers in all outages.
    downtime_s: u64,
    /// Whether an outage must wait because the apps are still warming up.
    is_waited_for: bool,
}

/// Counts one viewer until dropped.
#[derive(Debug)]
pub(super) struct ViewerGuard {
    live_view: Arc<LiveView>,
}

impl LiveView {
    /// State before a race of this length.
    pub(super) fn new(length: Duration) -> Self {
        let state = LiveViewState {
            phase: DemoPhase::Preparing,
            race: None,
            outage_switch: OutageSwitch::In,
            switched_at: None,
            downtime: Duration::ZERO,
            apps: AppWarmup::default(),
            gateway: None,
            result: None,
            evening: None,
        };
        let time = DemoClock::start(1.0, Duration::ZERO);
        Self { run: Clock::system().now_ms(), length, time, state: Mutex::new(state), viewers: watch::Sender::new(0) }
    }

    /// Begins the race of these targets.
    pub(super) fn begin_race(&self, direct: &Arc<TargetStats>, through: &Arc<TargetStats>) {
        let state = &mut *self.state.lock();
        state.phase = DemoPhase::Race;
        let (direct, through) = (Arc::clone(direct), Arc::clone(through));
        if !state.outage_switch.is_in() {
            direct.take_servers_down();
            through.take_servers_down();
        }
        state.race = Some(RunningRace { direct, through, began: self.time.passed() });
    }

    /// Sets Greenroom's page.
    pub(super) fn set_gateway_page(&self, gateway: GatewayPage) {
        self.state.lock().gateway = Some(gateway);
    }

    /// Address of Greenroom's control plane, once it is there.
    pub(super) fn gateway_address(&self) -> Option<SocketAddr> {
        self.state.lock().gateway.as_ref().map(|gateway| gateway.address)
    }

    /// Figures so far; `None` before the race.
    pub(super) fn verdict(&self) -> Option<RaceVerdict> {
        let state = self.state.lock();
        let race = state.race.as_ref()?;
        Some(RaceVerdict::new(&race.direct.snapshot(), &race.through.snapshot(), state.downtime_at(self.time.passed())))
    }

    /// Ends the race with this result.
    pub(super) fn finish_race(&self, result: String) {
        let mut state = self.state.lock();
        state.result = Some(result);
        state.phase = DemoPhase::Afterwards;
    }

    /// Shows the result of the scaled evening.
    pub(super) fn show_evening(&self, result: String) {
        self.state.lock().evening = Some(result);
    }

    /// Takes the servers of both targets down, on a viewer's request.
    pub(super) fn cut_servers(&self) -> Result<(), SwitchError> {
        self.order(SwitchCommand::Pull)
    }

    /// Restores them, on a viewer's request.
    pub(super) fn restore_servers(&self) -> Result<(), SwitchError> {
        self.order(SwitchCommand::PutBack)
    }

    /// Begins the race's own outage.
    pub(super) fn begin_race_outage(&self) {
        self.state.lock().phase = DemoPhase::Outage;
        self.order(SwitchCommand::Hold).expect("the race is never refused");
    }

    /// Ends it.
    pub(super) fn end_race_outage(&self) {
        self.state.lock().phase = DemoPhase::Race;
        self.order(SwitchCommand::LetGo).expect("the race is never refused");
    }

    fn order(&self, order: SwitchCommand) -> Result<(), SwitchError> {
        let state = &mut *self.state.lock();
        if order == SwitchCommand::Pull && state.are_apps_waking() {
            return Err(SwitchError::AppsWarmingUp);
        }
        let after = state.outage_switch.apply(order)?;
        if after.is_in() != state.outage_switch.is_in() {
            let now = self.time.passed();
            state.downtime = state.downtime_at(now);
            state.switched_at = Some(now);
            if after.is_in() {
                state.apps.servers_return(now);
            }
            for target in state.race.iter().flat_map(|race| [&race.direct, &race.through]) {
                if after.is_in() { target.restore_servers() } else { target.take_servers_down() }
            }
        }
        state.outage_switch = after;
        Ok(())
    }

    /// Current state.
    pub(super) fn snapshot(&self) -> LiveViewSnapshot {
        let state = self.state.lock();
        let now = self.time.passed();
        let (direct, through) =
            state.race.as_ref().map(|race| (race.direct.snapshot(), race.through.snapshot())).unzip();
        let downtime = state.downtime_at(now);
        let verdict = direct.as_ref().zip(through.as_ref()).map(|(one, other)| RaceVerdict::new(one, other, downtime));
        let elapsed = state.race.as_ref().map_or(Duration::ZERO, |race| now.saturating_sub(race.began));
        LiveViewSnapshot {
            run: self.run,
            phase: state.phase,
            words: state.phase.description(),
            elapsed_s: elapsed.min(self.length).as_secs(),
            length_s: self.length.as_secs(),
            plug: OutageSwitchView {
                state: state.outage_switch,
                since_s: state.switched_at.map(|since| now.saturating_sub(since).as_secs()),
                downtime_s: downtime.as_secs(),
                is_waited_for: state.are_apps_waking(),
            },
            direct,
            through,
            percent_fewer: verdict.and_then(|verdict| verdict.percent_fewer()),
            token_command: state.gateway.as_ref().map(|gateway| gateway.token_command.clone()),
            result: state.result.clone(),
            evening: state.evening.clone(),
        }
    }

    /// Waits for a viewer.
    pub(super) async fn wait_for_viewer(&self) {
        // The sender lives as long as `self`, so this ends only with a viewer.
        let _ = self.viewers.subscribe().wait_for(|looking| *looking > 0).await;
    }

    /// Begins a round of reads by the apps of both targets. Returns the current time.
    pub(super) fn begin_round(&self) -> Duration {
        let now = self.time.passed();
        self.state.lock().apps.begin_round(now);
        now
    }

    /// Ends the round that began at `began`.
    pub(super) fn end_round(&self, began: Duration) {
        let now = self.time.passed();
        let state = &mut *self.state.lock();
        let servers_since = state.outage_switch.is_in().then(|| state.switched_at.unwrap_or(Duration::ZERO));
        state.apps.end_round((began, now), servers_since);
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
    /// Whether the servers are up and an outage must wait. Not during the race: then every app is active.
    fn are_apps_waking(&self) -> bool {
        self.phase == DemoPhase::Afterwards && self.outage_switch.is_in() && !self.apps.is_awake()
    }

    /// Time without servers in all outages, the current one included.
    fn downtime_at(&self, now: Duration) -> Duration {
        let current = match self.switched_at {
            Some(since) if !self.outage_switch.is_in() => now.saturating_sub(since),
            _ => Duration::ZERO,
        };
        self.downtime + current
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

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::super::DemoPlan;
    use super::super::servers::DemoServers;
    use super::*;

    const LENGTH: Duration = Duration::from_secs(90);

    async fn target() -> Arc<TargetStats> {
        let started = DemoServers::start(&DemoPlan::SMALLEST, &TaskTracker::new()).await;
        Arc::new(TargetStats::new(started.expect("there are free ports")))
    }

    async fn race() -> Arc<LiveView> {
        let view = Arc::new(LiveView::new(LENGTH));
        view.begin_race(&target().await, &target().await);
        view
    }

    /// Whether the servers are down, for each target.
    fn down(view: &LiveView) -> [bool; 2] {
        let shown = view.snapshot();
        [shown.direct, shown.through].map(|target| target.expect("the race has begun").is_down())
    }

    #[tokio::test]
    async fn the_plug_takes_both_sides_down_and_brings_both_back() {
        let view = race().await;
        assert_eq!(down(&view), [false, false]);
        view.cut_servers().expect("the race allows it");
        assert_eq!(down(&view), [true, true]);
        assert_eq!(view.snapshot().plug.state, OutageSwitch::Pulled);
        view.restore_servers().expect("the race allows it");
        assert_eq!(down(&view), [false, false]);
    }

    #[tokio::test]
    async fn a_plug_that_was_pulled_before_is_in_after_the_races_own_outage() {
        let view = race().await;
        view.cut_servers().expect("the race allows it");
        view.begin_race_outage();
        assert_eq!(view.restore_servers(), Err(SwitchError::Held));
        assert_eq!(view.snapshot().phase, DemoPhase::Outage);
        view.end_race_outage();
        assert_eq!(view.snapshot().plug.state, OutageSwitch::In);
        view.finish_race("It is over.".into());
        assert_eq!(view.cut_servers(), Err(SwitchError::AppsWarmingUp));
        assert!(view.snapshot().plug.is_waited_for);
    }

    #[tokio::test]
    async fn apps_that_have_just_read_need_no_warm_up_when_the_race_is_over() {
        let view = race().await;
        let later = view.begin_round() + Duration::from_secs(20);
        view.state.lock().apps.end_round((later, later), Some(Duration::ZERO));
        view.finish_race("It is over.".into());
        view.cut_servers().expect("the apps are awake");
    }

    #[tokio::test]
    async fn a_race_that_begins_without_servers_begins_in_an_outage() {
        let view = Arc::new(LiveView::new(LENGTH));
        assert_eq!(view.snapshot().direct, None);
        assert_eq!(view.verdict(), None);
        view.cut_servers().expect("nothing runs yet");
        view.begin_race(&target().await, &target().await);
        assert_eq!(down(&view), [true, true]);
        view.restore_servers().expect("the race allows it");
        assert_eq!(down(&view), [false, false]);
    }

    #[tokio::test]
    async fn only_so_many_look_and_whoever_leaves_makes_room() {
        let view = Arc::new(LiveView::new(LENGTH));
        let mut looking: Vec<ViewerGuard> = (0..MAX_LOOKING).filter_map(|_| view.add_viewer()).collect();
        assert_eq!(looking.len(), MAX_LOOKING);
        assert!(view.add_viewer().is_none());
        looking.pop();
        assert!(view.add_viewer().is_some());
    }
}
