//! Notifications about library indexes.

use super::Library;
use crate::index::scheduler::AttemptKind;
use crate::index::state::IndexError;
use greenroom_origin::system_event::SystemEvent;

/// Notification for a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FailureNotification {
    /// The library seems to have lost most of its items.
    Shrank { was: u64, came: u64 },
    /// The server refuses the configured token.
    Refused,
    /// The build failed.
    Failed,
    /// No notification, or another one covers it.
    Nothing,
}

/// Chooses the notification.
fn notification_for(failure: &IndexError, attempt: AttemptKind, is_down: bool) -> FailureNotification {
    match failure {
        IndexError::Shrunk { was, came } => FailureNotification::Shrank { was: *was, came: *came },
        IndexError::Refused => FailureNotification::Refused,
        // An outage has its own notification, a cancellation needs none, a mismatch leads to a build, and a library
        // without episodes has a warning.
        IndexError::Unreachable if is_down => FailureNotification::Nothing,
        IndexError::Cancelled | IndexError::Gone | IndexError::Differs | IndexError::WithoutEpisodes { .. } => {
            FailureNotification::Nothing
        }
        _ if attempt == AttemptKind::Follow => FailureNotification::Nothing,
        IndexError::Unreachable
        | IndexError::Unfit
        | IndexError::Changing
        | IndexError::TooLarge { .. }
        | IndexError::TimedOut { .. } => FailureNotification::Failed,
    }
}

impl Library {
    /// Notifies of a failure.
    pub(super) fn notify_failure(&self, failure: &IndexError, attempt: AttemptKind) {
        let (server, library) = (&self.server, self.id.to_string());
        match notification_for(failure, attempt, !server.origin.breaker.allows_requests()) {
            FailureNotification::Shrank { was, came } => {
                server.origin.events.notify(&SystemEvent::LibraryShrank { library, was, came, is_believed: false });
            }
            FailureNotification::Refused => server.origin.record_own_token(false),
            FailureNotification::Failed => {
                server.origin.events.notify(&SystemEvent::BuildFailed { library, reason: failure.to_string() });
            }
            FailureNotification::Nothing => {}
        }
    }

    /// Notifies that this shorter library is now accepted as complete.
    pub(super) fn notify_loss(&self, was: u64, came: u64) {
        let library = self.id.to_string();
        self.server.origin.events.notify(&SystemEvent::LibraryShrank { library, was, came, is_believed: true });
    }

    /// Notifies that a full build succeeded.
    pub(super) fn notify_success(&self) {
        self.server.origin.record_own_token(true);
        self.server.origin.events.notify(&SystemEvent::BuildDone { library: self.id.to_string() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_not_notified_by_every_library() {
        assert_eq!(notification_for(&IndexError::Unreachable, AttemptKind::Build, true), FailureNotification::Nothing);
        assert_eq!(notification_for(&IndexError::Unreachable, AttemptKind::Build, false), FailureNotification::Failed);
    }

    #[test]
    fn the_notification_of_a_failure_depends_on_its_kind() {
        let shrunk = IndexError::Shrunk { was: 100, came: 3 };
        for (failure, attempt, wanted) in [
            (shrunk.clone(), AttemptKind::Build, FailureNotification::Shrank { was: 100, came: 3 }),
            (shrunk, AttemptKind::Follow, FailureNotification::Shrank { was: 100, came: 3 }),
            (IndexError::Refused, AttemptKind::Follow, FailureNotification::Refused),
            (IndexError::Unfit, AttemptKind::Build, FailureNotification::Failed),
            (IndexError::Unfit, AttemptKind::Follow, FailureNotification::Nothing),
            (IndexError::TimedOut { minutes: 180 }, AttemptKind::Build, FailureNotification::Failed),
            (IndexError::Cancelled, AttemptKind::Build, FailureNotification::Nothing),
            (IndexError::Differs, AttemptKind::Build, FailureNotification::Nothing),
        ] {
            assert_eq!(notification_for(&failure, attempt, false), wanted, "{failure:?} {attempt:?}");
        }
    }
}
