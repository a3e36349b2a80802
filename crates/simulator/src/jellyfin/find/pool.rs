//! Where the candidates of a list come from.

use super::asked::{Asked, Type};
use super::order::SortBy;
use super::{Thing, order, sieve};
use crate::catalogue::{ItemId, Kind, Order, SortKey};
use crate::jellyfin::ident::{Ident, Space};
use crate::jellyfin::library::Library;
use crate::jellyfin::scene::{Scene, item_of};

/// Candidates, and the key they are in ascending order of, if they are.
pub(crate) struct Pool {
    /// The candidates.
    pub(crate) things: Vec<Thing>,
    /// The catalogue's order they are in.
    pub(crate) ordered_by: Option<SortKey>,
}

/// Everything of one kind in an order of the catalogue, where nothing is asked of it: pages of it are cut out without going
/// through the rest.
pub(super) struct Whole {
    /// The ids, in ascending order.
    pub(super) ids: Order,
}

/// The whole of a kind, if that is what is asked for.
pub(super) fn whole(scene: &Scene<'_>, asked: &Asked) -> Option<Whole> {
    let library = asked.parent.and_then(Library::of).filter(|library| library.shown(scene))?;
    if !asked.recursive || asked.ids.is_some() || !sieve::lets_all(asked) {
        return None;
    }
    let mut kinds = library.kinds().into_iter().filter(|kind| asked.wants(Type::Item(*kind)));
    let (Some(kind), None) = (kinds.next(), kinds.next()) else { return None };
    let by = asked.sort.first().map_or(Some(SortKey::Title), |(by, _)| by.of_catalogue())?;
    scene.sees(kind.section()).then(|| Whole { ids: scene.view.list(kind, by) })
}

impl Pool {
    fn loose(things: Vec<Thing>) -> Self {
        Self { things, ordered_by: None }
    }
}

/// Everything that may fit.
pub(crate) fn gather(scene: &Scene<'_>, asked: &Asked) -> Pool {
    if let Some(ids) = &asked.ids {
        return Pool::loose(ids.iter().filter_map(|id| thing_of(scene, *id)).collect());
    }
    if let Some(above) = of_artists_or_albums(asked) {
        let below = above.into_iter().flat_map(|item| descendants(scene, item)).map(Thing::Item);
        return Pool::loose(below.collect());
    }
    match asked.parent {
        None if asked.recursive => everywhere(scene, asked),
        None => Pool::loose(shown_libraries(scene)),
        Some(id) if id.space == Space::Root => {
            if asked.recursive {
                everywhere(scene, asked)
            } else {
                Pool::loose(shown_libraries(scene))
            }
        }
        Some(id) => below(scene, asked, id),
    }
}

/// The artists or albums all candidates lie in, if only tracks and albums of some are asked for.
fn of_artists_or_albums(asked: &Asked) -> Option<Vec<ItemId>> {
    let ids = if asked.album_ids.is_empty() { &asked.artist_ids } else { &asked.album_ids };
    (!ids.is_empty() && asked.parent.is_none() && asked.recursive)
        .then(|| ids.iter().filter_map(|id| item_of(*id)).collect())
}

/// The thing an id names, if it is shown.
pub(crate) fn thing_of(scene: &Scene<'_>, id: Ident) -> Option<Thing> {
    if let Some(library) = Library::of(id) {
        return library.shown(scene).then_some(Thing::Library(library));
    }
    let item = item_of(id)?;
    if let Some(playlist) = scene.view.playlist(item).filter(|_| !scene.starting) {
        return scene.user.is_none_or(|user| playlist.seen_by(user)).then_some(Thing::Playlist(item));
    }
    let kind = scene.view.kind(item)?;
    scene.sees(kind.section()).then_some(Thing::Item(item))
}

fn shown_libraries(scene: &Scene<'_>) -> Vec<Thing> {
    Library::EVERY.into_iter().filter(|library| library.shown(scene)).map(Thing::Library).collect()
}

