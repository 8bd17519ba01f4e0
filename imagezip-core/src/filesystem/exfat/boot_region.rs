//! The boot region: where things lie.

use alloc::vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Place, Result};
use crate::filesystem::checksum::agree;
use crate::filesystem::clusters::Heap;
use crate::filesystem::read_if_there;
use crate::layout::Layout;
use crate::sector::{Bytes, Sector};

/// The bytes of the boot sector that mean something, whatever the size of sectors is.
const SIZE: usize = 512;

/// The sectors of the boot region that its checksum is of. It is repeated in the one after them.
const SUMMED_SECTORS: usize = 11;

/// The boot sector as it lies on the disk (docs/format.md, "exFAT").
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn name(&self) -> [u8; 8] { self.0.array::<3, 8>() }
    fn must_be_zero(&self) -> [u8; 53] { self.0.array::<11, 53>() }
    fn volume_sectors(&self) -> u64 { self.0.u64::<72>() }
    fn table_sector(&self) -> u64 { self.0.u32::<80>().into() }
    fn table_sectors(&self) -> u64 { self.0.u32::<84>().into() }
    fn heap_sector(&self) -> u64 { self.0.u32::<88>().into() }
    fn clusters(&self) -> u32 { self.0.u32::<92>() }
    fn root_cluster(&self) -> u32 { self.0.u32::<96>() }
    fn revision(&self) -> u16 { self.0.u16::<104>() }
    fn flags(&self) -> u16 { self.0.u16::<106>() }
    fn sector_shift(&self) -> u8 { self.0.u8::<108>() }
    fn cluster_shift(&self) -> u8 { self.0.u8::<109>() }
    fn tables(&self) -> u8 { self.0.u8::<110>() }
    fn signature(&self) -> [u8; 2] { self.0.array::<510, 2>() }
}

/// The largest cluster is 2^25 bytes.
const MAX_CLUSTER_SHIFT: u8 = 25;

/// The clusters end before the numbers that mean something else.
const MAX_CLUSTERS: u32 = 0xffff_fff5;

/// Where things lie, and how the file system was left. All of it lies on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// The first FAT.
    table: Bytes,
    /// The size of each FAT in bytes.
    table_bytes: u64,
    /// One, or two where they are switched by transactions.
    tables: u8,
    pub(super) heap: Heap,
    /// The index of the root directory's first cluster.
    pub(super) root: u32,
    /// The size of the file system.
    pub(super) size: Bytes,
    /// It was not unmounted.
    pub(super) is_dirty: bool,
}

/// Whether there is the boot sector of exFAT.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    let mut bytes = [0; SIZE];
    if !read_if_there(device, Bytes(0), &mut bytes)? {
        return Ok(false);
    }
    let view = View(Layout::from(&bytes));
    Ok(&view.name() == b"EXFAT   " && view.signature() == [0x55, 0xaa])
}

impl Geometry {
    /// Reads the boot region.
    pub(super) fn read(device: &dyn ReadAt) -> Result<Self> {
        let mut bytes = [0; SIZE];
        device.read_at(Bytes(0), &mut bytes)?;
        let view = View(Layout::from(&bytes));
        let at_start = |kind: ErrorKind| kind.at(Place::Sector(Sector::ZERO));
        // Versions 1.0 to 1.99 are told to be alike.
        if view.revision() >> 8 != 1 {
            return Err(at_start(ErrorKind::Incompatible(IncompatibleKind::Version)));
        }
        let geometry = Self::of(&view);
        let geometry =
            geometry.ok_or_else(|| at_start(ErrorKind::Corrupt(CorruptKind::FatGeometry)))?;
        if geometry.size > device.size() {
            return Err(at_start(ErrorKind::Corrupt(CorruptKind::FileSystemSize)));
        }
        verify(device, view.sector_shift())?;
        Ok(geometry)
    }

    /// The shape of the file system; `None` if no file system can have it.
    fn of(view: &View<'_>) -> Option<Self> {
        let (sector_shift, cluster_shift) = (view.sector_shift(), view.cluster_shift());
        let shift = sector_shift.checked_add(cluster_shift)?;
        let is_possible = view.must_be_zero() == [0; 53]
            && (9..=12).contains(&sector_shift)
            && shift <= MAX_CLUSTER_SHIFT
            && (1..=2).contains(&view.tables())
            && (1..=MAX_CLUSTERS).contains(&view.clusters());
        if !is_possible {
            return None;
        }
        let bytes = |sectors: u64| sectors.checked_mul(1_u64.wrapping_shl(sector_shift.into()));
        let size = bytes(view.volume_sectors())?;
        let (table, start) = (bytes(view.table_sector())?, bytes(view.heap_sector())?);
        let table_bytes = bytes(view.table_sectors())?;
        let tables_end = table.checked_add(table_bytes.checked_mul(view.tables().into())?)?;
        let heap = Heap {
            start: Bytes(start),
            cluster_bytes: 1_u64.wrapping_shl(shift.into()),
            clusters: view.clusters(),
        };
        let fits = view.table_sector() >= 24
            && u64::from(view.clusters()).saturating_add(2).saturating_mul(4) <= table_bytes
            && tables_end <= start
            && heap.position(view.clusters())? <= Bytes(size);
        let root = heap.index(view.root_cluster())?;
        fits.then_some(Self {
            table: Bytes(table),
            table_bytes,
            tables: view.tables(),
            heap,
            root,
            size: Bytes(size),
            is_dirty: view.flags() & 2 != 0,
        })
    }

    /// Where in each FAT the entry of the cluster with this index lies.
    pub(super) fn entries(&self, index: u32) -> impl Iterator<Item = Bytes> + use<> {
        let Self { table, table_bytes, tables, .. } = *self;
        let offset = u64::from(index).saturating_add(2).saturating_mul(4);
        (0..tables).map(move |number| {
            let before = table_bytes.saturating_mul(number.into());
            Bytes(table.get().saturating_add(before).saturating_add(offset))
        })
    }
}

/// Verifies the checksum of the boot region.
fn verify(device: &dyn ReadAt, sector_shift: u8) -> Result<()> {
    let sector = 1_usize.wrapping_shl(sector_shift.into());
    let mut region = vec![0; sector.saturating_mul(SUMMED_SECTORS.saturating_add(1))];
    device.read_at(Bytes(0), &mut region)?;
    let (summed, sums) = region.split_at(sector.saturating_mul(SUMMED_SECTORS).min(region.len()));
    let sum = checksum(summed);
    let stored = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if sums.chunks_exact(4).any(|bytes| !agree(sum, stored(bytes))) {
        let place = Place::Byte(Bytes(u64::try_from(summed.len()).unwrap_or(u64::MAX)));
        return Err(ErrorKind::Corrupt(CorruptKind::SuperblockChecksum).at(place));
    }
    Ok(())
}

/// The checksum of a boot region. It leaves out what changes while the file system is in use: its
/// flags and how full it is.
pub(super) fn checksum(region: &[u8]) -> u32 {
    let counted = region.iter().enumerate().filter(|(at, _)| !matches!(at, 106 | 107 | 112));
    counted.fold(0, |sum: u32, (_, byte)| sum.rotate_right(1).wrapping_add((*byte).into()))
}
