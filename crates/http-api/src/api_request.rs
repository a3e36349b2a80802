//! A client's request as the cache sees it: whose it is, which resource it names, and what the server is asked.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use greenroom_cache::{Key, LoadReason, Partition, Tag};
use greenroom_config::HttpApiSettings;
use greenroom_http_caching::hop_by_hop;
use greenroom_http_caching::request_directives::RequestDirectives;
use greenroom_http_caching::search_variance::{NO_VARY_SEARCH, SearchVariance};
use greenroom_http_caching::storage::{CacheKind, ConfiguredLifetimes};
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_http_caching::trailer_fields;
use greenroom_http_caching::variant::{SelectingFields, selects};
use greenroom_http_server::interim::InterimSender;
use greenroom_state::secrets::HashKey;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::caller::Caller;
use crate::graphql::operation::{GraphqlRequest, is_member};
use crate::resource_name::{credentials, decoded, partition_id, resource_name};
use crate::route_table::RouteMatch;
use crate::route_traffic::pattern_of;

/// Partition of responses to requests without credentials.
const SHARED: &str = "shared";
/// Partition of the responses of public routes. It is another one than that of requests without credentials, so that a
/// route that is public no more leaves nothing to them.
const PUBLIC: &str = "public";
/// Prefix of the tag that stands for a resource.
const RESOURCE_TAG: &str = "resource ";
/// Prefix of the tag that stands for the responses for several queries of a path.
const SEARCH_TAG: &str = "search ";
/// Prefix of the tag that stands for a cache group.
const GROUP_TAG: &str = "group ";
/// Prefix of the tag that stands for an object of a GraphQL response.
const OBJECT_TAG: &str = "object ";
/// Stands for every object of a response that has too many to be tagged with each.
pub(crate) const ANY_OBJECT: &str = "*";
/// Prefix of configured tags.
const ROUTE_TAG: &str = "tag ";

