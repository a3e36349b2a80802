//! Where answers are kept that belong to nobody alone.

use greenroom_cache::Partition;
use greenroom_dialect::verdict::{Read, Sharing};

use super::Identity;

/// The partitions that identities share.
#[derive(Debug)]
pub struct SharedPartitions {
    /// Where answers are kept that everybody may see.
    pub public: Partition,
    /// Where images are kept.
    pub images: Partition,
}

impl Default for SharedPartitions {
    fn default() -> Self {
        Self { public: Partition::new("public"), images: Partition::new("images") }
    }
}

impl SharedPartitions {
    /// Where the answer of a read is kept that this identity asks for.
    pub fn of<'a>(&'a self, identity: &'a Identity, read: &Read) -> &'a Partition {
        match read.sharing {
            Sharing::Identity => identity.partition(),
            Sharing::Public => &self.public,
            Sharing::Image(_) => &self.images,
        }
    }
}
