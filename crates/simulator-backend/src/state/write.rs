//! One change to the state, on behalf of one user, with one number.

use super::State;
use super::change::{Cause, Change, Moved};
use super::inner::Inner;
use super::view::View;
use super::watch::{Device, Play, Playing, Progress, Session, Watch};
use crate::catalogue::{ItemId, Section};
use crate::users::UserId;

mod library;
mod moves;
mod playlists;

/// Played this far, in percent, counts as played to the end.
const PLAYED_PERCENT: u64 = 90;
/// Devices beyond this many are not remembered one by one.
const MAX_DEVICES: usize = 1_000;
/// Settings beyond this many are not remembered.
const MAX_SETTINGS: usize = 10_000;
/// The oldest plays beyond this many are forgotten.
const MAX_PLAYS: usize = 200_000;

/// One change in the making.
pub struct Write<'a> {
    state: &'a State,
    inner: &'a mut Inner,
    user: UserId,
    changes: Vec<Change>,
    is_quiet: bool,
}

impl<'a> Write<'a> {
    pub(super) fn new(state: &'a State, inner: &'a mut Inner, user: UserId) -> Self {
        inner.seq += 1;
        *inner.by_user.entry(user).or_default() += 1;
        Self { state, inner, user, changes: Vec::new(), is_quiet: false }
    }

    pub(super) fn finish(self) -> Vec<Change> {
        if self.is_quiet { Vec::new() } else { self.changes }
    }

    /// Tells followers nothing of this change, as servers do that miss a change or are not listened to.
    pub fn quietly(&mut self) {
        self.is_quiet = true;
    }

