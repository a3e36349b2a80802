//! What a change makes stale, by the kind of change. Writes, notifications and webhooks all speak through these.

use crate::signal::Playing;
use crate::tag::{Staling, Tag};

/// Stale for everybody.
pub(super) fn everyone<const N: usize>(tags: [Tag; N]) -> Vec<Staling> {
    tags.into_iter().map(Staling::everyone).collect()
}

/// Stale for the account that wrote.
pub(super) fn account<const N: usize>(tags: [Tag; N]) -> Vec<Staling> {
    tags.into_iter().map(Staling::account).collect()
}

/// Everything of this server.
pub(super) fn all() -> Vec<Staling> {
    everyone([Tag::all()])
}

/// Somebody's state of these items changed (watched, rated, resumed elsewhere). Nobody knows which items: anything
/// with user state.
pub(super) fn watched(ids: &[String], whose: fn(Tag) -> Staling) -> Vec<Staling> {
    let mut stale = Vec::new();
    for id in ids {
        stale.push(whose(Tag::item(id)).and_ancestors());
        stale.push(whose(Tag::under(id)));
    }
    if ids.is_empty() {
        stale.push(whose(Tag::user_state()));
    }
    stale.extend([Tag::many_items(), Tag::watch_lists()].map(whose));
    // The owner sees everybody's sessions and history.
    stale.extend(everyone([Tag::sessions(), Tag::history()]));
    stale
}

/// These items play: only what moves by the second.
pub(super) fn plays(ids: &[String], whose: fn(Tag) -> Staling) -> Vec<Staling> {
    let mut stale = everyone([Tag::sessions()]);
    stale.extend(ids.iter().map(|id| whose(Tag::item(id))));
    stale
}

/// A player's change of state, as a notification or webhook tells it: of whom is not known.
pub(super) fn playing(item: &str, state: Playing) -> Vec<Staling> {
    let ids = [item.to_owned()];
    let ids = if item.is_empty() { &[] } else { ids.as_slice() };
    match state {
        Playing::Playing => plays(ids, Staling::everyone),
        Playing::Paused | Playing::Stopped => watched(ids, Staling::everyone),
    }
}

/// Where titles and pictures of items show outside of the library's own lists: in what was played, in what plays,
/// and in the list of sections, whose composites carry the moment of the last change.
fn shown_elsewhere() -> Vec<Staling> {
    everyone([Tag::history(), Tag::sessions(), Tag::sections()])
}

/// The metadata of these items changed: their rows, what stands above and below, and every list that may be
/// ordered or filtered by what changed.
pub(super) fn edited(ids: &[String]) -> Vec<Staling> {
    let mut stale = pictured(ids);
    stale.extend(everyone([Tag::libraries(), Tag::across(), Tag::collections()]));
    stale
}

/// These items' pictures or own pages changed, their place in lists did not. Nobody knows which items: anything
/// that shows items.
pub(super) fn pictured(ids: &[String]) -> Vec<Staling> {
    let mut stale = Vec::new();
    for id in ids {
        stale.push(Staling::everyone(Tag::item(id)).and_ancestors());
        stale.extend(everyone([Tag::under(id), Tag::image(id)]));
    }
    if ids.is_empty() {
        stale.push(Staling::everyone(Tag::user_state()));
    }
    stale.push(Staling::everyone(Tag::many_items()));
    stale.extend(shown_elsewhere());
    stale
}

/// Items appeared, changed or vanished in a section.
pub(super) fn section_moved(section: Option<&str>) -> Vec<Staling> {
    let mut stale = match section {
        Some(id) => everyone([Tag::section(id), Tag::across(), Tag::sections()]),
        None => everyone([Tag::libraries(), Tag::across(), Tag::sections()]),
    };
    stale.push(Staling::everyone(Tag::collections()));
    stale
}

/// A whole section changed: its lists and everything that comes from it.
pub(super) fn section_whole(section: &str) -> Vec<Staling> {
    let mut stale = section_moved(Some(section));
    stale.extend(everyone([
        Tag::inside(section),
        Tag::many_items(),
        Tag::image(&format!("section:{section}")),
    ]));
    stale.extend(shown_elsewhere());
    stale
}

/// A playlist changed, or (without an id) one that is not known. Every user may see it.
pub(super) fn playlist(id: Option<&str>) -> Vec<Staling> {
    let mut stale = everyone([Tag::playlists()]);
    match id {
        Some(id) => {
            stale.extend(everyone([Tag::playlist(id), Tag::item(id), Tag::image(&format!("playlist:{id}"))]));
        }
        None => stale.push(Staling::everyone(Tag::every_playlist())),
    }
    stale
}

/// A collection changed, and with it these of its members.
pub(super) fn collection(id: Option<&str>, section: Option<&str>, members: &[String]) -> Vec<Staling> {
    let mut stale = everyone([Tag::collections()]);
    if let Some(id) = id {
        stale.extend(everyone([Tag::item(id), Tag::image(id)]));
    }
    stale.push(Staling::everyone(section.map_or_else(Tag::libraries, Tag::section)));
    stale.push(Staling::everyone(Tag::across()));
    stale.extend(members.iter().map(|member| Staling::everyone(Tag::item(member))));
    if members.is_empty() {
        // A member names its collections, and which items were members is not known.
        stale.push(Staling::everyone(section.map_or_else(Tag::user_state, Tag::inside)));
    }
    stale.push(Staling::everyone(Tag::many_items()));
    stale.extend(shown_elsewhere());
    stale
}

/// The server's own settings, libraries or users changed.
pub(super) fn server() -> Vec<Staling> {
    everyone([Tag::server(), Tag::users(), Tag::sections()])
}
