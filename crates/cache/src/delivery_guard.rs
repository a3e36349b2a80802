//! Responses being delivered. A loaded value is written only after the responses that waited for it are delivered, so
//! the disk never competes with them.

use std::sync::Arc;

use crate::value::Entry;

/// Notified when the last response that waited for a value is delivered.
#[cfg(not(feature = "shuttle"))]
pub(crate) trait DeliveryObserver: std::fmt::Debug + Send + Sync {
    /// A value may be ready to be written.
    fn notify_delivered(&self);
}

/// Held while a response is delivered, until its last byte is sent; dropping it says so. Holding it too long delays
/// only the write of this one value, and only up to a limit.
#[derive(Debug)]
pub struct DeliveryGuard {
    entry: Arc<Entry>,
    #[cfg(not(feature = "shuttle"))]
    observer: Arc<dyn DeliveryObserver>,
}

#[cfg(not(feature = "shuttle"))]
impl DeliveryGuard {
    pub(crate) fn begin(entry: &Arc<Entry>, observer: Arc<dyn DeliveryObserver>) -> Self {
        entry.begin_delivery();
        Self { entry: Arc::clone(entry), observer }
    }
}

impl Clone for DeliveryGuard {
    fn clone(&self) -> Self {
        self.entry.begin_delivery();
        Self {
            entry: Arc::clone(&self.entry),
            #[cfg(not(feature = "shuttle"))]
            observer: Arc::clone(&self.observer),
        }
    }
}

impl Drop for DeliveryGuard {
    fn drop(&mut self) {
        let is_last = self.entry.end_delivery();
        #[cfg(not(feature = "shuttle"))]
        if is_last {
            self.observer.notify_delivered();
        }
        #[cfg(feature = "shuttle")]
        let _: bool = is_last;
    }
}
