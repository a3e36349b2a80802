//! The count of requests.

use greenroom_simulator::class::RequestClass;

use crate::harness::PlexFixture;

#[tokio::test]
async fn every_request_is_counted_by_class_and_token() {
    let server = PlexFixture::quick().await;
    server.get("/identity").token(None).send().await;
    server.get("/library/sections").send().await;
    server.get("/library/sections/1/all?X-Plex-Token=plx-sam&type=1").token(None).send().await;
    server.get("/:/scrobble?key=1").by("owner-b").send().await;
    server.get("/library/metadata/1/thumb/1").token(Some("wrong")).send().await;
    let ledger = server.running.request_log();
    assert_eq!(ledger.total(), 5);
    let by_class: Vec<(RequestClass, u64)> = ledger.by_class().into_iter().collect();
    let once = |class| (class, 1);
    assert_eq!(
        by_class,
        [RequestClass::Identity, RequestClass::Sections, RequestClass::List, RequestClass::Image, RequestClass::Write]
            .map(once)
    );
    let by_token = ledger.by_token();
    for label in ["none", "owner-a", "owner-b", "sam", "unknown"] {
        assert_eq!(by_token[label], 1, "{label}");
    }
    assert_eq!(ledger.requests()[2].target, "/library/sections/1/all?type=1", "the token is left out");
    server.done().await;
}

#[tokio::test]
async fn the_ledger_is_read_over_http_without_being_counted() {
    let server = PlexFixture::quick().await;
    server.get("/library/sections").send().await;
    server.get("/nowhere").send().await;
    let page = server.get("/__simulator/ledger").token(None).json().await;
    assert_eq!(page["total"], 2);
    assert_eq!(page["by_class"]["sections"], 1);
    assert_eq!(page["by_class_and_token"]["sections"]["owner-a"], 1);
    assert_eq!(page["by_status"]["404"], 1);
    assert_eq!(server.get("/__simulator/requests").json().await[0]["target"], "/library/sections");
    assert_eq!(server.running.request_log().total(), 2);
    assert_eq!(server.delete("/__simulator/ledger").status().await, 204);
    assert_eq!(server.running.request_log().total(), 0);
    server.done().await;
}

#[tokio::test]
async fn requests_at_the_same_time_are_seen_as_such() {
    let server = PlexFixture::quick().await;
    server.running.faults().set(greenroom_simulator::faults::Fault::Hang);
    let three = async { tokio::join!(server.get("/a").send(), server.get("/b").send(), server.get("/c").send()) };
    let lift = async {
        server.running.request_log().wait_for_total(3).await;
        server.running.faults().clear();
    };
    tokio::join!(three, lift);
    assert_eq!((server.running.request_log().max_in_flight(), server.running.request_log().in_flight()), (3, 0));
    assert_eq!(server.running.request_log().connections(), 3);
    server.done().await;
}
