//! What came of all queries, and how that is said.

use greenroom_library::tracks::Decision;
use serde_json::json;

use greenroom_proxy::shadow::report::grouped;

/// What came of all queries.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) tracks: u64,
    pub(super) queries: u64,
    pub(super) accepted: u64,
    pub(super) review: u64,
    pub(super) rejected: u64,
    pub(super) bad_tracks: u64,
    pub(super) bad_queries: u64,
}

impl Summary {
    pub(super) fn count(&mut self, decision: Decision) {
        match decision {
            Decision::Accept => self.accepted += 1,
            Decision::Review => self.review += 1,
            Decision::Reject => self.rejected += 1,
        }
    }

    /// Prints it.
    pub(super) fn tell(&self, as_json: bool) {
        let Summary { tracks, queries, accepted, review, rejected, bad_tracks, bad_queries } = self;
        if as_json {
            let summary = json!({
                "tracks": tracks, "queries": queries, "accept": accepted, "review": review, "reject": rejected,
                "bad_tracks": bad_tracks, "bad_queries": bad_queries,
            });
            println!("{summary}");
            return;
        }
        println!("{} queries against {} tracks", grouped(*queries), grouped(*tracks));
        println!(
            "accepted {}, to be reviewed {}, rejected {}",
            grouped(*accepted),
            grouped(*review),
            grouped(*rejected)
        );
        if bad_tracks + bad_queries > 0 {
            println!(
                "rows that could not be read: {bad_tracks} of the library, {bad_queries} of the queries"
            );
        }
    }
}
