//! Rows of one list that show the same other name of an artist.

use greenroom_library::matching::{MatchDecision, MatchPolicy, TrackMatchReason};

use super::{MatchingFixture, track, track_query};

const TITLES: [&str; 3] = ["Toe Cutter", "Web", "Withered Hand"];

async fn decisions(fixture: &MatchingFixture, titles: &[&str]) -> Vec<MatchDecision> {
    let rows: Vec<_> = titles.iter().map(|title| track_query("Oh Sees", title)).collect();
    let resolved = fixture.matching.resolve(&fixture.library, &rows, MatchPolicy::Strict).await;
    let has_reason = |reasons: &[TrackMatchReason]| reasons.contains(&TrackMatchReason::SameRenaming);
    for row in resolved.iter().filter(|row| row.decision == MatchDecision::Accept) {
        assert!(has_reason(&row.candidates[0].reasons), "{:?}", row.candidates[0].reasons);
    }
    resolved.iter().map(|row| row.decision).collect()
}

#[tokio::test]
async fn three_rows_that_call_an_artist_by_the_same_other_name_are_accepted_together_and_again() {
    let items: Vec<_> = (10..).zip(TITLES).map(|(key, title)| track(&key.to_string(), "Thee Oh Sees", title)).collect();
    let fixture = MatchingFixture::new(&items);
    assert_eq!(decisions(&fixture, &TITLES[..2]).await, [MatchDecision::Review; 2], "two rows are no evidence");
    for _ in 0..2 {
        assert_eq!(decisions(&fixture, &TITLES).await, [MatchDecision::Accept; 3]);
    }
}
