//! Things that wait for one who takes them: at most so many, the oldest gives way.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A line.
#[derive(Debug)]
pub struct Line<T> {
    waiting: Mutex<VecDeque<T>>,
    news: Notify,
    most: usize,
}

impl<T> Line<T> {
    /// A line of at most so many.
    pub fn new(most: usize) -> Self {
        Self { waiting: Mutex::default(), news: Notify::new(), most }
    }

    /// Puts something at the end, and returns what had to give way.
    pub fn push(&self, thing: T) -> Option<T> {
        let mut waiting = self.waiting.lock();
        let gone = if waiting.len() >= self.most { waiting.pop_front() } else { None };
        waiting.push_back(thing);
        drop(waiting);
        self.news.notify_one();
        gone
    }

    /// How many things wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Takes what came first, or waits for something to come.
    pub async fn oldest(&self) -> T {
        self.take(VecDeque::pop_front).await
    }

    /// Takes what came last, or waits for something to come.
    pub async fn newest(&self) -> T {
        self.take(VecDeque::pop_back).await
    }

    async fn take(&self, pop: impl Fn(&mut VecDeque<T>) -> Option<T>) -> T {
        loop {
            if let Some(thing) = pop(&mut self.waiting.lock()) {
                return thing;
            }
            self.news.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_gives_way_and_both_ends_can_be_taken() {
        let line = Line::new(3);
        let gone: Vec<_> = (0..5).filter_map(|thing| line.push(thing)).collect();
        assert_eq!(gone, [0, 1]);
        assert_eq!((line.newest().await, line.oldest().await, line.oldest().await), (4, 2, 3));
    }

    #[tokio::test]
    async fn who_finds_nothing_waits_until_something_comes() {
        let line = Line::new(3);
        let (taken, _) = tokio::join!(line.oldest(), async { line.push(7) });
        assert_eq!(taken, 7);
    }
}
