//! Dependencies between the modules of a crate, and cycles among them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::{CratePath, SourceFile};

/// The root of a crate, as a module.
const ROOT: &str = "lib.rs";

/// Dependencies of each module, with one place that shows each.
type ModuleEdges = BTreeMap<String, BTreeMap<String, String>>;

/// The shortest cycle, a line for each step; none if there is no cycle.
pub fn shortest(sources: &[SourceFile]) -> Option<String> {
    let edges = edges(sources);
    let circles = edges.keys().filter_map(|room| circle(&edges, room));
    let rooms = circles.min_by_key(Vec::len)?;
    let lines =
        rooms.windows(2).map(|step| format!("  {} -> {}   ({})\n", step[0], step[1], edges[&step[0]][&step[1]]));
    Some(lines.collect())
}

/// Dependencies between modules. A path to a re-export of the root leads to the module it is from.
fn edges(sources: &[SourceFile]) -> ModuleEdges {
    let rooms: BTreeSet<&str> = sources.iter().filter_map(|source| Some(source.module.first()?.as_str())).collect();
    let mentions = || sources.iter().flat_map(|source| source.crate_paths.iter().map(move |mention| (source, mention)));
    let shown: BTreeMap<&str, &str> = mentions()
        .filter_map(|(_, mention)| Some((mention.reexported_as.as_deref()?, mention.path.first()?.as_str())))
        .collect();
    let target = |mention: &CratePath| {
        let first = mention.path.first()?.as_str();
        let first = if rooms.contains(first) { first } else { shown.get(first).copied().unwrap_or(ROOT) };
        Some(first.to_owned())
    };
    let mut edges = ModuleEdges::new();
    for (source, mention) in mentions().filter(|(_, mention)| mention.reexported_as.is_none()) {
        let from = source.module.first().map_or(ROOT, String::as_str);
        let Some(to) = target(mention).filter(|to| to != from) else { continue };
        let place = format!("{}: crate::{}", source.file.display(), mention.path.join("::"));
        edges.entry(from.to_owned()).or_default().entry(to).or_insert(place);
    }
    edges
}

/// The shortest way from `start` back to it.
fn circle(edges: &ModuleEdges, start: &str) -> Option<Vec<String>> {
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
fn the_shortest_cycle_is_reported_with_a_location_for_each_step() {
    let source = |file: &str, module: &[&str], paths: &[(&str, Option<&str>)]| SourceFile {
        file: file.into(),
        module: module.iter().map(|&name| name.to_owned()).collect(),
        lines: 1,
        crate_paths: paths
            .iter()
            .map(|(path, shown_as)| CratePath {
                path: path.split("::").map(str::to_owned).collect(),
                reexported_as: shown_as.map(str::to_owned),
            })
            .collect(),
        allows_long_functions: false,
    };
    let mut sources = vec![
        source("lib.rs", &[], &[("c::Shown", Some("Shown"))]),
        source("a/x.rs", &["a", "x"], &[("b::B", None), ("a::y", None)]),
        source("b.rs", &["b"], &[("Shown", None)]),
        source("c.rs", &["c"], &[("d", None)]),
        source("d.rs", &["d"], &[]),
    ];
    assert_eq!(shortest(&sources), None);
    sources[4].crate_paths = source("", &[], &[("a::A", None), ("b::B", None)]).crate_paths;
    let wanted = "  b -> c   (b.rs: crate::Shown)\n  c -> d   (c.rs: crate::d)\n  d -> b   (d.rs: crate::b::B)\n";
    assert_eq!(shortest(&sources).unwrap(), wanted);
}
