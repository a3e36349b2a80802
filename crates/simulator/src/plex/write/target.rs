//! The items a write is about, as clients name them.

use crate::catalogue::ItemId;
use crate::plex::call::{BAD_REQUEST, Call, No};
use crate::serve::decoded;

/// What an address such as `server://…/com.plexapp.plugins.library/library/metadata/1,2` points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// These items.
    Items(Vec<ItemId>),
    /// What this query finds.
    Query(String),
}

/// More items than this in one address are refused.
const MAX_ITEMS: usize = 10_000;

/// Reads an address. Whom it names is not looked at: it is always this server.
pub(super) fn of_uri(uri: &str) -> Result<Target, No> {
    let whole = decoded(uri).into_owned();
    let path = whole.find("/library/").map(|at| &whole[at..]).ok_or(BAD_REQUEST)?;
    if path.starts_with("/library/sections/") {
        return Ok(Target::Query(path.to_owned()));
    }
    let ids = path.strip_prefix("/library/metadata/").ok_or(BAD_REQUEST)?;
    let ids = ids.split(['/', '?']).next().unwrap_or(ids);
    Ok(Target::Items(items(ids)?))
}

/// Ids between commas.
pub(super) fn items(ids: &str) -> Result<Vec<ItemId>, No> {
    let found: Vec<ItemId> = ids
        .split(',')
        .map(|id| id.trim().parse().map(ItemId))
        .collect::<Result<_, _>>()
        .map_err(|_| BAD_REQUEST)?;
    if found.len() > MAX_ITEMS { Err(BAD_REQUEST) } else { Ok(found) }
}

/// Everything that can be played of what these items are or hold, as far as the user may see it.
pub(super) fn playable(call: &Call<'_>, ids: &[ItemId]) -> Vec<ItemId> {
    let seen = ids.iter().filter(|id| call.view.may_see(call.user.id, **id));
    seen.flat_map(|id| call.view.leaves(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        let two = Target::Items(vec![ItemId(1), ItemId(2)]);
        for uri in [
            "server://abc/com.plexapp.plugins.library/library/metadata/1,2",
            "server://abc/com.plexapp.plugins.library/library/metadata/1%2C2",
            "library://gate:32500/item/%2Flibrary%2Fmetadata%2F1%2C2",
            "/library/metadata/1,2",
        ] {
            assert_eq!(of_uri(uri).ok(), Some(two.clone()), "{uri}");
        }
        let query = of_uri("server://abc/com.plexapp.plugins.library/library/sections/3/all?type=10&title=x");
        assert_eq!(query.ok(), Some(Target::Query("/library/sections/3/all?type=10&title=x".into())));
        assert!(of_uri("server://abc/somewhere/else").is_err());
        assert!(of_uri("/library/metadata/x").is_err());
    }
}
