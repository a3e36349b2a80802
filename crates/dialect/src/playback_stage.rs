//! Stages of an item's playback by position: new, in progress, or played.
//!
//! A server decides by percentages of the running time: below one an item is not in progress yet, above another it
//! counts as played. Both are settings of the server (5 and 90 as shipped), which this program does not read. So each
//! percent near either end counts as a stage of its own, and the middle as one.

use greenroom_library::lineage::Lineage;

use crate::classification::{ReportedProgress, ThrottledInvalidation};
use crate::sabotage::is_disabled;

/// The highest percentage at which an item may not be in progress yet.
const BEGINNING: u64 = 25;

/// The lowest percentage at which an item may count as played.
const END: u64 = 75;

/// Stage of an item's playback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaybackStage {
    /// Playback starts: another play of the item.
    Start,
    /// One of the stages that may be different things to a server.
    Known(u64),
    /// A position in an item of unknown running time.
    Unknown,
    /// A report without a position.
    Untold,
}

impl PlaybackStage {
    /// The stage of a report. A running time that it does not tell may be known from responses.
    pub fn of(report: &ThrottledInvalidation, lineage: &Lineage) -> Self {
        match report.progress {
            ReportedProgress::Started => Self::Start,
            ReportedProgress::Untold => Self::Untold,
            ReportedProgress::At { position, run_time } => {
                match run_time.or_else(|| lineage.run_time(&report.item)).filter(|run_time| *run_time > 0) {
                    Some(run_time) => Self::at(position, run_time),
                    None => Self::Unknown,
                }
            }
        }
    }

    fn at(position: u64, run_time: u64) -> Self {
        let hundredfold = u128::from(position) * 100;
        let run_time = u128::from(run_time);
        let whole = u64::try_from(hundredfold / run_time).unwrap_or(u64::MAX);
        // Played is what is above a percentage, in progress what has reached one.
        let rounded_up = u64::try_from(hundredfold.div_ceil(run_time)).unwrap_or(u64::MAX);
        match whole {
            ..=BEGINNING => Self::Known(whole),
            _ if rounded_up >= END => Self::Known(rounded_up),
            _ => Self::Known(BEGINNING + 1),
        }
    }

    /// Whether the item may be something else now than at the last report, at stage `last`.
    pub fn may_differ(self, last: Self) -> bool {
        match (self, last) {
            (Self::Untold, _) => false,
            (Self::Known(now), Self::Known(last)) => now != last && !is_disabled("stage"),
            (Self::Start | Self::Unknown | Self::Known(_), _) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_item_is_one_stage_and_both_ends_have_one_for_each_percent() {
        let at = |position| PlaybackStage::at(position, 1000);
        assert_eq!(at(0), at(9));
        assert_ne!(at(49), at(50), "5 percent are in progress");
        assert_eq!(at(300), at(700));
        assert_ne!(at(900), at(901), "more than 90 percent are played");
        assert_ne!(at(700), at(999));
        assert_ne!(at(1000), at(5000), "beyond the end");
    }

    #[test]
    fn a_report_is_news_unless_the_stage_is_known_to_be_the_same() {
        let report = |progress| ThrottledInvalidation { item: "film".into(), progress, invalidations: Vec::new() };
        let mut lineage = Lineage::new(10);
        let at = |position| report(ReportedProgress::At { position, run_time: None });
        let first = PlaybackStage::of(&at(30), &lineage);
        assert!(PlaybackStage::of(&at(31), &lineage).may_differ(first), "of unknown length");
        lineage.record_run_time("film", 100);
        let first = PlaybackStage::of(&at(30), &lineage);
        assert!(!PlaybackStage::of(&at(31), &lineage).may_differ(first));
        assert!(PlaybackStage::of(&at(91), &lineage).may_differ(first));
        assert!(PlaybackStage::of(&report(ReportedProgress::Started), &lineage).may_differ(first));
        assert!(!PlaybackStage::of(&report(ReportedProgress::Untold), &lineage).may_differ(first));
    }
}
