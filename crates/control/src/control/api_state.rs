//! The state that every handler borrows.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::ControlPlane;

/// The state lent to every handler.
#[derive(Debug)]
pub(crate) struct ApiState {
    pub(crate) control: Arc<ControlPlane>,
    pub(crate) settings: greenroom_config::ControlSettings,
    pub(crate) listen: SocketAddr,
    pub(crate) stop: CancellationToken,
}
