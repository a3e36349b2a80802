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

    /// Wakes it for the last time.
    pub fn close(&self) {
        self.rung.lock().is_closing = true;
        self.woken.notify_one();
    }

    /// Waits to be woken, or for so long.
    pub fn wait(&self, longest: Duration) -> Call {
        let mut rung = self.rung.lock();
        if rung.ticket == rung.heard && !rung.is_closing {
            self.woken.wait_for(&mut rung, longest);
        }
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
