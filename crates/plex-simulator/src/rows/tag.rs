//! Tags: genres, people, countries, labels. Each has a number for filters.

use crate::node::Node;
use greenroom_simulator_backend::catalogue::ItemRecord;

use xxhash_rust::xxh3::xxh3_64;

/// The kinds of tags: the field in filters, the element, and the number in `/library/tags?type=`.
pub(crate) const KINDS: [(&str, &str, u32); 7] = [
    ("genre", "Genre", 1),
    ("country", "Country", 8),
    ("director", "Director", 4),
    ("writer", "Writer", 5),
    ("actor", "Role", 6),
    ("collection", "Collection", 2),
    ("label", "Label", 11),
];

/// The number of a tag.
pub(crate) fn id(field: &str, text: &str) -> u64 {
    100 + xxh3_64(format!("{field}/{}", text.to_lowercase()).as_bytes()) % 900_000
}

/// The texts of a record's tags of one kind.
pub(crate) fn texts<'a>(record: &'a ItemRecord, field: &str) -> Vec<&'a str> {
    let list = match field {
        "genre" => &record.genres,
        "country" => &record.countries,
        "director" => &record.directors,
        "writer" => &record.writers,
        "collection" => &record.collections,
        "label" => &record.labels,
        "actor" => return record.cast.iter().map(|role| role.actor.as_str()).collect(),
        _ => return Vec::new(),
    };
    list.iter().map(String::as_str).collect()
}

/// A record's tags. Lists contain only the texts, details the numbers as well.
pub(crate) fn nodes(record: &ItemRecord, detail: bool) -> Vec<Node> {
    let mut nodes = Vec::new();
    for (field, element, _) in KINDS {
        for (at, text) in texts(record, field).into_iter().enumerate() {
            if detail {
                let number = id(field, text);
                let character = record.cast.get(at).filter(|_| field == "actor").map(|role| &role.character);
                nodes.push(
                    Node::new(element)
                        .set("id", number)
                        .set("filter", format!("{field}={number}"))
                        .set("tag", text.to_owned())
                        .maybe("role", character),
                );
            } else {
                nodes.push(Node::new(element).set("tag", text.to_owned()));
            }
        }
    }
    nodes
}
