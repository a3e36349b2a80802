//! Every path there is, walked: what is described is there, what is there is described, and the guards stand before
//! all of it.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use utoipa::openapi::path::ParameterIn;

use super::super::figures::Engine;
use super::super::guard::Route;
use super::super::{openapi, paths};
use super::*;

/// Every operation that is described, with its path.
fn described() -> Vec<(Method, String)> {
    let mut description = paths::description().clone();
    let operations = description.paths.paths.iter_mut().flat_map(|(path, item)| {
        let of = |(method, _)| (method, path.clone());
        openapi::operations(item).map(of).collect::<Vec<_>>()
    });
    operations.collect()
}

/// What a read may come to in a house without libraries, without a place where decisions are kept, and with questions that
/// say too little or too much.
const READ: [u16; 6] = [200, 400, 403, 404, 503, 507];

/// A path that can be asked for: every hole is filled.
fn filled(path: &str) -> String {
    path.replace("{id}", "home:3").replace("{name}", "weekly").replace("{server}", "home")
}

/// Every path the router knows, by its own account, the page's too.
fn routed() -> BTreeSet<String> {
    let told = format!("{:?}", paths::everything());
    let quoted = told.split("RouteId(").skip(1).filter_map(|rest| {
        let path = rest.split_once("): \"")?.1.split('"').next()?;
        path.starts_with('/').then(|| path.to_owned())
    });
    quoted.filter(|path| !path.contains("{*")).collect()
}

#[tokio::test]
async fn what_is_described_is_what_is_there_method_by_method() {
    let house = House::new();
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, path) in described() {
        let methods = expected.entry(path).or_default();
        methods.insert(method.to_string());
        if method == Method::GET {
            methods.insert("HEAD".to_owned());
        }
    }
    for path in super::super::page::paths() {
        expected.insert(path.to_owned(), ["GET", "HEAD"].map(str::to_owned).into());
    }
    let routed = routed();
    assert!(routed.len() > 30, "the router tells of its paths in another way now: {routed:?}");
    assert_eq!(routed, expected.keys().cloned().collect());
    for (path, methods) in expected {
        let answer = house.ask("PROPFIND", &filled(&path), &[LOCAL, BEARER], "").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (405, "wrong-method"), "{path}");
        let allowed = answer.headers["allow"].to_str().expect("text");
        assert_eq!(allowed.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_is_for() {
    let mut description = paths::description().clone();
    let mut names = BTreeSet::new();
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in openapi::operations(item) {
            let name = operation.operation_id.clone().expect("it has a name");
            assert!(names.insert(name), "{method} {path}");
            let summary = operation.summary.as_deref().unwrap_or_default();
            assert!(!summary.is_empty(), "{method} {path} has no doc comment");
            for status in operation.responses.responses.keys() {
                assert!(status.parse::<u16>().is_ok(), "{method} {path}: {status}");
            }
        }
    }
}

#[test]
fn whatever_the_description_refers_to_is_in_it() {
    fn refer(value: &Value, description: &Value, found: &mut usize) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(to)) = object.get("$ref") {
                    let pointer = to.strip_prefix('#').expect("it refers to itself");
                    assert!(description.pointer(pointer).is_some(), "{to}");
                    *found += 1;
                }
                object.values().for_each(|value| refer(value, description, found));
            }
            Value::Array(values) => values.iter().for_each(|value| refer(value, description, found)),
            _ => {}
        }
    }
    let description = serde_json::from_str(super::super::description()).expect("it is JSON");
    let mut found = 0;
    refer(&description, &description, &mut found);
    assert!(found > 100, "{found}");
    assert!(!super::super::description().contains("u-int"));
}

#[tokio::test]
async fn the_description_is_served_and_says_where_it_is() {
    let house = House::new();
    let served = house.get("/api/v1/openapi.json").await;
    assert_eq!(served.text, super::super::description());
    assert!(served.json()["servers"].is_null());
    let moved = House::told("base_path = \"/greenroom\"").get("/api/v1/openapi.json").await;
    assert_eq!(moved.json()["servers"][0]["url"], "/greenroom");
}

