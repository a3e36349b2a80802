//! Class and tags of item lists, derived from their queries: user state, kinds and parents.

use super::query::CanonicalQuery;
use crate::class::Class;
use crate::response_facts::MAX_TAGGED_ROWS;
use crate::tag::{Tag, UserState};

/// Parameters that filter rows by user state.
const PERSONAL: [&str; 5] = ["isplayed", "isfavorite", "isliked", "isdisliked", "mindatelastsavedforuser"];

/// Values of `filters` that ignore user state.
const IMPERSONAL_FILTERS: [&str; 2] = ["isfolder", "isnotfolder"];

/// Sort orders that depend on user state.
const PERSONAL_ORDERS: [&str; 6] =
    ["dateplayed", "playcount", "isunplayed", "isplayed", "isfavoriteorliked", "seriesdateplayed"];

/// Parameters that name an ancestor or a neighbour of the rows.
const FOLDER_PARAMS: [&str; 5] = ["parentid", "seasonid", "seriesid", "adjacentto", "startitemid"];

/// Whether the order is random: the next response must differ.
pub(super) fn is_shuffled(query: &CanonicalQuery<'_>) -> bool {
    has(query, "sortby", "random")
}

/// Whether rows are filtered or sorted by user state.
pub(super) fn is_personal(query: &CanonicalQuery<'_>) -> bool {
    PERSONAL.iter().any(|name| query.get(name).is_some())
        || query.list("filters").any(|filter| !among(&IMPERSONAL_FILTERS, filter))
        || query.list("sortby").any(|order| among(&PERSONAL_ORDERS, order))
}

/// The fields of user state by which rows are filtered or sorted; all of them for a filter or an order that is not
/// known.
pub(super) fn selecting_states(query: &CanonicalQuery<'_>) -> Vec<UserState> {
    use UserState::{Favorite, Played, Position, Rating};
    if !is_personal(query) {
        return Vec::new();
    }
    let mut states = Vec::new();
    let mut add = |found: &[UserState]| states.extend_from_slice(found);
    for (parameter, found) in
        [("isplayed", Played), ("isfavorite", Favorite), ("isliked", Rating), ("isdisliked", Rating)]
    {
        if query.get(parameter).is_some() {
            add(&[found]);
        }
    }
    if query.get("mindatelastsavedforuser").is_some() {
        add(&UserState::EVERY);
    }
    for filter in query.list("filters").filter(|filter| !among(&IMPERSONAL_FILTERS, filter)) {
        match filter.to_ascii_lowercase().as_str() {
            "isplayed" | "isunplayed" => add(&[Played]),
            "isfavorite" => add(&[Favorite]),
            "isresumable" => add(&[Played, Position]),
            "likes" | "dislikes" => add(&[Rating]),
            _ => add(&UserState::EVERY),
        }
    }
    for order in query.list("sortby").filter(|order| among(&PERSONAL_ORDERS, order)) {
        match order.to_ascii_lowercase().as_str() {
            "isfavoriteorliked" => add(&[Favorite, Rating]),
            _ => add(&[Played]),
        }
    }
    states.sort_unstable();
    states.dedup();
    states
}

/// The fields of user state by which `/UserItems/Resume` chooses its rows: the position of what can be played, and of a
/// series whether some of it was played. Only what can be played has a media type.
pub(super) fn resuming_states(query: &CanonicalQuery<'_>) -> Vec<UserState> {
    if query.list("mediatypes").next().is_some() && !has(query, "mediatypes", "unknown") {
        vec![UserState::Position]
    } else {
        vec![UserState::Played, UserState::Position]
    }
}

/// Whether a query has any of these parameters.
pub(super) fn has_any_of(query: &CanonicalQuery<'_>, parameters: &[&str]) -> bool {
    parameters.iter().any(|parameter| query.get(parameter).is_some())
}

/// The class of `/Items` with this query.
pub(super) fn class(query: &CanonicalQuery<'_>) -> Class {
    if query.get("ids").is_some() {
        return Class::Item;
    }
    if query.get("searchterm").is_some() {
        return Class::Search;
    }
    if query.get("limit") == Some("0") {
        return Class::Counts;
    }
    if is_only(query, "playlist") {
        return Class::Playlists;
    }
    if is_only(query, "boxset") {
        return Class::Collections;
    }
    let newest_first = query.list("sortby").next().is_some_and(|order| is(order, "datecreated"))
        && query.list("sortorder").next().is_some_and(|order| is(order, "descending"));
    if newest_first { Class::Recent } else { Class::Lists }
}

