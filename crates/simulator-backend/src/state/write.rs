//! A change to the state, on behalf of one user, with one number.

use super::SimulatedState;
use super::change::{ItemChange, StateChange, WatchChangeCause};
use super::inner::StateData;
use super::view::StateView;
use super::watch::{PlayRecord, PlaybackUpdate, PlayerDevice, PlayerState, SimulatedSession, WatchState};
use crate::catalogue::{ItemId, Section};
use crate::users::UserId;

mod library;
mod moves;
mod playlists;
mod users;

/// Max devices stored one by one.
const MAX_DEVICES: usize = 1_000;
/// Max stored settings.
const MAX_SETTINGS: usize = 10_000;
/// Max plays in the history; older ones are dropped.
const MAX_PLAYS: usize = 200_000;

/// A change in progress.
pub struct StateWrite<'a> {
    state: &'a SimulatedState,
    inner: &'a mut StateData,
    user: UserId,
    changes: Vec<StateChange>,
    is_quiet: bool,
}

impl<'a> StateWrite<'a> {
    pub(super) fn new(state: &'a SimulatedState, inner: &'a mut StateData, user: UserId) -> Self {
        inner.seq += 1;
        *inner.by_user.entry(user).or_default() += 1;
        Self { state, inner, user, changes: Vec::new(), is_quiet: false }
    }

    pub(super) fn finish(self) -> Vec<StateChange> {
        if self.is_quiet { Vec::new() } else { self.changes }
    }

    /// Does not notify followers of this change, as servers do that miss a change or whose followers are disconnected.
    pub fn silence(&mut self) {
        self.is_quiet = true;
    }

