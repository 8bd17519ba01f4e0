//! The boot sector: where things lie.

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Place, Result};
use crate::filesystem::clusters::Heap;
use crate::filesystem::{FilesystemKind, read_if_there};
use crate::layout::Layout;
use crate::sector::Bytes;

/// The bytes of the boot sector that mean something, whatever the size of sectors is.
const SIZE: usize = 512;

/// The most FATs: mkfs.fat makes no more. All of them are looked at for each cluster of a directory.
const MAX_TABLES: u8 = 4;

/// The boot sector as it lies on the disk (docs/format.md, "FAT").
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn jump(&self) -> [u8; 3] { self.0.array::<0, 3>() }
    fn sector_bytes(&self) -> u64 { self.0.u16::<11>().into() }
    fn cluster_sectors(&self) -> u64 { self.0.u8::<13>().into() }
    fn reserved_sectors(&self) -> u64 { self.0.u16::<14>().into() }
    fn tables(&self) -> u8 { self.0.u8::<16>() }
    fn root_entries(&self) -> u64 { self.0.u16::<17>().into() }
    fn media(&self) -> u8 { self.0.u8::<21>() }
    fn is_32(&self) -> bool { self.0.u16::<22>() == 0 }
    /// Of FAT12 and FAT16.
    fn state_16(&self) -> u8 { self.0.u8::<37>() }
    fn text_16(&self) -> [u8; 8] { self.0.array::<54, 8>() }
    /// Of FAT32.
    fn flags(&self) -> u16 { self.0.u16::<40>() }
    fn version(&self) -> u16 { self.0.u16::<42>() }
    fn root_cluster(&self) -> u32 { self.0.u32::<44>() }
    fn state_32(&self) -> u8 { self.0.u8::<65>() }
    fn text_32(&self) -> [u8; 8] { self.0.array::<82, 8>() }
    fn signature(&self) -> [u8; 2] { self.0.array::<510, 2>() }
}

impl View<'_> {
    fn sectors(&self) -> u64 {
        match self.0.u16::<19>() {
            0 => self.0.u32::<32>().into(),
            few => few.into(),
        }
    }

    fn table_sectors(&self) -> u64 {
        if self.is_32() { self.0.u32::<36>().into() } else { self.0.u16::<22>().into() }
    }

    /// Whether the numbers are those of a FAT file system. The ones of NTFS, exFAT, a boot
    /// loader on another file system or a disk's MBR are not.
    fn is_plausible(&self) -> bool {
        matches!(self.sector_bytes(), 512 | 1024 | 2048 | 4096)
            && self.cluster_sectors().is_power_of_two()
            && self.reserved_sectors() > 0
            && self.tables() > 0
            && (self.media() == 0xf0 || self.media() >= 0xf8)
            && self.table_sectors() > 0
            && self.sectors() > 0
            && self.signature() == [0x55, 0xaa]
    }

    fn has_jump(&self) -> bool {
        matches!(self.jump(), [0xeb, _, 0x90] | [0xe9, _, _])
    }

    /// Whether it calls itself FAT. This decides nothing else: the text may be wrong.
    fn has_text(&self) -> bool {
        matches!(&self.text_16(), b"FAT12   " | b"FAT16   " | b"FAT     ")
            || &self.text_32() == b"FAT32   "
    }

    fn table(&self) -> Bytes {
        Bytes(self.reserved_sectors().saturating_mul(self.sector_bytes()))
    }
}

/// The width of a FAT's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// FAT12.
    Bits12,
    /// FAT16.
    Bits16,
    /// FAT32, of whose entries 4 bits mean nothing.
    Bits32,
}

impl Width {
    pub(super) fn bits(self) -> u64 {
        match self {
            Self::Bits12 => 12,
            Self::Bits16 => 16,
            Self::Bits32 => 32,
        }
    }

    pub(super) fn kind(self) -> FilesystemKind {
        match self {
            Self::Bits12 => FilesystemKind::Fat12,
            Self::Bits16 => FilesystemKind::Fat16,
            Self::Bits32 => FilesystemKind::Fat32,
        }
    }

    /// The most clusters.
    fn max_clusters(self) -> u64 {
        match self {
            Self::Bits12 => 4084,
            Self::Bits16 => 65524,
            Self::Bits32 => 0x0fff_fff5,
        }
    }
}

/// Where the root directory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// Before the clusters: its position and size in bytes.
    Fixed(Bytes, u64),
    /// In a chain of clusters that begins with this index.
    Cluster(u32),
}

/// Where things lie, and how the file system was left. All of it lies on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) width: Width,
    pub(super) media: u8,
    /// The first FAT.
    table: Bytes,
    /// The size of each FAT in bytes.
    table_bytes: u64,
    tables: u8,
    /// The FAT that counts alone, if the others are not kept the same.
    active: Option<u8>,
    pub(super) root: Root,
    pub(super) heap: Heap,
    /// The size of the file system.
    pub(super) size: Bytes,
    /// The boot sector says that it was not unmounted, or was damaged.
    pub(super) is_dirty: bool,
}

