//! The state that every handler borrows.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::control::ControlPlane;

/// The state lent to every handler.
#[derive(Debug)]
pub struct ApiState {
    /// The control plane.
    pub control: Arc<ControlPlane>,
    /// Settings of the control plane.
    pub settings: greenroom_config::ControlSettings,
    /// The address at which the control plane listens.
    pub listen: SocketAddr,
    /// Cancelled when the process stops.
    pub stop: CancellationToken,
}
