//! An item of the catalogue.

use serde_json::{Value, json};

use super::user_data::user_data;
use super::{FieldSelection, JsonFields, media, name_and_id, put};
use crate::catalogue::{AncestorItem, ItemRecord, MediaKind};
use crate::jellyfin::by_name::{ByNameKind, people};
use crate::jellyfin::ident::{IdNamespace, JellyfinId, digest};
use crate::jellyfin::response_context::ResponseContext;
use crate::timestamp::{written_day, written_s};

/// Name of a kind on the wire.
pub(crate) fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Film => "Movie",
        MediaKind::Show => "Series",
        MediaKind::Season => "Season",
        MediaKind::Episode => "Episode",
        MediaKind::Artist => "MusicArtist",
        MediaKind::Album => "MusicAlbum",
        MediaKind::Track => "Audio",
        MediaKind::Collection => "BoxSet",
    }
}

/// Media type of a kind, for players.
pub(crate) fn media_type(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Film | MediaKind::Episode => "Video",
        MediaKind::Track => "Audio",
        _ => "Unknown",
    }
}

/// An item with the selected parts.
pub(crate) fn item(scene: &ResponseContext<'_>, record: &ItemRecord, shape: &FieldSelection) -> JsonFields {
    let mut fields = JsonFields::new();
    let id = JellyfinId::new(IdNamespace::Item, record.id.0);
    put(&mut fields, "Name", record.title.as_str());
    put(&mut fields, "ServerId", scene.server_id);
    put(&mut fields, "Id", id.hex());
    put(&mut fields, "Type", kind_name(record.kind));
    put(&mut fields, "MediaType", media_type(record.kind));
    put(&mut fields, "IsFolder", !record.kind.is_playable());
    put(&mut fields, "LocationType", "FileSystem");
    if scene.switches.channel_id_null {
        fields.insert("ChannelId".into(), Value::Null);
    }
    facts(&mut fields, record);
    family(&mut fields, scene, record, shape);
    scene.images.describe(&mut fields, id, Some(record.kind), shape);
    optional(&mut fields, scene, record, shape);
    details(&mut fields, scene, record, shape);
    files(&mut fields, record, shape);
    if let Some(user) = scene.user.filter(|_| shape.user_data) {
        let zero_id = scene.switches.zero_user_data_ids && *shape != FieldSelection::all();
        put(&mut fields, "UserData", user_data(scene.view, user, record, zero_id));
    }
    fields
}

/// The few fields of an item that a session contains.
pub(crate) fn brief(scene: &ResponseContext<'_>, record: &ItemRecord) -> JsonFields {
    let shape = FieldSelection::all().without_user_data();
    let mut fields = item(scene, record, &shape);
    for heavy in ["MediaSources", "UserData", "DisplayPreferencesId", "CanDelete", "CanDownload", "Etag"] {
        fields.remove(heavy);
    }
    fields
}

fn facts(fields: &mut JsonFields, record: &ItemRecord) {
    put(fields, "PremiereDate", record.released.map(written_day));
    put(fields, "ProductionYear", record.year);
    put(fields, "OfficialRating", record.content_rating.as_deref());
    put(fields, "CriticRating", record.rating.map(f64::from));
    put(fields, "CommunityRating", record.audience_rating.map(|tenths| f64::from(tenths) / 10.0));
    put(fields, "RunTimeTicks", media::ticks(record));
    match record.kind {
        MediaKind::Season | MediaKind::Episode | MediaKind::Track => put(fields, "IndexNumber", record.index),
        _ => {}
    }
    if record.kind == MediaKind::Show {
        let ended = !record.id.0.is_multiple_of(3);
        put(fields, "Status", if ended { "Ended" } else { "Continuing" });
        put(fields, "AirDays", json!([]));
        put(fields, "EndDate", record.released.filter(|_| ended).map(written_day));
    }
    if let Some(file) = &record.file {
        put(fields, "Container", media::container(file));
        put(fields, "VideoType", file.video.map(|_| "VideoFile"));
        put(fields, "HasLyrics", (record.kind == MediaKind::Track).then_some(false));
    }
}

