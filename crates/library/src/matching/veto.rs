//! Evidence against a row with a similar title and artist: another version, another concert, another number.

use super::edit_distance;
use super::index::{TrackIndex, TrackRow};
use super::query::MatchQuery;
use super::reason::TrackMatchReason;
use super::title_similarity::TitleSimilarity;
use super::title_table::TitleEntry;
use super::version::{TrackVersion, TrackVersions};

/// Minimum overlap of descriptions of the same remix or concert.
const SAME_REMIX: f32 = 0.55;
const SAME_EVENT: f32 = 0.75;

/// Recordings whose durations differ by no more than this, in seconds, may be one, whatever their albums.
const SAME_DURATION_S: u32 = 5;

/// Recordings whose durations differ by no more than this, in seconds, are one, unless something speaks against it.
const SAME_RECORDING_S: u32 = 2;

/// Versions that an album's title may state for all its tracks.
const ALBUM_VERSIONS: [TrackVersion; 6] = [
    TrackVersion::Live,
    TrackVersion::Acoustic,
    TrackVersion::Instrumental,
    TrackVersion::Karaoke,
    TrackVersion::Demo,
    TrackVersion::Mixed,
];

/// Versions that exist several times, distinguished by the words beside them.
const DESCRIBED_VERSIONS: [TrackVersion; 4] =
    [TrackVersion::Remix, TrackVersion::Named, TrackVersion::Translated, TrackVersion::Arranged];

/// A query and a candidate row.
pub(super) struct MatchPair<'a> {
    pub(super) index: &'a TrackIndex,
    pub(super) query: &'a MatchQuery<'a>,
    pub(super) wanted: TitleEntry<'a>,
    pub(super) have: TitleEntry<'a>,
    pub(super) row: &'a TrackRow,
    pub(super) off_s: Option<u32>,
}

