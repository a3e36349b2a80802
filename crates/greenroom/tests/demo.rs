//! The demo as a user runs it: the built program, a short evening, and its last line.

use std::process::Command;

use serde_json::Value;

/// A short evening with small libraries, fast enough for a test and slow enough for a busy machine.
const EVENING: [&str; 14] = [
    "demo",
    "--once",
    "--json",
    "--minutes",
    "5",
    "--time-factor",
    "30",
    "--films",
    "250",
    "--shows",
    "20",
    "--tracks",
    "1000",
    "--seed=3",
];

fn app<'a>(comparison: &'a Value, name: &str) -> &'a Value {
    let apps = comparison["apps"].as_array().expect("a list of apps");
    let found = apps.iter().find(|app| app["name"].as_str().is_some_and(|said| said.contains(name)));
    found.unwrap_or_else(|| panic!("no app is called {name}: {comparison}"))
}

fn number(value: &Value) -> u32 {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.unwrap_or_else(|| panic!("not a count: {value}"))
}

/// Percentage of requests that no longer reached the server.
fn saved(app: &Value) -> f64 {
    let upstream = |side: &str| f64::from(number(&app[side]["upstream_requests"]));
    (1.0 - upstream("through") / upstream("direct")) * 100.0
}

fn play(more: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    let output = command.args(EVENING).args(more).output().expect("the program runs");
    let printed = String::from_utf8(output.stdout).expect("the program prints text");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let last = printed.lines().last().unwrap_or_else(|| panic!("nothing was printed: {told}"));
    println!("{printed}");
    serde_json::from_str(last).unwrap_or_else(|error| panic!("the last line is no JSON ({error}): {last}"))
}

#[test]
fn a_short_evening_reaches_the_servers_far_less_often() {
    let comparison = play(&[]);
    assert_eq!(comparison["time_factor"], Value::from(30.0));
    let apps = comparison["apps"].as_array().expect("a list of apps");
    let mut least = f64::NEG_INFINITY;
    for app in apps {
        let (direct, through) = (&app["direct"], &app["through"]);
        if app["name"] != "playlist tool" {
            assert_eq!(direct["requests"], through["requests"], "the evening is the same both ways: {app}");
        }
        assert_eq!(direct["requests"], direct["upstream_requests"], "every direct request is counted: {app}");
        assert_eq!((number(&direct["failed"]), number(&through["failed"])), (0, 0), "{app}");
        assert!(number(&direct["requests"]) > 0, "{app}");
        // Whose a Jellyfin's token is, is asked once.
        let is_one_more = number(&through["upstream_requests"]) == number(&direct["upstream_requests"]) + 1;
        assert!(saved(app) >= -3.0 || is_one_more, "nobody asks for more than without Greenroom: {app}");
        assert!(saved(app) >= least, "what gains least comes first: {comparison}");
        least = saved(app);
    }
    // The evening runs thirty times faster than real time, and so do a loaded machine's delays: the asserted figures
    // are far below those of a quiet one.
    assert!(saved(app(&comparison, "dashboard")) >= 75.0, "{comparison}");
    assert!(saved(app(&comparison, "widget")) >= 25.0, "{comparison}");
    assert!(saved(app(&comparison, "second visit")) >= 90.0, "{comparison}");
    let playlist = &comparison["playlist"];
    assert!(number(&playlist["direct"]["tracks"]) > 200, "{comparison}");
    let (searched, handed_over) = (number(&playlist["direct"]["tracks"]), number(&playlist["through"]["tracks"]));
    // The searching tool misses a title or two; tracks that do not exist are in neither playlist.
    assert!((searched..searched + 5).contains(&handed_over), "{comparison}");
    assert!(saved(app(&comparison, "playlist")) >= 90.0, "{comparison}");
    let restart = &comparison["restart"];
    assert!(number(&restart["direct"]["requests"]) > 100, "{comparison}");
    assert_eq!(restart["direct"]["requests"], restart["through"]["requests"], "{comparison}");
    assert_eq!(number(&restart["through"]["failed"]), 0, "{comparison}");
    assert!(saved(restart) >= 40.0, "what was kept is there after the restart: {comparison}");
    let totals = &comparison["totals"];
    assert!(2 * number(&totals["through"]) <= number(&totals["direct"]), "{comparison}");
    let by_apps: u32 = apps.iter().map(|app| number(&app["through"]["upstream_requests"])).sum();
    assert_eq!(by_apps + number(&totals["own"]), number(&totals["through"]), "nothing goes uncounted: {comparison}");
    let outage = &comparison["outage"];
    assert!(number(&outage["direct"]["reads"]) > 100, "{comparison}");
    assert_eq!(outage["direct"]["reads"], outage["direct"]["failed"], "{comparison}");
    assert_eq!(outage["through"]["reads"], outage["direct"]["reads"], "{comparison}");
    assert_eq!(number(&outage["through"]["failed"]), 0, "{comparison}");
}

#[test]
fn what_observing_foretells_is_what_the_cache_saves() {
    let foresight = play(&["--observe"]);
    let totals = &foresight["totals"];
    let percent = |name: &str| foresight[name].as_f64().expect("a number");
    assert!((percent("foretold_percent") - percent("saved_percent")).abs() <= 3.0, "{foresight}");
    assert!(percent("saved_percent") > 40.0, "{foresight}");
    assert_eq!(number(&totals["differed"]), 0, "every difference has a rule that explains it: {foresight}");
    assert!(number(&totals["compared"]) > 1_000, "{foresight}");
    let (asked, reached) = (number(&foresight["asked"]), number(&foresight["reached_observing"]));
    assert!((asked..asked + 20).contains(&reached), "nobody asks more than the apps and the events: {foresight}");
}

#[test]
fn a_senseless_time_factor_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_greenroom")).args(["demo", "--time-factor", "0"]).output();
    let output = output.expect("the program runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("from 1 to 1000"));
}
