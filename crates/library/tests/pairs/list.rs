//! Reads the lists of pairs.

use greenroom_library::matching::{MatchPolicy, MatchResult, Track, TrackIndexBuilder};

/// Pairs that must not be matched.
pub(crate) const APART: &str = include_str!("apart.txt");
/// Pairs that must be matched.
pub(crate) const ALIKE: &str = include_str!("alike.txt");

/// A track that is asked for, and one in the library.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrackPair {
    /// Its class.
    pub(crate) class: &'static str,
    /// Title and artist asked for.
    pub(crate) asked: (&'static str, &'static str),
    /// Title and artist in the library.
    pub(crate) library: (&'static str, &'static str),
    /// Album of both.
    pub(crate) album: &'static str,
    /// Duration of both in seconds.
    pub(crate) duration_s: Option<u32>,
}

/// The pairs of a list.
pub(crate) fn pairs(text: &'static str) -> impl Iterator<Item = TrackPair> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let fields: Vec<&'static str> = line.split('|').collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        assert!((5..=7).contains(&fields.len()), "{line}");
        TrackPair {
            class: field(0),
            asked: (field(1), field(2)),
            library: (field(3), field(4)),
            album: field(5),
            duration_s: field(6).parse().ok(),
        }
    })
}

impl TrackPair {
    /// The pair with its sides exchanged.
    #[must_use]
    pub(crate) fn turned(&self) -> Self {
        Self { asked: self.library, library: self.asked, ..*self }
    }

    fn track(&self, (title, artist): (&'static str, &'static str)) -> Track<'static> {
        Track { title, artist, album: self.album, duration_s: self.duration_s, ..Track::default() }
    }

    /// The result of matching it with nothing else in the library.
    pub(crate) fn result(&self) -> MatchResult {
        let mut builder = TrackIndexBuilder::default();
        builder.push(&self.track(self.library));
        builder.build().resolve(&self.track(self.asked), MatchPolicy::Strict)
    }

    /// Whether it is matched.
    pub(crate) fn is_accepted(&self) -> bool {
        self.result().accepted().is_some()
    }
}
