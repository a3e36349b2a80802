//! Values of a filter: `/library/sections/1/genre`.

use std::collections::BTreeMap;

use super::field::{self, FilterField};
use crate::kind;
use crate::node::Node;
use crate::request::PlexReadRequest;
use crate::rows::tag;
use greenroom_simulator_backend::catalogue::{MediaKind, Section, SortKey};

/// A value of a filter.
struct FilterChoice {
    key: String,
    title: String,
    count: u32,
}

/// The values of a field over all items of a kind, as rows; `None` if there is no such field.
pub(crate) fn rows(call: &PlexReadRequest<'_>, section: Section, listed: MediaKind, name: &str) -> Option<Vec<Node>> {
    let field = FilterField::named(name)?;
    let base = format!("/library/sections/{}/all", section.number());
    let number = kind::number(listed);
    let rows = choices(call, listed, field).into_iter().map(|choice| {
        Node::new("Directory")
            .set("fastKey", format!("{base}?{name}={}&type={number}", escaped(&choice.key)))
            .set("key", choice.key)
            .set("title", choice.title)
            .set("type", name.to_owned())
    });
    Some(rows.collect())
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// All tags of a kind with their number of uses: `/library/tags?type=1`.
pub(crate) fn tags(call: &PlexReadRequest<'_>, wanted: u32) -> Vec<Node> {
    let Some((name, _, number)) = tag::KINDS.into_iter().find(|(.., number)| *number == wanted) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for section in call.sections() {
        for choice in choices(call, section.top(), FilterField::Tag(name)) {
            let filter = format!("{name}={}", choice.key);
            rows.push(
                Node::new("Directory")
                    .set("id", choice.key.parse::<u64>().unwrap_or(0))
                    .set("filter", &filter)
                    .set("key", format!("/library/sections/{}/all?{filter}", section.number()))
                    .set("tag", choice.title)
                    .set("tagType", number)
                    .set("type", "tag")
                    .set("count", choice.count)
                    .set("librarySectionID", section.number())
                    .set("librarySectionTitle", section.title()),
            );
        }
    }
    rows
}

fn choices(call: &PlexReadRequest<'_>, listed: MediaKind, field: FilterField) -> Vec<FilterChoice> {
    match field {
        FilterField::Flag(_) => vec![
            FilterChoice { key: "0".into(), title: "No".into(), count: 0 },
            FilterChoice { key: "1".into(), title: "Yes".into(), count: 0 },
        ],
        FilterField::Tag("collection") => call
            .view
            .list(MediaKind::Collection, SortKey::Title)
            .iter()
            .filter(|_| listed == MediaKind::Film)
            .map(|id| FilterChoice {
                key: id.to_string(),
                title: call.view.title(*id).unwrap_or_default(),
                count: u32::try_from(call.view.children(*id).len()).unwrap_or(0),
            })
            .collect(),
        field => counted(call, listed, field),
    }
}

fn counted(call: &PlexReadRequest<'_>, listed: MediaKind, field: FilterField) -> Vec<FilterChoice> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for id in call.view.list(listed, SortKey::Added).iter() {
        let Some(record) = call.view.record(*id) else { continue };
        let values: Vec<String> = match field {
            FilterField::Tag(name) => tag::texts(&record, name).into_iter().map(str::to_owned).collect(),
            FilterField::Text(name) | FilterField::Exact(name) => field::texts(&record, name),
            FilterField::Number(name) | FilterField::Time(name) => {
                field::number(call, &record, name).map(|number| format!("{number:.0}")).into_iter().collect()
            }
            FilterField::Flag(_) => Vec::new(),
        };
        for value in values {
            *counts.entry(value).or_default() += 1;
        }
    }
    let key = |title: &str| match field {
        FilterField::Tag(name) => tag::id(name, title).to_string(),
        _ => title.to_owned(),
    };
    counts.into_iter().map(|(title, count)| FilterChoice { key: key(&title), title, count }).collect()
}
