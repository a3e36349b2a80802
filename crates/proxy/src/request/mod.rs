//! What a request says: its head with the meaning remembered for it, the address it comes from, the headers that may
//! pass, the base path it begins with.

pub mod base_path;
pub mod client_ip;
pub mod headers;
pub mod last_look;
pub mod letterhead;
pub mod meaning;
