//! Initial state of a server: every user has a history, so that dashboards have content.

use std::collections::{BTreeMap, HashMap};

use super::inner::{SectionTimestamps, StateData};
use super::overlay::CatalogueOverlay;
use super::play_rules::PlayRules;
use super::playlist::{PlaylistEntryRecord, PlaylistRecord};
use super::watch::{PlayRecord, PlayerDevice, WatchState};
use crate::catalogue::{Catalogue, ItemId, MediaKind, Section};
use crate::users::{SimulatedUser, UserRegistry};

/// Average time between two plays of a user: about four a day.
const BETWEEN_PLAYS_S: u64 = 21_600;
/// Partly played items per user.
const LEFT_IN_THE_MIDDLE: u64 = 8;
/// Entries of each initial playlist.
const PLAYLIST_ENTRIES: u64 = 25;
/// Initial change counter: that of a server with some history.
const COUNTER_AT_START: u64 = 100_000;
/// Ids of playlists and additions start at a multiple of this behind the catalogue.
const ID_GAP: u32 = 1_000;

pub(super) fn seed_state(catalogue: &Catalogue, users: &UserRegistry, plays_per_user: u32) -> StateData {
    let mut inner = StateData {
        seq: 0,
        by_user: HashMap::new(),
        counter: COUNTER_AT_START,
        stamps: HashMap::new(),
        watch: HashMap::new(),
        playlists: BTreeMap::new(),
        plays: Vec::new(),
        sessions: Vec::new(),
        devices: Vec::new(),
        settings: BTreeMap::new(),
        overlay: CatalogueOverlay::default(),
        saved_ms: HashMap::new(),
        rules: PlayRules::default(),
        next_item: (catalogue.end().0 / ID_GAP + 1) * ID_GAP,
        next_entry: 0,
        next_play: 0,
        next_session: 0,
        unread_tags: HashMap::default(),
        merged: parking_lot::Mutex::default(),
    };
    for (at, section) in Section::EVERY.into_iter().enumerate() {
        let counter = COUNTER_AT_START - 100 * (at as u64 + 1);
        let times = catalogue.newest_at();
        inner.stamps.insert(
            section,
            SectionTimestamps {
                moved: counter,
                touched: counter,
                updated_at: times,
                scanned_at: times,
                refreshing: false,
            },
        );
    }
    for user in &users.users {
        device(&mut inner, catalogue, user);
        plays(&mut inner, catalogue, user, plays_per_user);
        left_in_the_middle(&mut inner, catalogue, user);
        playlists(&mut inner, catalogue, user);
    }
    inner.plays.sort_by_key(|play| (play.viewed_at, play.user));
    for (at, play) in inner.plays.iter_mut().enumerate() {
        play.id = at as u64 + 1;
    }
    inner.next_play = inner.plays.len() as u64;
    inner
}

fn device(inner: &mut StateData, catalogue: &Catalogue, user: &SimulatedUser) {
    inner.devices.push(PlayerDevice {
        id: user.id.0,
        client: catalogue.rng().hex("device", u64::from(user.id.0), 24),
        name: format!("{}'s television", user.name),
        product: "Living Room Player".into(),
        version: "3.1.4".into(),
        platform: "Linux".into(),
        address: "127.0.0.1".into(),
        created_at: catalogue.newest_at().saturating_sub(300 * 86_400),
    });
}

fn plays(inner: &mut StateData, catalogue: &Catalogue, user: &SimulatedUser, count: u32) {
    let chance = catalogue.rng();
    for number in 0..u64::from(count) {
        let draw = u64::from(user.id.0) * 1_000_003 + number;
        let Some(item) = any_item(catalogue, user, "play", draw) else { continue };
        let back = number * BETWEEN_PLAYS_S + chance.below("play/at", draw, BETWEEN_PLAYS_S);
        let viewed_at = catalogue.newest_at().saturating_sub(back);
        let watch = inner.watch_mut(user.id, item);
        watch.views += 1;
        watch.last_viewed_at = Some(watch.last_viewed_at.unwrap_or(0).max(viewed_at));
        inner.plays.push(PlayRecord { id: 0, item, user: user.id, viewed_at, device: user.id.0 });
    }
}