/// Every mutation there is, with the kind of body it takes.
fn changes() -> Vec<(Method, String)> {
    let changes =
        |method: &Method, path: &str| matches!(Route::of(method, path), Route::Change | Route::Login);
    described().into_iter().filter(|(method, path)| changes(method, path)).collect()
}

/// What a control plane holds that a request could have changed.
fn state(house: &House) -> String {
    let control = &house.plane.control;
    let mut files: Vec<_> = walk(house.folder.path());
    files.sort();
    let server = house.server();
    let sessions = control.sessions.count(control.clock.now_ms());
    let runs: Vec<String> = control.playlists.runs().iter().map(|run| run.id.clone()).collect();
    let invalidations = Engine::read(&control.cache).invalidations;
    format!("{files:?} {:?} {:?} {sessions} {runs:?} {invalidations}", control.bypasses(), server.mode())
}

fn walk(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let entries =
        std::fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("an entry").path());
    let read = |path: std::path::PathBuf| {
        if path.is_dir() {
            walk(&path)
        } else {
            vec![(path.display().to_string(), std::fs::read(&path).expect("it is read"))]
        }
    };
    entries.flat_map(read).collect()
}

/// Another address each time, so that nobody is throttled for what the one before did.
fn stranger(number: usize) -> SocketAddr {
    SocketAddr::from((
        [203, 0, u8::try_from(number / 250).expect("few"), u8::try_from(number % 250).expect("few")],
        50_000,
    ))
}

/// What it is called, the headers it comes with, and the status and code it is refused with.
type Attack<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str);

#[tokio::test]
async fn no_mutation_is_done_for_anybody_but_the_owner_of_the_token_on_our_own_page() {
    let mut house = House::new();
    let cookie = house.log_in().await;
    let reads = format!("Bearer {}", house.read_token());
    let changes = changes();
    assert!(changes.len() > 15, "{changes:?}");
    let before = state(&house);
    let shown = ("cookie", cookie.as_str());
    let attacks: [Attack<'_>; 13] = [
        ("nothing shown", &[LOCAL], 401, "token-missing"),
        (
            "a wrong token",
            &[LOCAL, ("authorization", "Bearer 00000000000000000000000000000000")],
            401,
            "token-wrong",
        ),
        ("half a token", &[LOCAL, ("authorization", "Bearer 0123456789abcdef")], 401, "token-wrong"),
        (
            "the token in another scheme",
            &[LOCAL, ("authorization", "Basic 0123456789abcdef0123456789abcdef")],
            401,
            "token-missing",
        ),
        (
            "another session",
            &[LOCAL, ("cookie", "greenroom_session=0123456789abcdef0123456789abcdef")],
            401,
            "token-missing",
        ),
        ("the token that reads", &[LOCAL, ("authorization", &reads)], 403, "token-only-reads"),
        ("another page, by origin", &[LOCAL, shown, ("origin", "http://evil.example")], 403, "foreign-page"),
        ("a page that hides", &[LOCAL, shown, ("origin", "null")], 403, "foreign-page"),
        ("another port of ours", &[LOCAL, shown, ("origin", "http://127.0.0.1:32500")], 403, "foreign-page"),
        ("another page, by site", &[LOCAL, shown, ("sec-fetch-site", "cross-site")], 403, "foreign-page"),
        ("a neighbouring site", &[LOCAL, shown, ("sec-fetch-site", "same-site")], 403, "foreign-page"),
        (
            "another page that knows the token",
            &[LOCAL, BEARER, ("origin", "http://evil.example")],
            403,
            "foreign-page",
        ),
        ("another name", &[("host", "evil.example"), shown], 421, "misdirected"),
    ];
    let mut number = 0;
    for (method, path) in &changes {
        for (what, headers, status, code) in attacks {
            if *path == "/api/v1/session"
                && *method == Method::POST
                && [401, 403].contains(&status)
                && code != "foreign-page"
            {
                continue; // Whoever logs in shows the token in the body.
            }
            number += 1;
            house.peer = stranger(number);
            let headers: Vec<_> = headers.iter().copied().chain([JSON]).collect();
            let answer = house.ask(method.as_str(), &filled(path), &headers, "{}").await;
            let told = (answer.status.as_u16(), answer.code());
            assert_eq!(told, (status, code.to_owned()), "{what}: {method} {path}");
        }
    }
    assert_eq!(state(&house), before);
}

