//! A write to an item of a known section reaches lists of that section, and none of others.

use greenroom_dialect::reach;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::tag::{Tag, TagInvalidation};
use greenroom_library::lineage::Lineage;
use http::{HeaderMap, HeaderValue};

use crate::test_request::{get, send};

/// Film 583 of section 2, as a list of that section shows it.
const FILMS: &str = r#"{"MediaContainer":{"librarySectionID":2,"Metadata":[{"ratingKey":"583","type":"movie"}]}}"#;

/// Lists that a mark of a film may change.
const OF_FILMS: [&str; 6] = [
    "/library/sections/2/all?unwatched=1",
    "/library/sections/2/all?sort=userRating:desc",
    "/library/sections/2/onDeck",
    "/hubs/sections/2",
    "/hubs",
    "/library/onDeck",
];

const OF_MUSIC: [&str; 5] = [
    "/library/sections/3/all?unwatched=1",
    "/library/sections/3/all?sort=userRating:desc",
    "/library/sections/3/recentlyViewed",
    "/hubs/sections/3",
    "/hubs/sections/3/continueWatching",
];

fn lineage() -> Lineage {
    let mut json = HeaderMap::new();
    json.insert("content-type", HeaderValue::from_static("application/json"));
    let read = get("/library/sections/2/all").json().read();
    let facts = ServerKind::Plex.inspect(&read, &json, &FILMS.into()).expect("the body fits");
    let mut lineage = Lineage::new(10);
    facts.record(&mut lineage, 0);
    lineage
}

fn reaches(lineage: &Lineage, stale: &[TagInvalidation], target: &str) -> bool {
    let tags = reach::resolved(lineage, get(target).read().tags);
    let stale = reach::expanded(lineage, stale);
    stale.iter().any(|stale| stale.tag == Tag::all() || tags.contains(&stale.tag))
}

#[test]
fn a_mark_of_a_film_leaves_lists_of_music_alone() {
    for write in ["/:/scrobble?key=583", "/:/timeline?ratingKey=583&state=stopped&time=9"] {
        let stale = get(write).token("some-token").write().invalidations;
        for target in OF_FILMS {
            assert!(reaches(&lineage(), &stale, target), "{write} must reach {target}");
        }
        for target in OF_MUSIC {
            assert!(!reaches(&lineage(), &stale, target), "{write} must leave {target}");
            assert!(reaches(&Lineage::new(1), &stale, target), "{write}: of an unknown item, {target} may show it");
        }
    }
}

#[test]
fn a_rating_reaches_what_shows_it_and_lists_by_ratings() {
    let stale = get("/:/rate?key=583&rating=8").token("some-token").write().invalidations;
    for target in [
        "/library/metadata/583",
        "/library/sections/2/all?sort=userRating:desc",
        "/library/sections/2/all?userRating%3E%3E=5",
        "/library/sections/2/all?unwatched=1&sort=lastRatedAt",
        "/library/sections/2/all?unheardOf=1",
        "/hubs/sections/2",
        "/hubs",
    ] {
        assert!(reaches(&lineage(), &stale, target), "{target}");
    }
    for target in [
        "/library/sections/2/all",
        "/library/sections/2/all?unwatched=1",
        "/library/sections/2/all?sort=lastViewedAt:desc",
        "/library/sections/2/onDeck",
        "/library/sections/3/all?sort=userRating:desc",
    ] {
        assert!(!reaches(&lineage(), &stale, target), "{target}: it does not show the film");
    }
}

#[test]
fn what_is_left_out_of_what_is_continued_is_shown_elsewhere_as_before() {
    let stale = send("PUT", "/actions/removeFromContinueWatching?ratingKey=583").token("t").write().invalidations;
    for target in ["/library/onDeck", "/library/sections/2/onDeck", "/hubs/continueWatching/items", "/hubs"] {
        assert!(reaches(&lineage(), &stale, target), "{target}");
    }
    for target in
        ["/library/metadata/583", "/library/sections/2/all?unwatched=1", "/library/sections/2/all?inProgress=1"]
    {
        assert!(!reaches(&lineage(), &stale, target), "{target}");
    }
}

#[test]
fn an_edit_of_a_film_leaves_lists_of_music_alone() {
    let stale = send("PUT", "/library/metadata/583?title.value=x").token("some-token").write().invalidations;
    assert!(reaches(&lineage(), &stale, "/library/sections/2/all?title=x"));
    assert!(!reaches(&lineage(), &stale, "/library/sections/3/all?title=x"));
    assert!(reaches(&Lineage::new(1), &stale, "/library/sections/3/all?title=x"), "of an unknown item");
}

#[test]
fn an_edited_summary_leaves_lists_that_do_not_show_the_item() {
    for write in [
        "/library/metadata/583?summary.value=x&summary.locked=1&X-Plex-Token=t",
        "/library/sections/2/all?type=1&id=583&summary.value=x",
    ] {
        let stale = send("PUT", write).token("some-token").write().invalidations;
        assert!(reaches(&lineage(), &stale, "/library/metadata/583"), "{write}");
        assert!(!reaches(&lineage(), &stale, "/library/sections/2/all?title=Another"), "{write}");
    }
    for write in ["/library/metadata/583?summary.value=x&year.value=1999", "/library/metadata/583"] {
        let stale = send("PUT", write).token("some-token").write().invalidations;
        assert!(reaches(&lineage(), &stale, "/library/sections/2/all?title=Another"), "{write}");
    }
}

/// The members of collections and playlists are not known.
#[test]
fn a_mark_of_a_set_reaches_all_state_of_the_user() {
    let stale = get("/:/scrobble?key=77").token("some-token").write().invalidations;
    assert!(reaches(&lineage(), &stale, "/library/sections/2/all"), "a collection of films");
    let stale = get("/:/scrobble?key=583").token("some-token").write().invalidations;
    assert!(!reaches(&lineage(), &stale, "/library/sections/2/all"), "a film, which is not among its rows");
}
