//! Refines a read by its query: counts, searches, recently added items, lists that follow user state, and
//! flags that make the server start work.

use crate::class::Class;
use crate::classification::StreamReason;
use crate::plex::query::PlexQueryPair;
use crate::plex::route::ReadRoute;
use crate::plex::vary::VaryValues;
use crate::sabotage::is_disabled;
use crate::tag::{Tag, UserState};

/// Fields unrelated to user state. A list filtered or sorted by any other field is treated as depending on
/// it.
const IMPERSONAL_FIELDS: [&str; 68] = [
    "actor",
    "addedat",
    "and",
    "audiencerating",
    "audiolanguage",
    "autotag",
    "bitrate",
    "codec",
    "collection",
    "composer",
    "contentdirectoryid",
    "contentrating",
    "count",
    "country",
    "decade",
    "device",
    "director",
    "duplicate",
    "duration",
    "editiontitle",
    "episode",
    "format",
    "genre",
    "group",
    "guid",
    "hdr",
    "id",
    "identifier",
    "index",
    "label",
    "limit",
    "limitto",
    "location",
    "make",
    "mediabitrate",
    "mediaheight",
    "mediasize",
    "mood",
    "network",
    "offset",
    "or",
    "originallyavailableat",
    "originaltitle",
    "parent",
    "parentindex",
    "pinnedcontentdirectoryid",
    "place",
    "playlisttype",
    "pop",
    "producer",
    "push",
    "query",
    "rating",
    "release",
    "resolution",
    "role",
    "sectionid",
    "sourcetype",
    "studio",
    "style",
    "subformat",
    "subtitlelanguage",
    "title",
    "titlesort",
    "type",
    "updatedat",
    "writer",
    "year",
];

/// Fields of user state that neither a rating nor an action changes, in lower case.
const PLAYED_FIELDS: [&str; 7] =
    ["inprogress", "lastviewedat", "unwatched", "unwatchedleaves", "viewcount", "viewedleafcount", "viewoffset"];

/// Fields of user state that a rating changes, in lower case.
const RATING_FIELDS: [&str; 2] = ["lastratedat", "userrating"];

/// Dependence of a list whose choice is not known.
const EITHER: [UserState; 2] = [UserState::Rating, UserState::Continued];

/// Removes flags from `pairs` and refines `route` by the rest.
pub(super) fn refine(
    route: &mut ReadRoute,
    pairs: &mut Vec<PlexQueryPair>,
    vary_values: &VaryValues,
) -> Result<(), StreamReason> {
    take_flags(pairs)?;
    if route.class == Class::Statistics && pairs.iter().any(|pair| pair.is("timespan") && pair.text() == "6") {
        route.class = Class::LiveStatistics;
    }
    if route.class == Class::Server && pairs.iter().any(|pair| pair.is("url")) {
        return Err(StreamReason::Unknown);
    }
    if !is_list(route.class) {
        return Ok(());
    }
    let order = order(pairs);
    if order.iter().any(|key| key.field == "random") {
        return Err(StreamReason::Moment);
    }
    let follows_user = order.iter().any(|key| !is_impersonal(&key.field))
        || pairs.iter().any(|pair| !pair.is("sort") && !is_shape(pair) && !is_impersonal(pair.field()));
    if follows_user && !route.tags.contains(&Tag::watch_lists()) {
        route.tags.push(Tag::watch_lists());
    }
    if vary_values.size() == Some(0) && counts(route.class) {
        route.class = Class::Counts;
        route.personal = follows_user;
    } else if route.class == Class::Lists {
        if pairs.iter().any(|pair| pair.field().eq_ignore_ascii_case("title")) {
            // In one section it is a list with a filter, which lives until that section changes.
            if route.tags.contains(&Tag::across()) {
                route.class = Class::Search;
            }
            route.personal = true;
        } else if order.first().is_some_and(|key| key.descends && key.field == "addedat") {
            route.class = Class::Recent;
        }
    }
    route.personal |= follows_user;
    Ok(())
}

