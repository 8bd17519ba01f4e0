//! The label of a physical volume: who it is, and where its metadata and data lie.

use alloc::vec::Vec;
use core::ops::Range;

use super::{crc, wrong};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Result};
use crate::filesystem::checksum::agree;
use crate::layout::Layout;

/// So many sectors from the start on may hold the label.
const SECTORS: usize = 4;
const SECTOR: usize = 512;
/// The bytes that may hold it.
pub(super) const AREA: u64 = 2048;

const MAGIC: &[u8; 8] = b"LABELONE";
const TYPE: &[u8; 8] = b"LVM2 001";
/// From here on the label's sector is summed up.
const SUMMED_FROM: usize = 20;

/// The label as it lies on the disk, with the start of what it announces.
struct View<'a>(Layout<'a, 32>);

#[rustfmt::skip]
impl View<'_> {
    fn magic(&self) -> [u8; 8] { self.0.array::<0, 8>() }
    fn sector(&self) -> u64 { self.0.u64::<8>() }
    fn checksum(&self) -> u32 { self.0.u32::<16>() }
    fn header_at(&self) -> u32 { self.0.u32::<20>() }
    fn kind(&self) -> [u8; 8] { self.0.array::<24, 8>() }
}

/// What the label says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// The physical volume's UUID, without hyphens.
    pub(super) uuid: [u8; 32],
    /// Where its data begin, in bytes.
    pub(super) data_start: u64,
    /// Its metadata areas, in bytes.
    pub(super) metadata: Vec<Range<u64>>,
    /// The areas that boot loaders may have, in bytes.
    pub(super) boot: Vec<Range<u64>>,
    /// Whether it says that it belongs to no volume group.
    pub(super) is_orphan: bool,
}

/// Whether the first bytes of a device have a label.
pub(in crate::filesystem) fn is_present(head: &[u8]) -> bool {
    head.chunks(SECTOR).take(SECTORS).any(|sector| sector.starts_with(MAGIC))
}

impl Label {
    /// Reads the label.
    pub(super) fn read(device: &dyn ReadAt) -> Result<Self> {
        let mut head = [0; SECTORS * SECTOR];
        device.read_at(crate::sector::Bytes(0), &mut head)?;
        let mut labels = head.chunks(SECTOR).zip(0_u64..).filter(|(at, _)| at.starts_with(MAGIC));
        let damaged = || wrong(CorruptKind::LvmLabel, 0);
        let (Some((sector, number)), None) = (labels.next(), labels.next()) else {
            return Err(damaged());
        };
        let place = number.saturating_mul(512);
        let view = View(Layout::new(sector).ok_or_else(damaged)?);
        if !agree(crc(&[sector.get(SUMMED_FROM..).unwrap_or_default()]), view.checksum()) {
            return Err(wrong(CorruptKind::LvmChecksum, place));
        }
        if view.magic() != *MAGIC || view.sector() != number || view.kind() != *TYPE {
            return Err(wrong(CorruptKind::LvmLabel, place));
        }
        let at = usize::try_from(view.header_at()).ok();
        let header = at.and_then(|at| sector.get(at..)).unwrap_or_default();
        Self::parse(header).ok_or_else(|| wrong(CorruptKind::LvmLabel, place))?
    }

    /// `None` if it contradicts itself.
    fn parse(header: &[u8]) -> Option<Result<Self>> {
        let fixed = Layout::<40>::new(header)?;
        let mut rest = header.get(40..)?;
        let data = areas(&mut rest)?;
        let metadata = areas(&mut rest)?;
        // Before version 2 the extension says nothing about who uses the volume; it is all zero if
        // there is none.
        let extension = Layout::<8>::new(rest)?;
        let (version, flags) = (extension.u32::<0>(), extension.u32::<4>());
        let mut boot = Vec::new();
        if version > 0 {
            rest = rest.get(8..)?;
            boot = areas(&mut rest)?;
        }
        if version > 2 || flags > 1 {
            return Some(Err(ErrorKind::Incompatible(IncompatibleKind::Version).into()));
        }
        let [data] = &data[..] else { return None };
        let is_orphan = version == 2 && flags == 0;
        let uuid = fixed.array::<0, 32>();
        Some(Ok(Self { uuid, data_start: data.start, metadata, boot, is_orphan }))
    }
}

/// A list of areas, which one that begins at 0 ends. An area of size 0 has all that is left.
fn areas(rest: &mut &[u8]) -> Option<Vec<Range<u64>>> {
    let mut found = Vec::new();
    loop {
        let area = Layout::<16>::new(rest)?;
        *rest = rest.get(16..)?;
        let (start, len) = (area.u64::<0>(), area.u64::<8>());
        if start == 0 {
            return (len == 0).then_some(found);
        }
        let end = if len == 0 { u64::MAX } else { start.checked_add(len)? };
        found.push(start..end);
    }
}