/// The tags of `/Items` with this query.
pub(super) fn tags(query: &CanonicalQuery<'_>) -> Vec<Tag> {
    let mut tags = containing_folders(query);
    if query.get("ids").is_some() {
        tags.extend(named_tags(query));
        return tags;
    }
    tags.push(Tag::libraries());
    if may_hold(query, "playlist") {
        tags.push(Tag::playlists());
    }
    // The server may show films and shows as the collections they are in, which moves whatever is on later pages.
    let is_page = has_any_of(query, &["limit", "startindex"]) && !query.flag("collapseboxsetitems", false);
    if may_hold(query, "boxset") || is_page && ["movie", "series"].iter().any(|kind| may_hold(query, kind)) {
        tags.push(Tag::collections());
    }
    tags
}

/// Tags of the items named by [`FOLDER_PARAMS`] parameters.
pub(super) fn containing_folders(query: &CanonicalQuery<'_>) -> Vec<Tag> {
    let mut tags = Vec::new();
    for parameter in FOLDER_PARAMS {
        if let Some(id) = query.get(parameter) {
            tags.push(Tag::about(id));
        }
    }
    if let Some(id) = query.get("parentid") {
        tags.push(Tag::section(id));
    }
    tags
}

/// Tags of the items that a query lists by id.
fn named_tags(query: &CanonicalQuery<'_>) -> Vec<Tag> {
    let ids: Vec<&str> = query.list("ids").take(MAX_TAGGED_ROWS + 1).collect();
    if ids.len() > MAX_TAGGED_ROWS {
        return vec![Tag::many_items(), Tag::many_states()];
    }
    ids.into_iter().map(Tag::item).collect()
}

/// Whether rows of this kind may be in the response.
fn may_hold(query: &CanonicalQuery<'_>, kind: &str) -> bool {
    let includes_kind = query.list("includeitemtypes").next().is_none() || has(query, "includeitemtypes", kind);
    includes_kind && !has(query, "excludeitemtypes", kind)
}

fn is_only(query: &CanonicalQuery<'_>, kind: &str) -> bool {
    let mut kinds = query.list("includeitemtypes");
    kinds.next().is_some_and(|first| is(first, kind)) && kinds.next().is_none()
}

fn has(query: &CanonicalQuery<'_>, list: &str, member: &str) -> bool {
    query.list(list).any(|value| is(value, member))
}

fn among(members: &[&str], text: &str) -> bool {
    members.iter().any(|member| is(text, member))
}

pub(super) fn is(text: &str, lowercase: &str) -> bool {
    text.eq_ignore_ascii_case(lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jellyfin::query::DeviceIdRole;

    fn query(raw: &str) -> CanonicalQuery<'_> {
        CanonicalQuery::parse(raw, DeviceIdRole::Ignored).unwrap()
    }

    #[test]
    fn the_query_tells_the_class_of_a_list() {
        for (raw, wanted) in [
            ("", Class::Lists),
            ("ids=1,2&searchTerm=x", Class::Item),
            ("searchTerm=x&limit=0", Class::Search),
            ("limit=0", Class::Counts),
            ("IncludeItemTypes=Playlist", Class::Playlists),
            ("IncludeItemTypes=Playlist,Movie", Class::Lists),
            ("includeItemTypes=BoxSet", Class::Collections),
            ("sortBy=DateCreated,SortName&sortOrder=Descending", Class::Recent),
            ("sortBy=DateCreated", Class::Lists),
        ] {
            assert_eq!(class(&query(raw)), wanted, "{raw}");
        }
    }

    #[test]
    fn a_filter_on_user_state_makes_a_list_personal() {
        for raw in [
            "isPlayed=false",
            "filters=IsFolder,IsUnplayed",
            "filters=IsResumable",
            "isFavorite=true",
            "sortBy=SortName,DatePlayed",
            "minDateLastSavedForUser=2026-01-01",
        ] {
            assert!(is_personal(&query(raw)), "{raw}");
        }
        for raw in ["", "filters=IsFolder", "sortBy=DateCreated", "enableUserData=true"] {
            assert!(!is_personal(&query(raw)), "{raw}");
        }
    }

    #[test]
    fn a_list_that_may_hold_playlists_is_invalidated_with_them() {
        for raw in ["", "includeItemTypes=Playlist,Movie", "excludeItemTypes=Movie"] {
            assert!(tags(&query(raw)).contains(&Tag::playlists()), "{raw}");
        }
        for raw in ["includeItemTypes=Movie", "excludeItemTypes=Playlist", "ids=1"] {
            assert!(!tags(&query(raw)).contains(&Tag::playlists()), "{raw}");
        }
    }

    #[test]
    fn many_ids_are_not_tagged_one_by_one() {
        let ids: Vec<String> = (0..=MAX_TAGGED_ROWS).map(|id| id.to_string()).collect();
        assert_eq!(tags(&query(&format!("ids={}", ids.join(",")))), [Tag::many_items(), Tag::many_states()]);
        assert_eq!(tags(&query("ids=1,2")), [Tag::item("1"), Tag::item("2")]);
    }
}
