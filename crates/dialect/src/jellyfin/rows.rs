//! Streaming parser for the rows of a response: one pass, no tree.
//!
//! Both JSON profiles are understood: a name's first letter may be of either case. Only rows count: ids of
//! people, media sources and other nested objects are skipped.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::guid;

/// Max rows stored; further ones are only counted.
pub(super) const MAX_REMEMBERED: usize = 10_000;

/// Longest id in bytes; longer ones are ignored. The server's have 32 digits.
const MAX_ID_BYTES: usize = 64;

/// The relevant fields of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct JellyfinRow {
    pub(super) id: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) season: Option<String>,
    pub(super) series: Option<String>,
    pub(super) album: Option<String>,
    pub(super) parent: Option<String>,
    /// Music only: all related artists, in whatever role.
    pub(super) artists: Vec<String>,
    pub(super) state: Option<String>,
    /// Tasks only: the task's key.
    pub(super) key: Option<String>,
    /// Libraries only: the kind of their items.
    pub(super) collection_type: Option<String>,
    /// Ids of its versions, if it has several.
    pub(super) versions: Vec<String>,
    /// Sessions only: further users.
    pub(super) companions: Vec<String>,
    /// Whether it shows user state.
    pub(super) has_user_data: bool,
    /// Whether its user state counts other items.
    pub(super) has_counts: bool,
    /// Running time in ticks, if it has one.
    pub(super) run_time: u64,
}

impl JellyfinRow {
    /// Whether it is of one of these kinds.
    pub(super) fn is_any(&self, kinds: &[&str]) -> bool {
        self.kind.as_deref().is_some_and(|kind| kinds.contains(&kind))
    }
}

/// All rows of a response.
#[derive(Debug, Default)]
pub(super) struct JellyfinRows {
    /// The stored rows in their order; a single object is a row too.
    pub(super) rows: Vec<JellyfinRow>,
    /// Number of rows.
    pub(super) count: usize,
    /// Whether the body is a list, or holds one under the name lists have.
    pub(super) is_list: bool,
    /// Total of the whole list, if the body is a page and has one.
    pub(super) total: Option<u64>,
    /// Sum of the counts by kind.
    pub(super) counted: u64,
    /// Ids of all entries of a playlist.
    pub(super) entries: Option<Vec<String>>,
}

/// Parses a whole body.
///
/// # Errors
/// If it is not JSON, or neither an object nor a list.
pub(super) fn read(body: &[u8]) -> Result<JellyfinRows, serde_json::Error> {
    let mut rows = JellyfinRows::default();
    let mut text = serde_json::Deserializer::from_slice(body);
    Node(&mut rows).deserialize(&mut text)?;
    text.end()?;
    Ok(rows)
}

/// An object or a list of objects.
struct Node<'a>(&'a mut JellyfinRows);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.is_list = true;
        while list.next_element_seed(Element(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut row = JellyfinRow::default();
        while let Some(name) = map.next_key::<Name>()? {
            let slot = match name {
                Name::Rows | Name::Part => {
                    self.0.is_list |= name == Name::Rows;
                    map.next_value_seed(Element(self.0))?;
                    continue;
                }
                Name::Artists => {
                    let mut artists = JellyfinRows::default();
                    map.next_value_seed(Element(&mut artists))?;
                    row.artists.extend(artists.rows.into_iter().filter_map(|artist| artist.id));
                    continue;
                }
                Name::Total => {
                    self.0.total = self.0.total.max(map.next_value::<serde_json::Value>()?.as_u64());
                    continue;
                }
                Name::Counted => {
                    let count = map.next_value::<serde_json::Value>()?.as_u64().unwrap_or(0);
                    self.0.counted = self.0.counted.saturating_add(count);
                    continue;
                }
                Name::UserData => {
                    let user_data = map.next_value::<serde_json::Value>()?;
                    row.has_user_data = user_data.is_object();
                    row.has_counts = user_data.as_object().is_some_and(has_counts);
                    continue;
                }
                Name::Versions => {
                    let versions = map.next_value::<MemberIds>()?.0;
                    row.versions = if versions.len() > 1 { versions } else { Vec::new() };
                    continue;
                }
                Name::Companions => {
                    row.companions = map.next_value::<MemberIds>()?.0;
                    continue;
                }
                Name::RunTime => {
                    row.run_time = map.next_value::<serde_json::Value>()?.as_u64().unwrap_or(0);
                    continue;
                }
                Name::Entries => {
                    let entries = map.next_value::<serde_json::Value>()?;
                    self.0.entries = entries.as_array().map(|entries| entries.iter().filter_map(id_of).collect());
                    continue;
                }
                Name::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Name::Id => &mut row.id,
                Name::Kind => &mut row.kind,
                Name::Season => &mut row.season,
                Name::Series => &mut row.series,
                Name::Album => &mut row.album,
                Name::Parent => &mut row.parent,
                Name::State => &mut row.state,
                Name::Key => &mut row.key,
                Name::CollectionType => &mut row.collection_type,
            };
            *slot = map.next_value::<OptionalString>()?.0;
        }
        if row != JellyfinRow::default() {
            self.0.count += 1;
            if self.0.rows.len() < MAX_REMEMBERED {
                self.0.rows.push(row);
            }
        }
        Ok(())
    }
}

