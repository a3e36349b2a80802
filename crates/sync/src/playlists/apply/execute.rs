//! The write requests and how each result is handled: done, refused, not sent, or unknown.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::playlists::{MAX_ITEMS, MAX_QUERY_BYTES, PlaylistInfo, WriteRequest};
use http::StatusCode;

use super::super::plan::{CurrentEntry, PlanStep};
use super::super::run::PlaylistProgress;
use super::{MAX_ERRORS, MAX_REFUSALS, PlaylistWriter, RETRY_DELAY, WriteError, WriteState, goal, query_text};
use crate::playlists::client::PlaylistWriteResult;
use crate::playlists::error::PlaylistError;

impl PlaylistWriter<'_> {
    /// Creates the playlist. If the result is unknown, polls the server for as long as the write may still take effect;
    /// never creates it twice.
    pub(super) async fn create(
        &self,
        title: &str,
        state: &mut WriteState,
    ) -> Result<(String, Vec<CurrentEntry>), WriteError> {
        let kind = self.client.kind();
        loop {
            let goal = goal(state.mode, &[], state);
            if goal.is_empty() {
                return Err(PlaylistError::Refused(404).into());
            }
            let batch_size = self.create_batch(&goal, state);
            self.report_progress(0, goal.len());
            let first = &goal[..batch_size];
            let result = self.send(&kind.create_playlist(self.client.account(), title, first), state).await?;
            match result {
                PlaylistWriteResult::Done(body) => {
                    state.report.added = batch_size;
                    state.sent.push(first.to_vec());
                    state.max_batch = None;
                    let id = match kind.created_playlist(&body) {
                        Ok(id) => id,
                        Err(_) => self.find(title).await?.ok_or(PlaylistError::Foreign)?.id,
                    };
                    self.client.record_created(&id, self.created).await;
                    let current = self.read(&id).await?;
                    return Ok((id, current));
                }
                PlaylistWriteResult::Refused(status) if matches!(status.as_u16(), 400 | 404) => {
                    // If it refuses a track that it has, it refuses to create the playlist.
                    if batch_size == 1 && !self.client.visible_items(first).await?.is_empty() {
                        return Err(PlaylistError::Refused(status.as_u16()).into());
                    }
                    self.bisect_refused(first, status, state).await?;
                }
                PlaylistWriteResult::Refused(status) => {
                    return Err(PlaylistError::Refused(status.as_u16()).into());
                }
                PlaylistWriteResult::NotSent(error) => self.pause_after_error(error, state).await?,
                PlaylistWriteResult::Unknown => {
                    let listed = self.wait_for_created(title).await?.ok_or(PlaylistError::Unknown)?;
                    let current = self.read(&listed.id).await?;
                    state.report.added = current.len();
                    return Ok((listed.id, current));
                }
            }
        }
    }

    /// Waits for a playlist whose creation is uncertain; `None` if it does not appear within the time of a write.
    async fn wait_for_created(&self, title: &str) -> Result<Option<PlaylistInfo>, WriteError> {
        let pauses = PollIntervals::new(self.client.write_timeout());
        for pause in pauses {
            self.pause_for(pause).await?;
            let mut listed = self.list_with_retry(&[title]).await?;
            if let Some(listed) = Self::only(&mut listed, title)? {
                return Ok(Some(listed));
            }
        }
        Ok(None)
    }

    /// Waits until tracks whose addition is uncertain appear, or can no longer appear.
    async fn wait_for_added(&self, playlist: &str, batch: &[String], state: &mut WriteState) -> Result<(), WriteError> {
        state.uncertain.extend(batch.iter().cloned());
        state.errors += 1;
        if state.errors > MAX_ERRORS {
            return Err(PlaylistError::Unreachable.into());
        }
        let pauses = PollIntervals::new(self.client.write_timeout());
        for pause in pauses {
            self.pause_for(pause).await?;
            if self.read(playlist).await?.len() > state.length {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The playlist of this title, if any.
    async fn find(&self, title: &str) -> Result<Option<PlaylistInfo>, WriteError> {
        let mut listed = self.client.playlists_named(&[title], self.created).await?;
        Self::only(&mut listed, title)
    }

    /// Takes the playlist of this title off the list, if there is one.
    pub(super) fn only(listed: &mut Vec<PlaylistInfo>, title: &str) -> Result<Option<PlaylistInfo>, WriteError> {
        let mut named = listed.extract_if(.., |one| one.title.trim() == title.trim());
        match (named.next(), named.next()) {
            (Some(_), Some(_)) => Err(PlaylistError::SeveralPlaylists.into()),
            (Some(found), None) if found.is_smart => Err(PlaylistError::Smart.into()),
            (found, _) => Ok(found),
        }
    }

    /// Lists the playlists of these titles, with retries while the server may still be failing.
    pub(super) async fn list_with_retry(&self, titles: &[&str]) -> Result<Vec<PlaylistInfo>, WriteError> {
        let mut errors = 0;
        loop {
            match self.client.playlists_named(titles, self.created).await {
                Err(PlaylistError::Unreachable | PlaylistError::Slow | PlaylistError::Busy | PlaylistError::Down)
                    if errors < MAX_ERRORS =>
                {
                    errors += 1;
                    self.pause().await?;
                }
                listed => return Ok(listed?),
            }
        }
    }

    pub(super) async fn execute(
        &self,
        playlist: &str,
        phase: PlanStep,
        goal: &[String],
        state: &mut WriteState,
    ) -> Result<(), WriteError> {
        let kind = self.client.kind();
        match phase {
            PlanStep::Done | PlanStep::Swap => Ok(()),
            PlanStep::Add(keys) => self.add(playlist, &keys, state).await,
            PlanStep::Remove(entries) => {
                let mut rest = entries.as_slice();
                while !rest.is_empty() {
                    let (batch, after) = rest.split_at(kind.max_remove_batch(rest, MAX_QUERY_BYTES, MAX_ITEMS).max(1));
                    rest = after;
                    match self.send(&kind.remove_from_playlist(playlist, batch), state).await? {
                        PlaylistWriteResult::Done(_) => state.report.removed += batch.len(),
                        // The entry is already gone.
                        PlaylistWriteResult::Refused(status) if status == 404 => {
                            return self.pause_after_error(PlaylistError::Refused(404), state).await;
                        }
                        other => return self.handle_write_result(other, state).await,
                    }
                }
                Ok(())
            }
            PlanStep::Arrange(moves) => {
                for entry_move in moves {
                    let request = kind.move_in_playlist(
                        playlist,
                        &entry_move.entry,
                        entry_move.after.as_deref(),
                        entry_move.index,
                    );
                    match self.send(&request, state).await? {
                        PlaylistWriteResult::Done(_) => {}
                        other => return self.handle_write_result(other, state).await,
                    }
                }
                Ok(())
            }
            PlanStep::Set => {
                let Some(request) = kind.set_playlist(playlist, goal) else { return Ok(()) };
                // This replaces all entries, so the server must have the new tracks.
                let lost = state.unavailable.len() + state.retried.len();
                if self.client.is_own() {
                    let visible: HashSet<String> = self.client.visible_items(goal).await?.into_iter().collect();
                    self.mark_unavailable(goal.iter().filter(|key| !visible.contains(*key)).cloned().collect(), state)
                        .await?;
                }
                if state.unavailable.len() + state.retried.len() > lost {
                    return Ok(());
                }
                self.report_progress(0, goal.len());
                match self.send(&request, state).await? {
                    PlaylistWriteResult::Done(_) => {
                        state.sent.push(goal.to_vec());
                        Ok(())
                    }
                    PlaylistWriteResult::Refused(status) if status.as_u16() != 401 => {
                        self.quirks.rejects_set.store(true, Ordering::Relaxed);
                        Ok(())
                    }
                    other => self.handle_write_result(other, state).await,
                }
            }
        }
    }

    async fn add(&self, playlist: &str, keys: &[String], state: &mut WriteState) -> Result<(), WriteError> {
        let kind = self.client.kind();
        let mut rest = keys;
        while !rest.is_empty() {
            self.report_progress(keys.len() - rest.len(), keys.len());
            let batch_size = kind.max_add_batch(rest, MAX_QUERY_BYTES, self.batch_limits(state).add);
            let (batch, after) = rest.split_at(batch_size);
            rest = after;
            match self.send(&kind.add_to_playlist(self.client.account(), playlist, batch), state).await? {
                PlaylistWriteResult::Done(body) => match kind.accepted_count(&body) {
                    Some(taken) if taken.added < taken.requested => {
                        // Later tracks must not overtake omitted ones: read the playlist first.
                        state.sent.push(batch.to_vec());
                        return Ok(());
                    }
                    _ => {
                        state.length += batch.len();
                        state.report.added += batch.len();
                        state.sent.push(batch.to_vec());
                    }
                },
                PlaylistWriteResult::Refused(status) if matches!(status.as_u16(), 400 | 404) => {
                    return self.bisect_refused(batch, status, state).await;
                }
                PlaylistWriteResult::Unknown => return self.wait_for_added(playlist, batch, state).await,
                other => return self.handle_write_result(other, state).await,
            }
        }
        state.max_batch = None;
        Ok(())
    }

    /// Narrows a refused batch down: tracks the server lacks are dropped; if it has all of them, halves are tried.
    async fn bisect_refused(
        &self,
        batch: &[String],
        status: StatusCode,
        state: &mut WriteState,
    ) -> Result<(), WriteError> {
        state.refusals += 1;
        if state.refusals > MAX_REFUSALS {
            return Err(PlaylistError::Refused(status.as_u16()).into());
        }
        let lost = state.unavailable.len() + state.retried.len();
        if batch.len() == 1 {
            state.max_batch = None;
            return self.mark_unavailable(batch.to_vec(), state).await;
        }
        let visible: HashSet<String> = self.client.visible_items(batch).await?.into_iter().collect();
        self.mark_unavailable(batch.iter().filter(|key| !visible.contains(*key)).cloned().collect(), state).await?;
        if state.unavailable.len() + state.retried.len() == lost {
            state.max_batch = Some(batch.len() / 2);
        }
        Ok(())
    }

    /// Marks tracks as unavailable. A track that the owner cannot see either is gone: it is matched again, once.
    async fn mark_unavailable(&self, keys: Vec<String>, state: &mut WriteState) -> Result<(), WriteError> {
        if keys.is_empty() {
            return Ok(());
        }
        let visible: HashSet<String> = self.client.visible_items(&keys).await?.into_iter().collect();
        for key in keys {
            if !self.client.is_own() || visible.contains(&key) || !self.resolve_again(&key, state).await {
                state.unavailable.insert(key);
            }
        }
        Ok(())
    }

    /// Whether the track has another key by now.
    async fn resolve_again(&self, key: &str, state: &mut WriteState) -> bool {
        self.matching.mark_missing_on_server(self.library, key).await;
        let Some(at) = state.tracks.iter().position(|track| track.key == key) else { return false };
        let wanted = state.tracks[at].query.clone();
        if !state.retried.insert(query_text(&wanted)) {
            return false;
        }
        let found = self.matching.resolve(self.library, std::slice::from_ref(&wanted), self.policy).await;
        let other = found.first().and_then(|resolved| resolved.accepted()).map(|item| item.key.to_string());
        match other.filter(|other| !state.tracks.iter().any(|track| track.key == *other)) {
            Some(other) => {
                state.tracks[at].key = other;
                true
            }
            None => false,
        }
    }

    /// Records which of the sent tracks arrived; the others were not accepted. If only the first of several arrived,
    /// the server accepts one per request.
    pub(super) async fn record_arrivals(
        &self,
        current: &[CurrentEntry],
        state: &mut WriteState,
    ) -> Result<(), WriteError> {
        let present: HashSet<&str> = current.iter().map(|existing| existing.key.as_str()).collect();
        let has = |key: &String| present.contains(key.as_str());
        let sent = std::mem::take(&mut state.sent);
        let took_first_only = |batch: &Vec<String>| has(&batch[0]) && !batch[1..].iter().any(has);
        if sent.iter().any(|batch| batch.len() > 2) && sent.iter().all(took_first_only) {
            self.quirks.one_item_per_request.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let left = |batch: &[String]| batch.iter().filter(|key| !has(key)).cloned().collect::<Vec<_>>();
        let (together, alone): (Vec<_>, Vec<_>) = sent.into_iter().partition(|batch| batch.len() > 1);
        let mut lost: Vec<String> = alone.iter().flat_map(|batch| left(batch)).collect();
        let left: Vec<String> = together.iter().flat_map(|batch| left(batch)).collect();
        if !left.is_empty() {
            let visible: HashSet<String> = self.client.visible_items(&left).await?.into_iter().collect();
            // A track that the server has but did not accept in a batch is sent alone once.
            for key in left {
                if visible.contains(&key) && state.send_alone.insert(key.clone()) {
                    state.max_batch = Some(1);
                } else {
                    lost.push(key);
                }
            }
        }
        self.mark_unavailable(lost, state).await
    }

    pub(super) async fn send(
        &self,
        request: &WriteRequest,
        state: &mut WriteState,
    ) -> Result<PlaylistWriteResult, WriteError> {
        if self.run.cancel.is_cancelled() {
            return Err(WriteError::Cancelled);
        }
        let result = self.client.write(request).await;
        state.has_written |= matches!(result, PlaylistWriteResult::Done(_) | PlaylistWriteResult::Unknown);
        Ok(result)
    }

    /// Handles a write that failed or whose result is unknown.
    pub(super) async fn handle_write_result(
        &self,
        result: PlaylistWriteResult,
        state: &mut WriteState,
    ) -> Result<(), WriteError> {
        match result {
            PlaylistWriteResult::Done(_) => Ok(()),
            PlaylistWriteResult::Refused(status) => Err(PlaylistError::Refused(status.as_u16()).into()),
            PlaylistWriteResult::NotSent(error) => self.pause_after_error(error, state).await,
            PlaylistWriteResult::Unknown => self.pause_after_error(PlaylistError::Unreachable, state).await,
        }
    }

    /// Pauses after an error, and gives up after a few.
    async fn pause_after_error(&self, error: PlaylistError, state: &mut WriteState) -> Result<(), WriteError> {
        state.errors += 1;
        if state.errors > MAX_ERRORS {
            return Err(error.into());
        }
        self.pause().await
    }

    pub(super) async fn pause(&self) -> Result<(), WriteError> {
        self.pause_for(RETRY_DELAY).await
    }

    async fn pause_for(&self, pause: Duration) -> Result<(), WriteError> {
        tokio::select! {
            () = self.run.cancel.cancelled() => Err(WriteError::Cancelled),
            () = self.clock.sleep(pause) => Ok(()),
        }
    }

    fn report_progress(&self, done: usize, total: usize) {
        self.run.set_progress(PlaylistProgress::Writing { account: self.account.map(str::to_owned), done, total });
    }
}

/// Intervals between polls, each twice the one before, until they add up to a given time.
struct PollIntervals {
    next: Duration,
    left: Duration,
}

impl PollIntervals {
    fn new(time: Duration) -> Self {
        Self { next: RETRY_DELAY, left: time }
    }
}

impl Iterator for PollIntervals {
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
    fn delays_grow_and_add_up_to_the_timeout() {
        let pauses: Vec<u64> = PollIntervals::new(Duration::from_secs(30)).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16]);
        assert_eq!(PollIntervals::new(Duration::from_secs(1)).count(), 1);
    }
}
