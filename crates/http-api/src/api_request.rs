//! A client's request as the cache sees it: whose it is, which resource it names, and what the server is asked.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use greenroom_cache::{Key, LoadReason, Partition, Tag};
use greenroom_config::HttpApiSettings;
use greenroom_http_caching::hop_by_hop;
use greenroom_http_caching::request_directives::RequestDirectives;
use greenroom_http_caching::storage::{CacheKind, ConfiguredLifetimes};
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_http_caching::variant::{SelectingFields, selects};
use greenroom_http_server::interim::InterimSender;
use greenroom_state::secrets::HashKey;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, EXPECT, HOST, LINK, LOCATION, REFRESH};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::caller::Caller;
use crate::graphql::operation::{GraphqlRequest, is_member};
use crate::route_table::RouteMatch;
use crate::route_traffic::pattern_of;

/// Partition of responses to requests without credentials.
const SHARED: &str = "shared";
/// Partition of the responses of public routes. It is another one than that of requests without credentials, so that a
/// route that is public no more leaves nothing to them.
const PUBLIC: &str = "public";
/// Prefix of the tag that stands for a resource.
const RESOURCE_TAG: &str = "resource ";
/// Prefix of the tag that stands for a cache group.
const GROUP_TAG: &str = "group ";
/// Prefix of the tag that stands for an object of a GraphQL response.
const OBJECT_TAG: &str = "object ";
/// Stands for every object of a response that has too many to be tagged with each.
pub(crate) const ANY_OBJECT: &str = "*";
/// Prefix of configured tags.
const ROUTE_TAG: &str = "tag ";

/// A request.
#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub(crate) method: Method,
    /// Path and query as the server gets them, without what is added.
    pub(crate) target: String,
    /// Fields as the server gets them, without what is added.
    pub(crate) headers: HeaderMap,
    /// Body, if it is part of what is asked.
    pub(crate) body: Option<Bytes>,
    pub(crate) directives: RequestDirectives,
    pub(crate) route: RouteMatch,
    /// Lifetimes that are configured for it.
    pub(crate) lifetimes: ConfiguredLifetimes,
    pub(crate) audience: CacheKind,
    /// Key of its resource, whatever variant.
    pub(crate) resource: Key,
    /// Name of the resource in tags: path and query without credentials.
    pub(crate) resource_name: String,
    /// Partition of the client's own responses, on whatever route that is not public.
    pub(crate) own_partition: Partition,
    /// Hides the values of fields in keys and stored heads.
    hash_key: HashKey,
    /// Further request fields that make a difference.
    pub(crate) key_headers: SelectingFields,
    /// Whether it is a GraphQL query.
    pub(crate) is_graphql_query: bool,
    /// Where interim responses go.
    pub(crate) interim: Option<Arc<InterimSender>>,
    /// The app and the user; `None` for a request of Greenroom's own.
    pub(crate) caller: Option<Caller>,
    /// Reason of its load, if it caused one.
    pub(crate) load_reason: OnceLock<LoadReason>,
}

impl ApiRequest {
    /// The request for a resource; `parts` are the client's.
    pub(crate) fn new(
        (settings, hash_key): (&HttpApiSettings, &HashKey),
        parts: &http::request::Parts,
        target: String,
        route: RouteMatch,
    ) -> Self {
        let mut headers = parts.headers.clone();
        let directives = RequestDirectives::of(&headers);
        hop_by_hop::strip(&mut headers);
        for name in [HOST, EXPECT, CONTENT_LENGTH] {
            headers.remove(name);
        }
        let is_public = route.settings().is_some_and(|route| route.public);
        let credentials = credentials(settings, &headers, &target);
        let own_partition = credentials.as_ref().map_or_else(
            || Partition::new(SHARED),
            |credentials| Partition::new(partition_id(hash_key, &settings.name, credentials)),
        );
        let partition = if is_public { public_partition() } else { own_partition.clone() };
        let is_shared = is_public || credentials.is_none();
        let audience = if is_shared { CacheKind::Shared } else { CacheKind::Private };
        let resource_name = resource_name(settings, &route, &target);
        let key_names = route.settings().map(|route| route.key_headers.clone()).unwrap_or_default();
        let lifetimes = route.settings().map(|route| route.lifetimes).unwrap_or_default();
        Self {
            method: parts.method.clone(),
            resource: Key::new(&settings.name, &partition, &resource_name),
            key_headers: SelectingFields::of_names(key_names),
            own_partition,
            hash_key: *hash_key,
            headers,
            body: None,
            directives,
            lifetimes: ConfiguredLifetimes { fresh: lifetimes.fresh, stale: lifetimes.stale, error: lifetimes.error },
            audience,
            resource_name,
            route,
            target,
            is_graphql_query: false,
            interim: None,
            caller: None,
            load_reason: OnceLock::new(),
        }
    }