/// Whether user state counts what is in the item.
fn has_counts(user_data: &serde_json::Map<String, serde_json::Value>) -> bool {
    user_data.keys().any(|name| name.eq_ignore_ascii_case("UnplayedItemCount"))
}

fn id_of(value: &serde_json::Value) -> Option<String> {
    value.as_str().map(|id| guid::normalize(id).into_owned())
}

/// A member of a list: an object, a list, or a value that is no row.
struct Element<'a>(&'a mut JellyfinRows);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

macro_rules! no_row {
    ($($client:ident: $kind:ty),*) => {
        $(fn $client<E>(self, _: $kind) -> Result<Self::Value, E> { Ok(Self::Value::default()) })*
    };
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        Node(self.0).visit_seq(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Node(self.0).visit_map(map)
    }

    no_row!(visit_str: &str, visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64);

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The relevant field names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Rows,
    Part,
    Id,
    Kind,
    Season,
    Series,
    Album,
    Parent,
    Artists,
    State,
    Key,
    CollectionType,
    UserData,
    Versions,
    Companions,
    RunTime,
    Entries,
    Total,
    Counted,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name::parse(name))
            }
        }
        from.deserialize_str(Reader)
    }
}

impl Name {
    fn parse(name: &str) -> Self {
        match name {
            "Items" | "items" | "SearchHints" | "searchHints" => Self::Rows,
            "ThemeVideosResult"
            | "themeVideosResult"
            | "ThemeSongsResult"
            | "themeSongsResult"
            | "SoundtrackSongsResult"
            | "soundtrackSongsResult" => Self::Part,
            "Id" | "id" => Self::Id,
            "Type" | "type" => Self::Kind,
            "SeasonId" | "seasonId" => Self::Season,
            "SeriesId" | "seriesId" => Self::Series,
            "AlbumId" | "albumId" => Self::Album,
            "ParentId" | "parentId" => Self::Parent,
            "ArtistItems" | "artistItems" | "AlbumArtists" | "albumArtists" => Self::Artists,
            "State" | "state" => Self::State,
            "Key" | "key" => Self::Key,
            "CollectionType" | "collectionType" => Self::CollectionType,
            "UserData" | "userData" => Self::UserData,
            "MediaSources" | "mediaSources" => Self::Versions,
            "AdditionalUsers" | "additionalUsers" => Self::Companions,
            "RunTimeTicks" | "runTimeTicks" => Self::RunTime,
            "ItemIds" | "itemIds" => Self::Entries,
            "TotalRecordCount" | "totalRecordCount" => Self::Total,
            "MovieCount" | "movieCount" | "SeriesCount" | "seriesCount" | "EpisodeCount" | "episodeCount"
            | "SongCount" | "songCount" | "AlbumCount" | "albumCount" | "BookCount" | "bookCount" => Self::Counted,
            _ => Self::Other,
        }
    }
}

/// Ids of the members of a list: of media sources, or of users.
struct MemberIds(Vec<String>);

