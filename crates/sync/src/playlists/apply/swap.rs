//! Puts a new playlist in the place of an old one, where entries are moved and removed one by one and that would need
//! more requests.
//!
//! The new one is filled and seen to be complete under a title of its own, then the old one is deleted and the new one
//! gets its title and summary. A run that is interrupted leaves at least one whole playlist; the next run finds the new
//! one by its title and continues.

use greenroom_dialect::playlists::{PlaylistInfo, WriteRequest};

use super::super::plan::{self, BatchLimits, PlanStep};
use super::{MAX_ROUNDS, PlaylistWriter, WriteError, WriteState, goal};
use crate::playlists::client::PlaylistWriteResult;
use crate::playlists::error::PlaylistError;

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
                    self.rename(&started.id, None, state).await?;
                }
                Ok(Some(started))
            }
            (None, None) => Ok(None),
        }
    }

    /// Fills a new playlist, deletes the old one, and renames the new one. Returns the id of the playlist that has the
    /// name now.
    pub(super) async fn swap(
        &self,
        old: &str,
        summary: Option<&str>,
        state: &mut WriteState,
    ) -> Result<String, WriteError> {
        let (new, mut current) = match state.started.clone() {
            Some(started) => (started.clone(), self.read(&started).await?),
            None => self.create(&self.started_title(), state).await?,
        };
        state.started = Some(new.clone());
        for _ in 0..MAX_ROUNDS {
            self.record_arrivals(&current, state).await?;
            let goal = goal(state.mode, &[], state);
            if goal.is_empty() {
                // What is in the old one stays.
                return Ok(old.to_owned());
            }
            let limits = BatchLimits { can_swap: false, ..self.batch_limits(state) };
            state.length = current.len();
            match plan::next_step(&current, &goal, limits) {
                PlanStep::Done => {
                    let delete = self.client.kind().delete_playlist(old).ok_or(PlaylistError::Foreign)?;
                    self.send_until_done(&delete, state).await?;
                    self.rename(&new, summary, state).await?;
                    state.started = None;
                    return Ok(new);
                }
                step => self.execute(&new, step, &goal, state).await?,
            }
            current = self.read(&new).await?;
        }
        Err(PlaylistError::Unsteady.into())
    }

    /// Deletes a new playlist of an interrupted run that is not needed any more.
    pub(super) async fn delete_unused(&self, state: &mut WriteState) -> Result<(), WriteError> {
        let Some(started) = state.started.take() else { return Ok(()) };
        match self.client.kind().delete_playlist(&started) {
            Some(delete) => self.send_until_done(&delete, state).await,
            None => Ok(()),
        }
    }

    async fn rename(&self, playlist: &str, summary: Option<&str>, state: &mut WriteState) -> Result<(), WriteError> {
        let rename = self.client.kind().rename_playlist(playlist, self.name, summary).ok_or(PlaylistError::Foreign)?;
        self.send_until_done(&rename, state).await
    }

    /// Sends a write that may be repeated, until its result is known. A cancelled run ends after it, because the name
    /// must not stay away.
    async fn send_until_done(&self, write: &WriteRequest, state: &mut WriteState) -> Result<(), WriteError> {
        loop {
            state.has_written = true;
            match self.client.write(write).await {
                PlaylistWriteResult::Done(_) => return Ok(()),
                // It is gone already.
                PlaylistWriteResult::Refused(status) if status == 404 && write.method == http::Method::DELETE => {
                    return Ok(());
                }
                other => self.handle_write_result(other, state).await?,
            }
        }
    }
}
