//! Builds: by themselves, whole, and at a small cost.

use greenroom::library::State;

use super::{House, REAL, music, report, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_music_of_a_plex_is_indexed_by_itself_and_cheaply() {
    let house = House::plex_with(music(3_000), "", REAL).await;
    let library = house.current().await;
    let report = report(&library);
    assert_eq!(report.items["tracks"], 3_000, "{report:#?}");
    assert!(report.cost.build_requests <= 3_000 / 1_000 + 10, "{report:#?}");
    println!("{} requests for 3,000 tracks", report.cost.build_requests);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_music_of_a_jellyfin_is_indexed_by_itself_and_cheaply() {
    let house = House::jellyfin(music(3_000), REAL).await;
    let library = house.current().await;
    let report = report(&library);
    assert_eq!(report.items["tracks"], 3_000, "{report:#?}");
    assert!(report.cost.build_requests <= 3_000 / 1_000 + 10, "{report:#?}");
    println!("{} requests for 3,000 tracks", report.cost.build_requests);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn video_is_indexed_at_its_first_lookup() {
    let house = House::plex(music(300)).await;
    house.current().await;
    let shows = house.stage.process.libraries.all();
    let shows =
        shows.into_iter().find(|library| report(library).contents == "shows").expect("there are shows");
    assert_eq!(shows.state(), State::Idle);
    shows.look_up();
    until(&shows, |shows| shows.state() == State::Current).await;
    let report = report(&shows);
    assert!(report.items["shows"] > 0 && report.items["episodes"] > report.items["seasons"], "{report:#?}");
    house.end().await;
}
