//! The documentation, the Grafana dashboard and the alerts agree with the metrics written.

use greenroom_cache::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::metrics::format::classic;
use crate::metrics::{MetricsSnapshot, write};
use greenroom_app_cache::AppCacheReport;
use greenroom_app_cache::counters::AppCacheCounts;
use greenroom_control::apps::AppStats;
use greenroom_control::disk::DiskTierStats;
use greenroom_control::prefetch_stats::{PrefetchSkipCount, ServerPrefetchStats};
use greenroom_control::queue_stats::{PriorityStats, QueueStats};
use greenroom_control::servers::{ServerStats, ServerStatus};
use greenroom_control::snapshot::ServerWarning;
use greenroom_control::stats::{CacheEngineStats, ClassCacheStats, ClassStatsDetail, LoadTimeHistogram};
use greenroom_control::stats_baseline::CumulativeStats;
use greenroom_folder::folder_status::{EnrichmentProgress, FolderCounters, FolderReport, FolderState, TreeWatchState};
use greenroom_jobs::{JobOutcome, JobReport, JobState, LastRun};
use greenroom_notifications::NotificationStats;
use greenroom_state::warnings::Warning;
use greenroom_statistics::TodaySummary;
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

/// A cache for apps.
fn app_cache() -> AppCacheReport {
    AppCacheReport {
        name: "worker".into(),
        entries: 1,
        bytes: 1,
        max_entries: 1,
        max_bytes: 1,
        max_value_bytes: 1,
        ttl_ms: None,
        stale_ms: 0,
        eviction: "none",
        pending: 1,
        counts: AppCacheCounts::default(),
    }
}

/// A folder of files.
fn folder() -> FolderReport {
    FolderReport {
        name: "comics".into(),
        path: "/srv/comics".into(),
        state: FolderState::Fresh,
        suspicion: None,
        problem: None,
        generation: 1,
        age_ms: Some(1),
        files: 1,
        progress: None,
        last_scan: None,
        enriched: EnrichmentProgress::default(),
        watch: TreeWatchState::Events,
        marks: Vec::new(),
        compat: false,
        counters: FolderCounters::default(),
    }
}

/// At least one of every metric.
fn full_snapshot() -> MetricsSnapshot {
    let queue = QueueStats { ranks: vec![PriorityStats { rank: "write", ..Default::default() }], ..Default::default() };
    let skipped = vec![PrefetchSkipCount { reason: "resting", count: 1 }];
    let server = ServerStats {
        name: "home".into(),
        state: ServerStatus::Well,
        queue,
        prefetch: ServerPrefetchStats { skipped, ..Default::default() },
        limits_reached: vec![("sockets", 1)],
        not_stored: vec![("no-store", 1)],
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
    let last = LastRun::new(
        Timestamp::from_millis(1_000),
        Timestamp::from_millis(2_500),
        JobOutcome::Failed,
        "no response".into(),
    );
    let job = JobReport {
        id: "history".into(),
        title: "History".into(),
        what: String::new(),
        every_s: Some(900),
        state: JobState::Running,
        next_ms: None,
        progress: None,
        last: Some(last),
        may_cancel: true,
    };
    // Two warnings of one code and one server are one sample.
    let warnings = ["music", "films"].map(|subject| {
        let warning = Warning { subject: Some(subject.into()), ..Warning::notice("library-off", "text", "remedy") };
        ServerWarning::new(Some("home"), warning)
    });
    MetricsSnapshot {
        stats: CumulativeStats { servers: vec![server], apps: vec![app], engine, warnings: warnings.into() },
        remote_store: Some(greenroom_remote_store::StoreStatus::default()),
        refused: vec![("token-wrong", 1)],
        matched: vec![("exact", 1)],
        matching_sizes: (1, 1),
        viewers: 1,
        sessions: 1,
        libraries: vec![library()],
        app_caches: vec![app_cache()],
        folders: vec![folder()],
        playlists: vec![("done", 1)],
        traces: vec![("sent", 1)],
        notifications: vec![NotificationStats { target: "phone".into(), delivered: 1, failed: 1, dropped: 1 }],
        spot_checks: vec![("home".into(), vec![("same", 1)])],
        statistics_dropped: 1,
        log_lines_dropped: 2,
        file_work_refused: vec![("history", 1)],
        jobs: vec![job],
        today: TodaySummary::default(),
    }
}

/// Label names in `{…}`; values may hold anything but a line end.
fn labels(label_text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = label_text;
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
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help text");
            last = name.to_owned();
            assert!(
                families.insert(last.clone(), MetricFamily { help: help.into(), ..MetricFamily::default() }).is_none(),
                "{name}"
            );
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            families.get_mut(name).expect("help comes first").kind = kind.into();
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').expect("a unit");
            families.get_mut(name).expect("help comes first").unit = unit.into();
        } else if !line.starts_with('#') {
            let (name, label_text) = match line.split_once('{') {
                Some((name, tail)) => (name, tail.rsplit_once('}').expect("a closing brace").0),
                None => (line.split_once(' ').expect("a value").0, ""),
            };
            let labels = labels(label_text);
            families.get_mut(&last).expect("help comes first").labels.extend(labels.clone());
            samples.insert(name.to_owned(), labels);
        }
    }
    (families, samples)
}

