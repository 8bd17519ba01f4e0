//! The file that a signature is in.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use imagezip_core::signature::Signature;

use crate::host::FileDevice;

/// How far the times of an image and its signature may be apart: what file systems and programs
/// that copy files do to them.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Reads a signature.
///
/// # Errors
/// If it can't be read or is none.
pub fn read(path: &Path) -> anyhow::Result<Signature> {
    let file = FileDevice::open(path)?;
    Signature::read(&file).with_context(|| format!("reading {}", path.display()))
}

/// What the time of a signature's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// There is no such file.
    Absent,
    /// It was made with the image.
    Same,
    /// The image is another than when the signature was made, or one of them was copied without
    /// its time.
    Other,
}

/// Compares the time of the signature at `path` with when its image was `modified`.
///
/// # Errors
/// If the system doesn't tell.
pub fn age(path: &Path, modified: SystemTime) -> anyhow::Result<Age> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Age::Absent),
        result => result.with_context(|| path.display().to_string())?,
    };
    let own = metadata.modified().with_context(|| path.display().to_string())?;
    // Signatures have whole seconds.
    let seconds = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(since.as_secs())
    };
    let apart = seconds(own).abs_diff(seconds(modified));
    Ok(if apart > TOLERANCE { Age::Other } else { Age::Same })
}
