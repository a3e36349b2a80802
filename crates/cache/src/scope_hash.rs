//! Hashes of all scopes that cover a key or an entry.
//!
//! Scopes match entries by 64-bit hash. A collision can only invalidate too much, never too little, so the texts
//! themselves are not stored.

use crate::key::{Key, Partition, Tag, hash_text};
use crate::scope::Scope;

/// Prefix scopes are matched at this many segments of a key's text.
pub(crate) const MAX_PREFIX_SEGMENTS: usize = 8;

const NAMESPACE: u64 = 1;
const PARTITION: u64 = 2;
const KEY: u64 = 3;
const TAG: u64 = 4;
const PREFIX: u64 = 5;

/// Hash of the scope that covers everything.
pub(crate) const ALL: u64 = 0x616c_6c00_616c_6c00;

/// All scopes that cover a key or entry, by hash.
#[derive(Debug, Clone)]
pub(crate) struct ScopeHashes {
    pub(crate) namespace: u64,
    pub(crate) partition: u64,
    key: u64,
    /// Hashes of path prefixes and tags, not yet bound to namespace or partition.
    texts: Box<[u64]>,
}

impl ScopeHashes {
    /// The scopes that cover a key, without tags.
    pub(crate) fn from_key(key: &Key) -> Self {
        Self::new(key, &[])
    }

    /// The scopes that cover a value with these tags under this key.
    pub(crate) fn new(key: &Key, tags: &[Tag]) -> Self {
        let namespace = hash_text(NAMESPACE, key.namespace());
        let prefixes = prefixes(key.text()).map(|prefix| hash_text(PREFIX, prefix));
        Self {
            namespace,
            partition: partition_hash(namespace, key.partition()),
            key: mix(KEY, key.hash64()),
            texts: prefixes.chain(tags.iter().map(|tag| hash_text(TAG, tag.as_str()))).collect(),
        }
    }

    /// Whether any of the scopes satisfies `predicate`.
    pub(crate) fn any(&self, mut predicate: impl FnMut(u64) -> bool) -> bool {
        predicate(ALL)
            || predicate(self.namespace)
            || predicate(self.partition)
            || predicate(self.key)
            || self
                .texts
                .iter()
                .any(|text| predicate(mix(self.namespace, *text)) || predicate(mix(self.partition, *text)))
    }

    /// Visits every scope with its kind.
    pub(crate) fn for_each(&self, mut act: impl FnMut(u64, ScopeKind)) {
        act(ALL, ScopeKind::All);
        act(self.namespace, ScopeKind::Namespace);
        act(self.partition, ScopeKind::Partition);
        act(self.key, ScopeKind::Key);
        for (at, text) in self.texts.iter().enumerate() {
            act(mix(self.namespace, *text), ScopeKind::Text { from_end: self.texts.len() - at });
            act(mix(self.partition, *text), ScopeKind::Text { from_end: self.texts.len() - at });
        }
    }

    /// The scope that stands for every tag of this namespace: it covers a value whose tags are unknown.
    pub(crate) fn any_tag(&self) -> u64 {
        any_tag(self.namespace)
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.texts.len() * size_of::<u64>()
    }
}

/// Kind of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScopeKind {
    All,
    Namespace,
    Partition,
    Key,
    /// A path prefix or a tag, tags last: the last one is at 1 from the end.
    Text {
        from_end: usize,
    },
}

/// A scope by hash, as the invalidation index stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeHash {
    /// The scope.
    pub(crate) scope: u64,
    /// Its namespace; `None` for everything.
    pub(crate) namespace: Option<u64>,
    /// Whether it is a tag: then it also covers values whose tags are not known yet.
    pub(crate) is_tag: bool,
}

