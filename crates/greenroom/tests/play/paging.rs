//! Paging by query and by header share what is cached, also before a server that reads only one of both forms: every
//! listing ends.

use std::collections::BTreeSet;

use greenroom_cache::{Invalidation, InvalidationMode, Scope};
use greenroom_simulator::plex::{Plex, PlexOptions, PlexSwitches};
use greenroom_simulator::simulated_server::SimulatedServer;
use tokio_util::task::TaskTracker;

use crate::fixture::waiting::until;
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

const LIST: &str = "/library/sections/1/all?type=1";
const FILMS: usize = 30;
const SIZE: usize = 7;
/// Pages of a listing that ends: five with films, and an empty one.
const PAGES: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PagingForm {
    Query,
    Headers,
}

const FORMS: [PagingForm; 2] = [PagingForm::Query, PagingForm::Headers];

/// One page as a client sees it.
struct Page {
    keys: Vec<String>,
    /// End of the list, as `PlexAPI` reads it.
    end: usize,
    was_hit: bool,
}

async fn page(client: &TestClient, form: PagingForm, start: usize) -> Page {
    let said = match form {
        PagingForm::Query => {
            client.get(&format!("{LIST}&X-Plex-Container-Start={start}&X-Plex-Container-Size={SIZE}")).await
        }
        PagingForm::Headers => {
            let client = client.with("x-plex-container-start", &start.to_string());
            client.with("x-plex-container-size", &SIZE.to_string()).get(LIST).await
        }
    };
    assert_eq!(said.status, 200, "{}", said.text());
    let container = said.json()["MediaContainer"].take();
    let rows = container["Metadata"].as_array().cloned().unwrap_or_default();
    let keys: Vec<String> = rows.iter().map(|row| row["ratingKey"].as_str().expect("a key").to_owned()).collect();
    let end = container["totalSize"].as_u64().or(container["size"].as_u64()).expect("a length");
    Page { keys, end: usize::try_from(end).expect("few rows"), was_hit: said.was_hit() }
}

/// A listing by a client that asks until a page is empty: the number of hits among its pages. Each film comes once.
async fn list(client: &TestClient, form: PagingForm, what: &str) -> usize {
    let (mut seen, mut hits) = (Vec::new(), 0);
    for number in 0..PAGES {
        let page = page(client, form, number * SIZE).await;
        hits += usize::from(page.was_hit);
        if page.keys.is_empty() {
            let different: BTreeSet<&String> = seen.iter().collect();
            assert_eq!((seen.len(), different.len(), number + 1), (FILMS, FILMS, PAGES), "{what}");
            return hits;
        }
        seen.extend(page.keys);
    }
    panic!("{what}: after {PAGES} pages and {} films of {FILMS} there is no end", seen.len());
}

/// A listing in the form that the server does not read: it gets what it gets without a gateway, the whole list each
/// time, or a page that is cached, and ends at the stated length.
async fn list_unread(client: &TestClient, form: PagingForm, what: &str) {
    let (mut seen, mut start) = (BTreeSet::new(), 0);
    loop {
        let page = page(client, form, start).await;
        seen.extend(page.keys);
        start += SIZE;
        if start > page.end {
            break;
        }
    }
    assert_eq!(seen.len(), FILMS, "{what}");
}

/// A server, and a gateway before it.
async fn play(switches: PlexSwitches) -> (SimulatedServer, GatewayFixture, TestClient) {
    let options = PlexOptions { switches, ..PlexOptions::quick() };
    let (address, tasks) = ("127.0.0.1:0".parse().expect("an address"), TaskTracker::new());
    let server = Plex::new(options).start(address, &tasks).await.expect("it starts");
    let token = format!("token = \"{}\"\n", server.tokens().owner_a());
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), &token).start().await;
    // Pages from before the feed was heard are asked for again.
    let feed = &stage.process.servers[0].0.feed;
    until(|| feed.is_whole()).await;
    let client = stage.client().with("x-plex-token", server.tokens().owner_a()).with("accept", "application/json");
    (server, stage, client)
}

fn forget(stage: &GatewayFixture) {
    let everything = Invalidation { mode: InvalidationMode::Purge, grace_period: None, unstorable_for: None };
    stage.process.cache.invalidate(&Scope::All, &everything);
}

/// The forms a server reads, and its switches.
fn servers() -> [(&'static [PagingForm], PlexSwitches); 3] {
    [
        (&FORMS, PlexSwitches::default()),
        (&[PagingForm::Headers], PlexSwitches { ignores_paging_in_query: true, ..PlexSwitches::default() }),
        (&[PagingForm::Query], PlexSwitches { ignores_paging_in_headers: true, ..PlexSwitches::default() }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reads_one_form_ends_every_listing() {
    for (read, switches) in servers() {
        let (server, stage, client) = play(switches).await;
        for order in [FORMS, [FORMS[1], FORMS[0]]] {
            forget(&stage);
            for form in order {
                let what = format!("{form:?} of {order:?} where {read:?} is read");
                if read.contains(&form) {
                    list(&client, form, &what).await;
                } else {
                    list_unread(&client, form, &what).await;
                }
            }
            // Now the pages are cached for every client, in every form.
            for form in order {
                let what = format!("{form:?} again, {read:?} is read");
                assert_eq!(list(&client, form, &what).await, PAGES, "{what}");
            }
        }
        stage.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_forms_at_once_get_no_page_of_each_other() {
    for (read, switches) in servers() {
        let (server, stage, client) = play(switches).await;
        for round in 0..4 {
            forget(&stage);
            let listing = |form: PagingForm| {
                let client = &client;
                async move {
                    let what = format!("{form:?} in round {round}, {read:?} is read");
                    if read.contains(&form) {
                        list(client, form, &what).await;
                    } else {
                        list_unread(client, form, &what).await;
                    }
                }
            };
            tokio::join!(listing(FORMS[0]), listing(FORMS[1]), listing(FORMS[0]), listing(FORMS[1]));
        }
        stage.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_the_server_does_not_page_reaches_client_and_dashboard_and_is_counted_by_its_reason() {
    let switches = PlexSwitches { ignores_paging_in_query: true, ..PlexSwitches::default() };
    let (server, stage, client) = play(switches).await;
    let whole = client.get(&format!("{LIST}&X-Plex-Container-Start=0&X-Plex-Container-Size={SIZE}")).await;
    assert_eq!(whole.header("cache-status"), "Greenroom; fwd=bypass; detail=other-page");
    assert_eq!(whole.json()["MediaContainer"]["Metadata"].as_array().map(Vec::len), Some(FILMS));

    let recent = stage.control().get("/api/plex/media/recent").await;
    assert_eq!(recent.status, 200, "{}", recent.text());
    assert_eq!(recent.json()["unavailable"], serde_json::json!([]), "{}", recent.text());
    assert!(recent.json()["media"].as_array().is_some_and(|media| !media.is_empty()), "{}", recent.text());
    stage.stop().await;
    server.stop().await;
}
