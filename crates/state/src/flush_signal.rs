//! Wakes the state writer, and reports its progress to waiting tasks.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// Links tasks with changes that must not be lost to the writer.
#[derive(Debug)]
pub struct FlushSignal {
    state: Mutex<SignalState>,
    woken: Condvar,
    /// Tickets up to this one are flushed.
    done: watch::Sender<u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct SignalState {
    ticket: u64,
    heard: u64,
    is_closing: bool,
    /// Changes are pending that can wait for more.
    has_news: bool,
}

/// Max sleep of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SleepMode {
    /// None: changes must be flushed now.
    None,
    /// The gathering time, in which further changes may join.
    Gathering,
    /// Until it is woken, or the next periodic check is due.
    Idle,
}

impl SignalState {
    fn sleep_mode(self) -> SleepMode {
        if self.ticket != self.heard || self.is_closing {
            SleepMode::None
        } else if self.has_news {
            SleepMode::Gathering
        } else {
            SleepMode::Idle
        }
    }
}

/// Reason why the writer was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WakeReason {
    /// Requests up to this ticket must be flushed now.
    pub ticket: u64,
    /// Whether this is the last time.
    pub is_last: bool,
}

impl Default for FlushSignal {
    fn default() -> Self {
        Self { state: Mutex::default(), woken: Condvar::new(), done: watch::Sender::new(0) }
    }
}

impl FlushSignal {
    /// Requests a flush. Returns the ticket to wait for.
    pub fn request_flush(&self) -> u64 {
        let mut rung = self.state.lock();
        rung.ticket += 1;
        self.woken.notify_one();
        rung.ticket
    }

    /// Marks changes that are written together with later ones.
    pub fn mark_dirty(&self) {
        let mut rung = self.state.lock();
        // Wakes once: later changes within the gathering time do not wake it again.
        if !std::mem::replace(&mut rung.has_news, true) {
            self.woken.notify_one();
        }
    }

    /// Wakes it for the last time.
    pub fn close(&self) {
        self.state.lock().is_closing = true;
        self.woken.notify_one();
    }

    /// Waits to be woken, for `longest` at most; once changes are pending, for `gathering`.
    pub fn wait(&self, gathering: Duration, longest: Duration) -> WakeReason {
        let mut rung = self.state.lock();
        loop {
            let most = match rung.sleep_mode() {
                SleepMode::None => break,
                SleepMode::Gathering => gathering,
                SleepMode::Idle => longest,
            };
            if self.woken.wait_for(&mut rung, most).timed_out() {
                break;
            }
        }
        rung.has_news = false;
        rung.heard = rung.ticket;
        WakeReason { ticket: rung.ticket, is_last: rung.is_closing }
    }

    /// Reports the last flushed ticket.
    pub fn report_done(&self, ticket: u64) {
        self.done.send_if_modified(|done| {
            let is_news = ticket > *done;
            *done = ticket.max(*done);
            is_news
        });
    }

    /// The last requested ticket.
    pub fn last_ticket(&self) -> u64 {
        self.state.lock().ticket
    }

    /// Whether a requested flush is not done yet.
    pub fn has_pending(&self) -> bool {
        *self.done.borrow() < self.last_ticket()
    }

    /// Waits until this ticket is flushed.
    pub async fn wait_done(&self, ticket: u64) {
        // The sender lives as long as `self`.
        drop(self.done.subscribe().wait_for(|done| *done >= ticket).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn the_keeper_sleeps_while_nothing_is_rung_gathers_what_is_news_and_hurries_only_when_rung_for() {
        let bell = FlushSignal::default();
        let rest = || bell.state.lock().sleep_mode();
        assert_eq!(rest(), SleepMode::Idle);
        bell.mark_dirty();
        bell.mark_dirty();
        assert_eq!(rest(), SleepMode::Gathering);
        let call = bell.wait(Duration::ZERO, LONG);
        assert_eq!((call, rest()), (WakeReason { ticket: 0, is_last: false }, SleepMode::Idle), "it sleeps again");
        bell.mark_dirty();
        bell.request_flush();
        assert_eq!(rest(), SleepMode::None);
        let call = bell.wait(LONG, LONG);
        assert_eq!(
            (call, rest()),
            (WakeReason { ticket: 1, is_last: false }, SleepMode::Idle),
            "the news went with it"
        );
        bell.close();
        assert_eq!(bell.wait(LONG, LONG), WakeReason { ticket: 1, is_last: true });
    }

    #[test]
    fn a_keeper_that_sleeps_is_woken_by_news_and_by_whoever_rings() {
        let bell = FlushSignal::default();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| bell.wait(Duration::ZERO, LONG));
            bell.mark_dirty();
            assert_eq!(sleeper.join().expect("it wakes").ticket, 0);
            let sleeper = scope.spawn(|| bell.wait(LONG, LONG));
            bell.mark_dirty();
            bell.request_flush();
            assert_eq!(sleeper.join().expect("it wakes").ticket, 1);
        });
    }
}
