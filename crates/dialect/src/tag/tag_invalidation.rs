//! Invalidations of tags: which tag, and in which partitions.

use crate::tag::Tag;

/// Invalidation of one tag for an audience.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TagInvalidation {
    /// The invalidated tag.
    pub tag: Tag,
    /// The affected partitions.
    pub audience: Audience,
    /// For an item's tag, or that of its counts: whether those of its ancestors are invalidated too.
    pub with_ancestors: bool,
    /// The item whose change this is. If its group is known, only responses that can hold items of that group are
    /// concerned.
    pub of_item: Option<String>,
}

/// Partitions that an invalidation affects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The writer's, and all that are not proven to belong to another account. For an event: those of the
    /// token whose socket it came over.
    Account,
    /// The named user's (Jellyfin), and all that are not proven to belong to another user.
    User(String),
    /// All partitions.
    Everyone,
}

impl TagInvalidation {
    /// Invalidation for the writer's account.
    pub fn account(tag: Tag) -> Self {
        Self { tag, audience: Audience::Account, with_ancestors: false, of_item: None }
    }

    /// Invalidation for everyone.
    pub fn everyone(tag: Tag) -> Self {
        Self { tag, audience: Audience::Everyone, with_ancestors: false, of_item: None }
    }

    /// Invalidation for a named user.
    pub fn user(tag: Tag, user: &str) -> Self {
        Self { tag, audience: Audience::User(user.into()), with_ancestors: false, of_item: None }
    }

    /// Whether all partitions are concerned.
    pub(crate) fn concerns_everyone(&self) -> bool {
        self.audience == Audience::Everyone
    }

    /// The same, for responses that can hold this item.
    #[must_use]
    pub fn of(mut self, item: &str) -> Self {
        self.of_item = Some(item.to_owned());
        self
    }

    /// The same, including the item's ancestors.
    #[must_use]
    pub fn with_ancestors(mut self) -> Self {
        self.with_ancestors = true;
        self
    }
}
