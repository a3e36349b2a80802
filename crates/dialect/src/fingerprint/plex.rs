//! Plex: per section the counts of unwatched and started items, and what was viewed and rated last.

use serde_json::{Map, Value};

use crate::changed_since::ChangeCounter;
use crate::plex::notification::{each, text};
use crate::response_facts::UnusableResponse;

const COLLECTION: u8 = 18;

pub(super) fn targets(section: &ChangeCounter) -> Vec<String> {
    // Only items at the bottom are played; every kind can be rated.
    let kinds: Vec<u8> = section.types.iter().copied().filter(|kind| *kind != COLLECTION).collect();
    let Some(played) = kinds.last() else { return Vec::new() };
    let list = |rest: String, size: u8| {
        let section = &section.section;
        format!("/library/sections/{section}/all?{rest}&X-Plex-Container-Start=0&X-Plex-Container-Size={size}")
    };
    let mut targets = vec![
        list(format!("type={played}&unwatched=1"), 0),
        list(format!("type={played}&inProgress=1"), 0),
        list(format!("type={played}&sort=lastViewedAt%3Adesc"), 1),
    ];
    targets.extend(kinds.iter().map(|kind| list(format!("type={kind}&sort=lastRatedAt%3Adesc"), 1)));
    targets
}

pub(super) fn part(body: &[u8]) -> Result<String, UnusableResponse> {
    let mut envelope: Map<String, Value> = serde_json::from_slice(body).map_err(|_| UnusableResponse::Malformed)?;
    let container = match envelope.remove("MediaContainer") {
        Some(Value::Object(container)) if container.contains_key("startState") => {
            return Err(UnusableResponse::Starting);
        }
        Some(Value::Object(container)) => container,
        _ => return Err(UnusableResponse::Malformed),
    };
    let total = text(&container, "totalSize").or_else(|| text(&container, "size"));
    let total = total.ok_or(UnusableResponse::Malformed)?;
    let mut rows = each(&container, "Metadata").chain(each(&container, "Directory"));
    Ok(match rows.next() {
        Some(row) => {
            let fields = ["ratingKey", "lastViewedAt", "viewCount", "lastRatedAt", "userRating"];
            let values = fields.map(|name| text(row, name).unwrap_or_default());
            // Without a date nothing was ever viewed or rated, and the server may list any item first.
            if values[1].is_empty() && values[3].is_empty() { "never".to_owned() } else { values.join(" ") }
        }
        None => total,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plays_are_asked_for_at_the_bottom_and_ratings_at_every_level() {
        let music = ChangeCounter { section: "5".into(), value: String::new(), types: &[8, 9, 10, 18] };
        let targets = targets(&music);
        assert_eq!(targets.len(), 6);
        assert_eq!(
            targets[0],
            "/library/sections/5/all?type=10&unwatched=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0"
        );
        assert!(targets[2].contains("sort=lastViewedAt%3Adesc"), "{}", targets[2]);
        assert!(super::targets(&ChangeCounter { types: &[], ..music }).is_empty());
    }

    #[test]
    fn a_count_or_the_last_view_is_a_part() {
        let none = br#"{"MediaContainer":{"size":0,"totalSize":33,"librarySectionID":2}}"#;
        assert_eq!(part(none).unwrap(), "33");
        let row = r#"{"MediaContainer":{"size":1,"totalSize":9,"Metadata":[{"ratingKey":"7","lastViewedAt":5}]}}"#;
        assert_eq!(part(row.as_bytes()).unwrap(), "7 5   ");
        let never = row.replace("lastViewedAt", "addedAt");
        assert_eq!(part(never.as_bytes()).unwrap(), "never");
    }
}
