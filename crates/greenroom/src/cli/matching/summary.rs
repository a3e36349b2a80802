//! Summary of all queries, as text or JSON.

use greenroom_library::matching::MatchDecision;
use serde_json::json;

use greenroom_proxy::shadow::report::format_thousands;

/// Result counts of all queries.
#[derive(Debug, Default)]
pub(super) struct MatchSummary {
    pub(super) tracks: u64,
    pub(super) queries: u64,
    pub(super) accepted: u64,
    pub(super) review: u64,
    pub(super) rejected: u64,
    pub(super) bad_tracks: u64,
    pub(super) bad_queries: u64,
}

impl MatchSummary {
    pub(super) fn count(&mut self, decision: MatchDecision) {
        match decision {
            MatchDecision::Accept => self.accepted += 1,
            MatchDecision::Review => self.review += 1,
            MatchDecision::Reject => self.rejected += 1,
        }
    }

    pub(super) fn print(&self, as_json: bool) {
        let MatchSummary { tracks, queries, accepted, review, rejected, bad_tracks, bad_queries } = self;
        if as_json {
            let summary = json!({
                "tracks": tracks, "queries": queries, "accept": accepted, "review": review, "reject": rejected,
                "bad_tracks": bad_tracks, "bad_queries": bad_queries,
            });
            println!("{summary}");
            return;
        }
        println!("{} queries against {} tracks", format_thousands(*queries), format_thousands(*tracks));
        println!(
            "accepted {}, to be reviewed {}, rejected {}",
            format_thousands(*accepted),
            format_thousands(*review),
            format_thousands(*rejected)
        );
        if bad_tracks + bad_queries > 0 {
            println!("rows that could not be read: {bad_tracks} of the library, {bad_queries} of the queries");
        }
    }
}
