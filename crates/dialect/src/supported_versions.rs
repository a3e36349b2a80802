//! Supported versions of the servers.

use crate::request::ServerKind;

/// Oldest supported versions; older ones lack paths that Greenroom needs.
const OLDEST: [(ServerKind, [u32; 2]); 2] = [(ServerKind::Plex, [1, 40]), (ServerKind::Jellyfin, [10, 9])];

/// Newest tested versions.
const NEWEST: [(ServerKind, [u32; 2]); 2] = [(ServerKind::Plex, [1, 43]), (ServerKind::Jellyfin, [12, 0])];

impl ServerKind {
    /// The oldest supported version, if this one is older. An unparsable version counts as supported.
    pub fn is_too_old(self, version: &str) -> Option<String> {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let (_, oldest) = OLDEST.into_iter().find(|(kind, _)| *kind == self)?;
        ([major, minor] < oldest).then(|| format!("{}.{}", oldest[0], oldest[1]))
    }

    /// The newest tested version, if this one is newer. An unparsable version counts as tested.
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
        assert_eq!(ServerKind::Jellyfin.is_too_old("10.8.13"), Some("10.9".into()));
        assert_eq!(ServerKind::Jellyfin.is_too_old("10.11.0"), None);
        assert_eq!(ServerKind::Jellyfin.is_too_old("12.0.0"), None);
        assert_eq!(ServerKind::Plex.is_too_old("1.9.7.4460"), Some("1.40".into()));
        assert_eq!(ServerKind::Plex.is_too_old("1.43.2.1"), None);
        assert_eq!(ServerKind::Plex.is_too_old("unknown"), None);
    }

    #[test]
    fn an_untested_version_is_reported() {
        assert_eq!(ServerKind::Plex.is_untested("1.43.2.1"), None);
        assert_eq!(ServerKind::Plex.is_untested("1.44.0"), Some("1.43".into()));
        assert_eq!(ServerKind::Jellyfin.is_untested("12.0.1"), None);
        assert_eq!(ServerKind::Jellyfin.is_untested("12.1.0"), Some("12.0".into()));
        assert_eq!(ServerKind::Jellyfin.is_untested("unknown"), None);
    }
}
