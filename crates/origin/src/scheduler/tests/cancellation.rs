//! With tasks: each permit wakes exactly one waiter, and no cancelled waiter keeps a permit.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::future::join_all;
use greenroom_cache::Clock;
use greenroom_dialect::class::Class;
use tokio_util::task::TaskTracker;

use super::super::{QueueError, QueuePermit, QueueRequest, RequestQueue};
use crate::client_apps::ClientApp;
use crate::scheduler::priority::Priority;
use crate::scheduler::slots::{PriorityCounters, SlotKind, SlotLimits};

const TIMEOUT: Duration = Duration::from_secs(30);

fn queue(slots: usize, max_waiting: usize) -> Arc<RequestQueue> {
    RequestQueue::new(SlotLimits::new(slots, max_waiting), TIMEOUT, Clock::system())
}

fn request(app: &Arc<ClientApp>) -> QueueRequest {
    QueueRequest { priority: Priority::Interactive, kind: SlotKind::Read(Class::Item), app: Some(Arc::clone(app)) }
}

fn busy(queue: &RequestQueue) -> (usize, usize) {
    let counters = queue.snapshot().priorities;
    let sum = |pick: fn(&PriorityCounters) -> usize| counters.iter().map(pick).sum();
    (sum(|counters| counters.in_flight), sum(|counters| counters.waiting))
}

#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

type PendingAcquire = Pin<Box<dyn Future<Output = Result<QueuePermit, QueueError>>>>;

/// Polls up to where it must wait.
fn begin(queue: &Arc<RequestQueue>, app: &Arc<ClientApp>, receiver: &Arc<CountingWaker>) -> PendingAcquire {
    let queue = Arc::clone(queue);
    let request = request(app);
    let mut waiting: PendingAcquire = Box::pin(async move { queue.acquire(request).await });
    assert!(poll(&mut waiting, receiver).is_pending());
    waiting
}

fn poll(waiting: &mut PendingAcquire, receiver: &Arc<CountingWaker>) -> Poll<Result<QueuePermit, QueueError>> {
    waiting.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(receiver))))
}

