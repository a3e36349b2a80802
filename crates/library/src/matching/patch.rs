//! Patches an index: a new one that shares all but the difference with the index it is made from, and answers exactly as
//! one that was built of all tracks.
//!
//! Values that tracks no longer have are removed from every posting list, so that no search finds a track by them.
//! Numbers of titles, names and words stay as they were; new ones follow.

use std::sync::Arc;

use super::Track;
use super::artist_credit::{self, CreditName};
use super::artist_table::{ArtistTable, CreditTable};
use super::index::{TrackIndex, TrackPatch, edges, for_each_once};
use super::index_builder::{TrackIndexBuilder, WordsInUse, identity_of_credit, identity_of_title};
use super::parse;
use super::postings::{PostingsEdits, bucket, buckets};
use super::title_table::TitleTable;
use super::vocabulary::{HashedSet, Vocabulary, number};
use crate::item::Item;

/// A track to be added.
#[derive(Debug)]
pub(crate) struct AddedTrack {
    /// The row of the base before which it comes in the order of the library.
    pub(crate) before: u32,
    /// The track.
    pub(crate) item: Item,
}

/// Calls `then` with an item as the index sees it.
pub(crate) fn with_track<R>(item: &Item, then: impl FnOnce(&Track<'_>) -> R) -> R {
    let credited: Vec<&str> = item.artists.iter().map(AsRef::as_ref).collect();
    let album_artist = item.grandparent_title.as_deref().unwrap_or_default();
    let ids: Vec<&str> = item.guids.iter().map(AsRef::as_ref).collect();
    let joined;
    let artist = match &credited[..] {
        [] => album_artist,
        [only] => only,
        several => {
            joined = several.join(", ");
            &joined
        }
    };
    then(&Track {
        title: &item.title,
        artist,
        artists: &credited,
        album_artist,
        album: item.parent_title.as_deref().unwrap_or_default(),
        duration_s: item.duration_ms.map(|ms| ms / 1000),
        ids: &ids,
    })
}

impl TrackIndex {
    /// The index without the removed rows (sorted) and with these tracks (in the order of the library); `read` gives the
    /// item of a row of this index. Only for an index that was built whole. `None` if it has to be built whole again,
    /// because its lists by hash would have another number.
    pub(crate) fn patched(
        &self,
        removed: Vec<u32>,
        added: &[AddedTrack],
        read: &dyn Fn(u32) -> Option<Item>,
    ) -> Option<Self> {
        let mut builder = TrackIndexBuilder::over(self, added);
        for track in added {
            with_track(&track.item, |track| builder.push(track));
        }
        let mut patched = Self {
            albums: Arc::clone(&self.albums),
            concerts: Arc::clone(&self.concerts),
            rows: Arc::clone(&self.rows),
            ids: Arc::clone(&self.ids),
            patch: TrackPatch {
                rows: std::mem::take(&mut builder.rows),
                before: added.iter().map(|track| track.before).collect(),
                albums: std::mem::take(&mut builder.albums),
                concerts: std::mem::take(&mut builder.concerts),
                ids: std::mem::take(&mut builder.ids),
                removed,
            },
            ..Self::default()
        };
        patched.patch.ids.sort_unstable();
        let mut words = PatchedWords { vocabulary: builder.vocabulary, artists: builder.artists };
        patched.edit_rows(self);
        let without = patched.edit_titles(self, builder.titles, &words.vocabulary)?;
        patched.edit_credits(self, builder.credits);
        patched.edit_names(self, &mut words, &without, added, read)?;
        let PatchedWords { mut vocabulary, artists } = words;
        patched.artists = Arc::new(artists);
        vocabulary.set_unused(patched.words_in_use(vocabulary.len(), &without).unused());
        patched.vocabulary = Arc::new(vocabulary);
        Some(patched)
    }

    fn edit_rows(&mut self, base: &Self) {
        let (mut of_title, mut of_credit) = (PostingsEdits::default(), PostingsEdits::default());
        for row in &self.patch.removed {
            let entry = base.row(*row);
            of_title.remove(entry.title, *row);
            of_credit.remove(entry.credit, *row);
        }
        for (row, entry) in (number(self.rows.len())..).zip(&self.patch.rows) {
            of_title.add(entry.title, row);
            of_credit.add(entry.credit, row);
        }
        self.rows_of_title = Arc::new(of_title.apply(&base.rows_of_title, |row| self.order_of(row)));
        self.rows_of_credit = Arc::new(of_credit.apply(&base.rows_of_credit, |row| self.order_of(row)));
    }

    /// Lists the titles. Returns those of the base that no track has any more; `None` if the number of lists changes.
    fn edit_titles(&mut self, base: &Self, titles: TitleTable, vocabulary: &Vocabulary) -> Option<HashedSet<u32>> {
        let known = number(base.titles.len());
        let is_unused = |title: &u32| *title < known && self.rows_of_title.get(*title).is_empty();
        let unused: HashedSet<u32> = self.rows_of_title.changed_lists().filter(is_unused).collect();
        self.titles_in_use = titles.len() - unused.len();
        let lists = base.titles_of_key.lists();
        if lists != buckets(self.titles_in_use) {
            return None;
        }
        let [mut of_key, mut of_word, mut of_edge, mut of_guest] = [(); 4].map(|()| PostingsEdits::default());
        let changed =
            unused.iter().map(|title| (*title, true)).chain((known..number(titles.len())).map(|title| (title, false)));
        for (title, is_unused) in changed {
            let edit = |edits: &mut PostingsEdits, list| {
                if is_unused { edits.remove(list, title) } else { edits.add(list, title) }
            };
            let entry = titles.get(title);
            let (core, full) = (bucket(entry.core_key, lists), bucket(entry.full_key, lists));
            edit(&mut of_key, core);
            if full != core {
                edit(&mut of_key, full);
            }
            for_each_once(entry.core, entry.subtitle, |word| edit(&mut of_word, word));
            for hash in edges(entry.core.iter().map(|word| vocabulary.text(*word))) {
                edit(&mut of_edge, bucket(hash, lists));
            }
            for_each_once(entry.guests, &[], |name| edit(&mut of_guest, name));
        }
        self.titles_of_key = Arc::new(of_key.apply(&base.titles_of_key, |_| ()));
        self.titles_of_word = Arc::new(of_word.apply(&base.titles_of_word, |_| ()));
        self.titles_of_edge = Arc::new(of_edge.apply(&base.titles_of_edge, |_| ()));
        self.titles_of_guest = Arc::new(of_guest.apply(&base.titles_of_guest, |_| ()));
        self.titles = Arc::new(titles);
        Some(unused)
    }

    fn edit_credits(&mut self, base: &Self, credits: CreditTable) {
        let known = number(base.credits.len());
        let mut of_name = PostingsEdits::default();
        for credit in self.rows_of_credit.changed_lists().filter(|credit| *credit < known) {
            if self.rows_of_credit.get(credit).is_empty() {
                credits.names(credit).for_each(|(name, _)| of_name.remove(name, credit));
            }
        }
        for credit in known..number(credits.len()) {
            credits.names(credit).for_each(|(name, _)| of_name.add(name, credit));
        }
        self.credits_of_name = Arc::new(of_name.apply(&base.credits_of_name, |_| ()));
        self.credits = Arc::new(credits);
    }

    /// Lists the names. `None` if the number of lists changes, or an item cannot be read.
    fn edit_names(
        &mut self,
        base: &Self,
        words: &mut PatchedWords,
        without: &HashedSet<u32>,
        added: &[AddedTrack],
        read: &dyn Fn(u32) -> Option<Item>,
    ) -> Option<()> {
        let known = number(base.artists.len());
        let touched = self.credits_of_name.changed_lists().chain(self.titles_of_guest.changed_lists());
        let touched: HashedSet<u32> = touched.filter(|name| *name < known).collect();
        let is_unused =
            |name: &&u32| self.credits_of_name.get(**name).is_empty() && self.titles_of_guest.get(**name).is_empty();
        let unused: HashedSet<u32> = touched.iter().filter(is_unused).copied().collect();
        debug_assert!(without.iter().all(|title| self.rows_of_title.get(*title).is_empty()), "no track has them");
        let ambiguous: Vec<u32> =
            touched.difference(&unused).copied().filter(|name| words.artists.is_ambiguous(*name)).collect();
        for name in &ambiguous {
            let item = |row: u32| match row.checked_sub(number(self.rows.len())) {
                Some(at) => added.get(at as usize).map(|track| track.item.clone()),
                None => read(row),
            };
            let split = self.smallest_split(*name, &words.artists, item)?;
            words.artists.split(*name, &split, |word| words.vocabulary.add(word));
        }
        self.names_in_use = words.artists.len() - unused.len();
        let lists = base.names_of_edge.lists();
        if lists != buckets(self.names_in_use) {
            return None;
        }
        let (mut of_word, mut of_edge) = (PostingsEdits::default(), PostingsEdits::default());
        let resplit: Vec<u32> = words.artists.resplit().filter(|name| !unused.contains(name)).collect();
        for name in unused.iter().chain(&resplit) {
            for_each_once(base.artists.words(*name), &[], |word| of_word.remove(word, *name));
            for hash in edges(base.artists.words(*name).iter().map(|word| words.vocabulary.text(*word))) {
                of_edge.remove(bucket(hash, lists), *name);
            }
        }
        for name in resplit.into_iter().chain(known..number(words.artists.len())) {
            for_each_once(words.artists.words(name), &[], |word| of_word.add(word, name));
            for hash in edges(words.artists.words(name).iter().map(|word| words.vocabulary.text(*word))) {
                of_edge.add(bucket(hash, lists), name);
            }
        }
        self.names_of_word = Arc::new(of_word.apply(&base.names_of_word, |_| ()));
        self.names_of_edge = Arc::new(of_edge.apply(&base.names_of_edge, |_| ()));
        words.artists.set_unused(unused);
        Some(())
    }

    /// The smallest split with which tracks have a name. Ends early at the smallest that was ever seen.
    fn smallest_split(
        &self,
        name: u32,
        artists: &ArtistTable,
        item: impl Fn(u32) -> Option<Item>,
    ) -> Option<CreditName> {
        let key = artists.key(name);
        let mut smallest: Option<CreditName> = None;
        let credits = self.credits_of_name.get(name).iter().map(|credit| self.rows_of_credit.get(*credit));
        let titles = self.titles_of_guest.get(name).iter().map(|title| self.rows_of_title.get(*title));
        for rows in credits.chain(titles) {
            let item = item(*rows.first()?)?;
            let found = with_track(&item, |track| {
                let credited = artist_credit::names(track.artist, track.artists, track.album_artist);
                let guests: Vec<CreditName> = parse::parse_track_title(track)
                    .guests
                    .iter()
                    .flat_map(|text| artist_credit::guests(text))
                    .collect();
                let all = credited.into_iter().chain(guests).filter(|name| name.key == key);
                all.min_by_key(ArtistTable::boundaries_of)
            });
            if let Some(found) = found
                && smallest
                    .as_ref()
                    .is_none_or(|smallest| ArtistTable::boundaries_of(&found) < ArtistTable::boundaries_of(smallest))
            {
                let is_last = ArtistTable::boundaries_of(&found) <= artists.boundaries(name);
                smallest = Some(found);
                if is_last {
                    break;
                }
            }
        }
        smallest
    }

    /// The words that occur in titles, names and concerts of this index, whose vocabulary has this many; `without` are
    /// titles that no track has.
    fn words_in_use(&self, vocabulary: usize, without: &HashedSet<u32>) -> WordsInUse {
        let mut words = WordsInUse::new(vocabulary);
        let titles = (0..number(self.titles.len())).filter(|title| !without.contains(title));
        titles.for_each(|title| words.record(self.titles.words(title)));
        let names = (0..number(self.artists.len())).filter(|name| !self.artists.is_unused(*name));
        names.for_each(|name| words.record(self.artists.words(name)));
        let mut albums = vec![false; self.albums.len() + self.patch.albums.len()];
        let mut is_removed = vec![false; self.rows.len()];
        self.patch.removed.iter().for_each(|row| is_removed[*row as usize] = true);
        let kept = self.rows.iter().zip(is_removed).filter(|(_, is_removed)| !is_removed).map(|(row, _)| row);
        kept.chain(&self.patch.rows).for_each(|row| albums[row.album as usize] = true);
        let concerts = self.concerts.iter().chain(&self.patch.concerts);
        concerts.filter(|(album, _)| albums[**album as usize]).for_each(|(_, concert)| words.record(concert));
        words
    }
}

/// Words and names of a patched index.
struct PatchedWords {
    vocabulary: Vocabulary,
    artists: ArtistTable,
}

impl TrackIndexBuilder {
    /// A builder of the tracks that are added to an index.
    fn over(base: &TrackIndex, added: &[AddedTrack]) -> Self {
        let identities = |of: fn(&Track<'_>) -> u64| -> HashedSet<u64> {
            added.iter().map(|track| with_track(&track.item, of)).collect()
        };
        Self {
            vocabulary: Vocabulary::over(&base.vocabulary),
            titles: TitleTable::over(&base.titles),
            artists: ArtistTable::over(&base.artists),
            credits: CreditTable::over(&base.credits),
            first_row: number(base.rows.len()),
            first_album: number(base.albums.len()),
            known_titles: base.titles.find_all(&identities(identity_of_title)),
            known_credits: base.credits.find_all(&identities(identity_of_credit)),
            ..Self::default()
        }
    }
}
