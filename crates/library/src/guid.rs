//! The names by which others know an item, brought to the one spelling that is compared.

/// The one spelling of a name: scheme and id in small letters without what differs from tool to tool. `None` if it names
/// nothing outside the server (`local://158`) or is no such name.
pub fn canonical(guid: &str) -> Option<String> {
    let guid = guid.trim().to_ascii_lowercase();
    let (scheme, id) = guid.split_once("://")?;
    (scheme != "local" && !id.is_empty()).then(|| guid.clone())
}