    /// The current state, including this change.
    pub fn view(&self) -> StateView<'_> {
        StateView::within(self.state, self.inner)
    }

    /// The user of this change.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The number of this write.
    pub fn seq(&self) -> u64 {
        self.inner.seq
    }

    /// Notifies followers.
    pub fn announce(&mut self, change: StateChange) {
        self.changes.push(change);
    }

    /// Marks everything below `item` as played now.
    pub fn mark_played(&mut self, item: ItemId) {
        let now = self.now_s();
        self.mark_played_at(item, now);
    }

    /// Marks everything below `item` as played at `at`.
    pub fn mark_played_at(&mut self, item: ItemId, at: u64) {
        let device = self.inner.devices.first().map_or(1, |device| device.id);
        let leaves = self.view().leaves(item);
        for leaf in leaves {
            self.play(leaf, at, device, false);
        }
        self.changes.push(StateChange::Watched { user: self.user, item, cause: WatchChangeCause::Played });
    }

    /// Marks everything below `item` as never played.
    pub fn mark_unplayed(&mut self, item: ItemId) {
        let leaves = self.view().leaves(item);
        for leaf in leaves {
            let watch = self.inner.watch_mut(self.user, leaf);
            (watch.views, watch.offset_ms, watch.last_viewed_at) = (0, 0, None);
            watch.not_played = false;
        }
        self.changes.push(StateChange::Watched { user: self.user, item, cause: WatchChangeCause::Unplayed });
    }

    /// Rates `item` in tenths, or removes the rating.
    pub fn rate(&mut self, item: ItemId, tenths: Option<u16>) {
        let now = self.now_s();
        let watch = self.inner.watch_mut(self.user, item);
        watch.rating = tenths.map(|tenths| tenths.min(100));
        watch.rated_at = tenths.map(|_| now);
        self.changes.push(StateChange::Watched { user: self.user, item, cause: WatchChangeCause::Rated });
    }

    /// Adds `item` to the favourites, or removes it.
    pub fn favourite(&mut self, item: ItemId, favourite: bool) {
        self.inner.watch_mut(self.user, item).favourite = favourite;
        self.changes.push(StateChange::Watched { user: self.user, item, cause: WatchChangeCause::Favourite });
    }

    /// Sets the playback position of `item`.
    pub fn set_offset(&mut self, item: ItemId, offset_ms: u64) {
        let now = self.now_s();
        let watch = self.inner.watch_mut(self.user, item);
        watch.offset_ms = offset_ms;
        watch.last_viewed_at = Some(now);
        watch.hidden_from_resume = false;
        self.changes.push(StateChange::Watched { user: self.user, item, cause: WatchChangeCause::Progress });
    }

    /// Changes the state on `item` in any way; followers are notified of `cause`.
    pub fn change_watch(&mut self, item: ItemId, cause: WatchChangeCause, change: impl FnOnce(&mut WatchState)) {
        change(self.inner.watch_mut(self.user, item));
        self.changes.push(StateChange::Watched { user: self.user, item, cause });
    }

    /// Sets the position of `item` at the end of a playback: far enough counts as played.
    pub fn leave_at(&mut self, item: ItemId, offset_ms: u64) {
        let duration = self.view().record(item).and_then(|record| record.duration_ms).unwrap_or(u64::MAX);
        match self.inner.rules.kept_position(offset_ms, duration) {
            None => self.mark_played(item),
            Some(kept_ms) => self.set_offset(item, kept_ms),
        }
    }

    /// Removes `item` from the list of items to continue.
    pub fn hide_from_resume(&mut self, item: ItemId) {
        self.inner.watch_mut(self.user, item).hidden_from_resume = true;
        self.changes.push(StateChange::Watched { user: self.user, item, cause: WatchChangeCause::Progress });
    }

    /// Applies a player's report and returns the key of its session.
    pub fn report(&mut self, playing: &PlaybackUpdate) -> String {
        let now = self.now_s();
        let device = self.device(&playing.device);
        let known = self
            .inner
            .sessions
            .iter()
            .position(|session| session.device.client == playing.device.client && session.user == self.user);
        let mut session = match known {
            Some(at) => self.inner.sessions.remove(at),
            None => self.session(playing, now),
        };
        let starts = known.is_none() || session.item != playing.item;
        session.device = PlayerDevice { id: device, ..playing.device.clone() };
        (session.item, session.progress, session.offset_ms) = (playing.item, playing.progress, playing.offset_ms);
        let key = session.key.clone();
        if starts && playing.progress != PlayerState::Stopped {
            self.start(playing.item, now);
        }
        self.follow_up(playing, now, device, starts);
        if playing.progress != PlayerState::Stopped {
            let at = known.unwrap_or(self.inner.sessions.len()).min(self.inner.sessions.len());
            self.inner.sessions.insert(at, session);
        }
        self.changes.push(StateChange::Playing {
            session: key.clone(),
            user: self.user,
            item: playing.item,
            progress: playing.progress,
            offset_ms: playing.offset_ms,
            client: playing.device.client.clone(),
        });
        key
    }

    /// Ends a session, whatever its player reports.
    pub fn end_session(&mut self, key: &str) -> bool {
        let Some(at) = self.inner.sessions.iter().position(|session| session.key == key || session.id == key) else {
            return false;
        };
        let session = self.inner.sessions.remove(at);
        self.changes.push(StateChange::Playing {
            session: session.key,
            user: session.user,
            item: session.item,
            progress: PlayerState::Stopped,
            offset_ms: session.offset_ms,
            client: session.device.client,
        });
        true
    }

    /// Deletes a play from the history.
    pub fn delete_play(&mut self, id: u64) -> bool {
        let before = self.inner.plays.len();
        self.inner.plays.retain(|play| play.id != id);
        self.inner.plays.len() != before
    }

    /// Stores a device and returns its number.
    pub fn device(&mut self, device: &PlayerDevice) -> u32 {
        if let Some(known) = self.inner.devices.iter_mut().find(|known| known.client == device.client) {
            return known.id;
        }
        let id = self.inner.devices.iter().map(|known| known.id).max().unwrap_or(0) + 1;
        if self.inner.devices.len() < MAX_DEVICES {
            self.inner.devices.push(PlayerDevice { id, created_at: self.now_s(), ..device.clone() });
        }
        id
    }

    /// Changes a setting of the server.
    pub fn set(&mut self, name: &str, value: &str) {
        if self.inner.settings.len() < MAX_SETTINGS || self.inner.settings.contains_key(name) {
            self.inner.settings.insert(name.into(), value.into());
        }
        self.changes.push(StateChange::Server);
    }

    /// Marks a section as being scanned, or its scan as ended.
    pub fn set_scanning(&mut self, section: Section, running: bool) {
        let now = self.now_s();
        let stamps = self.inner.stamps.entry(section).or_default();
        stamps.refreshing = running;
        if !running {
            stamps.scanned_at = now;
            self.changes.push(StateChange::Scanned(section));
        }
    }

    fn now_s(&self) -> u64 {
        self.state.clock().now_s()
    }

    fn session(&mut self, playing: &PlaybackUpdate, now: u64) -> SimulatedSession {
        self.inner.next_session += 1;
        let number = self.inner.next_session;
        SimulatedSession {
            key: number.to_string(),
            id: self.state.catalogue().rng().hex("session", number, 24),
            user: self.user,
            item: playing.item,
            progress: playing.progress,
            offset_ms: playing.offset_ms,
            device: playing.device.clone(),
            started_at: now,
        }
    }

    /// Applies a report to the user's state on the item.
    fn follow_up(&mut self, playing: &PlaybackUpdate, now: u64, device: u32, starts: bool) {
        let record = self.view().record(playing.item);
        let duration = record.and_then(|record| record.duration_ms).unwrap_or(u64::MAX);
        let rules = self.inner.rules;
        let kept_ms = rules.kept_position(playing.offset_ms, duration);
        if kept_ms.is_none() && playing.progress == PlayerState::Stopped {
            let counted = rules.counts_at_start && !starts;
            self.play(playing.item, now, device, counted);
            self.changes.push(StateChange::Watched {
                user: self.user,
                item: playing.item,
                cause: WatchChangeCause::Played,
            });
            return;
        }
        let watch = self.inner.watch_mut(self.user, playing.item);
        watch.offset_ms = kept_ms.unwrap_or(if rules.counts_at_start { 0 } else { playing.offset_ms });
        watch.not_played &= !(kept_ms.is_none() && rules.completes(playing.progress));
        if starts || !rules.counts_at_start {
            watch.last_viewed_at = Some(now);
        }
        watch.hidden_from_resume = false;
        self.changes.push(StateChange::Watched {
            user: self.user,
            item: playing.item,
            cause: WatchChangeCause::Progress,
        });
    }

    /// Applies the start of a playback.
    fn start(&mut self, item: ItemId, now: u64) {
        let rules = self.inner.rules;
        if !rules.counts_at_start {
            return;
        }
        let is_music = self.view().kind(item).is_some_and(|kind| kind.section() == Section::Music);
        rules.start(self.inner.watch_mut(self.user, item), now, is_music);
        self.changes.push(StateChange::Watched { user: self.user, item, cause: WatchChangeCause::Started });
    }

    /// Stores a complete play; `counted` if its start has counted it already.
    fn play(&mut self, leaf: ItemId, at: u64, device: u32, counted: bool) {
        let watch = self.inner.watch_mut(self.user, leaf);
        if !counted || watch.views == 0 {
            watch.views += 1;
        }
        watch.not_played = false;
        watch.offset_ms = 0;
        if !counted {
            watch.last_viewed_at = Some(at);
        }
        self.inner.next_play += 1;
        let play = PlayRecord { id: self.inner.next_play, item: leaf, user: self.user, viewed_at: at, device };
        if self.inner.plays.len() >= MAX_PLAYS {
            self.inner.plays.remove(0);
        }
        self.inner.plays.push(play);
    }

    fn moved(&self, item: ItemId) -> Option<ItemChange> {
        let record = self.view().record(item)?;
        Some(ItemChange {
            item,
            kind: record.kind,
            section: record.section,
            title: record.title,
            parent: record.parent.map(|above| above.id),
            grandparent: record.grandparent.map(|above| above.id),
            at: self.now_s(),
        })
    }
}