#[tokio::test]
async fn nothing_that_is_read_changes_anything() {
    let house = House::new();
    let cookie = house.log_in().await;
    let before = state(&house);
    let mut walked = 0;
    for (_, path) in described().into_iter().filter(|(method, _)| *method == Method::GET) {
        for (method, query) in [("GET", ""), ("HEAD", ""), ("GET", "?force=true&enabled=false&mode=bypass")] {
            let target = filled(&path) + query;
            let answer = house.send(method, &target, &[LOCAL, ("cookie", &cookie)], "").await;
            assert!(READ.contains(&answer.status().as_u16()), "{method} {target}: {}", answer.status());
            assert!(!answer.headers().contains_key("set-cookie"), "{method} {target}");
            walked += 1;
        }
        // A form of another page can send nothing but these.
        for headers in [[LOCAL, ("x-http-method-override", "DELETE")], [LOCAL, ("x-method-override", "POST")]]
        {
            drop(house.send("GET", &filled(&path), &headers, "{}").await);
        }
    }
    assert!(walked > 45, "{walked}");
    assert_eq!(state(&house), before);
}

#[tokio::test]
async fn from_another_address_nothing_but_health_and_the_bare_page_answers() {
    let mut house = House::told("hosts = [\"nas\"]");
    let mut closed = 0;
    for (number, (method, path)) in described().into_iter().enumerate() {
        house.peer = stranger(number);
        for host in ["127.0.0.1:8710", "nas"] {
            let answer = house.send(method.as_str(), &filled(&path), &[("host", host), JSON], "{}").await;
            let status = answer.status().as_u16();
            match path.as_str() {
                // A link to a picture is its own permission, and this is none.
                "/api/plex/image" => assert!([400, 403, 404].contains(&status), "{status}"),
                "/healthz" | "/readyz" => assert_eq!(status, 200, "{method} {path}"),
                "/api/v1/session" if method == Method::GET => assert_eq!(status, 200),
                "/api/v1/session" if method == Method::POST => assert_eq!(status, 400, "no token in it"),
                _ => {
                    assert_eq!(status, 401, "{method} {path}");
                    closed += 1;
                }
            }
        }
    }
    assert!(closed > 60, "{closed}");
    for path in [
        "/nowhere",
        "/api/v1",
        "/api/v1/",
        "/metrics/",
        "//metrics",
        "/API/V1/SERVERS",
        "/healthz/../metrics",
    ] {
        assert_eq!(house.get(path).await.status, 401, "{path}");
    }
    for path in super::super::page::paths() {
        let answer = house.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text.contains("\"home\""), "{path} knows a server");
    }
}

