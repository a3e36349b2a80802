//! Encodes the tree as XML.

use std::fmt::Write;

use super::node::{Node, NodeValue};

/// The document with `root`.
pub(super) fn write(root: &Node) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    element(root, &mut text);
    text
}

fn element(node: &Node, text: &mut String) {
    text.push('<');
    text.push_str(node.element);
    for (name, value) in &node.fields {
        text.push(' ');
        text.push_str(name);
        text.push_str("=\"");
        match value {
            NodeValue::Text(value) => escape(value, text),
            NodeValue::Number(number) => write!(text, "{number}").expect("a String takes everything"),
            NodeValue::Decimal(decimal) => write!(text, "{decimal:?}").expect("a String takes everything"),
            NodeValue::Flag(flag) => text.push(if *flag { '1' } else { '0' }),
        }
        text.push('"');
    }
    if node.children.is_empty() {
        text.push_str(" />\n");
        return;
    }
    text.push_str(">\n");
    for child in &node.children {
        element(child, text);
    }
    text.push_str("</");
    text.push_str(node.element);
    text.push_str(">\n");
}

fn escape(value: &str, text: &mut String) {
    for c in value.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            '\n' => text.push_str("&#10;"),
            '\t' => text.push_str("&#9;"),
            '\r' => text.push_str("&#13;"),
            // XML 1.0 cannot represent the other control characters.
            c if c < ' ' => {}
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_digits_and_text_is_escaped() {
        let node = Node::new("Media").set("a", true).set("b", "x & \"y\"\n").set("c", 7.0).with(Node::new("Part"));
        assert_eq!(
            write(&node),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Media a=\"1\" b=\"x &amp; &quot;y&quot;&#10;\" \
             c=\"7.0\">\n<Part />\n</Media>\n"
        );
    }
}
