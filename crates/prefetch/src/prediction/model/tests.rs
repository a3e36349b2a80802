//! Learning and prediction, and that no server response can turn a prediction into anything else than a read.

use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;

use super::*;
use greenroom_dialect::classification::{Classification, SharingScope};
use greenroom_dialect::request::RequestView;

const CLASSES: [Class; 3] = [Class::Item, Class::Lists, Class::Images];
const LIMITS: PredictionLimits<'_> = PredictionLimits { most: 12, classes: &CLASSES };
const ME: &str = "08ca909f6d1044aa9930be392943948f";

/// A client of a server.
struct PredictionClient {
    kind: ServerKind,
    model: PredictionModel,
}

impl PredictionClient {
    fn at(kind: ServerKind) -> Self {
        Self { kind, model: PredictionModel::default() }
    }

    fn read(&self, target: &str) -> Read {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("application/json"));
        let request = RequestView { method: &Method::GET, target, headers: &headers, body: &[] };
        match self.kind.classify(&request, Some(ME)) {
            Classification::Read(read) => std::sync::Arc::unwrap_or_clone(read),
            other => panic!("{target} is {other:?}"),
        }
    }

    /// Requests a target, receives this body, and returns the keys predicted next.
    fn sees(&mut self, target: &str, body: &str) -> Vec<String> {
        let read = self.read(target);
        self.model.learn(self.kind, &read);
        let context = ClientContext { own_user: Some(ME), token: Some("a-token-of-mine"), product: None };
        let expected = self.model.predict(self.kind, &read, body.as_bytes(), context, LIMITS);
        expected.into_iter().map(|expected| expected.read.key).collect()
    }

    /// The keys of requests to these targets.
    fn keys(&self, targets: &[String]) -> Vec<String> {
        targets.iter().map(|target| self.read(target).key).collect()
    }
}

fn plex_rows(kind: &str, ids: std::ops::Range<u32>) -> String {
    let row = |id| format!(r#"{{"ratingKey":"{id}","type":"{kind}","thumb":"/library/metadata/{id}/thumb/9"}}"#);
    let rows: Vec<String> = ids.map(row).collect();
    format!(r#"{{"MediaContainer":{{"Metadata":[{}]}}}}"#, rows.join(","))
}

fn children(ids: &[u32]) -> Vec<String> {
    ids.iter().map(|id| format!("/library/metadata/{id}/children?excludeAllLeaves=1")).collect()
}

#[test]
fn nothing_is_predicted_for_a_client_without_a_pattern() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    assert!(client.sees("/library/sections/2/all?type=2", &plex_rows("show", 1..9)).is_empty());
    assert!(client.sees("/library/metadata/1/children", &plex_rows("season", 20..23)).is_empty());
}

#[test]
fn the_next_list_is_predicted_as_far_as_the_last_one_was_followed() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    client.sees("/library/metadata/1/children", &plex_rows("season", 20..25));
    for target in children(&[20, 21]) {
        assert!(client.sees(&target, &plex_rows("episode", 100..105)).is_empty());
    }
    let expected = client.sees("/library/metadata/2/children", &plex_rows("season", 30..35));
    assert_eq!(expected, client.keys(&children(&[30, 31])));
    let of_shows = client.sees("/library/sections/2/all?type=2", &plex_rows("show", 40..45));
    assert!(of_shows.is_empty(), "rows of another kind: {of_shows:?}");
}

#[test]
fn a_list_read_to_its_end_does_not_limit_predictions_of_longer_ones() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    let picture = |id: u32| format!("/library/metadata/{id}/thumb/9");
    client.sees("/library/sections/1/all?type=1", &plex_rows("movie", 1..40));
    (1..6).for_each(|id| drop(client.sees(&picture(id), "")));
    client.sees("/library/onDeck", &plex_rows("movie", 50..52));
    (50..52).for_each(|id| drop(client.sees(&picture(id), "")));
    let expected = client.sees("/library/recentlyAdded", &plex_rows("movie", 60..90));
    assert_eq!(expected, client.keys(&(60..65).map(picture).collect::<Vec<_>>()));
}

