//! The program.

use std::process::ExitCode;

/// Returns unused memory to the system by a thread of its own, also when nothing is requested any more. The system's
/// allocator keeps it.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    greenroom::cli::run(std::env::args_os())
}
