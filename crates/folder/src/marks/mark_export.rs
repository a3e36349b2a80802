//! Marks as a file: what an export writes and an import reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The marks of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FolderMarkExport)]
pub struct MarkExport {
    /// Always `greenroom-marks`.
    #[serde(default)]
    pub format: String,
    /// The marked files.
    pub files: Vec<ExportRow>,
}

/// A marked file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FolderMarkExportRow)]
pub struct ExportRow {
    /// Its path below the root.
    pub path: String,
    /// Its marks.
    pub marks: Vec<String>,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
}

/// Max bytes of an import.
pub const MAX_IMPORT_BYTES: usize = 16 * 1024 * 1024;

impl MarkExport {
    /// Marks by name, each with its paths.
    pub fn by_mark(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut by_mark: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in &self.files {
            for mark in &row.marks {
                by_mark.entry(mark).or_default().push(&row.path);
            }
        }
        by_mark
    }

    /// Reads an export; or a marker file of the comic app, a JSON list of paths (or an object with one list), as files
    /// with the mark `name`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &[u8], name: &str) -> Result<Self, String> {
        if text.len() > MAX_IMPORT_BYTES {
            return Err(format!("it is longer than {MAX_IMPORT_BYTES} bytes"));
        }
        let value: serde_json::Value =
            serde_json::from_slice(text).map_err(|error| format!("it is no JSON: {error}"))?;
        if value.get("format").and_then(serde_json::Value::as_str) == Some("greenroom-marks") {
            return serde_json::from_value(value).map_err(|error| format!("it is no export of marks: {error}"));
        }
        let list = match &value {
            serde_json::Value::Array(list) => Some(list),
            serde_json::Value::Object(fields) => fields.values().find_map(serde_json::Value::as_array),
            _ => None,
        };
        let list = list.ok_or_else(|| "it is neither an export of marks nor a list of paths".to_owned())?;
        let paths: Option<Vec<&str>> = list.iter().map(serde_json::Value::as_str).collect();
        let paths = paths.ok_or_else(|| "its list holds something other than paths".to_owned())?;
        let row = |path: &str| ExportRow { path: path.to_owned(), marks: vec![name.to_owned()], size: 0 };
        Ok(Self { format: "greenroom-marks".into(), files: paths.into_iter().map(row).collect() })
    }
}
