//! Which chunk is next, after it has been checked that it fits the others and the target.

use crate::device::ReadAt;
use crate::error::{ErrorKind, Limit, Place, Result};
use crate::ndz::{ChunkHeader, Headers, Image};
use crate::relocation::Placement;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

/// What is there of an image when its load begins.
#[derive(Clone, Copy)]
pub enum Arrival<'a> {
    /// All of it.
    Complete,
    /// Its chunks come one after the other. The function waits for the chunk of a number, which
    /// are asked for in order, and says whether there is one.
    InOrder(&'a (dyn Fn(u32) -> Result<bool> + Sync)),
}

/// What of an image must fit its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// All that it describes: what it was made of is no larger than the target.
    All,
    /// The sectors that it holds. Free ones may lie beyond the target's end.
    Data,
}

/// The order in which chunks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they are in the image.
    Ascending,
    /// In another, which depends on the number: for tests.
    Scattered(u64),
}

/// Gives out the numbers of an image's chunks.
pub(super) struct Feed<'i, 'a, D: ?Sized> {
    arrival: Arrival<'i>,
    headers: Headers<'i, 'a, D>,
    check: Check,
    count: u32,
    next: u32,
    scatter: Option<Scatter>,
}

impl<'i, 'a, D: ReadAt + ?Sized> Feed<'i, 'a, D> {
    /// Checks all headers of an image that is complete; `also` gets each of them.
    pub(super) fn new(
        image: &'i Image<'a, D>,
        arrival: Arrival<'i>,
        bounds: Bounds,
        also: &mut dyn FnMut(&ChunkHeader<'_>) -> Result<()>,
    ) -> Result<Self> {
        let mut check = Check { bounds, end: bounds.place.start };
        if let Arrival::Complete = arrival {
            image.headers(&mut |header| {
                check.take(header)?;
                also(header)
            })?;
        }
        let (headers, count) = (image.each_header(), image.chunk_count());
        Ok(Self { arrival, headers, check, count, next: 0, scatter: None })
    }

    /// What was there when the load began.
    pub(super) const fn arrival(&self) -> Arrival<'i> {
        self.arrival
    }

    /// Gives out the chunks in another order, if they are all there.
    pub(super) fn reorder(&mut self, order: Order) {
        if let (Order::Scattered(seed), Arrival::Complete) = (order, self.arrival) {
            self.scatter = Some(Scatter::new(self.count, seed));
        }
    }

    /// The number of the next chunk, or `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<u32>> {
        let number = self.next;
        if number >= self.count {
            return Ok(None);
        }
        self.next = number.saturating_add(1);
        if let Arrival::InOrder(arrived) = self.arrival {
            if !arrived(number)? {
                self.count = number;
                return Ok(None);
            }
            if let Some(header) = self.headers.next_header()? {
                self.check.take(&header)?;
            }
        }
        Ok(Some(self.scatter.map_or(number, |scatter| scatter.apply(number))))
    }

    /// The byte of the target where what has been given out ends; all of a complete image.
    pub(super) fn end(&self) -> Bytes {
        self.check.end.to_bytes()
    }

    /// The byte where the file ends whose last byte is before `short`, if that is in the last
    /// sector; else where that sector ends.
    pub(super) fn exact_end(&self, short: Bytes) -> Bytes {
        let end = self.end();
        let last = end.get().saturating_sub(SECTOR_BYTES);
        if (last..end.get()).contains(&short.get()) && short.get() > last { short } else { end }
    }
}

/// Where an image may go.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) place: Placement,
    /// The sector of the target where it ends.
    pub(super) limit: Option<Sector>,
    pub(super) fit: Fit,
}

/// Checks that chunks fit the target.
struct Check {
    bounds: Bounds,
    /// Where on the target the chunks end that were seen.
    end: Sector,
}

impl Check {
    fn take(&mut self, header: &ChunkHeader<'_>) -> Result<()> {
        let Bounds { place, limit, fit } = self.bounds;
        let placed = |sector: Sector| {
            let fault = || ErrorKind::TooLarge(Limit::Target).at(Place::Sector(sector));
            place.start.checked_add(sector.since(Sector::ZERO)).ok_or_else(fault)
        };
        let described = placed(header.covered().end())?;
        let needed = match fit {
            Fit::All => described,
            Fit::Data => placed(header.regions().last().map_or(Sector::ZERO, SectorRange::end))?,
        };
        if limit.is_some_and(|limit| needed > limit) {
            return Err(ErrorKind::TooLarge(Limit::Target).at(Place::Sector(needed)));
        }
        self.end = self.end.max(described);
        Ok(())
    }
}

/// A way to put numbers below a count into another order.
#[derive(Clone, Copy)]
struct Scatter {
    count: u64,
    stride: u64,
    offset: u64,
}

impl Scatter {
    fn new(count: u32, seed: u64) -> Self {
        let count = u64::from(count).max(1);
        let low = |number: u64| number.checked_rem(count).unwrap_or_default();
        // A stride without a common divisor visits every number once; 1 always has none.
        let stride = (low(seed).max(1)..count).find(|stride| gcd(*stride, count) == 1);
        Self { count, stride: stride.unwrap_or(1), offset: low(seed >> 32) }
    }

    fn apply(self, number: u32) -> u32 {
        // Stride and number are below 2^32.
        let steps = u64::from(number).saturating_mul(self.stride).checked_rem(self.count);
        let place = steps.unwrap_or_default().saturating_add(self.offset);
        place.checked_rem(self.count).and_then(|place| u32::try_from(place).ok()).unwrap_or(number)
    }
}

/// The greatest common divisor.
fn gcd(mut a: u64, mut b: u64) -> u64 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn every_chunk_comes_once(count in 0..300_u32, seed: u64) {
            let scatter = Scatter::new(count, seed);
            let numbers: BTreeSet<_> = (0..count).map(|number| scatter.apply(number)).collect();
            prop_assert_eq!(numbers, (0..count).collect());
        }
    }
}
