//! Files that the reference programs made (tests/golden).

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Windows of stored files are up to 2^31 bytes: a patch reaches back over the whole old file.
const WINDOW_LOG_MAX: u32 = 31;

/// The content of a file of a case.
pub(crate) fn file(case: &str, name: &str) -> Vec<u8> {
    let stored = |suffix| path(case, &format!("{name}{suffix}"));
    let (compressed, patch) = (stored(".zst"), stored(".patchfrom.zst"));
    if compressed.exists() {
        decompress(&compressed, &[])
    } else if patch.exists() {
        // Of the disks, the changed ones are kept as what differs from the others.
        decompress(&patch, &file(case, &name.replace("mod", "base")))
    } else {
        fs::read(stored("")).unwrap()
    }
}

fn path(case: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(case).join(name)
}

fn decompress(path: &Path, old: &[u8]) -> Vec<u8> {
    let compressed = fs::read(path).unwrap();
    let mut decoder = zstd::Decoder::with_ref_prefix(compressed.as_slice(), old).unwrap();
    decoder.window_log_max(WINDOW_LOG_MAX).unwrap();
    let mut content = Vec::new();
    decoder.read_to_end(&mut content).unwrap();
    content
}