impl ScopeHash {
    /// The hash of a scope.
    pub(crate) fn from_scope(scope: &Scope) -> Self {
        match scope {
            Scope::All => Self { scope: ALL, namespace: None, is_tag: false },
            Scope::Namespace(name) => Self::in_namespace(name, |namespace| namespace),
            Scope::Partition { namespace, partition } => {
                Self::in_namespace(namespace, |namespace| partition_hash(namespace, partition))
            }
            Scope::Key(key) => Self::in_namespace(key.namespace(), |_| mix(KEY, key.hash64())),
            Scope::Tag { namespace, partition, tag } => {
                let text = hash_text(TAG, tag.as_str());
                let target = Self::in_namespace(namespace, |ns| mix(owner(ns, partition.as_ref()), text));
                Self { is_tag: true, ..target }
            }
            Scope::Prefix { namespace, partition, prefix } => Self::in_namespace(namespace, |ns| {
                let owner = owner(ns, partition.as_ref());
                prefixes(prefix).last().map_or(owner, |prefix| mix(owner, hash_text(PREFIX, prefix)))
            }),
        }
    }

    fn in_namespace(namespace: &str, scope: impl FnOnce(u64) -> u64) -> Self {
        let namespace = hash_text(NAMESPACE, namespace);
        Self { scope: scope(namespace), namespace: Some(namespace), is_tag: false }
    }
}

/// The scope of all tags of a namespace.
pub(crate) fn any_tag(namespace: u64) -> u64 {
    mix(namespace, TAG)
}

fn owner(namespace: u64, partition: Option<&Partition>) -> u64 {
    partition.map_or(namespace, |partition| partition_hash(namespace, partition))
}

fn partition_hash(namespace: u64, partition: &Partition) -> u64 {
    mix(namespace, hash_text(PARTITION, partition.as_str()))
}

