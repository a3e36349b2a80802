//! A show library whose shows have neither seasons nor episodes: its index is complete and useless. The server's scan
//! of the files or its agent has failed, so a person is told.

use greenroom_cache::Timestamp;
use greenroom_dialect::crawl::LibraryContents;
use greenroom_library::item::ItemKind;
use greenroom_state::warnings::{Warning, WarningAction};

use super::{IndexError, Library};
use crate::index::status::LibraryStatus;

/// Code of the warning.
pub(super) const WITHOUT_EPISODES_CODE: &str = "library-without-episodes";

impl Library {
    /// Judges the snapshot after a successful build or round. While the server scans, episodes may still be coming, so
    /// the earlier judgement stands.
    pub(super) fn check_episodes(&self, status: &mut LibraryStatus, now_ms: Timestamp) {
        let Some(info) = &status.info else { return };
        let shows = self.generation().map_or(0, |generation| {
            let count = |kind| generation.snapshot.count(kind) as u64;
            let is_hollow = count(ItemKind::Season) == 0 && count(ItemKind::Episode) == 0;
            if is_hollow { count(ItemKind::Show) } else { 0 }
        });
        if info.contents != LibraryContents::Shows || shows == 0 {
            status.without_episodes = None;
        } else if !info.is_scanning {
            let since_ms = status.without_episodes.map_or(now_ms, |(_, since_ms)| Timestamp::from_millis(since_ms));
            status.without_episodes = Some((shows, since_ms.as_millis()));
        }
    }

    /// The error that stands: that of the last attempt, else that the shows have no episodes.
    pub(super) fn failure_of(status: &LibraryStatus) -> Option<(IndexError, u64)> {
        let without_episodes =
            || status.without_episodes.map(|(shows, since_ms)| (IndexError::WithoutEpisodes { shows }, since_ms));
        status.failure.clone().or_else(without_episodes)
    }

    /// The warning that the shows have no episodes, while that stands.
    pub(super) fn without_episodes_warning(&self) -> Option<Warning> {
        let (shows, _) = self.status.lock().without_episodes?;
        let failure = IndexError::WithoutEpisodes { shows };
        let text = format!("Library {}: {failure}. No episode of it can be found by path or id.", self.display_name());
        let build = WarningAction::new("Build now", "POST", format!("libraries/{}/build", self.id));
        let warning = Warning::notice(WITHOUT_EPISODES_CODE, text, failure.remedy());
        Some(warning.about(self.id.to_string()).with(Some(build)))
    }
}
