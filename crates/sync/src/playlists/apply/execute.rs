//! The writes themselves, and what follows from each: done, refused, not sent, or nobody knows.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::playlists::{Listed, MAX_ITEMS, MAX_QUERY_BYTES, Order};
use http::StatusCode;

use super::super::plan::{Held, Phase};
use super::super::run::Progress;
use super::{Desk, MAX_MISHAPS, MAX_REFUSALS, PAUSE, State, Stop, goal, wanted_word};
use crate::playlists::client::Wrote;
use crate::playlists::error::Trouble;

impl Desk<'_> {
    /// Makes the playlist. If nobody knows whether that happened, the server is asked for as long as it may still happen;
    /// it is never made a second time.
    pub(super) async fn create(&self, state: &mut State) -> Result<(String, Vec<Held>), Stop> {
        let kind = self.courier.kind();
        loop {
            let goal = goal(state.mode, &[], state);
            if goal.is_empty() {
                return Err(Trouble::Refused(404).into());
            }
            let fit = match state.narrow {
                Some(narrow) => narrow.min(goal.len()),
                None if self.habits.takes_one.load(Ordering::Relaxed) => 1,
                None => kind.fitting_at_first(&goal, MAX_QUERY_BYTES, MAX_ITEMS),
            };
            self.tell(0, goal.len());
            let first = &goal[..fit];
            let wrote =
                self.send(&kind.create_playlist(self.courier.holder(), self.name, first), state).await?;
            match wrote {
                Wrote::Done(body) => {
                    state.report.added = fit;
                    state.sent.push(first.to_vec());
                    state.narrow = None;
                    let id = match kind.created_playlist(&body) {
                        Ok(id) => id,
                        Err(_) => self.find().await?.ok_or(Trouble::Foreign)?.id,
                    };
                    self.courier.note_made(&id, self.made).await;
                    let current = self.read(&id).await?;
                    return Ok((id, current));
                }
                Wrote::Refused(status) if matches!(status.as_u16(), 400 | 404) => {
                    // If it refuses a track that it has, it refuses to make the playlist.
                    if fit == 1 && !self.courier.seen(first).await?.is_empty() {
                        return Err(Trouble::Refused(status.as_u16()).into());
                    }
                    self.narrow_down(first, status, state).await?;
                }
                Wrote::Refused(status) => return Err(Trouble::Refused(status.as_u16()).into()),
                Wrote::NotSent(trouble) => self.bear(trouble, state).await?,
                Wrote::Unknown => {
                    let listed = self.await_made().await?.ok_or(Trouble::Unknown)?;
                    let current = self.read(&listed.id).await?;
                    state.report.added = current.len();
                    return Ok((listed.id, current));
                }
            }
        }
    }

    /// The playlist that was perhaps made, as soon as it shows; none if it does not show for as long as a write may take.
    async fn await_made(&self) -> Result<Option<Listed>, Stop> {
        let pauses = Pauses::of(self.courier.patience());
        for pause in pauses {
            self.pause_for(pause).await?;
            if let Some(listed) = self.find_patiently().await? {
                return Ok(Some(listed));
            }
        }
        Ok(None)
    }

    /// Waits until what was perhaps added shows, or cannot come any more.
    async fn await_added(&self, playlist: &str, batch: &[String], state: &mut State) -> Result<(), Stop> {
        state.doubted.extend(batch.iter().cloned());
        state.mishaps += 1;
        if state.mishaps > MAX_MISHAPS {
            return Err(Trouble::Unreachable.into());
        }
        let pauses = Pauses::of(self.courier.patience());
        for pause in pauses {
            self.pause_for(pause).await?;
            if self.read(playlist).await?.len() > state.length {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The list of playlists, asked while the server may still be in trouble.
    pub(super) async fn find_patiently(&self) -> Result<Option<Listed>, Stop> {
        let mut mishaps = 0;
        loop {
            match self.find().await {
                Err(Stop::Trouble(Trouble::Unreachable | Trouble::Slow | Trouble::Busy | Trouble::Down))
                    if mishaps < MAX_MISHAPS =>
                {
                    mishaps += 1;
                    self.pause().await?;
                }
                found => return found,
            }
        }
    }

    pub(super) async fn carry_out(
        &self,
        playlist: &str,
        phase: Phase,
        goal: &[String],
        state: &mut State,
    ) -> Result<(), Stop> {
        let kind = self.courier.kind();
        match phase {
            Phase::Done => Ok(()),
            Phase::Add(keys) => self.add(playlist, &keys, state).await,
            Phase::Remove(entries) => {
                let mut rest = entries.as_slice();
                while !rest.is_empty() {
                    let (batch, after) =
                        rest.split_at(kind.fitting_out(rest, MAX_QUERY_BYTES, MAX_ITEMS).max(1));
                    rest = after;
                    match self.send(&kind.remove_from_playlist(playlist, batch), state).await? {
                        Wrote::Done(_) => state.report.removed += batch.len(),
                        // It left by itself.
                        Wrote::Refused(status) if status == 404 => {
                            return self.bear(Trouble::Refused(404), state).await;
                        }
                        other => return self.cope(other, state).await,
                    }
                }
                Ok(())
            }
            Phase::Arrange(shifts) => {
                for shift in shifts {
                    let order =
                        kind.move_in_playlist(playlist, &shift.entry, shift.after.as_deref(), shift.index);
                    match self.send(&order, state).await? {
                        Wrote::Done(_) => {}
                        other => return self.cope(other, state).await,
                    }
                }
                Ok(())
            }
            Phase::Set => {
                let Some(order) = kind.set_playlist(playlist, goal) else { return Ok(()) };
                // All that was there leaves with this: what would come instead has to be there.
                let lost = state.lost.len() + state.again.len();
                if self.courier.is_own() {
                    let seen: HashSet<String> = self.courier.seen(goal).await?.into_iter().collect();
                    self.lose(goal.iter().filter(|key| !seen.contains(*key)).cloned().collect(), state)
                        .await?;
                }
                if state.lost.len() + state.again.len() > lost {
                    return Ok(());
                }
                self.tell(0, goal.len());
                match self.send(&order, state).await? {
                    Wrote::Done(_) => {
                        state.sent.push(goal.to_vec());
                        Ok(())
                    }
                    Wrote::Refused(status) if status.as_u16() != 401 => {
                        self.habits.sets_none.store(true, Ordering::Relaxed);
                        Ok(())
                    }
                    other => self.cope(other, state).await,
                }
            }
        }
    }

    async fn add(&self, playlist: &str, keys: &[String], state: &mut State) -> Result<(), Stop> {
        let kind = self.courier.kind();
        let mut rest = keys;
        while !rest.is_empty() {
            self.tell(keys.len() - rest.len(), keys.len());
            let fit = kind.fitting(rest, MAX_QUERY_BYTES, self.costs(state).add);
            let (batch, after) = rest.split_at(fit);
            rest = after;
            match self.send(&kind.add_to_playlist(self.courier.holder(), playlist, batch), state).await? {
                Wrote::Done(body) => match kind.taken(&body) {
                    Some(taken) if taken.added < taken.requested => {
                        // What comes behind must not overtake what was left: it is looked first what is there.
                        state.sent.push(batch.to_vec());
                        return Ok(());
                    }
                    _ => {
                        state.length += batch.len();
                        state.report.added += batch.len();
                        state.sent.push(batch.to_vec());
                    }
                },
                Wrote::Refused(status) if matches!(status.as_u16(), 400 | 404) => {
                    return self.narrow_down(batch, status, state).await;
                }
                Wrote::Unknown => return self.await_added(playlist, batch, state).await,
                other => return self.cope(other, state).await,
            }
        }
        state.narrow = None;
        Ok(())
    }

    /// The server refuses these: what it does not have is given up; if it has all of them, halves are tried.
    async fn narrow_down(&self, batch: &[String], status: StatusCode, state: &mut State) -> Result<(), Stop> {
        state.refusals += 1;
        if state.refusals > MAX_REFUSALS {
            return Err(Trouble::Refused(status.as_u16()).into());
        }
        let lost = state.lost.len() + state.again.len();
        if batch.len() == 1 {
            state.narrow = None;
            return self.lose(batch.to_vec(), state).await;
        }
        let seen: HashSet<String> = self.courier.seen(batch).await?.into_iter().collect();
        self.lose(batch.iter().filter(|key| !seen.contains(*key)).cloned().collect(), state).await?;
        if state.lost.len() + state.again.len() == lost {
            state.narrow = Some(batch.len() / 2);
        }
        Ok(())
    }

    /// These cannot be had. What the owner cannot see either is gone: it is looked for anew, once.
    async fn lose(&self, keys: Vec<String>, state: &mut State) -> Result<(), Stop> {
        if keys.is_empty() {
            return Ok(());
        }
        let seen: HashSet<String> = self.courier.seen(&keys).await?.into_iter().collect();
        for key in keys {
            if !self.courier.is_own() || seen.contains(&key) || !self.look_again(&key, state).await {
                state.lost.insert(key);
            }
        }
        Ok(())
    }

    /// Whether the track is somewhere else by now.
    async fn look_again(&self, key: &str, state: &mut State) -> bool {
        self.matching.disown(self.library, key).await;
        let Some(at) = state.picks.iter().position(|pick| pick.key == key) else { return false };
        let wanted = state.picks[at].wanted.clone();
        if !state.again.insert(wanted_word(&wanted)) {
            return false;
        }
        let found = self.matching.resolve(self.library, std::slice::from_ref(&wanted), self.policy).await;
        let other = found.first().and_then(|resolved| resolved.accepted()).map(|item| item.key.to_string());
        match other.filter(|other| !state.picks.iter().any(|pick| pick.key == *other)) {
            Some(other) => {
                state.picks[at].key = other;
                true
            }
            None => false,
        }
    }

    /// What was sent and is not there was not taken. If of several only the first is there, the server takes one at a
    /// time.
    pub(super) async fn note_arrivals(&self, current: &[Held], state: &mut State) -> Result<(), Stop> {
        let there: HashSet<&str> = current.iter().map(|held| held.key.as_str()).collect();
        let has = |key: &String| there.contains(key.as_str());
        let sent = std::mem::take(&mut state.sent);
        let takes_first = |batch: &Vec<String>| has(&batch[0]) && !batch[1..].iter().any(has);
        if sent.iter().any(|batch| batch.len() > 2) && sent.iter().all(takes_first) {
            self.habits.takes_one.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let left = |batch: &[String]| batch.iter().filter(|key| !has(key)).cloned().collect::<Vec<_>>();
        let (together, alone): (Vec<_>, Vec<_>) = sent.into_iter().partition(|batch| batch.len() > 1);
        let mut lost: Vec<String> = alone.iter().flat_map(|batch| left(batch)).collect();
        let left: Vec<String> = together.iter().flat_map(|batch| left(batch)).collect();
        if !left.is_empty() {
            let seen: HashSet<String> = self.courier.seen(&left).await?.into_iter().collect();
            // What the server has, and did not take together with others, is sent alone once.
            for key in left {
                if seen.contains(&key) && state.alone.insert(key.clone()) {
                    state.narrow = Some(1);
                } else {
                    lost.push(key);
                }
            }
        }
        self.lose(lost, state).await
    }

    async fn send(&self, order: &Order, state: &mut State) -> Result<Wrote, Stop> {
        if self.run.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let wrote = self.courier.write(order).await;
        state.has_written |= matches!(wrote, Wrote::Done(_) | Wrote::Unknown);
        Ok(wrote)
    }

    /// After a write that was not done, or of which nobody knows.
    async fn cope(&self, wrote: Wrote, state: &mut State) -> Result<(), Stop> {
        match wrote {
            Wrote::Done(_) => Ok(()),
            Wrote::Refused(status) => Err(Trouble::Refused(status.as_u16()).into()),
            Wrote::NotSent(trouble) => self.bear(trouble, state).await,
            Wrote::Unknown => self.bear(Trouble::Unreachable, state).await,
        }
    }

    /// A few mishaps are borne, with a pause after each.
    async fn bear(&self, trouble: Trouble, state: &mut State) -> Result<(), Stop> {
        state.mishaps += 1;
        if state.mishaps > MAX_MISHAPS {
            return Err(trouble.into());
        }
        self.pause().await
    }

    pub(super) async fn pause(&self) -> Result<(), Stop> {
        self.pause_for(PAUSE).await
    }

    async fn pause_for(&self, pause: Duration) -> Result<(), Stop> {
        tokio::select! {
            () = self.run.cancel.cancelled() => Err(Stop::Cancelled),
            () = self.clock.sleep(pause) => Ok(()),
        }
    }

    fn tell(&self, done: usize, total: usize) {
        self.run.tell(Progress::Writing { account: self.account.map(str::to_owned), done, total });
    }
}

/// Pauses between looks, each twice as long as the one before, until they add up to a time.
struct Pauses {
    next: Duration,
    left: Duration,
}

impl Pauses {
    fn of(time: Duration) -> Self {
        Self { next: PAUSE, left: time }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.left.is_zero() {
            return None;
        }
        let pause = self.next.min(self.left);
        self.left -= pause;
        self.next *= 2;
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_add_up_to_the_time() {
        let pauses: Vec<u64> = Pauses::of(Duration::from_secs(30)).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16]);
        assert_eq!(Pauses::of(Duration::from_secs(1)).count(), 1);
    }
}
