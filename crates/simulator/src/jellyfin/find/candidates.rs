//! Candidates of a list.

use super::item_query::{ItemQuery, ItemType};
use super::order::SortBy;
use super::{ListItem, filter, order};
use crate::catalogue::{ItemId, MediaKind, SortKey, SortedIds};
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::response_context::{ResponseContext, item_id_of};

/// Candidates, and the key by which they are sorted in ascending order, if any.
pub(crate) struct CandidatePool {
    /// The candidates.
    pub(crate) things: Vec<ListItem>,
    /// Their order in the catalogue.
    pub(crate) ordered_by: Option<SortKey>,
}

/// Everything of one kind in an order of the catalogue, for queries without filters: pages are cut out without reading
/// the rest.
pub(super) struct SortedCandidates {
    /// The ids, in ascending order.
    pub(super) ids: SortedIds,
}

/// The whole of a kind, if the query has no filters.
pub(super) fn whole(scene: &ResponseContext<'_>, asked: &ItemQuery) -> Option<SortedCandidates> {
    let library = asked.parent.and_then(JellyfinLibrary::from_id).filter(|library| library.is_visible(scene))?;
    if !asked.recursive || asked.ids.is_some() || scene.is_limited() || !filter::lets_all(asked) {
        return None;
    }
    let mut kinds = library.kinds().into_iter().filter(|kind| asked.wants(ItemType::Item(*kind)));
    let (Some(kind), None) = (kinds.next(), kinds.next()) else { return None };
    let by = asked.sort.first().map_or(Some(SortKey::Title), |(by, _)| by.catalogue_key())?;
    scene.sees(kind.section()).then(|| SortedCandidates { ids: scene.view.list(kind, by) })
}

impl CandidatePool {
    fn loose(things: Vec<ListItem>) -> Self {
        Self { things, ordered_by: None }
    }
}

/// All candidates.
pub(crate) fn gather(scene: &ResponseContext<'_>, asked: &ItemQuery) -> CandidatePool {
    if let Some(ids) = &asked.ids {
        return CandidatePool::loose(ids.iter().filter_map(|id| thing_of(scene, *id)).collect());
    }
    if let Some(above) = by_artists_or_albums(asked) {
        let below = above.into_iter().flat_map(|item| descendants(scene, item)).map(ListItem::Item);
        return CandidatePool::loose(below.collect());
    }
    match asked.parent {
        None if asked.recursive => everywhere(scene, asked),
        None => CandidatePool::loose(visible_libraries(scene)),
        Some(id) if id.space == IdNamespace::Root => {
            if asked.recursive {
                everywhere(scene, asked)
            } else {
                CandidatePool::loose(visible_libraries(scene))
            }
        }
        Some(id) => below(scene, asked, id),
    }
}

/// The artists or albums of all candidates, if the query is for tracks and albums of certain ones only.
fn by_artists_or_albums(asked: &ItemQuery) -> Option<Vec<ItemId>> {
    let ids = if asked.album_ids.is_empty() { &asked.artist_ids } else { &asked.album_ids };
    (!ids.is_empty() && asked.parent.is_none() && asked.recursive)
        .then(|| ids.iter().filter_map(|id| item_id_of(*id)).collect())
}

/// The thing with this id, if it is visible.
pub(crate) fn thing_of(scene: &ResponseContext<'_>, id: JellyfinId) -> Option<ListItem> {
    if let Some(library) = JellyfinLibrary::from_id(id) {
        return library.is_visible(scene).then_some(ListItem::Library(library));
    }
    let item = item_id_of(id)?;
    if let Some(playlist) = scene.view.playlist(item).filter(|_| !scene.starting) {
        return scene.user.is_none_or(|user| playlist.is_visible_to(user)).then_some(ListItem::Playlist(item));
    }
    let kind = scene.view.kind(item)?;
    scene.sees(kind.section()).then_some(ListItem::Item(item))
}

fn visible_libraries(scene: &ResponseContext<'_>) -> Vec<ListItem> {
    JellyfinLibrary::EVERY.into_iter().filter(|library| library.is_visible(scene)).map(ListItem::Library).collect()
}