#[test]
fn picking_single_rows_does_not_predict_all_rows() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    client.sees("/library/metadata/1/children", &plex_rows("season", 20..25));
    client.sees(&children(&[23])[0], &plex_rows("episode", 100..105));
    assert!(client.sees("/library/metadata/2/children", &plex_rows("season", 30..35)).is_empty());
    client.sees(&children(&[30])[0], &plex_rows("episode", 100..105));
    let next = client.sees("/library/metadata/3/children", &plex_rows("season", 40..45));
    assert!(next.is_empty(), "once the first is not always the first: {next:?}");
}

#[test]
fn opening_every_item_of_a_list_does_not_evict_the_list() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    let item = |id: u32| format!("/library/metadata/{id}?includeChildren=1");
    client.sees("/library/recentlyAdded", &plex_rows("movie", 1..40));
    (1..11).for_each(|id| drop(client.sees(&item(id), &plex_rows("movie", id..id + 1))));
    let expected = client.sees("/library/recentlyAdded", &plex_rows("movie", 60..90));
    assert_eq!(expected, client.keys(&(60..70).map(item).collect::<Vec<_>>()));
}

#[test]
fn a_pattern_that_fails_twice_is_dropped_until_it_is_seen_again() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    let of = |show: u32| format!("/library/metadata/{show}/children");
    client.sees(&of(1), &plex_rows("season", 20..25));
    client.sees(&children(&[20])[0], &plex_rows("episode", 100..105));
    let mut counts = Vec::new();
    for show in 2..10 {
        let (read, body) = (client.read(&of(show)), plex_rows("season", 30 * show..30 * show + 3));
        let next = client.model.predict(ServerKind::Plex, &read, body.as_bytes(), ClientContext::default(), LIMITS);
        for next in &next {
            client.model.record_spent(next.basis);
        }
        counts.push(next.len());
    }
    let until_it_is_sure = MAX_RESPONSES + usize::from(MAX_MISSES);
    let expected: Vec<usize> = (0..8).map(|at| usize::from(at < until_it_is_sure)).collect();
    assert_eq!(counts, expected, "predictions go on until the response they came from is forgotten");
    client.sees(&children(&[270])[0], &plex_rows("episode", 300..305));
    assert_eq!(client.sees(&of(11), &plex_rows("season", 400..405)).len(), 1);
}

#[test]
fn a_pattern_whose_predictions_come_true_is_kept() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    let of = |show: u32| format!("/library/metadata/{show}/children");
    client.sees(&of(1), &plex_rows("season", 20..25));
    client.sees(&children(&[20])[0], &plex_rows("episode", 100..105));
    for show in 2..20 {
        let (read, first) = (client.read(&of(show)), 30 * show);
        let body = plex_rows("season", first..first + 3);
        let next = client.model.predict(ServerKind::Plex, &read, body.as_bytes(), ClientContext::default(), LIMITS);
        assert_eq!(next.len(), 1, "{show}");
        // The request arrives before the load is recorded, or after.
        if show % 2 == 0 {
            client.sees(&children(&[first])[0], "");
        }
        client.model.record_spent(next[0].basis);
        if show % 2 == 1 {
            client.sees(&children(&[first])[0], "");
        }
    }
}

#[test]
fn the_show_of_an_on_deck_episode_is_predicted() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    let deck = |id: u32, season: u32, show: u32| {
        format!(
            r#"{{"MediaContainer":{{"Metadata":[{{"ratingKey":"{id}","type":"episode","parentRatingKey":"{season}","grandparentRatingKey":"{show}"}}]}}}}"#
        )
    };
    client.sees("/library/onDeck", &deck(3, 2, 1));
    client.sees("/library/metadata/1?includeExtras=1", &plex_rows("show", 1..2));
    client.sees("/library/metadata/2/children", &plex_rows("episode", 3..9));
    let predicted = client.sees("/library/onDeck", &deck(13, 12, 11));
    let expected = ["/library/metadata/12/children", "/library/metadata/11?includeExtras=1"];
    assert_eq!(predicted, client.keys(&expected.map(str::to_owned)));
}