#[tokio::test]
async fn the_token_that_only_reads_reads_all_there_is_to_read() {
    let mut house = House::new();
    house.peer = stranger(0);
    let bearer = format!("Bearer {}", house.read_token());
    let with = [LOCAL, ("authorization", bearer.as_str())];
    for (_, path) in described().into_iter().filter(|(method, _)| *method == Method::GET) {
        let answer = house.send("GET", &filled(&path), &with, "").await;
        assert!(READ.contains(&answer.status().as_u16()), "{path}: {}", answer.status());
    }
    let whoami = house.ask("GET", "/api/v1/session", &with, "").await.json();
    assert_eq!((&whoami["may_read"], &whoami["may_change"]), (&Value::Bool(true), &Value::Bool(false)));
    let body = format!("{{\"token\":\"{}\"}}", house.read_token());
    assert_eq!(house.ask("POST", "/api/v1/session", &[LOCAL, JSON], &body).await.code(), "token-wrong");
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_that_only_reads_ends_what_the_old_one_let_in() {
    let mut house = House::new();
    house.peer = stranger(0);
    let bearer = format!("Bearer {}", house.read_token());
    let with = [LOCAL, ("authorization", bearer.as_str())];
    let cookie = house.log_in().await;
    let teller = super::super::live::tell(Arc::clone(&house.plane));
    let reader = async {
        let mut frames = house.send("GET", "/api/v1/events", &with, "").await.into_body().into_data_stream();
        frames.next().await.expect("the first figures").expect("bytes");
        let path = house.folder.path().join("read.token");
        std::fs::write(&path, "fedcba9876543210fedcba9876543210").expect("written");
        let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(60);
        std::fs::File::open(&path).and_then(|file| file.set_modified(later)).expect("its time is set");
        tokio::time::advance(std::time::Duration::from_secs(2)).await;
        while frames.next().await.is_some() {}
        assert_eq!(house.ask("GET", "/metrics", &with, "").await.code(), "token-wrong");
        let renewed = ("authorization", "Bearer fedcba9876543210fedcba9876543210");
        assert_eq!(house.ask("GET", "/metrics", &[LOCAL, renewed], "").await.status, 200);
        assert_eq!(house.ask("GET", "/metrics", &[LOCAL, ("cookie", &cookie)], "").await.status, 200);
        house.plane.stop.cancel();
    };
    tokio::join!(teller, reader);
}

#[tokio::test]
async fn who_guesses_behind_a_trusted_proxy_does_not_lock_out_who_else_is_there() {
    let mut house = House::new();
    let plane = Arc::get_mut(&mut house.plane).expect("nobody else has it");
    plane.settings.trusted_proxies = "172.16.0.0/12".parse().expect("networks");
    house.peer = "172.17.0.2:50000".parse().expect("an address");
    let ask = async |client: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [LOCAL, ("x-forwarded-for", client), ("authorization", bearer.as_str())];
        house.ask("GET", "/metrics", &headers, "").await
    };
    for _ in 0..10 {
        assert_eq!(ask("203.0.113.9", "guess").await.status, 401);
    }
    let refused = ask("203.0.113.9", TOKEN).await;
    assert_eq!(refused.status, 429);
    let left_s: u64 = refused.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&left_s), "{left_s}");
    assert_eq!(ask("203.0.113.10", TOKEN).await.status, 200);
    // Who comes to us directly is believed nothing about where it comes from.
    let mut direct = House::new();
    direct.peer = stranger(7);
    for number in 0..11 {
        let client = format!("198.51.100.{number}");
        let headers = [LOCAL, ("x-forwarded-for", client.as_str()), ("authorization", "Bearer guess")];
        let status = direct.ask("GET", "/metrics", &headers, "").await.status.as_u16();
        assert_eq!(status, if number < 10 { 401 } else { 429 });
    }
}

