//! Invalidations for each kind of change, shared by writes, notifications and webhooks.

use crate::server_event::PlaybackState;
use crate::tag::{Tag, TagInvalidation, UserState};

/// Invalidations for everyone.
pub(super) fn everyone<const N: usize>(tags: [Tag; N]) -> Vec<TagInvalidation> {
    tags.into_iter().map(TagInvalidation::everyone).collect()
}

/// Invalidations for the writer's account.
pub(super) fn account<const N: usize>(tags: [Tag; N]) -> Vec<TagInvalidation> {
    tags.into_iter().map(TagInvalidation::account).collect()
}

/// Invalidates everything of this server.
pub(super) fn all() -> Vec<TagInvalidation> {
    everyone([Tag::all()])
}

/// User state of these items changed (watched, rated, resumed elsewhere). Without ids, every response with
/// user state is invalidated.
pub(super) fn watched(ids: &[String], audience: fn(Tag) -> TagInvalidation) -> Vec<TagInvalidation> {
    let mut stale = Vec::new();
    for id in ids {
        stale.push(audience(Tag::item(id)).with_ancestors());
        stale.push(audience(Tag::under(id)));
        stale.push(audience(Tag::members(id)));
        stale.extend([Tag::many_items(), Tag::watch_lists()].map(|tag| audience(tag).of(id)));
    }
    if ids.is_empty() {
        stale.extend([Tag::user_state(), Tag::many_items(), Tag::watch_lists()].map(audience));
    }
    // The owner sees the sessions and history of all users.
    stale.extend(everyone([Tag::sessions(), Tag::history()]));
    stale
}

/// A field of user state of these items changed that neither playback nor what contains them follows: the user's rating,
/// or whether they are continued.
pub(super) fn marked(ids: &[String], state: UserState) -> Vec<TagInvalidation> {
    if ids.is_empty() {
        return watched(ids, TagInvalidation::account);
    }
    // What is left out of what is continued is shown elsewhere as before.
    let is_shown = state != UserState::Continued;
    let mut stale = everyone([Tag::sessions()]);
    for id in ids {
        if is_shown {
            stale.push(TagInvalidation::account(Tag::item(id)));
            stale.push(TagInvalidation::account(Tag::many_items()).of(id));
        }
        stale.push(TagInvalidation::account(Tag::selected_by(state)).of(id));
    }
    stale
}

/// These items are playing: invalidates only what changes by the second.
pub(super) fn plays(ids: &[String], audience: fn(Tag) -> TagInvalidation) -> Vec<TagInvalidation> {
    let mut stale = everyone([Tag::sessions()]);
    stale.extend(ids.iter().map(|id| audience(Tag::item(id))));
    stale
}

/// Invalidations for a player's change of state from a notification or webhook, whose user is unknown.
pub(super) fn playback_invalidations(item: &str, state: PlaybackState) -> Vec<TagInvalidation> {
    let ids = [item.to_owned()];
    let ids = if item.is_empty() { &[] } else { ids.as_slice() };
    match state {
        PlaybackState::Playing | PlaybackState::Buffering => {
            let mut stale = plays(ids, TagInvalidation::everyone);
            // The player may be a new one. Called at a change of state only, not each second.
            stale.push(TagInvalidation::everyone(Tag::players()));
            stale
        }
        PlaybackState::Paused | PlaybackState::Stopped => watched(ids, TagInvalidation::everyone),
    }
}

/// Responses that show titles and pictures of items outside of library lists: history, sessions, and the list
/// of sections, whose composite images carry the time of the last change.
fn shown_elsewhere() -> Vec<TagInvalidation> {
    everyone([Tag::history(), Tag::sessions(), Tag::sections()])
}

/// Metadata of these items changed: invalidates their rows, their ancestors and descendants, and every list
/// that may be sorted or filtered by metadata; but no image.
pub(super) fn edited(ids: &[String]) -> Vec<TagInvalidation> {
    let mut stale = detailed(ids);
    stale.extend(ids.iter().map(|id| TagInvalidation::everyone(Tag::libraries()).of(id)));
    if ids.is_empty() {
        stale.extend(everyone([Tag::libraries()]));
    }
    stale.extend(everyone([Tag::across(), Tag::collections()]));
    stale
}

