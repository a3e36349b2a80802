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
use greenroom_http_caching::variant::SelectingFields;
use greenroom_http_server::interim::InterimSender;
use greenroom_state::secrets::HashKey;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::caller::Caller;
use crate::graphql::operation::GraphqlRequest;
use crate::route_table::RouteMatch;
use crate::route_traffic::pattern_of;

/// Partition of responses to requests without credentials.
const SHARED: &str = "shared";
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
        let credentials = if is_public { None } else { credentials(settings, &headers, &target) };
        let partition = credentials.as_ref().map_or_else(
            || Partition::new(SHARED),
            |credentials| Partition::new(partition_id(hash_key, &settings.name, credentials)),
        );
        let audience = if credentials.is_some() { CacheKind::Private } else { CacheKind::Shared };
        let resource_name = resource_name(settings, &route, &target);
        let key_names = route.settings().map(|route| route.key_headers.clone()).unwrap_or_default();
        let lifetimes = route.settings().map(|route| route.lifetimes).unwrap_or_default();
        Self {
            method: parts.method.clone(),
            resource: Key::new(&settings.name, &partition, &resource_name),
            key_headers: SelectingFields::of_names(key_names),
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
    pub(crate) fn with_graphql_query(
        mut self,
        hash_key: &HashKey,
        query: &GraphqlRequest,
        body: Option<Bytes>,
    ) -> Self {
        let path = self.target.split('?').next().unwrap_or_default().to_owned();
        // Variables may hold what only their owner should see.
        let identity = blake3::keyed_hash(&hash_key.0, query.identity.as_bytes());
        let text = format!("{path} graphql {} {}", query.name, HEXLOWER.encode(identity.as_bytes()));
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
        self.resource_name = path;
        // Its responses are read here, so they must not be encoded.
        self.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        self.body = body;
        self.is_graphql_query = true;
        self
    }

    /// Key of the variant that it selects among responses that vary by these fields.
    pub(crate) fn variant_key(&self, fields: &SelectingFields) -> Key {
        if fields.is_empty() && self.key_headers.is_empty() {
            return self.resource.clone();
        }
        let text =
            format!("{}{}{}", self.resource.text(), self.key_headers.key(&self.headers), fields.key(&self.headers));
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
