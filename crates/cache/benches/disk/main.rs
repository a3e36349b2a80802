//! The disk tier beside Python's diskcache and a bare SQLite: the same keys and values, in turns, in one run. And
//! what it has to hold alone: how soon a killed store answers, and how long its log gets.
//!
//! `cargo bench -p greenroom-cache --bench disk` does everything; `-- read`, `-- write`, `-- open`, `-- log`,
//! `-- back` a part; `--quick` is for seeing that everything works.

mod figures;
mod house;
mod log;
mod open;
mod peer;
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