#[test]
fn every_metric_has_a_sample_a_help_text_and_a_conventional_name() {
    let (families, samples) = families(&write(full_snapshot()));
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
fn the_documentation_lists_every_metric() {
    let (families, _) = families(&write(full_snapshot()));
    let mut table = String::from("| metric | type | labels | what it is |\n| --- | --- | --- | --- |\n");
    for (name, family) in &families {
        let suffix = match family.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let label_names = family.labels.iter().filter(|label| *label != "le").map(|label| format!("`{label}`"));
        let labels = label_names.collect::<Vec<_>>().join(" ");
        table.extend([format!("| `{name}{suffix}` | {} | {labels} | {} |\n", family.kind, family.help)]);
    }
    let (_, documented) = DOCUMENT.split_once("<!-- table -->\n").expect("the table begins");
    let (documented, _) = documented.split_once("<!-- end -->").expect("the table ends");
    assert!(documented == table, "docs/metrics.md should have this table:\n{table}");
}

/// Every metric in an expression, with the labels it selects by.
fn metrics_in(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let starts = expression.match_indices("greenroom_").map(|(at, _)| at);
    let metric = |at: usize| {
        let rest = &expression[at..];
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let label_text = rest[end..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let selectors = label_text.map(|(inside, _)| {
            let labels = inside.split(',').filter(|item| !item.trim().is_empty());
            labels.map(|item| item.split(['=', '!']).next().unwrap_or_default().trim().to_owned()).collect()
        });
        (rest[..end].to_owned(), selectors.unwrap_or_default())
    };
    starts.map(metric).collect()
}

/// The labels by which an expression groups.
fn grouping_labels(expression: &str) -> BTreeSet<String> {
    let groups = ["by (", "on (", "by(", "on("].into_iter().flat_map(|word| expression.split(word).skip(1));
    let inside = groups.filter_map(|rest| rest.split_once(')')).flat_map(|(inside, _)| inside.split(','));
    inside.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect()
}

fn check(expression: &str) {
    let text = write(full_snapshot());
    let (_, open) = families(&text);
    let (_, classic_samples) = families(&classic(&text));
    assert_eq!(open, classic_samples, "both formats have the same samples");
    let metrics = metrics_in(expression);
    assert!(!metrics.is_empty(), "{expression} uses no metric of Greenroom");
    let mut known = BTreeSet::new();
    for (name, selectors) in metrics {
        let labels = open.get(&name).unwrap_or_else(|| panic!("{name} does not exist: {expression}"));
        assert!(selectors.is_subset(labels), "{name} has not all of {selectors:?}: {expression}");
        known.extend(labels.iter().cloned());
    }
    let groups = grouping_labels(expression);
    assert!(groups.is_subset(&known), "{groups:?} are not labels of these metrics: {expression}");
    let depth = |open, close| expression.matches(open).count() == expression.matches(close).count();
    assert!(depth('(', ')') && depth('{', '}') && depth('[', ']'), "{expression}");
}

fn expressions<'a>(value: &'a Value, expressions_found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "expr" || name == "query" && text.contains("greenroom_") => {
                        expressions_found.push(text);
                    }
                    _ => expressions(value, expressions_found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, expressions_found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_uses_only_existing_metrics() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("valid JSON");
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 39));
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    assert!(variables.iter().any(|item| item["type"] == "datasource" && item["query"] == "prometheus"));
    let mut expressions_found = Vec::new();
    expressions(&dashboard, &mut expressions_found);
    assert!(expressions_found.len() > 25, "{}", expressions_found.len());
    for expression in expressions_found {
        check(expression);
    }
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "panel ids are unique");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", panel["title"]);
    }
}

#[test]
fn the_alerts_use_only_existing_metrics() {
    let mut count = 0;
    for line in ALERTS.lines() {
        if let Some(expression) = line.trim().strip_prefix("expr: ") {
            check(expression);
            count += 1;
        }
    }
    assert!(count >= 6 && ALERTS.matches("- alert: ").count() == count && ALERTS.matches("summary: ").count() == count);
}
