//! Encodes the tree as JSON.

use std::fmt::Write;

use super::node::{Node, NodeValue};

/// The document with `root`.
pub(super) fn write(root: &Node) -> String {
    let mut text = String::from("{");
    quoted(root.element, &mut text);
    text.push(':');
    object(root, &mut text);
    text.push('}');
    text
}

fn object(node: &Node, text: &mut String) {
    text.push('{');
    let mut first = true;
    for (name, value) in &node.fields {
        separate(&mut first, text);
        quoted(name, text);
        text.push(':');
        match value {
            NodeValue::Text(value) => quoted(value, text),
            NodeValue::Number(number) => write!(text, "{number}").expect("a String takes everything"),
            NodeValue::Decimal(decimal) => write!(text, "{decimal:?}").expect("a String takes everything"),
            NodeValue::Flag(flag) => text.push_str(if *flag { "true" } else { "false" }),
        }
    }
    // Lists come in the order of their first elements, each once, whatever lies between.
    let mut lists: Vec<&'static str> = Vec::new();
    for child in &node.children {
        if !lists.contains(&child.list) {
            lists.push(child.list);
        }
    }
    for list in lists {
        separate(&mut first, text);
        quoted(list, text);
        text.push(':');
        members(node.children.iter().filter(|child| child.list == list), text);
    }
    text.push('}');
}

fn members<'a>(mut children: impl Iterator<Item = &'a Node>, text: &mut String) {
    let Some(head) = children.next() else { return };
    if head.single {
        object(head, text);
        return;
    }
    text.push('[');
    object(head, text);
    for child in children {
        text.push(',');
        object(child, text);
    }
    text.push(']');
}

fn separate(first: &mut bool, text: &mut String) {
    if !*first {
        text.push(',');
    }
    *first = false;
}

fn quoted(value: &str, text: &mut String) {
    text.push_str(&serde_json::to_string(value).expect("text is always JSON"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_all_kinds_meet_in_one_list_and_single_ones_are_objects() {
        let root = Node::new("MediaContainer")
            .set("size", 2)
            .with(Node::item("Video").set("ratingKey", "1"))
            .with(Node::single("User").set("id", "7"))
            .with(Node::item("Track").set("ratingKey", "2").set("smart", false));
        assert_eq!(
            write(&root),
            r#"{"MediaContainer":{"size":2,"Metadata":[{"ratingKey":"1"},{"ratingKey":"2","smart":false}],"User":{"id":"7"}}}"#
        );
    }
}
