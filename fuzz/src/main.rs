//! All fuzz targets in one program, so that one link is enough for them. The environment variable `FUZZ_TARGET` names
//! the target that libFuzzer is to run; `fuzz/run.sh` sets it.

#![no_main]

use std::sync::LazyLock;

use greenroom_fuzz::target::{EVERY, Property};

/// The variable that names a target.
const NAMED_BY: &str = "FUZZ_TARGET";

static PROPERTY: LazyLock<Property> = LazyLock::new(|| {
    let name = std::env::var(NAMED_BY).unwrap_or_default();
    let named = EVERY.iter().find(|(target, _)| *target == name);
    named.unwrap_or_else(|| panic!("{NAMED_BY} names no target: {name:?}")).1
});

libfuzzer_sys::fuzz_target!(
    init: {
        LazyLock::force(&PROPERTY);
    },
    |bytes: &[u8]| PROPERTY(bytes)
);
