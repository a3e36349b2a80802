//! The way in and out: which part of the interface a request is for, who sends it, and how the answer leaves.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, VARY};
use http::{HeaderMap, Method};
use parking_lot::Mutex;

use super::ask::{Ask, Caller};
use super::casing::Casing;
use super::credential::Credential;
use super::house::House;
use super::params::Params;
use super::refusal::Refusal;
use super::reply::{Body, Marks, Reply};
use super::{rooms, socket};
use crate::class::Class;
use crate::media;
use crate::serve::{Answer, Asked, Dialect, Ground, decoded};
use crate::users::UserId;

/// Bodies below this are not worth compressing.
const LEAST_COMPRESSED_BYTES: usize = 256;

/// What a starting server shows.
const START_PAGE: &str = "<!DOCTYPE html><html><head><title>Jellyfin Startup</title></head><body>The server is starting.</body></html>";

const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time-ms");

/// The dialect.
#[derive(Debug)]
pub(crate) struct Gate {
    house: Arc<House>,
}

/// The parts of a path, as sent and in lower case.
struct Way {
    raw: Vec<String>,
    path: Vec<String>,
}

impl Gate {
    /// The gate of a house.
    pub(crate) fn new(house: Arc<House>) -> Self {
        Self { house }
    }

    fn credential(&self, asked: &Asked) -> Credential {
        Credential::of(&asked.headers, &Params::parse(&asked.query), !self.house.switches.reject_legacy_auth)
    }

    /// The parts below the base URL; nothing if the path is not below it.
    fn way(&self, path: &str) -> Option<Way> {
        let base: Vec<&str> =
            self.house.switches.base_url.split('/').filter(|part| !part.is_empty()).collect();
        let raw: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(|part| decoded(part).into_owned()).collect();
        let below = raw.len() >= base.len()
            && raw.iter().zip(&base).all(|(part, base)| part.eq_ignore_ascii_case(base));
        let mut raw = if below { raw[base.len()..].to_vec() } else { return None };
        if self.house.switches.emby_prefix
            && raw.first().is_some_and(|first| first.eq_ignore_ascii_case("emby"))
        {
            raw.remove(0);
        }
        let path = raw.iter().map(|part| part.to_lowercase()).collect();
        Some(Way { raw, path })
    }

    /// Whoever sent the token, if it is valid; that the device was seen is noted.
    fn caller(&self, says: &Credential, asked: &Asked, ground: &Ground, now_ms: u64) -> Option<Caller> {
        let secret = says.token.as_deref()?;
        let known = self.house.tokens.find(secret)?;
        if ground.is_revoked(&known.label) {
            return None;
        }
        self.house.tokens.seen(secret, says, &asked.peer.ip().to_string(), now_ms);
        let grant = self.house.tokens.find(secret)?;
        let user = grant.user.map(|user| ground.state.users().user(user));
        match user {
            None => Some(Caller { grant, admin: true }),
            Some(user) => user.map(|user| Caller { grant, admin: user.admin }),
        }
    }

    fn enter(&self, asked: &mut Asked, ground: &Arc<Ground>) -> Answer {
        let now_ms = ground.state.clock().now_ms();
        let mut way = self.way(&asked.path);
        let mut params = Params::parse(&asked.query);
        let says = self.credential(asked);
        let caller = self.caller(&says, asked, ground, now_ms);
        if socket::is_asked(asked) {
            return match caller {
                Some(caller) => socket::open(asked, ground, &self.house, caller),
                None => self.leave(
                    Reply::refused(&Refusal::Unauthorized),
                    asked,
                    ground,
                    &Marks::default(),
                    now_ms,
                ),
            };
        }
        let legacy = way.as_ref().and_then(|way| rooms::without_user(&way.raw, &way.path));
        if let (Some((user, raw)), true) = (legacy, self.house.switches.legacy_routes) {
            params.put_first("userid", &user);
            let path = raw.iter().map(|part| part.to_lowercase()).collect();
            way = Some(Way { raw, path });
        }
        let Some(way) = way else {
            return self.leave(Reply::refused(&Refusal::NotFound), asked, ground, &Marks::default(), now_ms);
        };
        let marks = Mutex::new(first_marks(caller.as_ref(), ground));
        let method = if asked.method == Method::HEAD { Method::GET } else { asked.method.clone() };
        let ask = Ask {
            ground,
            house: &self.house,
            method,
            raw: way.raw,
            path: way.path,
            params,
            headers: &asked.headers,
            body: &asked.body,
            caller,
            peer: asked.peer.ip().to_string(),
            starting: asked.starting,
            now_ms,
            marks,
        };
        let open = rooms::is_open(&ask.method, &ask.parts());
        let outcome =
            if open || ask.caller.is_some() { rooms::answer(&ask) } else { Err(Refusal::Unauthorized) };
        let reply = outcome.unwrap_or_else(|refusal| Reply::refused(&refusal));
        let marks = ask.marks.into_inner();
        self.leave(reply, asked, ground, &marks, now_ms)
    }

