//! Rows (items and libraries) of a response, with the few fields that the probe set needs.

use serde_json::Value;

/// Max rows of one kind in a response from which further reads are derived.
const MAX_ROWS: usize = 6;

/// A row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ProbeRow {
    /// Its id.
    pub(super) id: String,
    /// Type of the row, as the server names it; of a Plex library `section/` and its type.
    pub(super) kind: String,
    /// Paths (Plex) or tags (Jellyfin) of its pictures.
    pub(super) pictures: Vec<String>,
}

/// The first `MAX_ROWS` rows of each kind, from the response's known containers.
pub(super) fn first_rows(body: &Value) -> Vec<ProbeRow> {
    let mut rows = Vec::new();
    gather(body, &mut rows, 0);
    rows
}

fn gather(value: &Value, rows: &mut Vec<ProbeRow>, depth: usize) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| gather(value, rows, depth)),
        Value::Object(fields) => {
            if let Some(row) = row(value) {
                if rows.iter().filter(|other| other.kind == row.kind).count() < MAX_ROWS {
                    rows.push(row);
                }
            } else if depth < 4 {
                for (name, inner) in fields {
                    if matches!(
                        name.as_str(),
                        "MediaContainer" | "Metadata" | "Directory" | "Hub" | "Items" | "SearchHints"
                    ) {
                        gather(inner, rows, depth + 1);
                    }
                }
            }
        }
        _ => {}
    }
}

fn row(value: &Value) -> Option<ProbeRow> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = text("type").or_else(|| text("Type"))?;
    // Items of a Plex server have a rating key, its sections only a numeric key. Other keys are paths.
    let section = || text("key").filter(|key| key.bytes().all(|byte| byte.is_ascii_digit()));
    let id = text("ratingKey").or_else(|| text("Id")).or_else(section)?;
    let is_section = value.get("ratingKey").is_none() && value.get("Id").is_none();
    let kind = if is_section { format!("section/{kind}") } else { kind };
    let mut pictures: Vec<String> = ["thumb", "art"].into_iter().filter_map(text).collect();
    if let Some(tag) = value.pointer("/ImageTags/Primary").and_then(Value::as_str) {
        pictures.push(tag.to_owned());
    }
    Some(ProbeRow { id, kind, pictures }).filter(|row| !row.id.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_found_in_both_dialects_and_below_hubs() {
        let plex = json!({"MediaContainer": {"Directory": [{"key": "1", "type": "movie"}, {"key": "/x", "type": "show"}],
            "Hub": [{"hubKey": "x", "Metadata": [{"ratingKey": "5", "type": "movie", "thumb": "/t"}]}]}});
        let kinds: Vec<(String, String)> = first_rows(&plex).into_iter().map(|row| (row.id, row.kind)).collect();
        assert_eq!(kinds, [("1".into(), "section/movie".into()), ("5".into(), "movie".into())]);
        let jellyfin = json!({"Items": [{"Id": "a", "Type": "Movie", "ImageTags": {"Primary": "t"}}]});
        assert_eq!(
            first_rows(&jellyfin),
            [ProbeRow { id: "a".into(), kind: "Movie".into(), pictures: vec!["t".into()] }]
        );
    }

    #[test]
    fn only_the_first_probes_of_a_category_are_followed() {
        let many: Vec<Value> = (0..50).map(|id| json!({"Id": id.to_string(), "Type": "Movie"})).collect();
        assert_eq!(first_rows(&json!(many)).len(), MAX_ROWS);
    }
}