/// The fields of user state, among those that a write can name, by which the rows of this read are chosen.
/// `is_composed`: by its route, not by its query.
pub(super) fn states(route: &ReadRoute, pairs: &[PlexQueryPair], is_composed: bool) -> Vec<UserState> {
    if !route.tags.contains(&Tag::watch_lists()) {
        return Vec::new();
    }
    if is_composed {
        return if route.class == Class::Resume { vec![UserState::Continued] } else { EITHER.to_vec() };
    }
    let order = order(pairs);
    let fields = order.iter().map(|key| key.field.as_str());
    let filters = pairs.iter().filter(|pair| !pair.is("sort") && !is_shape(pair)).map(PlexQueryPair::field);
    let personal: Vec<&str> = fields.chain(filters).filter(|field| !is_impersonal(field)).collect();
    let is = |field: &str, known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(field));
    if personal.iter().all(|field| is(field, &PLAYED_FIELDS)) {
        Vec::new()
    } else if personal.iter().all(|field| is(field, &RATING_FIELDS)) {
        if is_disabled("ratings") { Vec::new() } else { vec![UserState::Rating] }
    } else {
        EITHER.to_vec()
    }
}

/// One key of a `sort`.
struct SortKey {
    field: String,
    descends: bool,
}

/// Classes whose queries filter and sort rows.
fn is_list(class: Class) -> bool {
    matches!(
        class,
        Class::Lists
            | Class::Recent
            | Class::Search
            | Class::Item
            | Class::Collections
            | Class::Playlists
            | Class::Hubs
    )
}

/// Classes in which an empty page is a count.
fn counts(class: Class) -> bool {
    matches!(class, Class::Lists | Class::Recent | Class::Search | Class::Item | Class::Collections)
}

/// Flags that make the server check files or start work. A set flag makes the response valid for this moment
/// only; an unset one is the default and is dropped.
fn take_flags(pairs: &mut Vec<PlexQueryPair>) -> Result<(), StreamReason> {
    let is_flag = |pair: &PlexQueryPair| {
        pair.base.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("async"))
            || ["checkFiles", "checkFileAvailability", "wait"].iter().any(|flag| flag.eq_ignore_ascii_case(&pair.base))
    };
    let is_unset = |pair: &PlexQueryPair| pair.operator.is_empty() && matches!(&*pair.text(), "0" | "false");
    if pairs.iter().any(|pair| is_flag(pair) && !is_unset(pair)) {
        return Err(StreamReason::Moment);
    }
    pairs.retain(|pair| !is_flag(pair));
    Ok(())
}

/// Parameters that choose the fields of a row, not the rows.
pub(super) fn is_shape(pair: &PlexQueryPair) -> bool {
    let starts = |prefix: &str| pair.base.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    starts("include") || starts("exclude") || pair.is("skipRefresh")
}

fn is_impersonal(field: &str) -> bool {
    IMPERSONAL_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(field))
}

fn order(pairs: &[PlexQueryPair]) -> Vec<SortKey> {
    let key = |text: &str| {
        let (field, direction) = text.split_once(':').unwrap_or((text, ""));
        let field = field.rsplit('.').next().unwrap_or(field).to_ascii_lowercase();
        SortKey { field, descends: direction.starts_with("desc") }
    };
    let sorts = pairs.iter().filter(|pair| pair.is("sort"));
    sorts.flat_map(|pair| pair.text().split(',').map(key).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::classification::Classification;
    use crate::request::{RequestView, ServerKind};

    #[test]
    fn a_list_by_ratings_follows_ratings_and_one_by_plays_does_not() {
        let follows = |target: &str, state| {
            let (method, headers) = (Method::GET, HeaderMap::new());
            let request = RequestView { method: &method, target, headers: &headers, body: &[] };
            match ServerKind::Plex.classify(&request, None) {
                Classification::Read(read) => read.tags.contains(&Tag::selected_by(state)),
                other => panic!("{target} is {other:?}"),
            }
        };
        for (query, rating, continued) in [
            ("sort=userRating:desc", true, false),
            ("userRating%3E%3E=5", true, false),
            ("unwatched=1&sort=viewCount", false, false),
            ("unwatched=1&sort=lastRatedAt", true, true),
            ("unheardOf=1", true, true),
            ("sort=titleSort", false, false),
        ] {
            let target = format!("/library/sections/2/all?{query}");
            assert_eq!(follows(&target, UserState::Rating), rating, "{target}");
            assert_eq!(follows(&target, UserState::Continued), continued, "{target}");
        }
        assert!(follows("/library/onDeck", UserState::Continued) && !follows("/library/onDeck", UserState::Rating));
        assert!(follows("/hubs", UserState::Continued) && follows("/hubs", UserState::Rating));
    }
}