fn everywhere(scene: &Scene<'_>, asked: &Asked) -> Pool {
    let kinds =
        Kind::EVERY.into_iter().filter(|kind| scene.sees(kind.section()) && asked.wants(Type::Item(*kind)));
    let mut pool = of_kinds(scene, asked, &kinds.collect::<Vec<_>>());
    if asked.types.contains(&Type::Playlist) {
        pool.things.extend(playlists(scene));
        pool.ordered_by = None;
    }
    pool
}

fn playlists(scene: &Scene<'_>) -> Vec<Thing> {
    let Some(user) = scene.user.filter(|_| !scene.starting) else { return Vec::new() };
    scene.view.playlists(user).into_iter().map(|playlist| Thing::Playlist(playlist.id)).collect()
}

/// All items of the kinds. What a user has no state on cannot be a favourite, played or to be continued, so those
/// lists start from the user's state.
fn of_kinds(scene: &Scene<'_>, asked: &Asked, kinds: &[Kind]) -> Pool {
    let leaves_only = kinds.iter().all(|kind| kind.plays());
    let needs_state =
        asked.favourite == Some(true) || asked.resumable || (asked.played == Some(true) && leaves_only);
    if let Some(user) = scene.user.filter(|_| needs_state) {
        let of_kinds = |id: &ItemId| scene.view.kind(*id).is_some_and(|kind| kinds.contains(&kind));
        let touched = scene.view.watches(user).into_iter().map(|(id, _)| id).filter(of_kinds);
        return Pool::loose(touched.map(Thing::Item).collect());
    }
    let newest_ms = scene.view.catalogue().newest_at() * 1_000;
    if asked.saved_since_ms.is_some_and(|since| since > newest_ms) {
        // Nothing of the catalogue is as young as that.
        let touched = kinds.iter().flat_map(|kind| scene.view.touched(*kind));
        return Pool::loose(touched.map(Thing::Item).collect());
    }
    if let [kind] = kinds {
        let key = asked.sort.first().map_or(Some(SortKey::Title), |(by, _)| by.of_catalogue());
        let ids = scene.view.list(*kind, key.unwrap_or(SortKey::Added));
        return Pool { things: ids.iter().copied().map(Thing::Item).collect(), ordered_by: key };
    }
    let ids = kinds.iter().flat_map(|kind| scene.view.list(*kind, SortKey::Title).as_ref().clone());
    Pool::loose(ids.map(Thing::Item).collect())
}

fn below(scene: &Scene<'_>, asked: &Asked, id: Ident) -> Pool {
    if let Some(library) = Library::of(id) {
        return if library.shown(scene) {
            in_library(scene, asked, library)
        } else {
            Pool::loose(Vec::new())
        };
    }
    let Some(item) = item_of(id) else { return Pool::loose(Vec::new()) };
    if let Some(playlist) = scene.view.playlist(item) {
        let seen = scene.user.is_none_or(|user| playlist.seen_by(user));
        let entries = playlist.entries.iter().filter(|_| seen).map(|entry| Thing::Item(entry.item));
        return Pool::loose(entries.collect());
    }
    let ids = if asked.recursive { descendants(scene, item) } else { scene.view.children(item) };
    Pool::loose(ids.into_iter().map(Thing::Item).collect())
}

fn in_library(scene: &Scene<'_>, asked: &Asked, library: Library) -> Pool {
    if library == Library::Playlists {
        return Pool::loose(playlists(scene));
    }
    let kinds = if asked.recursive { library.kinds() } else { library.top().into_iter().collect() };
    let wanted: Vec<Kind> = kinds.into_iter().filter(|kind| asked.wants(Type::Item(*kind))).collect();
    of_kinds(scene, asked, &wanted)
}

fn descendants(scene: &Scene<'_>, item: ItemId) -> Vec<ItemId> {
    let mut all = Vec::new();
    for child in scene.view.children(item) {
        all.push(child);
        all.extend(descendants(scene, child));
    }
    all
}

impl SortBy {
    /// The catalogue's own order of this key, where it has one.
    fn of_catalogue(self) -> Option<SortKey> {
        order::of_catalogue(self)
    }
}
