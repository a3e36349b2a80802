//! How Jellyfin requests name things, and what rows of Jellyfin answers name.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use super::MAX_ROWS;
use super::mention::{Link, Row};
use super::phrase::{Spans, Thing, Words};
use crate::class::Class;
use crate::jellyfin::guid;
use crate::verdict::Read;

/// Digits of an id.
const ID_DIGITS: usize = 32;

/// A picture's tag that is longer is foreign.
const MAX_TAG_BYTES: usize = 64;

/// A word for what a row is that is longer is foreign.
const MAX_KIND_BYTES: usize = 32;

/// What a read names, and where its target says so. A page that is not the first names nothing.
pub(super) fn named(read: &Read) -> Option<(Thing, Words, Spans)> {
    let target = read.target.as_str();
    let path = &target[..target.find('?').unwrap_or(target.len())];
    if parameter(target, "startIndex").is_some_and(|start| &target[start] != "0") {
        return None;
    }
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (read.class, &parts[..]) {
        (Class::Images, ["Items", id, "Images", _] | ["Items", id, "Images", _, "0"]) if is_id(id) => {
            let tag = parameter(target, "tag")?;
            let words = Words::two(*id, tag_shaped(&target[tag.clone()])?);
            Some((Thing::Picture, words, Spans { first: span("/Items/", id), second: Some(tag) }))
        }
        (Class::Images, _) => None,
        (_, ["Items", id]) if is_id(id) => Some(item(id, span("/Items/", id))),
        (_, ["Items"]) => {
            let parent = parameter(target, "parentId")?;
            let id = &target[parent.clone()];
            is_id(id).then(|| item(id, parent))
        }
        (_, ["Shows", id, "Seasons"]) if is_id(id) => Some(item(id, span("/Shows/", id))),
        (_, ["Shows", id, "Episodes"]) if is_id(id) => {
            let first = span("/Shows/", id);
            let Some(season) = parameter(target, "seasonId") else {
                // By number they are asked for as well, and which number a row has is not known here.
                return parameter(target, "season").is_none().then(|| item(id, first));
            };
            let words = Words::two(*id, &target[season.clone()]);
            let is_season = is_id(&target[season.clone()]);
            is_season.then_some((Thing::Season, words, Spans { first, second: Some(season) }))
        }
        _ => None,
    }
}

fn item(id: &str, first: Range<usize>) -> (Thing, Words, Spans) {
    (Thing::Item, Words::one(id), Spans { first, second: None })
}

/// Where an id stands after a prefix.
fn span(prefix: &str, id: &str) -> Range<usize> {
    prefix.len()..prefix.len() + id.len()
}

/// Where a parameter's value stands in a canonical target.
fn parameter(target: &str, name: &str) -> Option<Range<usize>> {
    let mut at = target.find('?')? + 1;
    for pair in target[at..].split('&') {
        if let Some((said, value)) = pair.split_once('=')
            && said.eq_ignore_ascii_case(name)
        {
            let start = at + said.len() + 1;
            return Some(start..start + value.len());
        }
        at += pair.len() + 1;
    }
    None
}

/// Whether this is an id in the server's own spelling.
fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn tag_shaped(text: &str) -> Option<&str> {
    let fits =
        (1..=MAX_TAG_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then_some(text)
}

/// One row as the server writes it, in either profile of its JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Raw {
    #[serde(alias = "type")]
    r#type: Option<String>,
    #[serde(alias = "id")]
    id: Option<String>,
    #[serde(alias = "seasonId")]
    season_id: Option<String>,
    #[serde(alias = "seriesId")]
    series_id: Option<String>,
    #[serde(alias = "imageTags")]
    image_tags: Option<BTreeMap<String, String>>,
    #[serde(alias = "backdropImageTags")]
    backdrop_image_tags: Option<Vec<String>>,
    #[serde(alias = "seriesPrimaryImageTag")]
    series_primary_image_tag: Option<String>,
    #[serde(alias = "parentThumbItemId")]
    parent_thumb_item_id: Option<String>,
    #[serde(alias = "parentThumbImageTag")]
    parent_thumb_image_tag: Option<String>,
}