    /// The same request as a GraphQL query with this body.
    pub(crate) fn with_graphql_query(mut self, query: &GraphqlRequest, body: Option<Bytes>) -> Self {
        // Variables may hold what only their owner should see.
        let identity = blake3::keyed_hash(&self.hash_key.0, query.identity.as_bytes());
        // What the query of the address says beside the operation may make a difference too.
        let address = without_operation(&self.resource_name);
        let text = format!("{address} graphql {} {}", query.name, HEXLOWER.encode(identity.as_bytes()));
        self.resource = Key::new(self.resource.namespace(), self.resource.partition(), &text);
        let graphql = self.route.settings().and_then(|route| route.graphql.as_ref());
        let operations = graphql.map(|graphql| graphql.operations.as_slice()).unwrap_or_default();
        if let Some(operation) = operations.iter().find(|operation| operation.name == query.name) {
            let own = operation.lifetimes;
            self.lifetimes = ConfiguredLifetimes {
                fresh: own.fresh.or(self.lifetimes.fresh),
                stale: own.stale.or(self.lifetimes.stale),
                error: own.error.or(self.lifetimes.error),
            };
        }
        // A mutation invalidates the path, whatever the query of its own address says.
        let path = self.path().to_owned();
        self.resource_name = path;
        // Its responses are read here, so they must not be encoded.
        self.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        self.body = body;
        self.is_graphql_query = true;
        self
    }

    /// Path as the server gets it.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Digest of a field's value, which may be a secret.
    pub(crate) fn digest(&self, name: &HeaderName, value: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.hash_key.0);
        hasher.update(b"field\0").update(name.as_str().as_bytes()).update(&[0]).update(value.as_bytes());
        HEXLOWER.encode(&hasher.finalize().as_bytes()[..16])
    }

    /// Whether it selects a stored response.
    pub(crate) fn selects(&self, head: &StoredHead) -> bool {
        selects(&head.selected_by, &self.headers, |name, value| self.digest(name, value))
    }

    /// Key of the variant that it selects among responses that vary by these fields.
    pub(crate) fn variant_key(&self, fields: &SelectingFields) -> Key {
        if fields.is_empty() && self.key_headers.is_empty() {
            return self.resource.clone();
        }
        let values = format!("{}\n{}", self.key_headers.key(&self.headers), fields.key(&self.headers));
        let digest = blake3::keyed_hash(&self.hash_key.0, values.as_bytes());
        let text = format!("{}\nvariant {}", self.resource.text(), HEXLOWER.encode(digest.as_bytes()));
        Key::new(self.resource.namespace(), self.resource.partition(), &text)
    }

    /// Its route, or the pattern of its path if none matches.
    pub(crate) fn group(&self) -> Cow<'_, str> {
        match self.route.settings() {
            Some(route) => Cow::Borrowed(&route.name),
            None => Cow::Owned(pattern_of(self.target.split('?').next().unwrap_or_default())),
        }
    }

    /// Tags of its response: its resource, what its route says, and its cache groups.
    pub(crate) fn tags(&self, groups: &[String]) -> Vec<Tag> {
        let own = std::iter::once(resource_tag(&self.resource_name));
        let route = self.route.tags();
        own.chain(route.iter().map(|tag| route_tag(tag))).chain(groups.iter().map(|group| group_tag(group))).collect()
    }
}

/// Partition of the responses of public routes.
pub(crate) fn public_partition() -> Partition {
    Partition::new(PUBLIC)
}

/// An address without what names the operation of a GraphQL request.
fn without_operation(address: &str) -> String {
    let Some((path, query)) = address.split_once('?') else { return address.to_owned() };
    let name_of = |pair: &str| decoded(pair.split('=').next().unwrap_or_default());
    let others: Vec<&str> = query.split('&').filter(|pair| !is_member(&name_of(pair))).collect();
    if others.is_empty() { path.to_owned() } else { format!("{path}?{}", others.join("&")) }
}

/// Key of the part of a variant that is stored while the whole is not.
pub(crate) fn part_key(variant: &Key) -> Key {
    Key::new(variant.namespace(), variant.partition(), &format!("{}\npart", variant.text()))
}

/// Tag of a resource.
pub(crate) fn resource_tag(name: &str) -> Tag {
    Tag::new(format!("{RESOURCE_TAG}{name}"))
}

/// Tag of a cache group.
pub(crate) fn group_tag(name: &str) -> Tag {
    Tag::new(format!("{GROUP_TAG}{name}"))
}

