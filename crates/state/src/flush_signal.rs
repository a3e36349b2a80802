//! What wakes the keeper, and tells others how far it is.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// Between those who have something that must not be lost, and the one who writes it down.
#[derive(Debug)]
pub struct Bell {
    rung: Mutex<Rung>,
    woken: Condvar,
    /// What was rung for up to this ticket is written.
    done: watch::Sender<u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Rung {
    ticket: u64,
    heard: u64,
    is_closing: bool,
    /// There is something to write, which bears waiting for more.
    has_news: bool,
}

/// How long the keeper may sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Not at all: something must not be lost.
    None,
    /// As long as more may come that goes with what came.
    Gathering,
    /// Until it is woken, or it is time to look at what wakes nobody.
    Idle,
}

impl Rung {
    fn rest(self) -> Rest {
        if self.ticket != self.heard || self.is_closing {
            Rest::None
        } else if self.has_news {
            Rest::Gathering
        } else {
            Rest::Idle
        }
    }
}

/// Why the keeper was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// What was rung for up to here is to be written now.
    pub ticket: u64,
    /// It is the last one.
    pub is_last: bool,
}

impl Default for Bell {
    fn default() -> Self {
        Self { rung: Mutex::default(), woken: Condvar::new(), done: watch::Sender::new(0) }
    }
}

impl Bell {
    /// Wakes the keeper. Gives the ticket by which to know when it is done.
    pub fn ring(&self) -> u64 {
        let mut rung = self.rung.lock();
        rung.ticket += 1;
        self.woken.notify_one();
        rung.ticket
    }

    /// There is something to write: the keeper takes it with what else comes meanwhile.
    pub fn note_news(&self) {
        let mut rung = self.rung.lock();
        // Told once: what comes while it gathers does not wake it again.
        if !std::mem::replace(&mut rung.has_news, true) {
            self.woken.notify_one();
        }
    }

    /// Wakes it for the last time.
    pub fn close(&self) {
        self.rung.lock().is_closing = true;
        self.woken.notify_one();
    }

    /// Waits to be woken, for `longest` at most; and once there is news, while more of it may come, for `gathering`.
    pub fn wait(&self, gathering: Duration, longest: Duration) -> Call {
        let mut rung = self.rung.lock();
        loop {
            let most = match rung.rest() {
                Rest::None => break,
                Rest::Gathering => gathering,
                Rest::Idle => longest,
            };
            if self.woken.wait_for(&mut rung, most).timed_out() {
                break;
            }
        }
        rung.has_news = false;
        rung.heard = rung.ticket;
        Call { ticket: rung.ticket, is_last: rung.is_closing }
    }

    /// Tells how far the work is done.
    pub fn tell(&self, ticket: u64) {
        self.done.send_if_modified(|done| {
            let is_news = ticket > *done;
            *done = ticket.max(*done);
            is_news
        });
    }

    /// What was rung for up to now.
    pub fn last_ticket(&self) -> u64 {
        self.rung.lock().ticket
    }

    /// Whether something rung for is not written yet.
    pub fn is_behind(&self) -> bool {
        *self.done.borrow() < self.last_ticket()
    }

    /// Waits until what was rung for up to here is written.
    pub async fn is_done(&self, ticket: u64) {
        // The sender lives as long as we do.
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
        let bell = Bell::default();
        let rest = || bell.rung.lock().rest();
        assert_eq!(rest(), Rest::Idle);
        bell.note_news();
        bell.note_news();
        assert_eq!(rest(), Rest::Gathering);
        let call = bell.wait(Duration::ZERO, LONG);
        assert_eq!((call, rest()), (Call { ticket: 0, is_last: false }, Rest::Idle), "it sleeps again");
        bell.note_news();
        bell.ring();
        assert_eq!(rest(), Rest::None);
        let call = bell.wait(LONG, LONG);
        assert_eq!((call, rest()), (Call { ticket: 1, is_last: false }, Rest::Idle), "the news went with it");
        bell.close();
        assert_eq!(bell.wait(LONG, LONG), Call { ticket: 1, is_last: true });
    }

    #[test]
    fn a_keeper_that_sleeps_is_woken_by_news_and_by_whoever_rings() {
        let bell = Bell::default();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| bell.wait(Duration::ZERO, LONG));
            bell.note_news();
            assert_eq!(sleeper.join().expect("it wakes").ticket, 0);
            let sleeper = scope.spawn(|| bell.wait(LONG, LONG));
            bell.note_news();
            bell.ring();
            assert_eq!(sleeper.join().expect("it wakes").ticket, 1);
        });
    }
}