    /// What is there now, this change included.
    pub fn view(&self) -> View<'_> {
        View::within(self.state, self.inner)
    }

    /// On whose behalf.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The number of this write.
    pub fn seq(&self) -> u64 {
        self.inner.seq
    }

    /// Tells followers something.
    pub fn announce(&mut self, change: Change) {
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
            self.play(leaf, at, device);
        }
        self.changes.push(Change::Watched { user: self.user, item, cause: Cause::Played });
    }

    /// Marks everything below `item` as never played.
    pub fn mark_unplayed(&mut self, item: ItemId) {
        let leaves = self.view().leaves(item);
        for leaf in leaves {
            let watch = self.inner.watch_mut(self.user, leaf);
            (watch.views, watch.offset_ms, watch.last_viewed_at) = (0, 0, None);
        }
        self.changes.push(Change::Watched { user: self.user, item, cause: Cause::Unplayed });
    }

    /// Rates `item` in tenths, or takes the rating away.
    pub fn rate(&mut self, item: ItemId, tenths: Option<u16>) {
        let now = self.now_s();
        let watch = self.inner.watch_mut(self.user, item);
        watch.rating = tenths.map(|tenths| tenths.min(100));
        watch.rated_at = tenths.map(|_| now);
        self.changes.push(Change::Watched { user: self.user, item, cause: Cause::Rated });
    }

    /// Makes `item` a favourite, or not.
    pub fn favourite(&mut self, item: ItemId, favourite: bool) {
        self.inner.watch_mut(self.user, item).favourite = favourite;
        self.changes.push(Change::Watched { user: self.user, item, cause: Cause::Favourite });
    }

    /// Sets where playback of `item` was left.
    pub fn set_offset(&mut self, item: ItemId, offset_ms: u64) {
        let now = self.now_s();
        let watch = self.inner.watch_mut(self.user, item);
        watch.offset_ms = offset_ms;
        watch.last_viewed_at = Some(now);
        watch.hidden_from_resume = false;
        self.changes.push(Change::Watched { user: self.user, item, cause: Cause::Progress });
    }

    /// Changes the state on `item` in any way; `cause` is what followers are told.
    pub fn change_watch(&mut self, item: ItemId, cause: Cause, change: impl FnOnce(&mut Watch)) {
        change(self.inner.watch_mut(self.user, item));
        self.changes.push(Change::Watched { user: self.user, item, cause });
    }

    /// Playback of `item` was left at `offset_ms`: far enough counts as played.
    pub fn leave_at(&mut self, item: ItemId, offset_ms: u64) {
        let duration = self.view().record(item).and_then(|record| record.duration_ms).unwrap_or(u64::MAX);
        if offset_ms.saturating_mul(100) / duration.max(1) >= PLAYED_PERCENT {
            self.mark_played(item);
        } else {
            self.set_offset(item, offset_ms);
        }
    }

    /// Takes `item` off the list of what to continue with.
    pub fn hide_from_resume(&mut self, item: ItemId) {
        self.inner.watch_mut(self.user, item).hidden_from_resume = true;
        self.changes.push(Change::Watched { user: self.user, item, cause: Cause::Progress });
    }

    /// Takes in what a player reports and returns the key of its session.
    pub fn report(&mut self, playing: &Playing) -> String {
        let now = self.now_s();
        let device = self.device(&playing.device);
        let known =
            self.inner.sessions.iter().position(|session| {
                session.device.client == playing.device.client && session.user == self.user
            });
        let mut session = match known {
            Some(at) => self.inner.sessions.remove(at),
            None => self.session(playing, now),
        };
        session.device = Device { id: device, ..playing.device.clone() };
        (session.item, session.progress, session.offset_ms) =
            (playing.item, playing.progress, playing.offset_ms);
        let key = session.key.clone();
        self.follow_up(playing, now, device);
        if playing.progress != Progress::Stopped {
            let at = known.unwrap_or(self.inner.sessions.len()).min(self.inner.sessions.len());
            self.inner.sessions.insert(at, session);
        }
        self.changes.push(Change::Playing {
            session: key.clone(),
            user: self.user,
            item: playing.item,
            progress: playing.progress,
            offset_ms: playing.offset_ms,
            client: playing.device.client.clone(),
        });
        key
    }

    /// Ends a session whatever its player says.
    pub fn end_session(&mut self, key: &str) -> bool {
        let Some(at) = self.inner.sessions.iter().position(|session| session.key == key || session.id == key)
        else {
            return false;
        };
        let session = self.inner.sessions.remove(at);
        self.changes.push(Change::Playing {
            session: session.key,
            user: session.user,
            item: session.item,
            progress: Progress::Stopped,
            offset_ms: session.offset_ms,
            client: session.device.client,
        });
        true
    }

    /// Forgets a play.
    pub fn delete_play(&mut self, id: u64) -> bool {
        let before = self.inner.plays.len();
        self.inner.plays.retain(|play| play.id != id);
        self.inner.plays.len() != before
    }

    /// Remembers a device and returns its number.
    pub fn device(&mut self, device: &Device) -> u32 {
        if let Some(known) = self.inner.devices.iter_mut().find(|known| known.client == device.client) {
            return known.id;
        }
        let id = self.inner.devices.iter().map(|known| known.id).max().unwrap_or(0) + 1;
        if self.inner.devices.len() < MAX_DEVICES {
            self.inner.devices.push(Device { id, created_at: self.now_s(), ..device.clone() });
        }
        id
    }

    /// Changes a setting of the server.
    pub fn set(&mut self, name: &str, value: &str) {
        if self.inner.settings.len() < MAX_SETTINGS || self.inner.settings.contains_key(name) {
            self.inner.settings.insert(name.into(), value.into());
        }
        self.changes.push(Change::Server);
    }

    /// Says that a section is being scanned, or that its scan ended.
    pub fn scan(&mut self, section: Section, running: bool) {
        let now = self.now_s();
        let stamps = self.inner.stamps.entry(section).or_default();
        stamps.refreshing = running;
        if !running {
            stamps.scanned_at = now;
            self.changes.push(Change::Scanned(section));
        }
    }

    fn now_s(&self) -> u64 {
        self.state.clock().now_s()
    }

    fn session(&mut self, playing: &Playing, now: u64) -> Session {
        self.inner.next_session += 1;
        let number = self.inner.next_session;
        Session {
            key: number.to_string(),
            id: self.state.catalogue().chance().hex("session", number, 24),
            user: self.user,
            item: playing.item,
            progress: playing.progress,
            offset_ms: playing.offset_ms,
            device: playing.device.clone(),
            started_at: now,
        }
    }

    /// What a report means for the user's state on the item.
    fn follow_up(&mut self, playing: &Playing, now: u64, device: u32) {
        let record = self.view().record(playing.item);
        let duration = record.and_then(|record| record.duration_ms).unwrap_or(u64::MAX);
        let played = playing.offset_ms.saturating_mul(100) / duration.max(1) >= PLAYED_PERCENT;
        if played && playing.progress == Progress::Stopped {
            self.play(playing.item, now, device);
            self.changes.push(Change::Watched { user: self.user, item: playing.item, cause: Cause::Played });
            return;
        }
        let watch = self.inner.watch_mut(self.user, playing.item);
        watch.offset_ms = playing.offset_ms;
        watch.last_viewed_at = Some(now);
        watch.hidden_from_resume = false;
        self.changes.push(Change::Watched { user: self.user, item: playing.item, cause: Cause::Progress });
    }

    fn play(&mut self, leaf: ItemId, at: u64, device: u32) {
        let watch = self.inner.watch_mut(self.user, leaf);
        watch.views += 1;
        watch.offset_ms = 0;
        watch.last_viewed_at = Some(at);
        self.inner.next_play += 1;
        let play = Play { id: self.inner.next_play, item: leaf, user: self.user, viewed_at: at, device };
        if self.inner.plays.len() >= MAX_PLAYS {
            self.inner.plays.remove(0);
        }
        self.inner.plays.push(play);
    }

    fn moved(&self, item: ItemId) -> Option<Moved> {
        let record = self.view().record(item)?;
        Some(Moved {
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
