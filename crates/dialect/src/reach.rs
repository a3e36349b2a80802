//! Extends invalidations, and completes tags, by what is known of items: their ancestors, groups and members.
//!
//! Whatever is unknown counts as the worst case: the tag as it is, without a group, is that of all responses that may
//! be concerned.

use std::collections::HashSet;

use greenroom_library::lineage::Lineage;

use crate::classification::{DocumentEdit, USER_DOCUMENTS};
use crate::jellyfin;
use crate::sabotage::is_disabled;
use crate::tag::{Audience, Tag, TagGroup, TagInvalidation, UserState};

/// Everything that these invalidations concern, each once.
pub fn expanded(lineage: &Lineage, invalidations: &[TagInvalidation]) -> Vec<TagInvalidation> {
    let mut expansion = Expansion { lineage, all: Vec::with_capacity(invalidations.len()), seen: HashSet::new() };
    for invalidation in invalidations {
        match invalidation.tag.members_of() {
            Some(_) if is_disabled("members") => {}
            Some(set) => expansion.add_members(set, invalidation),
            None => expansion.add(invalidation),
        }
    }
    if invalidations.iter().any(|invalidation| invalidation.tag == Tag::companions()) {
        expansion.add_companions();
    }
    expansion.all
}

/// Records what these invalidations tell of users beside what they concern.
pub fn record_companions(lineage: &mut Lineage, invalidations: &[TagInvalidation]) {
    for invalidation in invalidations {
        if let Some(user) = invalidation.tag.companion_of() {
            lineage.record_companion(user);
        }
    }
}

/// Forgets the sets and documents that these invalidations may have changed.
pub fn forget_changed_sets(lineage: &mut Lineage, invalidations: &[TagInvalidation]) {
    let unnamed = [Tag::all(), Tag::user_state(), Tag::every_playlist()];
    for invalidation in invalidations.iter().filter(|invalidation| invalidation.concerns_everyone()) {
        if invalidation.tag == Tag::users() {
            lineage.forget_documents(USER_DOCUMENTS);
        } else if unnamed.contains(&invalidation.tag) {
            lineage.forget_all_changeable();
        } else if let Some(set) = invalidation.tag.set_of().filter(|_| !is_disabled("sets")) {
            lineage.forget_changeable(set);
        }
    }
}

/// The tags of a response, with what is known in the place of folders and items that only a request names. A tag of
/// which no group is told is that of a response that may hold any items.
pub fn resolved(lineage: &Lineage, tags: impl IntoIterator<Item = Tag>) -> Vec<Tag> {
    let mut all = Vec::new();
    for tag in tags {
        if let Some((broad, folder, user)) = tag.place() {
            let contents = match user {
                Some(user) => group_of_members(lineage, folder, user),
                None => lineage.contents(folder).filter(|_| !is_disabled("place")),
            };
            let group = contents.map_or(TagGroup::Any, |group| TagGroup::Of(group.to_owned()));
            all.push(broad.narrowed(&group));
        } else if let Some(item) = tag.above_of() {
            match lineage.ancestors(item).filter(|_| lineage.group(item).is_some()) {
                Some(ancestors) => all.extend(ancestors.iter().map(|ancestor| Tag::under(ancestor))),
                None => all.push(Tag::many_states()),
            }
        } else {
            all.push(tag);
        }
    }
    let told: HashSet<Tag> = all.iter().filter(|tag| !tag.is_narrowable()).map(Tag::broad).collect();
    let untold = |tag: &&Tag| tag.is_narrowable() && !told.contains(*tag) && !is_disabled("untold");
    let any: Vec<Tag> = all.iter().filter(untold).map(|tag| tag.narrowed(&TagGroup::Any)).collect();
    all.extend(any);
    all
}

/// The group of all members of a set that this user sees, if they are of one.
fn group_of_members<'a>(lineage: &'a Lineage, set: &str, user: &str) -> Option<&'a str> {
    let members = lineage.members(set, Some(user)).filter(|_| !is_disabled("member-groups"))?;
    let group = lineage.group(members.first()?).filter(|group| !jellyfin::is_group_of_sets(group))?;
    members.iter().all(|member| lineage.group(member) == Some(group)).then_some(group)
}

