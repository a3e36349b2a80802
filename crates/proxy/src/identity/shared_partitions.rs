//! Partitions that identities share.

use greenroom_cache::Partition;
use greenroom_dialect::classification::{Read, SharingScope};

use super::Identity;
use crate::sabotage;

/// The shared partitions of one server.
#[derive(Debug)]
pub struct SharedPartitions {
    /// Responses that every client may see.
    pub public: Partition,
    /// Images.
    pub images: Partition,
}

impl Default for SharedPartitions {
    fn default() -> Self {
        Self { public: Partition::new("public"), images: Partition::new("images") }
    }
}

impl SharedPartitions {
    /// The partition for this identity's read.
    pub fn partition_for<'a>(&'a self, identity: &'a Identity, read: &Read) -> &'a Partition {
        match read.sharing {
            SharingScope::Identity if sabotage::is_disabled("proof") => &self.public,
            SharingScope::Identity => identity.partition(),
            SharingScope::Public => &self.public,
            SharingScope::Image(_) => &self.images,
        }
    }
}
