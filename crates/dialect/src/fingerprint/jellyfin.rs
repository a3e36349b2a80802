//! Jellyfin: the counts of unplayed, favourite, resumable, liked and disliked items, and what was played last.

use serde::Deserialize;

use crate::response_facts::UnusableResponse;

/// Filters whose counts are parts of the fingerprint.
const COUNTED: [&str; 5] = ["IsUnplayed", "IsFavorite", "IsResumable", "Likes", "Dislikes"];

pub(super) fn targets(account: &str) -> Option<Vec<String>> {
    if account.is_empty() || !account.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return None;
    }
    let list = |rest: String| format!("/Items?userId={account}&recursive=true&enableImages=false{rest}");
    let counts = COUNTED.iter().map(|filter| list(format!("&filters={filter}&limit=0&enableTotalRecordCount=true")));
    let newest = "&sortBy=DatePlayed&sortOrder=Descending&limit=1&enableUserData=true&enableTotalRecordCount=false";
    Some(counts.chain([list(newest.to_owned())]).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    items: Vec<Row>,
    /// Not counted where one item is asked for.
    total_record_count: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    id: String,
    user_data: Option<UserData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserData {
    last_played_date: Option<String>,
    #[serde(default)]
    playback_position_ticks: i64,
    #[serde(default)]
    play_count: i64,
    #[serde(default)]
    played: bool,
}

pub(super) fn part(body: &[u8]) -> Result<String, UnusableResponse> {
    let page: Page = serde_json::from_slice(body).map_err(|_| UnusableResponse::Malformed)?;
    Ok(match page.items.first() {
        Some(row) => {
            let played = row.user_data.as_ref().and_then(|data| Some((data, data.last_played_date.as_deref()?)));
            // Without a date nothing was ever played, and the server may list any item first. A stop moves the position,
            // but not the date.
            let text = |(data, date): (&UserData, &str)| {
                let UserData { playback_position_ticks, play_count, played, .. } = data;
                format!("{}@{date} {playback_position_ticks} {play_count} {played}", row.id)
            };
            played.map_or_else(|| "never".to_owned(), text)
        }
        None => page.total_record_count.ok_or(UnusableResponse::Malformed)?.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYED: &str = r#"{"Items":[{"Name":"Song","Id":"31588c50f7fc365badbe2b3ecde71f18","Type":"Audio",
        "UserData":{"PlayCount":1,"IsFavorite":false,"LastPlayedDate":"2026-01-02T03:04:05.6Z","Played":true}}],
        "TotalRecordCount":0,"StartIndex":0}"#;

    #[test]
    fn five_counts_and_the_last_play_are_asked_for() {
        let targets = targets("f0ab").unwrap();
        assert_eq!(targets.len(), 6);
        assert_eq!(
            targets[0],
            "/Items?userId=f0ab&recursive=true&enableImages=false&filters=IsUnplayed&limit=0&enableTotalRecordCount=true"
        );
        assert!(targets[5].contains("sortBy=DatePlayed") && targets[5].contains("limit=1"), "{}", targets[5]);
        assert_eq!(super::targets("a&b"), None, "no account has such an id");
    }

    #[test]
    fn a_count_or_the_last_play_is_a_part() {
        assert_eq!(part(br#"{"Items":[],"TotalRecordCount":14,"StartIndex":0}"#).unwrap(), "14");
        assert_eq!(
            part(PLAYED.as_bytes()).unwrap(),
            "31588c50f7fc365badbe2b3ecde71f18@2026-01-02T03:04:05.6Z 0 1 true"
        );
        let never = PLAYED.replace("LastPlayedDate", "Other");
        assert_eq!(part(never.as_bytes()).unwrap(), "never");
    }
}
