//! A bounded queue that drops its oldest item when full.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A bounded queue.
#[derive(Debug)]
pub struct BoundedQueue<T> {
    items: Mutex<VecDeque<T>>,
    notify: Notify,
    capacity: usize,
}

impl<T> BoundedQueue<T> {
    /// A queue of at most `capacity` items.
    pub fn new(capacity: usize) -> Self {
        Self { items: Mutex::default(), notify: Notify::new(), capacity }
    }

    /// Appends an item; returns the one dropped for it.
    pub fn push(&self, item: T) -> Option<T> {
        let mut items = self.items.lock();
        let dropped = if items.len() >= self.capacity { items.pop_front() } else { None };
        items.push_back(item);
        drop(items);
        self.notify.notify_one();
        dropped
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.lock().len()
    }

    /// Whether it has no items.
    pub fn is_empty(&self) -> bool {
        self.items.lock().is_empty()
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
            if let Some(item) = pop(&mut self.items.lock()) {
                return item;
            }
            self.notify.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_item_is_dropped_and_both_ends_can_be_popped() {
        let queue = BoundedQueue::new(3);
        let dropped: Vec<_> = (0..5).filter_map(|item| queue.push(item)).collect();
        assert_eq!(dropped, [0, 1]);
        assert_eq!((queue.pop_newest().await, queue.pop_oldest().await, queue.pop_oldest().await), (4, 2, 3));
    }

    #[tokio::test]
    async fn pop_waits_for_an_item() {
        let queue = BoundedQueue::new(3);
        let (popped, _) = tokio::join!(queue.pop_oldest(), async { queue.push(7) });
        assert_eq!(popped, 7);
    }
}
