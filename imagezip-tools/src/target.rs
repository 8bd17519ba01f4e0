//! What is about to be overwritten, and who else uses it.
//!
//! A disk is in use when a file system on it is mounted, when it is swapped to, or when another
//! device is made of it; the same for its partitions and for a file behind a loop device.

mod sysfs;
mod usage;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::OFlags;
use rustix::io::Errno;

use sysfs::Device;
use usage::System;
pub use usage::Use;

/// Opens the device or file at `path` for reading and writing, unless it is in use; the kernel
/// keeps others from mounting a device as long as it is open. With `force` anything is opened.
///
/// # Errors
/// If it is in use (the error names by what), does not exist or can't be opened.
pub fn open(path: &Path, force: bool) -> anyhow::Result<File> {
    let name = path.display();
    let mut options = File::options();
    options.read(true).write(true);
    if force {
        return options.open(path).with_context(|| format!("opening {name}"));
    }
    let uses = uses(path)?;
    if !uses.is_empty() {
        let uses: Vec<_> = uses.iter().map(ToString::to_string).collect();
        bail!("{name} is in use: {}; stop that first, or force it", uses.join(", "));
    }
    let device = fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device());
    if device {
        options.custom_flags(OFlags::EXCL.bits().cast_signed());
    }
    options.open(path).map_err(|error| {
        let busy = error.raw_os_error() == Some(Errno::BUSY.raw_os_error());
        let error = anyhow::Error::new(error);
        if busy {
            error.context(format!("{name} is in use by something that can't be seen from here"))
        } else {
            error.context(format!("opening {name}"))
        }
    })
}

/// Who uses the device or file at `path`; nobody if there is none.
///
/// # Errors
/// If the system doesn't tell.
pub fn uses(path: &Path) -> anyhow::Result<Vec<Use>> {
    let asking = || format!("finding out who uses {}", path.display());
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.with_context(asking)?,
    };
    let system = System::now().with_context(asking)?;
    if metadata.file_type().is_block_device() {
        let device = Device::numbered(metadata.rdev());
        return system.uses_of_device(&device).with_context(asking);
    }
    system.uses_of_file(&metadata).with_context(asking)
}

/// Where the device at `path`, or a partition of it, is mounted for writing: then its content
/// changes while it is read.
///
/// # Errors
/// As [`uses`].
pub fn mounted_read_write(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let points = uses(path)?.into_iter().filter_map(|used| match used {
        Use::Mounted { point, read_only: false, .. } => Some(point),
        _ => None,
    });
    Ok(points.collect())
}

/// Whether a file that is written to one path would take the place of what is, or will be, at the
/// other.
pub fn same_place(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let name = path.file_name()?.to_owned();
        let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        Some((fs::canonicalize(directory.unwrap_or(Path::new("."))).ok()?, name))
    };
    same_file(one, other) || place(one).is_some_and(|one| Some(one) == place(other))
}

/// Whether both paths lead to the same file or device, through links of any kind.
pub fn same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        let kind = metadata.file_type();
        Some(if kind.is_block_device() || kind.is_char_device() {
            (true, metadata.rdev(), 0)
        } else {
            (false, metadata.dev(), metadata.ino())
        })
    };
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

#[cfg(test)]
mod tests;
