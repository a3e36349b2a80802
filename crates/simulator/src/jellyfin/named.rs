//! Genres, studios, people and years: things that exist only as names on items, with ids that follow from the name.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::ident::{Ident, Space};
use super::scene::Scene;
use crate::catalogue::{Kind, Record, SortKey};

/// The kinds of named things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Naming {
    /// Genres of films and shows, and of music.
    Genre,
    /// Studios, networks and labels.
    Studio,
    /// Cast and crew.
    Person,
    /// Years of production.
    Year,
}

impl Naming {
    /// All of them.
    pub(crate) const EVERY: [Self; 4] = [Self::Genre, Self::Studio, Self::Person, Self::Year];

    /// The space of their ids.
    pub(crate) fn space(self) -> Space {
        match self {
            Self::Genre => Space::Genre,
            Self::Studio => Space::Studio,
            Self::Person => Space::Person,
            Self::Year => Space::Year,
        }
    }

    /// The naming whose ids are in `space`.
    pub(crate) fn of(space: Space) -> Option<Self> {
        Self::EVERY.into_iter().find(|naming| naming.space() == space)
    }

    /// The id of the thing called `name`.
    pub(crate) fn id(self, name: &str) -> Ident {
        match (self, name.parse::<u64>()) {
            (Self::Year, Ok(year)) => Ident::new(Space::Year, year),
            _ => Ident::new(self.space(), xxh3_64(name.to_lowercase().as_bytes())),
        }
    }

    /// The names of this kind on an item.
    pub(crate) fn on(self, record: &Record) -> Vec<String> {
        match self {
            Self::Genre => record.genres.clone(),
            Self::Studio => record.studio.iter().cloned().collect(),
            Self::Person => people(record).into_iter().map(|person| person.name).collect(),
            Self::Year => record.year.iter().map(u16::to_string).collect(),
        }
    }

    /// Every name of this kind on items of `kinds` that are shown, in order, with how many items carry it.
    pub(crate) fn all(self, scene: &Scene<'_>, kinds: &[Kind]) -> BTreeMap<String, usize> {
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

    /// The kinds that carry such names when nobody asks for certain ones: those that stand on their own, so that a
    /// million tracks need not be read.
    pub(crate) fn usual_kinds(self) -> &'static [Kind] {
        match self {
            Self::Genre => &[Kind::Film, Kind::Show, Kind::Artist],
            Self::Studio | Self::Year => &[Kind::Film, Kind::Show, Kind::Album],
            Self::Person => &[Kind::Film, Kind::Show, Kind::Episode],
        }
    }

    /// The name that belongs to an id, if something that is shown carries it.
    pub(crate) fn name_of(self, scene: &Scene<'_>, id: Ident) -> Option<String> {
        self.all(scene, self.usual_kinds()).into_keys().find(|name| self.id(name) == id)
    }
}

/// Somebody of the cast or crew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// The name.
    pub(crate) name: String,
    /// As whom, for actors.
    pub(crate) role: Option<String>,
    /// `Actor`, `Director`, `Writer`.
    pub(crate) job: &'static str,
}

/// Cast and crew of an item, actors first.
pub(crate) fn people(record: &Record) -> Vec<Person> {
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
        assert_eq!(Naming::Genre.id("Rock"), Naming::Genre.id("rock"));
        assert_ne!(Naming::Genre.id("Rock"), Naming::Studio.id("Rock"));
        assert_eq!(Naming::Year.id("1999").number, 1999);
    }
}
