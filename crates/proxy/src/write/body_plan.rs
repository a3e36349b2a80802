//! Decides whether a write's body is read whole before it is sent, streamed, or rejected.

use greenroom_dialect::request::BodyUse;

use greenroom_config::body_limits::BodyLengthLimits;

/// Facts known of a body, before or while it is read.
#[derive(Debug, Clone, Copy)]
pub struct BodyFacts {
    /// Its declared length, if any.
    pub declared: Option<u64>,
    /// Bytes that have arrived.
    pub arrived: u64,
    /// Whether the dialect needs the body to find what the write invalidates.
    pub body_use: BodyUse,
    /// Whether the server has accepted the token before.
    pub is_proven: bool,
}

/// Handling of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyPlan {
    /// No body.
    Nothing,
    /// Read whole, then sent: a client that disconnects has written nothing.
    Whole,
    /// Sent while it arrives. Where the dialect needs it, its first bytes are held back until complete.
    Streamed,
    /// Longer than any body may be.
    TooLong,
    /// Needed to find what is invalidated, and too long to be held for a token that was never accepted.
    TooLongUnproven,
}

/// Decides. Called again whenever more than the declared length has arrived.
pub fn plan(facts: BodyFacts, lengths: BodyLengthLimits) -> BodyPlan {
    let length = facts.declared.unwrap_or(0).max(facts.arrived);
    let whole = if facts.is_proven { lengths.whole } else { lengths.whole_unproven };
    match facts.body_use {
        _ if length > lengths.longest => BodyPlan::TooLong,
        _ if facts.declared == Some(0) => BodyPlan::Nothing,
        _ if length <= whole => BodyPlan::Whole,
        BodyUse::Read if !facts.is_proven => BodyPlan::TooLongUnproven,
        BodyUse::Read | BodyUse::Helpful | BodyUse::Unread => BodyPlan::Streamed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: BodyLengthLimits = BodyLengthLimits { longest: 1000, whole: 100, whole_unproven: 10 };

    fn of(declared: Option<u64>, arrived: u64, body_use: BodyUse, is_proven: bool) -> BodyPlan {
        plan(BodyFacts { declared, arrived, body_use, is_proven }, LENGTHS)
    }

    #[test]
    fn short_bodies_are_read_whole_and_long_ones_are_passed_on() {
        for body_use in [BodyUse::Read, BodyUse::Helpful, BodyUse::Unread] {
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
        assert_eq!(of(Some(11), 0, BodyUse::Helpful, false), BodyPlan::Streamed);
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
