//! Images: which exist, their tags, and their revisions when they are replaced or deleted.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::{Map, Value, json};

use super::{FieldSelection, JsonFields};
use crate::catalogue::MediaKind;
use crate::jellyfin::ident::{JellyfinId, digest};
use crate::picture::Colour;

/// Max stored uploads; beyond it a replacement only changes the colour.
const MAX_UPLOADED: usize = 256;

/// Image types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ImageKind {
    /// Poster or cover.
    Primary,
    /// Background image.
    Backdrop,
    /// Logo with the title.
    Logo,
    /// Wide image with the title.
    Thumb,
}

/// An image of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ItemImage {
    /// Its tag.
    pub(crate) tag: String,
    /// Its colour, if it is generated.
    pub(crate) colour: Colour,
    /// Content type and bytes, if it was uploaded.
    pub(crate) uploaded: Option<(String, Arc<Vec<u8>>)>,
}

/// Changes to images while the server ran.
#[derive(Debug, Default)]
pub(crate) struct ImageStore {
    seed: u64,
    done: RwLock<HashMap<(JellyfinId, ImageKind), ImageChange>>,
}

#[derive(Debug, Clone, Default)]
struct ImageChange {
    revision: u64,
    deleted: bool,
    uploaded: Option<(String, Arc<Vec<u8>>)>,
}

impl ImageKind {
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
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Default width and height.
    pub(crate) fn measures(self) -> (u32, u32) {
        match self {
            Self::Primary => (400, 600),
            Self::Backdrop => (1_280, 720),
            Self::Logo => (400, 155),
            Self::Thumb => (640, 360),
        }
    }
}

impl ImageStore {
    /// A store without changes.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, done: RwLock::default() }
    }

    /// The image of `kind` of a thing, if it has one. `of` is its kind in the catalogue, if it is an item.
    pub(crate) fn picture(&self, id: JellyfinId, of: Option<MediaKind>, kind: ImageKind) -> Option<ItemImage> {
        let done = self.done.read().get(&(id, kind)).cloned();
        let by_nature = has(of, kind, id.number);
        let done = match done {
            Some(done) if done.deleted => return None,
            Some(done) => done,
            None if by_nature => ImageChange::default(),
            None => return None,
        };
        let parts = [self.seed, id.space as u64, id.number, kind as u64, done.revision];
        let tag = digest(&parts);
        let number = u64::from_str_radix(&tag[..16], 16).unwrap_or(0);
        Some(ItemImage { tag, colour: Colour::from_number(number), uploaded: done.uploaded })
    }

    /// Replaces an image.
    pub(crate) fn replace(&self, id: JellyfinId, kind: ImageKind, content_type: &str, body: Vec<u8>) {
        let mut held = self.done.write();
        let room = held.values().filter(|done| done.uploaded.is_some()).count() < MAX_UPLOADED;
        let done = held.entry((id, kind)).or_default();
        done.revision += 1;
        done.deleted = false;
        done.uploaded = room.then(|| (content_type.to_owned(), Arc::new(body)));
    }

    /// Deletes an image.
    pub(crate) fn delete(&self, id: JellyfinId, kind: ImageKind) {
        let mut held = self.done.write();
        let done = held.entry((id, kind)).or_default();
        done.revision += 1;
        done.deleted = true;
        done.uploaded = None;
    }

    /// Refreshes all images of a thing: every tag changes.
    pub(crate) fn renew(&self, id: JellyfinId, of: Option<MediaKind>) {
        let shown: Vec<ImageKind> =
            ImageKind::EVERY.into_iter().filter(|kind| self.picture(id, of, *kind).is_some()).collect();
        let mut held = self.done.write();
        for kind in shown {
            let done = held.entry((id, kind)).or_default();
            done.revision += 1;
            done.uploaded = None;
        }
    }

    /// Adds the tags of a thing's images to `fields`.
    pub(crate) fn describe(
        &self,
        fields: &mut JsonFields,
        id: JellyfinId,
        of: Option<MediaKind>,
        shape: &FieldSelection,
    ) {
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

/// Whether things of this kind have an image of `kind` in the catalogue.
fn has(of: Option<MediaKind>, kind: ImageKind, number: u64) -> bool {
    match (of, kind) {
        (Some(MediaKind::Track), ImageKind::Primary)
        | (Some(MediaKind::Film | MediaKind::Show | MediaKind::Artist), ImageKind::Logo) => number.is_multiple_of(2),
        (_, ImageKind::Primary)
        | (Some(MediaKind::Film | MediaKind::Show | MediaKind::Artist), ImageKind::Backdrop) => true,
        (Some(MediaKind::Film | MediaKind::Show), ImageKind::Thumb) => !number.is_multiple_of(3),
        _ => false,
    }
}

/// A blur hash of a single colour: six digits in base 83.
fn blur_hash(colour: Colour) -> String {
    const DIGITS: &[u8; 83] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
    let mut rest = (usize::from(colour.red) << 16) | (usize::from(colour.green) << 8) | usize::from(colour.blue);
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
    use crate::jellyfin::ident::IdNamespace;

    fn film() -> JellyfinId {
        JellyfinId::new(IdNamespace::Item, 4_u64)
    }

    fn tag(art: &ImageStore) -> Option<String> {
        art.picture(film(), Some(MediaKind::Film), ImageKind::Primary).map(|picture| picture.tag)
    }

    #[test]
    fn a_replaced_image_has_another_tag_and_a_deleted_one_none() {
        let art = ImageStore::new(1);
        let first = tag(&art);
        assert!(first.is_some());
        art.replace(film(), ImageKind::Primary, "image/png", vec![1, 2]);
        let picture = art.picture(film(), Some(MediaKind::Film), ImageKind::Primary).expect("a replaced image");
        assert_ne!(Some(picture.tag), first);
        assert_eq!(picture.uploaded.map(|(_, body)| body.len()), Some(2));
        art.delete(film(), ImageKind::Primary);
        assert_eq!(tag(&art), None);
    }

    #[test]
    fn two_servers_of_one_seed_agree_on_tags() {
        assert_eq!(tag(&ImageStore::new(5)), tag(&ImageStore::new(5)));
        assert_ne!(tag(&ImageStore::new(5)), tag(&ImageStore::new(6)));
    }

    #[test]
    fn a_blur_hash_of_one_colour_has_six_digits() {
        assert_eq!(blur_hash(Colour { red: 0, green: 0, blue: 0 }), "000000");
        assert_eq!(blur_hash(Colour { red: 0, green: 0, blue: 84 }), "000011");
    }
}
