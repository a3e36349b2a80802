//! `/Search/Hints`: short answers while somebody types.

use http::Method;
use serde_json::{Value, json};

use super::Outcome;
use crate::catalogue::{Kind, Record};
use crate::jellyfin::ask::Ask;
use crate::jellyfin::dto::{Fields, ImageKind, kind_name, media_type, put, ticks};
use crate::jellyfin::find::{Asked, Thing, find};
use crate::jellyfin::ident::{Ident, Space};
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::Scene;

/// Everything below `/Search`.
pub(super) fn answer(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    if (&ask.method, rest) != (&Method::GET, &["hints"][..]) {
        return Err(Refusal::NotFound);
    }
    let term = ask.params.text("searchterm").map(str::trim).unwrap_or_default().to_owned();
    if term.is_empty() {
        return Err(Refusal::invalid("searchTerm"));
    }
    let mut asked = Asked::read(&ask.params, &ask.house.switches)?;
    asked.recursive = true;
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let page = (asked.start, asked.limit.unwrap_or(usize::MAX));
    (asked.start, asked.limit) = (0, None);
    let mut records: Vec<Record> = find(&scene, &asked)
        .things
        .into_iter()
        .filter_map(|thing| if let Thing::Item(id) = thing { scene.record(id) } else { None })
        .collect();
    let term = term.to_lowercase();
    records.sort_by_key(|record| (rank(record, &term), record.title.to_lowercase(), record.id));
    let total = records.len();
    let hints: Vec<Value> =
        records.iter().skip(page.0).take(page.1).map(|record| hint(&scene, record)).collect();
    Ok(Reply::json(json!({"SearchHints": hints, "TotalRecordCount": total})))
}

/// The whole title first, then what begins with the term, then what has it at the start of a word, then the rest.
fn rank(record: &Record, term: &str) -> u8 {
    let title = record.title.to_lowercase();
    if title == term {
        0
    } else if title.starts_with(term) {
        1
    } else {
        3 - u8::from(title.contains(&format!(" {term}")))
    }
}

fn hint(scene: &Scene<'_>, record: &Record) -> Value {
    let id = Ident::new(Space::Item, record.id.0);
    let mut fields = Fields::new();
    put(&mut fields, "ItemId", id.hex());
    put(&mut fields, "Id", id.hex());
    put(&mut fields, "Name", record.title.as_str());
    put(&mut fields, "Type", kind_name(record.kind));
    put(&mut fields, "IsFolder", !record.kind.plays());
    put(&mut fields, "MediaType", media_type(record.kind));
    put(&mut fields, "ProductionYear", record.year);
    put(&mut fields, "RunTimeTicks", ticks(record));
    put(&mut fields, "Artists", json!([]));
    put(&mut fields, "IndexNumber", record.index.filter(|_| record.parent.is_some()));
    let primary = scene.art.picture(id, Some(record.kind), ImageKind::Primary);
    put(&mut fields, "PrimaryImageTag", primary.map(|picture| picture.tag));
    match (record.kind, &record.parent, &record.grandparent) {
        (Kind::Track, Some(album), Some(artist)) => {
            put(&mut fields, "Album", album.title.as_str());
            put(&mut fields, "AlbumId", Scene::hex(album.id));
            put(&mut fields, "AlbumArtist", artist.title.as_str());
            put(&mut fields, "Artists", json!([artist.title]));
        }
        (Kind::Album, Some(artist), _) => {
            put(&mut fields, "AlbumArtist", artist.title.as_str());
            put(&mut fields, "Artists", json!([artist.title]));
        }
        (Kind::Episode, Some(season), Some(show)) => {
            put(&mut fields, "Series", show.title.as_str());
            put(&mut fields, "ParentIndexNumber", season.index);
        }
        _ => {}
    }
    Value::Object(fields)
}
