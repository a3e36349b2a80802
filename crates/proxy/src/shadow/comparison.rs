//! Whether the answer the cache would have given was the right one, and if not, which rule explains that.

use bytes::Bytes;
use greenroom_dialect::class::Class;
use http::StatusCode;

/// What came of comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Byte for byte the same.
    Same,
    /// The real answer, or the one that was kept, passed without a body: there is nothing to compare.
    Unread,
    /// The server failed; the cache would have answered.
    Rescued,
    /// They differ.
    Differs(Rule),
}

impl Comparison {
    /// Whether they differ for a reason nobody knows.
    pub fn is_unexplained(self) -> bool {
        self == Self::Differs(Rule::Unexplained)
    }
}

/// What explains a difference. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// What the class tells moves by itself from second to second; its lifetime says how far behind it may be.
    Moves,
    /// The same question was asked, and the server answers it otherwise now: something changed there, within the age
    /// that answers of this class may have.
    Changed,
    /// The server refuses the token by now; its yes still held.
    RightEnded,
    /// The question was asked in other words, which the key takes for the same ones; or the answer is older than it
    /// may be.
    Unexplained,
}

/// The answer the cache would have given.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its bytes; `None` if they never passed.
    pub body: Option<Bytes>,
    /// The words of the question that brought it.
    pub question: Option<u64>,
    /// Whether its age was allowed when it would have been given.
    pub is_in_time: bool,
}

/// The real answer.
#[derive(Debug, Clone)]
pub struct Real {
    /// Its status; `None` if the server gave none.
    pub status: Option<StatusCode>,
    /// Its bytes; `None` if none passed.
    pub body: Option<Bytes>,
    /// The words of the question.
    pub question: u64,
}

/// Compares. Pure.
pub fn compare(class: Class, kept: &Kept, real: &Real) -> Comparison {
    match real.status.map(|status| status.as_u16()) {
        None | Some(500..) => return Comparison::Rescued,
        Some(401 | 403 | 498) => return Comparison::Differs(Rule::RightEnded),
        Some(200) => {}
        Some(304) => return Comparison::Unread,
        Some(_) => return Comparison::Differs(explain(class, kept, real)),
    }
    match (&kept.body, &real.body) {
        (Some(kept), Some(real)) if kept == real => Comparison::Same,
        (Some(_), Some(_)) => Comparison::Differs(explain(class, kept, real)),
        _ => Comparison::Unread,
    }
}

fn explain(class: Class, kept: &Kept, real: &Real) -> Rule {
    if !kept.is_in_time {
        Rule::Unexplained
    } else if moves_by_itself(class) {
        Rule::Moves
    } else if kept.question == Some(real.question) {
        Rule::Changed
    } else {
        Rule::Unexplained
    }
}

/// Whether answers of this class change while nobody does anything: positions, loads, times of last activity.
fn moves_by_itself(class: Class) -> bool {
    matches!(
        class,
        Class::Activities | Class::Sessions | Class::LiveStatistics | Class::Statistics | Class::ActivityLog
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &'static str) -> Kept {
        Kept { body: Some(Bytes::from_static(body.as_bytes())), question: Some(1), is_in_time: true }
    }

    fn real(status: u16, body: &'static str) -> Real {
        Real {
            status: StatusCode::from_u16(status).ok(),
            body: Some(Bytes::from_static(body.as_bytes())),
            question: 1,
        }
    }

    #[test]
    fn the_same_bytes_are_the_same_whatever_was_asked() {
        let otherwise = Real { question: 2, ..real(200, "a") };
        assert_eq!(compare(Class::Lists, &kept("a"), &otherwise), Comparison::Same);
    }

    #[test]
    fn every_difference_has_a_rule() {
        let late = Kept { is_in_time: false, ..kept("a") };
        let otherwise = Real { question: 2, ..real(200, "b") };
        for (class, kept, real, rule) in [
            (Class::Sessions, kept("a"), real(200, "b"), Rule::Moves),
            (Class::Sessions, late.clone(), real(200, "b"), Rule::Unexplained),
            (Class::Lists, kept("a"), real(200, "b"), Rule::Changed),
            (Class::Lists, late, real(200, "b"), Rule::Unexplained),
            (Class::Lists, kept("a"), otherwise, Rule::Unexplained),
            (Class::Item, kept("a"), real(404, ""), Rule::Changed),
            (Class::Item, kept("a"), real(401, ""), Rule::RightEnded),
        ] {
            assert_eq!(
                compare(class, &kept, &real),
                Comparison::Differs(rule),
                "{class:?} {kept:?} {real:?}"
            );
        }
    }

    #[test]
    fn what_passed_without_a_body_is_not_judged() {
        let unread = Kept { body: None, ..kept("") };
        assert_eq!(compare(Class::Images, &unread, &real(200, "b")), Comparison::Unread);
        assert_eq!(compare(Class::Images, &kept("a"), &real(304, "")), Comparison::Unread);
        let head = Real { body: None, ..real(200, "") };
        assert_eq!(compare(Class::Images, &kept("a"), &head), Comparison::Unread);
    }

    #[test]
    fn a_server_that_fails_differs_from_nothing() {
        assert_eq!(compare(Class::Lists, &kept("a"), &real(503, "")), Comparison::Rescued);
        let silent = Real { status: None, ..real(200, "") };
        assert_eq!(compare(Class::Lists, &kept("a"), &silent), Comparison::Rescued);
    }
}
