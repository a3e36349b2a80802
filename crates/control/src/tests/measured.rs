//! The documentation, the Grafana dashboard and the alerts agree with the metrics written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::apps::AppStats;
use crate::disk::DiskTierStats;
use crate::jobs::{self, JobOutcome, LastRun};
use crate::metrics::format::classic;
use crate::metrics::{MetricsSnapshot, write};
use crate::notifications::NotificationStats;
use crate::prefetch_stats::{PrefetchSkipCount, ServerPrefetchStats};
use crate::queue_stats::{PriorityStats, QueueStats};
use crate::servers::{ServerStats, ServerStatus};
use crate::snapshot::ServerWarning;
use crate::stats::{CacheEngineStats, ClassCacheStats, ClassStatsDetail, LoadTimeHistogram};
use crate::stats_baseline::CumulativeStats;
use greenroom_proxy::statistics::TodaySummary;
use greenroom_state::warnings::Warning;
use greenroom_sync::index::{GenerationReport, LibraryCost, LibraryReport};

const DOCUMENT: &str = include_str!("../../../../docs/metrics.md");
const DASHBOARD: &str = include_str!("../../../../docs/grafana.json");
const ALERTS: &str = include_str!("../../../../docs/alerts.yml");

/// A metric family as written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct MetricFamily {
    kind: String,
    unit: String,
    help: String,
    labels: BTreeSet<String>,
}

/// A library with a generation.
fn library() -> LibraryReport {
    let generation = GenerationReport { number: 1, taken_at_ms: 1, age_s: 1, items: 1, memory_bytes: 1 };
    LibraryReport {
        id: "home:3".into(),
        server: "home".into(),
        title: "Music".into(),
        contents: "music",
        state: "current",
        enabled: true,
        failure: None,
        items: BTreeMap::from([("track", 1)]),
        generation: Some(generation),
        last_diff: None,
        cost: LibraryCost::default(),
        builds: BTreeMap::from([("done", 1)]),
        progress: None,
    }
}

/// At least one of every metric.
fn everything() -> MetricsSnapshot {
    let queue = QueueStats { ranks: vec![PriorityStats { rank: "write", ..Default::default() }], ..Default::default() };
    let skipped = vec![PrefetchSkipCount { reason: "resting", count: 1 }];
    let server = ServerStats {
        name: "home".into(),
        state: ServerStatus::Well,
        queue,
        prefetch: ServerPrefetchStats { skipped, ..Default::default() },
        limits_reached: vec![("sockets", 1)],
        ..Default::default()
    };
    let app = AppStats { server: "home".into(), name: "App \"1\"\\\n".into(), ..Default::default() };
    let detail = ClassStatsDetail {
        misses: vec![("absent", 1)],
        loads: vec![("loaded", 1)],
        refusals: vec![("too-large", 1)],
        load_times: LoadTimeHistogram { buckets: vec![(0.1, 1), (f64::MAX, 0)], sum_s: 0.05 },
    };
    let class = ClassCacheStats { server: "home".into(), class: "sessions", detail, ..Default::default() };
    let engine = CacheEngineStats {
        classes: vec![class],
        disk: Some(DiskTierStats::default()),
        limits_reached: vec![("loads", 1)],
        ..Default::default()
    };
    let last = LastRun::new(1_000, 2_500, JobOutcome::Failed, "no answer".into());
    let job = jobs::JobReport {
        id: "history".into(),
        title: "History".into(),
        what: String::new(),
        every_s: Some(900),
        state: jobs::JobState::Running,
        next_ms: None,
        progress: None,
        last: Some(last),
        may_cancel: true,
    };
    // Two warnings of one code and one server are one sample.
    let warnings = ["music", "films"].map(|subject| {
        let warning = Warning { subject: Some(subject.into()), ..Warning::notice("library-off", "so", "do") };
        ServerWarning::new(Some("home"), warning)
    });
    MetricsSnapshot {
        stats: CumulativeStats { servers: vec![server], apps: vec![app], engine, warnings: warnings.into() },
        refused: vec![("token-wrong", 1)],
        matched: vec![("exact", 1)],
        matching_sizes: (1, 1),
        viewers: 1,
        sessions: 1,
        libraries: vec![library()],
        playlists: vec![("done", 1)],
        traces: vec![("sent", 1)],
        notifications: vec![NotificationStats { target: "phone".into(), delivered: 1, failed: 1, dropped: 1 }],
        spot_checks: vec![("home".into(), vec![("same", 1)])],
        statistics_dropped: 1,
        file_work_refused: vec![("history", 1)],
        jobs: vec![job],
        today: TodaySummary::default(),
    }
}