impl Raw {
    /// What it names; `None` if it is no item.
    fn row(self) -> Option<Row> {
        let known = |id: Option<String>| id.map(|id| guid::normal(&id).into_owned()).filter(|id| is_id(id));
        let picture =
            |of: &Option<String>, tag: Option<&String>| Some(Words::two(of.as_deref()?, tag_shaped(tag?)?));
        let id = Some(known(self.id)?);
        let (season, series) = (known(self.season_id), known(self.series_id));
        let is_season = self.r#type.as_deref() == Some("Season");
        let of_season = if is_season { &id } else { &season };
        let (parent, grandparent) = if is_season { (&series, &None) } else { (&season, &series) };
        let tags = self.image_tags.unwrap_or_default();
        let primary = tags.get("Primary").or_else(|| tags.get("primary"));
        let backdrop = self.backdrop_image_tags.as_ref().and_then(|tags| tags.first());
        let thumb_of = known(self.parent_thumb_item_id);
        let mentions = [
            (Link::Item, id.as_deref().map(Words::one)),
            (Link::Parent, parent.as_deref().map(Words::one)),
            (Link::Grandparent, grandparent.as_deref().map(Words::one)),
            (
                Link::Season,
                series.as_deref().zip(of_season.as_deref()).map(|(show, id)| Words::two(show, id)),
            ),
            (Link::Thumb, picture(&id, primary)),
            (Link::Art, picture(&id, backdrop)),
            (Link::ParentThumb, picture(&thumb_of, self.parent_thumb_image_tag.as_ref())),
            (Link::GrandparentThumb, picture(&series, self.series_primary_image_tag.as_ref())),
        ];
        let kind = self.r#type.filter(|kind| kind.len() <= MAX_KIND_BYTES).unwrap_or_default();
        let mentions = mentions.into_iter().filter_map(|(link, words)| Some((link, words?))).collect();
        Some(Row { kind, mentions })
    }
}

/// What lists are wrapped in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wrapped {
    #[serde(rename = "Items", alias = "items")]
    items: Option<Vec<Raw>>,
}

/// The rows of an answer: of a list, of a wrapped one, or the one item it is. None if it is anything else.
pub(super) fn rows(body: &[u8]) -> Vec<Row> {
    let rows = match body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice(body).unwrap_or_default(),
        Some(b'{') => match serde_json::from_slice::<Wrapped>(body) {
            Ok(Wrapped { items: Some(rows) }) => rows,
            Ok(Wrapped { items: None }) => {
                serde_json::from_slice(body).map(|row| vec![row]).unwrap_or_default()
            }
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    };
    rows.into_iter().filter_map(Raw::row).take(MAX_ROWS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOW: &str = "08ca909f6d1044aa9930be392943948f";
    const SEASON: &str = "27839354c2bcbec5c0b34ea921fc00ec";
    const EPISODE: &str = "7a2175bccb1f1a94152cbd2b2bae8f6d";

    #[test]
    fn an_episode_names_its_season_its_show_and_its_picture() {
        let wide = format!(
            r#"{{"Items":[{{"Id":"{EPISODE}","Type":"Episode","SeasonId":"{SEASON}","SeriesId":"{SHOW}",
            "ImageTags":{{"Primary":"t1"}},"SeriesPrimaryImageTag":"t2","MediaSources":[{{"Id":"x"}}]}}],"TotalRecordCount":1}}"#
        );
        let camel = format!(
            r#"[{{"id":"{EPISODE}","type":"Episode","seasonId":"{SEASON}","seriesId":"{SHOW}",
            "imageTags":{{"primary":"t1"}},"seriesPrimaryImageTag":"t2"}}]"#
        );
        let rows = super::rows(wide.as_bytes());
        assert_eq!(rows, super::rows(camel.as_bytes()));
        let row = &rows[0];
        assert_eq!(row.named(Link::Parent), Some(&Words::one(SEASON)));
        assert_eq!(row.named(Link::Grandparent), Some(&Words::one(SHOW)));
        assert_eq!(row.named(Link::Season), Some(&Words::two(SHOW, SEASON)));
        assert_eq!(row.named(Link::Thumb), Some(&Words::two(EPISODE, "t1")));
        assert_eq!(row.named(Link::GrandparentThumb), Some(&Words::two(SHOW, "t2")));
    }

    #[test]
    fn a_season_names_itself_under_its_show_and_one_item_is_a_row() {
        let body = format!(r#"{{"Id":"{SEASON}","Type":"Season","SeriesId":"{SHOW}"}}"#);
        let rows = super::rows(body.as_bytes());
        assert_eq!(rows[0].named(Link::Season), Some(&Words::two(SHOW, SEASON)));
        assert_eq!(rows[0].named(Link::Parent), Some(&Words::one(SHOW)));
    }

    #[test]
    fn what_is_not_id_shaped_names_nothing() {
        let body = format!(
            r#"[{{"Id":"../System/Shutdown","Type":"Series"}},{{"Id":"{SHOW}","SeriesId":"~","ImageTags":{{"Primary":"a&b=c"}}}}]"#
        );
        let rows = super::rows(body.as_bytes());
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].mentions, [(Link::Item, Words::one(SHOW))]);
    }
}
