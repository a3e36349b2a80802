//! Redirects within the server that are followed.

use super::fixture::{Bodies, Fixture, answer};

const FOLLOW: &str = "follow_redirects = true\n";
const FRESH: (&str, &str) = ("cache-control", "max-age=3600");

#[tokio::test]
async fn a_redirect_is_passed_unless_it_is_to_be_followed() {
    for (lines, status, body) in [("", 302, ""), (FOLLOW, 200, "there")] {
        let api = Fixture::new(lines, |seen| match seen.target.as_str() {
            "/x?a=1" => answer(302, &[("location", "/y?b=2")], ""),
            target => answer(200, &[FRESH], if target == "/y?b=2" { "there" } else { "elsewhere" }),
        })
        .await;
        let seen = api.get("/x?a=1").await;
        assert_eq!((seen.status, seen.body.as_str()), (status, body));
    }
}

#[tokio::test]
async fn no_redirect_leads_to_another_host_scheme_or_path_beside_the_base() {
    for location in ["http://other.example/y", "//other.example/y", "https://127.0.0.1:1/y", "http://127.0.0.1:1/y"] {
        let api = Fixture::new(FOLLOW, move |_| answer(302, &[("location", location)], "")).await;
        let seen = api.get("/x").await;
        assert_eq!((seen.status, seen.header("location")), (302, location));
        assert_eq!(api.seen().len(), 1);
    }
}

#[tokio::test]
async fn what_a_redirect_leads_to_is_stored_only_as_long_as_the_redirect_may_be() {
    let bodies = Bodies::default();
    let api = Fixture::new(FOLLOW, move |seen| match seen.target.as_str() {
        "/for-ever" => answer(301, &[FRESH, ("location", "/y")], ""),
        "/now" => answer(302, &[("location", "/y")], ""),
        "/never" => answer(301, &[("cache-control", "no-store"), ("location", "/y")], ""),
        "/checked" => answer(301, &[("cache-control", "no-cache"), ("location", "/y")], ""),
        _ => answer(200, &[FRESH, ("etag", "\"1\"")], bodies.next()),
    })
    .await;
    assert_eq!((api.get("/for-ever").await.body, api.get("/for-ever").await.body), ("v1".into(), "v1".into()));
    for (target, first, second) in [("/now", "v2", "v3"), ("/never", "v4", "v5"), ("/checked", "v6", "v7")] {
        assert_eq!((api.get(target).await.body, api.get(target).await.body), (first.into(), second.into()), "{target}");
    }
}

#[tokio::test]
async fn a_write_to_where_it_leads_makes_it_stale() {
    let bodies = Bodies::default();
    let api = Fixture::new(FOLLOW, move |seen| match seen.target.as_str() {
        "/x" => answer(301, &[FRESH, ("location", "/y")], ""),
        _ => answer(200, &[FRESH], bodies.next()),
    })
    .await;
    assert_eq!((api.get("/x").await.body, api.get("/x").await.body), ("v1".into(), "v1".into()));
    api.send("PUT", "/y", &[], "").await;
    assert_eq!(api.get("/x").await.body, "v3");
}

#[tokio::test]
async fn a_circle_ends_and_a_redirect_with_a_cookie_or_a_write_is_the_clients() {
    let api = Fixture::new(FOLLOW, |seen| match seen.target.as_str() {
        "/login" => answer(302, &[("location", "/y"), ("set-cookie", "a=b")], ""),
        "/y" => answer(200, &[], "there"),
        _ => answer(307, &[("location", "/round")], ""),
    })
    .await;
    assert_eq!(api.get("/round").await.status, 307);
    assert_eq!(api.seen().len(), 6);
    let login = api.get("/login").await;
    assert_eq!((login.status, login.header("set-cookie")), (302, "a=b"));
    assert_eq!(api.send("POST", "/round", &[], "x").await.status, 307);
}

#[tokio::test]
async fn added_secrets_go_along_and_stay_hidden() {
    let api = Fixture::new(&format!("{FOLLOW}[server.add_query]\napi_key = \"SECRET\"\n"), |seen| {
        assert!(seen.target.contains("api_key=SECRET"), "{}", seen.target);
        if seen.target.starts_with("/x") {
            return answer(302, &[("location", "/y?page=2&api_key=SECRET")], "");
        }
        answer(200, &[], seen.target.replace("SECRET", "..."))
    })
    .await;
    assert_eq!(api.get("/x").await.body, "/y?page=2&api_key=...");
}

#[tokio::test]
async fn a_route_that_is_the_same_for_all_does_not_lead_to_what_is_not() {
    let routes = format!(
        "{FOLLOW}[[server.route]]\npath = \"/avatar\"\npublic = true\nfresh_s = 60\n\
         [[server.route]]\npath = \"/pictures/*\"\npublic = true\nfresh_s = 60\n"
    );
    for (location, anna, bert) in [("/users/me/avatar", (302, ""), (302, "")), ("/pictures/7", (200, "a"), (200, "a"))]
    {
        let api = Fixture::new(&routes, move |seen| match seen.target.as_str() {
            "/avatar" => answer(302, &[("location", location)], ""),
            _ => answer(200, &[], seen.headers["authorization"].as_bytes().to_vec()),
        })
        .await;
        for (owner, wanted) in [("a", anna), ("b", bert)] {
            let seen = api.get_with("/avatar", &[("authorization", owner)]).await;
            assert_eq!((seen.status, seen.body.as_str()), wanted, "{owner}");
        }
    }
}

#[tokio::test]
async fn by_what_a_redirect_varies_counts_also_where_its_lifetime_does_not() {
    let routes = format!("{FOLLOW}[[server.route]]\npath = \"/page\"\nfresh_s = 60\n");
    for vary in ["accept-language", "*"] {
        let api = Fixture::new(&routes, move |seen| {
            let language = seen.headers.get("accept-language").and_then(|value| value.to_str().ok()).unwrap_or("-");
            match seen.target.as_str() {
                "/page" => answer(
                    302,
                    &[("cache-control", "no-store"), ("vary", vary), ("location", &format!("/page.{language}"))],
                    "",
                ),
                target => answer(200, &[], target.to_owned()),
            }
        })
        .await;
        for language in ["de", "en", "de"] {
            let seen = api.get_with("/page", &[("accept-language", language)]).await;
            assert_eq!(seen.body, format!("/page.{language}"), "{vary}");
        }
        assert_eq!(api.seen().len(), if vary == "*" { 6 } else { 4 }, "{vary}");
    }
}
