//! Whether an image of unknown origin is one of this disk.

use core::sync::atomic::AtomicU64;

use imagezip_core::device::ReadAt;
use imagezip_core::ndz::Image;
use imagezip_core::pipeline::compare_and_digest;
use imagezip_core::relocation::Placement;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fsync, openat, statat};

use crate::failure::{Failure, FailureKind, Os, Result};
use crate::job::swapout::count::count;
use crate::job::swapout::plan::Plan;
use crate::job::swapout::publish::Made;
use crate::project::commit::Member;
use crate::project::ownership::{self, give_to_group};
use crate::project::stored::StoredFile;
use crate::threads::Processors;

/// Checks the image under its temporary name: it is durable, all that it holds is what the disk
/// has, and it holds at least what the agent's own image would.
///
/// # Errors
/// `Verification`: it isn't so; the first sector that shows it is named. `ProjectFile` and others:
/// it can't be read.
pub(super) fn check(plan: &Plan<'_>) -> Result<Made> {
    let name = plan.info.commit().temporary_name(Member::Image);
    let wrong = |why: &dyn core::fmt::Display| {
        FailureKind::Verification.because(format_args!(
            "{name}, made by the project's own imagezip, {why}; without mfs.override=1 the \
             built-in engine saves the disk"
        ))
    };
    let directory = plan.info.directory();
    let status = statat(directory, &*name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| wrong(&format_args!("is not to be had: {}", Os(errno))))?;
    // Opening anything else could wait for ever.
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(wrong(&"is no file"));
    }
    make_durable(directory, &name)?;
    let stored = StoredFile::open(directory.as_fd(), &name, plan.info.patience())?;
    let unreadable = |error: imagezip_core::Error| {
        if stored.failed() {
            FailureKind::ProjectFile.because(format_args!("reading {name} back: {error}"))
        } else {
            wrong(&format_args!("can't be read: {error}"))
        }
    };

    let image = Image::open(&stored).map_err(unreadable)?;
    let extents = image.extents().map_err(unreadable)?;
    let size = plan.map.sectors();
    let end = extents.end().map_or(0, imagezip_core::sector::Sector::get);
    if end > size.get() {
        return Err(wrong(&format_args!(
            "goes on to sector {end}; the disk's part ends at {size}"
        )));
    }
    let mut regions = 0_u64;
    let counted = image.headers(&mut |header| {
        let count = u64::try_from(header.regions().count()).unwrap_or(u64::MAX);
        regions = regions.saturating_add(count);
        Ok(())
    });
    counted.map_err(unreadable)?;

    let (own, _) = count(plan)?;
    let missing = own.proof.extents().difference(&extents);
    if let Some(range) = missing.as_slice().first() {
        return Err(wrong(&format_args!(
            "lacks sector {} and {} in all that it must hold",
            range.start(),
            missing.sector_count()
        )));
    }
    let place = match plan.part.load_partition {
        0 => Placement::default(),
        _ => Placement::partition(plan.map.area),
    };
    let workers = Processors::with_waiting(plan.threads);
    let done = AtomicU64::new(0);
    let (compared, digest) =
        compare_and_digest(&workers, &image, plan.device, place, &done).map_err(unreadable)?;
    if let Some(first) = compared.first {
        return Err(wrong(&format_args!(
            "differs from the disk in sector {first} and {} in all",
            compared.different
        )));
    }
    // A relocation may make the reader take less of a sector than all of it.
    let held = extents.sector_count();
    if compared.compared != held.to_bytes() {
        return Err(wrong(&"holds parts of sectors only"));
    }
    plan.progress.set_written(stored.size().get());
    Ok(Made {
        size: stored.size().get(),
        inode: stored.inode(),
        digest,
        chunks: image.chunk_count().into(),
        regions,
        sectors: held,
        signature: own.signature,
        engine: None,
    })
}

/// Syncs the file, and lets the group read and write it.
fn make_durable(directory: &OwnedFd, name: &str) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty())
        .map_err(|errno| Failure::of_project(errno, format_args!("opening {name}")))?;
    give_to_group(&file, directory, ownership::FILE, name);
    fsync(&file).map_err(|errno| Failure::of_project(errno, format_args!("syncing {name}")))
}
