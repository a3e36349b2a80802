//! Computes an item from its number.

use super::name;
use super::words::{COUNTRIES, FILM_GENRES, FIRST_NAMES, MUSIC_GENRES, QUALITIES, RATINGS, SHOW_RATINGS, THINGS};
use super::{
    AncestorItem, CalendarDate, CastRole, Catalogue, CatalogueFile, ItemId, ItemRecord, MediaKind, ProviderId,
    VideoStream, sortable,
};

/// Seconds over which the library was filled (three years).
const FILLED_OVER_S: u64 = 3 * 365 * 86_400;
/// Seconds within which metadata was last refreshed after the addition.
const REFRESHED_WITHIN_S: u64 = 30 * 86_400;
/// Number of people in the catalogue.
const PEOPLE: u64 = 4_000;
const MIB: u64 = 1024 * 1024;

impl Catalogue {
    /// The item with this id.
    pub fn record(&self, id: ItemId) -> Option<ItemRecord> {
        let place = self.item_position(id)?;
        let mut record = self.blank(id, place.kind, place.number);
        match place.kind {
            MediaKind::Film => self.film(&mut record, place.number),
            MediaKind::Show => self.show(&mut record, place.number),
            MediaKind::Season => self.season(&mut record, place.number),
            MediaKind::Episode => self.episode(&mut record, place.number),
            MediaKind::Artist => self.artist(&mut record, place.number),
            MediaKind::Album => self.album(&mut record, place.number),
            MediaKind::Track => self.track(&mut record, place.number),
            MediaKind::Collection => {
                record.summary = "A hand-picked shelf of films.".into();
            }
        }
        Some(record)
    }

    /// Only the title of an item: enough for searches over a whole library.
    pub fn title(&self, id: ItemId) -> Option<String> {
        let place = self.item_position(id)?;
        let number = u64::from(place.number);
        Some(match place.kind {
            MediaKind::Film => name::story(self.rng, "film", number),
            MediaKind::Show => name::story(self.rng, "show", number),
            MediaKind::Season => format!("Season {}", place.number % self.size.seasons_per_show + 1),
            MediaKind::Episode => name::story(self.rng, "episode", number),
            MediaKind::Artist => name::artist(self.rng, number),
            MediaKind::Album => name::album(self.rng, number),
            MediaKind::Track => name::song(self.rng, number),
            MediaKind::Collection => {
                let thing = self.rng.pick("collection/thing", number, THINGS);
                format!("{thing} Collection {}", number + 1)
            }
        })
    }

    /// Time of addition: increases with the number, and is `newest_at` for the last of each kind. Children determine
    /// the time of their parents.
    pub fn added_at(&self, id: ItemId) -> u64 {
        let Some(place) = self.item_position(id) else { return self.newest_at };
        match place.kind {
            MediaKind::Show | MediaKind::Season | MediaKind::Artist | MediaKind::Album => {
                self.children(id).first().map_or(self.newest_at, |first| self.added_at(*first))
            }
            MediaKind::Film | MediaKind::Episode | MediaKind::Track | MediaKind::Collection => {
                let count = u64::from(self.count(place.kind)).max(1);
                let from_last = count - 1 - u64::from(place.number).min(count - 1);
                self.newest_at.saturating_sub(from_last * FILLED_OVER_S / count)
            }
        }
    }

    /// Time of the last metadata change: after the addition, and never after `newest_at`.
    pub fn updated_at(&self, id: ItemId) -> u64 {
        let added_at = self.added_at(id);
        let refreshed = self.rng.below("refreshed", u64::from(id.0), REFRESHED_WITHIN_S);
        (added_at + refreshed).min(self.newest_at.max(added_at))
    }

    fn blank(&self, id: ItemId, kind: MediaKind, number: u32) -> ItemRecord {
        let added_at = self.added_at(id);
        let title = self.title(id).unwrap_or_default();
        let parent = self.parent(id);
        ItemRecord {
            id,
            kind,
            section: kind.section(),
            title_sort: sortable(&title),
            title,
            summary: String::new(),
            tagline: None,
            year: None,
            released: None,
            index: None,
            grandparent: parent.and_then(|parent| self.parent(parent)).map(|above| self.above(above)),
            parent: parent.map(|above| self.above(above)),
            duration_ms: None,
            studio: None,
            content_rating: None,
            rating: None,
            audience_rating: None,
            genres: Vec::new(),
            countries: Vec::new(),
            directors: Vec::new(),
            writers: Vec::new(),
            cast: Vec::new(),
            labels: Vec::new(),
            collections: Vec::new(),
            locks: Vec::new(),
            guid: self.guid(kind, number),
            external: Vec::new(),
            added_at,
            updated_at: self.updated_at(id),
            file: None,
        }
    }

