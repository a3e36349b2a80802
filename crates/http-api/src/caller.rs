//! Source of a client's request, as statistics count it.

use std::sync::Arc;

use greenroom_origin::client_apps::ClientApp;
use greenroom_request_log::{RequestCategory, UserHash};

/// Category, app and user of a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) app: Arc<ClientApp>,
    /// Its credentials, whether or not the server accepts them.
    pub(crate) user: Option<UserHash>,
    pub(crate) category: RequestCategory,
}
