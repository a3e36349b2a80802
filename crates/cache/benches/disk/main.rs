//! The disk tier beside Python's diskcache and a bare SQLite: the same keys and values, alternating, in one run. Also
//! two measurements of its own: how soon a killed store answers, and how long its log gets.
//!
//! `cargo bench -p greenroom-cache --bench disk` runs everything; `-- read`, `-- write`, `-- open`, `-- log`, `-- back`
//! a part; `--quick` only checks that everything works.

mod diskcache;
mod fixture;
mod log;
mod measurements;
mod open;
mod read;
mod write;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if args.first().is_some_and(|arg| arg == "victim") {
        return open::victim(&args[1..]);
    }
    let wanted = |part: &str| args.is_empty() || args.iter().any(|arg| arg == part);
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let rounds = if is_quick { 3 } else { 15 };
    if wanted("read") {
        read::compare(rounds);
    }
    if wanted("write") {
        write::compare(rounds);
    }
    if wanted("open") {
        open::measure(rounds);
    }
    if wanted("log") {
        log::measure(is_quick);
    }
    if wanted("back") {
        log::read_back(is_quick);
    }
}
