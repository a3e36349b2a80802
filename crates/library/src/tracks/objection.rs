//! What speaks against a row although its title and artist fit: another version, another concert, another number.

use super::credit::Role;
use super::heading::Heading;
use super::index::{Row, TrackIndex};
use super::likeness::Likeness;
use super::question::Question;
use super::reason::Reason;
use super::typo;
use super::version::Version;

/// Descriptions of remixes and of concerts that share less than this are of two.
const SAME_REMIX: f32 = 0.55;
const SAME_EVENT: f32 = 0.75;

/// Recordings of the same length but for so many seconds may be one, whatever their albums are called.
const SAME_LENGTH_S: u32 = 5;

/// What an album's title says of its tracks, so that they need not say it.
const OF_ALBUMS: [Version; 6] = [
    Version::Live,
    Version::Acoustic,
    Version::Instrumental,
    Version::Karaoke,
    Version::Demo,
    Version::Mixed,
];

/// Versions of which there are several, told apart by what stands beside the word.
const DESCRIBED: [Version; 4] = [Version::Remix, Version::Named, Version::Translated, Version::Arranged];

/// What is looked for and a row that may be it.
pub(super) struct Pair<'a> {
    pub(super) index: &'a TrackIndex,
    pub(super) question: &'a Question<'a>,
    pub(super) wanted: Heading<'a>,
    pub(super) have: Heading<'a>,
    pub(super) row: &'a Row,
    pub(super) off_s: Option<u32>,
}

