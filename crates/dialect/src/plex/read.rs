//! Builds reads: canonical key, the upstream request rebuilt from it, tags and lifetime.

use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::class::Class;
use crate::classification::{Read, Representation, SharingScope, StreamReason, TokenDependence};
use crate::path::{MAX_TARGET_BYTES, canonical};
use crate::plex::query::{self, AmbiguousQuery, PlexQueryPair};
use crate::plex::route::{ImagePlan, ReadRoute};
use crate::plex::vary::{VaryBy, VaryValues};
use crate::plex::{filter, image, representation};
use crate::redact;
use crate::request::ServerKind;
use crate::tag::{Tag, TagGroup, UserState};

const DAY_S: u32 = 24 * 60 * 60;

/// A read of XML or JSON.
pub(super) fn text(parts: &[&str], mut route: ReadRoute, raw: &str, headers: &HeaderMap) -> Result<Read, StreamReason> {
    let mut pairs = query::pairs(raw)?;
    let vary_values = VaryValues::extract(&mut pairs, headers, route.vary_by)?;
    let is_composed = route.tags.contains(&Tag::watch_lists());
    filter::refine(&mut route, &mut pairs, &vary_values)?;
    let states = filter::states(&route, &pairs, is_composed);
    route.tags.extend(states.into_iter().map(Tag::selected_by));
    let representation = representation::from_accept(headers);
    let (mut shapes, mut ordered): (Vec<PlexQueryPair>, Vec<PlexQueryPair>) =
        pairs.into_iter().partition(filter::is_shape);
    // Sorted by name only: the server may use either of two pairs with one name, so they keep their order.
    shapes.sort_by(|one, other| one.base.cmp(&other.base));
    ordered.append(&mut shapes);
    let request = CanonicalRequest::new(&canonical(parts), &ordered, representation, &vary_values)?;
    let sharing = if route.public { SharingScope::Public } else { SharingScope::Identity };
    let mut tags = route.tags;
    if route.personal {
        tags.push(Tag::user_state());
    }
    tags.extend(of_section(parts, &tags));
    let mut lifetime = route.class.lifetime(ServerKind::Plex);
    lifetime.user_state = route.personal;
    if !route.personal {
        lifetime.fresh_s = lifetime.fresh_s.max(lifetime.fresh_with_signal_s);
    }
    Ok(request.read(route.class, tags, sharing, lifetime))
}

/// The tags of a list of one section, narrowed to it.
fn of_section(parts: &[&str], tags: &[Tag]) -> Vec<Tag> {
    let ["library" | "hubs", "sections", id, ..] = parts else { return Vec::new() };
    let group = TagGroup::Of((*id).to_owned());
    let states = [UserState::Rating, UserState::Continued].map(Tag::selected_by);
    let lists = [vec![Tag::libraries(), Tag::watch_lists()], states.to_vec()].concat();
    lists.iter().filter(|tag| tags.contains(tag)).map(|tag| tag.narrowed(&group)).collect()
}

/// A read of a picture by its own path.
pub(super) fn picture(parts: &[&str], picture: ImagePlan, raw: &str) -> Result<Read, StreamReason> {
    let mut pairs = query::pairs(raw)?;
    VaryValues::extract(&mut pairs, &HeaderMap::new(), VaryBy::Nothing)?;
    image_read(&canonical(parts), &pairs, picture)
}

/// A read of a picture scaled by the server.
pub(super) fn scaled(parts: &[&str], raw: &str) -> Result<Read, StreamReason> {
    let mut pairs = query::pairs(raw)?;
    VaryValues::extract(&mut pairs, &HeaderMap::new(), VaryBy::Nothing)?;
    let inner = image::inner(&pairs)?;
    pairs.retain(|pair| !pair.is("url"));
    pairs.push(inner.pair);
    pairs.sort_by(|one, other| one.base.cmp(&other.base));
    if pairs.windows(2).any(|two| two[0].base.eq_ignore_ascii_case(&two[1].base)) {
        return Err(StreamReason::Odd);
    }
    image_read(&canonical(parts), &pairs, inner.picture)
}