/// Whether the boot sector on `device` is that of a FAT file system.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    let mut bytes = [0; SIZE];
    if !read_if_there(device, Bytes(0), &mut bytes)? {
        return Ok(false);
    }
    let view = View(Layout::from(&bytes));
    if !view.is_plausible() {
        return Ok(false);
    }
    let mut media = [0];
    let is_media = read_if_there(device, view.table(), &mut media)? && media == [view.media()];
    Ok(view.has_text() || view.has_jump() && is_media)
}

impl Geometry {
    /// Reads the boot sector.
    pub(super) fn read(device: &dyn ReadAt) -> Result<Self> {
        let mut bytes = [0; SIZE];
        device.read_at(Bytes(0), &mut bytes)?;
        let view = View(Layout::from(&bytes));
        let at_start = |kind: ErrorKind| kind.at(Place::Sector(crate::sector::Sector::ZERO));
        if view.is_32() && view.version() != 0 {
            return Err(at_start(ErrorKind::Incompatible(IncompatibleKind::Version)));
        }
        let geometry = Self::of(&view);
        let geometry =
            geometry.ok_or_else(|| at_start(ErrorKind::Corrupt(CorruptKind::FatGeometry)))?;
        if geometry.size > device.size() {
            return Err(at_start(ErrorKind::Corrupt(CorruptKind::FileSystemSize)));
        }
        Ok(geometry)
    }

    /// The shape of the file system; `None` if no file system can have it.
    fn of(view: &View<'_>) -> Option<Self> {
        if !view.is_plausible() || view.tables() > MAX_TABLES {
            return None;
        }
        // All factors are of 32 bits or less.
        let bytes = |sectors: u64| sectors.saturating_mul(view.sector_bytes());
        let size = bytes(view.sectors());
        let table_bytes = bytes(view.table_sectors());
        let root_bytes = view.root_entries().saturating_mul(32);
        let root_at = view.table().checked_add(table_bytes.saturating_mul(view.tables().into()))?;
        let start = root_at.checked_add(root_bytes)?;
        let cluster_bytes = bytes(view.cluster_sectors());
        let clusters = size.checked_sub(start.get())?.checked_div(cluster_bytes)?;
        let width = match clusters {
            _ if view.is_32() => Width::Bits32,
            0..=4084 => Width::Bits12,
            _ => Width::Bits16,
        };
        // The root directory of the smaller ones fills whole sectors.
        let root_fits = match width {
            Width::Bits32 => root_bytes == 0,
            _ => root_bytes > 0 && root_bytes.is_multiple_of(view.sector_bytes()),
        };
        // A FAT that is too short for all clusters says how many are used.
        let entries = table_bytes.saturating_mul(8).checked_div(width.bits())?;
        let clusters = clusters.min(entries.saturating_sub(2));
        if !root_fits || clusters == 0 || clusters > width.max_clusters() {
            return None;
        }
        let heap = Heap { start, cluster_bytes, clusters: u32::try_from(clusters).ok()? };
        let (root, active, state) = match width {
            Width::Bits32 => {
                let not_mirrored = view.flags() & 0x80 != 0;
                let active = u8::try_from(view.flags() & 0xf).ok().filter(|_| not_mirrored);
                (Root::Cluster(heap.index(view.root_cluster())?), active, view.state_32())
            }
            _ => (Root::Fixed(root_at, root_bytes), None, view.state_16()),
        };
        if active.is_some_and(|active| active >= view.tables()) {
            return None;
        }
        Some(Self {
            width,
            media: view.media(),
            table: view.table(),
            table_bytes,
            tables: view.tables(),
            active,
            root,
            heap,
            size: Bytes(size),
            is_dirty: state & 3 != 0,
        })
    }

    /// The bytes of a FAT that have entries of clusters.
    pub(super) fn used_table_bytes(&self) -> u64 {
        let entries = u64::from(self.heap.clusters).saturating_add(2);
        entries.saturating_mul(self.width.bits()).div_ceil(8).min(self.table_bytes)
    }

    /// Where the FATs lie that a driver may have written to: all of them, if they are kept the
    /// same; else the active one, which counts for Windows, and the first one, which always
    /// counts for Linux. The first one comes first.
    pub(super) fn tables(&self) -> impl Iterator<Item = Bytes> + use<> {
        let Self { table, table_bytes, tables, active, .. } = *self;
        let counts = move |number: &u8| match active {
            Some(active) => *number == 0 || *number == active,
            None => true,
        };
        (0..tables).filter(counts).map(move |number| {
            Bytes(table.get().saturating_add(table_bytes.saturating_mul(number.into())))
        })
    }
}
