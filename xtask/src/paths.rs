//! Where things are in the working tree.

use std::path::{Path, PathBuf};

/// The top of the working tree.
pub fn workspace() -> &'static Path {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().unwrap_or(crate_dir)
}

/// Where commands leave their results, whatever directory cargo builds in.
pub fn target() -> PathBuf {
    workspace().join("target")
}
