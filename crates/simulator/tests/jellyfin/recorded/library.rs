//! A library that is equivalent to the recorded one: each name in curly brackets stands for an item of the same kind in
//! the same place.

use std::collections::BTreeMap;

use greenroom_simulator::catalogue::{CatalogueSize, ItemId, ItemRecord, MediaKind, Section, SortKey};
use greenroom_simulator::jellyfin::{item_id, library_id, user_id};
use greenroom_simulator::state::{PlaylistAudience, SimulatedState, WatchChangeCause, WatchState};
use greenroom_simulator::users::{SimulatedUser, UserId, UserRegistry, UserToken};
use serde_json::Value;

use crate::server::JellyfinFixture;

/// The recorded users, the owner first.
pub(super) const USERS: [&str; 3] = ["root", "anna", "kid"];

/// Numbers of everything as recorded.
pub(super) fn size() -> CatalogueSize {
    CatalogueSize {
        films: 14,
        shows: 2,
        seasons_per_show: 2,
        episodes_per_season: 4,
        tracks: 60,
        tracks_per_album: 6,
        albums_per_artist: 2,
        collections: 1,
    }
}

/// The users, each with a token by the same name.
pub(super) fn users() -> UserRegistry {
    let number = |at: usize| UserId(u32::try_from(at).expect("a few") + 1);
    let sections = |name: &str| if name == "kid" { vec![Section::Films] } else { Section::EVERY.to_vec() };
    let user = |(at, name): (usize, &&str)| SimulatedUser {
        id: number(at),
        name: (*name).into(),
        admin: at == 0,
        sections: sections(name),
    };
    let token = |(at, name): (usize, &&str)| UserToken {
        label: (*name).into(),
        secret: format!("{:032x}", at + 1),
        user: Some(number(at)),
    };
    UserRegistry {
        users: USERS.iter().enumerate().map(user).collect(),
        tokens: USERS.iter().enumerate().map(token).collect(),
    }
}

/// Makes the server's library equivalent, and returns the id behind each name.
pub(super) fn furnish(server: &JellyfinFixture, films: &[Value]) -> BTreeMap<String, String> {
    let state = server.state();
    forget_user_state(state);
    let list = |kind| state.view().list(kind, SortKey::Added).to_vec();
    let mut all = list(MediaKind::Film);
    all.sort_unstable();
    for (at, (film, told)) in all.iter().zip(films).enumerate() {
        edit(server, *film, |record| become_film(record, at, told));
    }
    let mut names = Names::default();
    for (at, film) in all.iter().enumerate() {
        names.put(&format!("film_{at}"), *film);
    }
    for (name, film) in ["movie", "movie2", "movie3"].iter().zip(&all) {
        names.put(name, *film);
    }
    let boxset = list(MediaKind::Collection)[0];
    server.running().change_quietly(|write| write.set_members(boxset, all[..4].to_vec()));
    names.put("boxset", boxset);
    shows(server, &mut names);
    let tracks = music(server, &mut names);
    let playlist = state.write(UserId::OWNER, |write| {
        write.silence();
        write.create_shared_playlist("List A", "audio", &tracks[..5], PlaylistAudience::Everybody)
    });
    names.put("playlist", playlist);
    let libraries = [("f_films", Section::Films), ("f_shows", Section::Shows), ("f_music", Section::Music)];
    names.0.extend(libraries.map(|(name, section)| (name.to_owned(), library_id(section))));
    for (at, name) in USERS.iter().enumerate() {
        names.0.insert((*name).into(), user_id(UserId(u32::try_from(at).expect("a few") + 1)));
    }
    names.0
}

#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn put(&mut self, name: &str, item: ItemId) {
        self.0.insert(name.into(), item_id(item));
    }
}

