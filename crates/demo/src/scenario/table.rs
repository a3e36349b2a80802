//! The comparison as text.

use std::fmt::Write as _;

use super::comparison::{AppComparison, DemoComparison, PlaylistResult, ReadCounts};
use super::race_verdict::grouped;

/// Two header lines: groups of columns, and columns.
const HEADINGS: [[&str; 10]; 2] = [
    ["", "", "sent to server", "", "", "p50 ms", "", "p95 ms", "", "failed"],
    ["app", "requests", "direct", "through", "saved", "direct", "through", "direct", "through", "direct/through"],
];
/// Columns of text; all others are numbers and right-aligned.
const TEXT_COLUMNS: usize = 1;
const GAP: &str = "  ";

/// The whole report: table, outage, totals, and a note on the milliseconds. `writes` is the number of writes among the
/// requests through Greenroom.
pub(super) fn render(comparison: &DemoComparison, writes: u64) -> String {
    let mut rows: Vec<Vec<String>> = HEADINGS.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
    rows.extend(comparison.apps.iter().chain([&comparison.restart]).map(row));
    let mut text = align(&rows);
    let totals = comparison.totals;
    let outage = comparison.outage;
    let playlist = comparison.playlist.map(|playlist| {
        let kept = |kept: PlaylistResult| format!("{} tracks in {:.0} s", kept.tracks, kept.took_s);
        format!(
            "playlist of {} tracks: {} by searching the server; handed to Greenroom {}",
            playlist.wanted,
            kept(playlist.direct),
            kept(playlist.through)
        )
    });
    let lines = [
        String::new(),
        "right after a restart: all apps read on for a minute, which belongs to no other line".to_owned(),
        format!(
            "whole evening: {} requests sent to the servers directly, {} through Greenroom: {:.1} % fewer",
            totals.direct,
            totals.through,
            comparison.saved()
        ),
        format!("  of these {writes} were writes, which always pass"),
        format!("  of these {} were Greenroom's own: events, and what belongs to no app", totals.own),
        format!(
            "servers down for a minute: {}; through Greenroom {}",
            failures(outage.direct),
            failures(outage.through)
        ),
        format!(
            "time ran {} times faster for servers, apps and Greenroom alike; milliseconds are those of that time,",
            comparison.time_factor
        ),
        format!(
            "  in which a wait that this machine rounds up by 1 ms counts {} ms more: see --time-factor 1 for true ones",
            comparison.time_factor
        ),
    ];
    for line in lines.into_iter().chain(playlist) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The result in one sentence.
pub(super) fn sentence(comparison: &DemoComparison) -> String {
    let (totals, outage) = (comparison.totals, comparison.outage);
    format!(
        "In the evening {} requests were sent to the servers directly and {} through Greenroom: {:.1} % fewer. While the \
         servers were down for a minute, {} directly and {} through Greenroom.",
        grouped(totals.direct),
        grouped(totals.through),
        comparison.saved(),
        failures(outage.direct),
        failures(outage.through)
    )
}

fn failures(reads: ReadCounts) -> String {
    format!("{} of {} reads failed", reads.failed, reads.reads)
}

fn row(app: &AppComparison) -> Vec<String> {
    vec![
        app.name.clone(),
        app.direct.requests.to_string(),
        app.direct.upstream_requests.to_string(),
        app.through.upstream_requests.to_string(),
        format!("{:.1} %", app.saved()),
        format!("{:.1}", app.direct.p50_ms),
        format!("{:.1}", app.through.p50_ms),
        format!("{:.1}", app.direct.p95_ms),
        format!("{:.1}", app.through.p95_ms),
        format!("{}/{}", app.direct.failed, app.through.failed),
    ]
}

/// Rows as lines: the first column is text, all others are right-aligned numbers.
pub fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(column, (cell, width))| {
                    if column < TEXT_COLUMNS { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        text.push_str(cells.join(GAP).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::comparison::tests::{app, comparison};
    use super::*;

    #[test]
    fn columns_stand_under_their_headings() {
        let text = render(&comparison(vec![app("a long name of an app", 12_345, 6), app("b", 7, 7)]), 2);
        let lines: Vec<&str> = text.lines().collect();
        let end_of = |line: &str, word: &str| line.find(word).map(|at| at + word.len());
        assert_eq!(end_of(lines[1], "requests"), end_of(lines[3], "12345"));
        assert_eq!(end_of(lines[1], "saved"), end_of(lines[2], "0.0 %"));
        assert!(lines[2].starts_with('b'), "{text}");
        assert!(lines[4].starts_with("right after a restart") && lines[4].contains("92.5 %"), "{text}");
    }

    #[test]
    fn the_report_says_what_happened_in_the_outage_and_how_time_ran() {
        let text = render(&comparison(vec![app("a", 4, 1)]), 2);
        assert!(text.contains("9 of 9 reads failed; through Greenroom 0 of 9 reads failed"), "{text}");
        assert!(
            text.contains("200 requests sent to the servers directly, 50 through Greenroom: 75.0 % fewer"),
            "{text}"
        );
        assert!(text.contains("3 were Greenroom's own"), "{text}");
        assert!(text.contains("2 were writes"), "{text}");
        assert!(text.contains("30 times faster"), "{text}");
    }

    #[test]
    fn the_outcome_is_told_in_one_breath() {
        let text = sentence(&comparison(vec![app("a", 4, 1)]));
        assert!(
            text.contains("200 requests were sent to the servers directly and 50 through Greenroom: 75.0 % fewer"),
            "{text}"
        );
        assert!(text.contains("9 of 9 reads failed directly and 0 of 9 reads failed through Greenroom"), "{text}");
    }
}
