//! Encoding of a scope as one line of text in the store, from which the scope can be decoded.

use crate::key::{Key, Partition, Tag, escape_into};
use crate::scope::Scope;

/// Encodes a scope. Different scopes have different encodings.
pub(crate) fn encode(scope: &Scope) -> String {
    match scope {
        Scope::All => "all".into(),
        Scope::Namespace(namespace) => line("namespace", namespace, None, ""),
        Scope::Partition { namespace, partition } => line("partition", namespace, Some(partition), ""),
        Scope::Key(key) => line("key", key.namespace(), Some(key.partition()), key.text()),
        Scope::Tag { namespace, partition, tag } => line("tag", namespace, partition.as_ref(), tag.as_str()),
        Scope::Prefix { namespace, partition, prefix } => line("prefix", namespace, partition.as_ref(), prefix),
    }
}

/// Decodes a scope; `None` if it was not written by [`encode`].
pub(crate) fn decode(line: &str) -> Option<Scope> {
    if line == "all" {
        return Some(Scope::All);
    }
    let mut parts = line.splitn(4, '|');
    let (kind, namespace, owner, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let namespace = unescape(namespace);
    let partition = owner.strip_prefix('=').map(|id| Partition::new(unescape(id)));
    Some(match kind {
        "namespace" => Scope::Namespace(namespace),
        "partition" => Scope::Partition { namespace, partition: partition? },
        "key" => Scope::Key(Key::new(&namespace, &partition?, text)),
        "tag" => Scope::Tag { namespace, partition, tag: Tag::new(text) },
        "prefix" => Scope::Prefix { namespace, partition, prefix: text.into() },
        _ => return None,
    })
}

/// Decodes the output of [`Key::encoded`].
pub(crate) fn decode_key(encoded: &str) -> Option<Key> {
    let mut parts = encoded.splitn(3, '|');
    let (namespace, partition, text) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Key::new(&unescape(namespace), &Partition::new(unescape(partition)), text))
}

/// Encoding of the next broader scope: for a scope within a namespace the whole namespace, for a namespace everything,
/// and everything for a line that cannot be decoded, because it could mean any scope.
pub(crate) fn broader(line: &str) -> String {
    match line.split_once('|') {
        Some((kind, rest)) if kind != "namespace" && decode(line).is_some() => {
            let namespace = rest.split_once('|').map_or(rest, |(namespace, _)| namespace);
            format!("namespace|{namespace}||")
        }
        _ => encode(&Scope::All),
    }
}

/// The prefix shared by the encodings of all keys in a scope; `line` is the encoding of a whole namespace or of
/// everything.
pub(crate) fn key_prefix(line: &str) -> String {
    let namespace = line.strip_prefix("namespace|").and_then(|rest| rest.strip_suffix("||"));
    namespace.map_or_else(String::new, |escaped| format!("{escaped}|"))
}

/// Namespace and partition are escaped and the text comes last, so it may contain anything. `=` tells an empty
/// partition from none.
fn line(kind: &str, namespace: &str, partition: Option<&Partition>, text: &str) -> String {
    let mut line = format!("{kind}|");
    escape_into(&mut line, namespace);
    line.push('|');
    if let Some(partition) = partition {
        line.push('=');
        escape_into(&mut line, partition.as_str());
    }
    line.push('|');
    line.push_str(text);
    line
}

fn unescape(part: &str) -> String {
    part.replace("%7C", "|").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scopes() -> impl Strategy<Value = Scope> {
        let text = || "[a-b|%=7C/]{0,6}";
        let partition = move || proptest::option::of(text().prop_map(Partition::new));
        prop_oneof![
            Just(Scope::All),
            text().prop_map(Scope::Namespace),
            (text(), text()).prop_map(|(namespace, id)| Scope::Partition { namespace, partition: Partition::new(id) }),
            (text(), text(), text()).prop_map(|(namespace, id, text)| Scope::Key(Key::new(
                &namespace,
                &Partition::new(id),
                &text
            ))),
            (text(), partition(), text()).prop_map(|(namespace, partition, tag)| Scope::Tag {
                namespace,
                partition,
                tag: Tag::new(tag)
            }),
            (text(), partition(), text()).prop_map(|(namespace, partition, prefix)| Scope::Prefix {
                namespace,
                partition,
                prefix
            }),
        ]
    }

    #[test]
    fn a_broader_scope_is_the_namespace_and_then_everything() {
        let tag = Scope::Tag { namespace: "a|b".into(), partition: None, tag: Tag::new("x|y") };
        let namespace = encode(&Scope::Namespace("a|b".into()));
        assert_eq!(broader(&encode(&tag)), namespace);
        assert_eq!(broader(&namespace), encode(&Scope::All));
        assert_eq!(broader("gibberish|a|b|c"), encode(&Scope::All));
        assert_eq!(broader(&encode(&Scope::All)), encode(&Scope::All));
    }

    proptest! {
        #[test]
        fn an_encoded_scope_is_decoded(scope in scopes()) {
            prop_assert_eq!(decode(&encode(&scope)), Some(scope));
        }

        #[test]
        fn a_key_is_read_back(namespace in "[a-b|%]{0,4}", id in "[a-b|%]{0,4}", text in "[a-b|%]{0,4}") {
            let written = Key::new(&namespace, &Partition::new(id), &text);
            prop_assert_eq!(decode_key(written.encoded()), Some(written));
        }

        #[test]
        fn any_line_is_read_or_refused(line in ".{0,40}") {
            if let Some(scope) = decode(&line) {
                prop_assert_eq!(decode(&encode(&scope)), Some(scope));
            }
        }
    }
}
