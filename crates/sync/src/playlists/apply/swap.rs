//! Puts a new playlist in the place of an old one, where entries are moved and removed one by one and that would need
//! more requests.
//!
//! The new one is filled under a title of its own, seen to be complete, and given the old one's summary; then the old one
//! is deleted and the new one gets its title. A run that is interrupted leaves at least one whole playlist; the next run
//! finds the new one by its title and continues. Where the new one cannot have a track that the old one has, or the
//! server does not delete the old one, the swap is given up and the old one is edited.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use greenroom_dialect::playlists::{PlaylistInfo, WriteRequest};
use http::StatusCode;

use super::super::plan::{self, BatchLimits, CurrentEntry, PlanStep};
use super::{MAX_ROUNDS, PlaylistWriter, RETRY_DELAY, TargetTrack, WriteError, WriteState, goal};
use crate::playlists::client::PlaylistWriteResult;
use crate::playlists::error::PlaylistError;
use greenroom_config::playlist_mode::PlaylistMode;

/// Max attempts of a write between which the playlist may be without its name. No other error counts among them.
const MAX_ATTEMPTS: usize = 6;

impl PlaylistWriter<'_> {
    /// Title of the new playlist until it takes the place of the old one.
    fn started_title(&self) -> String {
        format!("{} (new order, by Greenroom)", self.name)
    }

    /// The playlist of this name, if any. If an interrupted run deleted it, the one that was to take its place is it.
    pub(super) async fn find_or_restore(&self, state: &mut WriteState) -> Result<Option<PlaylistInfo>, WriteError> {
        if !self.client.kind().can_swap_playlists() {
            let mut listed = self.list_with_retry(&[self.name]).await?;
            return Self::only(&mut listed, self.name);
        }
        let title = self.started_title();
        let mut listed = self.list_with_retry(&[self.name, &title]).await?;
        let (found, started) = (Self::only(&mut listed, self.name)?, Self::only(&mut listed, &title)?);
        match (found, started) {
            (Some(found), started) => {
                state.started = started.map(|started| started.id);
                Ok(Some(found))
            }
            (None, Some(started)) => {
                if !self.dry_run {
                    self.rename(&started.id, self.name, None, state).await?;
                }
                Ok(Some(started))
            }
            (None, None) => Ok(None),
        }
    }

    /// Fills a new playlist, deletes the old one, whose entries are given, and renames the new one. Returns the id of the
    /// playlist that has the name now: the old one's if the swap was given up.
    pub(super) async fn swap(
        &self,
        old: &str,
        entries: &[CurrentEntry],
        state: &mut WriteState,
    ) -> Result<String, WriteError> {
        let (new, mut current) = match state.started.clone() {
            Some(started) => (started.clone(), self.read(&started).await?),
            None => match self.create(&self.started_title(), state).await {
                Err(WriteError::Playlist(PlaylistError::Refused(_))) if keep_irreplaceable(entries, state) => {
                    return Ok(old.to_owned());
                }
                created => created?,
            },
        };
        state.started = Some(new.clone());
        for _ in 0..MAX_ROUNDS {
            self.record_arrivals(&current, state).await?;
            if keep_irreplaceable(entries, state) {
                return Ok(old.to_owned());
            }
            self.limit_removals(state);
            let goal = goal(state.mode, &[], state);
            if goal.is_empty() || state.mode != PlaylistMode::Replace {
                // What is in the old one stays.
                return Ok(old.to_owned());
            }
            let limits = BatchLimits { can_swap: false, ..self.batch_limits(state) };
            state.length = current.len();
            match plan::next_step(&current, &goal, limits) {
                PlanStep::Done => {
                    let present: HashSet<&str> = current.iter().map(|entry| entry.key.as_str()).collect();
                    if !missing_entries(entries, &state.tracks, |key| present.contains(key)).is_empty() {
                        state.keeps_entries = true;
                        return Ok(old.to_owned());
                    }
                    return self.replace(old, new, state).await;
                }
                step => self.execute(&new, step, &goal, state).await?,
            }
            current = self.read(&new).await?;
        }
        Err(PlaylistError::Unsteady.into())
    }

    /// Puts a complete new playlist in the place of the old one. Returns the id of the playlist that has the name now.
    async fn replace(&self, old: &str, new: String, state: &mut WriteState) -> Result<String, WriteError> {
        if self.run.cancel.is_cancelled() {
            return Err(WriteError::Cancelled);
        }
        if let Some(summary) = state.summary.clone() {
            // Once the old one is deleted, an interrupted run could not tell the next one.
            self.rename(&new, &self.started_title(), Some(&summary), state).await?;
        }
        let delete = self.client.kind().delete_playlist(old).ok_or(PlaylistError::Foreign)?;
        if let Some(status) = self.send_until_known(&delete, state).await? {
            tracing::info!(%status, "the server does not delete a playlist whose place a new one would take: it is edited");
            self.quirks.rejects_swap.store(true, Ordering::Relaxed);
            return Ok(old.to_owned());
        }
        self.rename(&new, self.name, None, state).await?;
        state.started = None;
        Ok(new)
    }

    /// Deletes a new playlist of an interrupted run that is not needed any more. If the server refuses it, it stays.
    pub(super) async fn delete_unused(&self, state: &mut WriteState) -> Result<(), WriteError> {
        let Some(started) = state.started.take() else { return Ok(()) };
        let Some(delete) = self.client.kind().delete_playlist(&started) else { return Ok(()) };
        if let Some(status) = self.send_until_known(&delete, state).await? {
            tracing::warn!(%status, title = self.started_title(), "the server does not delete a playlist that is not needed");
        }
        Ok(())
    }

    async fn rename(
        &self,
        playlist: &str,
        title: &str,
        summary: Option<&str>,
        state: &mut WriteState,
    ) -> Result<(), WriteError> {
        let rename = self.client.kind().rename_playlist(playlist, title, summary).ok_or(PlaylistError::Foreign)?;
        match self.send_until_known(&rename, state).await? {
            None => Ok(()),
            Some(status) => Err(PlaylistError::Refused(status.as_u16()).into()),
        }
    }

    /// Sends a write that may be repeated, until its result is known or [`MAX_ATTEMPTS`] have failed. Returns the status
    /// of a refusal. A cancelled run ends after it, because the name must not stay away.
    async fn send_until_known(
        &self,
        write: &WriteRequest,
        state: &mut WriteState,
    ) -> Result<Option<StatusCode>, WriteError> {
        let mut failed = 0;
        loop {
            let error = match self.client.write(write).await {
                PlaylistWriteResult::Done(_) => {
                    state.has_written = true;
                    return Ok(None);
                }
                // It is gone already.
                PlaylistWriteResult::Refused(StatusCode::NOT_FOUND) if write.method == http::Method::DELETE => {
                    return Ok(None);
                }
                PlaylistWriteResult::Refused(status) => return Ok(Some(status)),
                PlaylistWriteResult::NotSent(error) => error,
                PlaylistWriteResult::Unknown => {
                    state.has_written = true;
                    PlaylistError::Unreachable
                }
            };
            failed += 1;
            if failed >= MAX_ATTEMPTS {
                return Err(error.into());
            }
            self.clock.sleep(RETRY_DELAY).await;
        }
    }
}

