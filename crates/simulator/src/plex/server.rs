//! The server itself: its name and identifiers, and what it is busy with.

use parking_lot::Mutex;

use super::account::Pins;
use super::switches::Switches;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::state::Activity;

/// The version every simulated server says it has.
pub(super) const VERSION: &str = "1.43.0.10000-5a1d00000";
/// The version of its interface.
pub(super) const API_VERSION: &str = "1.2.2";
/// What list containers say about the flags of media.
pub(super) const MEDIA_TAG_PREFIX: &str = "/system/bundle/media/flags/";
/// The version of those flags.
pub(super) const MEDIA_TAG_VERSION: u64 = 1_750_000_000;
/// Who answers about the library.
pub(super) const LIBRARY: &str = "com.plexapp.plugins.library";

/// A simulated server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) switches: Switches,
    /// What identifies it.
    pub(super) machine: String,
    /// What people call it.
    pub(super) name: String,
    /// When it was started, in seconds since 1970.
    pub(super) started_at: u64,
    /// The port it listens at.
    pub(super) port: u16,
    /// The codes by which devices are let in.
    pub(super) pins: Pins,
    clock: Clock,
    activities: Mutex<Vec<Activity>>,
}

impl Server {
    pub(super) fn new(switches: Switches, chance: Chance, clock: Clock, port: u16) -> Self {
        Self {
            switches,
            machine: chance.hex("machine", 1, 40),
            name: "Simulated Plex".into(),
            started_at: clock.now_s(),
            port,
            pins: Pins::new(chance),
            clock,
            activities: Mutex::default(),
        }
    }

    /// What time it is.
    pub(super) fn now_s(&self) -> u64 {
        self.clock.now_s()
    }

    /// What it is busy with.
    pub(super) fn activities(&self) -> Vec<Activity> {
        self.activities.lock().clone()
    }

    /// From now on it is busy with this.
    pub(super) fn begin(&self, activity: Activity) {
        self.activities.lock().push(activity);
    }

    /// It is not busy with this any more. `None` if it was not.
    pub(super) fn end(&self, uuid: &str) -> Option<Activity> {
        let mut activities = self.activities.lock();
        let at = activities.iter().position(|activity| activity.uuid == uuid)?;
        Some(activities.remove(at))
    }
}
