//! A read: its canonical key, the target the server is asked for, its tags, and between whom it may be shared.

use http::header::{ACCEPT, ACCEPT_LANGUAGE, RANGE};
use http::{HeaderName, HeaderValue};

use super::address::Address;
use super::query::{Devices, Query};
use super::routes::{self, Asks, Body, Route};
use super::{accept, listing, passing};
use crate::ask::{Ask, Kind};
use crate::class::{Class, Lifetime};
use crate::tag::Tag;
use crate::verdict::StreamReason::{self, Media, Moment, Odd, Unknown};
use crate::verdict::{Read, Representation, Sharing};

/// How long an image may be fresh whose address does not say which version of it is meant, in seconds.
const UNTAGGED_IMAGE_FRESH_S: u32 = 60 * 60;

/// How many segments come after `Images` where the path says everything about an image, its version among them.
const FULL_IMAGE_SEGMENTS: usize = 8;

/// What a GET or HEAD is: a read, or why its answer is never kept.
pub(super) fn judge(ask: &Ask<'_>, address: &Address<'_>, own: Option<&str>) -> Result<Read, StreamReason> {
    let low = address.low();
    if let Some(reason) = passing::of_a_read(&low) {
        return Err(reason);
    }
    let ranged = ask.headers.contains_key(RANGE);
    let Some(mut route) = routes::find(&low, &address.raw()) else {
        return Err(if ranged { Media } else { Unknown });
    };
    if ranged && !matches!(route.body, Body::Image(_)) {
        return Err(Media);
    }
    let mut query = query_of(&route, address.query())?;
    if let Some(user) = route.user.take() {
        query.name_user(&user)?;
    }
    match route.body.clone() {
        Body::Image(of) => image(ask, route, of, query, own),
        Body::Json | Body::Opaque => document(ask, &route, &query, own),
    }
}

fn query_of<'a>(route: &Route, raw: &'a str) -> Result<Query<'a>, StreamReason> {
    let devices = if route.asks == Asks::Devices { Devices::Chosen } else { Devices::Idle };
    let mut query = Query::read(raw, devices)?;
    if route.asks == Asks::Nothing {
        query.clear();
    }
    Ok(query)
}

/// A read of a document: shared with nobody, unless it is the server's public word about itself.
fn document(
    ask: &Ask<'_>,
    route: &Route,
    query: &Query<'_>,
    own: Option<&str>,
) -> Result<Read, StreamReason> {
    if listing::is_shuffled(query) {
        return Err(Moment);
    }
    let public = route.asks == Asks::Nothing;
    let representation = match route.body {
        Body::Json => accept::json(ask.headers)?,
        _ => Representation::Opaque,
    };
    let mut headers = vec![(ACCEPT, accepting(representation))];
    let mut word = match representation {
        Representation::JsonCamel => "camel",
        Representation::Json => "json",
        _ => "opaque",
    }
    .to_owned();
    if !public && let Some(language) = accept::language(ask.headers)? {
        headers.push((ACCEPT_LANGUAGE, HeaderValue::from_str(&language).map_err(|_| Odd)?));
        word.push(' ');
        word.push_str(&language);
    }
    let class = class_of(route, query);
    let lifetime = lifetime_of(class, route, query, own);
    let tags = tags_of(class, route, query);
    let own = own.filter(|_| route.takes_user);
    let sharing = if public { Sharing::Public } else { Sharing::Identity };
    Ok(finish(
        class,
        &route.path,
        (query, own),
        &word,
        Facets { headers, tags, representation, sharing, lifetime },
    ))
}

/// A read of an image: its bytes are everybody's who may see what it shows, so the key says whose image it is.
fn image(
    ask: &Ask<'_>,
    route: Route,
    of: Option<String>,
    mut query: Query<'_>,
    own: Option<&str>,
) -> Result<Read, StreamReason> {
    let mut tags = route.tags;
    let of = if let Some(of) = of {
        of
    } else {
        let user = query.user().or(own).ok_or(Moment)?.to_owned();
        query.name_user(&user)?;
        let of = routes::user_image(&user);
        tags.push(Tag::image(&of));
        of
    };
    let (word, accepting) = accept::images(ask.headers)?;
    let versioned =
        query.get("tag").is_some() || route.path.split('/').rev().nth(FULL_IMAGE_SEGMENTS) == Some("Images");
    let mut lifetime = Class::Images.lifetime(Kind::Jellyfin);
    if !versioned {
        lifetime.fresh_s = UNTAGGED_IMAGE_FRESH_S;
        lifetime.fresh_with_signal_s = UNTAGGED_IMAGE_FRESH_S;
    }
    let facets = Facets {
        headers: vec![(ACCEPT, accepting)],
        tags,
        representation: Representation::Opaque,
        sharing: Sharing::Image(of),
        lifetime,
    };
    Ok(finish(Class::Images, &route.path, (&query, None), word, facets))
}

/// What a read is besides its text.
struct Facets {
    headers: Vec<(HeaderName, HeaderValue)>,
    tags: Vec<Tag>,
    representation: Representation,
    sharing: Sharing,
    lifetime: Lifetime,
}

fn finish(
    class: Class,
    path: &str,
    (query, own): (&Query<'_>, Option<&str>),
    word: &str,
    facets: Facets,
) -> Read {
    let (mut key, mut target) = (path.to_owned(), path.to_owned());
    query.append_to(&mut key, &mut target, own);
    key.push(' ');
    key.push_str(word);
    let Facets { headers, tags, representation, sharing, lifetime } = facets;
    Read { class, key, target, headers, tags, representation, sharing, lifetime }
}

fn accepting(representation: Representation) -> HeaderValue {
    match representation {
        Representation::Opaque => HeaderValue::from_static("*/*"),
        json => accept::json_header(json),
    }
}

fn class_of(route: &Route, query: &Query<'_>) -> Class {
    match (route.asks, route.class) {
        (Asks::Listing, Class::Lists) => listing::class(query),
        (_, Class::Lists) if query.get("searchterm").is_some() => Class::Search,
        (_, class) => class,
    }
}

/// A body without user state lives as long as one that is kept true by a signal. A signal for the caller does not
/// keep a body true that shows what somebody else did.
fn lifetime_of(class: Class, route: &Route, query: &Query<'_>, own: Option<&str>) -> Lifetime {
    let mut lifetime = class.lifetime(Kind::Jellyfin);
    if lifetime.user_state && !carries_user_state(class, route, query) {
        lifetime.user_state = false;
        lifetime.fresh_s = lifetime.fresh_with_signal_s;
    } else if query.user().is_some_and(|user| own != Some(user)) {
        lifetime.fresh_with_signal_s = lifetime.fresh_s;
    }
    lifetime
}

/// Whether the body shows what the user did: in its rows, or by which rows there are.
fn carries_user_state(class: Class, route: &Route, query: &Query<'_>) -> bool {
    let in_rows = route.user_state && class != Class::Counts && !query.flag("enableuserdata", false);
    in_rows || listing::is_personal(query)
}

fn tags_of(class: Class, route: &Route, query: &Query<'_>) -> Vec<Tag> {
    let mut tags = route.tags.clone();
    match route.asks {
        Asks::Listing => tags.extend(listing::tags(query)),
        Asks::All => tags.extend(listing::places(query)),
        Asks::Devices | Asks::Nothing => {}
    }
    if listing::is_personal(query) {
        tags.push(Tag::watch_lists());
    }
    if carries_user_state(class, route, query) {
        tags.push(Tag::user_state());
    }
    tags.sort_unstable();
    tags.dedup();
    tags
}
