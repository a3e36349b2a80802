//! Persisted queries: clients send the SHA-256 of a document in its place. A document becomes known when a client sends it
//! with its hash, as clients do when the server does not know it.

use std::sync::Arc;

use data_encoding::HEXLOWER_PERMISSIVE;
use quick_cache::Weighter;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::document::MAX_DOCUMENT_BYTES;

/// Max bytes of all known documents; the least used are forgotten.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// Documents that there is room for if they have a usual length.
const USUAL_COUNT: usize = 4096;

/// Known documents by their SHA-256.
#[derive(Debug)]
pub struct PersistedDocuments(quick_cache::sync::Cache<[u8; 32], Arc<str>, DocumentBytes>);

#[derive(Debug, Clone)]
struct DocumentBytes;

impl Weighter<[u8; 32], Arc<str>> for DocumentBytes {
    fn weight(&self, _hash: &[u8; 32], document: &Arc<str>) -> u64 {
        64 + document.len() as u64
    }
}

impl Default for PersistedDocuments {
    fn default() -> Self {
        Self(quick_cache::sync::Cache::with_weighter(USUAL_COUNT, MAX_BYTES, DocumentBytes))
    }
}

impl PersistedDocuments {
    /// Learns the document of an operation that has one with its hash, and adds it to one that has the hash alone.
    pub(crate) fn complete(&self, operation: &mut Value) {
        let hash = operation["extensions"]["persistedQuery"]["sha256Hash"].as_str().and_then(decode);
        let (Some(hash), Some(members)) = (hash, operation.as_object_mut()) else { return };
        match members.get("query") {
            Some(Value::String(document)) if !document.is_empty() => {
                // A hash that is not the document's is nothing to learn from.
                if document.len() <= MAX_DOCUMENT_BYTES && digest(&SHA256, document.as_bytes()).as_ref() == hash {
                    self.0.insert(hash, document.as_str().into());
                }
            }
            None | Some(Value::Null | Value::String(_)) => {
                if let Some(document) = self.0.get(&hash) {
                    members.insert("query".to_owned(), Value::String(document.as_ref().to_owned()));
                }
            }
            Some(_) => {}
        }
    }
}

fn decode(hash: &str) -> Option<[u8; 32]> {
    HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(document: &str) -> String {
        data_encoding::HEXLOWER.encode(digest(&SHA256, document.as_bytes()).as_ref())
    }

    fn completed(documents: &PersistedDocuments, document: Option<&str>, hash: &str) -> Option<String> {
        let mut operation = serde_json::json!({ "extensions": { "persistedQuery": { "sha256Hash": hash } } });
        if let Some(document) = document {
            operation["query"] = document.into();
        }
        documents.complete(&mut operation);
        operation["query"].as_str().map(str::to_owned)
    }

    #[test]
    fn a_document_is_known_once_it_came_with_its_own_hash() {
        let documents = PersistedDocuments::default();
        assert_eq!(completed(&documents, None, &hash("{a}")), None);
        assert_eq!(completed(&documents, Some("{b}"), &hash("{a}")).as_deref(), Some("{b}"), "it is left as it is");
        assert_eq!(completed(&documents, None, &hash("{a}")), None, "the hash was another document's");
        completed(&documents, Some("{a}"), &hash("{a}"));
        assert_eq!(completed(&documents, None, &hash("{a}").to_uppercase()).as_deref(), Some("{a}"));
        for hash in ["", "x", "ab", &"0".repeat(64), &"0".repeat(100_000)] {
            assert_eq!(completed(&documents, None, hash), None);
        }
    }

    #[test]
    fn known_documents_are_bounded() {
        let documents = PersistedDocuments::default();
        let filler = "x".repeat(200 * 1024);
        for number in 0..100 {
            let document = format!("{{a{number}}} #{filler}");
            completed(&documents, Some(&document), &hash(&document));
        }
        assert!(documents.0.weight() <= MAX_BYTES);
    }
}
