//! What a server said of itself: who it is, which version, what time it is there.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_dialect::server_identity::{Answer, MediaServer, ServerIdentity, recognise};
use greenroom_dialect::verdict::Representation;
use http::HeaderMap;
use http::header::DATE;

use super::Origin;

/// Stands for a server that did not tell the time.
pub(super) const UNTOLD: i64 = i64::MIN;

impl Origin {
    /// Answers nothing while what is there is an Emby: it would be misunderstood.
    pub fn refuse_as_emby(&self, is_emby: bool) {
        self.is_emby.store(is_emby, Ordering::Relaxed);
    }

    /// Whether what answers there is an Emby.
    pub fn is_emby(&self) -> bool {
        self.is_emby.load(Ordering::Relaxed)
    }

    /// Remembers who the server says to be, if that is what it says.
    pub fn note_introduction(&self, said: &Bytes) {
        let kind = self.settings.kind;
        if kind.introduction_in_form(said, Representation::Json).is_some() && self.recognised(said).is_some()
        {
            *self.introduction.lock() = Some(said.clone());
        }
    }

    /// Who the server said to be, in its own words.
    pub fn introduced(&self) -> Option<Vec<u8>> {
        self.introduction.lock().as_ref().map(|said| said.to_vec())
    }

    /// What it calls itself, and its version, as it said both last.
    pub fn title_and_version(&self) -> (Option<String>, Option<String>) {
        let said = self.introduction.lock().clone();
        match said.and_then(|said| self.recognised(&said)) {
            Some(said) => (said.name, self.version().or(Some(said.version))),
            None => (None, self.version()),
        }
    }

    /// The configured server in a whole answer with status 200 to its identity path.
    fn recognised(&self, body: &[u8]) -> Option<MediaServer> {
        let answer = Answer { status: 200, headers: &HeaderMap::new(), body };
        match recognise(self.settings.kind, &answer) {
            ServerIdentity::Expected(server) => Some(server),
            _ => None,
        }
    }

    /// Who the server said to be, in the representation asked for.
    pub fn introduction(&self, form: Representation) -> Option<(&'static str, Bytes)> {
        self.settings.kind.introduction_in_form(self.introduction.lock().as_ref()?, form)
    }

    /// What time it is there, if the answer tells.
    pub fn note_time(&self, headers: &HeaderMap) {
        let told = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(told) = told.and_then(|date| httpdate::parse_http_date(date).ok()) else { return };
        let since_epoch = told.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let there_s = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
        self.ahead_s.store(there_s.saturating_sub_unsigned(self.clock.now_ms() / 1000), Ordering::Relaxed);
    }

    /// By how many seconds its clock was ahead of ours when it answered last; `None` if it does not tell the time.
    pub fn ahead_s(&self) -> Option<i64> {
        Some(self.ahead_s.load(Ordering::Relaxed)).filter(|ahead_s| *ahead_s != UNTOLD)
    }

    /// Which version it said to be last; `None` if it was never greeted.
    pub fn version(&self) -> Option<String> {
        self.version.lock().clone()
    }

    /// It says to be of this version.
    pub fn note_version(&self, version: &str) {
        *self.version.lock() = Some(version.to_owned());
    }
}
