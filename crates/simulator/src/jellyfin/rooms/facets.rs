//! By what a list can be narrowed down.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Outcome;
use crate::catalogue::{Kind, SortKey};
use crate::jellyfin::ask::Ask;
use crate::jellyfin::dto::name_and_id;
use crate::jellyfin::find::{Asked, Type};
use crate::jellyfin::library::Library;
use crate::jellyfin::named::Naming;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::Scene;

/// `GET /Items/Filters`: plain values.
pub(super) fn filters(ask: &Ask<'_>) -> Outcome {
    let facets = gather(ask)?;
    Ok(Reply::json(json!({
        "Genres": facets.genres,
        "Tags": facets.tags,
        "OfficialRatings": facets.ratings,
        "Years": facets.years,
    })))
}

/// `GET /Items/Filters2`: genres with their ids.
pub(super) fn filters2(ask: &Ask<'_>) -> Outcome {
    let facets = gather(ask)?;
    let genres: Vec<Value> =
        facets.genres.iter().map(|genre| name_and_id(genre, Naming::Genre.id(genre))).collect();
    Ok(Reply::json(json!({"Genres": genres, "Tags": facets.tags})))
}

#[derive(Default)]
struct Facets {
    genres: BTreeSet<String>,
    tags: BTreeSet<String>,
    ratings: BTreeSet<String>,
    years: BTreeSet<u16>,
}

fn gather(ask: &Ask<'_>) -> Result<Facets, crate::jellyfin::refusal::Refusal> {
    let asked = Asked::read(&ask.params, &ask.house.switches)?;
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let mut facets = Facets::default();
    for kind in kinds(&scene, &asked) {
        for id in view.list(kind, SortKey::Added).iter() {
            let Some(record) = view.record(*id) else { continue };
            facets.genres.extend(record.genres);
            facets.tags.extend(record.labels);
            facets.ratings.extend(record.content_rating);
            facets.years.extend(record.year);
        }
    }
    Ok(facets)
}

/// The kinds asked about; those at the top of each library if none are.
fn kinds(scene: &Scene<'_>, asked: &Asked) -> Vec<Kind> {
    let library = asked.parent.and_then(Library::of);
    let within = |kind: &Kind| {
        scene.sees(kind.section()) && library.is_none_or(|library| library.kinds().contains(kind))
    };
    let usual = [Kind::Film, Kind::Show, Kind::Album, Kind::Artist];
    let wanted = |kind: &Kind| {
        if asked.types.is_empty() { usual.contains(kind) } else { asked.wants(Type::Item(*kind)) }
    };
    Kind::EVERY.into_iter().filter(wanted).filter(within).collect()
}