    fn guid(&self, kind: MediaKind, number: u32) -> String {
        self.rng.hex(kind.name(), u64::from(number), 24)
    }

    fn above(&self, id: ItemId) -> AncestorItem {
        let place = self.item_position(id);
        AncestorItem {
            id,
            title: self.title(id).unwrap_or_default(),
            index: place.and_then(|place| self.index_of(place.kind, place.number)),
            guid: place.map(|place| self.guid(place.kind, place.number)).unwrap_or_default(),
            year: place.and_then(|place| self.year_of(place.kind, place.number)),
            studio: place.and_then(|place| self.studio_of(place.kind, place.number)),
            updated_at: self.updated_at(id),
        }
    }

    fn index_of(&self, kind: MediaKind, number: u32) -> Option<u32> {
        let each = match kind {
            MediaKind::Season => self.size.seasons_per_show,
            MediaKind::Episode => self.size.episodes_per_season,
            MediaKind::Album => self.size.albums_per_artist,
            MediaKind::Track => self.size.tracks_per_album,
            MediaKind::Show | MediaKind::Artist | MediaKind::Film | MediaKind::Collection => return None,
        };
        Some(number % each + 1)
    }

    fn film(&self, record: &mut ItemRecord, number: u32) {
        let n = u64::from(number);
        self.released(record, "film", n);
        self.credits(record, "film", n);
        record.summary = self.summary("film", n);
        record.duration_ms = Some(self.rng.between("film/minutes", n, 78, 165) * 60_000);
        record.studio = self.studio_of(MediaKind::Film, number);
        record.tagline = Some(format!("Beware of the {}.", self.rng.pick("film/mcguffin", n, THINGS).to_lowercase()));
        record.content_rating = Some(self.rng.pick("film/age", n, RATINGS).into());
        record.external = vec![
            ProviderId { source: "imdb", id: format!("tt{:07}", 1_000_000 + n) },
            ProviderId { source: "tmdb", id: (200_000 + n).to_string() },
            ProviderId { source: "tvdb", id: (500_000 + n).to_string() },
        ];
        let folder = format!("{} ({})", plain(&record.title), record.year.unwrap_or(0));
        record.file = Some(self.video(record, &format!("/media/films/{folder}/{folder}"), "film", n));
    }

    fn show(&self, record: &mut ItemRecord, number: u32) {
        let n = u64::from(number);
        self.released(record, "show", n);
        self.credits(record, "show", n);
        record.summary = self.summary("show", n);
        record.index = Some(1);
        record.duration_ms = Some(self.rng.pick("show/minutes", n, &[25_u64, 45, 55]) * 60_000);
        record.studio = self.studio_of(MediaKind::Show, number);
        record.content_rating = Some(self.rng.pick("show/age", n, SHOW_RATINGS).into());
        record.external = vec![
            ProviderId { source: "imdb", id: format!("tt{:07}", 3_000_000 + n) },
            ProviderId { source: "tmdb", id: (40_000 + n).to_string() },
            ProviderId { source: "tvdb", id: (70_000 + n).to_string() },
        ];
    }

    fn season(&self, record: &mut ItemRecord, number: u32) {
        record.index = self.index_of(MediaKind::Season, number);
        record.external = vec![ProviderId { source: "tvdb", id: (800_000 + u64::from(number)).to_string() }];
    }

