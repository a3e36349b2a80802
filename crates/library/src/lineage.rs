//! Relations of items, learnt from the rows of responses: parents, groups, members, running times.
//!
//! A write names one item ("episode 583 was watched") but also invalidates the responses about its ancestors
//! (the season's and the show's count of unwatched episodes), and lists that may hold it (those of shows, not those of
//! music). The server does not name these, but the rows of earlier lists name parents and kinds. The maps are bounded;
//! for an unknown item they return `None`, and the caller must assume the worst.

use std::collections::{HashMap, VecDeque};

/// Max length of a chain: track → album → artist, or episode → season → show → folder, with room to spare. It
/// also ends loops in untrusted data.
const MAX_DEPTH: usize = 8;

/// Max different groups; a Plex server has one for each section. Further ones are unknown.
const MAX_GROUPS: usize = 1_000;

/// Max sets of items whose members are remembered; more empty the map.
const MAX_SETS: usize = 2_000;

/// Max members of one set; a larger set is unknown.
const MAX_MEMBERS: usize = 256;

/// Max remembered documents, of some kilobytes each; more empty the map.
const MAX_DOCUMENTS: usize = 500;

/// Max users whose view of one set is remembered.
const MAX_USERS: usize = 64;

/// The parent of an item, as far as it is known.
#[derive(Debug, Default, PartialEq, Eq)]
enum KnownParent {
    /// Not known.
    #[default]
    Unknown,
    /// Known to have none.
    Missing,
    /// This one.
    Item(Box<str>),
}

/// The known properties of one item.
#[derive(Debug, Default)]
struct KnownItem {
    parent: KnownParent,
    /// Its own group.
    group: Option<u16>,
    /// The group of everything in it, if it is a folder.
    contents: Option<u16>,
    /// Running time in the server's unit.
    run_time: u64,
}

/// Members of a set as one user sees them; of the empty user, as they are.
#[derive(Debug)]
struct SeenMembers {
    user: Box<str>,
    members: Box<[Box<str>]>,
}

/// A bounded map from an item's id to its known properties.
#[derive(Debug)]
pub struct Lineage {
    items: HashMap<Box<str>, KnownItem>,
    order: VecDeque<Box<str>>,
    max_items: usize,
    groups: Vec<Box<str>>,
    sets: HashMap<Box<str>, Vec<SeenMembers>>,
    documents: HashMap<Box<str>, Vec<(String, u64)>>,
    versions: HashMap<Box<str>, Box<[Box<str>]>>,
    companions: Vec<Box<str>>,
    sets_generation: u64,
}

impl Lineage {
    /// Creates a map of at most `max_items` items (at least one) that evicts the oldest first.
    pub fn new(max_items: usize) -> Self {
        Self {
            items: HashMap::new(),
            order: VecDeque::new(),
            max_items: max_items.max(1),
            groups: Vec::new(),
            sets: HashMap::new(),
            documents: HashMap::new(),
            versions: HashMap::new(),
            companions: Vec::new(),
            sets_generation: 0,
        }
    }

    /// Records the parent of `item`; `None` means that it is known to have none.
    pub fn record_parent(&mut self, item: &str, parent: Option<&str>) {
        let known = self.known_item(item);
        match parent {
            Some(parent) => known.parent = KnownParent::Item(parent.into()),
            None if known.parent == KnownParent::Unknown => known.parent = KnownParent::Missing,
            None => {}
        }
    }

    /// Records the group of `item`: items of different groups never share a list that names its groups.
    pub fn record_group(&mut self, item: &str, group: &str) {
        let group = self.group_index(group);
        self.known_item(item).group = group;
    }

    /// Records the group of everything that `folder` can hold.
    pub fn record_contents(&mut self, folder: &str, group: &str) {
        let group = self.group_index(group);
        self.known_item(folder).contents = group;
    }

    /// Records the running time of `item` in the server's unit.
    pub fn record_run_time(&mut self, item: &str, run_time: u64) {
        self.known_item(item).run_time = run_time;
    }

