//! Details of played items, which rows of a playback history lack: requested by key, several at once.

use serde_json::Value;

use super::json_value::{decimal, list, number, text};
use super::parsed;
use crate::request::ServerKind;
use crate::response_facts::UnusableResponse;

/// Jellyfin writes durations in units of 0.1 µs.
const TICKS_PER_MS: u64 = 10_000;

/// Details of one item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemDetails {
    /// The server's key of it.
    pub key: String,
    /// The key of its show or artist, which may have the genres and the studio that it lacks.
    pub grandparent_key: Option<String>,
    /// Release year.
    pub year: Option<u64>,
    /// Duration in milliseconds.
    pub duration_ms: Option<u64>,
    /// Rating, from 0 to 10.
    pub rating: Option<f64>,
    /// Age rating.
    pub content_rating: Option<String>,
    /// Studio, network or label.
    pub studio: Option<String>,
    /// Summary.
    pub summary: Option<String>,
    /// Genres.
    pub genres: Vec<String>,
}

impl ServerKind {
    /// Whether a text has the form of an item's key, and may become part of a target.
    pub fn is_item_key(self, key: &str) -> bool {
        match self {
            Self::Plex => !key.is_empty() && key.len() <= 20 && key.bytes().all(|byte| byte.is_ascii_digit()),
            Self::Jellyfin => key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()),
        }
    }

    /// Target of the details of the items with these keys; `None` if one of them is no key.
    pub fn item_details_target(self, keys: &[&str]) -> Option<String> {
        if keys.is_empty() || !keys.iter().all(|key| self.is_item_key(key)) {
            return None;
        }
        let keys = keys.join(",");
        Some(match self {
            Self::Plex => format!("/library/metadata/{keys}"),
            Self::Jellyfin => format!(
                "/Items?ids={keys}&fields=Genres,Studios,Overview&enableUserData=false&enableTotalRecordCount=false"
            ),
        })
    }

    /// Parses details; items the server does not have are missing.
    ///
    /// # Errors
    /// If the body is no list of items.
    pub fn item_details(self, body: &[u8]) -> Result<Vec<ItemDetails>, UnusableResponse> {
        let body = parsed(body)?;
        let details: Vec<ItemDetails> = match self {
            Self::Plex => {
                let container = body.get("MediaContainer").filter(|container| container.is_object());
                let container = container.ok_or(UnusableResponse::Malformed)?;
                list(container, "Metadata").iter().chain(list(container, "Directory")).map(plex).collect()
            }
            Self::Jellyfin => {
                let rows = body.get("Items").and_then(Value::as_array).ok_or(UnusableResponse::Malformed)?;
                rows.iter().map(jellyfin).collect()
            }
        };
        Ok(details.into_iter().filter(|details| !details.key.is_empty()).collect())
    }
}

fn plex(row: &Value) -> ItemDetails {
    ItemDetails {
        key: text(row, "ratingKey").unwrap_or_default(),
        grandparent_key: text(row, "grandparentRatingKey"),
        year: number(row, "year"),
        duration_ms: number(row, "duration"),
        rating: decimal(row, "rating").or_else(|| decimal(row, "audienceRating")),
        content_rating: text(row, "contentRating"),
        studio: text(row, "studio"),
        summary: text(row, "summary"),
        genres: list(row, "Genre").iter().filter_map(|genre| text(genre, "tag")).collect(),
    }
}

fn jellyfin(row: &Value) -> ItemDetails {
    let genres = row.get("Genres").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    ItemDetails {
        key: text(row, "Id").unwrap_or_default(),
        grandparent_key: text(row, "SeriesId"),
        year: number(row, "ProductionYear"),
        duration_ms: number(row, "RunTimeTicks").map(|ticks| ticks / TICKS_PER_MS),
        rating: decimal(row, "CommunityRating"),
        content_rating: text(row, "OfficialRating"),
        studio: list(row, "Studios").first().and_then(|studio| text(studio, "Name")),
        summary: text(row, "Overview"),
        genres: genres.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_details_of_several_items_are_read_at_once() {
        let body = json!({"MediaContainer": {"size": 2, "Metadata": [
            {"ratingKey": "7", "type": "movie", "year": 1999, "duration": 8_160_000, "rating": 8.7, "audienceRating": 9.1,
             "contentRating": "R", "studio": "Village", "summary": "A hacker.", "Genre": [{"tag": "Action"}, {"tag": "Sci-Fi"}]},
            {"ratingKey": 12, "type": "episode", "grandparentRatingKey": "10", "audienceRating": "7.5"},
            {"type": "movie", "title": "without a key"}
        ]}});
        let details = ServerKind::Plex.item_details(body.to_string().as_bytes()).expect("it is a list");
        let [film, episode] = &details[..] else { panic!("two items: {details:?}") };
        assert_eq!((film.year, film.duration_ms, film.rating), (Some(1999), Some(8_160_000), Some(8.7)));
        assert_eq!((film.content_rating.as_deref(), film.studio.as_deref()), (Some("R"), Some("Village")));
        assert_eq!((film.summary.as_deref(), film.genres.join("|")), (Some("A hacker."), "Action|Sci-Fi".to_owned()));
        assert_eq!((episode.key.as_str(), episode.grandparent_key.as_deref()), ("12", Some("10")));
        assert_eq!((episode.rating, episode.genres.len()), (Some(7.5), 0));
        let id = "0123456789abcdef0123456789abcdef";
        let body = json!({"Items": [{"Id": id, "Type": "Movie", "ProductionYear": 1999, "RunTimeTicks": 81_600_000_000_u64,
            "CommunityRating": 8.7, "OfficialRating": "R", "Studios": [{"Name": "Village"}], "Overview": "A hacker.",
            "Genres": ["Action", "Sci-Fi"]}]});
        let details = ServerKind::Jellyfin.item_details(body.to_string().as_bytes()).expect("it is a list");
        assert_eq!(details, [ItemDetails { key: id.to_owned(), ..film.clone() }]);
    }

    #[test]
    fn only_keys_become_part_of_a_target() {
        assert_eq!(ServerKind::Plex.item_details_target(&["7", "12"]).as_deref(), Some("/library/metadata/7,12"));
        for keys in [&["7", "1/../2"][..], &["7?x=1"], &[""], &[], &["0123456789abcdef0123456789abcdef"]] {
            assert_eq!(ServerKind::Plex.item_details_target(keys), None, "{keys:?}");
        }
        let id = "0123456789abcdef0123456789abcdef";
        let target = ServerKind::Jellyfin.item_details_target(&[id, id]).expect("both are keys");
        assert!(target.starts_with(&format!("/Items?ids={id},{id}&fields=Genres,Studios,Overview&")), "{target}");
        assert_eq!(ServerKind::Jellyfin.item_details_target(&[id, "7"]), None);
    }

    #[test]
    fn a_body_that_is_no_list_has_no_details() {
        for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
            for body in ["", "<html>", "7", "{\"MediaContainer\": 3}", "[]"] {
                assert!(kind.item_details(body.as_bytes()).is_err(), "{body}");
            }
        }
    }
}
