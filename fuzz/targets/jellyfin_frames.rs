#![no_main]

use greenroom_upstream::ask::Kind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| greenroom_fuzz::frames::check(Kind::Jellyfin, bytes));