/// Names and ids of its parents, under the field names of its kind.
fn family(fields: &mut JsonFields, scene: &ResponseContext<'_>, record: &ItemRecord, shape: &FieldSelection) {
    let hex = |above: &AncestorItem| ResponseContext::hex(above.id);
    let primary = |above: &AncestorItem, kind| {
        let picture =
            scene.images.picture(JellyfinId::new(IdNamespace::Item, above.id.0), Some(kind), super::ImageKind::Primary);
        picture.filter(|_| shape.wants_image("Primary")).map(|picture| picture.tag)
    };
    match (record.kind, &record.parent, &record.grandparent) {
        (MediaKind::Season, Some(show), _) => {
            put(fields, "SeriesName", show.title.as_str());
            put(fields, "SeriesId", hex(show));
            put(fields, "SeriesPrimaryImageTag", primary(show, MediaKind::Show));
        }
        (MediaKind::Episode, Some(season), Some(show)) => {
            put(fields, "SeriesName", show.title.as_str());
            put(fields, "SeriesId", hex(show));
            put(fields, "SeasonName", season.title.as_str());
            put(fields, "SeasonId", hex(season));
            put(fields, "ParentIndexNumber", season.index);
            put(fields, "SeriesPrimaryImageTag", primary(show, MediaKind::Show));
        }
        (MediaKind::Album, Some(artist), _) => artists(fields, artist),
        (MediaKind::Track, Some(album), Some(artist)) => {
            artists(fields, artist);
            put(fields, "Album", album.title.as_str());
            put(fields, "AlbumId", hex(album));
            put(fields, "AlbumPrimaryImageTag", primary(album, MediaKind::Album));
            put(fields, "ParentIndexNumber", 1);
        }
        _ => {}
    }
    if let Some(above) = record.grandparent.as_ref().or(record.parent.as_ref()) {
        backdrop_above(fields, scene, above, shape);
    }
}

fn artists(fields: &mut JsonFields, artist: &AncestorItem) {
    let pair = name_and_id(&artist.title, JellyfinId::new(IdNamespace::Item, artist.id.0));
    put(fields, "Artists", json!([artist.title]));
    put(fields, "ArtistItems", json!([pair]));
    put(fields, "AlbumArtist", artist.title.as_str());
    put(fields, "AlbumArtists", json!([pair]));
}

fn backdrop_above(fields: &mut JsonFields, scene: &ResponseContext<'_>, above: &AncestorItem, shape: &FieldSelection) {
    let id = JellyfinId::new(IdNamespace::Item, above.id.0);
    let kind = scene.view.kind(above.id);
    if let Some(picture) = scene.images.picture(id, kind, super::ImageKind::Backdrop)
        && shape.wants_image("Backdrop")
    {
        put(fields, "ParentBackdropItemId", id.hex());
        put(fields, "ParentBackdropImageTags", json!([picture.tag]));
    }
}

fn optional(fields: &mut JsonFields, scene: &ResponseContext<'_>, record: &ItemRecord, shape: &FieldSelection) {
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
    when("LocalTrailerCount", json!(matches!(record.kind, MediaKind::Film | MediaKind::Show).then_some(0)));
    when("SpecialFeatureCount", json!(matches!(record.kind, MediaKind::Film | MediaKind::Show).then_some(0)));
    when("DisplayPreferencesId", json!(digest(&[record.kind as u64, 0x6470])));
    when("PrimaryImageAspectRatio", json!(aspect_ratio(record.kind)));
    let owner = scene.user.and_then(|user| scene.view.user(user)).is_none_or(|user| user.admin);
    when("CanDelete", json!(owner));
    when("CanDownload", json!(record.kind.is_playable()));
    if shape.has("Settings") {
        put(fields, "LockedFields", json!([]));
        put(fields, "LockData", false);
    }
}

