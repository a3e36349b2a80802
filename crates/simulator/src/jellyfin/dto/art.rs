//! Images: which a thing has, their tags, and their revisions when somebody replaces or deletes them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::{Map, Value, json};

use super::{Fields, Shape};
use crate::catalogue::Kind;
use crate::jellyfin::ident::{Ident, digest};
use crate::jellyfin::picture::Colour;

/// Replaced images that are kept at the most; then the next replacement is only a new colour.
const MAX_UPLOADED: usize = 256;

/// The types of images there are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ImageKind {
    /// The poster or cover.
    Primary,
    /// The picture behind everything.
    Backdrop,
    /// The title as a picture.
    Logo,
    /// A wide picture with the title.
    Thumb,
}

/// What a thing shows under one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Its tag.
    pub(crate) tag: String,
    /// Its colour, where it is a painted one.
    pub(crate) colour: Colour,
    /// Content type and bytes, where somebody put it there.
    pub(crate) uploaded: Option<(String, Arc<Vec<u8>>)>,
}

/// What was done to images while the server ran.
#[derive(Debug, Default)]
pub(crate) struct Art {
    seed: u64,
    done: RwLock<HashMap<(Ident, ImageKind), Done>>,
}

#[derive(Debug, Clone, Default)]
struct Done {
    revision: u64,
    deleted: bool,
    uploaded: Option<(String, Arc<Vec<u8>>)>,
}

impl ImageKind {
    /// All of them.
    pub(crate) const EVERY: [Self; 4] = [Self::Primary, Self::Backdrop, Self::Logo, Self::Thumb];

    /// Its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Primary => "Primary",
            Self::Backdrop => "Backdrop",
            Self::Logo => "Logo",
            Self::Thumb => "Thumb",
        }
    }

    /// The kind with this name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Width and height it has when nobody asks for less.
    pub(crate) fn measures(self) -> (u32, u32) {
        match self {
            Self::Primary => (400, 600),
            Self::Backdrop => (1_280, 720),
            Self::Logo => (400, 155),
            Self::Thumb => (640, 360),
        }
    }
}

impl Art {
    /// Untouched images.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, done: RwLock::default() }
    }

    /// The image of `kind` of a thing, if it has one. `of` is its kind in the catalogue, if it is an item.
    pub(crate) fn picture(&self, id: Ident, of: Option<Kind>, kind: ImageKind) -> Option<Picture> {
        let done = self.done.read().get(&(id, kind)).cloned();
        let by_nature = has(of, kind, id.number);
        let done = match done {
            Some(done) if done.deleted => return None,
            Some(done) => done,
            None if by_nature => Done::default(),
            None => return None,
        };
        let parts = [self.seed, id.space as u64, id.number, kind as u64, done.revision];
        let tag = digest(&parts);
        let number = u64::from_str_radix(&tag[..16], 16).unwrap_or(0);
        Some(Picture { tag, colour: Colour::of(number), uploaded: done.uploaded })
    }

    /// Puts another image in its place.
    pub(crate) fn replace(&self, id: Ident, kind: ImageKind, content_type: &str, body: Vec<u8>) {
        let mut held = self.done.write();
        let room = held.values().filter(|done| done.uploaded.is_some()).count() < MAX_UPLOADED;
        let done = held.entry((id, kind)).or_default();
        done.revision += 1;
        done.deleted = false;
        done.uploaded = room.then(|| (content_type.to_owned(), Arc::new(body)));
    }

    /// Takes an image away.
    pub(crate) fn delete(&self, id: Ident, kind: ImageKind) {
        let mut held = self.done.write();
        let done = held.entry((id, kind)).or_default();
        done.revision += 1;
        done.deleted = true;
        done.uploaded = None;
    }

    /// Fetches all images of a thing anew: every tag changes.
    pub(crate) fn renew(&self, id: Ident, of: Option<Kind>) {
        let shown: Vec<ImageKind> =
            ImageKind::EVERY.into_iter().filter(|kind| self.picture(id, of, *kind).is_some()).collect();
        let mut held = self.done.write();
        for kind in shown {
            let done = held.entry((id, kind)).or_default();
            done.revision += 1;
            done.uploaded = None;
        }
    }

    /// Puts the tags of a thing's images into `fields`.
    pub(crate) fn describe(&self, fields: &mut Fields, id: Ident, of: Option<Kind>, shape: &Shape) {
        let mut tags = Map::new();
        let mut hashes = Map::new();
        let mut backdrops = Vec::new();
        for kind in ImageKind::EVERY.into_iter().filter(|kind| shape.wants_image(kind.name())) {
            let Some(picture) = self.picture(id, of, kind) else { continue };
            hashes.insert(kind.name().into(), json!({picture.tag.as_str(): blur_hash(picture.colour)}));
            if kind == ImageKind::Backdrop {
                backdrops.push(Value::from(picture.tag));
            } else {
                tags.insert(kind.name().into(), picture.tag.into());
            }
        }
        if shape.images {
            fields.insert("ImageTags".into(), Value::Object(tags));
        }
        fields.insert("BackdropImageTags".into(), Value::Array(backdrops));
        fields.insert("ImageBlurHashes".into(), Value::Object(hashes));
    }
}

