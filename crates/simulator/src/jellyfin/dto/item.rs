//! An item of the catalogue.

use serde_json::{Value, json};

use super::user_data::user_data;
use super::{Fields, Shape, media, name_and_id, put};
use crate::catalogue::{Above, Kind, Record};
use crate::jellyfin::ident::{Ident, Space, digest};
use crate::jellyfin::named::{Naming, people};
use crate::jellyfin::scene::Scene;
use crate::timestamp::{written_day, written_s};

/// What a kind is called on the wire.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Film => "Movie",
        Kind::Show => "Series",
        Kind::Season => "Season",
        Kind::Episode => "Episode",
        Kind::Artist => "MusicArtist",
        Kind::Album => "MusicAlbum",
        Kind::Track => "Audio",
        Kind::Collection => "BoxSet",
    }
}

/// What a player would call it.
pub(crate) fn media_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Film | Kind::Episode => "Video",
        Kind::Track => "Audio",
        _ => "Unknown",
    }
}

/// An item with the parts `shape` asks for.
pub(crate) fn item(scene: &Scene<'_>, record: &Record, shape: &Shape) -> Fields {
    let mut fields = Fields::new();
    let id = Ident::new(Space::Item, record.id.0);
    put(&mut fields, "Name", record.title.as_str());
    put(&mut fields, "ServerId", scene.server_id);
    put(&mut fields, "Id", id.hex());
    put(&mut fields, "Type", kind_name(record.kind));
    put(&mut fields, "MediaType", media_type(record.kind));
    put(&mut fields, "IsFolder", !record.kind.plays());
    put(&mut fields, "LocationType", "FileSystem");
    if scene.switches.channel_id_null {
        fields.insert("ChannelId".into(), Value::Null);
    }
    facts(&mut fields, record);
    family(&mut fields, scene, record, shape);
    scene.art.describe(&mut fields, id, Some(record.kind), shape);
    optional(&mut fields, scene, record, shape);
    details(&mut fields, scene, record, shape);
    files(&mut fields, record, shape);
    if let Some(user) = scene.user.filter(|_| shape.user_data) {
        let zero_id = scene.switches.zero_user_data_ids && *shape != Shape::whole();
        put(&mut fields, "UserData", user_data(scene.view, user, record, zero_id));
    }
    fields
}

/// The few fields a session shows of what it plays.
pub(crate) fn brief(scene: &Scene<'_>, record: &Record) -> Fields {
    let shape = Shape::whole().without_user_data();
    let mut fields = item(scene, record, &shape);
    for heavy in ["MediaSources", "UserData", "DisplayPreferencesId", "CanDelete", "CanDownload", "Etag"] {
        fields.remove(heavy);
    }
    fields
}

fn facts(fields: &mut Fields, record: &Record) {
    put(fields, "PremiereDate", record.released.map(written_day));
    put(fields, "ProductionYear", record.year);
    put(fields, "OfficialRating", record.content_rating.as_deref());
    put(fields, "CriticRating", record.rating.map(f64::from));
    put(fields, "CommunityRating", record.audience_rating.map(|tenths| f64::from(tenths) / 10.0));
    put(fields, "RunTimeTicks", media::ticks(record));
    match record.kind {
        Kind::Season | Kind::Episode | Kind::Track => put(fields, "IndexNumber", record.index),
        _ => {}
    }
    if record.kind == Kind::Show {
        let ended = !record.id.0.is_multiple_of(3);
        put(fields, "Status", if ended { "Ended" } else { "Continuing" });
        put(fields, "AirDays", json!([]));
        put(fields, "EndDate", record.released.filter(|_| ended).map(written_day));
    }
    if let Some(file) = &record.file {
        put(fields, "Container", media::container(file));
        put(fields, "VideoType", file.video.map(|_| "VideoFile"));
        put(fields, "HasLyrics", (record.kind == Kind::Track).then_some(false));
    }
}