fn everywhere(scene: &ResponseContext<'_>, asked: &ItemQuery) -> CandidatePool {
    let kinds =
        MediaKind::EVERY.into_iter().filter(|kind| scene.sees(kind.section()) && asked.wants(ItemType::Item(*kind)));
    let mut pool = by_kinds(scene, asked, &kinds.collect::<Vec<_>>());
    if asked.wants(ItemType::Playlist) && filter::may_be_a_playlist(asked) {
        pool.things.extend(playlists(scene));
        pool.ordered_by = None;
    }
    pool
}

fn playlists(scene: &ResponseContext<'_>) -> Vec<ListItem> {
    let Some(user) = scene.user.filter(|_| !scene.starting) else { return Vec::new() };
    scene.view.playlists(user).into_iter().map(|playlist| ListItem::Playlist(playlist.id)).collect()
}

/// All items of the kinds. Favourite, played and resumable items have a user state, so those lists start from the
/// user's states.
fn by_kinds(scene: &ResponseContext<'_>, asked: &ItemQuery, kinds: &[MediaKind]) -> CandidatePool {
    let leaves_only = kinds.iter().all(|kind| kind.is_playable());
    let needs_state = asked.favourite == Some(true)
        || asked.resumable
        || asked.liked.is_some()
        || (asked.played == Some(true) && leaves_only);
    if let Some(user) = scene.user.filter(|_| needs_state) {
        let of_kinds = |id: &ItemId| scene.view.kind(*id).is_some_and(|kind| kinds.contains(&kind));
        let touched = scene.view.watches(user).into_iter().map(|(id, _)| id).filter(of_kinds);
        return CandidatePool::loose(touched.map(ListItem::Item).collect());
    }
    let newest_ms = scene.view.catalogue().newest_at() * 1_000;
    if asked.saved_since_ms.is_some_and(|since| since > newest_ms) {
        // No item of the catalogue is that new.
        let touched = kinds.iter().flat_map(|kind| scene.view.touched(*kind));
        return CandidatePool::loose(touched.map(ListItem::Item).collect());
    }
    if let [kind] = kinds {
        let key = asked.sort.first().map_or(Some(SortKey::Title), |(by, _)| by.catalogue_key());
        let ids = scene.view.list(*kind, key.unwrap_or(SortKey::Added));
        return CandidatePool { things: ids.iter().copied().map(ListItem::Item).collect(), ordered_by: key };
    }
    let ids = kinds.iter().flat_map(|kind| scene.view.list(*kind, SortKey::Title).as_ref().clone());
    CandidatePool::loose(ids.map(ListItem::Item).collect())
}

fn below(scene: &ResponseContext<'_>, asked: &ItemQuery, id: JellyfinId) -> CandidatePool {
    if let Some(library) = JellyfinLibrary::from_id(id) {
        return if library.is_visible(scene) {
            in_library(scene, asked, library)
        } else {
            CandidatePool::loose(Vec::new())
        };
    }
    let Some(item) = item_id_of(id) else { return CandidatePool::loose(Vec::new()) };
    if let Some(playlist) = scene.view.playlist(item) {
        let seen = scene.user.is_none_or(|user| playlist.is_visible_to(user));
        let entries = playlist.entries.iter().filter(|_| seen).map(|entry| ListItem::Item(entry.item));
        return CandidatePool::loose(entries.collect());
    }
    let ids = if asked.recursive { descendants(scene, item) } else { scene.view.children(item) };
    CandidatePool::loose(ids.into_iter().map(ListItem::Item).collect())
}

fn in_library(scene: &ResponseContext<'_>, asked: &ItemQuery, library: JellyfinLibrary) -> CandidatePool {
    if library == JellyfinLibrary::Playlists {
        return CandidatePool::loose(playlists(scene));
    }
    let kinds = if asked.recursive { library.kinds() } else { library.top().into_iter().collect() };
    let wanted: Vec<MediaKind> = kinds.into_iter().filter(|kind| asked.wants(ItemType::Item(*kind))).collect();
    by_kinds(scene, asked, &wanted)
}

fn descendants(scene: &ResponseContext<'_>, item: ItemId) -> Vec<ItemId> {
    let mut all = Vec::new();
    for child in scene.view.children(item) {
        all.push(child);
        all.extend(descendants(scene, child));
    }
    all
}

impl SortBy {
    /// The catalogue's own order of this key, if there is one.
    fn catalogue_key(self) -> Option<SortKey> {
        order::catalogue_key(self)
    }
}