impl Pair<'_> {
    /// All that speaks against it.
    pub(super) fn objections(&self, alike: Likeness) -> Vec<Reason> {
        let elsewhere = self.other_album();
        if alike.is_same_text {
            // The words are the same, wherever brackets were left out.
            return elsewhere.into_iter().collect();
        }
        let mut reasons: Vec<Reason> = Vec::new();
        reasons.extend(self.version().or(elsewhere).or_else(|| self.remix()).or_else(|| self.concert()));
        reasons.extend(self.number(alike));
        reasons
    }

    /// Another version, where no album's title explains it.
    fn version(&self) -> Option<Reason> {
        let Self { wanted, have, .. } = self;
        let by_album = self.index.albums[self.row.album as usize].versions.only(&OF_ALBUMS);
        let by_wanted_album = self.question.album.versions.only(&OF_ALBUMS);
        let lacking = wanted.versions.without(have.versions).without(by_album);
        let beyond = have.versions.without(wanted.versions).without(by_wanted_album);
        let is_other = !lacking.with(beyond).is_plain();
        is_other.then_some(Reason::VersionMismatch { want: wanted.versions, have: have.versions })
    }

    /// Two albums of which only one says that its tracks are live or otherwise unusual, where no title says it.
    fn other_album(&self) -> Option<Reason> {
        let (album, wanted) = (self.index.albums[self.row.album as usize], self.question.album);
        let are_known = wanted.key != 0 && album.key != 0;
        let is_untold = self.wanted.versions.is_plain() && self.have.versions.is_plain();
        let (want, have) = (wanted.versions.only(&OF_ALBUMS), album.versions.only(&OF_ALBUMS));
        // A concert has another length than the studio; a recording without its voice has the same.
        let differ = want.without(have).with(have.without(want));
        let is_heard = !differ.only(&[Version::Instrumental, Version::Karaoke]).is_plain();
        let is_as_long = self.off_s.is_some_and(|off_s| off_s <= SAME_LENGTH_S);
        let is_explained = is_as_long && !is_heard && !have.has(Version::Live);
        (are_known && is_untold && want != have && !is_explained)
            .then_some(Reason::VersionMismatch { want, have })
    }

    /// The same kind of version by another hand, or with another name.
    fn remix(&self) -> Option<Reason> {
        let Self { wanted, have, .. } = self;
        let is_described = !wanted.versions.only(&DESCRIBED).is_plain() && wanted.versions == have.versions;
        let is_other =
            is_described && self.overlap(wanted.by, have.by) < SAME_REMIX && !self.is_remixer_credited();
        is_other.then_some(Reason::RemixMismatch)
    }

    /// Another concert: by its length, and by what is said of it.
    fn concert(&self) -> Option<Reason> {
        let Self { wanted, have, .. } = self;
        let album = self.index.albums[self.row.album as usize];
        let is_live = have.versions.with(album.versions).has(Version::Live)
            && wanted.versions.with(self.question.album.versions).has(Version::Live);
        if !is_live {
            return None;
        }
        let is_told = wanted.versions.has(Version::Live) && have.versions.has(Version::Live);
        let played = if have.event.is_empty() { self.index.concert(self.row.album) } else { have.event };
        let asked = if wanted.event.is_empty() { &self.question.concert } else { wanted.event };
        // What only its album's title tells may well be the concert that the other does not name.
        let is_open = !is_told && (played.is_empty() || asked.is_empty());
        let is_same = match self.off_s {
            Some(0..=2) => true,
            Some(3..=10) | None => is_open || self.overlap(asked, played) >= SAME_EVENT,
            Some(_) => is_open,
        };
        (!is_same).then_some(Reason::LiveEventMismatch)
    }

    /// Another part, or another number in the title.
    fn number(&self, alike: Likeness) -> Option<Reason> {
        let Self { wanted, have, .. } = self;
        let mut parts = [wanted.parts.to_vec(), have.parts.to_vec()];
        for parts in &mut parts {
            parts.sort_unstable();
        }
        if parts[0] == parts[1] {
            return alike.numbers_differ.then_some(Reason::NumberMismatch);
        }
        // "Song 2" and "Song, Pt. 2" say the same.
        let is_in = |parts: &[u32], core: &[u32]| parts.iter().all(|part| core.contains(part));
        let is_said_otherwise = alike.numbers_differ
            && (parts[0].is_empty() && is_in(&parts[1], wanted.core)
                || parts[1].is_empty() && is_in(&parts[0], have.core));
        (!is_said_otherwise).then_some(Reason::PartMismatch)
    }

    /// How much of two descriptions is the same, by number of words; all if both say nothing.
    fn overlap(&self, wanted: &[u32], have: &[u32]) -> f32 {
        if wanted.is_empty() && have.is_empty() {
            return 1.0;
        }
        let words = &self.question.words;
        let text = |some: &[u32]| some.iter().map(|word| words.text(*word)).collect::<String>();
        if text(wanted) == text(have) {
            return 1.0;
        }
        let is_near = |one: u32, other: u32| {
            let (one, other) = (words.text(one), words.text(other));
            one.len() >= 5 && typo::distance(one, other, 1).is_some()
        };
        let found =
            |word: u32, others: &[u32]| others.iter().any(|other| *other == word || is_near(*other, word));
        let of_wanted = wanted.iter().filter(|word| found(**word, have)).count();
        let of_have = have.iter().filter(|word| found(**word, wanted)).count();
        (of_wanted + of_have) as f32 / (wanted.len() + have.len()) as f32
    }

    /// Whether one side names no remixer, and the one that the other names is among its artists.
    fn is_remixer_credited(&self) -> bool {
        let Self { wanted, have, index, .. } = self;
        if !wanted.by.is_empty() && !have.by.is_empty() {
            return false;
        }
        let named = if wanted.by.is_empty() { have.by } else { wanted.by };
        let is_named = |words: &[u32]| !words.is_empty() && words.iter().all(|word| named.contains(word));
        if wanted.by.is_empty() {
            self.question.names.iter().any(|name| name.role != Role::Primary && is_named(&name.words))
        } else {
            let mut credited = index.credits.names(self.row.credit);
            credited.any(|(name, role)| role != Role::Primary && is_named(index.roster.words(name)))
        }
    }
}
