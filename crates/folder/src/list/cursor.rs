//! A place in a list that stays valid while the list changes: the value and the path of the last file seen.

use data_encoding::BASE64URL_NOPAD;

use super::query::QueryError;
use crate::file_entry::FileEntry;
use crate::index::SortOrder;

/// Longest cursor.
const MAX_BYTES: usize = 16_384;

/// A place in a list: after the file with this value and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListCursor {
    key: Box<[u8]>,
    path: Box<str>,
}

impl ListCursor {
    /// The place after a file.
    pub fn after(file: &FileEntry, sort: SortOrder) -> Self {
        Self { key: sort.key(file), path: file.path.clone() }
    }

    /// Whether a file comes behind this place in ascending order.
    pub fn is_before(&self, file: &FileEntry, sort: SortOrder) -> bool {
        (&*self.key, &*self.path) < (&*sort.key(file), &*file.path)
    }

    /// Whether a file comes before this place in ascending order.
    pub fn is_behind(&self, file: &FileEntry, sort: SortOrder) -> bool {
        (&*self.key, &*self.path) > (&*sort.key(file), &*file.path)
    }

    /// The text of the cursor.
    pub fn encode(&self, sort: SortOrder, is_descending: bool) -> String {
        let mut bytes = vec![sort as u8, u8::from(is_descending)];
        bytes.extend_from_slice(&u32::try_from(self.key.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&self.key);
        bytes.extend_from_slice(self.path.as_bytes());
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Reads a cursor of a list in this order.
    ///
    /// # Errors
    /// It is of another list, or damaged.
    pub fn decode(text: &str, sort: SortOrder, is_descending: bool) -> Result<Self, QueryError> {
        let decode = || {
            let bytes = (text.len() <= MAX_BYTES).then(|| BASE64URL_NOPAD.decode(text.as_bytes()).ok())??;
            let (head, rest) = bytes.split_at_checked(6)?;
            if head[..2] != [sort as u8, u8::from(is_descending)] {
                return None;
            }
            let length = u32::from_be_bytes(head[2..].try_into().ok()?) as usize;
            let (key, path) = rest.split_at_checked(length)?;
            Some(Self { key: key.into(), path: std::str::from_utf8(path).ok()?.into() })
        };
        decode().ok_or(QueryError::Cursor)
    }
}