    fn episode(&self, record: &mut ItemRecord, number: u32) {
        let n = u64::from(number);
        let season = number / self.size.episodes_per_season;
        let show = u64::from(season / self.size.seasons_per_show);
        record.index = self.index_of(MediaKind::Episode, number);
        let mut of_show = self.blank(record.id, MediaKind::Film, 0);
        self.released(&mut of_show, "show", show);
        let season_index = self.index_of(MediaKind::Season, season).unwrap_or(1);
        let year = of_show.year.unwrap_or(2_000) + u16::try_from(season_index - 1).unwrap_or(0);
        let week = record.index.unwrap_or(1).min(50);
        let (month, day) = (1 + (week * 7 / 28) % 12, 1 + (week * 7) % 28);
        record.year = Some(year);
        record.released = day_of(year, month, day);
        record.summary = self.summary("episode", n);
        record.duration_ms = Some(self.rng.between("episode/minutes", n, 21, 58) * 60_000);
        record.content_rating = Some(self.rng.pick("show/age", show, SHOW_RATINGS).into());
        record.rating = Some(rating(self.rng.between("episode/rating", n, 55, 95)));
        record.audience_rating = Some(rating(self.rng.between("episode/audience", n, 55, 95)));
        record.cast = vec![self.role("episode", n)];
        record.directors = vec![self.person("episode/director", n)];
        record.writers = vec![self.person("episode/writer", n)];
        record.external = vec![
            ProviderId { source: "imdb", id: format!("tt{:07}", 5_000_000 + n) },
            ProviderId { source: "tvdb", id: (900_000 + n).to_string() },
        ];
        let show_title = plain(record.grandparent.as_ref().map_or("", |above| &above.title));
        let episode_index = record.index.unwrap_or(1);
        let stem = format!(
            "/media/shows/{show_title}/Season {season_index:02}/{show_title} - s{season_index:02}e{episode_index:02}"
        );
        record.file = Some(self.video(record, &stem, "episode", n));
    }

    fn artist(&self, record: &mut ItemRecord, number: u32) {
        let n = u64::from(number);
        record.index = Some(1);
        record.summary = format!("{} started out in a {}.", record.title, self.rng.pick("artist/place", n, THINGS));
        record.genres = vec![self.rng.pick("artist/genre", n, MUSIC_GENRES).into()];
        record.countries = vec![self.rng.pick("artist/country", n, COUNTRIES).into()];
        record.external = vec![ProviderId { source: "mbid", id: self.rng.uuid("artist/mbid", n) }];
    }

    fn album(&self, record: &mut ItemRecord, number: u32) {
        let n = u64::from(number);
        self.released(record, "album", n);
        record.index = Some(1);
        record.studio = self.studio_of(MediaKind::Album, number);
        record.rating = None;
        record.audience_rating = None;
        let artist = n / u64::from(self.size.albums_per_artist);
        record.genres = vec![self.rng.pick("artist/genre", artist, MUSIC_GENRES).into()];
        record.external = vec![ProviderId { source: "mbid", id: self.rng.uuid("album/mbid", n) }];
    }

    fn track(&self, record: &mut ItemRecord, number: u32) {
        let n = u64::from(number);
        let album = u64::from(number / self.size.tracks_per_album);
        record.index = self.index_of(MediaKind::Track, number);
        record.duration_ms = Some(self.rng.between("track/ms", n, 95_000, 420_000));
        record.year = Some(self.year("album", album));
        record.external = vec![ProviderId { source: "mbid", id: self.rng.uuid("track/mbid", n) }];
        let artist = plain(record.grandparent.as_ref().map_or("", |above| &above.title));
        let album = plain(record.parent.as_ref().map_or("", |above| &above.title));
        let (container, bitrate) = self.rng.pick("track/form", n, &[("flac", 900), ("mp3", 320), ("flac", 1_000)]);
        let index = record.index.unwrap_or(1);
        record.file = Some(CatalogueFile {
            path: format!("/media/music/{artist}/{album}/{index:02} - {}.{container}", plain(&record.title)),
            bytes: record.duration_ms.unwrap_or(0) * u64::from(bitrate) / 8,
            bitrate,
            container,
            video: None,
            audio_codec: container,
            audio_channels: 2,
        });
    }

    fn year(&self, stream: &str, n: u64) -> u16 {
        let back = self.rng.below(&format!("{stream}/age"), n, 60);
        u16::try_from(2_024 - back * back / 60).unwrap_or(2_000)
    }

    /// Year of a show or an album; other parents have none.
    fn year_of(&self, kind: MediaKind, number: u32) -> Option<u16> {
        match kind {
            MediaKind::Show => Some(self.year("show", u64::from(number))),
            MediaKind::Album => Some(self.year("album", u64::from(number))),
            _ => None,
        }
    }

