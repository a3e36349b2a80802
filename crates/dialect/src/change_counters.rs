//! The change counters that a Plex server keeps per section.

use serde::Deserialize;

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "MediaContainer")]
    container: Sections,
}

#[derive(Deserialize)]
struct Sections {
    #[serde(rename = "Directory", default)]
    sections: Vec<Section>,
}

#[derive(Deserialize)]
struct Section {
    key: String,
    #[serde(rename = "contentChangedAt", default)]
    content_changed_at: u64,
    #[serde(rename = "scannedAt", default)]
    scanned_at: u64,
}

/// Section ids, each with a text that changes whenever the section's content does, from the JSON body of
/// Plex's `/library/sections`.
pub fn change_counters(body: &[u8]) -> Option<Vec<(String, String)>> {
    let fields: Envelope = serde_json::from_slice(body).ok()?;
    let counter = |section: &Section| format!("{}/{}", section.content_changed_at, section.scanned_at);
    Some(fields.container.sections.iter().map(|section| (section.key.clone(), counter(section))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_counter_yields_another_value() {
        let body = |at: u64| {
            format!(r#"{{"MediaContainer":{{"Directory":[{{"key":"1","contentChangedAt":{at},"scannedAt":5}}]}}}}"#)
        };
        assert_ne!(change_counters(body(1).as_bytes()), change_counters(body(2).as_bytes()));
        assert_eq!(change_counters(b"[]"), None);
    }
}
