//! The process's limit of open files.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one: every connection is an open file, and the soft limit of 1,024 that
/// shells and service managers give is meant for programs that use `select(2)`
/// (systemd.exec(5), "LimitNOFILE"). A system that forbids it leaves the limit as it is.
pub(super) fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
