//! Films, series and seasons as TMDB answers them.

use serde_json::{Value, json};

use greenroom_simulator_backend::serve::SimulatedRequest;

/// Rows of a page of a search.
const PAGE_ROWS: u64 = 20;
/// Greatest id of a film or a series.
const MAX_ID: u64 = 1_000_000;

/// The answer to a path below `/3`.
pub(super) fn answer(path: &[&str], asked: &SimulatedRequest) -> Option<Value> {
    let language = asked.param("language").unwrap_or_else(|| "en-US".to_owned());
    match path {
        ["configuration"] => Some(json!({
            "images": {"base_url": "http://image.invalid/t/p/", "poster_sizes": ["w92", "w342", "original"]},
        })),
        ["search", kind @ ("movie" | "tv")] => Some(search(kind, &asked.param("query")?, &language)),
        ["movie", id] => Some(film(number(id)?, &language)),
        ["movie", id, "credits"] => {
            let id = number(id)?;
            let row = |order: u64| json!({"id": id * 10 + order, "name": format!("Actor {order}"), "order": order});
            Some(json!({"id": id, "cast": (0..5).map(row).collect::<Vec<_>>(), "crew": []}))
        }
        ["tv", id] => Some(series(number(id)?, &language)),
        ["tv", id, "season", season] => season_of(number(id)?, number(season)?),
        _ => None,
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| (1..=MAX_ID).contains(number))
}

fn film(id: u64, language: &str) -> Value {
    json!({
        "id": id,
        "title": format!("Film {id}"),
        "original_language": "en",
        "overview": format!("What happens in film {id}, in {language}."),
        "release_date": format!("{}-06-01", 1950 + id % 75),
        "runtime": 80 + id % 70,
    })
}

fn series(id: u64, language: &str) -> Value {
    json!({
        "id": id,
        "name": format!("Series {id}"),
        "overview": format!("What happens in series {id}, in {language}."),
        "number_of_seasons": 1 + id % 5,
    })
}

fn season_of(id: u64, season: u64) -> Option<Value> {
    let episode =
        |number: u64| json!({"id": id * 1000 + number, "episode_number": number, "name": format!("Episode {number}")});
    let is_there = season <= 1 + id % 5;
    is_there.then(|| json!({"id": id * 100 + season, "season_number": season, "episodes": (1..=8).map(episode).collect::<Vec<_>>()}))
}

fn search(kind: &str, query: &str, language: &str) -> Value {
    let first = query.bytes().fold(0_u64, |sum, byte| sum * 31 % 100_000 + u64::from(byte)) + 1;
    let row = |id| if kind == "movie" { film(id, language) } else { series(id, language) };
    let results: Vec<Value> = (first..first + PAGE_ROWS).map(row).collect();
    json!({"page": 1, "results": results, "total_pages": 1, "total_results": PAGE_ROWS})
}
