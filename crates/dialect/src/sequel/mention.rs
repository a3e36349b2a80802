//! What a row of an answer names.

use super::phrase::{Thing, Words};

/// How something is linked to the row that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// It is the row's item.
    Item,
    /// It is what the item lies under: the season of an episode, the show of a season.
    Parent,
    /// It is what that lies under: the show of an episode.
    Grandparent,
    /// It is the season of a show that the row is, or is of.
    Season,
    /// It is the picture of the item.
    Thumb,
    /// It is the picture behind the item.
    Art,
    /// It is the picture of what the item lies under.
    ParentThumb,
    /// It is the picture of what that lies under.
    GrandparentThumb,
}

impl Link {
    /// What is linked.
    pub fn thing(self) -> Thing {
        match self {
            Self::Item | Self::Parent | Self::Grandparent => Thing::Item,
            Self::Season => Thing::Season,
            Self::Thumb | Self::Art | Self::ParentThumb | Self::GrandparentThumb => Thing::Picture,
        }
    }
}

/// One row, as far as it names what may be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// What it is, in the server's word.
    pub kind: String,
    /// What it names; nothing in it is other than id-shaped.
    pub mentions: Vec<(Link, Words)>,
}

impl Row {
    /// What it names by this link.
    pub fn named(&self, link: Link) -> Option<&Words> {
        self.mentions.iter().find(|(known, _)| *known == link).map(|(_, words)| words)
    }
}