fn details(fields: &mut JsonFields, scene: &ResponseContext<'_>, record: &ItemRecord, shape: &FieldSelection) {
    let pairs = |naming: ByNameKind| -> Vec<Value> {
        naming.on(record).iter().map(|name| name_and_id(name, naming.id(name))).collect()
    };
    if shape.has("Genres") {
        put(fields, "Genres", json!(record.genres));
        put(fields, "GenreItems", json!(pairs(ByNameKind::Genre)));
    }
    if shape.has("Studios") {
        put(fields, "Studios", json!(pairs(ByNameKind::Studio)));
    }
    if shape.has("People") {
        put(fields, "People", cast(scene, record));
    }
    if shape.has("ProviderIds") {
        put(fields, "ProviderIds", provider_ids(record));
    }
    if shape.has("ChildCount") || (shape.has("RecursiveItemCount") && !record.kind.is_playable()) {
        counts(fields, scene, record, shape);
    }
    if shape.has("CumulativeRunTimeTicks") && !record.kind.is_playable() {
        put(fields, "CumulativeRunTimeTicks", media::ticks(record));
    }
}

fn counts(fields: &mut JsonFields, scene: &ResponseContext<'_>, record: &ItemRecord, shape: &FieldSelection) {
    if record.kind.is_playable() {
        return;
    }
    if shape.has("ChildCount") {
        put(fields, "ChildCount", scene.view.children(record.id).len());
    }
    if shape.has("RecursiveItemCount") {
        put(fields, "RecursiveItemCount", scene.view.leaves(record.id).len());
    }
}

fn files(fields: &mut JsonFields, record: &ItemRecord, shape: &FieldSelection) {
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

fn cast(scene: &ResponseContext<'_>, record: &ItemRecord) -> Value {
    let row = |person: crate::jellyfin::by_name::Person| {
        let id = ByNameKind::Person.id(&person.name);
        let mut fields = JsonFields::new();
        put(&mut fields, "Name", person.name);
        put(&mut fields, "Id", id.hex());
        put(&mut fields, "Role", person.role);
        put(&mut fields, "Type", person.job);
        let picture = scene.images.picture(id, None, super::ImageKind::Primary);
        put(&mut fields, "PrimaryImageTag", picture.map(|picture| picture.tag));
        Value::Object(fields)
    };
    people(record).into_iter().map(row).collect()
}

/// External ids, under this server's names of their providers.
fn provider_ids(record: &ItemRecord) -> Value {
    let name = |source: &str| match (source, record.kind) {
        ("imdb", _) => "Imdb",
        ("tmdb", _) => "Tmdb",
        ("tvdb", _) => "Tvdb",
        (_, MediaKind::Artist) => "MusicBrainzArtist",
        (_, MediaKind::Album) => "MusicBrainzAlbum",
        (_, _) => "MusicBrainzTrack",
    };
    let mut ids = JsonFields::new();
    for external in &record.external {
        put(&mut ids, name(external.source), external.id.as_str());
    }
    Value::Object(ids)
}

fn parent_id(record: &ItemRecord) -> String {
    match &record.parent {
        Some(above) => ResponseContext::hex(above.id),
        None => JellyfinId::new(IdNamespace::Library, record.section.number()).hex(),
    }
}

fn sort_name(record: &ItemRecord) -> String {
    match record.kind {
        MediaKind::Track => format!("0001 - {:04} - {}", record.index.unwrap_or(0), record.title),
        MediaKind::Episode => {
            let season = record.parent.as_ref().and_then(|season| season.index).unwrap_or(0);
            format!("{season:03} - {:04} - {}", record.index.unwrap_or(0), record.title)
        }
        MediaKind::Season => format!("{:04}", record.index.unwrap_or(0)),
        _ => record.title_sort.to_lowercase(),
    }
}

fn aspect_ratio(kind: MediaKind) -> f64 {
    match kind {
        MediaKind::Film | MediaKind::Show | MediaKind::Season | MediaKind::Collection => 2.0 / 3.0,
        MediaKind::Episode => 16.0 / 9.0,
        MediaKind::Artist | MediaKind::Album | MediaKind::Track => 1.0,
    }
}
