//! Lists beside a naive model.

use greenroom_cache::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::comic_info::ComicInfo;
use crate::file_details::{FileDetails, MetadataState};
use crate::file_entry::FileEntry;
use crate::index::{FolderGeneration, SortOrder};
use crate::list::selection::SelectionRequest;
use crate::list::{ListFilter, ListPage, ListQuery, MarkMasks, PageSize, SelectionCache};
use crate::natural_key::fold;
use crate::scan::FileFacts;

const MARKS: [&str; 2] = ["processed", "duplicate"];
const MASKS: MarkMasks = MarkMasks { main: 1, duplicate: 2, named: 2 };

fn file(id: u64, name: &str, (size, time, bits): (u64, i64, u32), series: Option<&str>) -> Arc<FileEntry> {
    let stat = FileFacts { size, mtime_ns: time, inode: id, birth_ns: 1, is_directory: false };
    let mut file = FileEntry::new(id, name, stat, Timestamp::UNIX_EPOCH);
    file.marks.set(bits);
    file.details = series.map(|series| {
        let comic = ComicInfo { series: Some(series.into()), ..ComicInfo::default() };
        Arc::new(FileDetails { metadata: MetadataState::Read, comic: Some(Box::new(comic)), ..FileDetails::default() })
    });
    Arc::new(file)
}

fn files() -> impl Strategy<Value = Vec<Arc<FileEntry>>> {
    let facts = (0..5_u64, -3..3_i64, 0..4_u32);
    let row = ("[aÁb]{0,2}/?[abé]{1,2} ?[0-9]{0,3}", facts, proptest::option::of("[xy][0-9]{0,2}"));
    vec(row, 0..40).prop_map(|rows| {
        let mut files: Vec<_> = (1..)
            .zip(rows)
            .map(|(id, (name, facts, series))| file(id, &format!("{name}.cbz"), facts, series.as_deref()))
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        files
    })
}

fn queries() -> impl Strategy<Value = ListQuery> {
    let filters = prop_oneof![
        Just(ListFilter::All),
        Just(ListFilter::Marked),
        Just(ListFilter::Unmarked),
        Just(ListFilter::Duplicates),
        Just(ListFilter::Unread),
        Just(ListFilter::Mark("duplicate".into()))
    ];
    let sorts = proptest::sample::select(SortOrder::EVERY.to_vec());
    let words = vec("[abex0-9]{1,2}", 0..3);
    (words, filters, sorts, any::<bool>(), 0..9_usize).prop_map(|(words, filter, sort, is_descending, page)| {
        ListQuery { words, filter, sort, is_descending, page, per_page: PageSize::Files(10), cursor: None }
    })
}

fn page(cache: &SelectionCache, generation: &FolderGeneration, query: &ListQuery, marks: u64) -> ListPage {
    let names = MARKS.map(str::to_owned);
    let selection = cache.select(SelectionRequest {
        generation,
        marks,
        words: &query.words,
        filter: &query.filter,
        sort: query.sort,
        masks: MASKS,
        proposed: &HashSet::new(),
        mark_names: &names,
    });
    ListPage::new(query, generation, &selection, &names).expect("a page")
}

/// The whole list, in the plainest way.
fn model(files: &[Arc<FileEntry>], query: &ListQuery) -> Vec<String> {
    let series = |file: &FileEntry| Some(file.details.as_ref()?.comic.as_ref()?.series.clone()?.to_string());
    let mut found: Vec<_> = files
        .iter()
        .filter(|file| {
            let text = fold(&format!("{} {}", file.path, series(file).unwrap_or_default()));
            let bits = file.marks.bits();
            let passes = match &query.filter {
                ListFilter::All => true,
                ListFilter::Marked => bits % 2 == 1,
                ListFilter::Unmarked => bits % 2 == 0,
                ListFilter::Duplicates | ListFilter::Mark(_) => bits >= 2,
                ListFilter::Unread => file.details.is_none(),
            };
            passes && query.words.iter().all(|word| text.contains(word.as_str()))
        })
        .collect();
    found.sort_by_key(|file| (query.sort.key(file), file.path.clone()));
    if query.is_descending {
        found.reverse();
    }
    found.into_iter().map(|file| file.path.to_string()).collect()
}

fn paths(page: &ListPage) -> Vec<String> {
    page.files.iter().map(|row| row.path.clone()).collect()
}

