//! Tasks to run once a response is sent: once the system has accepted its last byte. So later work never competes with
//! a response that a client waits for.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use parking_lot::Mutex;

use crate::connection::{ClientConnection, OnSentTask};
use greenroom_origin::body::{Body, BodyError};

/// Tasks of one response, in its extensions.
#[derive(Clone, Default)]
struct PendingTasks(Arc<Mutex<Vec<OnSentTask>>>);

/// Runs the task once the response is sent. If the client disconnects first, the task is dropped.
pub fn run_after(response: &mut Response<Body>, task: impl FnOnce() + Send + 'static) {
    let pending: &mut PendingTasks = response.extensions_mut().get_or_insert_default();
    pending.0.lock().push(Box::new(task));
}

/// Binds the response's tasks to its connection.
pub fn bind(mut response: Response<Body>, connection: Option<&Arc<ClientConnection>>) -> Response<Body> {
    let (Some(pending), Some(connection)) = (response.extensions_mut().remove::<PendingTasks>(), connection) else {
        return response;
    };
    let tasks = std::mem::take(&mut *pending.0.lock());
    let connection = Arc::clone(connection);
    response.map(|body| Body::Boxed(UnsyncBoxBody::new(OnSentBody { body, tasks, connection })))
}

/// A body with tasks to run at its end.
pub struct OnSentBody {
    body: Body,
    tasks: Vec<OnSentTask>,
    connection: Arc<ClientConnection>,
}

impl fmt::Debug for OnSentBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnSentBody").field("body", &self.body).finish_non_exhaustive()
    }
}

impl HttpBody for OnSentBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The whole body was handed over to be sent: the next flush covers it.
impl Drop for OnSentBody {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.connection.run_when_sent(std::mem::take(&mut self.tasks));
        }
    }
}