/// What stands above it, in the words of its kind.
fn family(fields: &mut Fields, scene: &Scene<'_>, record: &Record, shape: &Shape) {
    let hex = |above: &Above| Scene::hex(above.id);
    let primary = |above: &Above, kind| {
        let picture =
            scene.art.picture(Ident::new(Space::Item, above.id.0), Some(kind), super::ImageKind::Primary);
        picture.filter(|_| shape.wants_image("Primary")).map(|picture| picture.tag)
    };
    match (record.kind, &record.parent, &record.grandparent) {
        (Kind::Season, Some(show), _) => {
            put(fields, "SeriesName", show.title.as_str());
            put(fields, "SeriesId", hex(show));
            put(fields, "SeriesPrimaryImageTag", primary(show, Kind::Show));
        }
        (Kind::Episode, Some(season), Some(show)) => {
            put(fields, "SeriesName", show.title.as_str());
            put(fields, "SeriesId", hex(show));
            put(fields, "SeasonName", season.title.as_str());
            put(fields, "SeasonId", hex(season));
            put(fields, "ParentIndexNumber", season.index);
            put(fields, "SeriesPrimaryImageTag", primary(show, Kind::Show));
        }
        (Kind::Album, Some(artist), _) => artists(fields, artist),
        (Kind::Track, Some(album), Some(artist)) => {
            artists(fields, artist);
            put(fields, "Album", album.title.as_str());
            put(fields, "AlbumId", hex(album));
            put(fields, "AlbumPrimaryImageTag", primary(album, Kind::Album));
            put(fields, "ParentIndexNumber", 1);
        }
        _ => {}
    }
    if let Some(above) = record.grandparent.as_ref().or(record.parent.as_ref()) {
        backdrop_above(fields, scene, above, shape);
    }
}

fn artists(fields: &mut Fields, artist: &Above) {
    let pair = name_and_id(&artist.title, Ident::new(Space::Item, artist.id.0));
    put(fields, "Artists", json!([artist.title]));
    put(fields, "ArtistItems", json!([pair]));
    put(fields, "AlbumArtist", artist.title.as_str());
    put(fields, "AlbumArtists", json!([pair]));
}

fn backdrop_above(fields: &mut Fields, scene: &Scene<'_>, above: &Above, shape: &Shape) {
    let id = Ident::new(Space::Item, above.id.0);
    let kind = scene.view.kind(above.id);
    if let Some(picture) = scene.art.picture(id, kind, super::ImageKind::Backdrop)
        && shape.wants_image("Backdrop")
    {
        put(fields, "ParentBackdropItemId", id.hex());
        put(fields, "ParentBackdropImageTags", json!([picture.tag]));
    }
}

fn optional(fields: &mut Fields, scene: &Scene<'_>, record: &Record, shape: &Shape) {
    let mut when = |name: &str, value: Value| {
        if shape.has(name) {
            put(fields, name, value);
        }
    };
    when("SortName", json!(sort_name(record)));
    when("DateCreated", json!(written_s(record.added_at)));
    when("Overview", json!(record.summary));
    when("OriginalTitle", json!(record.kind.below().is_none().then_some(&record.title)));
    when("ParentId", json!(parent_id(record)));
    when("Etag", json!(digest(&[u64::from(record.id.0), record.updated_at])));
    when("Tags", json!(record.labels));
    when("Taglines", json!([]));
    when("RemoteTrailers", json!([]));
    when("ExternalUrls", json!([]));
    when("ProductionLocations", json!(record.countries));
    when("EnableMediaSourceDisplay", json!(true));
    when("PlayAccess", json!(scene.user.map(|_| "Full")));
    when("LocalTrailerCount", json!(matches!(record.kind, Kind::Film | Kind::Show).then_some(0)));
    when("SpecialFeatureCount", json!(matches!(record.kind, Kind::Film | Kind::Show).then_some(0)));
    when("DisplayPreferencesId", json!(digest(&[record.kind as u64, 0x6470])));
    when("PrimaryImageAspectRatio", json!(aspect_ratio(record.kind)));
    let owner = scene.user.and_then(|user| scene.view.user(user)).is_none_or(|user| user.admin);
    when("CanDelete", json!(owner));
    when("CanDownload", json!(record.kind.plays()));
    if shape.has("Settings") {
        put(fields, "LockedFields", json!([]));
        put(fields, "LockData", false);
    }
}

