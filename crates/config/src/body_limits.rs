//! Limits on request bodies: their length, and the memory they use.

use super::section::Section;
use super::source::ConfigSource;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// Addresses that share the memory limit for unaccepted tokens, by default.
const UNPROVEN_PEERS: u64 = 4;
/// Upper limit of every length setting.
const MOST_BYTES: u64 = 1 << 40;

/// Limits on the bodies of writes to one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Limits on length.
    pub lengths: BodyLengthLimits,
    /// Limits on memory.
    pub held: BodyMemoryLimits,
    /// Concurrent uploads (bodies forwarded while they arrive).
    pub max_uploads: usize,
    /// Concurrent uploads of one address.
    pub max_uploads_per_peer: usize,
    /// Concurrent uploads with tokens that the server has never accepted.
    pub max_uploads_unproven: usize,
}

/// Length limits of bodies, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLengthLimits {
    /// Any body.
    pub longest: u64,
    /// A body that is buffered before the write is sent.
    pub whole: u64,
    /// The same with a token that the server has never accepted.
    pub whole_unproven: u64,
}

/// Memory limits of buffered bodies, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyMemoryLimits {
    /// All clients of the server.
    pub server: u64,
    /// One client address.
    pub peer: u64,
    /// All tokens that the server has never accepted.
    pub unproven: u64,
    /// Such tokens of one client address.
    pub unproven_peer: u64,
}

/// Reads the memory limit for the bodies of all servers.
pub(super) fn read_held_by_process(tree: &mut ConfigSource) -> u64 {
    tree.number("memory.max_held_body_bytes", KIB, MOST_BYTES, 64 * MIB)
}

impl BodyLimits {
    /// Reads the limits of one server.
    pub(super) fn read(own: &mut Section<'_>) -> Self {
        let mut bytes = |key: &str, default: u64| own.number(key, KIB..=MOST_BYTES, default);
        let lengths = BodyLengthLimits {
            longest: bytes("max_request_body_bytes", 64 * MIB),
            whole: bytes("max_whole_body_bytes", MIB),
            whole_unproven: bytes("max_whole_body_bytes_unproven", 64 * KIB),
        };
        let unproven = bytes("max_held_body_bytes_unproven", 2 * MIB);
        let share = (unproven / UNPROVEN_PEERS).max(KIB);
        let held = BodyMemoryLimits {
            server: bytes("max_held_body_bytes", 32 * MIB),
            peer: bytes("max_held_body_bytes_per_peer", 8 * MIB),
            unproven,
            unproven_peer: bytes("max_held_body_bytes_unproven_per_peer", share),
        };
        Self {
            lengths,
            held,
            max_uploads: own.count("max_uploads", 1..=65_536, 32),
            max_uploads_per_peer: own.count("max_uploads_per_peer", 1..=65_536, 16),
            max_uploads_unproven: own.count("max_uploads_unproven", 1..=65_536, 8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigSource, Settings};
    use super::*;

    const HOME: &str = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";

    fn read(environment: &[(&str, &str)]) -> (u64, BodyLimits) {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", HOME);
        tree.add_environment(environment.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let settings = Settings::read(tree).expect("it is valid");
        (settings.memory.max_held_body_bytes, settings.servers[0].listener_limits.bodies)
    }

    #[test]
    fn bodies_are_limited_where_nothing_is_said() {
        let (process, bodies) = read(&[]);
        assert_eq!(process, 64 * MIB);
        let lengths = BodyLengthLimits { longest: 64 * MIB, whole: MIB, whole_unproven: 64 * KIB };
        assert_eq!(bodies.lengths, lengths);
        let (unproven, unproven_peer) = (2 * MIB, 512 * KIB);
        assert_eq!(bodies.held, BodyMemoryLimits { server: 32 * MIB, peer: 8 * MIB, unproven, unproven_peer });
        assert_eq!((bodies.max_uploads, bodies.max_uploads_per_peer, bodies.max_uploads_unproven), (32, 16, 8));
    }

    #[test]
    fn one_address_has_a_quarter_of_the_room_for_tokens_that_were_never_accepted() {
        let room = |text| read(&[("GREENROOM_SERVER_HOME_MAX_HELD_BODY_BYTES_UNPROVEN", text)]).1.held;
        assert_eq!(room("40000").unproven_peer, 10_000);
        assert_eq!(room("1024").unproven_peer, 1024, "no less than may be said");
    }

    #[test]
    fn every_limit_on_bodies_is_a_variable() {
        let (process, bodies) = read(&[
            ("GREENROOM_MEMORY_MAX_HELD_BODY_BYTES", "10001"),
            ("GREENROOM_SERVER_HOME_MAX_REQUEST_BODY_BYTES", "10002"),
            ("GREENROOM_SERVER_HOME_MAX_WHOLE_BODY_BYTES", "10003"),
            ("GREENROOM_SERVER_HOME_MAX_WHOLE_BODY_BYTES_UNPROVEN", "10004"),
            ("GREENROOM_SERVER_HOME_MAX_HELD_BODY_BYTES", "10005"),
            ("GREENROOM_SERVER_HOME_MAX_HELD_BODY_BYTES_PER_PEER", "10006"),
            ("GREENROOM_SERVER_HOME_MAX_HELD_BODY_BYTES_UNPROVEN", "10007"),
            ("GREENROOM_SERVER_HOME_MAX_HELD_BODY_BYTES_UNPROVEN_PER_PEER", "10008"),
            ("GREENROOM_SERVER_HOME_MAX_UPLOADS", "8"),
            ("GREENROOM_SERVER_HOME_MAX_UPLOADS_PER_PEER", "9"),
            ("GREENROOM_SERVER_HOME_MAX_UPLOADS_UNPROVEN", "10"),
        ]);
        assert_eq!(process, 10_001);
        let expected = BodyLimits {
            lengths: BodyLengthLimits { longest: 10_002, whole: 10_003, whole_unproven: 10_004 },
            held: BodyMemoryLimits { server: 10_005, peer: 10_006, unproven: 10_007, unproven_peer: 10_008 },
            max_uploads: 8,
            max_uploads_per_peer: 9,
            max_uploads_unproven: 10,
        };
        assert_eq!(bodies, expected);
    }
}