impl MatchPair<'_> {
    /// All evidence against the row.
    pub(super) fn vetoes(&self, alike: TitleSimilarity) -> Vec<TrackMatchReason> {
        let elsewhere = self.other_album();
        if alike.is_same_text {
            // The words are equal; only brackets differ.
            return elsewhere.into_iter().collect();
        }
        let mut reasons: Vec<TrackMatchReason> = Vec::new();
        reasons.extend(self.version().or(elsewhere).or_else(|| self.remix()).or_else(|| self.concert()));
        reasons.extend(self.unknown_version());
        reasons.extend(self.number(alike));
        reasons
    }

    /// Another version that no album's title explains.
    fn version(&self) -> Option<TrackMatchReason> {
        let Self { wanted, have, .. } = self;
        let by_album = self.index.album(self.row.album).versions.only(&ALBUM_VERSIONS);
        let by_wanted_album = self.query.album.versions.only(&ALBUM_VERSIONS);
        let lacking = wanted.versions.without(have.versions).without(by_album);
        let beyond = have.versions.without(wanted.versions).without(by_wanted_album);
        let mut other = lacking.with(beyond);
        let has_live = wanted.versions.has(TrackVersion::Live) || have.versions.has(TrackVersion::Live);
        if (wanted.is_unplugged || have.is_unplugged) && has_live && self.is_as_long(SAME_RECORDING_S) {
            other = other.without(TrackVersions::of(&[TrackVersion::Live, TrackVersion::Acoustic]));
        }
        if self.is_called_cover(wanted) && self.is_called_cover(have) {
            other = other.without(TrackVersions::of(&[TrackVersion::Cover]));
        }
        let is_other = !other.is_plain();
        is_other.then_some(TrackMatchReason::VersionMismatch { want: wanted.versions, have: have.versions })
    }

    fn is_as_long(&self, most_s: u32) -> bool {
        self.off_s.is_some_and(|off_s| off_s <= most_s)
    }

    fn is_called_cover(&self, title: &TitleEntry<'_>) -> bool {
        title.versions.has(TrackVersion::Cover)
            || title.subtitle.iter().any(|word| self.query.words.text(*word) == "cover")
    }

    /// A bracket in another script, which may name a version, on one side only; album or length may explain it.
    fn unknown_version(&self) -> Option<TrackMatchReason> {
        let Self { wanted, have, .. } = self;
        let album = self.index.album(self.row.album).key;
        let is_same_album = album != 0 && album == self.query.album.key;
        let is_unknown = wanted.has_foreign_bracket != have.has_foreign_bracket && wanted.subtitle != have.subtitle;
        (is_unknown && !is_same_album && !self.is_as_long(SAME_RECORDING_S)).then_some(TrackMatchReason::UnknownVersion)
    }

    /// Two albums, only one of which is live or otherwise special by its title, and neither track's title
    /// says so.
    fn other_album(&self) -> Option<TrackMatchReason> {
        let (album, wanted) = (self.index.album(self.row.album), self.query.album);
        let are_known = wanted.key != 0 && album.key != 0;
        let is_untold = self.wanted.versions.is_plain() && self.have.versions.is_plain();
        let (want, have) = (wanted.versions.only(&ALBUM_VERSIONS), album.versions.only(&ALBUM_VERSIONS));
        // A concert recording differs in duration from the studio recording; an instrumental one does not.
        let differ = want.without(have).with(have.without(want));
        let is_heard = !differ.only(&[TrackVersion::Instrumental, TrackVersion::Karaoke]).is_plain();
        let is_as_long = self.off_s.is_some_and(|off_s| off_s <= SAME_DURATION_S);
        let is_explained = is_as_long && !is_heard && !have.has(TrackVersion::Live);
        (are_known && is_untold && want != have && !is_explained)
            .then_some(TrackMatchReason::VersionMismatch { want, have })
    }

    /// The same kind of version by another remixer or with another name.
    fn remix(&self) -> Option<TrackMatchReason> {
        let Self { wanted, have, .. } = self;
        let is_described = !wanted.versions.only(&DESCRIBED_VERSIONS).is_plain() && wanted.versions == have.versions;
        let is_other = is_described && self.overlap(wanted.by, have.by) < SAME_REMIX && !self.is_remixer_credited();
        is_other.then_some(TrackMatchReason::RemixMismatch)
    }

    /// Another concert, by its duration and its description.
    fn concert(&self) -> Option<TrackMatchReason> {
        let Self { wanted, have, .. } = self;
        let album = self.index.album(self.row.album);
        let is_live = have.versions.with(album.versions).has(TrackVersion::Live)
            && wanted.versions.with(self.query.album.versions).has(TrackVersion::Live);
        if !is_live {
            return None;
        }
        let is_told = wanted.versions.has(TrackVersion::Live) && have.versions.has(TrackVersion::Live);
        let played = if have.event.is_empty() { self.index.concert(self.row.album) } else { have.event };
        let asked = if wanted.event.is_empty() { &self.query.concert } else { wanted.event };
        // A live recording known only by its album may be the concert that the other side does not name.
        let is_open = !is_told && (played.is_empty() || asked.is_empty());
        let is_same = match self.off_s {
            Some(0..=2) => true,
            Some(3..=10) | None => is_open || self.overlap(asked, played) >= SAME_EVENT,
            Some(_) => is_open,
        };
        (!is_same).then_some(TrackMatchReason::LiveEventMismatch)
    }

    /// Another part, or another number in the title.
    fn number(&self, alike: TitleSimilarity) -> Option<TrackMatchReason> {
        let Self { wanted, have, .. } = self;
        let mut parts = [wanted.parts.to_vec(), have.parts.to_vec()];
        for parts in &mut parts {
            parts.sort_unstable();
        }
        if parts[0] == parts[1] {
            return alike.numbers_differ.then_some(TrackMatchReason::NumberMismatch);
        }
        // "Song 2" and "Song, Pt. 2" are equal.
        let is_in = |parts: &[u32], core: &[u32]| parts.iter().all(|part| core.contains(part));
        let is_said_otherwise = alike.numbers_differ
            && (parts[0].is_empty() && is_in(&parts[1], wanted.core)
                || parts[1].is_empty() && is_in(&parts[0], have.core));
        (!is_said_otherwise).then_some(TrackMatchReason::PartMismatch)
    }

    /// Share of common words of two descriptions, by number of words; 1 if both are empty.
    fn overlap(&self, wanted: &[u32], have: &[u32]) -> f32 {
        if wanted.is_empty() && have.is_empty() {
            return 1.0;
        }
        let words = &self.query.words;
        let text = |some: &[u32]| some.iter().map(|word| words.text(*word)).collect::<String>();
        if text(wanted) == text(have) {
            return 1.0;
        }
        let is_near = |one: u32, other: u32| {
            let (one, other) = (words.text(one), words.text(other));
            one.len() >= 5 && edit_distance::distance(one, other, 1).is_some()
        };
        let found = |word: u32, others: &[u32]| others.iter().any(|other| *other == word || is_near(*other, word));
        let of_wanted = wanted.iter().filter(|word| found(**word, have)).count();
        let of_have = have.iter().filter(|word| found(**word, wanted)).count();
        (of_wanted + of_have) as f32 / (wanted.len() + have.len()) as f32
    }

    /// Whether only one side names a remixer, who is among the artists of either.
    fn is_remixer_credited(&self) -> bool {
        let Self { wanted, have, index, .. } = self;
        if !wanted.by.is_empty() && !have.by.is_empty() {
            return false;
        }
        let named = if wanted.by.is_empty() { have.by } else { wanted.by };
        let is_named = |words: &[u32]| !words.is_empty() && words.iter().all(|word| named.contains(word));
        let asked = self.query.names.iter().map(|name| &name.words[..]);
        let credited = index.credits.names(self.row.credit).map(|(name, _)| name);
        let guests = have.guests.iter().copied();
        asked.chain(credited.chain(guests).map(|name| index.artists.words(name))).any(is_named)
    }
}