/// Label names in `{…}`; values may hold anything but a line end.
fn labels(braced: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = braced;
    while let Some((name, value)) = rest.split_once("=\"") {
        names.insert(name.trim_start_matches(',').to_owned());
        let end = value
            .match_indices('"')
            .find(|(at, _)| value[..*at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 0);
        rest = end.map_or("", |(at, _)| &value[at + 1..]);
    }
    names
}

/// All families by name, and the samples of each by name.
fn families(text: &str) -> (BTreeMap<String, MetricFamily>, BTreeMap<String, BTreeSet<String>>) {
    let (mut families, mut samples) = (BTreeMap::<String, MetricFamily>::new(), BTreeMap::new());
    let mut last = String::new();
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            let (name, help) = said.split_once(' ').expect("a help text");
            last = name.to_owned();
            assert!(
                families.insert(last.clone(), MetricFamily { help: help.into(), ..MetricFamily::default() }).is_none(),
                "{name}"
            );
        } else if let Some(said) = line.strip_prefix("# TYPE ") {
            let (name, kind) = said.split_once(' ').expect("a type");
            families.get_mut(name).expect("help comes first").kind = kind.into();
        } else if let Some(said) = line.strip_prefix("# UNIT ") {
            let (name, unit) = said.split_once(' ').expect("a unit");
            families.get_mut(name).expect("help comes first").unit = unit.into();
        } else if !line.starts_with('#') {
            let (name, braced) = match line.split_once('{') {
                Some((name, rest)) => (name, rest.rsplit_once('}').expect("it ends").0),
                None => (line.split_once(' ').expect("a value").0, ""),
            };
            let labels = labels(braced);
            families.get_mut(&last).expect("help comes first").labels.extend(labels.clone());
            samples.insert(name.to_owned(), labels);
        }
    }
    (families, samples)
}

#[test]
fn every_metric_has_a_sample_a_sentence_and_a_name_by_the_rules() {
    let (families, samples) = families(&write(everything()));
    assert!(families.len() > 70, "{}", families.len());
    for (name, family) in &families {
        assert!(name.starts_with("greenroom_") && !name.ends_with("_total"), "{name}");
        assert!(samples.keys().any(|sample| sample.starts_with(name)), "{name} has no sample");
        assert!(family.help.len() > 8, "{name}");
        assert!(!name.contains("_ms"), "{name}: times are seconds");
        for unit in ["seconds", "bytes"] {
            assert_eq!(name.ends_with(unit), family.unit == unit, "{name}");
        }
    }
    for (sample, labels) in &samples {
        assert!(labels.len() <= 3, "{sample}: {labels:?}");
    }
}

#[test]
fn the_documentation_lists_every_metric_as_it_is_written() {
    let (families, _) = families(&write(everything()));
    let mut table = String::from("| metric | type | labels | what it is |\n| --- | --- | --- | --- |\n");
    for (name, family) in &families {
        let suffix = match family.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let own = family.labels.iter().filter(|label| *label != "le").map(|label| format!("`{label}`"));
        let labels = own.collect::<Vec<_>>().join(" ");
        table.extend([format!("| `{name}{suffix}` | {} | {labels} | {} |\n", family.kind, family.help)]);
    }
    let (_, listed) = DOCUMENT.split_once("<!-- table -->\n").expect("the table begins");
    let (listed, _) = listed.split_once("<!-- end -->").expect("the table ends");
    assert!(listed == table, "docs/metrics.md should have this table:\n{table}");
}

/// Every metric in an expression, with the labels it selects by.
fn named(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let starts = expression.match_indices("greenroom_").map(|(at, _)| at);
    let metric = |at: usize| {
        let rest = &expression[at..];
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let braced = rest[end..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let asked = braced.map(|(inside, _)| {
            let labels = inside.split(',').filter(|one| !one.trim().is_empty());
            labels.map(|one| one.split(['=', '!']).next().unwrap_or_default().trim().to_owned()).collect()
        });
        (rest[..end].to_owned(), asked.unwrap_or_default())
    };
    starts.map(metric).collect()
}

/// The labels by which an expression groups.
fn grouped(expression: &str) -> BTreeSet<String> {
    let groups = ["by (", "on (", "by(", "on("].into_iter().flat_map(|word| expression.split(word).skip(1));
    let inside = groups.filter_map(|rest| rest.split_once(')')).flat_map(|(inside, _)| inside.split(','));
    inside.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect()
}

fn check(expression: &str) {
    let text = write(everything());
    let (_, open) = families(&text);
    let (_, older) = families(&classic(&text));
    assert_eq!(open, older, "both formats have the same samples");
    let metrics = named(expression);
    assert!(!metrics.is_empty(), "{expression} asks for nothing of ours");
    let mut known = BTreeSet::new();
    for (name, asked) in metrics {
        let labels = open.get(&name).unwrap_or_else(|| panic!("{name} does not exist: {expression}"));
        assert!(asked.is_subset(labels), "{name} has not all of {asked:?}: {expression}");
        known.extend(labels.iter().cloned());
    }
    let groups = grouped(expression);
    assert!(groups.is_subset(&known), "{groups:?} are no labels of these: {expression}");
    let depth = |open, close| expression.matches(open).count() == expression.matches(close).count();
    assert!(depth('(', ')') && depth('{', '}') && depth('[', ']'), "{expression}");
}

fn expressions<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "expr" || name == "query" && text.contains("greenroom_") => {
                        found.push(text);
                    }
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_only_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 39));
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    assert!(variables.iter().any(|one| one["type"] == "datasource" && one["query"] == "prometheus"));
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 25, "{}", found.len());
    for expression in found {
        check(expression);
    }
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "each has an id of its own");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", panel["title"]);
    }
}

#[test]
fn the_alerts_ask_only_for_what_there_is() {
    let mut count = 0;
    for line in ALERTS.lines() {
        if let Some(expression) = line.trim().strip_prefix("expr: ") {
            check(expression);
            count += 1;
        }
    }
    assert!(count >= 6 && ALERTS.matches("- alert: ").count() == count && ALERTS.matches("summary: ").count() == count);
}