/// Tag of a GraphQL object.
pub(crate) fn object_tag(name: &str) -> Tag {
    Tag::new(format!("{OBJECT_TAG}{name}"))
}

/// A configured tag.
pub(crate) fn route_tag(name: &str) -> Tag {
    Tag::new(format!("{ROUTE_TAG}{name}"))
}

/// Path and query without credentials and without what makes no difference on this route.
pub(crate) fn resource_name(settings: &HttpApiSettings, route: &RouteMatch, target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let name_of = |pair: &str| decoded(pair.split('=').next().unwrap_or_default());
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !is_credential(settings, &name_of(pair))).collect();
    if let Some(route) = route.settings() {
        pairs.retain(|pair| {
            let name = name_of(pair);
            !route.ignore_query.contains(&name) && (route.keep_query.is_empty() || route.keep_query.contains(&name))
        });
        if route.sort_query {
            pairs.sort_by_key(|pair| name_of(pair));
        }
    }
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn is_credential(settings: &HttpApiSettings, name: &str) -> bool {
    settings.credential_query.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A query key without percent signs and plus signs.
fn decoded(name: &str) -> String {
    form_urlencoded::parse(name.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// All credentials of a request, in a text that differs for different ones; `None` if it has none.
fn credentials(settings: &HttpApiSettings, headers: &HeaderMap, target: &str) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut add = |name: &[u8], value: &[u8]| {
        for part in [name, value] {
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part);
        }
    };
    for name in &settings.credential_headers {
        for value in headers.get_all(name) {
            add(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    let query = target.split_once('?').map_or("", |(_, query)| query);
    for pair in query.split('&') {
        let name = decoded(pair.split('=').next().unwrap_or_default());
        if is_credential(settings, &name) {
            add(b"?", pair.as_bytes());
        }
    }
    (!all.is_empty()).then_some(all)
}

fn partition_id(hash_key: &HashKey, server: &str, credentials: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new_keyed(&hash_key.0);
    hasher.update(b"http\0").update(server.as_bytes()).update(&[0]).update(credentials);
    HEXLOWER.encode(&hasher.finalize().as_bytes()[..16])
}

/// The fields that the server gets: the client's, and those that are added for it.
pub(crate) fn with_added_headers(settings: &HttpApiSettings, headers: &HeaderMap) -> HeaderMap {
    let mut all = headers.clone();
    for (name, secret) in &settings.add_headers {
        if let Ok(mut value) = HeaderValue::from_str(secret.expose()) {
            value.set_sensitive(true);
            all.insert::<HeaderName>(name.clone(), value);
        }
    }
    all
}

/// Removes the parameters that are added for the server from the addresses in its response's fields: they are secrets,
/// and servers repeat them in redirects.
pub(crate) fn hide_added_query(settings: &HttpApiSettings, headers: &mut HeaderMap) {
    if settings.add_query.is_empty() {
        return;
    }
    for name in [LOCATION, CONTENT_LOCATION, LINK, REFRESH] {
        let is_bare = name == LOCATION || name == CONTENT_LOCATION;
        let lines: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
        headers.remove(&name);
        for line in lines {
            let hidden = without_added_query(settings, &String::from_utf8_lossy(line.as_bytes()), is_bare);
            if let Ok(value) = HeaderValue::from_str(&hidden) {
                headers.append(&name, value);
            }
        }
    }
}

/// A text without added parameters in the queries of its addresses. A bare address ends with the text or at `#`, one
/// among other text also at what surrounds it.
fn without_added_query(settings: &HttpApiSettings, text: &str, is_bare: bool) -> String {
    let ends: &[char] = if is_bare { &['#'] } else { &['#', '>', '"', '\'', ' '] };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('?') {
        let (query, after) = after.split_at(after.find(ends).unwrap_or(after.len()));
        let is_added = |pair: &&str| {
            let name = decoded(pair.split('=').next().unwrap_or_default());
            settings.add_query.iter().any(|(added, _)| *added == name)
        };
        let others: Vec<&str> = query.split('&').filter(|pair| !is_added(pair)).collect();
        out.push_str(before);
        if !others.is_empty() {
            out.push('?');
            out.push_str(&others.join("&"));
        }
        rest = after;
    }
    out + rest
}

/// The target that the server gets: the client's, and the parameters that are added for it.
pub(crate) fn with_added_query(settings: &HttpApiSettings, target: &str) -> String {
    if settings.add_query.is_empty() {
        return target.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, secret) in &settings.add_query {
        query.append_pair(name, secret.expose());
    }
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}{}", query.finish())
}
