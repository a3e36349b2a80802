//! Which proxies a media server trusts, as it said last.

use parking_lot::Mutex;

/// Which proxies a server trusts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Proxies {
    /// It was not asked, or does not say.
    #[default]
    Unknown,
    /// Nobody.
    None,
    /// Some.
    Some,
}

/// What a server said of it last.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Proxies>);

impl Heard {
    /// What it said.
    pub fn said(&self) -> Proxies {
        *self.0.lock()
    }

    /// It says this.
    pub fn note(&self, proxies: Proxies) {
        *self.0.lock() = proxies;
    }
}