    /// Records all members of `set` that `user` sees; without a user, all that it has. `generation` is that of the time
    /// at which the server was asked: a membership that may have changed since is not recorded.
    pub fn record_members(&mut self, set: &str, user: Option<&str>, members: &[String], generation: u64) {
        if generation != self.sets_generation || members.len() > MAX_MEMBERS {
            return;
        }
        if self.sets.len() >= MAX_SETS && !self.sets.contains_key(set) {
            self.sets.clear();
        }
        let user = user.unwrap_or_default();
        let seen = self.sets.entry(set.into()).or_default();
        seen.retain(|seen| *seen.user != *user);
        if seen.len() < MAX_USERS {
            let members = members.iter().map(|member| member.as_str().into()).collect();
            seen.push(SeenMembers { user: user.into(), members });
        }
    }

    /// Records that these are versions of one item: a mark of one may be one of all.
    pub fn record_versions(&mut self, versions: &[String]) {
        if self.versions.len() + versions.len() > MAX_SETS {
            self.versions.clear();
        }
        let all: Box<[Box<str>]> = versions.iter().map(|version| version.as_str().into()).collect();
        for version in versions {
            self.versions.insert(version.as_str().into(), all.clone());
        }
    }

    /// Records a user who shares the session of another user's player; the oldest of too many is forgotten.
    pub fn record_companion(&mut self, user: &str) {
        if self.companions.iter().all(|known| **known != *user) {
            if self.companions.len() >= MAX_USERS {
                self.companions.remove(0);
            }
            self.companions.push(user.into());
        }
    }

    /// All versions of `item`, itself among them; none if it has but one.
    pub fn versions(&self, item: &str) -> &[Box<str>] {
        self.versions.get(item).map_or(&[], AsRef::as_ref)
    }

    /// Users who share or shared a session.
    pub fn companions(&self) -> &[Box<str>] {
        &self.companions
    }

    /// Records a document that writes replace: its fields with hashes of their values. `generation` as for members.
    pub fn record_document(&mut self, name: &str, fields: Vec<(String, u64)>, generation: u64) {
        if generation != self.sets_generation {
            return;
        }
        if self.documents.len() >= MAX_DOCUMENTS {
            self.documents.clear();
        }
        self.documents.insert(name.into(), fields);
    }

    /// The ids above `item`, nearest first; `None` if a link of the chain is unknown.
    pub fn ancestors(&self, item: &str) -> Option<Vec<Box<str>>> {
        let mut above = Vec::new();
        let mut at = item;
        loop {
            match &self.items.get(at)?.parent {
                KnownParent::Unknown => return None,
                KnownParent::Missing => return Some(above),
                KnownParent::Item(_) if above.len() == MAX_DEPTH => return None,
                KnownParent::Item(parent) => {
                    above.push(parent.clone());
                    at = parent;
                }
            }
        }
    }

    /// The group of `item`.
    pub fn group(&self, item: &str) -> Option<&str> {
        self.group_name(self.items.get(item)?.group)
    }

    /// The group of everything in `folder`.
    pub fn contents(&self, folder: &str) -> Option<&str> {
        self.group_name(self.items.get(folder)?.contents)
    }

    /// The running time of `item` in the server's unit.
    pub fn run_time(&self, item: &str) -> Option<u64> {
        self.items.get(item).map(|known| known.run_time).filter(|run_time| *run_time > 0)
    }

    /// All members of `set` that `user` can mark.
    pub fn members(&self, set: &str, user: Option<&str>) -> Option<&[Box<str>]> {
        let of = |user: &str| self.sets.get(set)?.iter().find(|seen| *seen.user == *user);
        user.and_then(of).or_else(|| of("")).map(|seen| seen.members.as_ref())
    }

    /// The fields of a document.
    pub fn document(&self, name: &str) -> Option<&[(String, u64)]> {
        self.documents.get(name).map(AsRef::as_ref)
    }

    /// Counts the changes of sets and documents: see [`record_members`](Self::record_members).
    pub fn sets_generation(&self) -> u64 {
        self.sets_generation
    }

    /// The members of this set and the document of this name may have changed.
    pub fn forget_changeable(&mut self, name: &str) {
        self.sets_generation += 1;
        self.sets.remove(name);
        self.documents.remove(name);
    }

    /// Any sets and documents may have changed.
    pub fn forget_all_changeable(&mut self) {
        self.sets_generation += 1;
        self.sets.clear();
        self.documents.clear();
    }

