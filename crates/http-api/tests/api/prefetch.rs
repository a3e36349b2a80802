//! Prefetch rules: after a list, the details of its first rows.

use super::fixture::{Fixture, SeenRequest, answer};

const GRAPHQL: &str = "[[server.route]]\npath = \"/graphql\"\ngraphql = true\nfresh_s = 60\n[[server.route.prefetch]]\n\
    after = \"Menu\"\nvalues = \"/data/projects/*/slug\"\nfirst = 3\noperation = \"Project\"\nvariable = \"slug\"\n";
const MENU: &str = "{\"query\":\"query Menu{projects{slug}}\"}";

fn project(slug: &str) -> String {
    format!(
        "{{\"query\":\"query Project($slug:String!,$lang:String){{project(slug:$slug){{name}}}}\",\
         \"variables\":{{\"slug\":\"{slug}\",\"lang\":\"de\"}}}}"
    )
}

fn menu_of_five(seen: &SeenRequest) -> http::Response<http_body_util::Full<bytes::Bytes>> {
    let owner = seen.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if seen.body.contains("Menu") {
        let rows: Vec<String> = (1..=5).map(|number| format!("{{\"slug\":\"s{number}\"}}")).collect();
        return answer(200, &[], format!("{{\"data\":{{\"projects\":[{}],\"owner\":\"{owner}\"}}}}", rows.join(",")));
    }
    answer(200, &[], format!("{{\"data\":{{\"of\":\"{owner}\"}}}}"))
}

async fn ask(api: &Fixture, owner: &str, body: &str) -> super::fixture::ClientResponse {
    api.send("POST", "/graphql", &[("authorization", owner), ("x-app", "1")], body).await
}

#[tokio::test]
async fn after_a_menu_the_details_of_its_first_rows_are_loaded_as_the_client_asks_for_them() {
    let api = Fixture::new(GRAPHQL, menu_of_five).await;
    ask(&api, "a", &project("s9")).await;
    ask(&api, "a", MENU).await;
    api.wait_seen(5).await;
    for number in 1..=3 {
        let detail = ask(&api, "a", &project(&format!("s{number}"))).await;
        assert!(detail.is_hit() || detail.header("cache-status").contains("collapsed"), "s{number}");
        assert_eq!(detail.body, "{\"data\":{\"of\":\"a\"}}");
    }
    assert_eq!(api.seen().len(), 5, "one detail, the menu, and three details in advance");
    assert!(!ask(&api, "a", &project("s4")).await.is_hit(), "only the first three");
    let loaded: Vec<_> = api.seen().into_iter().skip(2).take(3).collect();
    assert!(loaded.iter().all(|seen| seen.body.contains("\"de\"") && seen.headers["authorization"] == "a"));
    assert_eq!(api.server.prefetch_counters().snapshot().started, 3);
}

#[tokio::test]
async fn a_client_that_never_asked_for_details_gets_none_and_no_other_identitys() {
    let api = Fixture::new(GRAPHQL, menu_of_five).await;
    ask(&api, "b", &project("s9")).await;
    ask(&api, "a", MENU).await;
    ask(&api, "a", "{\"query\":\"{last}\"}").await;
    api.server.tasks.close();
    assert_eq!(api.seen().len(), 3);
    assert_eq!(api.server.prefetch_counters().snapshot().started, 0);
    assert!(!ask(&api, "a", &project("s1")).await.is_hit());
}

#[tokio::test]
async fn nothing_is_loaded_in_advance_while_the_server_is_observed() {
    let api = Fixture::new(GRAPHQL, menu_of_five).await;
    ask(&api, "a", &project("s9")).await;
    assert!(api.server.set_mode(greenroom_config::CacheMode::Observe));
    ask(&api, "a", MENU).await;
    for number in 0..5 {
        // A load in advance would have been sent meanwhile.
        ask(&api, "b", &project(&number.to_string())).await;
    }
    assert_eq!((api.seen().len(), api.server.prefetch_counters().snapshot().started), (7, 0));
}

#[tokio::test]
async fn a_minute_has_only_so_many_loads_and_the_rest_is_counted() {
    let lines = format!("prefetch_per_minute = 2\n{GRAPHQL}");
    let api = Fixture::new(&lines, menu_of_five).await;
    ask(&api, "a", &project("s9")).await;
    ask(&api, "a", MENU).await;
    api.wait_seen(4).await;
    let skipped = || {
        let snapshot = api.server.prefetch_counters().snapshot();
        snapshot.skipped.iter().find(|(reason, _)| *reason == "budget").map_or(0, |(_, count)| *count)
    };
    while skipped() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((skipped(), api.seen().len()), (1, 4));
}

const ROUTES: &str = "[[server.route]]\npath = \"/list\"\nfresh_s = 60\n[[server.route.prefetch]]\nvalues = \"/rows/*/id\"\n\
    first = 2\nroute = \"film\"\ncapture = \"id\"\n[[server.route]]\nname = \"film\"\npath = \"/film/{id}\"\nfresh_s = 60\n";

#[tokio::test]
async fn a_request_of_a_route_is_repeated_with_another_segment_and_the_clients_own_key() {
    let api = Fixture::new(ROUTES, |seen| match seen.target.as_str() {
        target if target.starts_with("/list") => {
            answer(200, &[], "{\"rows\":[{\"id\":1},{\"id\":\"a/b\"},{\"id\":3}]}")
        }
        target => answer(200, &[("vary", "accept-encoding")], target.to_owned()),
    })
    .await;
    let gzip = [("accept-encoding", "gzip")];
    api.get_with("/film/9?lang=de&api_key=k", &gzip).await;
    api.get_with("/list?api_key=k", &gzip).await;
    api.wait_seen(4).await;
    let targets: Vec<String> = api.seen().into_iter().skip(2).map(|seen| seen.target).collect();
    assert_eq!(targets, ["/film/1?lang=de&api_key=k", "/film/a%2Fb?lang=de&api_key=k"]);
    assert!(api.get_with("/film/1?lang=de&api_key=k", &gzip).await.header("cache-status").contains("greenroom"));
    assert_eq!(api.seen().len(), 4, "it was the very request that the client makes");
}

#[tokio::test]
async fn a_list_that_is_read_again_at_once_loads_nothing_more() {
    let api = Fixture::new(GRAPHQL, menu_of_five).await;
    ask(&api, "a", &project("s9")).await;
    for _ in 0..3 {
        ask(&api, "a", MENU).await;
    }
    api.wait_seen(5).await;
    ask(&api, "a", MENU).await;
    assert_eq!(api.seen().len(), 5);
}

#[tokio::test]
async fn a_value_that_leads_to_another_route_or_path_is_not_loaded() {
    let routes =
        format!("[[server.route]]\npath = \"/film/me\"\nfresh_s = 60\n{ROUTES}").replace("first = 2", "first = 9");
    let api = Fixture::new(&routes, |seen| match seen.target.as_str() {
        "/list" => answer(
            200,
            &[],
            "{\"rows\":[{\"id\":\"me\"},{\"id\":\"..\"},{\"id\":\".\"},{\"id\":\"\"},{\"id\":\"you\"}]}",
        ),
        target => answer(200, &[], target.to_owned()),
    })
    .await;
    api.get("/film/9").await;
    api.get("/list").await;
    api.wait_seen(3).await;
    assert_eq!(api.seen()[2].target, "/film/you");
}
