//! What waits until an answer has left: until the system has taken its last byte. Nothing that is done for later
//! competes with an answer that somebody waits for now.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use parking_lot::Mutex;

use crate::http::connection::Conversation;
use greenroom_origin::body::{Body, BodyError};

/// Something to do.
pub type Task = Box<dyn FnOnce() + Send>;

/// What waits for one answer, on its way there.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Vec<Task>>>);

/// Does this when the answer has left. If its client goes away before, it is dropped undone.
pub fn after(response: &mut Response<Body>, task: impl FnOnce() + Send + 'static) {
    let waiting: &mut Waiting = response.extensions_mut().get_or_insert_default();
    waiting.0.lock().push(Box::new(task));
}

/// Binds what waits for this answer to the connection it leaves on.
pub fn bind(mut response: Response<Body>, conversation: Option<&Arc<Conversation>>) -> Response<Body> {
    let (Some(waiting), Some(conversation)) = (response.extensions_mut().remove::<Waiting>(), conversation)
    else {
        return response;
    };
    let tasks = std::mem::take(&mut *waiting.0.lock());
    let conversation = Arc::clone(conversation);
    response.map(|body| Body::Boxed(UnsyncBoxBody::new(Departing { body, tasks, conversation })))
}

/// A body for whose end something waits.
pub struct Departing {
    body: Body,
    tasks: Vec<Task>,
    conversation: Arc<Conversation>,
}

impl fmt::Debug for Departing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Departing").field("body", &self.body).finish_non_exhaustive()
    }
}

impl HttpBody for Departing {
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

/// All of it was taken over to be sent: what is flushed next, it is flushed with.
impl Drop for Departing {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.conversation.departs(std::mem::take(&mut self.tasks));
        }
    }
}