#[test]
fn jellyfin_seasons_episodes_and_pictures_are_expected_under_the_very_keys() {
    let mut client = PredictionClient::at(ServerKind::Jellyfin);
    let id = |number: u32| format!("{number:032x}");
    let seasons = |show: u32, from: u32| {
        let row = |season| {
            format!(
                r#"{{"Id":"{}","Type":"Season","SeriesId":"{}","ImageTags":{{"Primary":"{season:08x}"}}}}"#,
                id(season),
                id(show)
            )
        };
        format!(r#"{{"Items":[{}]}}"#, (from..from + 3).map(row).collect::<Vec<_>>().join(","))
    };
    let of = |show: u32| format!("/Shows/{}/Seasons?userId={ME}&Fields=Overview", id(show));
    let episodes = |show: u32, season: u32| {
        format!("/Shows/{}/Episodes?SeasonId={}&userId={ME}&fields=Path", id(show), id(season))
    };
    let picture =
        |season: u32| format!("/Items/{}/Images/Primary?tag={season:08x}&maxWidth=400&quality=90", id(season));
    client.sees(&of(1), &seasons(1, 10));
    client.sees(&picture(10), "");
    client.sees(&episodes(1, 10), r#"{"Items":[]}"#);
    let expected = client.sees(&of(2), &seasons(2, 20));
    assert_eq!(expected, client.keys(&[episodes(2, 20), picture(20)]));
}

#[test]
fn classes_and_counts_are_limited() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    client.sees("/library/metadata/1/children", &plex_rows("season", 20..25));
    for target in children(&[20, 21, 22]) {
        client.sees(&target, "");
    }
    let (read, body) = (client.read("/library/metadata/2/children"), plex_rows("season", 30..35));
    let mut expect = |limits| {
        let expected = client.model.predict(ServerKind::Plex, &read, body.as_bytes(), ClientContext::default(), limits);
        expected.len()
    };
    assert_eq!(expect(PredictionLimits { most: 2, ..LIMITS }), 2);
    assert_eq!(expect(PredictionLimits { classes: &[Class::Images], ..LIMITS }), 0);
    assert_eq!(expect(LIMITS), 3);
}

#[test]
fn no_predicted_key_contains_the_token() {
    let mut client = PredictionClient::at(ServerKind::Jellyfin);
    let secret = "5".repeat(32);
    let body = |id: &str| format!(r#"[{{"Id":"{id}","Type":"Series"}}]"#);
    client.sees(&format!("/Items?userId={ME}"), &body(&"1".repeat(32)));
    client.sees(&format!("/Shows/{}/Seasons", "1".repeat(32)), "[]");
    let read = client.read(&format!("/Items?userId={ME}&limit=3"));
    let mut expect = |token| {
        let context = ClientContext { own_user: Some(ME), token, product: None };
        client.model.predict(ServerKind::Jellyfin, &read, body(&secret).as_bytes(), context, LIMITS).len()
    };
    assert_eq!(expect(Some(secret.as_str())), 0);
    assert_eq!(expect(Some("another")), 1);
}

#[test]
fn what_is_predicted_for_a_kodi_has_the_key_of_its_own_request() {
    let mut client = PredictionClient::at(ServerKind::Jellyfin);
    let body = |id: &str| format!(r#"[{{"Id":"{id}","Type":"Series"}}]"#);
    let (one, other) = ("1".repeat(32), "2".repeat(32));
    client.sees(&format!("/Items?userId={ME}"), &body(&one));
    client.sees(&format!("/Shows/{one}/Seasons"), "[]");
    let read = client.read(&format!("/Items?userId={ME}&limit=3"));
    let seasons = client.read(&format!("/Shows/{other}/Seasons")).key;
    let mut expect = |product| {
        let context = ClientContext { own_user: Some(ME), token: Some("a-token-of-mine"), product };
        let next = client.model.predict(ServerKind::Jellyfin, &read, body(&other).as_bytes(), context, LIMITS);
        next.into_iter().map(|next| next.read.key).collect::<Vec<_>>()
    };
    assert_eq!(expect(Some("Jellyfin Web")), std::slice::from_ref(&seasons));
    assert_eq!(expect(Some("Kodi")), [format!("{seasons}+counts")]);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut client = PredictionClient::at(ServerKind::Plex);
    for round in 0..200 {
        client.sees(&format!("/library/sections/1/all?type=1&year={round}"), &plex_rows("movie", 1..200));
        client.sees(&format!("/library/metadata/{}?checkFiles=0&x={round}", round % 60 + 1), &plex_rows("movie", 1..2));
    }
    assert!(client.model.responses.len() <= 2 * MAX_RESPONSES);
    assert!(client.model.patterns.len() <= MAX_PATTERNS);
    assert!(client.model.responses.iter().all(|shown| shown.rows <= MAX_ROWS));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,3}",
        "[0-9a-f]{32}",
        "[0-9]{1,2}/(refresh|children|thumb/[0-9])",
        "/library/metadata/[0-9]{1,2}/(thumb|art|refresh|theme)/[0-9]{1,3}(\\?X-Plex-Token=a)?",
        "[.%/?&=#~a-zA-Z0-9 -]{0,24}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a server writes into its rows, a prediction is a read of a listed class, in the client's own
    /// partition or an image, in the client's own form, without side effects.
    #[test]
    fn a_body_cannot_make_it_anything_but_a_read_in_the_clients_words(
        words in prop::collection::vec((word(), word(), word()), 1..5),
        is_plex in any::<bool>(),
    ) {
        let mut client = PredictionClient::at(if is_plex { ServerKind::Plex } else { ServerKind::Jellyfin });
        let (first, body) = if is_plex {
            client.sees("/library/sections/2/all?type=2", &plex_rows("show", 1..9));
            for id in 1..9 {
                client.sees(&format!("/library/metadata/{id}/children?a=b"), "");
                client.sees(&format!("/library/metadata/{id}/thumb/9"), "");
                client.sees(&format!("/photo/:/transcode?width=1&height=2&url=%2Flibrary%2Fmetadata%2F{id}%2Fthumb%2F9"), "");
            }
            let rows: Vec<_> = words.iter().map(|(id, parent, thumb)| serde_json::json!(
                {"ratingKey": id, "type": "show", "parentRatingKey": parent, "thumb": thumb, "art": thumb})).collect();
            ("/library/sections/3/all?type=2", serde_json::json!({"MediaContainer": {"Metadata": rows}}))
        } else {
            let id = "1".repeat(32);
            client.sees("/Items?parentId=00000000000000000000000000000009", &format!(r#"[{{"Id":"{id}","Type":"Series","ImageTags":{{"Primary":"t"}}}}]"#));
            client.sees(&format!("/Shows/{id}/Seasons?fields=Path"), "");
            client.sees(&format!("/Items/{id}/Images/Primary?tag=t"), "");
            let rows: Vec<_> = words.iter().map(|(id, parent, tag)| serde_json::json!(
                {"Id": id, "Type": "Series", "SeriesId": parent, "ImageTags": {"Primary": tag}})).collect();
            ("/Items?parentId=00000000000000000000000000000008", serde_json::json!(rows))
        };
        let read = client.read(first);
        let context = ClientContext { own_user: Some(ME), token: Some("a-token-of-mine"), product: None };
        let expected = client.model.predict(client.kind, &read, body.to_string().as_bytes(), context, LIMITS);
        for Prediction { read, .. } in expected {
            prop_assert!(CLASSES.contains(&read.class), "{}", read.key);
            prop_assert!(matches!(read.sharing, SharingScope::Identity | SharingScope::Image(_)));
            let path = read.target.split('?').next().unwrap_or_default();
            let begins = ["/library/metadata/", "/photo/:/transcode", "/Shows/", "/Items/"];
            prop_assert!(begins.iter().any(|begin| path.starts_with(begin)), "{}", read.target);
            prop_assert!(!read.target.contains("refresh") && !read.target.contains(".."), "{}", read.target);
            let headers: HeaderMap = read.headers.iter().cloned().collect();
            let request = RequestView { method: &Method::GET, target: &read.target, headers: &headers, body: &[] };
            prop_assert_eq!(client.kind.classify(&request, Some(ME)), Classification::Read(read.into()));
        }
    }
}
