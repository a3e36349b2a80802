//! Disk failures, with and without load on the cache. Whatever happens, every request gets a correct response, and
//! writing resumes when the failure ends.

mod back;
mod blocked;
mod damage;
mod fixture;
mod log;
mod running;
mod straits;
mod warning_log;
