//! The versions of the servers that are supported.

use crate::ask::Kind;

/// Versions this project was built against; older ones lack paths that are asked for.
const OLDEST: [(Kind, [u32; 2]); 2] = [(Kind::Plex, [1, 40]), (Kind::Jellyfin, [10, 9])];

/// The newest versions whose answers it was tried with.
const NEWEST: [(Kind, [u32; 2]); 2] = [(Kind::Plex, [1, 43]), (Kind::Jellyfin, [12, 0])];

impl Kind {
    /// The oldest version that is served, and whether this one is older. A version that is not understood is not.
    pub fn is_too_old(self, version: &str) -> Option<String> {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let (_, oldest) = OLDEST.into_iter().find(|(kind, _)| *kind == self)?;
        ([major, minor] < oldest).then(|| format!("{}.{}", oldest[0], oldest[1]))
    }

    /// The newest version that this project was tried with, if this one is newer. A version that is not understood is
    /// not.
    pub fn is_untested(self, version: &str) -> Option<String> {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let (_, newest) = NEWEST.into_iter().find(|(kind, _)| *kind == self)?;
        ([major, minor] > newest).then(|| format!("{}.{}", newest[0], newest[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(Kind::Jellyfin.is_too_old("10.8.13"), Some("10.9".into()));
        assert_eq!(Kind::Jellyfin.is_too_old("10.11.0"), None);
        assert_eq!(Kind::Jellyfin.is_too_old("12.0.0"), None);
        assert_eq!(Kind::Plex.is_too_old("1.9.7.4460"), Some("1.40".into()));
        assert_eq!(Kind::Plex.is_too_old("1.43.2.1"), None);
        assert_eq!(Kind::Plex.is_too_old("unknown"), None);
    }

    #[test]
    fn a_version_nobody_has_tried_is_told() {
        assert_eq!(Kind::Plex.is_untested("1.43.2.1"), None);
        assert_eq!(Kind::Plex.is_untested("1.44.0"), Some("1.43".into()));
        assert_eq!(Kind::Jellyfin.is_untested("12.0.1"), None);
        assert_eq!(Kind::Jellyfin.is_untested("12.1.0"), Some("12.0".into()));
        assert_eq!(Kind::Jellyfin.is_untested("unknown"), None);
    }
}
