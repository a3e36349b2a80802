//! The values a filter can take: `/library/sections/1/genre`.

use std::collections::BTreeMap;

use super::field::{self, Field};
use crate::catalogue::{Kind, Section, SortKey};
use crate::plex::call::Call;
use crate::plex::kind;
use crate::plex::node::Node;
use crate::plex::rows::tag;

/// A value a filter can take.
struct Choice {
    key: String,
    title: String,
    count: u32,
}

/// The values of a field over all items of a kind, as rows; `None` if there is no such field.
pub(in crate::plex) fn rows(
    call: &Call<'_>,
    section: Section,
    listed: Kind,
    name: &str,
) -> Option<Vec<Node>> {
    let field = Field::named(name)?;
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

/// All tags of a kind with how often each is there: `/library/tags?type=1`.
pub(in crate::plex) fn tags(call: &Call<'_>, wanted: u32) -> Vec<Node> {
    let Some((name, _, number)) = tag::KINDS.into_iter().find(|(.., number)| *number == wanted) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for section in call.sections() {
        for choice in choices(call, section.top(), Field::Tag(name)) {
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

fn choices(call: &Call<'_>, listed: Kind, field: Field) -> Vec<Choice> {
    match field {
        Field::Flag(_) => vec![
            Choice { key: "0".into(), title: "No".into(), count: 0 },
            Choice { key: "1".into(), title: "Yes".into(), count: 0 },
        ],
        Field::Tag("collection") => call
            .view
            .list(Kind::Collection, SortKey::Title)
            .iter()
            .filter(|_| listed == Kind::Film)
            .map(|id| Choice {
                key: id.to_string(),
                title: call.view.title(*id).unwrap_or_default(),
                count: u32::try_from(call.view.children(*id).len()).unwrap_or(0),
            })
            .collect(),
        field => counted(call, listed, field),
    }
}

fn counted(call: &Call<'_>, listed: Kind, field: Field) -> Vec<Choice> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for id in call.view.list(listed, SortKey::Added).iter() {
        let Some(record) = call.view.record(*id) else { continue };
        let values: Vec<String> = match field {
            Field::Tag(name) => tag::texts(&record, name).into_iter().map(str::to_owned).collect(),
            Field::Text(name) | Field::Exact(name) => field::texts(&record, name),
            Field::Number(name) | Field::Time(name) => {
                field::number(call, &record, name).map(|number| format!("{number:.0}")).into_iter().collect()
            }
            Field::Flag(_) => Vec::new(),
        };
        for value in values {
            *counts.entry(value).or_default() += 1;
        }
    }
    let key = |title: &str| match field {
        Field::Tag(name) => tag::id(name, title).to_string(),
        _ => title.to_owned(),
    };
    counts.into_iter().map(|(title, count)| Choice { key: key(&title), title, count }).collect()
}
