//! Which rooms know which, and whether one knows itself by way of others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::{Mention, Source};

/// The root of a crate, as a room.
const ROOT: &str = "lib.rs";

/// For each room the rooms it knows, and one place that shows it.
type Edges = BTreeMap<String, BTreeMap<String, String>>;

/// The shortest way from a room back to itself, a line for each step; none if there is no cycle.
pub fn shortest(sources: &[Source]) -> Option<String> {
    let edges = edges(sources);
    let circles = edges.keys().filter_map(|room| circle(&edges, room));
    let rooms = circles.min_by_key(Vec::len)?;
    let lines = rooms
        .windows(2)
        .map(|step| format!("  {} -> {}   ({})\n", step[0], step[1], edges[&step[0]][&step[1]]));
    Some(lines.collect())
}

/// Who knows whom among the rooms. A path to something that the root only shows leads to the room it is from.
fn edges(sources: &[Source]) -> Edges {
    let rooms: BTreeSet<&str> =
        sources.iter().filter_map(|source| Some(source.module.first()?.as_str())).collect();
    let mentions =
        || sources.iter().flat_map(|source| source.mentions.iter().map(move |mention| (source, mention)));
    let shown: BTreeMap<&str, &str> = mentions()
        .filter_map(|(_, mention)| Some((mention.shown_as.as_deref()?, mention.path.first()?.as_str())))
        .collect();
    let target = |mention: &Mention| {
        let first = mention.path.first()?.as_str();
        let first = if rooms.contains(first) { first } else { shown.get(first).copied().unwrap_or(ROOT) };
        Some(first.to_owned())
    };
    let mut edges = Edges::new();
    for (source, mention) in mentions().filter(|(_, mention)| mention.shown_as.is_none()) {
        let from = source.module.first().map_or(ROOT, String::as_str);
        let Some(to) = target(mention).filter(|to| to != from) else { continue };
        let place = format!("{}: crate::{}", source.file.display(), mention.path.join("::"));
        edges.entry(from.to_owned()).or_default().entry(to).or_insert(place);
    }
    edges
}

/// The shortest way from `start` back to it.
fn circle(edges: &Edges, start: &str) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(room) = waiting.pop_front() {
        for next in edges.get(room).into_iter().flat_map(BTreeMap::keys).map(String::as_str) {
            if next == start {
                let mut way = vec![start, room];
                while way[way.len() - 1] != start {
                    way.push(came_from[way[way.len() - 1]]);
                }
                return Some(way.into_iter().rev().map(str::to_owned).collect());
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, room);
                waiting.push_back(next);
            }
        }
    }
    None
}

#[test]
fn the_shortest_cycle_is_told_with_a_place_for_each_step() {
    let source = |file: &str, module: &[&str], paths: &[(&str, Option<&str>)]| Source {
        file: file.into(),
        module: module.iter().map(|&name| name.to_owned()).collect(),
        lines: 1,
        mentions: paths
            .iter()
            .map(|(path, shown_as)| Mention {
                path: path.split("::").map(str::to_owned).collect(),
                shown_as: shown_as.map(str::to_owned),
            })
            .collect(),
        excuses_long_functions: false,
    };
    let mut sources = vec![
        source("lib.rs", &[], &[("c::Shown", Some("Shown"))]),
        source("a/x.rs", &["a", "x"], &[("b::B", None), ("a::y", None)]),
        source("b.rs", &["b"], &[("Shown", None)]),
        source("c.rs", &["c"], &[("d", None)]),
        source("d.rs", &["d"], &[]),
    ];
    assert_eq!(shortest(&sources), None);
    sources[4].mentions = source("", &[], &[("a::A", None), ("b::B", None)]).mentions;
    let wanted =
        "  b -> c   (b.rs: crate::Shown)\n  c -> d   (c.rs: crate::d)\n  d -> b   (d.rs: crate::b::B)\n";
    assert_eq!(shortest(&sources).unwrap(), wanted);
}
