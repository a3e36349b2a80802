//! What of a library somebody is to be told at once.

use super::Library;
use crate::index::scheduler::Attempt;
use crate::index::state::Failure;
use greenroom_origin::fact::Fact;

/// What came to nothing, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Telling {
    /// The library seems to have lost most of its items.
    Shrank { was: u64, came: u64 },
    /// The configured token is refused.
    Refused,
    /// It could not be built.
    Failed,
    /// It is told otherwise, or nobody has to know.
    Nothing,
}

/// Decides.
fn telling(failure: &Failure, attempt: Attempt, is_down: bool) -> Telling {
    match failure {
        Failure::Shrunk { was, came } => Telling::Shrank { was: *was, came: *came },
        Failure::Refused => Telling::Refused,
        // That the server is down is told by itself; somebody cancelled it; a doubt leads to a build.
        Failure::Unreachable if is_down => Telling::Nothing,
        Failure::Cancelled | Failure::Gone | Failure::Differs => Telling::Nothing,
        _ if attempt == Attempt::Follow => Telling::Nothing,
        Failure::Unreachable
        | Failure::Unfit
        | Failure::Changing
        | Failure::TooLarge { .. }
        | Failure::TimedOut { .. } => Telling::Failed,
    }
}

impl Library {
    /// It came to nothing.
    pub(super) fn tell_of_failure(&self, failure: &Failure, attempt: Attempt) {
        let (server, library) = (&self.server, self.id.to_string());
        match telling(failure, attempt, !server.origin.breaker.admits()) {
            Telling::Shrank { was, came } => {
                server.origin.facts.tell(&Fact::LibraryShrank { library, was, came, is_believed: false });
            }
            Telling::Refused => server.origin.note_own_token(false),
            Telling::Failed => {
                server.origin.facts.tell(&Fact::BuildFailed { library, reason: failure.to_string() });
            }
            Telling::Nothing => {}
        }
    }

    /// So many items are believed to be all of them now.
    pub(super) fn tell_of_loss(&self, was: u64, came: u64) {
        let library = self.id.to_string();
        self.server.origin.facts.tell(&Fact::LibraryShrank { library, was, came, is_believed: true });
    }

    /// All of it was read.
    pub(super) fn tell_of_success(&self) {
        self.server.origin.note_own_token(true);
        self.server.origin.facts.tell(&Fact::BuildDone { library: self.id.to_string() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_not_by_every_library() {
        assert_eq!(telling(&Failure::Unreachable, Attempt::Build, true), Telling::Nothing);
        assert_eq!(telling(&Failure::Unreachable, Attempt::Build, false), Telling::Failed);
    }

    #[test]
    fn what_is_told_of_a_failure_depends_on_what_failed() {
        let shrunk = Failure::Shrunk { was: 100, came: 3 };
        for (failure, attempt, wanted) in [
            (shrunk.clone(), Attempt::Build, Telling::Shrank { was: 100, came: 3 }),
            (shrunk, Attempt::Follow, Telling::Shrank { was: 100, came: 3 }),
            (Failure::Refused, Attempt::Follow, Telling::Refused),
            (Failure::Unfit, Attempt::Build, Telling::Failed),
            (Failure::Unfit, Attempt::Follow, Telling::Nothing),
            (Failure::TimedOut { minutes: 180 }, Attempt::Build, Telling::Failed),
            (Failure::Cancelled, Attempt::Build, Telling::Nothing),
            (Failure::Differs, Attempt::Build, Telling::Nothing),
        ] {
            assert_eq!(telling(&failure, attempt, false), wanted, "{failure:?} {attempt:?}");
        }
    }
}