proptest! {
    #[test]
    fn a_page_is_what_the_model_says(files in files(), queries in vec(queries(), 1..6)) {
        let generation = FolderGeneration::new(1, Timestamp::UNIX_EPOCH, files.clone(), None);
        let cache = SelectionCache::default();
        for query in queries {
            let whole = model(&files, &query);
            let answer = page(&cache, &generation, &query, 1);
            let pages = whole.len().div_ceil(10).max(1);
            let number = query.page.clamp(1, pages);
            let wanted: Vec<String> = whole.iter().skip((number - 1) * 10).take(10).cloned().collect();
            prop_assert_eq!(paths(&answer), wanted);
            prop_assert_eq!((answer.page, answer.total_pages, answer.total_files), (number, pages, whole.len()));
            let all = page(&cache, &generation, &ListQuery { per_page: PageSize::All, ..query }, 1);
            prop_assert_eq!(paths(&all), whole);
        }
    }

    #[test]
    fn a_cursor_shows_every_file_that_stays_once_while_lists_are_published(
        files in files(),
        others in files(),
        query in queries(),
        turn in 0..4_usize,
    ) {
        let first = FolderGeneration::new(1, Timestamp::UNIX_EPOCH, files.clone(), None);
        // Some of the files go, others come.
        let mut next: Vec<_> = files.iter().skip(turn).cloned().collect();
        for other in others {
            if next.iter().all(|file| file.path != other.path) && files.iter().all(|file| file.path != other.path) {
                next.push(Arc::new(FileEntry { id: other.id + 1000, ..(*other).clone() }));
            }
        }
        next.sort_by(|a, b| a.path.cmp(&b.path));
        let second = FolderGeneration::new(2, Timestamp::UNIX_EPOCH, next.clone(), Some(&first));
        let fresh = FolderGeneration::new(2, Timestamp::UNIX_EPOCH, next.clone(), None);
        for order in SortOrder::EVERY {
            prop_assert_eq!(second.order(order), fresh.order(order), "orders that were carried over");
        }
        let cache = SelectionCache::default();
        let query = ListQuery { page: 1, ..query };
        let mut seen = Vec::new();
        let mut answer = page(&cache, &first, &query, 1);
        loop {
            seen.extend(paths(&answer));
            let Some(cursor) = answer.next_cursor.clone() else { break };
            answer = page(&cache, &second, &ListQuery { cursor: Some(cursor), ..query.clone() }, 1);
        }
        let before = model(&files, &query);
        let stays: Vec<String> = model(&next, &query).into_iter().filter(|path| before.contains(path)).collect();
        for path in &stays {
            prop_assert_eq!(seen.iter().filter(|other| *other == path).count(), 1, "{}", path);
        }
        let distinct: HashSet<&String> = seen.iter().collect();
        prop_assert_eq!(distinct.len(), seen.len());
    }
}

#[test]
fn words_are_found_in_any_order_without_case_and_accents() {
    let files = vec![file(1, "Astérix/Le Combat.cbz", (1, 1, 0), None), file(2, "b.cbz", (1, 1, 0), None)];
    let generation = FolderGeneration::new(1, Timestamp::UNIX_EPOCH, files, None);
    let words = ListQuery::search_words("COMBAT asterix").expect("words");
    let query = ListQuery { words, ..ListQuery::default() };
    assert_eq!(paths(&page(&SelectionCache::default(), &generation, &query, 1)), ["Astérix/Le Combat.cbz"]);
}

#[test]
fn a_cursor_after_a_file_with_absurd_metadata_is_read_again() {
    let long = |at: u64| format!("{}{at}", "series ".repeat(5_000));
    let many: Vec<_> = (10..40).map(|at| file(at, &format!("{at}.cbz"), (1, 1, 0), Some(&long(at)))).collect();
    let generation = FolderGeneration::new(1, Timestamp::UNIX_EPOCH, many, None);
    let query = ListQuery { per_page: PageSize::Files(10), sort: SortOrder::Series, ..ListQuery::default() };
    let first = page(&SelectionCache::default(), &generation, &query, 1);
    let next = page(&SelectionCache::default(), &generation, &ListQuery { cursor: first.next_cursor, ..query }, 1);
    assert_eq!(next.files[0].path, "20.cbz");
}

#[test]
fn a_file_is_found_by_its_number() {
    let generation = FolderGeneration::new(
        1,
        Timestamp::UNIX_EPOCH,
        (5..9).map(|id| file(id, &format!("{id}"), (1, 1, 0), None)).collect(),
        None,
    );
    assert_eq!(generation.find_by_id(7).map(|file| &*file.path), Some("7"));
    assert!(generation.find_by_id(9).is_none());
}

#[test]
fn a_cursor_of_another_order_or_of_nothing_is_refused() {
    let many: Vec<_> = (0..30).map(|at| file(at, &format!("{at:02}.cbz"), (1, 1, 0), None)).collect();
    let generation = FolderGeneration::new(1, Timestamp::UNIX_EPOCH, many, None);
    let query = ListQuery { per_page: PageSize::Files(10), ..ListQuery::default() };
    let cursor = page(&SelectionCache::default(), &generation, &query, 1).next_cursor.expect("there is more");
    let decode = |text: &str, sort| crate::list::cursor::ListCursor::decode(text, sort, false);
    assert!(decode(&cursor, SortOrder::Name).is_ok());
    assert!(decode(&cursor, SortOrder::Size).is_err());
    for text in ["", "x", "!!!!", "AAAAAAAA_w", &"A".repeat(100_000)] {
        assert!(decode(text, SortOrder::Name).is_err());
    }
}
