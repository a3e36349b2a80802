//! Result of a sync, as text and exit code.

use serde_json::Value;

use super::super::{DONE, FAILED};

/// Some rows are missing from the library, or some accounts lack tracks.
const INCOMPLETE: u8 = 3;

/// Exit code for scripts.
pub(super) fn code(report: &Value) -> u8 {
    let count = |name: &str| report["counts"][name].as_u64().unwrap_or(0);
    let accounts = report["accounts"].as_array().cloned().unwrap_or_default();
    let stands = |account: &Value, word: &str| account["standing"] == word;
    if accounts.iter().any(|account| stands(account, "failed") || stands(account, "cancelled")) {
        return FAILED;
    }
    let lacks = |account: &Value| {
        stands(account, "nothing-found")
            || account["held_back"].as_u64().is_some_and(|kept| kept > 0)
            || account["not_visible"].as_array().is_some_and(|list| !list.is_empty())
    };
    let is_whole = count("missing") + count("ambiguous") + count("bad") == 0 && !accounts.iter().any(lacks);
    if is_whole { DONE } else { INCOMPLETE }
}

/// Result with every missing row.
pub(super) fn summary(report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let count = |name: &str| report["counts"][name].as_u64().unwrap_or(0);
    let mut head = format!(
        "{} on {}: {} of {} rows found",
        text(&report["name"]),
        text(&report["server"]),
        count("found") + count("version") + count("duplicate"),
        count("rows")
    );
    for (name, words) in [
        ("version", "as another version"),
        ("duplicate", "twice"),
        ("ambiguous", "uncertain"),
        ("missing", "missing"),
        ("bad", "unreadable"),
    ] {
        if count(name) > 0 {
            head = format!("{head}, {} {words}", count(name));
        }
    }
    let mut lines = vec![head];
    for account in report["accounts"].as_array().into_iter().flatten() {
        lines.push(format!("  {}", account_line(account)));
    }
    for warning in report["warnings"].as_array().into_iter().flatten() {
        lines.push(format!("  {}", text(warning)));
    }
    for row in report["rows"].as_array().into_iter().flatten() {
        if row["outcome"] == "missing" || row["outcome"] == "ambiguous" {
            lines.push(format!("  {}", row_line(row)));
        }
    }
    for bad in report["bad"].as_array().into_iter().flatten() {
        lines.push(format!("  unreadable: row {}: {}", bad["line"], text(&bad["message"])));
    }
    lines.join("\n") + "\n"
}

/// A row that was not found, with the nearest candidate.
fn row_line(row: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (outcome, artist, title) = (text(&row["outcome"]), text(&row["artist"]), text(&row["title"]));
    let best = &row["candidates"][0];
    let why = best["reasons"].as_array().and_then(|reasons| reasons.last()).map(text).unwrap_or_default();
    let nearest = if best.is_object() {
        format!(" (nearest: {} - {}: {why})", text(&best["artist"]), text(&best["title"]))
    } else {
        String::new()
    };
    format!("{outcome}: row {}: {artist} - {title}{nearest}", row["line"])
}

fn account_line(account: &Value) -> String {
    let whose = account["account"].as_str().unwrap_or("owner");
    let number = |name: &str| account[name].as_u64().unwrap_or(0);
    let changes = format!("{} added, {} removed, {} were there", number("added"), number("removed"), number("already"));
    let lost = account["not_visible"].as_array().map_or(0, Vec::len);
    let lost = if lost > 0 { format!("; {lost} are not visible to this account") } else { String::new() };
    match account["standing"].as_str().unwrap_or_default() {
        "written" => format!("{whose}: written, {changes}{lost}"),
        "unchanged" => format!("{whose}: nothing to do, {} tracks{lost}", number("length")),
        "planned" => {
            format!("{whose}: would be written with {} requests, {changes}{lost}", account["diff"]["writes"])
        }
        "nothing-found" => format!("{whose}: nothing was found, nothing was touched{lost}"),
        "cancelled" => format!("{whose}: cancelled; run it again to finish"),
        _ => format!("{whose}: {}", account["error"]["message"].as_str().unwrap_or("failed")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(missing: u64, accounts: &Value) -> Value {
        json!({"name": "Weekly", "server": "home",
            "counts": {"rows": 3, "found": 3 - missing, "version": 0, "ambiguous": 0, "missing": missing, "duplicate": 0, "bad": 0},
            "rows": [{"line": 4, "outcome": if missing > 0 { "missing" } else { "found" }, "artist": "A", "title": "T"}],
            "accounts": accounts, "warnings": [], "bad": []})
    }

    #[test]
    fn scripts_can_tell_how_it_ended() {
        let written = json!([{"standing": "written", "not_visible": []}]);
        assert_eq!(code(&report(0, &written)), DONE);
        assert_eq!(code(&report(1, &written)), INCOMPLETE);
        assert_eq!(code(&report(0, &json!([{"standing": "written", "not_visible": ["A - T"]}]))), INCOMPLETE);
        assert_eq!(code(&report(0, &json!([{"standing": "failed", "not_visible": []}]))), FAILED);
    }

    #[test]
    fn every_missing_row_is_told() {
        let text = summary(&report(1, &json!([{"standing": "unchanged", "length": 2}])));
        assert_eq!(
            text,
            "Weekly on home: 2 of 3 rows found, 1 missing\n  owner: nothing to do, 2 tracks\n  missing: row 4: A - T\n"
        );
    }
}