    /// Marks, spells and compresses.
    fn leave(&self, reply: Reply, asked: &Asked, ground: &Arc<Ground>, marks: &Marks, now_ms: u64) -> Answer {
        let casing = Casing::asked(&asked.headers);
        let (status, mut headers, body) = reply.written(casing, self.house.switches.marks.then_some(marks));
        let taken_ms = ground.state.clock().now_ms().saturating_sub(now_ms);
        if let Ok(value) = format!("{taken_ms}.0").parse() {
            headers.insert(RESPONSE_TIME, value);
        }
        let answer = match body {
            Body::File { item, start, length } => {
                let chance = ground.state.catalogue().chance();
                Answer::flow(
                    status.as_u16(),
                    "",
                    Some(length),
                    media::bytes(chance, "file", item, start, length),
                )
            }
            Body::Bytes(bytes) => {
                let bytes = self.compressed(bytes, &mut headers, &asked.headers);
                if asked.method == Method::HEAD {
                    headers.insert(CONTENT_LENGTH, bytes.len().into());
                }
                Answer::new(status.as_u16(), "", bytes)
            }
            Body::Json(_) | Body::Empty => Answer::empty(status.as_u16()),
        };
        headers.iter().fold(answer, |answer, (name, value)| match value.to_str() {
            Ok(value) => answer.and(name.clone(), value),
            Err(_) => answer,
        })
    }

    /// The body as the client wants it: text is compressed for those who say they take it.
    fn compressed(&self, bytes: Bytes, headers: &mut HeaderMap, asked: &HeaderMap) -> Bytes {
        let text =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|content_type| {
                ["application/json", "application/problem+json", "text/"]
                    .iter()
                    .any(|start| content_type.starts_with(start))
            });
        if !text || !self.house.switches.compress {
            return bytes;
        }
        headers.append(VARY, http::HeaderValue::from_static("Accept-Encoding"));
        if bytes.len() < LEAST_COMPRESSED_BYTES || !takes_gzip(asked) {
            return bytes;
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
        // Writing to memory does not fail; if it did, the plain body is as good.
        match encoder.write_all(&bytes).and_then(|()| encoder.finish()) {
            Ok(packed) => {
                headers.insert(CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
                Bytes::from(packed)
            }
            Err(_) => bytes,
        }
    }
}

impl Dialect for Gate {
    fn class(&self, asked: &Asked) -> Class {
        if socket::is_asked(asked) {
            return Class::Socket;
        }
        let Some(way) = self.way(&asked.path) else { return Class::Other };
        let raw = rooms::without_user(&way.raw, &way.path).map_or(way.raw, |(_, raw)| raw);
        let path: Vec<String> = raw.iter().map(|part| part.to_lowercase()).collect();
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        class(&asked.method, &parts, &Params::parse(&asked.query))
    }

    fn secret(&self, asked: &Asked) -> Option<String> {
        self.credential(asked).token
    }

    fn label(&self, secret: &str) -> Option<String> {
        self.house.tokens.find(secret).map(|grant| grant.label)
    }

    fn answer(&self, mut asked: Asked, ground: &Arc<Ground>) -> Answer {
        self.enter(&mut asked, ground)
    }