    fn studio_of(&self, kind: MediaKind, number: u32) -> Option<String> {
        let n = u64::from(number);
        match kind {
            MediaKind::Film => Some(format!("{} Pictures", self.rng.pick("film/studio", n, QUALITIES))),
            MediaKind::Show => Some(format!("{} Network", self.rng.pick("show/studio", n, THINGS))),
            MediaKind::Album => Some(format!("{} Records", self.rng.pick("album/label", n, THINGS))),
            _ => None,
        }
    }

    fn released(&self, record: &mut ItemRecord, stream: &str, n: u64) {
        let year = self.year(stream, n);
        let month = self.rng.between(&format!("{stream}/month"), n, 1, 12);
        let day = self.rng.between(&format!("{stream}/day"), n, 1, 28);
        record.year = Some(year);
        record.released = day_of(year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1));
        record.rating = Some(rating(self.rng.between(&format!("{stream}/rating"), n, 30, 98)));
        record.audience_rating = Some(rating(self.rng.between(&format!("{stream}/audience"), n, 40, 97)));
    }

    fn credits(&self, record: &mut ItemRecord, stream: &str, n: u64) {
        let first = self.rng.pick(&format!("{stream}/genre"), n, FILM_GENRES);
        let second = self.rng.pick(&format!("{stream}/genre2"), n, FILM_GENRES);
        record.genres.push(first.into());
        if second != first {
            record.genres.push(second.into());
        }
        record.countries.push(self.rng.pick(&format!("{stream}/country"), n, COUNTRIES).into());
        record.directors.push(self.person(&format!("{stream}/director"), n));
        record.writers.push(self.person(&format!("{stream}/writer"), n));
        for part in 0..3_u64 {
            record.cast.push(self.role(stream, n * 3 + part));
        }
    }

    fn role(&self, stream: &str, n: u64) -> CastRole {
        CastRole {
            actor: self.person(&format!("{stream}/actor"), n),
            character: self.rng.pick(&format!("{stream}/character"), n, FIRST_NAMES).into(),
        }
    }

    fn person(&self, stream: &str, n: u64) -> String {
        name::person(self.rng, self.rng.below(stream, n, PEOPLE))
    }

    fn summary(&self, stream: &str, n: u64) -> String {
        let who = self.rng.pick(&format!("{stream}/hero"), n, FIRST_NAMES);
        let thing = self.rng.pick(&format!("{stream}/mcguffin"), n, THINGS).to_lowercase();
        let quality = self.rng.pick(&format!("{stream}/mood"), n, QUALITIES).to_lowercase();
        format!("{who} finds a {quality} {thing} and cannot give it back.")
    }

    fn video(&self, record: &ItemRecord, stem: &str, stream: &str, n: u64) -> CatalogueFile {
        let (width, height, bitrate, codec) = self.rng.pick(
            &format!("{stream}/form"),
            n,
            &[(1_920, 1_080, 8_000, "h264"), (1_280, 720, 4_000, "h264"), (3_840, 2_160, 22_000, "hevc")],
        );
        let container = self.rng.pick(&format!("{stream}/box"), n, &["mkv", "mkv", "mp4"]);
        let jitter = self.rng.below(&format!("{stream}/bytes"), n, MIB);
        CatalogueFile {
            path: format!("{stem}.{container}"),
            bytes: record.duration_ms.unwrap_or(0) * u64::from(bitrate) / 8 + jitter,
            bitrate,
            container,
            video: Some(VideoStream { codec, width, height }),
            audio_codec: self.rng.pick(&format!("{stream}/sound"), n, &["aac", "ac3", "eac3"]),
            audio_channels: self.rng.pick(&format!("{stream}/channels"), n, &[2, 6]),
        }
    }
}

fn rating(tenths: u64) -> u16 {
    u16::try_from(tenths.min(100)).unwrap_or(100)
}

fn day_of(year: u16, month: u32, day: u32) -> Option<CalendarDate> {
    Some(CalendarDate { year, month: u8::try_from(month).ok()?, day: u8::try_from(day).ok()? })
}

/// Converts a title to a file name.
fn plain(title: &str) -> String {
    title.chars().filter(|c| !matches!(c, '/' | '\\' | ':' | '?' | '*' | '"' | '<' | '>' | '|')).collect()
}
