//! Objects of the schema, and their names on the wire.

use crate::catalogue::{ItemId, MediaKind};
use crate::rng::SeededRng;

/// An object that fields are selected on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GraphQlObject {
    Query,
    Mutation,
    /// The caller.
    Account,
    /// A show or a film.
    Project(ItemId),
    /// A season of a show, or the only one of a film.
    Season(ItemId),
    /// An episode of a show, or a film.
    Episode(ItemId),
    WatchData(ItemId),
    Source(ItemId),
    /// A page of what the caller may resume.
    ResumeConnection(ResumePage),
    ResumeEdge(ItemId),
    PageInfo(ResumePage),
}

/// A page of items to resume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ResumePage {
    pub(super) items: Vec<ItemId>,
    pub(super) has_more: bool,
}

impl GraphQlObject {
    /// Its `__typename`.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Mutation => "Mutation",
            Self::Account => "User",
            Self::Project(_) => "Project",
            Self::Season(_) => "Season",
            Self::Episode(_) => "Episode",
            Self::WatchData(_) => "WatchData",
            Self::Source(_) => "Source",
            Self::ResumeConnection(_) => "ResumeConnection",
            Self::ResumeEdge(_) => "ResumeEdge",
            Self::PageInfo(_) => "PageInfo",
        }
    }
}

/// Id of an item on the wire: a UUID that holds its number, so that it is found again without a table.
pub(super) fn guid(rng: SeededRng, item: ItemId) -> String {
    format!("{:08x}{}", item.0, &rng.uuid("graphql/guid", u64::from(item.0))[8..])
}

/// The item with this id.
pub(super) fn item_of_guid(rng: SeededRng, text: &str) -> Option<ItemId> {
    let item = ItemId(u32::from_str_radix(text.get(..8)?, 16).ok()?);
    (guid(rng, item) == text).then_some(item)
}

/// `the-quiet-bridge-12`
pub(super) fn slug(title: &str, item: ItemId) -> String {
    let mut slug = String::with_capacity(title.len() + 8);
    for letter in title.chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if letter != '\'' && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    format!("{}-{}", slug.trim_matches('-'), item.0)
}

/// The number at the end of a slug; the rest may be that of an older title.
pub(super) fn item_of_slug(slug: &str) -> Option<ItemId> {
    slug.rsplit_once('-')?.1.parse().ok().map(ItemId)
}

/// Name of a project's kind.
pub(super) fn project_type(kind: MediaKind) -> &'static str {
    if kind == MediaKind::Film { "movie" } else { "series" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_item_only_if_it_is_whole() {
        let rng = SeededRng::new(3);
        let text = guid(rng, ItemId(301));
        assert_eq!(item_of_guid(rng, &text), Some(ItemId(301)));
        assert_eq!(item_of_guid(rng, &format!("{}0", &text[..text.len() - 1])).is_some(), text.ends_with('0'));
        assert_eq!(item_of_guid(SeededRng::new(4), &text), None);
    }

    #[test]
    fn a_slug_is_readable_and_ends_in_the_number() {
        assert_eq!(slug("Sam's Quiet & Tall Bridge", ItemId(12)), "sams-quiet-tall-bridge-12");
        assert_eq!(item_of_slug("sams-quiet-tall-bridge-12"), Some(ItemId(12)));
        assert_eq!(item_of_slug("12"), None);
    }
}
