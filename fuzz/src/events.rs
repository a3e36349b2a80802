//! Properties of any stream of server-sent events: cut into events wherever its chunks end, it stays what it is.

use greenroom_proxy::forward::sse::{end_of_event, event_data};

use super::request::chance;

/// Checks what must hold of a stream.
pub fn check(bytes: &[u8]) {
    let events = events(bytes);
    let whole: usize = events.iter().map(|event| event.len()).sum();
    assert!(whole <= bytes.len());
    for event in &events {
        assert_eq!(end_of_event(event), Some(event.len()), "an event ends once");
        assert!(event.ends_with(b"\n\n") || event.ends_with(b"\n\r\n"), "an event ends with an empty line");
        assert_eq!(event_data(event), data(event));
    }
    assert_eq!(end_of_event(&bytes[whole..]), None, "what remains is not complete");
    // Events that were complete stay what they are, whatever comes behind them.
    let cut = chance(bytes) % (bytes.len() + 1);
    let early = self::events(&bytes[..cut]);
    assert_eq!(early, events[..early.len()]);
}

/// The complete events of a stream.
fn events(bytes: &[u8]) -> Vec<&[u8]> {
    let mut events = Vec::new();
    let mut rest = bytes;
    while let Some(end) = end_of_event(rest) {
        events.push(&rest[..end]);
        rest = &rest[end..];
    }
    events
}

/// The data of an event as the format tells it, read in the plainest way.
fn data(event: &[u8]) -> Vec<u8> {
    let lines = event.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let values = lines.filter_map(|line| line.strip_prefix(b"data:"));
    let values: Vec<&[u8]> = values.map(|value| value.strip_prefix(b" ").unwrap_or(value)).collect();
    values.join(&b'\n')
}
