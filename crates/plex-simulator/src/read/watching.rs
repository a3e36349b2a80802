//! Items to continue, and next episodes.

use std::collections::HashMap;

use crate::request::PlexReadRequest;
use greenroom_simulator_backend::catalogue::{ItemId, MediaKind, Section};

/// Max items on deck.
const ON_DECK: usize = 40;

/// Resumable items, and the next episode of every started show; latest first.
pub(crate) fn on_deck(call: &PlexReadRequest<'_>, section: Option<Section>) -> Vec<ItemId> {
    let mut films: Vec<(u64, ItemId)> = Vec::new();
    let mut shows: HashMap<ItemId, u64> = HashMap::new();
    for (item, watch) in call.view.watches(call.user.id) {
        let Some(kind) = call.view.kind(item) else { continue };
        let wanted = section.is_none_or(|section| section == kind.section()) && call.user.sees(kind.section());
        if !wanted || watch.hidden_from_resume {
            continue;
        }
        let at = watch.last_viewed_at.unwrap_or(0);
        match kind {
            MediaKind::Film if watch.offset_ms > 0 => films.push((at, item)),
            MediaKind::Episode if watch.offset_ms > 0 || watch.played() => {
                if let Some(show) = call.view.parent(item).and_then(|season| call.view.parent(season)) {
                    let latest = shows.entry(show).or_default();
                    *latest = (*latest).max(at);
                }
            }
            _ => {}
        }
    }
    for (show, at) in shows {
        films.extend(next_of(call, &call.view.leaves(show)).map(|episode| (at, episode)));
    }
    films.sort_unstable_by_key(|(at, item)| (std::cmp::Reverse(*at), *item));
    films.into_iter().take(ON_DECK).map(|(_, item)| item).collect()
}

/// Of these episodes in order: the last resumable one, or the first after the last one that was played.
pub(crate) fn next_of(call: &PlexReadRequest<'_>, episodes: &[ItemId]) -> Option<ItemId> {
    let watch = |id: &ItemId| call.view.watch(call.user.id, *id);
    let begun = episodes.iter().filter(|id| watch(id).offset_ms > 0 && !watch(id).hidden_from_resume);
    if let Some(begun) = begun.max_by_key(|id| watch(id).last_viewed_at) {
        return Some(*begun);
    }
    let last = episodes.iter().rposition(|id| watch(id).played())?;
    episodes.get(last + 1).copied()
}

/// The user's last played items of a section, latest first.
pub(crate) fn recently_viewed(call: &PlexReadRequest<'_>, section: Section) -> Vec<ItemId> {
    let mut seen: Vec<(u64, ItemId)> = call
        .view
        .watches(call.user.id)
        .into_iter()
        .filter(|(item, watch)| watch.played() && call.view.kind(*item).is_some_and(|kind| kind.section() == section))
        .map(|(item, watch)| (watch.last_viewed_at.unwrap_or(0), item))
        .collect();
    seen.sort_unstable_by_key(|(at, item)| (std::cmp::Reverse(*at), *item));
    seen.into_iter().map(|(_, item)| item).collect()
}
