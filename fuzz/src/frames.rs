//! Properties of any frame of a notification socket.

use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_event::ServerEvent;

/// More events than this come of no frame.
const MAX_SIGNALS: usize = 513;

/// More answers than this are never named one by one by a single frame.
const MAX_STALINGS: usize = 4096;

/// Checks what must hold of any frame of a server of this kind.
pub fn check(kind: ServerKind, frame: &[u8]) {
    let signals = kind.parse_frame(frame);
    assert_eq!(signals, kind.parse_frame(frame), "a frame always says the same");
    assert!(signals.len() <= MAX_SIGNALS, "{} signals", signals.len());
    let mut count = 0;
    for signal in &signals {
        match signal {
            ServerEvent::Stale(stale) => {
                assert!(!stale.is_empty(), "a signal says something");
                count += stale.len();
            }
            ServerEvent::Playback { session, item, state, .. } => {
                assert!(session.len() + item.len() <= frame.len() * 2);
                count += usize::from(kind.playback_invalidations(item, *state).len() > 16);
            }
            ServerEvent::Restarting => {}
        }
    }
    assert!(count <= MAX_STALINGS, "{count} stalings of one frame");
    if !signals.is_empty() {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(frame).is_ok(), "what is no JSON says nothing");
    }
}