/// Images of these items changed, and with them the rows that show them.
pub(super) fn pictured(ids: &[String]) -> Vec<TagInvalidation> {
    let mut stale = detailed(ids);
    stale.extend(images(ids));
    stale
}

/// The server announced a change of these items, but not whether their images changed. An image at a path with a time
/// is the same for ever, so it stays.
pub(super) fn announced(ids: &[String]) -> Vec<TagInvalidation> {
    let mut stale = detailed(ids);
    stale.extend(ids.iter().map(|id| TagInvalidation::everyone(Tag::unversioned_image(id))));
    stale
}

/// Images of these items.
pub(super) fn images(ids: &[String]) -> Vec<TagInvalidation> {
    ids.iter().map(|id| TagInvalidation::everyone(Tag::image(id))).collect()
}

/// Detail pages of these items changed, but neither their place in lists nor their images. Without ids, every response
/// that shows items is invalidated.
pub(super) fn detailed(ids: &[String]) -> Vec<TagInvalidation> {
    let mut stale = Vec::new();
    for id in ids {
        stale.push(TagInvalidation::everyone(Tag::item(id)).with_ancestors());
        stale.push(TagInvalidation::everyone(Tag::under(id)));
        stale.push(TagInvalidation::everyone(Tag::many_items()).of(id));
    }
    if ids.is_empty() {
        stale.extend(everyone([Tag::user_state(), Tag::many_items()]));
    }
    stale.extend(shown_elsewhere());
    stale
}

/// Items were added to, changed in or removed from a section.
pub(super) fn section_moved(section: Option<&str>) -> Vec<TagInvalidation> {
    let mut stale = match section {
        Some(id) => everyone([Tag::section(id), Tag::across(), Tag::sections()]),
        None => everyone([Tag::libraries(), Tag::across(), Tag::sections()]),
    };
    stale.push(TagInvalidation::everyone(Tag::collections()));
    stale
}

/// A whole section changed: invalidates its lists, all its items and its composite image.
pub(super) fn section_whole(section: &str) -> Vec<TagInvalidation> {
    let mut stale = section_edited(section);
    stale.push(TagInvalidation::everyone(Tag::image(&format!("section:{section}"))));
    stale
}

/// Metadata of any items of a section changed: invalidates its lists and all its items.
pub(super) fn section_edited(section: &str) -> Vec<TagInvalidation> {
    let mut stale = section_moved(Some(section));
    stale.extend(everyone([Tag::inside(section), Tag::many_items()]));
    stale.extend(shown_elsewhere());
    stale
}

/// A playlist changed; without an id, an unknown one. Every user may see it.
pub(super) fn playlist(id: Option<&str>) -> Vec<TagInvalidation> {
    let mut stale = everyone([Tag::playlists()]);
    match id {
        Some(id) => {
            stale.extend(everyone([Tag::playlist(id), Tag::item(id), Tag::image(&format!("playlist:{id}"))]));
        }
        None => stale.push(TagInvalidation::everyone(Tag::every_playlist())),
    }
    stale
}

/// A collection changed, and with it these members.
pub(super) fn collection(id: Option<&str>, section: Option<&str>, members: &[String]) -> Vec<TagInvalidation> {
    let mut stale = everyone([Tag::collections()]);
    if let Some(id) = id {
        stale.extend(everyone([Tag::item(id), Tag::image(id)]));
    }
    stale.extend(section.map(|section| TagInvalidation::everyone(Tag::section(section))));
    for member in members {
        stale.push(TagInvalidation::everyone(Tag::item(member)));
        stale.push(TagInvalidation::everyone(Tag::many_items()).of(member));
        stale.extend(section.is_none().then(|| TagInvalidation::everyone(Tag::libraries()).of(member)));
    }
    if members.is_empty() {
        // Members name their collections, and the former members are unknown.
        stale.extend(everyone([section.map_or_else(Tag::user_state, Tag::inside), Tag::many_items()]));
        stale.extend(section.is_none().then(|| TagInvalidation::everyone(Tag::libraries())));
    }
    stale.push(TagInvalidation::everyone(Tag::across()));
    stale.extend(shown_elsewhere());
    stale
}

/// The server's own settings, libraries or users changed.
pub(super) fn server() -> Vec<TagInvalidation> {
    everyone([Tag::server(), Tag::users(), Tag::sections()])
}
