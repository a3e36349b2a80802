//! Builds reads: canonical key, upstream target, tags, and sharing.

use http::header::{ACCEPT, ACCEPT_LANGUAGE};
use http::{HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::accept::JsonProfile;
use super::address::JellyfinPath;
use super::credential::credential;
use super::query::{CanonicalQuery, DeviceIdRole};
use super::routes::{self, AllowedParams, JellyfinRoute, RouteBody};
use super::{accept, groups, item_query, list_fields, pass_through};
use crate::class::{Class, Lifetime};
use crate::classification::StreamReason::{self, Moment, Odd, Unknown};
use crate::classification::{ImageSubject, Read, Representation, SharingScope, TokenDependence};
use crate::request::{RequestView, ServerKind};
use crate::tag::{Tag, TagGroup, UserState};

/// Fresh time of an image whose URL names no version of it, in seconds.
const UNTAGGED_IMAGE_FRESH_S: u32 = 60 * 60;

/// Kind of the only image that a user has.
const USER_IMAGE_KIND: &str = "Primary";

/// Number of segments after `Images` in a path with all parameters of an image, including its version.
const FULL_IMAGE_SEGMENTS: usize = 8;

/// Classifies a GET or HEAD: a read, or the reason for not caching its response.
pub(super) fn classify_read(
    request: &RequestView<'_>,
    address: &JellyfinPath<'_>,
    own: Option<&str>,
) -> Result<Read, StreamReason> {
    let lowercase = address.lowercase_segments();
    if let Some(reason) = pass_through::pass_reason_for_read(&lowercase) {
        return Err(reason);
    }
    // A range is ignored: the whole response is a valid answer to it, and what is streamed is known by its path.
    let Some(mut route) = routes::find(&lowercase, &address.raw_segments()) else {
        return Err(Unknown);
    };
    let mut query = query_of(&route, address.query())?;
    if let Some(user) = route.user.take() {
        query.set_user(&user)?;
    }
    match route.body.clone() {
        RouteBody::Image(of) => image(request, route, of, query, own),
        RouteBody::Json | RouteBody::Opaque => document(request, &route, &query, own),
    }
}

fn query_of<'a>(route: &JellyfinRoute, raw: &'a str) -> Result<CanonicalQuery<'a>, StreamReason> {
    let devices = if route.params == AllowedParams::Devices { DeviceIdRole::Filter } else { DeviceIdRole::Ignored };
    let mut query = CanonicalQuery::parse_at(&route.path, raw, devices)?;
    if route.params == AllowedParams::Nothing {
        query.clear();
    }
    Ok(query)
}

/// A read of a document: not shared, unless it is the server's public information.
fn document(
    request: &RequestView<'_>,
    route: &JellyfinRoute,
    query: &CanonicalQuery<'_>,
    own: Option<&str>,
) -> Result<Read, StreamReason> {
    if item_query::is_shuffled(query) {
        return Err(Moment);
    }
    let public = route.params == AllowedParams::Nothing;
    let profile = match route.body {
        RouteBody::Json => Some(accept::json(request.headers)?),
        _ => None,
    };
    let representation = profile.map_or(Representation::Opaque, JsonProfile::representation);
    let mut headers = vec![(ACCEPT, profile.map_or(HeaderValue::from_static("*/*"), JsonProfile::header))];
    let mut key_name = profile.map_or("opaque", JsonProfile::key_name).to_owned();
    if route.user_state
        && let Some(counts) = client_counts(request)
    {
        key_name.push('+');
        key_name.push_str(counts);
    }
    if route.params == AllowedParams::ByDevice
        && let Some(device) = credential(request).device_id
    {
        key_name.push('@');
        key_name.extend(utf8_percent_encode(&device, NON_ALPHANUMERIC));
    }
    if !public && let Some(language) = accept::language(request.headers)? {
        headers.push((ACCEPT_LANGUAGE, HeaderValue::from_str(&language).map_err(|_| Odd)?));
        key_name.push(' ');
        key_name.push_str(&language);
    }
    let class = class_of(route, query);
    let lifetime = lifetime_of(class, route, query, own);
    let tags = tags_of(class, route, query);
    let own = own.filter(|_| route.needs_user);
    let sharing = if public { SharingScope::Public } else { SharingScope::Identity };
    let token_dependence = token_dependence(request, route);
    let facets = Facets { headers, tags, representation, sharing, token_dependence, lifetime };
    Ok(finish(class, &route.path, (query, own), &key_name, facets))
}

