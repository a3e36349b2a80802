//! Encryption on both sides: whose certificate we believe, and which one we show.
//!
//! Towards a media server every certificate is judged, always; what differs is who may vouch for it: the authorities
//! this machine trusts, those of a file, or a fingerprint that names it. There is no way to believe just any.
//!
//! Rooms: [`fingerprint`] (how a certificate is named), [`trust`] (whose is believed), [`distrust`] (why one is not,
//! and what to do), [`shown`] (the one our own listeners show).

pub mod distrust;
pub mod fingerprint;
pub mod shown;
pub mod trust;

pub use distrust::Distrust;
pub use fingerprint::Fingerprint;
pub use shown::Shown;
pub use trust::Trust;