/// No user has played anything, and there are no playlists.
fn forget_user_state(state: &SimulatedState) {
    for user in state.current_users() {
        state.write(user.id, |write| {
            write.silence();
            let watched = write.view().watches(user.id);
            for (item, _) in watched {
                write.change_watch(item, WatchChangeCause::Progress, |watch| *watch = WatchState::default());
            }
            let own: Vec<ItemId> = write.view().playlists(user.id).iter().map(|playlist| playlist.id).collect();
            for playlist in own {
                write.delete_playlist(playlist);
            }
        });
    }
}

fn children(server: &JellyfinFixture, of: ItemId) -> Vec<ItemId> {
    server.state().view().children(of)
}

fn edit(server: &JellyfinFixture, item: ItemId, change: impl FnOnce(&mut ItemRecord)) {
    assert!(server.running().change_quietly(|write| write.edit(item, change)));
}

fn become_film(record: &mut ItemRecord, at: usize, told: &Value) {
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let texts = |name: &str| -> Vec<String> {
        told[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    record.title = text("Name");
    record.year = told["ProductionYear"].as_u64().and_then(|year| u16::try_from(year).ok());
    record.genres = texts("Genres");
    record.content_rating = Some(text("OfficialRating"));
    // Stars with one decimal place.
    let stars = told["CommunityRating"].as_f64().map(|stars| format!("{:.0}", stars * 10.0));
    record.audience_rating = stars.and_then(|tenths| tenths.parse().ok());
    record.studio = Some(format!("Studio {}", ["A", "B", "C"][at % 3]));
    record.labels = vec![format!("tag{}", at % 3)];
    record.duration_ms = Some(6_023);
    record.writers = Vec::new();
    let mut people = texts("People").into_iter();
    record.cast.truncate(1);
    if let (Some(role), Some(actor)) = (record.cast.first_mut(), people.next()) {
        role.actor = actor;
    }
    record.directors = people.collect();
}

fn shows(server: &JellyfinFixture, names: &mut Names) {
    let mut all = server.state().view().list(MediaKind::Show, SortKey::Added).to_vec();
    all.sort_unstable();
    for (show, title) in all.iter().zip(["Alpha Show", "Beta Show"]) {
        edit(server, *show, |record| record.title = title.into());
    }
    names.put("series", all[0]);
    let season = children(server, all[0])[0];
    names.put("season", season);
    let episodes = children(server, season);
    names.put("episode", episodes[0]);
    for (at, episode) in episodes[1..].iter().enumerate() {
        names.put(&format!("other_episode_{at}"), *episode);
    }
}

/// Each artist has the albums First and Second, whose tracks are called alike. Returns the tracks in order of title.
fn music(server: &JellyfinFixture, names: &mut Names) -> Vec<ItemId> {
    let artists = ["Dusk & Dawn", "Ane Brun", "Björk's Band", "Cara", "Eero"];
    let mut all = server.state().view().list(MediaKind::Artist, SortKey::Added).to_vec();
    all.sort_unstable();
    let mut tracks = Vec::new();
    for (artist, title) in all.iter().zip(artists) {
        edit(server, *artist, |record| record.title = title.into());
        for (album, title) in children(server, *artist).into_iter().zip(["First", "Second"]) {
            edit(server, album, |record| record.title = title.into());
            for (at, track) in children(server, album).into_iter().enumerate() {
                edit(server, track, |record| {
                    record.title = format!("{:04} - Song {} of {title}", at + 1, at + 1);
                    record.title_sort.clone_from(&record.title);
                });
                tracks.push((at, title, track));
            }
        }
    }
    names.put("artist", all[1]);
    let first_album = |artist: ItemId| children(server, artist)[0];
    names.put("album", first_album(all[2]));
    names.put("track_album", first_album(all[0]));
    tracks.sort_unstable();
    let tracks: Vec<ItemId> = tracks.into_iter().map(|(.., track)| track).collect();
    for (at, track) in tracks.iter().enumerate() {
        names.put(&format!("track_{at}"), *track);
    }
    names.put("track", tracks[0]);
    names.put("track2", tracks[1]);
    tracks
}
