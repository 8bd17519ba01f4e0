//! The image as the agent itself makes it.

use imagezip_core::pipeline::{save, verify};
use imagezip_core::swapinfo::Phase;
use rustix::fd::AsFd;

use super::plan::Plan;
use super::publish::Made;
use crate::failure::{Failure, FailureKind, Result};
use crate::project::commit::Member;
use crate::project::image::ImageFile;
use crate::project::stored::StoredFile;
use crate::threads::Processors;

/// Writes the image to its temporary file and reads it back.
pub(super) fn make(plan: &Plan<'_>) -> Result<Made> {
    let Plan { progress, disk, info, .. } = *plan;
    let commit = info.commit();
    let workers = Processors::with_waiting(plan.threads);
    progress.enter(Phase::Save);
    let mut image =
        ImageFile::new(commit.create(Member::Image)?, plan.threads, plan.ranges, progress)?;
    let saved = match save(&workers, plan.source(), &mut image, progress.engine()) {
        Ok(saved) => saved,
        Err(error) => {
            return Err(match image.errno() {
                Some(errno) => Failure::of_project(errno, "writing the image"),
                None => Failure::of_core(&error, format_args!("saving disk {}", disk.name)),
            });
        }
    };
    let (size, digest) = image.finish()?;

    progress.enter(Phase::Verify);
    let name = commit.temporary_name(Member::Image);
    let stored = StoredFile::open(info.directory().as_fd(), &name, info.patience())?;
    let read_back = verify(&workers, &stored, &saved.proof).map_err(|error| {
        let kind =
            if stored.failed() { FailureKind::ProjectFile } else { FailureKind::Verification };
        kind.because(format_args!("reading {name} back: {error}"))
    })?;
    if read_back != digest {
        return Err(FailureKind::Verification.because(format_args!(
            "{name} was written with SHA-256 {digest}, but reading it back gives {read_back}"
        )));
    }
    Ok(Made {
        size,
        inode: stored.inode(),
        digest,
        chunks: saved.image.chunks.into(),
        regions: saved.image.regions,
        sectors: saved.image.sectors,
        signature: saved.signature,
        engine: None,
    })
}
