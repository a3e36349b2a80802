//! Properties of the classification of any request at all.

use std::sync::Arc;

use greenroom_dialect::anonymous_access::AnonymousAccess;
use greenroom_dialect::classification::{Classification, Read};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::path::RequestPath;
use greenroom_dialect::redact;
use greenroom_dialect::request::ServerKind;
use http::header::{AUTHORIZATION, COOKIE, HOST, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};

use super::request::{FuzzRequest, SECRET, chance};
use super::spelling;

/// Parameters that reach the server in the client's form, while the key has one form of them: those that choose a
/// page, and a date of which only the day matters.
const FREE: [&str; 4] =
    ["X-Plex-Container-Start", "X-Plex-Container-Size", "X-Plex-Container-Focus-Key", "nextUpDateCutoff"];
/// More answers than this are never named one by one by a single write.
const MAX_STALINGS: usize = 4096;

/// Checks what must hold of any request to a server of this kind.
pub fn check(kind: ServerKind, bytes: &[u8]) {
    let request = FuzzRequest::parse(bytes);
    let verdict = classify(kind, &request);
    assert_eq!(verdict, classify(kind, &request), "a verdict does not depend on the moment");
    let open = kind.anonymous_access(&request.view());
    match RequestPath::split(&request.target) {
        Err(_) => {
            assert!(matches!(verdict, Classification::Refuse(_)), "a malformed path is refused: {verdict:?}");
            assert_eq!(open, AnonymousAccess::Denied);
        }
        Ok(path) if path.is_ambiguous => {
            assert!(!matches!(verdict, Classification::Read(_)), "an ambiguous path is never cached");
            assert_ne!(open, AnonymousAccess::Cacheable);
        }
        Ok(_) => {}
    }
    match verdict {
        Classification::Read(read) => {
            hides_the_secret(kind, &request, &read);
            can_be_sent(&read);
            meets_itself(kind, &request, &read);
            // One of each at a time: inputs are cheap, and all of them take ten times as long.
            if let Some(other) = chosen(&spelling::equivalents(kind, &request, chance(bytes)), bytes) {
                let Classification::Read(found) = classify(kind, other) else { panic!("another spelling: {other:?}") };
                assert_eq!(without_free_values(&found), without_free_values(&read), "another spelling: {other:?}");
            }
            if let Some(other) = chosen(&spelling::variants(&request), bytes)
                && let Classification::Read(found) = classify(kind, other)
                && found.key == read.key
            {
                let (found, read) = (without_free_values(&found), without_free_values(&read));
                assert_eq!(found, read, "one key, two requests: {request:?} and {other:?}");
            }
        }
        Classification::Write(write) => {
            let minutely = write.throttled.map_or(0, |slow| slow.invalidations.len());
            assert!(write.invalidations.len() + minutely <= MAX_STALINGS);
        }
        Classification::Refuse(refusal) => assert!((400..600).contains(&refusal.status())),
        Classification::Stream(_) => {}
    }
}

/// Classification of a request by a server of this kind.
pub fn classify(kind: ServerKind, request: &FuzzRequest) -> Classification {
    kind.classify(&request.view(), request.own_user.as_deref())
}

fn chosen<'a>(requests: &'a [FuzzRequest], bytes: &[u8]) -> Option<&'a FuzzRequest> {
    requests.get(chance(bytes).checked_rem(requests.len())?)
}

fn assert_read(kind: ServerKind, request: &FuzzRequest, read: &Read, what: &str) {
    assert_eq!(classify(kind, request), Classification::Read(Arc::new(read.clone())), "{what}: {request:?}");
}

/// The same read without the place of its page, which goes to the server in the client's form (in the query, in
/// headers, or in both), and without the moment of a cutoff. Its key tells the page and the day.
fn without_free_values(read: &Read) -> Read {
    let mut read = read.clone();
    read.headers.retain(|(name, _)| !FREE.iter().any(|free| name.as_str().eq_ignore_ascii_case(free)));
    if let Some((path, query)) = read.target.split_once('?') {
        let is_free = |pair: &str| FREE.contains(&pair.split('=').next().unwrap_or_default());
        let pairs: Vec<&str> = query.split('&').filter(|pair| !is_free(pair)).collect();
        let target = if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) };
        read.target = target;
    }
    read
}

/// Nothing that is kept or sent without the credential tells the caller's token.
fn hides_the_secret(kind: ServerKind, request: &FuzzRequest, read: &Read) {
    let credential = kind.credential(&request.view());
    if credential.ambiguous || credential.token.is_none_or(|token| token.expose() != SECRET) {
        return;
    }
    assert!(!redact::contains_secret(&read.key, SECRET), "the key tells the token: {}", read.key);
    assert!(!redact::contains_secret(&read.target, SECRET), "the target tells the token: {}", read.target);
    for (name, value) in &read.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        assert!(!redact::contains_secret(&value, SECRET), "{name} tells the token");
    }
    for tag in &read.tags {
        assert!(!redact::contains_secret(tag.as_str(), SECRET), "a tag tells the token: {tag}");
    }
}

/// A rebuilt request can be written down for the server, and carries nothing that is not ours to say.
fn can_be_sent(read: &Read) {
    assert!(read.key.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "no plain key: {}", read.key);
    let sent: PathAndQuery = read.target.parse().expect("the target can be sent");
    assert_eq!(sent.as_str(), read.target);
    for (name, _) in &read.headers {
        assert!(![HOST, AUTHORIZATION, COOKIE].contains(name) && !redact::is_secret_name(name.as_str()));
    }
}

/// A request to the server is, if it came from a client, the same read; so it is with the other method, and
/// with headers that say nothing about the answer.
fn meets_itself(kind: ServerKind, request: &FuzzRequest, read: &Read) {
    let mut headers = HeaderMap::new();
    for (name, value) in &read.headers {
        headers.append(name.clone(), value.clone());
    }
    // With the credential goes what the client says of itself; some keys depend on it.
    if kind == ServerKind::Jellyfin {
        let client = Credential { token: None, ..kind.credential(&request.view()) };
        headers.extend(kind.credential_headers(&client, true));
    }
    let sent = FuzzRequest {
        method: Method::GET,
        target: read.target.clone(),
        headers,
        body: Vec::new(),
        own_user: request.own_user.clone(),
    };
    assert_read(kind, &sent, read, "what is sent");
    // Only a GET becomes a socket.
    if !request.headers.contains_key(UPGRADE) {
        let other = if request.method == Method::HEAD { Method::GET } else { Method::HEAD };
        assert_read(kind, &FuzzRequest { method: other, ..request.clone() }, read, "GET and HEAD");
    }
    let chatty = request.with_header("user-agent", "x").with_header("x-forwarded-for", "10.1.1.1");
    assert_read(kind, &chatty.with_header("cookie", "a=b"), read, "idle headers");
}
