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
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if words.first().is_some_and(|word| word == "victim") {
        return open::victim(&words[1..]);
    }
    let wanted = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    let is_quick = std::env::args().any(|word| word == "--quick");
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
