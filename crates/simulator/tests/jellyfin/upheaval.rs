//! Upheavals of a library while tools look away, and what they can find out about it.

use greenroom_simulator::catalogue::{CatalogueSize, ItemId, MediaKind, Section, SortKey};
use greenroom_simulator::jellyfin::{item_id, library_id};
use serde_json::Value;

use crate::server::{JellyfinFixture, ids};

fn tracks(server: &JellyfinFixture, count: usize) -> Vec<ItemId> {
    server.state().view().list(MediaKind::Track, SortKey::Id).iter().copied().take(count).collect()
}

fn listed(more: &str) -> String {
    let music = library_id(Section::Music);
    format!("/Items?parentId={music}&recursive=true&includeItemTypes=Audio&fields=Path,ProviderIds{more}")
}

#[tokio::test]
async fn what_changed_since_a_moment_can_be_asked_for() {
    let server = JellyfinFixture::start().await;
    let all = tracks(&server, 3);
    let since = listed("&minDateLastSaved=2025-10-09T09:00:00Z&sortBy=DateCreated,SortName");
    assert_eq!(ids(&server.get(&since).by("owner-a").value().await), Vec::<String>::new());
    let new = server.running().change(|write| {
        write.edit(all[0], |record| record.title = "Edited".into());
        write.delete(all[1]);
        write.rekey(all[2]).expect("a track plays")
    });
    let told = server.get(&since).by("owner-a").value().await;
    assert_eq!(ids(&told), [item_id(all[0]), item_id(new)]);
    server.leave().await;
}

#[tokio::test]
async fn a_page_of_the_whole_library_is_the_page_of_the_sorted_list() {
    let server = JellyfinFixture::start().await;
    server.running().change(|write| write.edit(ItemId(200), |record| record.title = "Aaa".into()));
    for order in [
        "",
        "&sortBy=DateCreated,SortName&sortOrder=Ascending",
        "&sortBy=DateCreated&sortOrder=Descending",
        "&sortBy=ProductionYear,SortName&sortOrder=Descending",
        "&sortBy=SortName",
    ] {
        let whole = server.get(&listed(order)).by("owner-a").value().await;
        let whole_ids = ids(&whole);
        assert_eq!(whole["TotalRecordCount"], 60);
        // The parameter below chooses nothing, but has the list made in the long way.
        let long = server.get(&listed(&format!("{order}&mediaTypes=Audio"))).by("owner-a").value().await;
        assert_eq!(ids(&long), whole_ids, "{order}");
        for start in [0, 7, 55, 60, 99] {
            let page = listed(&format!("{order}&startIndex={start}&limit=10"));
            let page: Value = server.get(&page).by("owner-a").value().await;
            assert_eq!(ids(&page), whole_ids[start.min(60)..(start + 10).min(60)], "{order} from {start}");
            assert_eq!(page["TotalRecordCount"], 60);
        }
    }
    server.leave().await;
}

#[tokio::test]
async fn all_that_is_by_an_artist_can_be_asked_for() {
    let server = JellyfinFixture::start().await;
    let artist = server.first(MediaKind::Artist);
    let target = format!("/Items?recursive=true&includeItemTypes=Audio&albumArtistIds={artist}");
    let told = server.get(&target).by("owner-a").value().await;
    let rows = told["Items"].as_array().expect("a list");
    assert_eq!(rows.len(), 12);
    assert!(rows.iter().all(|row| row["AlbumArtists"][0]["Id"] == artist.as_str()));
    server.leave().await;
}

/// A figure: `cargo nextest run --release -p greenroom-simulator --run-ignored only -E 'test(a_whole_crawl)'`.
#[tokio::test]
#[ignore = "a figure, and long in a debug build"]
async fn a_whole_crawl_of_a_million_tracks() {
    let server = JellyfinFixture::sized(CatalogueSize::with_tracks(1_000_000)).await;
    for start in (0..1_000_000).step_by(1_000) {
        let page = format!(
            "&enableUserData=false&enableImages=false&sortBy=DateCreated,SortName&startIndex={start}&limit=1000"
        );
        let got = server.get(&listed(&page)).by("owner-a").send().await;
        assert!(got.status == 200 && got.body.len() > 100_000);
    }
    server.leave().await;
}