/// Whether a thing has an image of `kind` by nature.
fn has(of: Option<Kind>, kind: ImageKind, number: u64) -> bool {
    match (of, kind) {
        (Some(Kind::Track), ImageKind::Primary)
        | (Some(Kind::Film | Kind::Show | Kind::Artist), ImageKind::Logo) => number.is_multiple_of(2),
        (_, ImageKind::Primary) | (Some(Kind::Film | Kind::Show | Kind::Artist), ImageKind::Backdrop) => true,
        (Some(Kind::Film | Kind::Show), ImageKind::Thumb) => !number.is_multiple_of(3),
        _ => false,
    }
}

/// A blur hash of a single colour: six digits in base 83.
fn blur_hash(colour: Colour) -> String {
    const DIGITS: &[u8; 83] =
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
    let mut rest =
        (usize::from(colour.red) << 16) | (usize::from(colour.green) << 8) | usize::from(colour.blue);
    let mut digits = [b'0'; 6];
    for place in digits[2..].iter_mut().rev() {
        *place = DIGITS[rest % 83];
        rest /= 83;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jellyfin::ident::Space;

    fn film() -> Ident {
        Ident::new(Space::Item, 4_u64)
    }

    fn tag(art: &Art) -> Option<String> {
        art.picture(film(), Some(Kind::Film), ImageKind::Primary).map(|picture| picture.tag)
    }

    #[test]
    fn a_replaced_image_has_another_tag_and_a_deleted_one_none() {
        let art = Art::new(1);
        let first = tag(&art);
        assert!(first.is_some());
        art.replace(film(), ImageKind::Primary, "image/png", vec![1, 2]);
        let picture = art.picture(film(), Some(Kind::Film), ImageKind::Primary).expect("a replaced image");
        assert_ne!(Some(picture.tag), first);
        assert_eq!(picture.uploaded.map(|(_, body)| body.len()), Some(2));
        art.delete(film(), ImageKind::Primary);
        assert_eq!(tag(&art), None);
    }

    #[test]
    fn two_servers_of_one_seed_agree_on_tags() {
        assert_eq!(tag(&Art::new(5)), tag(&Art::new(5)));
        assert_ne!(tag(&Art::new(5)), tag(&Art::new(6)));
    }

    #[test]
    fn a_blur_hash_of_one_colour_has_six_digits() {
        assert_eq!(blur_hash(Colour { red: 0, green: 0, blue: 0 }), "000000");
        assert_eq!(blur_hash(Colour { red: 0, green: 0, blue: 84 }), "000011");
    }
}
