//! Small files, replaced in one step.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;

use super::place::{Destination, destination, sync_directory, temporary};
use crate::unfinished::{Guard, making};

/// Makes `bytes` the content of `path`: the file is there with all of them or as it was before.
/// With `modified` it gets that time of modification, in whole seconds, by which a signature is
/// recognised as that of its image (docs/format.md, "Signature file").
///
/// Devices and pipes are just written to; `-` is the standard output.
///
/// # Errors
/// If the file can't be written.
pub fn write_atomically(
    path: &Path,
    bytes: &[u8],
    modified: Option<SystemTime>,
) -> anyhow::Result<()> {
    write(path, bytes, modified).with_context(|| format!("writing {}", path.display()))
}

fn write(path: &Path, bytes: &[u8], modified: Option<SystemTime>) -> io::Result<()> {
    let path = match destination(path)? {
        Destination::StandardOutput => {
            let mut out = io::stdout().lock();
            return out.write_all(bytes).and_then(|()| out.flush());
        }
        Destination::Special(path) => {
            return File::options().write(true).open(path)?.write_all(bytes);
        }
        Destination::Regular(path) => path,
    };
    let (mut file, guard) = making(|| {
        let file = temporary(&path)?;
        let guard = Guard::new(file.path())?;
        io::Result::Ok((file, guard))
    })?;
    file.write_all(bytes)?;
    if let Some(modified) = modified {
        file.as_file().set_modified(whole_seconds(modified))?;
    }
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    guard.disarm();
    sync_directory(&path)
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs())
}