fn details(fields: &mut Fields, scene: &Scene<'_>, record: &Record, shape: &Shape) {
    let pairs = |naming: Naming| -> Vec<Value> {
        naming.on(record).iter().map(|name| name_and_id(name, naming.id(name))).collect()
    };
    if shape.has("Genres") {
        put(fields, "Genres", json!(record.genres));
        put(fields, "GenreItems", json!(pairs(Naming::Genre)));
    }
    if shape.has("Studios") {
        put(fields, "Studios", json!(pairs(Naming::Studio)));
    }
    if shape.has("People") {
        put(fields, "People", cast(scene, record));
    }
    if shape.has("ProviderIds") {
        put(fields, "ProviderIds", provider_ids(record));
    }
    if shape.has("ChildCount") || (shape.has("RecursiveItemCount") && !record.kind.plays()) {
        counts(fields, scene, record, shape);
    }
    if shape.has("CumulativeRunTimeTicks") && !record.kind.plays() {
        put(fields, "CumulativeRunTimeTicks", media::ticks(record));
    }
}

fn counts(fields: &mut Fields, scene: &Scene<'_>, record: &Record, shape: &Shape) {
    if record.kind.plays() {
        return;
    }
    if shape.has("ChildCount") {
        put(fields, "ChildCount", scene.view.children(record.id).len());
    }
    if shape.has("RecursiveItemCount") {
        put(fields, "RecursiveItemCount", scene.view.leaves(record.id).len());
    }
}

fn files(fields: &mut Fields, record: &Record, shape: &Shape) {
    if shape.has("Path") {
        let folder = || Some(format!("{}/{}", record.section.folder(), record.title));
        put(fields, "Path", record.file.as_ref().map(|file| file.path.clone()).or_else(folder));
    }
    let Some(file) = &record.file else { return };
    if shape.has("MediaSources") {
        put(fields, "MediaSources", json!(media::sources(record)));
    }
    if shape.has("MediaStreams") {
        put(fields, "MediaStreams", json!(media::streams(record)));
    }
    if shape.has("Chapters") && file.video.is_some() {
        put(fields, "Chapters", json!([]));
    }
    if let Some(video) = file.video {
        put(fields, "Width", shape.has("Width").then_some(video.width));
        put(fields, "Height", shape.has("Height").then_some(video.height));
        put(fields, "IsHD", shape.has("IsHD").then_some(video.height >= 720));
    }
}

fn cast(scene: &Scene<'_>, record: &Record) -> Value {
    let row = |person: crate::jellyfin::named::Person| {
        let id = Naming::Person.id(&person.name);
        let mut fields = Fields::new();
        put(&mut fields, "Name", person.name);
        put(&mut fields, "Id", id.hex());
        put(&mut fields, "Role", person.role);
        put(&mut fields, "Type", person.job);
        let picture = scene.art.picture(id, None, super::ImageKind::Primary);
        put(&mut fields, "PrimaryImageTag", picture.map(|picture| picture.tag));
        Value::Object(fields)
    };
    people(record).into_iter().map(row).collect()
}

/// Ids elsewhere, under the names this server gives to their sources.
fn provider_ids(record: &Record) -> Value {
    let name = |source: &str| match (source, record.kind) {
        ("imdb", _) => "Imdb",
        ("tmdb", _) => "Tmdb",
        ("tvdb", _) => "Tvdb",
        (_, Kind::Artist) => "MusicBrainzArtist",
        (_, Kind::Album) => "MusicBrainzAlbum",
        (_, _) => "MusicBrainzTrack",
    };
    let mut ids = Fields::new();
    for external in &record.external {
        put(&mut ids, name(external.source), external.id.as_str());
    }
    Value::Object(ids)
}

fn parent_id(record: &Record) -> String {
    match &record.parent {
        Some(above) => Scene::hex(above.id),
        None => Ident::new(Space::Library, record.section.number()).hex(),
    }
}

fn sort_name(record: &Record) -> String {
    match record.kind {
        Kind::Track => format!("0001 - {:04} - {}", record.index.unwrap_or(0), record.title),
        Kind::Episode => {
            let season = record.parent.as_ref().and_then(|season| season.index).unwrap_or(0);
            format!("{season:03} - {:04} - {}", record.index.unwrap_or(0), record.title)
        }
        Kind::Season => format!("{:04}", record.index.unwrap_or(0)),
        _ => record.title_sort.to_lowercase(),
    }
}

fn aspect_ratio(kind: Kind) -> f64 {
    match kind {
        Kind::Film | Kind::Show | Kind::Season | Kind::Collection => 2.0 / 3.0,
        Kind::Episode => 16.0 / 9.0,
        Kind::Artist | Kind::Album | Kind::Track => 1.0,
    }
}
