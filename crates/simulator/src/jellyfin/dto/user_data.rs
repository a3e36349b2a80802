//! State of one user on an item.

use serde_json::{Value, json};

use super::{JsonFields, put};
use crate::catalogue::{ItemId, ItemRecord, MediaKind, SortKey};
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::library::JellyfinLibrary;
use crate::state::{StateView, WatchSummary};
use crate::timestamp::{TICKS_PER_MS, written_s};
use crate::users::UserId;

/// An id of zeroes: some versions write it where an id is not known.
const NO_ID: &str = "00000000000000000000000000000000";

/// The user data of an item. With `zero_id` its own id is written as zeroes, as some versions do in lists.
pub(crate) fn user_data(view: &StateView<'_>, user: UserId, record: &ItemRecord, zero_id: bool) -> Value {
    let watch = view.watch(user, record.id);
    let id = JellyfinId::new(IdNamespace::Item, record.id.0).hex();
    let mut fields = JsonFields::new();
    put(&mut fields, "Rating", watch.rating.map(|tenths| f64::from(tenths) / 10.0));
    put(&mut fields, "Likes", watch.rating.map(|tenths| tenths >= 65));
    fields.insert("IsFavorite".into(), json!(watch.favourite));
    if record.kind.is_playable() {
        put(&mut fields, "PlayedPercentage", percentage(watch.offset_ms, record.duration_ms));
        put(&mut fields, "LastPlayedDate", watch.last_viewed_at.map(written_s));
        fields.insert("PlaybackPositionTicks".into(), json!(watch.offset_ms * TICKS_PER_MS));
        fields.insert("PlayCount".into(), json!(watch.views));
        fields.insert("Played".into(), json!(watch.played()));
    } else {
        below(&mut fields, view, user, record);
    }
    fields.insert("Key".into(), json!(key(record, &id)));
    fields.insert("ItemId".into(), json!(if zero_id { NO_ID.to_owned() } else { id }));
    Value::Object(fields)
}

/// The user data of something that is neither item nor folder of items (a playlist).
pub(crate) fn plain(view: &StateView<'_>, user: UserId, item: ItemId) -> Value {
    let id = JellyfinId::new(IdNamespace::Item, item.0).hex();
    let watch = view.watch(user, item);
    json!({
        "PlaybackPositionTicks": 0,
        "PlayCount": 0,
        "IsFavorite": watch.favourite,
        "Played": false,
        "Key": id,
        "ItemId": id,
    })
}

/// The user data of the folder of a library. Those of films and shows have sums.
pub(crate) fn of_library(view: &StateView<'_>, user: UserId, library: JellyfinLibrary) -> Value {
    let id = library.id().hex();
    let mut data = json!({
        "PlaybackPositionTicks": 0,
        "PlayCount": 0,
        "IsFavorite": false,
        "Played": false,
        "Key": id,
        "ItemId": id,
    });
    if let Some(kind) = library.top().filter(|kind| matches!(kind, MediaKind::Film | MediaKind::Show)) {
        let is_played = |item: &ItemId| {
            let watched = view.watched(user, *item);
            watched.leaves > 0 && watched.viewed == watched.leaves
        };
        let (all, touched) = (view.count(kind), view.watches(user).into_iter().map(|(item, _)| item));
        let played = match kind {
            MediaKind::Film => touched.filter(|item| view.kind(*item) == Some(kind) && is_played(item)).count(),
            _ => view.list(kind, SortKey::Added).iter().filter(|item| is_played(item)).count(),
        };
        data["UnplayedItemCount"] = json!(all.saturating_sub(played));
        data["PlayedPercentage"] = json!(played as f64 * 100.0 / all.max(1) as f64);
    }
    data
}

/// Adds the sums of a folder; music folders only say whether everything was played.
fn below(fields: &mut JsonFields, view: &StateView<'_>, user: UserId, record: &ItemRecord) {
    let counts = matches!(record.kind, MediaKind::Show | MediaKind::Season | MediaKind::Collection);
    let watched =
        if counts || record.kind == MediaKind::Album { view.watched(user, record.id) } else { WatchSummary::default() };
    let all = watched.leaves > 0 && watched.viewed == watched.leaves;
    if counts {
        fields.insert("UnplayedItemCount".into(), json!(watched.leaves - watched.viewed));
        let share = f64::from(watched.viewed) * 100.0 / f64::from(watched.leaves.max(1));
        put(fields, "PlayedPercentage", (watched.viewed > 0).then_some(share));
        put(fields, "LastPlayedDate", watched.last_viewed_at.map(written_s));
    }
    fields.insert("PlaybackPositionTicks".into(), json!(0));
    fields.insert("PlayCount".into(), json!(0));
    fields.insert("Played".into(), json!(all));
}

fn percentage(offset_ms: u64, duration_ms: Option<u64>) -> Option<f64> {
    let duration_ms = duration_ms.filter(|duration| *duration > 0)?;
    (offset_ms > 0).then(|| offset_ms as f64 * 100.0 / duration_ms as f64)
}

fn key(record: &ItemRecord, id: &str) -> String {
    record.external.first().map_or_else(|| id.to_owned(), |external| external.id.clone())
}
