//! References in a row of a response.

use super::template::{TemplateArgs, TemplateSubject};

/// Relation of a referenced object to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReferenceKind {
    /// The row's item.
    Item,
    /// The item's parent: the season of an episode, the show of a season.
    Parent,
    /// The item's grandparent: the show of an episode.
    Grandparent,
    /// A season with its show; the row is the season or one of its episodes.
    Season,
    /// The item's picture.
    Thumb,
    /// The item's background image.
    Art,
    /// The parent's picture.
    ParentThumb,
    /// The grandparent's picture.
    GrandparentThumb,
}

impl ReferenceKind {
    /// The kind of object referenced.
    pub fn subject(self) -> TemplateSubject {
        match self {
            Self::Item | Self::Parent | Self::Grandparent => TemplateSubject::Item,
            Self::Season => TemplateSubject::Season,
            Self::Thumb | Self::Art | Self::ParentThumb | Self::GrandparentThumb => TemplateSubject::Picture,
        }
    }
}

/// The references in one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowReferences {
    /// Type of the row, as the server names it.
    pub kind: String,
    /// The references; all values look like ids.
    pub references: Vec<(ReferenceKind, TemplateArgs)>,
}

impl RowReferences {
    /// The reference of this kind.
    pub fn get(&self, link: ReferenceKind) -> Option<&TemplateArgs> {
        self.references.iter().find(|(kind, _)| *kind == link).map(|(_, args)| args)
    }
}
