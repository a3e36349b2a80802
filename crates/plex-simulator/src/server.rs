//! The server itself: its name, identifiers and activities.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::link_pins::LinkPins;
use super::play_queues::PlayQueues;
use super::switches::PlexSwitches;
use greenroom_simulator_backend::catalogue::ItemId;
use greenroom_simulator_backend::clock::SimulatedClock;
use greenroom_simulator_backend::rng::SeededRng;
use greenroom_simulator_backend::state::SimulatedActivity;

/// Reported version.
pub(super) const VERSION: &str = "1.43.0.10000-5a1d00000";
/// Version of its API.
pub(super) const API_VERSION: &str = "1.2.2";
/// Path prefix of media flags, reported in list containers.
pub(super) const MEDIA_TAG_PREFIX: &str = "/system/bundle/media/flags/";
/// The version of those flags.
pub(super) const MEDIA_TAG_VERSION: u64 = 1_750_000_000;
/// Identifier of the library provider.
pub(super) const LIBRARY: &str = "com.plexapp.plugins.library";

/// Max items with replaced images.
const MAX_IMAGE_REVISIONS: usize = 100_000;

/// A simulated server.
#[derive(Debug)]
pub(super) struct PlexServer {
    pub(super) switches: PlexSwitches,
    /// Machine identifier.
    pub(super) machine: String,
    /// Friendly name.
    pub(super) name: String,
    /// Start time, in seconds since 1970.
    pub(super) started_at: u64,
    /// The port it listens at.
    pub(super) port: u16,
    /// Codes that authorize devices.
    pub(super) pins: LinkPins,
    /// Queues of players.
    pub(super) play_queues: PlayQueues,
    clock: SimulatedClock,
    activities: Mutex<Vec<SimulatedActivity>>,
    /// Number of times that the images of an item were replaced.
    image_revisions: Mutex<HashMap<ItemId, u64>>,
}

impl PlexServer {
    pub(super) fn new(switches: PlexSwitches, chance: SeededRng, clock: SimulatedClock, port: u16) -> Self {
        Self {
            switches,
            machine: chance.hex("machine", 1, 40),
            name: "Simulated Plex".into(),
            started_at: clock.now_s(),
            port,
            pins: LinkPins::new(chance),
            play_queues: PlayQueues::new(chance),
            clock,
            activities: Mutex::default(),
            image_revisions: Mutex::default(),
        }
    }

    /// Current time.
    pub(super) fn now_s(&self) -> u64 {
        self.clock.now_s()
    }

    /// Number of times that the images of an item were replaced: an edit of its text does not.
    pub(super) fn image_revision(&self, item: ItemId) -> u64 {
        self.image_revisions.lock().get(&item).copied().unwrap_or(0)
    }

    /// Replaces the images of an item.
    pub(super) fn replace_images(&self, item: ItemId) {
        let mut revisions = self.image_revisions.lock();
        if revisions.len() < MAX_IMAGE_REVISIONS || revisions.contains_key(&item) {
            *revisions.entry(item).or_default() += 1;
        }
    }

    /// Current activities.
    pub(super) fn activities(&self) -> Vec<SimulatedActivity> {
        self.activities.lock().clone()
    }

    /// Begins an activity.
    pub(super) fn begin(&self, activity: SimulatedActivity) {
        self.activities.lock().push(activity);
    }

    /// Ends an activity. `None` if it was not running.
    pub(super) fn end(&self, uuid: &str) -> Option<SimulatedActivity> {
        let mut activities = self.activities.lock();
        let at = activities.iter().position(|activity| activity.uuid == uuid)?;
        Some(activities.remove(at))
    }
}
