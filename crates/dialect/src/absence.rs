//! Reads of what an item may have or lack: images, lyrics, media segments. That there is none is worth remembering for
//! a short time: apps ask for it with each item they show.

use crate::class::Class;
use crate::classification::{Read, SharingScope};
use crate::tag::{Tag, TagGroup};

impl Read {
    /// Tags by which the response is invalidated that there is no such image, lyrics or segments: those of the read,
    /// and those of every event that may announce one. `None` for other reads, whose absence is never remembered.
    pub fn absence_tags(&self) -> Option<Vec<Tag>> {
        let mut tags = self.tags.clone();
        // Any edit, scan or change of a library.
        for tag in [Tag::libraries(), Tag::listings()] {
            tags.extend([tag.narrowed(&TagGroup::Any), tag]);
        }
        match &self.sharing {
            SharingScope::Image(subject) => {
                // An event tells that an item or a user changed, but not whether it has an image now.
                tags.push(Tag::unversioned_image(&subject.item));
                tags.push(Tag::users());
                Some(tags)
            }
            SharingScope::Identity if self.class == Class::Item && self.is_about_lyrics_or_segments() => Some(tags),
            SharingScope::Identity | SharingScope::Public => None,
        }
    }

    fn is_about_lyrics_or_segments(&self) -> bool {
        let path = self.target.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        matches!(parts[..], ["Audio", _, "Lyrics"] | ["MediaSegments", _])
    }
}
