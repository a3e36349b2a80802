//! The identity promise under a hostile mix of clients: no body and no cookie crosses credentials or variants.

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::fixture::{ClientResponse, Fixture, SeenRequest, answer};
use super::headers::join_all;

/// Mixes that are tried, each of some requests at once.
const INTERLEAVINGS: usize = 1000;

const LANGUAGES: [&str; 3] = ["en", "de", "fr"];
const CREDENTIALS: [&str; 3] = ["", "one", "two"];
const RESOURCES: [&str; 9] = ["open", "vary", "cookie", "shared", "checked", "failing", "public", "searched", "ranged"];
const QUERY: &str = r#"{"query":"{a}"}"#;

#[derive(Debug, Clone)]
struct Ask {
    resource: &'static str,
    authorization: &'static str,
    cookie: &'static str,
    api_key: &'static str,
    language: &'static str,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    NoCache,
    Part,
    Beginning,
    Outdated,
    Head,
    Write,
    Graphql,
}

/// Requests of two identities, which are often nearly the same.
fn mix() -> impl Strategy<Value = Vec<Ask>> {
    use proptest::sample::select;
    let forms = [
        Form::Plain,
        Form::Plain,
        Form::Plain,
        Form::NoCache,
        Form::Part,
        Form::Beginning,
        Form::Outdated,
        Form::Head,
        Form::Write,
        Form::Graphql,
    ];
    let credential = || select(&CREDENTIALS[..]);
    let identities = proptest::collection::vec((credential(), credential(), credential()), 2);
    let ask = (0..2_usize, select(&RESOURCES[..]), select(&LANGUAGES[..]), select(forms.to_vec()));
    (identities, proptest::collection::vec(ask, 3..8)).prop_map(|(identities, asks)| {
        let ask = |(identity, resource, language, form): (usize, &'static str, &'static str, Form)| {
            let (authorization, cookie, api_key) = identities[identity];
            Ask { resource, authorization, cookie, api_key, language, form }
        };
        asks.into_iter().map(ask).collect()
    })
}

impl Ask {
    /// Whose the response must be.
    fn owner(&self) -> String {
        format!("[{}/{}/{}]", self.authorization, self.cookie, self.api_key)
    }

    /// `place` is a part of the path.
    async fn send(&self, api: &Fixture, place: usize) -> ClientResponse {
        let mut headers = vec![("accept-language", self.language)];
        for (name, value) in [("authorization", self.authorization), ("cookie", self.cookie)] {
            if !value.is_empty() {
                headers.push((name, value));
            }
        }
        let query = if self.api_key.is_empty() { String::new() } else { format!("?api_key={}", self.api_key) };
        let target = format!("/{}/{place}{query}", self.resource);
        match self.form {
            Form::Plain => api.send("GET", &target, &headers, "").await,
            Form::NoCache => {
                api.send("GET", &target, &[&headers[..], &[("cache-control", "no-cache")]].concat(), "").await
            }
            Form::Part => api.send("GET", &target, &[&headers[..], &[("range", "bytes=0-")]].concat(), "").await,
            Form::Beginning => api.send("GET", &target, &[&headers[..], &[("range", "bytes=0-8")]].concat(), "").await,
            Form::Outdated => {
                api.send("GET", &target, &[&headers[..], &[("if-none-match", "\"x\"")]].concat(), "").await
            }
            Form::Head => api.send("HEAD", &target, &headers, "").await,
            Form::Write => api.send("PUT", &target, &headers, "x").await,
            Form::Graphql => api.send("POST", &format!("/graphql{query}"), &headers, QUERY).await,
        }
    }

    fn check(&self, seen: &ClientResponse) {
        let told = seen.header("set-cookie");
        assert!(told.is_empty() || told == self.owner(), "{self:?} got a cookie: {seen:?}");
        if self.form == Form::Head || self.resource == "public" || self.form == Form::Beginning {
            return;
        }
        assert!(seen.body.contains(&self.owner()), "{self:?} got {seen:?}");
        let varies = seen.headers.get("vary").is_some();
        assert!(!varies || seen.body.contains(&format!("<{}>", self.language)), "{self:?} got {seen:?}");
    }
}