/// Dependence of the response on the token itself. The server takes the app's name and the device from the token where
/// the request names none, and the app's name from an API key in any case.
fn token_dependence(request: &RequestView<'_>, route: &JellyfinRoute) -> TokenDependence {
    let client = credential(request);
    match route.params {
        AllowedParams::Nothing => TokenDependence::Nothing,
        AllowedParams::ByDevice if client.device_id.is_none() => TokenDependence::Device,
        _ if route.user_state && client.product.is_none() => TokenDependence::Device,
        _ if route.user_state => TokenDependence::KeyName,
        _ => TokenDependence::Nothing,
    }
}

/// The word for the counts that rows of items have for this client: Jellyfin up to 10.11 adds the counts of all
/// descendants and of children to what some clients request, and the latter alone for others, by parts of their names.
fn client_counts(request: &RequestView<'_>) -> Option<&'static str> {
    let product = credential(request).product?.to_lowercase();
    let has_any = |parts: &[&str]| parts.iter().any(|part| product.contains(part));
    if has_any(&["kodi", "wmc", "media center", "classic"]) {
        Some("counts")
    } else if has_any(&["roku", "samsung", "androidtv"]) {
        Some("children")
    } else {
        None
    }
}

/// A read of an image. Its bytes are shared among tokens with an image grant, so the key names the image's
/// subject.
fn image(
    request: &RequestView<'_>,
    route: JellyfinRoute,
    of: Option<ImageSubject>,
    mut query: CanonicalQuery<'_>,
    own: Option<&str>,
) -> Result<Read, StreamReason> {
    let mut tags = route.tags;
    let of = if let Some(of) = of {
        of
    } else {
        let user = query.user().or(own).ok_or(Moment)?.to_owned();
        query.set_user(&user)?;
        let of = ImageSubject::new(routes::user_image(&user), USER_IMAGE_KIND);
        tags.push(Tag::image(&of.item));
        of
    };
    let (key_name, accept_header) = accept::images(request.headers)?;
    let versioned =
        query.get("tag").is_some() || route.path.split('/').rev().nth(FULL_IMAGE_SEGMENTS) == Some("Images");
    let mut lifetime = Class::Images.lifetime(ServerKind::Jellyfin);
    if !versioned {
        lifetime.fresh_s = UNTAGGED_IMAGE_FRESH_S;
        lifetime.fresh_with_signal_s = UNTAGGED_IMAGE_FRESH_S;
        tags.push(Tag::unversioned_image(&of.item));
    }
    let facets = Facets {
        headers: vec![(ACCEPT, accept_header)],
        tags,
        representation: Representation::Opaque,
        sharing: SharingScope::Image(of),
        token_dependence: TokenDependence::Nothing,
        lifetime,
    };
    Ok(finish(Class::Images, &route.path, (&query, None), key_name, facets))
}

/// The facts of a read beside its target.
struct Facets {
    headers: Vec<(HeaderName, HeaderValue)>,
    tags: Vec<Tag>,
    representation: Representation,
    sharing: SharingScope,
    token_dependence: TokenDependence,
    lifetime: Lifetime,
}

fn finish(
    class: Class,
    path: &str,
    (query, own): (&CanonicalQuery<'_>, Option<&str>),
    key_name: &str,
    facets: Facets,
) -> Read {
    let (mut key, mut target) = (path.to_owned(), path.to_owned());
    query.append_to(&mut key, &mut target, own);
    key.push(' ');
    key.push_str(key_name);
    let Facets { headers, tags, representation, sharing, token_dependence, lifetime } = facets;
    Read { class, key, target, headers, tags, representation, sharing, token_dependence, lifetime }
}

fn class_of(route: &JellyfinRoute, query: &CanonicalQuery<'_>) -> Class {
    match (route.params, route.class) {
        (AllowedParams::Listing, Class::Lists) => item_query::class(query),
        (_, Class::Lists) if query.get("searchterm").is_some() => Class::Search,
        (_, class) => class,
    }
}

/// Lifetime of the read. A body without user state lives as long as one with a live signal. The client's
/// signal does not cover a body that shows another user's state.
fn lifetime_of(class: Class, route: &JellyfinRoute, query: &CanonicalQuery<'_>, own: Option<&str>) -> Lifetime {
    let mut lifetime = class.lifetime(ServerKind::Jellyfin);
    if lifetime.user_state && !carries_user_state(class, route, query) {
        lifetime.user_state = false;
        lifetime.fresh_s = lifetime.fresh_with_signal_s;
    } else if query.user().is_some_and(|user| own != Some(user)) {
        lifetime.fresh_with_signal_s = lifetime.fresh_s;
    }
    Lifetime { age_limit: route.age_limit, ..lifetime }.within_age_limit()
}

/// Whether the body depends on user state: in its rows, or in their selection.
fn carries_user_state(class: Class, route: &JellyfinRoute, query: &CanonicalQuery<'_>) -> bool {
    let in_rows = route.user_state && class != Class::Counts && !query.flag("enableuserdata", false);
    in_rows || item_query::is_personal(query)
}

fn tags_of(class: Class, route: &JellyfinRoute, query: &CanonicalQuery<'_>) -> Vec<Tag> {
    let mut tags = route.tags.clone();
    match route.params {
        AllowedParams::Listing => tags.extend(item_query::tags(query)),
        AllowedParams::All => tags.extend(item_query::containing_folders(query)),
        AllowedParams::Devices | AllowedParams::ByDevice | AllowedParams::Nothing => {}
    }
    if item_query::is_personal(query) {
        tags.push(Tag::watch_lists());
    }
    if carries_user_state(class, route, query) {
        tags.push(Tag::user_state());
    }
    tags.extend(list_tags(&tags, route, query));
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Tags of a list that tell which items it can hold, and by what these are chosen.
fn list_tags(tags: &[Tag], route: &JellyfinRoute, query: &CanonicalQuery<'_>) -> Vec<Tag> {
    // Of libraries themselves, and of counts, it matters only that items are added and removed.
    if matches!(route.class, Class::Sections | Class::Counts) {
        return Vec::new();
    }
    let has = |tag: &Tag| tags.contains(tag);
    let mut groups = groups::of_query(query, groups::usual(&route.path));
    if route.path == "/Years" {
        // Years of other kinds are among them whatever kinds are requested.
        groups = vec![TagGroup::Any];
    }
    let is_resume = route.path == "/UserItems/Resume";
    if is_resume {
        // A playlist has no position.
        groups.retain(|group| *group != TagGroup::Of(groups::PLAYLISTS.to_owned()));
    } else if groups::is_one_name(&route.path) {
        groups = groups::without_sets(groups);
    }
    let mut found = Vec::new();
    if has(&Tag::playlists()) {
        found.extend(groups::narrowed(&Tag::playlists(), &groups));
    }
    if let Some(folder) = query.get("parentid") {
        found.push(Tag::section(folder).narrowed(&TagGroup::In(folder.to_owned())));
    }
    if has(&Tag::libraries()) {
        found.extend(groups::narrowed(&Tag::libraries(), &groups));
        found.extend(groups::narrowed(&Tag::listings(), &groups));
        for field in list_fields::of_list(&route.path, query) {
            found.extend(groups::narrowed(&Tag::listed_by(field), &groups));
        }
    }
    let mut states = item_query::selecting_states(query);
    if is_resume {
        states.extend(item_query::resuming_states(query));
    } else if route.tags.contains(&Tag::watch_lists()) {
        // A list that the server composes.
        states.extend([UserState::Played, UserState::Position]);
    }
    for state in states {
        found.extend(groups::narrowed(&Tag::selected_by(state), &groups));
    }
    found
}