/// A request.
#[derive(Debug, Clone)]
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
    /// Whether its client accepts fields after a body.
    pub(crate) accepts_trailers: bool,
    /// Whether it is a GraphQL query.
    pub(crate) is_graphql_query: bool,
    /// Name of its GraphQL operation.
    pub(crate) operation: Option<String>,
    /// Receiver of interim responses.
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
        let accepts_trailers = trailer_fields::are_accepted(parts.version, &headers);
        hop_by_hop::strip(&mut headers);
        for name in [HOST, EXPECT, CONTENT_LENGTH] {
            headers.remove(name);
        }
        if route.reads_responses() {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
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
            accepts_trailers,
            is_graphql_query: false,
            operation: None,
            interim: None,
            caller: None,
            load_reason: OnceLock::new(),
        }
    }

    /// The same request without anything of its connection.
    pub(crate) fn without_connection(&self) -> Self {
        Self { interim: None, ..self.clone() }
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
        self.operation = Some(query.name.clone());
        self
    }

    /// The same request as a read of which the body is a part.
    pub(crate) fn with_key_body(mut self, body: Bytes) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&self.hash_key.0);
        hasher.update(b"body\0").update(self.method.as_str().as_bytes());
        // The same bytes in another type or coding are another question.
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
            let values: Vec<&[u8]> = self.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            let value = values.join(&b","[..]);
            hasher.update(&(value.len() as u64).to_be_bytes()).update(&value);
        }
        hasher.update(&body);
        let identity = HEXLOWER.encode(hasher.finalize().as_bytes());
        let text = format!("{} body {identity}", self.resource_name);
        self.resource = Key::new(self.resource.namespace(), self.resource.partition(), &text);
        self.body = Some(body);
        self
    }

    /// The same request, now that it is known what makes no difference in the query of its path.
    pub(crate) fn with_search_variance(mut self, variance: &SearchVariance) -> Self {
        self.resource = self.searched_resource(variance);
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

    /// Digest of what counts of its query if a response says this of it.
    pub(crate) fn search_digest(&self, variance: &SearchVariance) -> String {
        self.digest(&NO_VARY_SEARCH, &searched_name(&self.resource_name, variance))
    }

    /// Whether it selects a stored response.
    pub(crate) fn selects(&self, head: &StoredHead) -> bool {
        // A part keeps the range that it is the answer to.
        let is_field = |name: &HeaderName| *name != NO_VARY_SEARCH && (*name != RANGE || head.part.is_none());
        let fields = head.selected_by.iter().filter(|(name, _)| is_field(name));
        self.is_searched(head) && selects(fields, &self.headers, |name, value| self.digest(name, value))
    }

    /// Whether its query is one of those that a stored response is for. Its key says so too, unless that leaves out
    /// what counts for this response: one from before it was known that anything makes no difference is for its own
    /// letters.
    pub(crate) fn is_searched(&self, head: &StoredHead) -> bool {
        let told = head.selected_by.iter().find(|(name, _)| *name == NO_VARY_SEARCH);
        match told {
            Some((_, digest)) => *digest == self.search_digest(&SearchVariance::of_response(&head.headers)),
            None => self.path_key().is_none() || self.resource.text() == self.resource_name,
        }
    }

    /// Key of the variant that it selects among responses that vary by these fields.
    pub(crate) fn variant_key(&self, fields: &SelectingFields) -> Key {
        self.variant_key_of(&self.resource, fields)
    }

    /// The same for another key of its resource.
    pub(crate) fn variant_key_of(&self, resource: &Key, fields: &SelectingFields) -> Key {
        if fields.is_empty() && self.key_headers.is_empty() {
            return resource.clone();
        }
        let values = format!("{}\n{}", self.key_headers.key(&self.headers), fields.key(&self.headers));
        let digest = blake3::keyed_hash(&self.hash_key.0, values.as_bytes());
        let text = format!("{}\nvariant {}", resource.text(), HEXLOWER.encode(digest.as_bytes()));
        Key::new(resource.namespace(), resource.partition(), &text)
    }

    /// Key of its path, under which it is known which differences of the query make none; `None` for one whose query is
    /// not all of its key.
    pub(crate) fn path_key(&self) -> Option<Key> {
        let is_plain = !self.is_graphql_query && self.body.is_none();
        let path = self.resource_name.split('?').next().unwrap_or_default();
        is_plain.then(|| Key::new(self.resource.namespace(), self.resource.partition(), path))
    }

    /// Key of its resource if responses say this of its query.
    pub(crate) fn searched_resource(&self, variance: &SearchVariance) -> Key {
        let name = searched_name(&self.resource_name, variance);
        Key::new(self.resource.namespace(), self.resource.partition(), &name)
    }

    /// Its route, or the pattern of its path if none matches.
    pub(crate) fn group(&self) -> Cow<'_, str> {
        match self.route.settings() {
            Some(route) => Cow::Borrowed(&route.name),
            None => Cow::Owned(pattern_of(self.target.split('?').next().unwrap_or_default())),
        }
    }

    /// Tags of its response: its resource, its path if the response is for several queries of it, what its route says,
    /// and its cache groups.
    pub(crate) fn tags(&self, groups: &[String], head: &StoredHead, body: &[u8]) -> Vec<Tag> {
        let is_searched = head.selected_by.iter().any(|(name, _)| *name == NO_VARY_SEARCH);
        let searched = is_searched.then(|| search_tag(&self.resource_name));
        let own = std::iter::once(resource_tag(&self.resource_name)).chain(searched);
        let route = self.route.tags(body);
        own.chain(route.iter().map(|tag| route_tag(tag))).chain(groups.iter().map(|group| group_tag(group))).collect()
    }
}

/// A name without what makes no difference in its query.
fn searched_name(name: &str, variance: &SearchVariance) -> String {
    let Some((path, query)) = name.split_once('?') else { return name.to_owned() };
    if variance.is_default() {
        return name.to_owned();
    }
    let query = variance.normalised(query);
    // An address without a query is another one than that with an empty one only to the letter.
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
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

/// Tag of the responses for several queries of a resource's path.
pub(crate) fn search_tag(name: &str) -> Tag {
    Tag::new(format!("{SEARCH_TAG}{}", name.split('?').next().unwrap_or_default()))
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
