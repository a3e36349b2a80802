//! The simulated HTTP APIs as their clients see them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use bytes::Bytes;
use greenroom_http_simulator::{HttpApi, HttpApiOptions};
use greenroom_simulator::simulated_server::SimulatedServer;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio_util::task::TaskTracker;

const KEY: (&str, &str) = ("x-api-key", "api-owner-a");
const ARTIST: &str = "/ws/2/artist/00000001-0000-4000-8000-000000000000";

async fn server(change: impl FnOnce(&mut HttpApiOptions)) -> SimulatedServer {
    let mut options = HttpApiOptions::quick();
    change(&mut options);
    HttpApi::new(options).start("127.0.0.1:0".parse().unwrap(), &TaskTracker::new()).await.unwrap()
}

async fn send(
    server: &SimulatedServer,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(format!("{}{path}", server.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(server: &SimulatedServer, path: &str) -> (u16, HeaderMap, String) {
    send(server, Method::GET, path, &[KEY], "").await
}

#[tokio::test]
async fn each_service_answers_in_its_own_shape() {
    let server = server(|_| {}).await;
    assert!(get(&server, "/3/movie/550?language=de-DE").await.2.contains("in film 550, in de-DE"));
    assert!(get(&server, "/3/tv/7/season/1").await.2.contains("\"episode_number\":8"));
    assert!(get(&server, "/ws/2/artist/?query=x").await.2.contains("<artist-list count=\"3\""));
    assert!(get(&server, ARTIST).await.2.contains("<name>Artist 00000001</name>"));
    assert!(get(&server, "/api/v3/movie/3").await.2.contains("\"tmdbId\":503"));
    for unknown in ["/3/movie/0", "/3/movie/x", "/api/v3/series/41", "/ws/2/artist/x", "/else"] {
        assert_eq!(get(&server, unknown).await.0, 404, "{unknown}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_key_is_needed_where_the_service_needs_one() {
    let server = server(|_| {}).await;
    for (path, headers, status) in [
        ("/3/configuration", &[][..], 401),
        ("/3/configuration", &[("x-api-key", "wrong")][..], 401),
        ("/3/configuration?api_key=api-owner-a", &[][..], 200),
        ("/3/configuration", &[("authorization", "Bearer api-owner-a")][..], 200),
        (ARTIST, &[][..], 200),
    ] {
        assert_eq!(send(&server, Method::GET, path, headers, "").await.0, status, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_headers_of_caching_are_what_the_switches_say() {
    let plain = server(|_| {}).await;
    let (_, headers, _) = get(&plain, "/3/movie/1").await;
    assert!(["cache-control", "etag", "vary", "set-cookie"].iter().all(|name| !headers.contains_key(*name)));
    plain.stop().await;
    let told = server(|options| {
        let switches = &mut options.switches;
        (switches.max_age, switches.etag, switches.vary, switches.set_cookie) = (true, true, true, true);
    })
    .await;
    let (_, headers, _) = get(&told, "/3/movie/1").await;
    assert_eq!(headers["cache-control"], "public, max-age=3600");
    assert!(headers.contains_key("vary") && headers.contains_key("set-cookie"));
    let validated = [KEY, ("if-none-match", headers["etag"].to_str().unwrap())];
    assert_eq!(send(&told, Method::GET, "/3/movie/1", &validated, "").await.0, 304);
    told.stop().await;
    let forbidding = server(|options| (options.switches.max_age, options.switches.no_store) = (true, true)).await;
    assert_eq!(get(&forbidding, "/3/movie/1").await.1["cache-control"], "no-store");
    forbidding.stop().await;
}

#[tokio::test]
async fn what_was_put_is_what_a_later_get_says() {
    let server = server(|_| {}).await;
    let change = "{\"id\":3,\"monitored\":false}";
    assert_eq!(send(&server, Method::PUT, "/api/v3/series", &[KEY], change).await.0, 202);
    assert_eq!(get(&server, "/api/v3/series/3").await.2, change);
    assert_eq!(send(&server, Method::PUT, "/api/v3/series", &[KEY], "no json").await.0, 400);
    assert_eq!(send(&server, Method::DELETE, "/3/movie/1", &[KEY], "").await.0, 405);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_request_within_a_second_is_refused_if_the_rate_is_limited() {
    let server = server(|options| options.switches.rate_limit = true).await;
    assert_eq!(get(&server, ARTIST).await.0, 200);
    let (status, headers, _) = get(&server, ARTIST).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (503, "1"));
    assert_eq!(get(&server, "/3/movie/1").await.0, 200, "another service");
    tokio::time::advance(std::time::Duration::from_millis(1001)).await;
    assert_eq!(get(&server, ARTIST).await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn parts_ignored_parameters_and_trailers_are_what_the_switches_say() {
    let plain = server(|_| {}).await;
    let (status, headers, whole) = send(&plain, Method::GET, "/3/movie/1", &[KEY, ("range", "bytes=0-4")], "").await;
    assert_eq!(status, 200);
    assert!(["accept-ranges", "no-vary-search", "trailer"].iter().all(|name| !headers.contains_key(*name)));
    plain.stop().await;
    let told = server(|options| {
        let switches = &mut options.switches;
        (switches.ranges, switches.no_vary_search, switches.trailers, switches.etag) = (true, true, true, true);
    })
    .await;
    let (status, headers, part) = send(&told, Method::GET, "/3/movie/1", &[KEY, ("range", "bytes=2-5")], "").await;
    assert_eq!((status, part.as_str()), (206, &whole[2..=5]));
    assert_eq!(headers["content-range"], format!("bytes 2-5/{}", whole.len()));
    assert_eq!(headers["no-vary-search"], "key-order, params=(\"session\")");
    let beyond = send(&told, Method::GET, "/3/movie/1", &[KEY, ("range", "bytes=99999-")], "").await;
    assert_eq!(beyond.0, 416);
    let other = [KEY, ("range", "bytes=2-5"), ("if-range", "\"other\"")];
    assert_eq!(send(&told, Method::GET, "/3/movie/1", &other, "").await.0, 200);
    let (_, headers, body) = send(&told, Method::GET, "/3/movie/1", &[KEY, ("te", "trailers")], "").await;
    assert_eq!((headers["trailer"].to_str().unwrap(), body), ("x-digest", whole));
    told.stop().await;
}
