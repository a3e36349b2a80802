//! Documents that clients refer to by their hash.

use std::collections::HashMap;

use parking_lot::Mutex;
use ring::digest::{SHA256, digest};

use super::error::GraphQlError;
use super::operation::OperationRequest;

/// Documents that are remembered.
const MAX_DOCUMENTS: usize = 1_000;

/// Documents by their SHA-256.
#[derive(Debug, Default)]
pub(super) struct PersistedDocuments(Mutex<HashMap<String, String>>);

impl PersistedDocuments {
    /// The document of an operation, remembered if it is sent with its hash.
    pub(super) fn document(&self, asked: &OperationRequest, enabled: bool) -> Result<String, GraphQlError> {
        let Some(hash) = &asked.hash else {
            return asked
                .document
                .clone()
                .ok_or_else(|| GraphQlError::new("BAD_REQUEST", "Must provide query string."));
        };
        if !enabled {
            return Err(GraphQlError::new("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported"));
        }
        let mut documents = self.0.lock();
        let Some(document) = &asked.document else {
            let known = documents.get(hash).cloned();
            return known.ok_or_else(|| GraphQlError::new("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound"));
        };
        if data_encoding::HEXLOWER.encode(digest(&SHA256, document.as_bytes()).as_ref()) != *hash {
            return Err(GraphQlError::new("BAD_REQUEST", "provided sha does not match query"));
        }
        if documents.len() < MAX_DOCUMENTS || documents.contains_key(hash) {
            documents.insert(hash.clone(), document.clone());
        }
        Ok(document.clone())
    }
}
