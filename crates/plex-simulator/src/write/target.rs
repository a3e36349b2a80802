//! Target items of a write, as clients name them.

use crate::request::{BAD_REQUEST, PlexError, PlexReadRequest};
use greenroom_simulator_backend::catalogue::ItemId;
use greenroom_simulator_backend::serve::decoded;

/// Target of an address such as `server://…/com.plexapp.plugins.library/library/metadata/1,2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WriteTarget {
    /// These items.
    Items(Vec<ItemId>),
    /// The result of this query.
    Query(String),
}

/// Max items in one address.
const MAX_ITEMS: usize = 10_000;

/// Parses an address. Its server is ignored: it is always this one.
pub(super) fn parse_uri(uri: &str) -> Result<WriteTarget, PlexError> {
    let whole = decoded(uri).into_owned();
    let path = whole.find("/library/").map(|at| &whole[at..]).ok_or(BAD_REQUEST)?;
    if path.starts_with("/library/sections/") {
        return Ok(WriteTarget::Query(path.to_owned()));
    }
    let ids = path.strip_prefix("/library/metadata/").ok_or(BAD_REQUEST)?;
    let ids = ids.split(['/', '?']).next().unwrap_or(ids);
    Ok(WriteTarget::Items(items(ids)?))
}

/// Comma-separated ids.
pub(super) fn items(ids: &str) -> Result<Vec<ItemId>, PlexError> {
    let found: Vec<ItemId> =
        ids.split(',').map(|id| id.trim().parse().map(ItemId)).collect::<Result<_, _>>().map_err(|_| BAD_REQUEST)?;
    if found.len() > MAX_ITEMS { Err(BAD_REQUEST) } else { Ok(found) }
}

/// All playable items among or below these, as far as the user may see them.
pub(super) fn playable(call: &PlexReadRequest<'_>, ids: &[ItemId]) -> Vec<ItemId> {
    let seen = ids.iter().filter(|id| call.view.may_see(call.user.id, **id));
    seen.flat_map(|id| call.view.leaves(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        let two = WriteTarget::Items(vec![ItemId(1), ItemId(2)]);
        for uri in [
            "server://abc/com.plexapp.plugins.library/library/metadata/1,2",
            "server://abc/com.plexapp.plugins.library/library/metadata/1%2C2",
            "library://gate:32500/item/%2Flibrary%2Fmetadata%2F1%2C2",
            "/library/metadata/1,2",
        ] {
            assert_eq!(parse_uri(uri).ok(), Some(two.clone()), "{uri}");
        }
        let query = parse_uri("server://abc/com.plexapp.plugins.library/library/sections/3/all?type=10&title=x");
        assert_eq!(query.ok(), Some(WriteTarget::Query("/library/sections/3/all?type=10&title=x".into())));
        assert!(parse_uri("server://abc/somewhere/else").is_err());
        assert!(parse_uri("/library/metadata/x").is_err());
    }
}