    /// The documents whose names begin with this may have changed.
    pub fn forget_documents(&mut self, prefix: &str) {
        self.sets_generation += 1;
        self.documents.retain(|name, _| !name.starts_with(prefix));
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn known_item(&mut self, item: &str) -> &mut KnownItem {
        if !self.items.contains_key(item) {
            if self.order.len() >= self.max_items
                && let Some(oldest) = self.order.pop_front()
            {
                self.items.remove(&oldest);
            }
            self.order.push_back(item.into());
        }
        self.items.entry(item.into()).or_default()
    }

    fn group_index(&mut self, group: &str) -> Option<u16> {
        let at = self.groups.iter().position(|known| **known == *group).unwrap_or(self.groups.len());
        if at == self.groups.len() {
            if at >= MAX_GROUPS {
                return None;
            }
            self.groups.push(group.into());
        }
        u16::try_from(at).ok()
    }

    fn group_name(&self, index: Option<u16>) -> Option<&str> {
        self.groups.get(usize::from(index?)).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_knows_its_season_and_show() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("583", Some("582"));
        lineage.record_parent("582", Some("581"));
        lineage.record_parent("581", None);
        assert_eq!(lineage.ancestors("583"), Some(vec!["582".into(), "581".into()]));
        assert_eq!(lineage.ancestors("581"), Some(vec![]));
    }

    #[test]
    fn a_chain_with_an_unknown_parent_is_unknown() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("583", Some("582"));
        assert_eq!(lineage.ancestors("583"), None);
        assert_eq!(lineage.ancestors("7"), None);
    }

    #[test]
    fn a_row_without_a_parent_does_not_remove_a_known_parent() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("582", Some("581"));
        lineage.record_parent("581", None);
        lineage.record_parent("582", None);
        assert_eq!(lineage.ancestors("582"), Some(vec!["581".into()]));
    }

    #[test]
    fn an_item_keeps_its_group_beside_its_parent() {
        let mut lineage = Lineage::new(10);
        lineage.record_group("583", "shows");
        assert_eq!((lineage.group("583"), lineage.ancestors("583")), (Some("shows"), None));
        lineage.record_parent("583", None);
        lineage.record_contents("folder", "films");
        assert_eq!((lineage.group("583"), lineage.ancestors("583")), (Some("shows"), Some(vec![])));
        assert_eq!((lineage.group("folder"), lineage.contents("folder")), (None, Some("films")));
        assert_eq!((lineage.group("7"), lineage.run_time("583")), (None, None));
    }

    #[test]
    fn members_that_may_have_changed_since_the_question_are_unknown() {
        let mut lineage = Lineage::new(10);
        let asked = lineage.sets_generation();
        lineage.record_members("set", None, &["1".into(), "2".into()], asked);
        assert_eq!(lineage.members("set", None).map(<[_]>::len), Some(2));
        lineage.forget_changeable("other");
        assert_eq!(lineage.members("set", Some("anna")).map(<[_]>::len), Some(2));
        lineage.forget_changeable("set");
        lineage.record_members("set", None, &["1".into()], asked);
        assert_eq!(lineage.members("set", None), None);
        lineage.record_members("set", None, &["1".into()], lineage.sets_generation());
        lineage.forget_all_changeable();
        assert_eq!(lineage.members("set", None), None);
    }

    #[test]
    fn the_members_that_one_user_sees_are_not_all_that_another_can_mark() {
        let mut lineage = Lineage::new(10);
        lineage.record_members("set", Some("kid"), &["1".into()], 0);
        assert_eq!(lineage.members("set", Some("kid")).map(<[_]>::len), Some(1));
        assert_eq!((lineage.members("set", Some("anna")), lineage.members("set", None)), (None, None));
    }

    #[test]
    fn a_loop_in_the_lineage_ends() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("a", Some("b"));
        lineage.record_parent("b", Some("a"));
        assert_eq!(lineage.ancestors("a"), None);
    }

    #[test]
    fn the_oldest_entry_is_evicted_at_the_limit() {
        let mut lineage = Lineage::new(2);
        lineage.record_parent("1", None);
        lineage.record_parent("2", None);
        lineage.record_parent("3", None);
        assert_eq!(lineage.len(), 2);
        assert_eq!(lineage.ancestors("1"), None);
        assert_eq!(lineage.ancestors("3"), Some(vec![]));
    }
}