#[tokio::test]
async fn a_session_is_not_locked_out_by_whoever_guesses_beside_it() {
    let house = House::new();
    let cookie = house.log_in().await;
    for _ in 0..12 {
        house.ask("POST", "/api/v1/session", &[LOCAL, JSON], r#"{"token":"guess"}"#).await;
    }
    assert_eq!(house.ask("GET", "/metrics", &[LOCAL, BEARER], "").await.status, 429);
    assert_eq!(house.ask("POST", "/api/v1/cache/clear", &[LOCAL, ("cookie", &cookie)], "").await.status, 200);
    assert_eq!(house.get("/metrics").await.status, 200, "reading on this machine needs no token");
}

#[tokio::test]
async fn whatever_cannot_be_understood_is_a_problem_that_says_what_to_do() {
    let house = House::new();
    let with = [LOCAL, BEARER, JSON];
    let huge = "x".repeat(20 << 20);
    let mut description = paths::description().clone();
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in openapi::operations(item) {
            let named = |status: u16, answer: &Answer, what: &str| {
                assert_eq!(answer.status.as_u16(), status, "{what}: {method} {path}: {}", answer.text);
                assert_eq!(
                    answer.headers["content-type"], "application/problem+json",
                    "{what}: {method} {path}"
                );
                let problem = answer.json();
                assert_eq!(problem["type"], format!("urn:greenroom:problem:{}", answer.code()));
                let detail = problem["detail"].as_str().expect("it says what to do");
                assert!(detail.len() > 15, "{what}: {method} {path}: {detail}");
            };
            let method = method.as_str();
            if path.contains('{') {
                let odd = path.replace("{id}", "%FF%FE").replace("{name}", "%FF");
                named(400, &house.ask(method, &odd, &with, "{}").await, "no UTF-8");
                let long = path.replace("{id}", &"9".repeat(4000)).replace("{name}", &"9".repeat(4000));
                let body = if path == "/api/v1/libraries/{id}" { r#"{"enabled":true}"# } else { "" };
                named(404, &house.ask(method, &long, &with, body).await, "an absurd id");
            }
            let query =
                operation.parameters.iter().flatten().any(|one| one.parameter_in == ParameterIn::Query);
            // What has the shape of other programs overlooks what they say beside it.
            let is_strict = path.starts_with("/api/v1/");
            if query && is_strict {
                let odd = filled(path) + "?no_such_key=1";
                named(400, &house.ask(method, &odd, &with, "{}").await, "an unknown key");
            }
            if operation.request_body.is_some() {
                let target = filled(path);
                let media_type =
                    if path.ends_with("/decisions") { "application/x-ndjson" } else { "application/json" };
                let typed = [LOCAL, BEARER, ("content-type", media_type)];
                named(413, &house.ask(method, &target, &typed, &huge).await, "too long");
                for body in ["{\"no_such_key\":1}", "{", "[1]", "\u{0}", "\"text\""]
                    .iter()
                    .skip(usize::from(!is_strict))
                {
                    let answer = house.ask(method, &target, &typed, body).await;
                    // A whole document is told apart from a wish that cannot be read.
                    let is_document = path == "/api/v1/playlists/sync" && answer.status == 422;
                    named(if is_document { 422 } else { 400 }, &answer, body);
                }
                if path != "/api/v1/playlists/sync" {
                    let other = [LOCAL, BEARER, ("content-type", "text/html")];
                    named(415, &house.ask(method, &target, &other, "{}").await, "another kind");
                }
            }
        }
    }
}

#[tokio::test]
async fn head_is_answered_as_get_is_and_options_tells_nothing_to_other_pages() {
    let house = House::new();
    for (_, path) in described().into_iter().filter(|(method, _)| *method == Method::GET) {
        let (got, head) = (
            house.send("GET", &filled(&path), &[LOCAL], "").await,
            house.ask("HEAD", &filled(&path), &[LOCAL], "").await,
        );
        assert_eq!((got.status(), ""), (head.status, head.text.as_str()), "{path}");
        assert_eq!(got.headers().get("content-type"), head.headers.get("content-type"), "{path}");
        let asked_by_page =
            [LOCAL, ("origin", "http://evil.example"), ("access-control-request-method", "POST")];
        let refused = house.ask("OPTIONS", &filled(&path), &asked_by_page, "").await;
        assert_eq!(refused.code(), "foreign-page", "{path}");
        assert!(!refused.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{path}");
        assert_eq!(house.ask("OPTIONS", &filled(&path), &[LOCAL, BEARER], "").await.status, 405, "{path}");
    }
}

/// Of two bodies of one name the description would hold one, and be wrong about the other without a word.
#[test]
fn every_body_that_is_described_has_a_name_of_its_own() {
    let sources = walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (file, bytes) in sources
        .iter()
        .filter(|(file, _)| std::path::Path::new(file).extension().is_some_and(|end| end == "rs"))
    {
        let text = String::from_utf8_lossy(bytes);
        for rest in text.split("#[derive(").skip(1).filter(|rest| {
            rest.split(")]")
                .next()
                .is_some_and(|derived| derived.split([',', ' ']).any(|word| word == "ToSchema"))
        }) {
            let head = rest.split(['{', ';']).next().unwrap_or_default();
            let alias = head.split("schema(as = ").nth(1).and_then(|rest| rest.split([',', ')']).next());
            let word =
                |kind: &str| head.split(kind).nth(1).and_then(|rest| rest.split([' ', '<', '\n']).next());
            let name =
                alias.or_else(|| word("struct ")).or_else(|| word("enum ")).expect("a type").to_owned();
            if let Some(other) = names.insert(name.clone(), file.clone()) {
                panic!("{name} is in {file} and in {other}; say #[schema(as = …)] at one of them");
            }
        }
    }
    assert!(names.len() > 60, "types are described in another way now: {names:?}");
}
