//! `/Shows`: seasons and episodes of a show, and what comes next.

use http::Method;

use super::{Outcome, lists, next};
use crate::catalogue::{ItemId, Kind, Record};
use crate::jellyfin::ask::Ask;
use crate::jellyfin::dto::Shape;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::scene::{Scene, item_of};

/// Everything below `/Shows`.
pub(super) fn answer(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    match (&ask.method, rest) {
        (&Method::GET, ["nextup"]) => next::next_up(ask),
        (&Method::GET, [show, "seasons"]) => seasons(ask, show),
        (&Method::GET, [show, "episodes"]) => episodes(ask, show),
        (&Method::GET, [show, "similar"]) => {
            lists::similar(ask, item_of(Ask::id(show)?).ok_or(Refusal::NotFound)?)
        }
        _ => Err(Refusal::NotFound),
    }
}

fn seasons(ask: &Ask<'_>, show: &str) -> Outcome {
    let user = ask.user()?;
    let shape = Shape::asked(&ask.params)?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let show = show_of(&scene, show)?;
    let rows = lists::rows(&scene, below(&scene, &[show.id]), &shape);
    let total = rows.len();
    Ok(lists::paged(ask, rows, Some(total), 0))
}

fn episodes(ask: &Ask<'_>, show: &str) -> Outcome {
    let user = ask.user()?;
    let shape = Shape::asked(&ask.params)?;
    let start = ask.params.count("startindex")?.unwrap_or(0);
    let limit = ask.params.count("limit")?.unwrap_or(usize::MAX);
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let show = show_of(&scene, show)?;
    let mut episodes = below(&scene, &wanted_seasons(ask, &scene, &show)?);
    if let Some(first) = ask.params.text("startitemid") {
        let first = item_of(Ask::id(first)?).ok_or(Refusal::NotFound)?;
        let skipped = episodes.iter().position(|episode| episode.id == first).unwrap_or(0);
        episodes.drain(..skipped);
    }
    if let Some(middle) = ask.params.text("adjacentto") {
        let middle = item_of(Ask::id(middle)?).ok_or(Refusal::NotFound)?;
        let at = episodes.iter().position(|episode| episode.id == middle);
        let around = at.map_or(0..0, |at| at.saturating_sub(1)..(at + 2).min(episodes.len()));
        episodes = episodes.drain(around).collect();
    }
    let total = episodes.len();
    let rows = lists::rows(&scene, episodes.into_iter().skip(start).take(limit), &shape);
    Ok(lists::paged(ask, rows, Some(total), start))
}

/// The seasons whose episodes are wanted: one by id, one by number, or all.
fn wanted_seasons(ask: &Ask<'_>, scene: &Scene<'_>, show: &Record) -> Result<Vec<ItemId>, Refusal> {
    if let Some(season) = ask.params.text("seasonid") {
        let season = item_of(Ask::id(season)?).ok_or(Refusal::NotFound)?;
        let exists = scene.view.kind(season) == Some(Kind::Season);
        return if exists { Ok(vec![season]) } else { Err(Refusal::NotFound) };
    }
    let number = ask.params.count("season")?.and_then(|number| u32::try_from(number).ok());
    let seasons = below(scene, &[show.id]).into_iter();
    Ok(seasons.filter(|season| number.is_none() || season.index == number).map(|season| season.id).collect())
}

fn show_of(scene: &Scene<'_>, id: &str) -> Result<Record, Refusal> {
    let record = item_of(Ask::id(id)?).and_then(|item| scene.record(item));
    record.filter(|record| record.kind == Kind::Show).ok_or(Refusal::NotFound)
}

fn below(scene: &Scene<'_>, above: &[ItemId]) -> Vec<Record> {
    above.iter().flat_map(|id| scene.view.children(*id)).filter_map(|id| scene.record(id)).collect()
}
