//! Verdict of the race: requests sent to the servers and latencies of both targets. Time without servers is left out of
//! both, and reported apart.

use std::fmt::Write as _;
use std::time::Duration;

use super::comparison::PlaylistResult;
use super::live_stats::{OutageCounters, TargetStatsView};

/// With fewer direct requests a percentage says nothing.
const MIN_REQUESTS: u64 = 20;

/// Figures of both targets, direct first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RaceVerdict {
    sent: [u64; 2],
    p50_ms: [f64; 2],
    playlist: [Option<PlaylistResult>; 2],
    outages: [OutageCounters; 2],
    downtime: Duration,
}

impl RaceVerdict {
    /// Figures so far, with the total time without servers.
    pub(super) fn new(direct: &TargetStatsView, through: &TargetStatsView, downtime: Duration) -> Self {
        Self {
            sent: [direct.reached, through.reached],
            p50_ms: [direct.p50_ms, through.p50_ms],
            playlist: [direct.playlist, through.playlist],
            outages: [direct.outages, through.outages],
            downtime,
        }
    }

    /// Percentage of the direct requests that are not sent to the servers through Greenroom; negative if more are.
    /// `None` while there are too few requests.
    pub(super) fn percent_fewer(&self) -> Option<f64> {
        let [direct, through] = self.sent;
        (direct >= MIN_REQUESTS).then(|| (100.0 * (1.0 - through as f64 / direct as f64)).round())
    }

    /// Requests and latencies, in one sentence.
    pub(super) fn sentence(&self) -> String {
        let ([sent, sent_through], [p50, p50_through]) = (self.sent, self.p50_ms);
        let percent = match self.percent_fewer() {
            None => String::new(),
            Some(fewer) if fewer < 0.0 => format!(" ({:.0} % more)", -fewer),
            Some(fewer) => format!(" ({fewer:.0} % fewer)"),
        };
        format!(
            "{} requests sent to the servers directly, {} through Greenroom{percent}; median response {p50} ms directly, \
             {p50_through} ms through Greenroom.",
            grouped(sent),
            grouped(sent_through)
        )
    }

    /// Everything, in a few sentences.
    pub(super) fn summary(&self) -> String {
        let mut text = self.sentence();
        if let [Some(direct), Some(through)] = self.playlist {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                " A playlist of {} tracks took {:.1} s by searching the server, and {:.1} s handed to Greenroom.",
                through.tracks, direct.took_s, through.took_s
            );
        }
        let down_s = self.downtime.as_secs();
        if down_s > 0 {
            let [direct, through] = self.outages.map(answered);
            let _ = write!(
                text,
                " Without servers, {direct} requests were answered directly and {through} through Greenroom; these \
                 {down_s} s are left out of the other figures."
            );
        }
        text
    }
}

fn answered(outages: OutageCounters) -> String {
    format!("{} of {}", grouped(outages.answered), grouped(outages.answered + outages.failed))
}

/// Formats a number with a comma between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(direct: u64, through: u64) -> RaceVerdict {
        RaceVerdict {
            sent: [direct, through],
            p50_ms: [40.0, 0.5],
            playlist: [None; 2],
            outages: [OutageCounters::default(); 2],
            downtime: Duration::ZERO,
        }
    }

    #[test]
    fn a_percentage_needs_some_requests() {
        assert_eq!(verdict(19, 0).percent_fewer(), None);
        assert_eq!(verdict(20, 5).percent_fewer(), Some(75.0));
        assert_eq!(verdict(20, 30).percent_fewer(), Some(-50.0));
        assert!(verdict(20, 30).sentence().contains("(50 % more)"));
        assert!(!verdict(2, 30).sentence().contains('%'));
    }

    #[test]
    fn the_time_without_servers_is_reported_and_left_out() {
        let quiet = verdict(200, 50);
        assert!(!quiet.summary().contains("Without servers"));
        let failed = OutageCounters { answered: 0, failed: 30, oldest_s: None };
        let served = OutageCounters { answered: 29, failed: 1, oldest_s: Some(9) };
        let dark = RaceVerdict { outages: [failed, served], downtime: Duration::from_millis(12_900), ..quiet };
        let text = dark.summary();
        assert!(text.contains("0 of 30 requests were answered directly and 29 of 30 through Greenroom"), "{text}");
        assert!(text.contains("these 12 s are left out"), "{text}");
        assert!(text.starts_with(&quiet.sentence()), "{text}");
    }

    #[test]
    fn thousands_are_grouped() {
        let texts = [0, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn a_playlist_is_named_once_both_sides_have_finished_it() {
        let result = |took_s| Some(PlaylistResult { tracks: 54, took_s });
        let waiting = RaceVerdict { playlist: [None, result(1.2)], ..verdict(200, 50) };
        assert!(!waiting.summary().contains("playlist"));
        let done = RaceVerdict { playlist: [result(21.4), result(1.2)], ..waiting };
        assert!(done.summary().contains("54 tracks took 21.4 s by searching the server, and 1.2 s handed"));
    }
}
