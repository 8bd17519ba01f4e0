//! Superblocks of version 0.90, in little-endian order.

use alloc::string::String;
use alloc::vec;

use super::{MAGIC, Mirror, checksum, corrupt};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Result};
use crate::filesystem::checksum::agree;
use crate::layout::Layout;
use crate::sector::{Bytes, SectorCount, SectorRange};

const SIZE: usize = 4096;
/// Where the checksum is; it counts as 0 in itself.
const CHECKSUM_AT: usize = 38 * 4;

/// The superblock as it lies on the disk.
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn magic(&self) -> u32 { self.0.u32::<0>() }
    fn version(&self) -> (u32, u32) { (self.0.u32::<4>(), self.0.u32::<8>()) }
    fn level(&self) -> u32 { self.0.u32::<28>() }
    /// In KiB.
    fn size(&self) -> u32 { self.0.u32::<32>() }
    fn disks(&self) -> u32 { self.0.u32::<40>() }
    fn state(&self) -> u32 { self.0.u32::<132>() }
    fn checksum(&self) -> u32 { self.0.u32::<CHECKSUM_AT>() }
    /// The place of this member among the array's.
    fn own_role(&self) -> u32 { self.0.u32::<3980>() }
    fn own_state(&self) -> u32 { self.0.u32::<3984>() }
}

/// The array was stopped cleanly.
const CLEAN: u32 = 1;
/// There is a write-intent bitmap, behind the superblock.
const BITMAP: u32 = 1 << 8;

/// The member is active, and has all data.
const IN_SYNC: u32 = 1 << 1 | 1 << 2;
/// It is read only if no other one can be.
const WRITE_MOSTLY: u32 = 1 << 9;

/// Reads the superblock at byte `at`.
pub(super) fn read(device: &dyn ReadAt, at: u64) -> Result<Mirror> {
    let mut bytes = vec![0; SIZE];
    device.read_at(Bytes(at), &mut bytes)?;
    let wrong = || corrupt(CorruptKind::RaidSuperblock, at);
    let view = View(Layout::new(&bytes).ok_or_else(wrong)?);
    let incompatible = |kind| Err(ErrorKind::Incompatible(kind).into());
    // A version of 91 is one that is being reshaped.
    if view.magic() != MAGIC || view.version() != (0, 90) {
        return incompatible(IncompatibleKind::Version);
    }
    // With the checksum as 0, so its words are taken out of the sum.
    let (head, tail) = bytes.split_at_checked(CHECKSUM_AT).ok_or_else(wrong)?;
    let mut summed = head.to_vec();
    summed.extend(tail.iter().skip(4));
    if !agree(checksum(&summed), view.checksum()) {
        return Err(corrupt(CorruptKind::RaidChecksum, at));
    }
    if view.level() != 1 {
        return incompatible(IncompatibleKind::RaidLevel);
    }
    if view.own_state() & !WRITE_MOSTLY != IN_SYNC || view.own_role() >= view.disks() {
        return incompatible(IncompatibleKind::RaidMember);
    }
    if view.state() & !BITMAP != CLEAN {
        return incompatible(IncompatibleKind::RaidUnclean);
    }
    let size = SectorCount::new(u64::from(view.size()).saturating_mul(2)).ok_or_else(wrong)?;
    let data = SectorRange::first(size);
    if data.is_empty() || data.end().to_bytes().get() > at {
        return Err(wrong());
    }
    Ok(Mirror { data, name: String::new() })
}