/// A read of a file of the web client.
pub(super) fn asset(parts: &[&str], raw: &str) -> Result<Read, StreamReason> {
    let mut pairs = query::pairs(raw)?;
    VaryValues::extract(&mut pairs, &HeaderMap::new(), VaryBy::Nothing)?;
    let request = CanonicalRequest::new(&canonical(parts), &pairs, Representation::Opaque, &VaryValues::default())?;
    let lifetime = Class::Assets.lifetime(ServerKind::Plex);
    Ok(request.read(Class::Assets, vec![Tag::server()], SharingScope::Public, lifetime))
}

fn image_read(path: &str, pairs: &[PlexQueryPair], picture: ImagePlan) -> Result<Read, StreamReason> {
    let request = CanonicalRequest::new(path, pairs, Representation::Opaque, &VaryValues::default())?;
    let mut lifetime = Class::Images.lifetime(ServerKind::Plex);
    let mut tags = vec![picture.tag];
    if !picture.stamped {
        lifetime.fresh_s = DAY_S;
        lifetime.fresh_with_signal_s = DAY_S;
        tags.push(Tag::unversioned_image(&picture.subject.item));
    }
    Ok(request.read(Class::Images, tags, SharingScope::Image(picture.subject), lifetime))
}

/// The canonical request. The key holds all of it but the place of paging; the headers hold nothing that the key does
/// not.
struct CanonicalRequest {
    key: String,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    representation: Representation,
}

impl CanonicalRequest {
    fn new(
        path: &str,
        pairs: &[PlexQueryPair],
        representation: Representation,
        vary_values: &VaryValues,
    ) -> Result<Self, StreamReason> {
        let mut target = path.to_owned();
        if !pairs.is_empty() {
            target.push('?');
            target.push_str(&query::join(pairs));
        }
        let mut key = format!("{target} {}", representation::name(representation));
        vary_values.write_to(&mut key);
        vary_values.write_query_to(&mut target);
        if target.len() > MAX_TARGET_BYTES || contains_token(&target, pairs) {
            return Err(StreamReason::Odd);
        }
        let mut headers = vec![(ACCEPT, HeaderValue::from_static(representation::accept(representation)))];
        headers.append(&mut vary_values.headers());
        Ok(Self { key, target, headers, representation })
    }

    fn read(self, class: Class, tags: Vec<Tag>, sharing: SharingScope, lifetime: crate::class::Lifetime) -> Read {
        Read {
            class,
            key: self.key,
            target: self.target,
            headers: self.headers,
            tags,
            representation: self.representation,
            sharing,
            // A Plex server names no token's account, so that no two tokens share anything.
            token_dependence: TokenDependence::Nothing,
            lifetime,
        }
    }
}

/// Whether the key would contain a token's name: as a parameter, or anywhere in a value. In the canonical
/// spelling only double encoding (`%25`) can hide letters.
fn contains_token(target: &str, pairs: &[PlexQueryPair]) -> bool {
    let spells = |text: &str| {
        let is_name = |window: &[u8]| window.eq_ignore_ascii_case(b"-token") || window.eq_ignore_ascii_case(b"_token");
        text.as_bytes().windows(6).any(is_name)
            || text.as_bytes().windows(11).any(|window| window.eq_ignore_ascii_case(b"accesstoken"))
    };
    pairs.iter().any(|pair| redact::is_secret_name(&pair.base))
        || spells(target)
        || (target.contains("%25") && redact::decoded_fully(target).is_none_or(|plain| spells(&plain)))
}

impl From<AmbiguousQuery> for StreamReason {
    fn from(_: AmbiguousQuery) -> Self {
        Self::Odd
    }
}
