//! The clock follows suspends of the machine.

use greenroom_cache::{Clock, ClockEvent};
use tokio_util::sync::CancellationToken;

/// Advances the clock by the time the machine was suspended.
pub(super) async fn follow_suspends(clock: Clock, stop: CancellationToken) {
    let log_event = |event| match event {
        ClockEvent::Advanced(advance) => {
            tracing::info!(
                leap_s = advance.as_secs(),
                "the machine was suspended: Greenroom's clock has advanced by that time"
            );
        }
        ClockEvent::Implausible(ahead) => tracing::warn!(
            ahead_s = ahead.as_secs(),
            "the machine's clock jumped ahead by more than a suspend explains: Greenroom keeps its own clock until a restart"
        ),
    };
    tokio::select! {
        never = clock.follow(log_event) => match never {},
        () = stop.cancelled() => {}
    }
}
