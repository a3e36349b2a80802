//! Genres, studios, people and years: they exist only as names on items, with ids computed from the name.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::ident::{IdNamespace, JellyfinId};
use super::response_context::ResponseContext;
use crate::catalogue::{ItemRecord, MediaKind, SortKey};

/// Kinds of named things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ByNameKind {
    /// Genres of films and shows, and of music.
    Genre,
    /// Studios, networks and labels.
    Studio,
    /// Cast and crew.
    Person,
    /// Years of production.
    Year,
}

impl ByNameKind {
    pub(crate) const EVERY: [Self; 4] = [Self::Genre, Self::Studio, Self::Person, Self::Year];

    /// Namespace of their ids.
    pub(crate) fn namespace(self) -> IdNamespace {
        match self {
            Self::Genre => IdNamespace::Genre,
            Self::Studio => IdNamespace::Studio,
            Self::Person => IdNamespace::Person,
            Self::Year => IdNamespace::Year,
        }
    }

    /// The kind whose ids are in `namespace`.
    pub(crate) fn from_namespace(space: IdNamespace) -> Option<Self> {
        Self::EVERY.into_iter().find(|naming| naming.namespace() == space)
    }

    /// The id of the name.
    pub(crate) fn id(self, name: &str) -> JellyfinId {
        match (self, name.parse::<u64>()) {
            (Self::Year, Ok(year)) => JellyfinId::new(IdNamespace::Year, year),
            _ => JellyfinId::new(self.namespace(), xxh3_64(name.to_lowercase().as_bytes())),
        }
    }

    /// The names of this kind on an item.
    pub(crate) fn on(self, record: &ItemRecord) -> Vec<String> {
        match self {
            Self::Genre => record.genres.clone(),
            Self::Studio => record.studio.iter().cloned().collect(),
            Self::Person => people(record).into_iter().map(|person| person.name).collect(),
            Self::Year => record.year.iter().map(u16::to_string).collect(),
        }
    }

    /// Every name of this kind on visible items of `kinds`, in order, with the number of items.
    pub(crate) fn all(self, scene: &ResponseContext<'_>, kinds: &[MediaKind]) -> BTreeMap<String, usize> {
        let mut names = BTreeMap::new();
        for kind in kinds.iter().filter(|kind| scene.sees(kind.section())) {
            for id in scene.view.list(*kind, SortKey::Added).iter() {
                let Some(record) = scene.view.record(*id) else { continue };
                for name in self.on(&record) {
                    *names.entry(name).or_default() += 1;
                }
            }
        }
        names
    }

    /// Item kinds to search by default: top-level ones only, so that a million tracks need not be read.
    pub(crate) fn usual_kinds(self) -> &'static [MediaKind] {
        match self {
            Self::Genre => &[MediaKind::Film, MediaKind::Show, MediaKind::Artist],
            Self::Studio | Self::Year => &[MediaKind::Film, MediaKind::Show, MediaKind::Album],
            Self::Person => &[MediaKind::Film, MediaKind::Show, MediaKind::Episode],
        }
    }

    /// The name with this id, if a visible item has it.
    pub(crate) fn name_of(self, scene: &ResponseContext<'_>, id: JellyfinId) -> Option<String> {
        self.all(scene, self.usual_kinds()).into_keys().find(|name| self.id(name) == id)
    }
}

/// A member of the cast or crew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// Name.
    pub(crate) name: String,
    /// Character, for actors.
    pub(crate) role: Option<String>,
    /// `Actor`, `Director`, `Writer`.
    pub(crate) job: &'static str,
}

/// Cast and crew of an item, actors first.
pub(crate) fn people(record: &ItemRecord) -> Vec<Person> {
    let actors = record.cast.iter().map(|role| Person {
        name: role.actor.clone(),
        role: Some(role.character.clone()),
        job: "Actor",
    });
    let crew = |names: &[String], job| {
        names.iter().map(|name| Person { name: name.clone(), role: None, job }).collect::<Vec<_>>()
    };
    actors.chain(crew(&record.directors, "Director")).chain(crew(&record.writers, "Writer")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_id_whatever_its_case() {
        assert_eq!(ByNameKind::Genre.id("Rock"), ByNameKind::Genre.id("rock"));
        assert_ne!(ByNameKind::Genre.id("Rock"), ByNameKind::Studio.id("Rock"));
        assert_eq!(ByNameKind::Year.id("1999").number, 1999);
    }
}
