//! The head of the last kept answer to one request head.

use greenroom_cache::Stamp;
use http::{HeaderMap, StatusCode};
use parking_lot::RwLock;

/// The head of the last kept answer to one request head, without age and history: made once per value.
#[derive(Debug, Default)]
pub struct Letterhead(RwLock<Option<Printed>>);

/// A head, and the value it was made for: a key has one value per stamp.
#[derive(Debug, Clone)]
struct Printed {
    created: Stamp,
    status: StatusCode,
    headers: HeaderMap,
}

impl Letterhead {
    /// The head of the answer with this stamp; `print` makes it where the last one was another.
    pub(crate) fn of(
        &self,
        created: Stamp,
        print: impl FnOnce() -> (StatusCode, HeaderMap),
    ) -> (StatusCode, HeaderMap) {
        if let Some(last) = self.0.read().as_ref().filter(|last| last.created == created) {
            return (last.status, last.headers.clone());
        }
        let (status, headers) = print();
        *self.0.write() = Some(Printed { created, status, headers: headers.clone() });
        (status, headers)
    }
}
