//! A bounded queue that drops its oldest item when full.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A bounded queue.
#[derive(Debug)]
pub struct BoundedQueue<T> {
    waiting: Mutex<VecDeque<T>>,
    notify: Notify,
    capacity: usize,
}

impl<T> BoundedQueue<T> {
    /// A queue of at most `most` items.
    pub fn new(most: usize) -> Self {
        Self { waiting: Mutex::default(), notify: Notify::new(), capacity: most }
    }

    /// Appends an item; returns the one dropped for it.
    pub fn push(&self, thing: T) -> Option<T> {
        let mut waiting = self.waiting.lock();
        let gone = if waiting.len() >= self.capacity { waiting.pop_front() } else { None };
        waiting.push_back(thing);
        drop(waiting);
        self.notify.notify_one();
        gone
    }

    /// Number of items.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Takes the oldest item, or waits for one.
    pub async fn pop_oldest(&self) -> T {
        self.pop_with(VecDeque::pop_front).await
    }

    /// Takes the newest item, or waits for one.
    pub async fn pop_newest(&self) -> T {
        self.pop_with(VecDeque::pop_back).await
    }

    async fn pop_with(&self, pop: impl Fn(&mut VecDeque<T>) -> Option<T>) -> T {
        loop {
            if let Some(thing) = pop(&mut self.waiting.lock()) {
                return thing;
            }
            self.notify.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_gives_way_and_both_ends_can_be_taken() {
        let line = BoundedQueue::new(3);
        let gone: Vec<_> = (0..5).filter_map(|thing| line.push(thing)).collect();
        assert_eq!(gone, [0, 1]);
        assert_eq!((line.pop_newest().await, line.pop_oldest().await, line.pop_oldest().await), (4, 2, 3));
    }

    #[tokio::test]
    async fn who_finds_nothing_waits_until_something_comes() {
        let line = BoundedQueue::new(3);
        let (taken, _) = tokio::join!(line.pop_oldest(), async { line.push(7) });
        assert_eq!(taken, 7);
    }
}
