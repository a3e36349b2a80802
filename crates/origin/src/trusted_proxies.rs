//! Proxies that a media server trusts, according to its last answer.

use parking_lot::Mutex;

/// Proxies that a server trusts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyTrust {
    /// Not known.
    #[default]
    Unknown,
    /// None.
    None,
    /// Some.
    Some,
}

/// The server's last answer.
#[derive(Debug, Default)]
pub struct ProxyTrustState(Mutex<ProxyTrust>);

impl ProxyTrustState {
    /// The last answer.
    pub fn get(&self) -> ProxyTrust {
        *self.0.lock()
    }

    /// Sets the last answer.
    pub fn set(&self, proxies: ProxyTrust) {
        *self.0.lock() = proxies;
    }
}