/// Binds a hash to its owner's.
fn mix(owner: u64, hash: u64) -> u64 {
    let mixed = (owner.rotate_left(23) ^ hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

/// The first prefixes of a text, shortest first. They end at a `/` of the path, at the end of the path, at the end of
/// the query, or at the end of the text. A path ends at the first `?` or space, a query at the first space. Leading and
/// trailing slashes are ignored, and an empty text has no prefix.
fn prefixes(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_matches('/');
    let query_end = text.find(' ').unwrap_or(text.len());
    let path_end = text[..query_end].find('?').unwrap_or(query_end);
    let slashes = text[..path_end].match_indices('/').map(|(at, _)| at).chain([path_end]);
    let slashes = slashes.filter(|at| *at > 0 && !text[..*at].ends_with('/'));
    let later = [(path_end, query_end), (query_end, text.len())];
    let later = later.into_iter().filter_map(|(before, end)| (end > before).then_some(end));
    slashes.chain(later).take(MAX_PREFIX_SEGMENTS).map(|end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> Partition {
        Partition::new("anna")
    }

    fn covers(scope: &Scope, key: &Key, tags: &[Tag]) -> bool {
        let target = ScopeHash::from_scope(scope).scope;
        ScopeHashes::new(key, tags).any(|scope| scope == target)
    }

    fn prefix(text: &str) -> Scope {
        Scope::Prefix { namespace: "n".into(), partition: None, prefix: text.into() }
    }

    #[test]
    fn prefixes_end_at_segments() {
        let all: Vec<_> = prefixes("/a/b/c").collect();
        assert_eq!(all, ["a", "a/b", "a/b/c"]);
        assert_eq!(prefixes("").count(), 0);
        assert_eq!(prefixes("///").count(), 0);
        assert_eq!(prefixes("a//b").collect::<Vec<_>>(), ["a", "a//b"]);
        assert_eq!(prefixes("1/2/3/4/5/6/7/8/9/10").last(), Some("1/2/3/4/5/6/7/8"));
    }

    #[test]
    fn a_prefix_covers_the_paths_below_it_and_no_siblings() {
        let key = |text| Key::new("n", &anna(), text);
        assert!(covers(&prefix("/library/12"), &key("/library/12/children"), &[]));
        assert!(covers(&prefix("library/12/"), &key("/library/12"), &[]));
        assert!(!covers(&prefix("/library/12"), &key("/library/123"), &[]));
        assert!(!covers(&prefix("/library/12"), &key("/library"), &[]));
        assert!(covers(&prefix(""), &key("/anything"), &[]), "an empty prefix is the whole namespace");
    }

    #[test]
    fn a_path_covers_every_query_page_and_language_of_it() {
        let key = |text| Key::new("n", &anna(), text);
        for text in [
            "/library/sections/1/all json start=0 size=100 language=de",
            "/library/sections/1/all?type=10&q=a/b xml",
            "/library/sections/1/all/ json",
            "/library/sections/1/all",
        ] {
            assert!(covers(&prefix("/library/sections/1/all"), &key(text), &[]), "{text}");
            assert!(!covers(&prefix("/library/sections/1/al"), &key(text), &[]), "{text}");
            assert!(!covers(&prefix("/library/sections/2/all"), &key(text), &[]), "{text}");
            assert!(covers(&prefix(text), &key(text), &[]), "{text}");
        }
        assert!(covers(&prefix("/a?x=1"), &key("/a?x=1 json size=5"), &[]));
        assert!(!covers(&prefix("/a?x=1"), &key("/a?x=2 json size=5"), &[]));
        assert!(covers(&prefix("/Items"), &key("/Items?ParentId=7&StartIndex=0 camel"), &[]));
        assert!(!covers(&prefix("/identity"), &key("/ json"), &[]));
    }

    #[test]
    fn a_prefix_deeper_than_the_limit_covers_more_rather_than_nothing() {
        let key = Key::new("n", &anna(), "/1/2/3/4/5/6/7/8/9/10/11");
        assert!(covers(&prefix("/1/2/3/4/5/6/7/8/9/10"), &key, &[]));
    }

    #[test]
    fn a_scope_of_one_partition_or_namespace_spares_the_others() {
        let (anna, bert) = (anna(), Partition::new("bert"));
        let tag = Tag::new("item:7");
        let of = |partition: Option<&Partition>| Scope::Tag {
            namespace: "n".into(),
            partition: partition.cloned(),
            tag: tag.clone(),
        };
        let tags = [tag.clone()];
        let (annas, berts) = (Key::new("n", &anna, "/x"), Key::new("n", &bert, "/x"));
        assert!(covers(&of(None), &annas, &tags) && covers(&of(None), &berts, &tags));
        assert!(covers(&of(Some(&anna)), &annas, &tags) && !covers(&of(Some(&anna)), &berts, &tags));
        assert!(!covers(&of(None), &Key::new("other", &anna, "/x"), &tags));
        let partition_scope = Scope::Partition { namespace: "n".into(), partition: anna.clone() };
        assert!(covers(&partition_scope, &annas, &[]) && !covers(&partition_scope, &berts, &[]));
        assert!(covers(&Scope::Key(annas.clone()), &annas, &[]) && !covers(&Scope::Key(annas), &berts, &[]));
        assert!(covers(&Scope::All, &berts, &[]) && covers(&Scope::Namespace("n".into()), &berts, &[]));
    }

    #[test]
    fn no_two_short_texts_of_different_kinds_meet() {
        let mut seen = std::collections::HashMap::new();
        for kind in 0..=PREFIX {
            for number in 0..5_000 {
                let text = format!("{}-{}-{}", number / 100, number / 10 % 10, number % 10 + 40);
                let other = seen.insert(hash_text(kind, &text), (kind, text.clone()));
                assert_eq!(other, None, "kind {kind}, {text}");
            }
        }
    }

    #[test]
    fn a_tag_and_a_prefix_of_the_same_text_do_not_meet() {
        let tag = Tag::new("library");
        let scope = Scope::Tag { namespace: "n".into(), partition: None, tag };
        assert!(!covers(&scope, &Key::new("n", &anna(), "/library/1"), &[]));
    }
}
