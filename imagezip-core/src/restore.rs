//! What a load must write to give a disk back as it was saved: the base image, and over it the one
//! delta.
//!
//! The rule (docs/format.md, "Restore"): a sector is the delta's if that holds it, else the base
//! image's. Where the disk shows by a signature what it holds, it need not be written. Both
//! signatures say that: the base's about the base image, the delta's about the whole disk as it
//! was when it was saved.

use core::fmt;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::ndz::Image;
use crate::pipeline::{foreign, relocated};
use crate::sector::{Bytes, Sector};
use crate::signature::{Entry, Signature};

/// An image with its signature.
pub struct Signed<'s, 'a, D: ?Sized> {
    /// The image.
    pub image: &'s Image<'a, D>,
    /// Its signature: for a delta that of the disk with the delta on it.
    pub signature: &'s Signature,
}

impl<D: ?Sized> Clone for Signed<'_, '_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: ?Sized> Copy for Signed<'_, '_, D> {}

/// One of the images of a saved disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The image that is loaded first.
    Base,
    /// The delta to it.
    Delta,
}

/// An error of restoring, and the image that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreError {
    /// The image.
    pub part: Part,
    /// What is wrong.
    pub error: Error,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Base => write!(f, "base image: {}", self.error),
            Part::Delta => write!(f, "delta: {}", self.error),
        }
    }
}

impl core::error::Error for RestoreError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Part {
    /// The error as one of this image.
    pub(crate) fn fault(self) -> impl Fn(Error) -> RestoreError {
        move |error| RestoreError { part: self, error }
    }
}

/// What is loaded of which image.
pub struct RestorePlan<'s, 'a, D: ?Sized> {
    pub(crate) base: Step<'s, 'a, D>,
    pub(crate) delta: Option<Step<'s, 'a, D>>,
    /// Sectors in which relocations of either image have bytes: no signature tells about them.
    pub(crate) relocated: ExtentSet,
    /// How much the base image holds that the delta replaces.
    replaced: Bytes,
}

/// One image's share.
pub(crate) struct Step<'s, 'a, D: ?Sized> {
    pub(crate) image: &'s Image<'a, D>,
    /// What the disk must hold when the image is loaded.
    pub(crate) signature: Signature,
    /// What it holds and another image replaces.
    pub(crate) replaced: ExtentSet,
    /// The sectors that come from it.
    wanted: ExtentSet,
}

impl<'s, 'a, D: ReadAt + ?Sized> RestorePlan<'s, 'a, D> {
    /// A plan for `base` with `delta` on it; without a delta, for a full image.
    ///
    /// Reads all headers, and checks that the signatures can be those of the images.
    ///
    /// # Errors
    /// As [`Image::headers`]; `Corrupt(SignatureForeign)` at a sector of an entry that is about
    /// sectors that neither image holds.
    pub fn new(
        base: Signed<'s, 'a, D>,
        delta: Option<Signed<'s, 'a, D>>,
    ) -> core::result::Result<Self, RestoreError> {
        let Held { sectors: held, mut relocated } =
            Held::by(base.image).map_err(Part::Base.fault())?;
        covers(&held, base.signature).map_err(Part::Base.fault())?;
        let mut replaced = ExtentSet::new();
        let delta = match delta {
            None => None,
            Some(delta) => {
                let own = Held::by(delta.image).map_err(Part::Delta.fault())?;
                covers(&held.union(&own.sectors), delta.signature).map_err(Part::Delta.fault())?;
                relocated = relocated.union(&own.relocated);
                let mixed = mixed(base.signature, &own.sectors);
                let signature = delta
                    .signature
                    .only(|entry| has(&own.sectors, entry) || has(&mixed, entry))
                    .map_err(Part::Delta.fault())?;
                replaced.clone_from(&own.sectors);
                let (wanted, image) = (own.sectors, delta.image);
                Some(Step { image, signature, replaced: ExtentSet::new(), wanted })
            }
        };
        let signature = base
            .signature
            .only(|entry| !replaced.contains(entry.range))
            .map_err(Part::Base.fault())?;
        let wanted = held.difference(&replaced);
        let common = held.intersection(&replaced).sector_count().to_bytes();
        let base = Step { image: base.image, signature, replaced, wanted };
        Ok(Self { base, delta, relocated, replaced: common })
    }

    /// How many bytes come from an image: 0 if there is none.
    pub fn bytes_of(&self, part: Part) -> Bytes {
        let step = match part {
            Part::Base => Some(&self.base),
            Part::Delta => self.delta.as_ref(),
        };
        step.map_or(Bytes(0), |step| step.wanted.sector_count().to_bytes())
    }

    /// How many bytes the base image holds that the delta replaces, so that they are not loaded.
    pub fn replaced(&self) -> Bytes {
        self.replaced
    }

    /// The sector, counted from the start of the images, after the last that is written.
    pub fn end(&self) -> Sector {
        let ends = [Some(&self.base), self.delta.as_ref()].into_iter().flatten();
        ends.filter_map(|step| step.wanted.end()).max().unwrap_or(Sector::ZERO)
    }
}

/// What an image holds.
struct Held {
    sectors: ExtentSet,
    relocated: ExtentSet,
}

impl Held {
    fn by<D: ReadAt + ?Sized>(image: &Image<'_, D>) -> Result<Self> {
        let (mut sectors, mut relocations) = (ExtentSet::new(), ExtentSet::new());
        image.headers(&mut |header| {
            sectors.extend(header.regions());
            relocations.extend(relocated(header).iter());
            Ok(())
        })?;
        Ok(Self { sectors, relocated: relocations })
    }
}

/// Whether an entry has any of the sectors.
fn has(sectors: &ExtentSet, entry: &Entry) -> bool {
    sectors.within(entry.range).next().is_some()
}

/// The sectors of the entries of the base's signature that the delta replaces in part: what else
/// they are about can only be told by the delta's signature.
fn mixed(signature: &Signature, replaced: &ExtentSet) -> ExtentSet {
    let mixed = |entry: &Entry| has(replaced, entry) && !replaced.contains(entry.range);
    signature.iter().filter(mixed).map(|entry| entry.range).collect()
}

/// Checks that images hold all that a signature is about.
fn covers(held: &ExtentSet, signature: &Signature) -> Result<()> {
    if let Some(entry) = signature.iter().find(|entry| !held.contains(entry.range)) {
        return Err(foreign(entry.range));
    }
    // Only signatures of files that are no images have a remainder.
    signature.remainder().map_or(Ok(()), |remainder| {
        let place = Place::Sector(remainder.start());
        Err(ErrorKind::Corrupt(CorruptKind::SignatureForeign).at(place))
    })
}