impl<'de> Deserialize<'de> for MemberIds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Member {
            #[serde(alias = "Id", alias = "id", alias = "UserId", alias = "userId")]
            named: Option<String>,
        }
        let text = <&serde_json::value::RawValue>::deserialize(from)?;
        let members: Vec<Member> = serde_json::from_str(text.get()).unwrap_or_default();
        Ok(Self(
            members.iter().filter_map(|member| Some(guid::normalize(member.named.as_deref()?).into_owned())).collect(),
        ))
    }
}

/// A text; anything else is `None`.
#[derive(Default)]
struct OptionalString(Option<String>);

impl<'de> Deserialize<'de> for OptionalString {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = OptionalString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_str<E>(self, text: &str) -> Result<OptionalString, E> {
                let is_valid = (1..=MAX_ID_BYTES).contains(&text.len());
                Ok(OptionalString(is_valid.then(|| guid::normalize(text).into_owned())))
            }

            fn visit_unit<E>(self) -> Result<OptionalString, E> {
                Ok(OptionalString(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OptionalString, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(OptionalString(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OptionalString, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(OptionalString(None))
            }

            no_row!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64);
        }
        from.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(body: &str) -> Vec<String> {
        read(body.as_bytes()).unwrap().rows.into_iter().filter_map(|row| row.id).collect()
    }

    #[test]
    fn rows_are_found_in_every_envelope_and_profile() {
        for body in [
            r#"{"Items":[{"Id":"1"},{"Id":"2"}],"TotalRecordCount":2}"#,
            r#"{"totalRecordCount":2,"items":[{"id":"1"},{"id":"2"}]}"#,
            r#"[{"Id":"1"},{"Id":"2"}]"#,
            r#"{"SearchHints":[{"ItemId":"9","Id":"1"},{"Id":"2"}]}"#,
            r#"[{"BaselineItemName":"x","Items":[{"Id":"1"},{"Id":"2"}]}]"#,
            r#"{"ThemeVideosResult":{"OwnerId":"9","Items":[{"Id":"1"}]},"ThemeSongsResult":{"Items":[{"Id":"2"}]}}"#,
        ] {
            assert_eq!(ids(body), ["1", "2"], "{body}");
        }
    }

    #[test]
    fn nested_objects_of_an_item_are_no_rows() {
        let body = r#"{"Id":"1","People":[{"Id":"2"}],"MediaSources":[{"Id":"3","Items":[{"Id":"4"}]}],
                       "UserData":{"Id":"5"},"ParentId":{"Id":"6"},"Type":["x"],"SeasonId":7,"AlbumId":null}"#;
        let rows = read(body.as_bytes()).unwrap();
        assert_eq!(rows.rows, [JellyfinRow { id: Some("1".into()), has_user_data: true, ..JellyfinRow::default() }]);
        assert!(!rows.is_list);
    }

    #[test]
    fn ids_are_normal() {
        assert_eq!(ids(r#"[{"Id":"08CA909F-6D10-44AA-9930-BE392943948F"}]"#), ["08ca909f6d1044aa9930be392943948f"]);
    }

    #[test]
    fn a_value_longer_than_an_id_is_ignored() {
        let body = format!(r#"[{{"Id":"{}"}},{{"Id":"1"}}]"#, "9".repeat(MAX_ID_BYTES + 1));
        assert_eq!(ids(&body), ["1"]);
    }

    #[test]
    fn truncated_or_unexpected_bodies_are_errors() {
        for body in ["", "<html>", "{", "[{\"Id\":\"1\"}", "{} x", "3", "null", "\"text\"", "{\"Items\":[}"] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn unexpected_list_members_are_skipped() {
        assert_eq!(ids(r#"[1,-1,1.5,true,null,"x",[{"Id":"1"}],{"Items":null},{"Id":""}]"#), ["1"]);
    }

    #[test]
    fn rows_beyond_the_bound_are_counted() {
        let body = format!("[{}{{\"Id\":\"x\"}}]", "{\"Id\":\"x\"},".repeat(MAX_REMEMBERED));
        let rows = read(body.as_bytes()).unwrap();
        assert_eq!((rows.rows.len(), rows.count), (MAX_REMEMBERED, MAX_REMEMBERED + 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }

        #[test]
        fn every_cut_of_a_body_is_an_error(at in 0usize..58) {
            let body = br#"{"Items":[{"Id":"1","Type":"Movie"}],"TotalRecordCount":1}"#;
            prop_assert!(read(&body[..at]).is_err());
        }
    }
}
