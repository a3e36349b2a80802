//! What is done with the body of a write: read whole before the write is sent, passed on while it arrives, or refused.

use greenroom_dialect::ask::BodyUse;

use greenroom_config::bodies::Lengths;

/// What is known of a body, before it is read or while it is.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// How long it says to be, if it does.
    pub declared: Option<u64>,
    /// Bytes that have arrived.
    pub arrived: u64,
    /// Whether the dialect reads it to say what the write makes stale.
    pub body_use: BodyUse,
    /// Whether the server has accepted the token before.
    pub is_proven: bool,
}

/// What is done with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyPlan {
    /// There is none.
    Nothing,
    /// Read whole, then sent: a sender that goes away has written nothing.
    Whole,
    /// Sent while it arrives. Where the dialect reads it, its first bytes are held back until they are there.
    Streamed,
    /// Longer than any body may be.
    TooLong,
    /// Needed to say what goes stale, and longer than a token that was never accepted may have held.
    TooLongUnproven,
}

/// Decides. Asked again whenever more has arrived than was declared.
pub fn plan(facts: Facts, lengths: Lengths) -> BodyPlan {
    let length = facts.declared.unwrap_or(0).max(facts.arrived);
    let whole = if facts.is_proven { lengths.whole } else { lengths.whole_unproven };
    match facts.body_use {
        _ if length > lengths.longest => BodyPlan::TooLong,
        _ if facts.declared == Some(0) => BodyPlan::Nothing,
        _ if length <= whole => BodyPlan::Whole,
        BodyUse::Read if !facts.is_proven => BodyPlan::TooLongUnproven,
        BodyUse::Read | BodyUse::Unread => BodyPlan::Streamed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: Lengths = Lengths { longest: 1000, whole: 100, whole_unproven: 10 };

    fn of(declared: Option<u64>, arrived: u64, body_use: BodyUse, is_proven: bool) -> BodyPlan {
        plan(Facts { declared, arrived, body_use, is_proven }, LENGTHS)
    }

    #[test]
    fn short_bodies_are_read_whole_and_long_ones_are_passed_on() {
        for body_use in [BodyUse::Read, BodyUse::Unread] {
            assert_eq!(of(Some(0), 0, body_use, false), BodyPlan::Nothing);
            assert_eq!(of(Some(100), 0, body_use, true), BodyPlan::Whole);
            assert_eq!(of(Some(101), 0, body_use, true), BodyPlan::Streamed);
            assert_eq!(of(Some(10), 0, body_use, false), BodyPlan::Whole);
            assert_eq!(of(Some(1001), 0, body_use, true), BodyPlan::TooLong);
            assert_eq!(of(Some(1001), 0, body_use, false), BodyPlan::TooLong);
        }
    }

    #[test]
    fn a_token_that_was_never_accepted_has_little_held_for_it() {
        assert_eq!(of(Some(11), 0, BodyUse::Unread, false), BodyPlan::Streamed);
        assert_eq!(of(Some(11), 0, BodyUse::Read, false), BodyPlan::TooLongUnproven);
    }

    #[test]
    fn a_body_of_unknown_length_is_judged_by_what_has_arrived() {
        assert_eq!(of(None, 0, BodyUse::Unread, true), BodyPlan::Whole);
        assert_eq!(of(None, 100, BodyUse::Unread, true), BodyPlan::Whole);
        assert_eq!(of(None, 101, BodyUse::Unread, true), BodyPlan::Streamed);
        assert_eq!(of(None, 11, BodyUse::Read, false), BodyPlan::TooLongUnproven);
        assert_eq!(of(None, 1001, BodyUse::Unread, true), BodyPlan::TooLong);
    }
}
