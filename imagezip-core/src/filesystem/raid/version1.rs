//! Superblocks of version 1.

use alloc::string::String;
use alloc::vec;

use super::{MAGIC, Mirror, checksum, corrupt};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Result};
use crate::filesystem::checksum::agree;
use crate::layout::Layout;
use crate::sector::{Bytes, Sector, SectorCount, SectorRange};

/// The bytes before the list of members' roles.
const FIXED: usize = 256;
/// Where the checksum is; it counts as 0 in itself.
const CHECKSUM_AT: usize = 216;
/// The superblock takes up to 4 KiB.
const MAX_ROLES: u32 = 1920;

/// The superblock as it lies on the disk, in sectors where it counts space.
struct View<'a>(Layout<'a, FIXED>);

#[rustfmt::skip]
impl View<'_> {
    fn magic(&self) -> u32 { self.0.u32::<0>() }
    fn version(&self) -> u32 { self.0.u32::<4>() }
    fn features(&self) -> u32 { self.0.u32::<8>() }
    fn name(&self) -> [u8; 32] { self.0.array::<32, 32>() }
    fn level(&self) -> u32 { self.0.u32::<72>() }
    fn size(&self) -> u64 { self.0.u64::<80>() }
    fn disks(&self) -> u32 { self.0.u32::<92>() }
    fn bitmap_offset(&self) -> u32 { self.0.u32::<96>() }
    fn data_offset(&self) -> u64 { self.0.u64::<128>() }
    fn data_size(&self) -> u64 { self.0.u64::<136>() }
    fn own_offset(&self) -> u64 { self.0.u64::<144>() }
    fn number(&self) -> u32 { self.0.u32::<160>() }
    fn bad_blocks_size(&self) -> u16 { self.0.u16::<186>() }
    fn bad_blocks_offset(&self) -> u32 { self.0.u32::<188>() }
    fn resync_offset(&self) -> u64 { self.0.u64::<208>() }
    fn checksum(&self) -> u32 { self.0.u32::<216>() }
    fn roles(&self) -> u32 { self.0.u32::<220>() }
}

/// Feature: there is a write-intent bitmap.
const BITMAP: u32 = 1;
/// Features of members that miss data: being rebuilt (also by a bitmap), reshaped, or replacing another.
const INCOMPLETE: u32 = 2 | 4 | 8 | 16 | 32 | 128;

/// Reads the superblock at byte `at`.
pub(super) fn read(device: &dyn ReadAt, at: u64) -> Result<Mirror> {
    let mut fixed = [0; FIXED];
    device.read_at(Bytes(at), &mut fixed)?;
    let view = View(Layout::from(&fixed));
    let wrong = || corrupt(CorruptKind::RaidSuperblock, at);
    if view.magic() != MAGIC || view.version() != 1 {
        return Err(ErrorKind::Incompatible(IncompatibleKind::Version).into());
    }
    let count = view.roles();
    if count > MAX_ROLES {
        return Err(wrong());
    }
    let mut roles = vec![0; usize::try_from(count).unwrap_or_default().saturating_mul(2)];
    device.read_at(Bytes(at.saturating_add(256)), &mut roles)?;
    check(&fixed, &roles, view.checksum(), at)?;
    if view.level() != 1 {
        return Err(ErrorKind::Incompatible(IncompatibleKind::RaidLevel).into());
    }
    if view.features() & INCOMPLETE != 0 {
        return Err(ErrorKind::Incompatible(IncompatibleKind::RaidMember).into());
    }
    if view.features() & !BITMAP != 0 {
        return Err(ErrorKind::Incompatible(IncompatibleKind::Feature).into());
    }
    check_role(&view, &roles)?;
    let data = data(&view, device, at).ok_or_else(wrong)?;
    Ok(Mirror { data, name: name(&view) })
}

fn check(fixed: &[u8; FIXED], roles: &[u8], expected: u32, at: u64) -> Result<()> {
    let mut summed = vec![0; CHECKSUM_AT];
    let (head, _) = fixed.split_at(CHECKSUM_AT);
    summed.copy_from_slice(head);
    summed.extend([0; 4]);
    summed.extend(fixed.iter().skip(CHECKSUM_AT.saturating_add(4)));
    summed.extend(roles);
    if agree(checksum(&summed), expected) {
        Ok(())
    } else {
        Err(corrupt(CorruptKind::RaidChecksum, at))
    }
}

/// Whether the member has all data, and the others have the same.
fn check_role(view: &View<'_>, roles: &[u8]) -> Result<()> {
    let is_active = |role: u16| u32::from(role) < view.disks();
    let mut own = None;
    let mut others = 0_u32;
    for (role, number) in roles.chunks_exact(2).zip(0_u32..) {
        let role = role.first_chunk().copied().map_or(u16::MAX, u16::from_le_bytes);
        if number == view.number() {
            own = Some(role);
        } else if is_active(role) {
            others = others.saturating_add(1);
        }
    }
    if !own.is_some_and(is_active) {
        return Err(ErrorKind::Incompatible(IncompatibleKind::RaidMember).into());
    }
    if view.resync_offset() != u64::MAX && others > 0 {
        return Err(ErrorKind::Incompatible(IncompatibleKind::RaidUnclean).into());
    }
    Ok(())
}

/// The sectors of the array's data, if nothing of RAID's own is among them.
fn data(view: &View<'_>, device: &dyn ReadAt, at: u64) -> Option<SectorRange> {
    let own = Bytes(at).whole_sectors().get();
    let start = Sector::new(view.data_offset())?;
    let room = SectorRange::with_len(start, SectorCount::new(view.data_size())?)?;
    let data = SectorRange::with_len(start, SectorCount::new(view.size())?)?;
    let fits = room.contains(data) && device.sectors().contains(room);
    if view.own_offset() != own || !fits || data.is_empty() {
        return None;
    }
    // Counted from the superblock, in either direction.
    let place = |offset: u32| Sector::new(own.checked_add_signed(offset.cast_signed().into())?);
    let outside = |start: Sector, len: u64| {
        let range = SectorRange::with_len(start, SectorCount::new(len)?)?;
        range.intersection(room).is_none().then_some(())
    };
    outside(Sector::new(own)?, 8)?;
    if view.features() & BITMAP != 0 {
        outside(place(view.bitmap_offset())?, 1)?;
    }
    if view.bad_blocks_size() > 0 {
        outside(place(view.bad_blocks_offset())?, view.bad_blocks_size().into())?;
    }
    Some(data)
}

/// The array's name as far as it can be printed.
fn name(view: &View<'_>) -> String {
    let bytes = view.name();
    let end = bytes.iter().take_while(|byte| byte.is_ascii_graphic()).count();
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}
