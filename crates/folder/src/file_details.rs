//! Facts read from a file's content.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::comic_info::ComicInfo;

/// Facts read from a file's content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileDetails {
    /// Whether its metadata could be read.
    pub metadata: MetadataState,
    /// Reason for which it could not be read, or an oddity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Box<str>>,
    /// Pages: images in the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
    /// Its ComicInfo.xml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comic: Option<Box<ComicInfo>>,
    /// Hash over its size, its first and its last bytes.
    #[serde(default)]
    pub fingerprint: u64,
    /// Whether it has a first page to make a cover of.
    #[serde(default)]
    pub has_cover: bool,
}

/// Whether a file's metadata could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = FolderMetadataState)]
pub enum MetadataState {
    /// Not read yet.
    #[default]
    Pending,
    /// Read.
    Read,
    /// Greenroom reads no metadata of this format.
    Unsupported,
    /// The file is damaged, or exceeds a limit.
    Unreadable,
}
