//! The superblock: shape of the file system, features, and where the log is.

use alloc::vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Place, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

use super::features::{Features, Incompat, version};
use super::geometry::{Geometry, Sizes};
use crate::filesystem::checksum::{Crc32c, agree};

/// The mark of a superblock: `XFSB`.
pub(super) const MAGIC: u32 = 0x5846_5342;
/// The bytes of the superblock that are looked at.
const SIZE: usize = 0x108;
/// Where its checksum is.
const CHECKSUM_AT: usize = 0xe0;
/// The log is shorter than this, in bytes.
const LOG_LIMIT: u64 = 1 << 31;

/// The superblock as it lies on the disk; docs/format.md, "XFS".
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn magic(&self) -> u32 { self.0.be32::<0x0>() }
    fn uuid(&self) -> [u8; 16] { self.0.array::<0x20, 16>() }
    fn log_start(&self) -> u64 { self.0.be64::<0x30>() }
    fn log_blocks(&self) -> u32 { self.0.be32::<0x60>() }
    fn version(&self) -> u16 { self.0.be16::<0x64>() }
    fn in_progress(&self) -> u8 { self.0.u8::<0x7e>() }
    fn second_features(&self) -> u32 { self.0.be32::<0xc8>() | self.0.be32::<0xcc>() }
    fn ro_compat(&self) -> u32 { self.0.be32::<0xd4>() }
    fn incompat(&self) -> u32 { self.0.be32::<0xd8>() }
    fn log_incompat(&self) -> u32 { self.0.be32::<0xdc>() }
    fn meta_uuid(&self) -> [u8; 16] { self.0.array::<0xf8, 16>() }

    fn sizes(&self) -> Sizes {
        Sizes {
            block_bytes: self.0.be32::<0x4>(),
            block_log: self.0.u8::<0x78>(),
            sector_bytes: self.0.be16::<0x66>(),
            sector_log: self.0.u8::<0x79>(),
            blocks: self.0.be64::<0x8>(),
            ag_blocks: self.0.be32::<0x54>(),
            ag_block_log: self.0.u8::<0x7c>(),
            ag_count: self.0.be32::<0x58>(),
        }
    }
}

/// A superblock that contradicts neither itself nor the size of its device, and has no feature
/// that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) geometry: Geometry,
    /// Whether metadata carry checksums: version 5.
    pub(super) checksums: bool,
    /// The UUID that the log has.
    pub(super) uuid: [u8; 16],
    /// The UUID that metadata have.
    pub(super) meta_uuid: [u8; 16],
    /// Where the log is.
    pub(super) log: SectorRange,
    /// Whether the log has the second form.
    pub(super) log_v2: bool,
}

impl Superblock {
    /// Reads the primary superblock. If it is in a sector of `patched`, its checksum isn't right
    /// yet.
    pub(super) fn read(device: &dyn ReadAt, patched: &ExtentSet) -> Result<Self> {
        let place = Place::Byte(Bytes(0));
        let corrupt = |kind: CorruptKind| ErrorKind::Corrupt(kind).at(place);
        let mut first = [0; 512];
        device.read_at(Bytes(0), &mut first)?;
        let view = View(Layout::new(&first).ok_or_else(|| ErrorKind::Truncated.at(place))?);
        if view.magic() != MAGIC {
            return Err(corrupt(CorruptKind::Superblock));
        }
        let features = match view.version() & 0xf {
            4 if view.version() & version::MORE_BITS == 0 => Features::V4 { second: 0 },
            4 => Features::V4 { second: view.second_features() },
            5 => Features::V5 {
                ro_compat: view.ro_compat(),
                incompat: view.incompat(),
                log_incompat: view.log_incompat(),
            },
            _ => return Err(ErrorKind::Incompatible(IncompatibleKind::Version).at(place)),
        };
        let geometry = Geometry::new(&view.sizes());
        let geometry = geometry.ok_or_else(|| corrupt(CorruptKind::Superblock))?;
        if features.has_checksums() {
            let mut sector = vec![0; geometry.sector_len()];
            device.read_at(Bytes(0), &mut sector)?;
            if !is_patched(patched, Bytes(0), sector.len()) && !is_summed(&sector, CHECKSUM_AT) {
                return Err(corrupt(CorruptKind::SuperblockChecksum));
            }
        }
        features.check()?;
        if view.in_progress() != 0 {
            return Err(corrupt(CorruptKind::Superblock));
        }
        if geometry.size() > device.size() {
            return Err(corrupt(CorruptKind::FileSystemSize));
        }
        if view.log_start() == 0 {
            return Err(ErrorKind::Incompatible(IncompatibleKind::ExternalLog).at(place));
        }
        let log = log(&geometry, &view).ok_or_else(|| corrupt(CorruptKind::Superblock))?;
        let meta_uuid = match features {
            Features::V5 { incompat, .. } if incompat & Incompat::META_UUID != 0 => {
                view.meta_uuid()
            }
            _ => view.uuid(),
        };
        Ok(Self {
            geometry,
            checksums: features.has_checksums(),
            uuid: view.uuid(),
            meta_uuid,
            log,
            log_v2: features.has_checksums() || view.version() & version::LOG_V2 != 0,
        })
    }
}

/// Where the log is: in one group, behind its headers.
fn log(geometry: &Geometry, view: &View<'_>) -> Option<SectorRange> {
    let (ag, start) = geometry.locate(view.log_start())?;
    let end = start.checked_add(view.log_blocks())?;
    let sectors = geometry.sectors(ag, &(start..end))?;
    let valid = start >= geometry.header_blocks()
        && start < end
        && end <= geometry.ag_len(ag)
        && sectors.len().to_bytes() < Bytes(LOG_LIMIT);
    valid.then_some(sectors)
}

/// Whether the checksum at `at` is that of `bytes`, with zeros in its place.
pub(super) fn is_summed(bytes: &[u8], at: usize) -> bool {
    let right = || {
        let stored = Layout::<4>::at(bytes, at)?.u32::<0>();
        let rest = bytes.get(at.checked_add(4)?..)?;
        let sum = !Crc32c::START.add(bytes.get(..at)?).add(&[0; 4]).add(rest).get();
        Some(agree(sum, stored))
    };
    right().unwrap_or(false)
}

/// Whether any of `len` bytes from `at` on are in a sector of `patched`.
pub(super) fn is_patched(patched: &ExtentSet, at: Bytes, len: usize) -> bool {
    let end = at.get().saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    let first = Sector::new(at.get() / SECTOR_BYTES);
    let end = Sector::new(end.div_ceil(SECTOR_BYTES));
    let range = first.zip(end).and_then(|(first, end)| SectorRange::new(first, end));
    range.is_none_or(|range| patched.within(range).next().is_some())
}
