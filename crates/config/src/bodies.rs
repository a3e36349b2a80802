//! How much of request bodies a server's listener takes, and how much of them is held in memory.

use super::tree::Tree;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// No body is longer, whatever is configured.
const MOST_BYTES: u64 = 1 << 40;

/// The limits on the bodies of writes to one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bodies {
    /// How long one may be.
    pub lengths: Lengths,
    /// How many bytes are held in memory.
    pub held: HeldBytes,
    /// Bodies passed on while they arrive, at a time.
    pub max_uploads: usize,
    /// The same, from one address.
    pub max_uploads_per_peer: usize,
    /// The same, with tokens that the server has never accepted.
    pub max_uploads_unproven: usize,
}

/// How long bodies may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Any body.
    pub longest: u64,
    /// One that is read whole before the write is sent.
    pub whole: u64,
    /// The same with a token that the server has never accepted.
    pub whole_unproven: u64,
}

/// Bytes of bodies that may be held in memory at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBytes {
    /// For all clients of the server.
    pub server: u64,
    /// For one client address.
    pub peer: u64,
    /// For all tokens that the server has never accepted.
    pub unproven: u64,
}

/// Reads how many bytes of bodies all servers together may hold.
pub(super) fn read_held_by_process(tree: &mut Tree) -> u64 {
    tree.number("memory.max_held_body_bytes", KIB, MOST_BYTES, 64 * MIB)
}

impl Bodies {
    /// Reads the settings of one server.
    pub(super) fn read(tree: &mut Tree, server: &str) -> Self {
        let mut bytes = |key: &str, default: u64| {
            tree.number(&format!("server.{server}.{key}"), KIB, MOST_BYTES, default)
        };
        let lengths = Lengths {
            longest: bytes("max_request_body_bytes", 64 * MIB),
            whole: bytes("max_whole_body_bytes", MIB),
            whole_unproven: bytes("max_whole_body_bytes_unproven", 64 * KIB),
        };
        let held = HeldBytes {
            server: bytes("max_held_body_bytes", 32 * MIB),
            peer: bytes("max_held_body_bytes_per_peer", 8 * MIB),
            unproven: bytes("max_held_body_bytes_unproven", 2 * MIB),
        };
        let mut count = |key: &str, default: usize| {
            let number = tree.number(&format!("server.{server}.{key}"), 1, 65_536, default as u64);
            usize::try_from(number).unwrap_or(default)
        };
        Self {
            lengths,
            held,
            max_uploads: count("max_uploads", 32),
            max_uploads_per_peer: count("max_uploads_per_peer", 16),
            max_uploads_unproven: count("max_uploads_unproven", 8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, Tree};
    use super::*;

    const HOME: &str = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";

    fn read(environment: &[(&str, &str)]) -> (u64, Bodies) {
        let mut tree = Tree::default();
        tree.add_toml("g.toml", HOME);
        tree.add_environment(environment.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let settings = Settings::read(tree).expect("it is valid");
        (settings.memory.max_held_body_bytes, settings.servers[0].hygiene.bodies)
    }

    #[test]
    fn bodies_are_limited_where_nothing_is_said() {
        let (process, bodies) = read(&[]);
        assert_eq!(process, 64 * MIB);
        let lengths = Lengths { longest: 64 * MIB, whole: MIB, whole_unproven: 64 * KIB };
        assert_eq!(bodies.lengths, lengths);
        assert_eq!(bodies.held, HeldBytes { server: 32 * MIB, peer: 8 * MIB, unproven: 2 * MIB });
        assert_eq!(
            (bodies.max_uploads, bodies.max_uploads_per_peer, bodies.max_uploads_unproven),
            (32, 16, 8)
        );
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
            ("GREENROOM_SERVER_HOME_MAX_UPLOADS", "8"),
            ("GREENROOM_SERVER_HOME_MAX_UPLOADS_PER_PEER", "9"),
            ("GREENROOM_SERVER_HOME_MAX_UPLOADS_UNPROVEN", "10"),
        ]);
        assert_eq!(process, 10_001);
        let expected = Bodies {
            lengths: Lengths { longest: 10_002, whole: 10_003, whole_unproven: 10_004 },
            held: HeldBytes { server: 10_005, peer: 10_006, unproven: 10_007 },
            max_uploads: 8,
            max_uploads_per_peer: 9,
            max_uploads_unproven: 10,
        };
        assert_eq!(bodies, expected);
    }
}