/// Whether a new playlist cannot have all wanted entries of the old one. They stay in the old one then, which is edited.
fn keep_irreplaceable(entries: &[CurrentEntry], state: &mut WriteState) -> bool {
    let irreplaceable = missing_entries(entries, &state.tracks, |key| !state.unavailable.contains(key));
    state.unavailable.retain(|key| !irreplaceable.contains(key));
    state.keeps_entries |= !irreplaceable.is_empty();
    !irreplaceable.is_empty()
}

/// Keys of the entries that are wanted and that a playlist does not have.
fn missing_entries(entries: &[CurrentEntry], tracks: &[TargetTrack], has: impl Fn(&str) -> bool) -> HashSet<String> {
    let wanted: HashSet<&str> = tracks.iter().map(|track| track.key.as_str()).collect();
    let is_missing = |key: &&String| wanted.contains(key.as_str()) && !has(key);
    entries.iter().map(|entry| &entry.key).filter(is_missing).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::TrackQuery;

    #[test]
    fn an_entry_is_missing_if_it_is_wanted_and_the_new_playlist_cannot_have_it() {
        let entry = |key: &str| CurrentEntry { entry: format!("e{key}"), key: key.to_owned() };
        let track =
            |key: &str| TargetTrack { key: key.to_owned(), label: key.to_owned(), query: TrackQuery::default() };
        let (entries, tracks) = (["1", "2", "3"].map(entry), ["3", "2", "4"].map(track));
        assert!(missing_entries(&entries, &tracks, |_| true).is_empty());
        assert_eq!(missing_entries(&entries, &tracks, |key| key != "2"), HashSet::from(["2".to_owned()]));
        assert!(missing_entries(&entries, &tracks, |key| key != "4").is_empty(), "the old one does not have it");
        assert!(missing_entries(&entries, &tracks, |key| key != "1").is_empty(), "it is not wanted");
    }
}