/// The API: its body says whose it is, and it allows to store more than it should.
fn served(seen: &SeenRequest) -> Response<Full<Bytes>> {
    let value = |headers: &HeaderMap, name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let api_key = seen.target.split_once("api_key=").map_or("", |(_, key)| key);
    let [authorization, cookie, language] =
        ["authorization", "cookie", "accept-language"].map(|name| value(&seen.headers, name));
    let owner = format!("[{authorization}/{cookie}/{api_key}]");
    let body = format!("{{\"data\":\"{owner}<{language}>\"}}");
    let etag = format!("\"{}\"", owner.replace(['[', ']'], ""));
    let resource = seen.target.split(['/', '?']).nth(1).unwrap_or_default();
    match resource {
        "vary" => answer(200, &[("cache-control", "public, max-age=60"), ("vary", "accept-language, cookie")], body),
        "cookie" => answer(200, &[("cache-control", "public, max-age=60"), ("set-cookie", &owner)], body),
        "shared" => answer(200, &[("cache-control", "public, s-maxage=60, stale-while-revalidate=60")], body),
        "checked" if value(&seen.headers, "if-none-match") == etag => answer(304, &[("etag", &etag)], ""),
        "checked" => answer(200, &[("cache-control", "public, no-cache"), ("etag", &etag)], body),
        // It says that nothing in the query makes a difference, not even the key.
        "searched" => answer(200, &[("cache-control", "public, max-age=60"), ("no-vary-search", "params")], body),
        "ranged" if !value(&seen.headers, "range").is_empty() => ranged(&value(&seen.headers, "range"), &body),
        "ranged" => answer(200, &[("cache-control", "public, max-age=60"), ("etag", "\"same for all\"")], body),
        "failing" => answer(500, &[("set-cookie", &owner)], body),
        _ => answer(200, &[("cache-control", "public, max-age=60")], body),
    }
}

/// A part of a body whose entity tag is the same for all identities.
fn ranged(range: &str, body: &str) -> Response<Full<Bytes>> {
    let bounds = range.trim_start_matches("bytes=").split_once('-').unwrap_or_default();
    let first: usize = bounds.0.parse().unwrap_or_default();
    let last = bounds.1.parse().unwrap_or(body.len() - 1).min(body.len() - 1);
    let told = format!("bytes {first}-{last}/{}", body.len());
    let fields = [("cache-control", "public, max-age=60"), ("etag", "\"same for all\""), ("content-range", &told)];
    answer(206, &fields, body[first..=last].to_owned())
}

#[tokio::test]
async fn no_body_and_no_cookie_crosses_credentials_or_variants() {
    let lines = "[[server.route]]\npath = \"/public/*\"\npublic = true\n[[server.route]]\npath = \"/graphql\"\ngraphql = true\n\
                 fresh_s = 60\n";
    let api = Fixture::new(lines, served).await;
    let mut runner = TestRunner::deterministic();
    let mix = (mix(), 0..40_usize);
    let mut hits = 0;
    for number in 0..INTERLEAVINGS {
        let (asks, patience) = mix.new_tree(&mut runner).expect("a mix").current();
        // Half of them meet nothing that is stored.
        let place = if number.is_multiple_of(2) { number } else { 1 };
        api.hold();
        let release = async {
            for _ in 0..patience {
                tokio::task::yield_now().await;
            }
            api.release();
        };
        let (all, ()) = tokio::join!(join_all(asks.iter().map(|ask| ask.send(&api, place)).collect()), release);
        for (ask, seen) in asks.iter().zip(&all) {
            ask.check(seen);
            hits += usize::from(seen.is_hit());
        }
    }
    assert!(hits > INTERLEAVINGS / 2, "the cache was used: {hits} hits");
    assert!(api.seen().len() > INTERLEAVINGS, "and so was the API");
}