#[tokio::test(start_paused = true)]
async fn a_released_slot_wakes_exactly_one_waiter() {
    let (queue, app) = (queue(2, 100), Arc::new(ClientApp::default()));
    let mut permit = queue.acquire(request(&app)).await.expect("it is free");
    let bells: Vec<Arc<CountingWaker>> = (0..10).map(|_| Arc::default()).collect();
    let mut waiting: Vec<PendingAcquire> = bells.iter().map(|receiver| begin(&queue, &app, receiver)).collect();
    for turn in 0..bells.len() {
        drop(permit);
        let rung: usize = bells.iter().map(|receiver| receiver.0.load(Ordering::SeqCst)).sum();
        assert_eq!(rung, turn + 1);
        let Poll::Ready(Ok(next)) = poll(&mut waiting[turn], &bells[turn]) else { panic!("it is his turn") };
        permit = next;
    }
    drop(permit);
    assert_eq!(busy(&queue), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_leaves_no_trace() {
    let (queue, app, receiver) = (queue(2, 100), Arc::new(ClientApp::default()), Arc::default());
    let permit = queue.acquire(request(&app)).await.expect("it is free");
    let (first, mut second) = (begin(&queue, &app, &receiver), begin(&queue, &app, &receiver));
    assert_eq!((busy(&queue), app.waiting.load(Ordering::SeqCst)), ((1, 2), 2));
    drop(first);
    assert_eq!((busy(&queue), app.waiting.load(Ordering::SeqCst)), ((1, 1), 1));
    drop(permit);
    assert!(poll(&mut second, &receiver).is_ready(), "the slot of a caller that left is passed on");
    drop(second);
    assert_eq!((busy(&queue), app.waiting.load(Ordering::SeqCst)), ((0, 0), 0));
    assert!(queue.state.lock().wakers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_cancelled_with_an_unused_permit_passes_it_on() {
    let (queue, app, receiver) = (queue(2, 100), Arc::new(ClientApp::default()), Arc::default());
    let permit = queue.acquire(request(&app)).await.expect("it is free");
    let (first, mut second) = (begin(&queue, &app, &receiver), begin(&queue, &app, &receiver));
    drop(permit);
    assert_eq!(busy(&queue), (1, 1), "it is the first one's, who has not looked yet");
    drop(first);
    let Poll::Ready(Ok(permit)) = poll(&mut second, &receiver) else { panic!("it was passed on") };
    drop((permit, second));
    assert_eq!((busy(&queue), app.waiting.load(Ordering::SeqCst)), ((0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn an_acquire_that_is_never_polled_takes_no_slot() {
    let (queue, app) = (queue(2, 100), Arc::new(ClientApp::default()));
    drop(queue.acquire(request(&app)));
    assert_eq!(busy(&queue), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_times_out_is_counted() {
    let (queue, app) = (queue(2, 100), Arc::new(ClientApp::default()));
    let permit = queue.acquire(request(&app)).await.expect("it is free");
    let before_ms = queue.clock.now();
    assert_eq!(queue.acquire(request(&app)).await.err(), Some(QueueError::TimedOut));
    assert_eq!(queue.clock.now() - before_ms, TIMEOUT);
    let counters = queue.snapshot().priorities[Priority::Interactive as usize];
    assert_eq!((counters.waiting, counters.timed_out, counters.wait_time), (0, 1, Duration::from_secs(30)));
    assert_eq!(app.waited_ms.load(Ordering::SeqCst), 30_000);
    drop(permit);
    assert_eq!(busy(&queue), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_displaced_waiter_is_notified_at_once() {
    let (queue, app, receiver) = (queue(2, 1), Arc::new(ClientApp::default()), Arc::default());
    let _permit = queue.acquire(request(&app)).await.expect("it is free");
    let own_queue = QueueRequest::background(Some(&app), Class::Item);
    let mut waiting: PendingAcquire = Box::pin({
        let queue = Arc::clone(&queue);
        async move { queue.acquire(own_queue).await }
    });
    assert!(poll(&mut waiting, &receiver).is_pending());
    assert_eq!(app.waiting.load(Ordering::SeqCst), 0, "own requests count for no app");
    let urgent = begin(&queue, &app, &receiver);
    assert!(matches!(poll(&mut waiting, &receiver), Poll::Ready(Err(QueueError::Full))));
    assert_eq!(queue.acquire(request(&app)).await.err(), Some(QueueError::Full), "it is the newest of its rank");
    drop(urgent);
    assert_eq!(busy(&queue), (1, 0));
}

/// Tasks on several threads that request, hold and cancel at random.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_queue_never_exceeds_its_limits_and_ends_empty() {
    let (queue, tasks) = (queue(5, 40), TaskTracker::new());
    let apps: Vec<Arc<ClientApp>> = (0..3).map(|number| Arc::new(ClientApp::new("", number))).collect();
    let inside = Arc::new(AtomicUsize::new(0));
    let requests = (0..64_u64).map(|seed| {
        let (queue, app) = (Arc::clone(&queue), Arc::clone(&apps[usize::try_from(seed % 3).expect("small")]));
        let inside = Arc::clone(&inside);
        tasks.spawn(async move {
            let mut chance = seed;
            for _ in 0..200 {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let priority = Priority::EVERY[usize::try_from(chance >> 33).expect("31 bits") % Priority::EVERY.len()];
                let kind = if priority == Priority::Write { SlotKind::Write } else { SlotKind::Read(Class::Item) };
                let timeout = usize::try_from(chance >> 60).expect("4 bits");
                make_request(&queue, QueueRequest { priority, kind, app: Some(Arc::clone(&app)) }, timeout, &inside)
                    .await;
            }
        })
    });
    let requests: Vec<_> = requests.collect();
    assert!(join_all(requests).await.iter().all(Result::is_ok));
    assert_eq!(busy(&queue), (0, 0));
    assert!(queue.state.lock().wakers.is_empty());
    assert!(apps.iter().all(|app| app.waiting.load(Ordering::SeqCst) == 0));
}

/// Waits for this many polls, then cancels if there is no permit yet.
async fn make_request(queue: &Arc<RequestQueue>, request: QueueRequest, timeout: usize, inside: &AtomicUsize) {
    let mut waiting = pin!(queue.acquire(request));
    let mut grants = 0;
    let outcome = std::future::poll_fn(|context| {
        grants += 1;
        match waiting.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(outcome.ok()),
            Poll::Pending if grants > timeout => Poll::Ready(None),
            Poll::Pending => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await;
    if let Some(_permit) = outcome {
        assert!(inside.fetch_add(1, Ordering::SeqCst) < 5, "more inside than there are places");
        tokio::task::yield_now().await;
        inside.fetch_sub(1, Ordering::SeqCst);
    }
}