    /// `POST /__simulator/link?code=CODE&token=LABEL` agrees to a code, as the owner if no token is named.
    fn own_page(&self, asked: &Asked, page: &str, ground: &Ground) -> Option<Answer> {
        if asked.method != Method::POST || page != "link" {
            return None;
        }
        let label = asked.param("token").unwrap_or_else(|| "owner-a".into());
        let token = ground.state.users().tokens.iter().find(|token| token.label == label);
        let user = token.and_then(|token| token.user);
        let code = asked.param("code").unwrap_or_default();
        let now_ms = ground.state.clock().now_ms();
        let agreed = user.is_some_and(|user| self.house.quick.authorize(&code, user, now_ms));
        Some(if agreed {
            Answer::empty(204)
        } else {
            Answer::text(404, "text/plain", "no such code waits, or no such user")
        })
    }

    fn start_page(&self) -> Answer {
        Answer::text(503, "text/html; charset=utf-8", START_PAGE)
    }

    fn answers_while_starting(&self, asked: &Asked) -> bool {
        self.way(&asked.path).is_some_and(|way| way.path == ["system", "ping"])
    }
}

/// What an answer that reads no state is marked with.
fn first_marks(caller: Option<&Caller>, ground: &Ground) -> Marks {
    let user = caller.and_then(|caller| caller.grant.user);
    let name = match (caller, user) {
        (None, _) => "nobody".to_owned(),
        (Some(_), None) => "key".to_owned(),
        (Some(_), Some(user)) => {
            ground.state.users().user(user).map(|user| user.name.clone()).unwrap_or_default()
        }
    };
    Marks {
        user: name,
        shown: None,
        seq: ground.state.seq(),
        user_seq: ground.state.user_seq(user.unwrap_or(UserId(0))),
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let coding: String = coding.chars().filter(|letter| !letter.is_whitespace()).collect();
        coding.starts_with("gzip") && !coding.ends_with(";q=0")
    })
}

fn class(method: &Method, parts: &[&str], params: &Params) -> Class {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match parts {
        ["system", "info", "public"] | ["system", "ping"] => Class::Identity,
        ["items", _, "playbackinfo"] => Class::Metadata,
        _ if !reads => Class::Write,
        ["items", _, "images", _, ..] | ["userimage"] => Class::Image,
        ["videos" | "audio", ..] | ["items", _, "download" | "file"] => Class::Media,
        ["system", "activitylog", ..] => Class::History,
        ["userviews" | "library", ..] => Class::Sections,
        ["items", "latest" | "suggestions"] | ["useritems", "resume"] | ["shows", "nextup"] => Class::Hubs,
        ["items", "counts"] => Class::Statistics,
        ["search", ..] => Class::Search,
        _ if params.text("searchterm").is_some() => Class::Search,
        ["items"]
        | ["items", "filters" | "filters2"]
        | ["artists" | "genres" | "studios" | "persons" | "years" | "shows", ..] => Class::List,
        ["items" | "useritems", ..] => Class::Metadata,
        ["playlists", ..] => Class::Playlists,
        ["sessions"] => Class::Sessions,
        ["scheduledtasks", ..] => Class::Activities,
        [
            "system" | "users" | "devices" | "displaypreferences" | "branding" | "localization"
            | "quickconnect" | "web",
            ..,
        ] => Class::Server,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_taken_unless_it_is_refused() {
        let takes = |accepted: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepted))]))
        };
        assert!(takes("gzip, deflate") && takes("br, gzip;q=0.5"));
        assert!(!takes("br") && !takes("gzip; q=0") && !takes(""));
    }

    #[test]
    fn every_request_is_counted_in_a_class() {
        let of = |method: Method, path: &str, query: &str| {
            class(&method, &path.split('/').collect::<Vec<_>>(), &Params::parse(query))
        };
        assert_eq!(of(Method::GET, "items", ""), Class::List);
        assert_eq!(of(Method::GET, "items", "searchTerm=x"), Class::Search);
        assert_eq!(of(Method::GET, "items/x", ""), Class::Metadata);
        assert_eq!(of(Method::GET, "items/x/images/primary", "tag=1"), Class::Image);
        assert_eq!(of(Method::POST, "userplayeditems/x", ""), Class::Write);
        assert_eq!(of(Method::GET, "useritems/resume", ""), Class::Hubs);
        assert_eq!(of(Method::GET, "nowhere", ""), Class::Other);
    }
}
