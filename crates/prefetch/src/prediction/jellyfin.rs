//! Templates of Jellyfin requests, and references in rows of Jellyfin responses.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use super::MAX_ROWS;
use super::row_references::{ReferenceKind, RowReferences};
use super::template::{TemplateArgs, TemplateSlots, TemplateSubject};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::Read;
use greenroom_dialect::jellyfin::guid;

/// Digits of an id.
const ID_DIGITS: usize = 32;

/// Longest image tag in bytes.
const MAX_TAG_BYTES: usize = 64;

/// Longest type name of a row in bytes.
const MAX_KIND_BYTES: usize = 32;

/// The ids in a read's target, and their positions. A page other than the first has none.
pub(super) fn template_args(read: &Read) -> Option<(TemplateSubject, TemplateArgs, TemplateSlots)> {
    let target = read.target.as_str();
    let path = &target[..target.find('?').unwrap_or(target.len())];
    if parameter(target, "startIndex").is_some_and(|start| &target[start] != "0") {
        return None;
    }
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (read.class, &parts[..]) {
        (Class::Images, ["Items", id, "Images", _] | ["Items", id, "Images", _, "0"]) if is_id(id) => {
            let tag = parameter(target, "tag")?;
            let args = TemplateArgs::two(*id, tag_shaped(&target[tag.clone()])?);
            Some((TemplateSubject::Picture, args, TemplateSlots { first: span("/Items/", id), second: Some(tag) }))
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
                // Seasons are also requested by number, but the number of a row is not known here.
                return parameter(target, "season").is_none().then(|| item(id, first));
            };
            let args = TemplateArgs::two(*id, &target[season.clone()]);
            let is_season = is_id(&target[season.clone()]);
            is_season.then_some((TemplateSubject::Season, args, TemplateSlots { first, second: Some(season) }))
        }
        _ => None,
    }
}

fn item(id: &str, first: Range<usize>) -> (TemplateSubject, TemplateArgs, TemplateSlots) {
    (TemplateSubject::Item, TemplateArgs::one(id), TemplateSlots { first, second: None })
}

/// Position of an id after a prefix.
fn span(prefix: &str, id: &str) -> Range<usize> {
    prefix.len()..prefix.len() + id.len()
}

/// Position of a parameter's value in a canonical target.
fn parameter(target: &str, name: &str) -> Option<Range<usize>> {
    let mut at = target.find('?')? + 1;
    for pair in target[at..].split('&') {
        if let Some((key, value)) = pair.split_once('=')
            && key.eq_ignore_ascii_case(name)
        {
            let start = at + key.len() + 1;
            return Some(start..start + value.len());
        }
        at += pair.len() + 1;
    }
    None
}

/// Whether the text is an id in the server's own spelling.
fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn tag_shaped(text: &str) -> Option<&str> {
    let fits = (1..=MAX_TAG_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then_some(text)
}

/// One row as the server writes it, in either JSON profile.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawItem {
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

impl RawItem {
    /// The row's references; `None` if it is no item.
    fn row(self) -> Option<RowReferences> {
        let normalized = |id: Option<String>| id.map(|id| guid::normalize(&id).into_owned()).filter(|id| is_id(id));
        let picture =
            |of: &Option<String>, tag: Option<&String>| Some(TemplateArgs::two(of.as_deref()?, tag_shaped(tag?)?));
        let id = Some(normalized(self.id)?);
        let (season, series) = (normalized(self.season_id), normalized(self.series_id));
        let is_season = self.r#type.as_deref() == Some("Season");
        let of_season = if is_season { &id } else { &season };
        let (parent, grandparent) = if is_season { (&series, &None) } else { (&season, &series) };
        let tags = self.image_tags.unwrap_or_default();
        let primary = tags.get("Primary").or_else(|| tags.get("primary"));
        let backdrop = self.backdrop_image_tags.as_ref().and_then(|tags| tags.first());
        let thumb_of = normalized(self.parent_thumb_item_id);
        let references = [
            (ReferenceKind::Item, id.as_deref().map(TemplateArgs::one)),
            (ReferenceKind::Parent, parent.as_deref().map(TemplateArgs::one)),
            (ReferenceKind::Grandparent, grandparent.as_deref().map(TemplateArgs::one)),
            (
                ReferenceKind::Season,
                series.as_deref().zip(of_season.as_deref()).map(|(show, id)| TemplateArgs::two(show, id)),
            ),
            (ReferenceKind::Thumb, picture(&id, primary)),
            (ReferenceKind::Art, picture(&id, backdrop)),
            (ReferenceKind::ParentThumb, picture(&thumb_of, self.parent_thumb_image_tag.as_ref())),
            (ReferenceKind::GrandparentThumb, picture(&series, self.series_primary_image_tag.as_ref())),
        ];
        let kind = self.r#type.filter(|kind| kind.len() <= MAX_KIND_BYTES).unwrap_or_default();
        let references = references.into_iter().filter_map(|(link, args)| Some((link, args?))).collect();
        Some(RowReferences { kind, references })
    }
}

/// The object around lists.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ItemsEnvelope {
    #[serde(rename = "Items", alias = "items")]
    items: Option<Vec<RawItem>>,
}

/// The rows of a response: of a bare list, a wrapped list, or a single item. Empty for anything else.
pub(super) fn rows(body: &[u8]) -> Vec<RowReferences> {
    let rows = match body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice(body).unwrap_or_default(),
        Some(b'{') => match serde_json::from_slice::<ItemsEnvelope>(body) {
            Ok(ItemsEnvelope { items: Some(rows) }) => rows,
            Ok(ItemsEnvelope { items: None }) => serde_json::from_slice(body).map(|row| vec![row]).unwrap_or_default(),
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    };
    rows.into_iter().filter_map(RawItem::row).take(MAX_ROWS).collect()
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
        assert_eq!(row.get(ReferenceKind::Parent), Some(&TemplateArgs::one(SEASON)));
        assert_eq!(row.get(ReferenceKind::Grandparent), Some(&TemplateArgs::one(SHOW)));
        assert_eq!(row.get(ReferenceKind::Season), Some(&TemplateArgs::two(SHOW, SEASON)));
        assert_eq!(row.get(ReferenceKind::Thumb), Some(&TemplateArgs::two(EPISODE, "t1")));
        assert_eq!(row.get(ReferenceKind::GrandparentThumb), Some(&TemplateArgs::two(SHOW, "t2")));
    }

    #[test]
    fn a_season_names_itself_under_its_show_and_one_item_is_a_row() {
        let body = format!(r#"{{"Id":"{SEASON}","Type":"Season","SeriesId":"{SHOW}"}}"#);
        let rows = super::rows(body.as_bytes());
        assert_eq!(rows[0].get(ReferenceKind::Season), Some(&TemplateArgs::two(SHOW, SEASON)));
        assert_eq!(rows[0].get(ReferenceKind::Parent), Some(&TemplateArgs::one(SHOW)));
    }

    #[test]
    fn a_value_that_is_not_an_id_yields_no_tag() {
        let body = format!(
            r#"[{{"Id":"../System/Shutdown","Type":"Series"}},{{"Id":"{SHOW}","SeriesId":"~","ImageTags":{{"Primary":"a&b=c"}}}}]"#
        );
        let rows = super::rows(body.as_bytes());
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].references, [(ReferenceKind::Item, TemplateArgs::one(SHOW))]);
    }
}