impl DocumentEdit {
    /// The tags that the write concerns, given the document as it was last seen; `None` if that may be anything.
    pub fn narrowed(&self, before: &[(String, u64)]) -> Option<Vec<TagInvalidation>> {
        jellyfin::narrowed_edit(self, before)
    }
}

struct Expansion<'a> {
    lineage: &'a Lineage,
    all: Vec<TagInvalidation>,
    seen: HashSet<TagInvalidation>,
}

impl Expansion<'_> {
    fn push(&mut self, tag: Tag, like: &TagInvalidation) {
        let invalidation =
            TagInvalidation { tag, audience: like.audience.clone(), with_ancestors: false, of_item: None };
        if self.seen.insert(invalidation.clone()) {
            self.all.push(invalidation);
        }
    }

    /// Adds `tag`; of an item with a known group, only for responses that can hold it.
    fn push_narrowed(&mut self, tag: Tag, item: Option<&str>, like: &TagInvalidation) {
        let group_of = |item| self.lineage.group(item).or_else(|| self.lineage.contents(item));
        // What is in a set may be counted anywhere.
        let item = item.filter(|item| tag != Tag::counts() || !group_of(*item).is_some_and(jellyfin::is_group_of_sets));
        match item.and_then(group_of).filter(|_| !is_disabled("group")) {
            Some(group) => {
                self.push(tag.narrowed(&TagGroup::Of(group.to_owned())), like);
                self.push(tag.narrowed(&TagGroup::Any), like);
            }
            None => self.push(tag, like),
        }
    }

    /// Adds responses with too many rows to tag, or with rows whose ancestors are unknown: a film is none of these.
    fn push_untagged(&mut self, item: Option<&str>, like: &TagInvalidation) {
        self.push_narrowed(Tag::many_items(), item, like);
        let group = item.and_then(|item| self.lineage.group(item)).filter(|_| !is_disabled("leaves"));
        if !group.is_some_and(jellyfin::is_group_of_leaves) {
            self.push_narrowed(Tag::unplaced(), item, like);
        }
    }

    fn add(&mut self, invalidation: &TagInvalidation) {
        if invalidation.tag == Tag::many_items() {
            return self.push_untagged(invalidation.of_item.as_deref(), invalidation);
        }
        self.push_narrowed(invalidation.tag.clone(), invalidation.of_item.as_deref(), invalidation);
        if let Some(item) = invalidation.tag.item_of() {
            let versions = self.lineage.versions(item);
            let versions = versions.iter().filter(|_| !is_disabled("versions"));
            versions.for_each(|version| self.push(Tag::item(version), invalidation));
        }
        if !invalidation.with_ancestors || is_disabled("ancestors") {
            return;
        }
        let (item, of_ancestor): (&str, fn(&str) -> Tag) =
            match (invalidation.tag.item_of(), invalidation.tag.counted_of()) {
                (Some(item), _) => (item, Tag::item),
                (None, Some(item)) => (item, Tag::counted),
                (None, None) => return,
            };
        if invalidation.tag.counted_of().is_some() {
            self.push_narrowed(Tag::many_states(), Some(item), invalidation);
        } else {
            self.push_untagged(Some(item), invalidation);
        }
        match self.lineage.ancestors(item) {
            Some(ancestors) => ancestors.iter().for_each(|id| self.push(of_ancestor(id), invalidation)),
            None => self.push_narrowed(Tag::branch(), Some(item), invalidation),
        }
    }

    /// Adds the same for users who share a player's session.
    fn add_companions(&mut self) {
        let own: Vec<TagInvalidation> =
            self.all.iter().filter(|invalidation| invalidation.audience == Audience::Account).cloned().collect();
        for user in self.lineage.companions().iter().filter(|_| !is_disabled("companions")) {
            for invalidation in &own {
                let audience = Audience::User(user.as_ref().to_owned());
                self.push(invalidation.tag.clone(), &TagInvalidation { audience, ..invalidation.clone() });
            }
        }
    }

    /// Adds the members of a set that was marked, as if each had been. Those of a set without known members may be
    /// anything, unless the item is known to be no set because its place is known.
    fn add_members(&mut self, set: &str, invalidation: &TagInvalidation) {
        let (set, user) = set.split_once('@').map_or((set, None), |(set, user)| (set, Some(user)));
        let lineage = self.lineage;
        // A member may be a set itself.
        let members = lineage.members(set, user);
        let members = members.filter(|members| members.iter().all(|member| lineage.ancestors(member).is_some()));
        if let Some(members) = members {
            for member in members {
                let like = TagInvalidation { tag: Tag::item(member), of_item: None, ..invalidation.clone() };
                self.add(&like);
                self.add(&TagInvalidation { tag: Tag::counted(member), ..like.clone() }.with_ancestors());
                self.push(Tag::under(member), &like);
                self.push_narrowed(Tag::counts(), Some(member), &like);
                for state in [UserState::Played, UserState::Position] {
                    self.push_narrowed(Tag::selected_by(state), Some(member), &like);
                }
            }
        } else if lineage.ancestors(set).is_none() {
            self.push(Tag::user_state(), invalidation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(lineage: &Lineage, invalidation: TagInvalidation) -> Vec<String> {
        expanded(lineage, &[invalidation]).iter().map(|invalidation| invalidation.tag.as_str().to_owned()).collect()
    }

    #[test]
    fn a_change_of_an_episode_invalidates_its_season_and_show() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("3", Some("2"));
        lineage.record_parent("2", Some("1"));
        lineage.record_parent("1", None);
        let episode = TagInvalidation::account(Tag::item("3")).with_ancestors();
        assert_eq!(tags(&lineage, episode), ["item:3", "items", "unplaced", "item:2", "item:1"]);
    }

    #[test]
    fn a_mark_of_a_collection_reaches_its_members_and_that_of_a_film_reaches_no_other_film() {
        let mut lineage = Lineage::new(10);
        lineage.record_parent("film", Some("folder"));
        lineage.record_parent("folder", None);
        let mark = |item: &str| TagInvalidation::account(Tag::members(item));
        assert_eq!(tags(&lineage, mark("collection")), ["user-state"]);
        assert!(tags(&lineage, mark("film")).is_empty());
        lineage.record_members("collection", Some("anna"), &["film".into(), "show".into()], 0);
        assert_eq!(tags(&lineage, mark("collection@anna")), ["user-state"], "the show may be another collection");
        lineage.record_parent("show", None);
        let reached = tags(&lineage, mark("collection@anna"));
        for tag in ["item:film", "counted:folder", "item:show", "under:show", "by-played", "by-position", "counts"] {
            assert!(reached.iter().any(|reached| reached == tag), "{tag} is not among {reached:?}");
        }
        assert!(!reached.contains(&"user-state".to_owned()));
        assert_eq!(tags(&lineage, mark("collection@root")), ["user-state"], "the server may show root other members");
    }

    #[test]
    fn a_report_of_a_shared_session_reaches_all_its_users() {
        let mut lineage = Lineage::new(10);
        record_companions(&mut lineage, &[TagInvalidation::everyone(Tag::companion("anna"))]);
        let report = [TagInvalidation::account(Tag::item("film")), TagInvalidation::account(Tag::companions())];
        assert!(expanded(&lineage, &report).contains(&TagInvalidation::user(Tag::item("film"), "anna")));
        assert!(!expanded(&lineage, &report[..1]).contains(&TagInvalidation::user(Tag::item("film"), "anna")));
    }

    #[test]
    fn a_mark_of_one_version_reaches_the_others() {
        let mut lineage = Lineage::new(10);
        lineage.record_versions(&["sd".into(), "hd".into()]);
        assert_eq!(tags(&lineage, TagInvalidation::account(Tag::item("hd"))), ["item:hd", "item:sd"]);
    }

    #[test]
    fn members_are_unknown_after_a_change_of_their_set() {
        for changed in [Tag::item("set"), Tag::playlist("set"), Tag::section("set"), Tag::all()] {
            let mut lineage = Lineage::new(10);
            lineage.record_parent("film", None);
            lineage.record_members("set", None, &["film".into()], 0);
            forget_changed_sets(&mut lineage, &[TagInvalidation::account(changed.clone())]);
            assert!(lineage.members("set", None).is_some(), "a mark of one account moves no member");
            forget_changed_sets(&mut lineage, &[TagInvalidation::everyone(changed)]);
            assert_eq!(tags(&lineage, TagInvalidation::account(Tag::members("set"))), ["user-state"]);
        }
    }

    #[test]
    fn a_change_of_a_film_leaves_rows_with_unknown_ancestors_alone() {
        let mut lineage = Lineage::new(10);
        let edit = |item: &str| TagInvalidation::everyone(Tag::many_items()).of(item);
        assert_eq!(tags(&lineage, edit("film")), ["items", "unplaced"], "it may be a show");
        lineage.record_group("film", "films");
        assert_eq!(tags(&lineage, edit("film")), ["items~films", "items~*"]);
        lineage.record_group("show", "shows");
        assert_eq!(tags(&lineage, edit("show")), ["items~shows", "items~*", "unplaced~shows", "unplaced~*"]);
    }

    #[test]
    fn counts_of_a_set_follow_the_groups_of_its_members() {
        let mut lineage = Lineage::new(10);
        let counts = Tag::counts().narrowed(&TagGroup::Members { set: "set".into(), user: "anna".into() });
        let group_of = |lineage: &Lineage| resolved(lineage, [Tag::counts(), counts.clone()])[1].as_str().to_owned();
        assert_eq!(group_of(&lineage), "counts~*", "nothing is known of its members");
        lineage.record_members("set", Some("anna"), &["1".into(), "2".into()], 0);
        lineage.record_group("1", "films");
        assert_eq!(group_of(&lineage), "counts~*", "one may be a show");
        lineage.record_group("2", "films");
        assert_eq!(group_of(&lineage), "counts~films");
        lineage.record_group("2", "shows");
        assert_eq!(group_of(&lineage), "counts~*");
        lineage.record_members("set", Some("anna"), &["3".into()], 0);
        lineage.record_group("3", "collections");
        assert_eq!(group_of(&lineage), "counts~*", "a collection holds anything");
        let mark = |item: &str| TagInvalidation::account(Tag::counts()).of(item);
        assert_eq!(tags(&lineage, mark("1")), ["counts~films", "counts~*"]);
        assert_eq!(tags(&lineage, mark("3")), ["counts"], "its members may be counted anywhere");
    }

    #[test]
    fn an_item_with_unknown_parents_invalidates_every_container() {
        let item = TagInvalidation::account(Tag::item("3")).with_ancestors();
        assert_eq!(tags(&Lineage::new(10), item), ["item:3", "items", "unplaced", "branch"]);
    }

    #[test]
    fn a_change_of_an_item_of_a_known_group_leaves_lists_of_other_groups_alone() {
        let mut lineage = Lineage::new(10);
        let lists = TagInvalidation::account(Tag::libraries()).of("film");
        assert_eq!(tags(&lineage, lists.clone()), ["libraries"]);
        lineage.record_group("film", "films");
        assert_eq!(tags(&lineage, lists), ["libraries~films", "libraries~*"]);
        let item = TagInvalidation::account(Tag::item("film")).with_ancestors();
        assert_eq!(tags(&lineage, item), ["item:film", "items~films", "items~*", "branch~films", "branch~*"]);
    }

    #[test]
    fn a_response_that_names_no_group_may_hold_any_items() {
        let tags = resolved(&Lineage::new(1), [Tag::libraries(), Tag::item("1")]);
        assert_eq!(tags, [Tag::libraries(), Tag::item("1"), Tag::libraries().narrowed(&TagGroup::Any)]);
    }

    #[test]
    fn a_list_of_a_folder_is_one_of_the_folders_group_once_that_is_known() {
        let mut lineage = Lineage::new(10);
        let tag = Tag::libraries().narrowed(&TagGroup::In("folder".into()));
        assert_eq!(resolved(&lineage, [tag.clone()])[0].as_str(), "libraries~*");
        lineage.record_contents("folder", "films");
        assert_eq!(resolved(&lineage, [tag])[0].as_str(), "libraries~films");
        let untold = resolved(&lineage, [Tag::above("e")]);
        assert_eq!(untold, [Tag::many_states(), Tag::many_states().narrowed(&TagGroup::Any)], "any mark may be of one");
        lineage.record_group("e", "shows");
        lineage.record_parent("e", Some("s"));
        lineage.record_parent("s", None);
        assert_eq!(resolved(&lineage, [Tag::above("e")]), [Tag::under("s")]);
    }
}
