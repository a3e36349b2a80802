//! Checks the properties of the fuzz targets on their seeds: without libFuzzer, and in every build.

#[expect(unreachable_pub, reason = "the fuzz targets reach it as a crate of its own")]
#[path = "../../../../fuzz/src/lib.rs"]
mod properties;

use std::path::{Path, PathBuf};

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");

fn names_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_property_holds_for_every_seed() {
    for (name, property) in properties::target::EVERY {
        let seeds = names_in(&Path::new(FUZZ).join("seeds").join(name));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            let bytes = std::fs::read(&seed).expect("a seed can be read");
            // Shown only if the property does not hold.
            println!("{}", seed.display());
            property(&bytes);
        }
    }
}

#[test]
fn every_property_holds_for_nothing_and_for_every_byte() {
    for (name, property) in properties::target::EVERY {
        println!("{name}");
        property(&[]);
        for byte in 0..=u8::MAX {
            property(&[byte]);
            property(&[byte; 64]);
        }
    }
}

#[test]
fn every_property_has_seeds_and_words() {
    let names: Vec<&str> = properties::target::EVERY.iter().map(|(name, _)| *name).collect();
    // `fuzz/run.sh` takes the list of targets from the folders of seeds.
    let found = names_in(&Path::new(FUZZ).join("seeds"));
    let stems: Vec<_> = found.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    assert_eq!(stems, names);
    for name in names {
        let family = name.split('_').next().unwrap_or(name);
        let words = Path::new(FUZZ).join(format!("words/{family}.dict"));
        assert!(words.is_file(), "{name} has no words in {}", words.display());
    }
}
