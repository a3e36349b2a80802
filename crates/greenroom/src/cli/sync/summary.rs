//! Result of a sync, as text and exit code.

use serde_json::Value;

use super::super::{FAILURE, SUCCESS};

/// Some rows are missing from the library, or some accounts lack tracks.
const INCOMPLETE: u8 = 3;
/// The server is scanning its files: the sync runs again by itself once that has ended.
const NOT_YET: u8 = 4;

/// Exit code for scripts.
pub(super) fn code(report: &Value) -> u8 {
    let count = |name: &str| report["counts"][name].as_u64().unwrap_or(0);
    let accounts = report["accounts"].as_array().cloned().unwrap_or_default();
    let has_standing = |account: &Value, standing: &str| account["standing"] == standing;
    if accounts.iter().any(|account| has_standing(account, "failed") || has_standing(account, "cancelled")) {
        return FAILURE;
    }
    let is_incomplete = |account: &Value| {
        has_standing(account, "nothing-found")
            || account["held_back"].as_u64().is_some_and(|count_| count_ > 0)
            || account["not_visible"].as_array().is_some_and(|list| !list.is_empty())
    };
    if report["is_changing"] == true {
        return NOT_YET;
    }
    let is_complete = count("missing") + count("ambiguous") + count("bad") == 0 && !accounts.iter().any(is_incomplete);
    if is_complete { SUCCESS } else { INCOMPLETE }
}

/// Result with every missing row.
pub(super) fn summary(report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let count = |name: &str| report["counts"][name].as_u64().unwrap_or(0);
    let mut heading = format!(
        "{} on {}: {} of {} rows found",
        text(&report["name"]),
        text(&report["server"]),
        count("found") + count("version") + count("duplicate"),
        count("rows") + count("bad")
    );
    for (name, label) in [
        ("version", "as another version"),
        ("duplicate", "duplicate"),
        ("ambiguous", "to review"),
        ("missing", "not found"),
        ("not_yet", "not yet there"),
        ("bad", "unreadable"),
    ] {
        if count(name) > 0 {
            heading = format!("{heading}, {} {label}", count(name));
        }
    }
    let mut lines = vec![heading];
    // What is not UTF-8 was recognised by its words.
    if let Some(encoding) = report["encoding"].as_str().filter(|name| !matches!(*name, "utf-8" | "")) {
        lines.push(format!("  read as {encoding}"));
    }
    for account in report["accounts"].as_array().into_iter().flatten() {
        lines.push(format!("  {}", account_line(account)));
    }
    for warning in report["warnings"].as_array().into_iter().flatten() {
        lines.push(format!("  {}", text(warning)));
    }
    // In files of lines a row's number is that of its line, which may be greater than the number of rows.
    let last = report["rows"].as_array().into_iter().flatten().filter_map(|row| row["line"].as_u64()).max();
    let unit = if last > Some(count("rows") + count("bad")) { "line" } else { "row" };
    for row in report["rows"].as_array().into_iter().flatten() {
        if matches!(row["outcome"].as_str(), Some("missing" | "not-yet" | "ambiguous")) {
            lines.push(format!("  {}", row_line(row, unit)));
        }
    }
    for bad in report["bad"].as_array().into_iter().flatten() {
        lines.push(format!("  unreadable: {unit} {}: {}", bad["line"], text(&bad["message"])));
    }
    lines.join("\n") + "\n"
}

/// A row that was not found, with the nearest candidate.
fn row_line(row: &Value, unit: &str) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (artist, title) = (text(&row["artist"]), text(&row["title"]));
    let outcome = match row["outcome"].as_str() {
        Some("ambiguous") => "review",
        Some("not-yet") => "not yet there",
        _ => "not found",
    };
    let candidate = &row["candidates"][0];
    let reason = candidate["reasons"].as_array().and_then(|reasons| reasons.last()).map(text).unwrap_or_default();
    let nearest = if candidate.is_object() {
        let (artist, title, key) = (text(&candidate["artist"]), text(&candidate["title"]), text(&candidate["key"]));
        format!(" (nearest: {key} {artist} - {title}: {reason})")
    } else {
        String::new()
    };
    format!("{outcome}: {unit} {}: {artist} - {title}{nearest}", row["line"])
}

fn account_line(account: &Value) -> String {
    let name = account["account"].as_str().unwrap_or("owner");
    let number = |name: &str| account[name].as_u64().unwrap_or(0);
    let changes =
        format!("{} added, {} removed, {} already there", number("added"), number("removed"), number("already"));
    let not_visible = account["not_visible"].as_array().map_or(0, Vec::len);
    let not_visible =
        if not_visible > 0 { format!("; {not_visible} are not visible to this account") } else { String::new() };
    match account["standing"].as_str().unwrap_or_default() {
        "written" => format!("{name}: written, {changes}{not_visible}"),
        "unchanged" => format!("{name}: nothing to do, {} tracks{not_visible}", number("length")),
        "planned" => {
            let requests = planned(&account["diff"]["requests"]);
            format!(
                "{name}: would be written with {} requests ({requests}), {changes}{not_visible}",
                account["diff"]["writes"]
            )
        }
        "nothing-found" => format!("{name}: no track was found, nothing was changed{not_visible}"),
        "cancelled" => format!("{name}: cancelled; run it again to finish"),
        _ => format!("{name}: {}", account["error"]["message"].as_str().unwrap_or("failed")),
    }
}

/// The requests of a dry run, such as `1 create, 3 add`.
fn planned(requests: &Value) -> String {
    let one = |planned: &Value| format!("{} {}", planned["requests"], planned["action"].as_str().unwrap_or_default());
    requests.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(", ")
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
    fn exit_codes_tell_scripts_how_a_run_ended() {
        let written = json!([{"standing": "written", "not_visible": []}]);
        assert_eq!(code(&report(0, &written)), SUCCESS);
        assert_eq!(code(&report(1, &written)), INCOMPLETE);
        let mut changing = report(1, &written);
        changing["is_changing"] = json!(true);
        assert_eq!(code(&changing), NOT_YET);
        assert_eq!(code(&report(0, &json!([{"standing": "written", "not_visible": ["A - T"]}]))), INCOMPLETE);
        assert_eq!(code(&report(0, &json!([{"standing": "failed", "not_visible": []}]))), FAILURE);
    }

    #[test]
    fn every_missing_row_is_printed() {
        let text = summary(&report(1, &json!([{"standing": "unchanged", "length": 2}])));
        assert_eq!(
            text,
            "Weekly on home: 2 of 3 rows found, 1 not found\n  owner: nothing to do, 2 tracks\n  not found: line 4: A - T\n"
        );
    }
}
