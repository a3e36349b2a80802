//! Sections as rows.

use crate::kind;
use crate::node::Node;
use crate::request::PlexReadRequest;
use greenroom_simulator_backend::catalogue::Section;

/// Type, agent and scanner of a section.
pub(crate) fn making(section: Section) -> (&'static str, &'static str, &'static str) {
    match section {
        Section::Films => ("movie", "tv.plex.agents.movie", "Plex Movie"),
        Section::Shows => ("show", "tv.plex.agents.series", "Plex TV Series"),
        Section::Music => ("artist", "tv.plex.agents.music", "Plex Music"),
    }
}

/// The identifier of a section.
pub(crate) fn uuid(call: &PlexReadRequest<'_>, section: Section) -> String {
    call.catalogue().rng().uuid("section", u64::from(section.number()))
}

/// The counter of changes of a section's content.
pub(crate) fn content_changed_at(call: &PlexReadRequest<'_>, section: Section) -> u64 {
    let stamps = call.view.stamps(section);
    if call.switches().content_changed_by_edits { stamps.touched } else { stamps.moved }
}

/// The title of a section, possibly edited.
pub(crate) fn title(call: &PlexReadRequest<'_>, section: Section) -> String {
    let name = format!("section/{}/title", section.number());
    call.view.setting(&name).unwrap_or(section.title()).to_owned()
}

/// A section as a row.
pub(crate) fn row(call: &PlexReadRequest<'_>, section: Section) -> Node {
    let (type_word, agent, scanner) = making(section);
    let stamps = call.view.stamps(section);
    let number = section.number();
    Node::new("Directory")
        .set("allowSync", true)
        .set("art", format!("/:/resources/{type_word}-fanart.jpg"))
        .set("composite", format!("/library/sections/{number}/composite/{}", stamps.updated_at))
        .set("filters", true)
        .set("refreshing", stamps.refreshing)
        .set("thumb", format!("/:/resources/{type_word}.png"))
        .set("key", number.to_string())
        .set("type", type_word)
        .set("title", title(call, section))
        .set("agent", agent)
        .set("scanner", scanner)
        .set("language", "en-US")
        .set("uuid", uuid(call, section))
        .set("updatedAt", stamps.updated_at)
        .set("createdAt", call.catalogue().newest_at().saturating_sub(4 * 365 * 86_400))
        .set("scannedAt", stamps.scanned_at)
        .set("content", true)
        .set("directory", true)
        .set("contentChangedAt", content_changed_at(call, section))
        .set("hidden", 0)
        .with(Node::new("Location").set("id", number).set("path", section.folder()))
}

/// Fields of every list of a section.
pub(crate) fn heading(
    call: &PlexReadRequest<'_>,
    node: Node,
    section: Section,
    listed: greenroom_simulator_backend::catalogue::MediaKind,
) -> Node {
    let (type_word, ..) = making(section);
    let node = if section == Section::Films { node } else { node.set("nocache", true) };
    node.set("allowSync", true)
        .set("sortAsc", true)
        .set("art", format!("/:/resources/{type_word}-fanart.jpg"))
        .set("content", "secondary")
        .set("identifier", crate::server::LIBRARY)
        .set("librarySectionID", section.number())
        .set("librarySectionTitle", title(call, section))
        .set("librarySectionUUID", uuid(call, section))
        .set("mediaTagPrefix", crate::server::MEDIA_TAG_PREFIX)
        .set("mediaTagVersion", crate::server::MEDIA_TAG_VERSION)
        .set("thumb", format!("/:/resources/{type_word}.png"))
        .set("title1", title(call, section))
        .set("title2", format!("All {}", kind::plural(listed)))
        .set("viewGroup", kind::word(listed))
        .set("viewMode", 65_592)
}