fn left_in_the_middle(inner: &mut StateData, catalogue: &Catalogue, user: &SimulatedUser) {
    for number in 0..LEFT_IN_THE_MIDDLE {
        let draw = u64::from(user.id.0) * 7_919 + number;
        let kinds: Vec<MediaKind> =
            [MediaKind::Film, MediaKind::Episode].into_iter().filter(|kind| user.sees(kind.section())).collect();
        let Some(item) = item_of(catalogue, &kinds, "left", draw) else { continue };
        let duration = catalogue.record(item).and_then(|record| record.duration_ms).unwrap_or(0);
        let seen_at = catalogue.newest_at().saturating_sub(number * 40_000);
        let watch: &mut WatchState = inner.watch_mut(user.id, item);
        watch.offset_ms = duration / 100 * catalogue.rng().between("left/at", draw, 10, 80);
        watch.last_viewed_at = Some(watch.last_viewed_at.unwrap_or(0).max(seen_at));
    }
}

fn playlists(inner: &mut StateData, catalogue: &Catalogue, user: &SimulatedUser) {
    let wanted = [
        ("Sunday Morning", "audio", MediaKind::Track),
        ("Running", "audio", MediaKind::Track),
        ("To Watch", "video", MediaKind::Film),
    ];
    for (number, (title, medium, kind)) in wanted.into_iter().enumerate() {
        if catalogue.count(kind) == 0 || !user.sees(kind.section()) {
            continue;
        }
        let id = inner.new_item();
        let base = u64::from(user.id.0) * 10_007 + number as u64 * 101;
        let entries = (0..PLAYLIST_ENTRIES)
            .filter_map(|draw| item_of(catalogue, &[kind], "entry", base + draw))
            .map(|item| PlaylistEntryRecord { id: inner.new_entry(), item })
            .collect();
        let added_at = catalogue.newest_at().saturating_sub(90 * 86_400 - number as u64 * 1_000);
        inner.playlists.insert(
            id,
            PlaylistRecord {
                id,
                owner: user.id,
                shared_with: Vec::new(),
                public: false,
                title: format!("{title} ({})", user.name),
                summary: String::new(),
                medium,
                entries,
                added_at,
                updated_at: added_at,
                smart: None,
            },
        );
    }
}

fn any_item(catalogue: &Catalogue, user: &SimulatedUser, stream: &str, draw: u64) -> Option<ItemId> {
    let kinds: Vec<MediaKind> =
        [MediaKind::Track, MediaKind::Episode, MediaKind::Episode, MediaKind::Film, MediaKind::Track]
            .into_iter()
            .filter(|kind| user.sees(kind.section()))
            .collect();
    item_of(catalogue, &kinds, stream, draw)
}

fn item_of(catalogue: &Catalogue, kinds: &[MediaKind], stream: &str, draw: u64) -> Option<ItemId> {
    let kinds: Vec<MediaKind> = kinds.iter().copied().filter(|kind| catalogue.count(*kind) > 0).collect();
    if kinds.is_empty() {
        return None;
    }
    let chance = catalogue.rng();
    let kind = chance.pick(stream, draw, &kinds);
    let number = chance.below("which", draw.wrapping_mul(31), u64::from(catalogue.count(kind)));
    Some(catalogue.id(kind, u32::try_from(number).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::CatalogueSize;
    use crate::users::UserId;

    #[test]
    fn everyone_has_a_past_and_only_of_what_they_may_see() {
        let catalogue = Catalogue::new(5, CatalogueSize::tiny(), 1_760_000_000);
        let users = UserRegistry::standard("t");
        let inner = seed_state(&catalogue, &users, 40);
        let kim = users.user(UserId(3)).expect("kim");
        for play in inner.plays.iter().filter(|play| play.user == kim.id) {
            let place = catalogue.item_position(play.item).expect("a play of an item");
            assert!(kim.sees(place.kind.section()));
        }
        assert_eq!(inner.plays.len(), 120);
        assert!(inner.plays.windows(2).all(|two| two[0].viewed_at <= two[1].viewed_at));
    }

    #[test]
    fn watch_counts_agree_with_the_plays() {
        let catalogue = Catalogue::new(5, CatalogueSize::tiny(), 1_760_000_000);
        let inner = seed_state(&catalogue, &UserRegistry::standard("t"), 40);
        let views: u32 = inner.watch.values().flat_map(HashMap::values).map(|watch| watch.views).sum();
        assert_eq!(views as usize, inner.plays.len());
    }
}
