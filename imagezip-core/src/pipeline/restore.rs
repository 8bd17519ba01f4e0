//! Giving a disk back as it was saved: what the disk lacks of the base image and its delta is
//! written, each sector once.

use super::Workers;
use super::blocks::BlockReader;
use super::load::{Fill, Known, LoadProgress, Loaded, Target, check_fit, load_known};
use crate::device::ReadAt;
use crate::error::Result;
use crate::restore::{Part, RestoreError, RestorePlan, Step};
use crate::sector::Sector;
use crate::signature::Signature;

/// Whether the disk is compared before anything is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// If samples of it show that it holds some of the base image.
    #[default]
    Sampled,
    /// It is, and only what differs is written.
    Converge,
    /// It isn't, and everything is written.
    Full,
}

/// About how many blocks of a disk are looked at to find out whether comparing all of it pays.
const SAMPLES: usize = 128;

/// Of so many blocks one has to be there already: reading and hashing take about a ninth of the time
/// that writing the same to a disk does (docs/performance.md).
const ONE_IN: usize = 8;

/// Makes the target what it was when it was saved, in the sectors that the images hold: each is
/// written at most once, from the image that has it. `disk` is the target's device, to read from
/// it what it holds.
///
/// The target's `fill` is for what no image holds, `read_back` for what is written; that and the
/// signatures prove what is loaded. Both images are checked, and whether they fit, before anything
/// is written. If it is broken off at any time, doing it again makes it right.
///
/// Returns what the load has found out, and whether the disk was compared.
///
/// # Errors
/// Those of [`converge`](super::converge), of the image that they are about. Of a base image with
/// other data than its signature's, nothing of that chunk was written, but others were.
pub fn restore<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    plan: &RestorePlan<'_, '_, D>,
    disk: &dyn ReadAt,
    target: Target<'_>,
    manner: Manner,
    progress: &LoadProgress,
) -> core::result::Result<(Loaded, bool), RestoreError> {
    check_fit(plan.base.image, &target).map_err(Part::Base.fault())?;
    if let Some(delta) = &plan.delta {
        check_fit(delta.image, &target).map_err(Part::Delta.fault())?;
    }
    let compares = match manner {
        Manner::Converge => true,
        Manner::Full => false,
        Manner::Sampled => holds_some(disk, target.place.start, &plan.base.signature)
            .map_err(Part::Base.fault())?,
    };
    let load = |step: &Step<'_, '_, D>, target| {
        let known = Known {
            signature: &step.signature,
            device: disk,
            compares,
            except: &step.replaced,
            relocated: &plan.relocated,
        };
        load_known(workers, step.image, known, target, progress)
    };
    let mut loaded = load(&plan.base, target).map_err(Part::Base.fault())?;
    if let Some(delta) = &plan.delta {
        // What a delta doesn't hold isn't free.
        let target = Target { fill: Fill::Keep, fill_to: None, ..target };
        loaded.merge(&load(delta, target).map_err(Part::Delta.fault())?);
    }
    Ok((loaded, compares))
}

/// Whether some of the blocks that a signature is about are on the device, by samples.
fn holds_some(device: &dyn ReadAt, start: Sector, signature: &Signature) -> Result<bool> {
    let step = signature.len().checked_div(SAMPLES).unwrap_or_default().max(1);
    let there = device.sectors().end();
    let mut reader = BlockReader::new();
    let (mut samples, mut found) = (0_usize, 0_usize);
    for entry in (0..signature.len()).step_by(step).filter_map(|index| signature.get(index)) {
        samples = samples.saturating_add(1);
        let placed = entry.range.absolute_from(start);
        if placed.is_none_or(|range| range.end() > there) {
            continue;
        }
        reader.begin(core::iter::once(entry.range).collect());
        let digest = reader.digest(device, start, entry.range, entry.digest.hash_type())?;
        found = found.saturating_add(usize::from(digest == entry.digest));
    }
    Ok(found > 0 && found.saturating_mul(ONE_IN) >= samples)
}
