//! Artists as MusicBrainz answers them, in its XML.

use greenroom_simulator_backend::serve::SimulatedRequest;

/// Characters of an id.
const ID_CHARS: usize = 36;

/// The answer to a path below `/ws/2`.
pub(super) fn answer(path: &[&str], asked: &SimulatedRequest) -> Option<String> {
    let content = match path {
        ["artist"] | ["artist", ""] => {
            let query = asked.param("query")?;
            let first = query.bytes().map(u64::from).sum::<u64>();
            let rows: String = (first..first + 3)
                .filter_map(|number| artist(&format!("{number:08}-0000-4000-8000-000000000000")))
                .collect();
            format!("<artist-list count=\"3\" offset=\"0\">{rows}</artist-list>")
        }
        ["artist", id] => artist(id)?,
        _ => return None,
    };
    Some(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><metadata xmlns=\"http://musicbrainz.org/ns/mmd-2.0#\">{content}</metadata>"
    ))
}

fn artist(id: &str) -> Option<String> {
    let is_id = id.len() == ID_CHARS && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let number = id.get(..8)?;
    is_id.then(|| {
        format!(
            "<artist id=\"{id}\" type=\"Group\"><name>Artist {number}</name><sort-name>Artist {number}</sort-name><country>GB</country></artist>"
        )
    })
}
