//! Puts a read together: canonical key, the request to the server that is rebuilt from it, tags and lifetime.

use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::ask::Kind;
use crate::class::Class;
use crate::path::{MAX_TARGET_BYTES, canonical};
use crate::plex::lifted::{Keeps, Lifted};
use crate::plex::query::{self, OddQuery, Pair};
use crate::plex::route::{Picture, Plan};
use crate::plex::{filter, image, representation};
use crate::redact;
use crate::tag::Tag;
use crate::verdict::{Read, Representation, Sharing, StreamReason};

const DAY_S: u32 = 24 * 60 * 60;

/// A request for text (XML or JSON).
pub(super) fn text(
    parts: &[&str],
    mut plan: Plan,
    raw: &str,
    headers: &HeaderMap,
) -> Result<Read, StreamReason> {
    let mut pairs = query::pairs(raw)?;
    let lifted = Lifted::take(&mut pairs, headers, plan.keeps)?;
    filter::refine(&mut plan, &mut pairs, &lifted)?;
    let form = representation::of(headers);
    let (mut shapes, mut ordered): (Vec<Pair>, Vec<Pair>) = pairs.into_iter().partition(filter::is_shape);
    // By name only: of two pairs with one name the server may take either, so they keep their order.
    shapes.sort_by(|one, other| one.base.cmp(&other.base));
    ordered.append(&mut shapes);
    let request = Request::new(&canonical(parts), &ordered, form, &lifted)?;
    let sharing = if plan.public { Sharing::Public } else { Sharing::Identity };
    let mut tags = plan.tags;
    if plan.personal {
        tags.push(Tag::user_state());
    }
    let mut lifetime = plan.class.lifetime(Kind::Plex);
    lifetime.user_state = plan.personal;
    if !plan.personal {
        lifetime.fresh_s = lifetime.fresh_s.max(lifetime.fresh_with_signal_s);
    }
    Ok(request.read(plan.class, tags, sharing, lifetime))
}

/// A request for a picture by its own path.
pub(super) fn picture(parts: &[&str], picture: Picture, raw: &str) -> Result<Read, StreamReason> {
    let mut pairs = query::pairs(raw)?;
    Lifted::take(&mut pairs, &HeaderMap::new(), Keeps::Nothing)?;
    image_read(&canonical(parts), &pairs, picture)
}

/// A request for a picture scaled by the server.
pub(super) fn scaled(parts: &[&str], raw: &str) -> Result<Read, StreamReason> {
    let mut pairs = query::pairs(raw)?;
    Lifted::take(&mut pairs, &HeaderMap::new(), Keeps::Nothing)?;
    let inner = image::inner(&pairs)?;
    pairs.retain(|pair| !pair.is("url"));
    pairs.push(inner.pair);
    pairs.sort_by(|one, other| one.base.cmp(&other.base));
    if pairs.windows(2).any(|two| two[0].base.eq_ignore_ascii_case(&two[1].base)) {
        return Err(StreamReason::Odd);
    }
    image_read(&canonical(parts), &pairs, inner.picture)
}

/// A request for a file of the web client.
pub(super) fn asset(parts: &[&str], raw: &str) -> Result<Read, StreamReason> {
    let mut pairs = query::pairs(raw)?;
    Lifted::take(&mut pairs, &HeaderMap::new(), Keeps::Nothing)?;
    let request = Request::new(&canonical(parts), &pairs, Representation::Opaque, &Lifted::default())?;
    let lifetime = Class::Assets.lifetime(Kind::Plex);
    Ok(request.read(Class::Assets, vec![Tag::server()], Sharing::Public, lifetime))
}

fn image_read(path: &str, pairs: &[Pair], picture: Picture) -> Result<Read, StreamReason> {
    let request = Request::new(path, pairs, Representation::Opaque, &Lifted::default())?;
    let mut lifetime = Class::Images.lifetime(Kind::Plex);
    if !picture.stamped {
        lifetime.fresh_s = DAY_S;
        lifetime.fresh_with_signal_s = DAY_S;
    }
    Ok(request.read(Class::Images, vec![picture.tag], Sharing::Image(picture.of), lifetime))
}

/// The canonical request. The key holds all of it; the headers hold nothing that the key does not.
struct Request {
    key: String,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    form: Representation,
}

impl Request {
    fn new(path: &str, pairs: &[Pair], form: Representation, lifted: &Lifted) -> Result<Self, StreamReason> {
        let mut target = path.to_owned();
        if !pairs.is_empty() {
            target.push('?');
            target.push_str(&query::join(pairs));
        }
        if target.len() > MAX_TARGET_BYTES || hides_a_token(&target, pairs) {
            return Err(StreamReason::Odd);
        }
        let mut key = format!("{target} {}", representation::name(form));
        lifted.write_to(&mut key);
        let mut headers = vec![(ACCEPT, HeaderValue::from_static(representation::accept(form)))];
        headers.append(&mut lifted.headers());
        Ok(Self { key, target, headers, form })
    }

    fn read(self, class: Class, tags: Vec<Tag>, sharing: Sharing, lifetime: crate::class::Lifetime) -> Read {
        Read {
            class,
            key: self.key,
            target: self.target,
            headers: self.headers,
            tags,
            representation: self.form,
            sharing,
            lifetime,
        }
    }
}

/// Whether what would stand in the key spells a token's name: as a parameter, or anywhere in a value. In the
/// canonical spelling only what is encoded twice (`%25`) can hide letters.
fn hides_a_token(target: &str, pairs: &[Pair]) -> bool {
    let spells = |text: &str| {
        let is_name =
            |window: &[u8]| window.eq_ignore_ascii_case(b"-token") || window.eq_ignore_ascii_case(b"_token");
        text.as_bytes().windows(6).any(is_name)
            || text.as_bytes().windows(11).any(|window| window.eq_ignore_ascii_case(b"accesstoken"))
    };
    pairs.iter().any(|pair| redact::is_secret_name(&pair.base))
        || spells(target)
        || (target.contains("%25") && redact::decoded_fully(target).is_none_or(|plain| spells(&plain)))
}

impl From<OddQuery> for StreamReason {
    fn from(_: OddQuery) -> Self {
        Self::Odd
    }
}
