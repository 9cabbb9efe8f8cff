//! The seeds that the repository keeps, run by the tests of the crate that they are for.

use std::fs;
use std::path::{Path, PathBuf};

/// What a target does with an input; it panics unless all that is promised holds for it.
type CheckInput = fn(&[u8]);

/// Runs each target with its seeds. The one that fails is the last one printed.
pub fn replay(targets: &[(&str, CheckInput)]) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, check_input) in targets {
        let seeds = seeds(&corpus.join(target));
        assert!(!seeds.is_empty(), "`{target}` has no seeds");
        for seed in seeds {
            println!("{}", seed.display());
            check_input(&fs::read(seed).expect("a seed"));
        }
    }
}

/// The files with an ending; what libFuzzer adds has none.
fn seeds(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("a file").path());
    entries.filter(|path| path.extension().is_some()).collect()
}
